//! Percent encoding, and the other ways to spell a character that servers have fallen for.

use super::Buffer;
use super::compatibility::{fold, may_begin_foldable};
use super::scan::run_without;
use super::scratch::{Scratch, Writer};

/// Decodes bytes one after the other onto the end of a buffer, until nothing is left to decode.
///
/// Whenever the end of the buffer spells an escape (`%2e`, `%u002e`, an overlong or fullwidth UTF-8 character), it is
/// replaced by what it stands for, and the new end is looked at again. So any depth of double encoding is undone in
/// one pass: every step but the first removes at least one byte, which makes the whole linear.
pub(super) struct Decoder<'b> {
    out: Writer<'b>,
    /// What a control character becomes: dropping it here, and not later, leaves no escape that it had split.
    control: fn(u8) -> Option<u8>,
    /// Whether an escape was spelled in a way that no honest client uses.
    tricked: bool,
    /// Whether the byte at this place is the `%` of an escape that was itself escaped.
    decoded_percent: Option<usize>,
}

impl<'b> Decoder<'b> {
    /// Starts with nothing written; `control` says what becomes of control characters.
    fn new(out: Writer<'b>, control: fn(u8) -> Option<u8>) -> Self {
        Self { out, control, tricked: false, decoded_percent: None }
    }

    /// Writes `raw` into `buffer`, each byte first `read` and then decoded; says whether tricks were used.
    pub(super) fn rewrite(
        raw: &[u8],
        buffer: &mut Buffer,
        control: fn(u8) -> Option<u8>,
        read: impl Fn(u8) -> u8,
    ) -> bool {
        buffer.clear();
        // Nothing decoded is longer.
        buffer.extend_from_slice(raw);
        let mut decoder = Decoder::new(Writer::new(buffer), control);
        let mut rest = raw;
        // Until the text is so long, every byte may complete an escape that began with a decoded or a broken one.
        let mut watched = 0;
        while let [first, after @ ..] = rest {
            if decoder.out.length() >= watched {
                let run = run_without(rest, |byte| may_be_escape(byte) | byte.is_ascii_control());
                let (plain, others) = rest.split_at(run.unwrap_or(rest.len()));
                if !plain.is_empty() {
                    let start = decoder.out.length();
                    decoder.out.extend(plain);
                    decoder.out.text_mut()[start..].iter_mut().for_each(|byte| *byte = read(*byte));
                    rest = others;
                    continue;
                }
                if let [b'%', high, low, others @ ..] = rest
                    && let Some(byte) = hex_byte(*high, *low)
                    && !may_be_escape(byte)
                {
                    decoder.append(byte);
                    rest = others;
                    continue;
                }
            }
            decoder.push(read(*first));
            rest = after;
            if decoder.out.text().last() == Some(&b'%') {
                watched = decoder.out.length() + LONGEST_ESCAPE - 1;
            }
        }
        let (tricked, length) = (decoder.tricked, decoder.out.length());
        buffer.truncate(length);
        tricked
    }

    /// Takes the next byte as sent.
    fn push(&mut self, byte: u8) {
        self.append(byte);
        self.decode_end();
    }

    /// Undoes the escapes at the end.
    fn decode_end(&mut self) {
        // A byte that can't be the end of an escape leaves the buffer as it is: the common case.
        while byte_may_end_escape(self.out.text().last().copied()) {
            let Some(escape) = trailing_escape(self.out.text()) else { break };
            let start = self.out.length() - escape.length;
            if escape.odd || self.decoded_percent == Some(start) {
                self.tricked = true;
            }
            self.out.truncate(start);
            let mut encoded = [0; 4];
            match escape.meaning {
                Meaning::Byte(byte) => {
                    if byte == b'%' {
                        self.decoded_percent = Some(start);
                    }
                    self.append(byte);
                }
                Meaning::Character(character) => {
                    for &byte in character.encode_utf8(&mut encoded).as_bytes() {
                        self.append(byte);
                    }
                }
            }
        }
    }

    fn append(&mut self, byte: u8) {
        if !byte.is_ascii_control() {
            self.out.push(byte);
        } else if let Some(byte) = (self.control)(byte) {
            self.out.push(byte);
        } else {
            self.tricked = true;
        }
    }
}

/// Gives `value` with all escapes undone, any depth of them; NUL is dropped, other control characters stay. `plus` says
/// whether `+` is a blank.
pub(super) fn decode<'b>(value: &[u8], plus: bool, out: &'b mut Scratch) -> &'b mut [u8] {
    let mut writer = out.writer(value.len());
    writer.extend(value);
    if plus {
        for byte in writer.text_mut() {
            *byte = if *byte == b'+' { b' ' } else { *byte };
        }
    }
    let text = writer.finish();
    let length = decode_in_place(text);
    text.get_mut(..length).unwrap_or_default()
}

/// Undoes all escapes in place; gives the length of what is left.
fn decode_in_place(text: &mut [u8]) -> usize {
    let Some(first) = length_of_run(text) else { return text.len() };
    let mut read = first;
    // What is decoded stands before what is still to be read.
    let mut decoder = Decoder::new(Writer::resume(text, first), |byte| (byte != 0).then_some(byte));
    // Until the text is so long, every byte may complete an escape that began with a decoded or a broken one.
    let mut watched = 0;
    while let Some(&byte) = decoder.out.memory().get(read) {
        if decoder.out.length() >= watched {
            let rest = &decoder.out.memory()[read..];
            if !may_be_escape(byte) {
                let length = length_of_run(rest).unwrap_or(rest.len());
                decoder.out.extend_from_within(read, length);
                read += length;
                continue;
            }
            if let [b'%', high, low, ..] = *rest
                && let Some(byte) = hex_byte(high, low)
                && !may_be_escape(byte)
            {
                decoder.out.push(byte);
                read += 3;
                continue;
            }
        }
        decoder.push(byte);
        read += 1;
        if decoder.out.text().last() == Some(&b'%') {
            watched = decoder.out.length() + LONGEST_ESCAPE - 1;
        }
    }
    decoder.out.length()
}

/// How many bytes at the beginning stand for themselves; `None` if all do.
fn length_of_run(text: &[u8]) -> Option<usize> {
    run_without(text, may_be_escape)
}

/// Whether a byte begins an escape or, other than a hexadecimal digit, ends one; or is NUL.
fn may_be_escape(byte: u8) -> bool {
    // No branches, so that sixteen of them are one step.
    u8::from(byte >= 0x80) | u8::from(byte == b'%') | u8::from(byte == 0) != 0
}

/// The length of `%u002e`.
const LONGEST_ESCAPE: usize = 6;

/// Writes `value` as an application reads it into `out`: each `%xx` decoded once. `plus` says whether `+` is a blank.
pub(crate) fn decode_once(value: &[u8], plus: bool, out: &mut Buffer) {
    out.clear();
    let mut rest = value;
    while let [first, after @ ..] = rest {
        rest = after;
        out.push(match (first, after) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest = after;
                hex(*high) << 4 | hex(*low)
            }
            (b'+', _) if plus => b' ',
            _ => *first,
        });
    }
}

struct Escape {
    length: usize,
    meaning: Meaning,
    odd: bool,
}

enum Meaning {
    Byte(u8),
    Character(char),
}

fn byte_may_end_escape(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_hexdigit() || (0x80..0xc0).contains(&byte))
}

fn trailing_escape(out: &[u8]) -> Option<Escape> {
    match *out {
        [.., b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            Some(Escape { length: 3, meaning: Meaning::Byte(hex(high) << 4 | hex(low)), odd: false })
        }
        [.., b'%', b'u' | b'U', a, b, c, d] if [a, b, c, d].iter().all(u8::is_ascii_hexdigit) => {
            let code = [a, b, c, d].iter().fold(0, |code, &digit| code << 4 | u32::from(hex(digit)));
            let character = char::from_u32(code).map_or(char::REPLACEMENT_CHARACTER, fold);
            Some(Escape { length: 6, meaning: Meaning::Character(character), odd: true })
        }
        // Overlong UTF-8: an ASCII character in two, three or four bytes.
        [.., lead @ (0xc0 | 0xc1), last @ 0x80..=0xbf] => {
            Some(Escape { length: 2, meaning: Meaning::Byte((lead & 1) << 6 | last & 0x3f), odd: true })
        }
        [.., 0xe0, middle @ (0x80 | 0x81), last @ 0x80..=0xbf]
        | [.., 0xf0, 0x80, middle @ (0x80 | 0x81), last @ 0x80..=0xbf] => {
            let length = if out.len() >= 4 && out.get(out.len() - 4) == Some(&0xf0) { 4 } else { 3 };
            Some(Escape { length, meaning: Meaning::Byte((middle & 1) << 6 | last & 0x3f), odd: true })
        }
        // Fullwidth and other compatibility forms, which some frameworks fold to ASCII.
        [.., 0x80..=0xbf] => compatibility_form(out),
        _ => None,
    }
}

/// The character at the end, if it is a compatibility form of one of ASCII.
fn compatibility_form(out: &[u8]) -> Option<Escape> {
    let (length, code) = match *out {
        [.., lead @ 0xc2..=0xdf, last] => (2, u32::from(lead & 0x1f) << 6 | u32::from(last & 0x3f)),
        [.., lead @ 0xe0..=0xef, middle, last] => {
            (3, u32::from(lead & 0xf) << 12 | u32::from(middle & 0x3f) << 6 | u32::from(last & 0x3f))
        }
        [.., 0xf0, second, third, last] => {
            (4, u32::from(second & 0x3f) << 12 | u32::from(third & 0x3f) << 6 | u32::from(last & 0x3f))
        }
        _ => return None,
    };
    let lead = out.len().checked_sub(length).and_then(|start| out.get(start))?;
    if !may_begin_foldable(*lead) {
        return None;
    }
    let folded = fold(char::from_u32(code)?);
    folded.is_ascii().then_some(Escape { length, meaning: Meaning::Character(folded), odd: true })
}

/// The byte that two hexadecimal digits spell.
fn hex_byte(high: u8, low: u8) -> Option<u8> {
    let (high, low) = (HEX[usize::from(high)], HEX[usize::from(low)]);
    (high | low < 16).then_some(high << 4 | low)
}

/// The values of hexadecimal digits, 255 for anything else.
const HEX: [u8; 256] = {
    let mut table = [255; 256];
    let mut value: u8 = 0;
    while value < 16 {
        let digit = b"0123456789abcdef"[value as usize];
        table[digit as usize] = value;
        table[digit.to_ascii_uppercase() as usize] = value;
        value += 1;
    }
    table
};

/// The value of a hexadecimal digit.
pub(super) fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}
