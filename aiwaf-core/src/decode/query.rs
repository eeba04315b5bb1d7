//! The normal form of a query.

use super::Buffer;
use super::percent::Decoder;

/// Writes the normal form of `raw` into `out`: `+` as a blank, escapes decoded to the last, runs of white space as
/// one blank, no other control characters, ASCII letters in lower case. `&` and `=` stay where they are.
pub(crate) fn normalize_query(raw: &[u8], out: &mut Buffer) {
    // Most queries stand for themselves but for their case.
    #[allow(clippy::needless_bitwise_bool)] // without branches: this runs over every query
    let is_plain =
        |plain: bool, &byte: &u8| plain & byte.is_ascii_graphic() & (byte != b'%') & (byte != b'+');
    if raw.iter().fold(true, is_plain) {
        out.clear();
        out.extend_from_slice(raw);
        out.make_ascii_lowercase();
        return;
    }
    let mut decoder = Decoder::new(out, |byte| matches!(byte, b'\t'..=b'\r').then_some(b' '));
    for &byte in raw {
        decoder.push(if byte == b'+' { b' ' } else { byte });
    }
    let mut after_blank = false;
    out.retain(|byte| {
        byte.make_ascii_lowercase();
        !(std::mem::replace(&mut after_blank, *byte == b' ') && *byte == b' ')
    });
}
