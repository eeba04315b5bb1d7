//! Character sets in which ASCII is spelled by other bytes.

use encoding_rs::{Decoder, DecoderResult, Encoding};

/// Character sets whose ASCII is ASCII, by the beginnings of their names.
const ASCII_COMPATIBLE: [&[u8]; 20] = [
    b"utf-8",
    b"utf8",
    b"us-ascii",
    b"ascii",
    b"iso-8859-",
    b"iso8859",
    b"iso_8859-",
    b"latin",
    b"l1",
    b"windows-125",
    b"cp125",
    b"windows-874",
    b"gb",
    b"big5",
    b"shift_jis",
    b"sjis",
    b"euc-",
    b"koi8-",
    b"macintosh",
    b"unicode-1-1-utf-8",
];

/// Reports whether a character set, by its name, spells ASCII by other bytes, or is unknown.
pub(super) fn hides_ascii(name: &[u8]) -> bool {
    let name = name.trim_ascii();
    let starts = |start: &&[u8]| name.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start));
    !name.is_empty() && !ASCII_COMPATIBLE.iter().any(starts)
}

/// Reports whether the encoding that an XML declaration names hides ASCII. One that names UTF-16 and can be read is not
/// UTF-16: .NET writes so into text that is then sent as UTF-8.
pub(super) fn hides_xml(name: &[u8]) -> bool {
    hides_ascii(name) && !name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"utf-16"))
}

/// Returns the encoding that an XML declaration names.
pub(super) fn declared_in_xml(declaration: &[u8]) -> Option<&[u8]> {
    let at = memchr::memmem::find(declaration, b"encoding")?;
    let value = declaration.get(at + 8..)?.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let (quote, value) = value.split_first()?;
    value.get(..memchr::memchr(*quote, value)?)
}

/// A decoder from a character set that hides ASCII to UTF-8, for text that arrives in parts.
pub(super) enum Transcoder {
    Known(Box<Decoder>),
    Utf7(Utf7),
    Utf32 {
        big_endian: bool,
        /// Bytes of an incomplete character.
        held: [u8; 4],
        length: usize,
    },
}

impl Transcoder {
    /// Returns a decoder for a character set that hides ASCII, if there is one.
    pub(super) fn new(name: &[u8]) -> Option<Self> {
        if !hides_ascii(name) {
            return None;
        }
        let name = name.trim_ascii();
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        if is(b"utf-7") || is(b"utf7") || is(b"unicode-1-1-utf-7") || is(b"csutf7") {
            return Some(Self::Utf7(Utf7::default()));
        }
        if name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"utf-32")) || is(b"utf32") {
            return Some(Self::utf32(!name.to_ascii_lowercase().ends_with(b"le")));
        }
        // Labels of the web don't have all names by which this is known.
        let label = if is(b"utf16") || is(b"utf-16be") { &b"utf-16be"[..] } else { name };
        let encoding = Encoding::for_label(label).or_else(|| {
            let japanese = name.get(..11).is_some_and(|start| start.eq_ignore_ascii_case(b"iso-2022-jp"));
            japanese.then_some(encoding_rs::ISO_2022_JP)
        })?;
        (encoding != encoding_rs::REPLACEMENT).then(|| Self::of(encoding))
    }

    pub(super) fn utf32(big_endian: bool) -> Self {
        Self::Utf32 { big_endian, held: [0; 4], length: 0 }
    }

    pub(super) fn of(encoding: &'static Encoding) -> Self {
        Self::Known(Box::new(encoding.new_decoder_with_bom_removal()))
    }

    /// Decodes `bytes`, and shows what they mean.
    pub(super) fn decode(&mut self, bytes: &[u8], last: bool, show: &mut dyn FnMut(&[u8])) {
        match self {
            Self::Known(decoder) => {
                let mut rest = bytes;
                let mut buffer = [0; 1024];
                loop {
                    let (result, read, written) =
                        decoder.decode_to_utf8_without_replacement(rest, &mut buffer, last);
                    show(buffer.get(..written).unwrap_or_default());
                    rest = rest.get(read..).unwrap_or_default();
                    match result {
                        DecoderResult::InputEmpty => return,
                        DecoderResult::OutputFull => {}
                        DecoderResult::Malformed(..) => show("\u{fffd}".as_bytes()),
                    }
                }
            }
            Self::Utf7(decoder) => decoder.decode(bytes, show),
            Self::Utf32 { big_endian, held, length } => {
                for &byte in bytes {
                    held[*length % 4] = byte;
                    *length = (*length + 1) % 4;
                    if *length == 0 {
                        let code =
                            if *big_endian { u32::from_be_bytes(*held) } else { u32::from_le_bytes(*held) };
                        show_character(code, show);
                    }
                }
            }
        }
    }
}

fn show_character(code: u32, show: &mut dyn FnMut(&[u8])) {
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    show(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// A decoder of UTF-7 (RFC 2152), as lenient as possible.
#[derive(Default)]
pub(super) struct Utf7 {
    /// Whether the text is within `+...-`.
    is_shifted: bool,
    bits: u32,
    bit_count: u32,
    /// The first half of a surrogate pair.
    high: Option<u32>,
    /// Whether `+` was the last byte.
    is_first: bool,
}

impl Utf7 {
    fn decode(&mut self, bytes: &[u8], show: &mut dyn FnMut(&[u8])) {
        for &byte in bytes {
            if !self.is_shifted {
                if byte == b'+' {
                    *self = Self { is_shifted: true, is_first: true, ..Self::default() };
                } else {
                    show(&[byte]);
                }
                continue;
            }
            let is_first = std::mem::take(&mut self.is_first);
            let Some(value) = base64_value(byte).filter(|_| byte != b'-') else {
                self.is_shifted = false;
                match byte {
                    b'-' if is_first => show(b"+"),
                    b'-' => {}
                    _ => show(&[byte]),
                }
                continue;
            };
            self.bits = self.bits << 6 | value;
            self.bit_count += 6;
            if self.bit_count < 16 {
                continue;
            }
            self.bit_count -= 16;
            let unit = self.bits >> self.bit_count & 0xffff;
            match (self.high.take(), unit) {
                (_, 0xd800..0xdc00) => self.high = Some(unit),
                (Some(high), 0xdc00..0xe000) => {
                    show_character(0x1_0000 + ((high - 0xd800) << 10) + (unit - 0xdc00), show);
                }
                _ => show_character(unit, show),
            }
        }
    }
}

pub(super) fn base64_value(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(name: &str, bytes: &[u8]) -> String {
        let mut text = Vec::new();
        let mut transcoder = Transcoder::new(name.as_bytes()).unwrap();
        let (first, second) = bytes.split_at(bytes.len() / 2);
        transcoder.decode(first, false, &mut |part| text.extend_from_slice(part));
        transcoder.decode(second, true, &mut |part| text.extend_from_slice(part));
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn hidden_text_is_decoded() {
        let units = |text: &str| text.encode_utf16().collect::<Vec<_>>();
        let little: Vec<u8> = units("<a \u{1f600}>").iter().flat_map(|unit| unit.to_le_bytes()).collect();
        assert_eq!(decode("UTF-16LE", &little), "<a \u{1f600}>");
        let big: Vec<u8> = "<b>".chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
        assert_eq!(decode("utf-32", &big), "<b>");
        assert_eq!(decode("utf-7", b"+ADw-script+AD4-1 +- 2+2D3eAA-"), "<script>1 + 2\u{1f600}");
        assert_eq!(decode("iso-2022-jp", b"\x1b(Ja\x1b(B<"), "a<");
    }

    #[test]
    fn only_what_hides_ascii_is_decoded() {
        for name in ["utf-8", "UTF8", "ISO-8859-15", "windows-1252", "shift_jis", ""] {
            assert!(Transcoder::new(name.as_bytes()).is_none() && !hides_ascii(name.as_bytes()), "{name}");
        }
        for name in ["ibm037", "utf-7", "utf-16", "iso-2022-kr", "hz-gb-2312", "unheard-of"] {
            assert!(hides_ascii(name.as_bytes()), "{name}");
        }
        assert_eq!(declared_in_xml(b"xml version='1.0' encoding = \"UTF-7\" "), Some(&b"UTF-7"[..]));
    }
}
