//! Values that are the Base64 of a text.

use super::scratch::{Scratch, Writer};

/// Gives what `value` is the Base64 of, if it is: a whole value of at least [`MIN_LENGTH`] characters of one of the two
/// alphabets, padded rightly or not at all, that decodes to text.
///
/// An ordinary word of that length decodes to bytes of which some are no text, but for one of a million.
pub(super) fn decode<'b>(value: &[u8], out: &'b mut Scratch) -> Option<&'b [u8]> {
    let digits = digits(value)?;
    let mut out = out.writer(digits.len());
    (decode_digits(digits, &mut out) && std::str::from_utf8(out.text()).is_ok()).then(|| &*out.finish())
}

/// Whether `value` begins as the Base64 of a text does: most of what is no text shows it there.
pub(super) fn may_be(value: &[u8]) -> bool {
    if value.len() < MIN_LENGTH {
        return false;
    }
    let Some(beginning) = digits(value).and_then(|digits| digits.get(..MIN_LENGTH)) else { return false };
    let mut memory = [0; MIN_LENGTH];
    let mut out = Writer::new(&mut memory);
    decode_digits(beginning, &mut out) && may_be_text(out.text())
}

/// The digits of `value`, if there are enough for a text, and so many that they can be all.
fn digits(value: &[u8]) -> Option<&[u8]> {
    let value = if value.starts_with(b"data:") { without_prefix(value) } else { value };
    let padding = value.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    let digits = &value[..value.len() - padding];
    let complete = digits.len() % 4 != 1 && (padding == 0 || value.len().is_multiple_of(4));
    (digits.len() >= MIN_LENGTH && complete).then_some(digits)
}

/// What follows `data:text/html;base64,`.
fn without_prefix(value: &[u8]) -> &[u8] {
    let url = value.strip_prefix(b"data:").map(|url| url.get(..MAX_PREFIX).unwrap_or(url));
    let comma = url.and_then(|url| memchr::memmem::find(url, b";base64,"));
    comma.map_or(value, |at| &value[b"data:".len() + at + b";base64,".len()..])
}

/// Appends what digits stand for, of which there are a multiple of four or these are the last.
fn decode_digits(digits: &[u8], out: &mut Writer<'_>) -> bool {
    for group in digits.chunks(4) {
        let mut bits = 0u32;
        for &byte in group {
            let six = DIGITS[usize::from(byte)];
            if six == NO_DIGIT {
                return false;
            }
            bits = bits << 6 | u32::from(six);
        }
        let [_, decoded @ ..] = (bits << (6 * (4 - group.len()))).to_be_bytes();
        let decoded = &decoded[..group.len() * 3 / 4];
        if !decoded.iter().all(|byte| is_text(*byte)) {
            return false;
        }
        out.extend(decoded);
    }
    true
}

/// Whether this is the beginning of a text in UTF-8.
fn may_be_text(text: &[u8]) -> bool {
    std::str::from_utf8(text).map_or_else(|error| error.error_len().is_none(), |_| true)
}

/// The shortest text that is tried: what has fewer characters decodes to text by accident.
const MIN_LENGTH: usize = 16;

/// Where the prefix of a `data:` URL ends at the latest.
const MAX_PREFIX: usize = 64;

fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~' | 0x80..)
}

const NO_DIGIT: u8 = 255;

/// What the digits of both alphabets stand for. A blank is a plus that a form did not escape.
const DIGITS: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut index: u8 = 0;
    while index < 64 {
        table[alphabet[index as usize] as usize] = index;
        index += 1;
    }
    table[b'-' as usize] = 62;
    table[b' ' as usize] = 62;
    table[b'_' as usize] = 63;
    table
};
