//! Values that are the Base64 of a text.

use super::Buffer;

/// Writes what `value` is the Base64 of into `out`, and says whether it is: a whole value of at least [`MIN_LENGTH`]
/// characters of one of the two alphabets, padded rightly or not at all, that decodes to text.
///
/// An ordinary word of that length decodes to bytes of which some are no text, but for one of a million.
pub(super) fn decode(value: &[u8], out: &mut Buffer) -> bool {
    out.clear();
    let value =
        match memchr::memmem::find(value.get(..MAX_PREFIX.min(value.len())).unwrap_or_default(), b";base64,")
        {
            Some(at) if value.starts_with(b"data:") => &value[at + b";base64,".len()..],
            _ => value,
        };
    let padding = value.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    let digits = &value[..value.len() - padding];
    if digits.len() < MIN_LENGTH || digits.len() % 4 == 1 || (padding > 0 && value.len() % 4 != 0) {
        return false;
    }
    let mut bits = 0u32;
    let mut count = 0;
    for &byte in digits {
        let Some(six) = digit(byte) else { return false };
        bits = bits << 6 | six;
        count += 6;
        if count >= 8 {
            count -= 8;
            let [.., decoded] = (bits >> count).to_be_bytes();
            if !is_text(decoded) {
                return false;
            }
            out.push(decoded);
        }
    }
    std::str::from_utf8(out).is_ok()
}

/// The shortest text that is tried: what has fewer characters decodes to text by accident.
pub(super) const MIN_LENGTH: usize = 16;

/// Where the prefix of a `data:` URL ends at the latest.
const MAX_PREFIX: usize = 64;

fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~' | 0x80..)
}

fn digit(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        // A blank is a plus that a form did not escape.
        b'+' | b'-' | b' ' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}
