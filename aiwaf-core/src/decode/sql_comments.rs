//! Comments and white space in SQL.

use super::scratch::{Scratch, Writer};

/// Gives `value` with each comment, and each run of comments and white space, as one blank; `None` if it has nothing of
/// that.
///
/// - `/* */` is a blank; what MySQL executes (`/*!50000union*/`) stays, without its version.
/// - `--` and `#` are a comment up to the end of the line, but only if there is another line: what ends a statement for
///   good is itself a sign.
/// - A comment that has no end stays.
pub(super) fn fold<'b>(value: &[u8], out: &'b mut Scratch) -> Option<&'b [u8]> {
    let (before, mut rest) = value.split_at(first_change(value)?);
    let mut out = out.writer(value.len());
    out.extend(before);
    // How many `/*!` are open, whose `*/` means nothing.
    let mut executed = 0usize;
    // Looked for from the end once: asking at each `#` whether another line follows must not take quadratic time.
    let last_line = memchr::memrchr(b'\n', value).map_or(0, |newline| value.len() - newline);
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'/', [b'*', b'!', after @ ..]) => {
                executed += 1;
                push_blank(&mut out);
                let digits = after.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
                &after[digits..]
            }
            (b'*', [b'/', after @ ..]) if executed > 0 => {
                executed -= 1;
                push_blank(&mut out);
                after
            }
            (b'/', [b'*', text @ ..]) => {
                let Some(end) = memchr::memmem::find(text, b"*/") else {
                    // Nothing after this ends a comment either.
                    out.extend(rest);
                    break;
                };
                push_blank(&mut out);
                &text[end + 2..]
            }
            (b'-', [b'-', text @ ..]) | (b'#', text) if text.len() >= last_line && last_line > 0 => {
                push_blank(&mut out);
                let end = memchr::memchr(b'\n', text).map_or(text.len(), |newline| newline + 1);
                &text[end..]
            }
            (b'\t'..=b'\r' | b' ', _) => {
                push_blank(&mut out);
                after
            }
            _ => {
                let length = rest[1..]
                    .iter()
                    .position(|&byte| may_begin(byte))
                    .map_or(rest.len(), |length| length + 1);
                let (ordinary, after) = rest.split_at(length);
                out.extend(ordinary);
                after
            }
        };
    }
    Some(out.finish())
}

/// Where something stands that may become a blank, and is none.
fn first_change(value: &[u8]) -> Option<usize> {
    // Most texts have nothing of that kind. Asked without branches, this is a fraction of a step for each byte.
    let next = value.get(1..).unwrap_or_default();
    let pairs = value.iter().zip(next).fold(0, |any, (&byte, &next)| any | pair(byte, next));
    let singles = value.iter().fold(0, |any, &byte| any | single(byte));
    if pairs | singles == 0 {
        return None;
    }
    let pair_at = |at: usize| next.get(at).map_or(0, |&next| pair(value[at], next));
    (0..value.len()).find(|&at| single(value[at]) | pair_at(at) != 0)
}

/// Not 0 if two bytes begin a comment, or are two blanks.
fn pair(byte: u8, next: u8) -> u8 {
    let double = u8::from(byte == next) & (u8::from(byte == b' ') | u8::from(byte == b'-'));
    double | u8::from(byte == b'/') & u8::from(next == b'*')
}

/// Not 0 if a byte is `#`, or white space but no blank.
fn single(byte: u8) -> u8 {
    u8::from(byte == b'#') | u8::from(byte.wrapping_sub(b'\t') < 5)
}

/// Whether a comment or white space may begin, or a comment end, with this byte.
fn may_begin(byte: u8) -> bool {
    matches!(byte, b'/' | b'*' | b'-' | b'#' | b'\t'..=b'\r' | b' ')
}

fn push_blank(out: &mut Writer<'_>) {
    if out.text().last() != Some(&b' ') {
        out.push(b' ');
    }
}
