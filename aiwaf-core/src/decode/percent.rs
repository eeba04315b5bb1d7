//! Percent encoding, and the other ways to spell a character that servers have fallen for.

use super::Buffer;

/// Decodes bytes one after the other onto the end of a buffer, until nothing is left to decode.
///
/// Whenever the end of the buffer spells an escape (`%2e`, `%u002e`, an overlong or fullwidth UTF-8 character), it is
/// replaced by what it stands for, and the new end is looked at again. So any depth of double encoding is undone in
/// one pass: every step but the first removes at least one byte, which makes the whole linear.
pub(super) struct Decoder<'b> {
    out: &'b mut Buffer,
    /// What a control character becomes: dropping it here, and not later, leaves no escape that it had split.
    control: fn(u8) -> Option<u8>,
    /// Whether an escape was spelled in a way that no honest client uses.
    pub(super) tricked: bool,
    /// Whether the byte at this place is the `%` of an escape that was itself escaped.
    decoded_percent: Option<usize>,
}

impl<'b> Decoder<'b> {
    /// Starts with an empty buffer; `control` says what becomes of control characters.
    pub(super) fn new(out: &'b mut Buffer, control: fn(u8) -> Option<u8>) -> Self {
        out.clear();
        Self { out, control, tricked: false, decoded_percent: None }
    }

    /// Takes the next byte as sent.
    pub(super) fn push(&mut self, byte: u8) {
        self.append(byte);
        self.decode_end();
    }

    /// Takes a byte that was sent as an escape.
    fn push_decoded(&mut self, byte: u8) {
        if byte == b'%' {
            self.decoded_percent = Some(self.out.len());
        }
        self.append(byte);
        self.decode_end();
    }

    /// Undoes the escapes at the end.
    fn decode_end(&mut self) {
        // A byte that can't be the end of an escape leaves the buffer as it is: the common case.
        while byte_may_end_escape(self.out.last().copied()) {
            let Some(escape) = trailing_escape(self.out) else { break };
            let start = self.out.len() - escape.length;
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

/// Writes `value` with all escapes undone into `out`, any depth of them; NUL is dropped, other control characters stay.
/// `plus` says whether `+` is a blank.
pub(super) fn decode(value: &[u8], plus: bool, out: &mut Buffer) {
    let mut decoder = Decoder::new(out, |byte| (byte != 0).then_some(byte));
    let mut rest = value;
    while let [first, after @ ..] = rest {
        // Behind the beginning of an escape, every byte may complete it.
        let tail = decoder.out.len().saturating_sub(LONGEST_ESCAPE - 1);
        if memchr::memchr(b'%', &decoder.out[tail..]).is_some() {
            decoder.push(if plus && *first == b'+' { b' ' } else { *first });
            rest = after;
            continue;
        }
        let length = rest.iter().position(|&byte| !stands_for_itself(byte)).unwrap_or(rest.len());
        let (ordinary, after) = rest.split_at(length);
        decoder.out.extend_from_slice(ordinary);
        rest = match after {
            [b'%', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                decoder.push_decoded(hex(*high) << 4 | hex(*low));
                after
            }
            [b'+', after @ ..] if plus => {
                decoder.out.push(b' ');
                after
            }
            [byte, after @ ..] => {
                decoder.push(*byte);
                after
            }
            [] => after,
        };
    }
}

/// The length of `%u002e`.
const LONGEST_ESCAPE: usize = 6;

/// Whether a byte is no part of an escape unless an escape has begun before it.
fn stands_for_itself(byte: u8) -> bool {
    matches!(byte, 1..=0x7f) && !matches!(byte, b'%' | b'+')
}

/// Writes `value` as an application reads it into `out`: each `%xx` decoded once. `plus` says whether `+` is a blank.
pub(super) fn decode_once(value: &[u8], plus: bool, out: &mut Buffer) {
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

/// Appends a character as UTF-8, fullwidth forms as what they look like; NUL is dropped.
pub(super) fn push_character(character: char, out: &mut Buffer) {
    if character != '\0' {
        let mut encoded = [0; 4];
        out.extend_from_slice(narrow(character).encode_utf8(&mut encoded).as_bytes());
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
            let character = char::from_u32(code).map_or(char::REPLACEMENT_CHARACTER, narrow);
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
        // Fullwidth forms U+FF01 to U+FF5E, which some frameworks fold to ASCII.
        [.., 0xef, middle @ (0xbc | 0xbd), last @ 0x80..=0xbf] => {
            let code = u32::from(middle & 0x3f) << 6 | u32::from(last & 0x3f) | 0xf000;
            let narrowed = narrow(char::from_u32(code)?);
            narrowed.is_ascii().then_some(Escape {
                length: 3,
                meaning: Meaning::Character(narrowed),
                odd: true,
            })
        }
        _ => None,
    }
}

/// The ASCII character that a fullwidth form looks like, or the character itself.
fn narrow(character: char) -> char {
    match character {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(character as u32 - 0xfee0).unwrap_or(character),
        other => other,
    }
}

/// The value of a hexadecimal digit.
pub(super) fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}
