//! Escapes of JavaScript strings, which JSON, Java and C have in common.

use super::percent::hex;
use super::scratch::Scratch;

/// Gives `value` with `\x3c`, `\u003c`, `\u{3c}`, octal `\74` and `\n` replaced by what they stand for, and
/// other backslashes taken away. NUL is dropped.
pub(super) fn decode<'b>(value: &[u8], out: &'b mut Scratch) -> &'b mut [u8] {
    let mut out = out.writer(value.len());
    let mut rest = value;
    while let Some(at) = next_backslash(rest) {
        let (before, escape) = rest.split_at(at);
        out.extend(before);
        let (code, length) = escape_at(&escape[1..]);
        if let Some(character) = code.and_then(char::from_u32) {
            out.push_character(character);
        }
        rest = escape.get(1 + length..).unwrap_or_default();
    }
    out.extend(rest);
    out.finish()
}

/// Where the next backslash stands. Escapes often follow each other at once, for which no search is called.
pub(super) fn next_backslash(text: &[u8]) -> Option<usize> {
    if text.first() == Some(&b'\\') { Some(0) } else { memchr::memchr(b'\\', text) }
}

/// What the escape means whose text after the backslash begins here, and how long that text is.
fn escape_at(text: &[u8]) -> (Option<u32>, usize) {
    match text {
        [b'x' | b'X', digits @ ..] if hex_digits(digits, 2) == 2 => (Some(value_of(&digits[..2], 16)), 3),
        [b'u' | b'U', b'{', digits @ ..] => {
            let length = hex_digits(digits, 6);
            if length > 0 && digits.get(length) == Some(&b'}') {
                (Some(value_of(&digits[..length], 16)), length + 3)
            } else {
                (Some(u32::from(b'u')), 1)
            }
        }
        [b'u' | b'U', digits @ ..] if hex_digits(digits, 4) == 4 => (Some(value_of(&digits[..4], 16)), 5),
        [b'0'..=b'7', ..] => {
            let length = text.iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
            // The third digit belongs to it only if the number then still fits a byte.
            let length = if length == 3 && text[0] > b'3' { 2 } else { length };
            (Some(value_of(&text[..length], 8)), length)
        }
        [b'\n', ..] => (None, 1),
        [b'b', ..] => (Some(8), 1),
        [b'f', ..] => (Some(12), 1),
        [b'n', ..] => (Some(10), 1),
        [b'r', ..] => (Some(13), 1),
        [b't', ..] => (Some(9), 1),
        [b'v', ..] => (Some(11), 1),
        // Stands for itself; a backslash that stands for itself begins no further escape.
        [byte, ..] if byte.is_ascii() => (Some(u32::from(*byte)), 1),
        _ => (None, 0),
    }
}

fn hex_digits(text: &[u8], max: usize) -> usize {
    text.iter().take(max).take_while(|byte| byte.is_ascii_hexdigit()).count()
}

fn value_of(digits: &[u8], base: u32) -> u32 {
    digits.iter().fold(0, |value, &digit| value * base + u32::from(hex(digit)))
}
