//! Comments and white space in SQL.

use super::Buffer;

/// Writes `value` into `out` with each comment, and each run of comments and white space, as one blank; says whether that
/// changed anything. If not, nothing is written.
///
/// - `/* */` is a blank; what MySQL executes (`/*!50000union*/`) stays, without its version.
/// - `--` and `#` are a comment up to the end of the line, but only if there is another line: what ends a statement for
///   good is itself a sign.
/// - A comment that has no end stays.
pub(super) fn fold(value: &[u8], out: &mut Buffer) -> bool {
    let Some(first) = first_change(value) else { return false };
    out.clear();
    let (before, mut rest) = value.split_at(first);
    out.extend_from_slice(before);
    // How many `/*!` are open, whose `*/` means nothing.
    let mut executed = 0usize;
    // Looked for from the end once: asking at each `#` whether another line follows must not take quadratic time.
    let last_line = memchr::memrchr(b'\n', value).map_or(0, |newline| value.len() - newline);
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'/', [b'*', b'!', after @ ..]) => {
                executed += 1;
                push_blank(out);
                let digits = after.iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
                &after[digits..]
            }
            (b'*', [b'/', after @ ..]) if executed > 0 => {
                executed -= 1;
                push_blank(out);
                after
            }
            (b'/', [b'*', text @ ..]) => {
                let Some(end) = memchr::memmem::find(text, b"*/") else {
                    // Nothing after this ends a comment either.
                    out.extend_from_slice(rest);
                    break;
                };
                push_blank(out);
                &text[end + 2..]
            }
            (b'-', [b'-', text @ ..]) | (b'#', text) if text.len() >= last_line && last_line > 0 => {
                push_blank(out);
                let end = memchr::memchr(b'\n', text).map_or(text.len(), |newline| newline + 1);
                &text[end..]
            }
            (b'\t'..=b'\r' | b' ', _) => {
                push_blank(out);
                after
            }
            _ => {
                let length = rest[1..].iter().position(may_begin).map_or(rest.len(), |length| length + 1);
                let (ordinary, after) = rest.split_at(length);
                out.extend_from_slice(ordinary);
                after
            }
        };
    }
    true
}

/// Where something stands that may become a blank, and is none.
fn first_change(value: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += value.get(at..)?.iter().position(may_begin)?;
        match value[at..] {
            [b'/', b'*', ..] | [b'-', b'-', ..] | [b'#' | b'\t'..=b'\r', ..] | [b' ', b' ', ..] => {
                return Some(at);
            }
            _ => at += 1,
        }
    }
}

/// Whether a comment or white space may begin, or a comment end, with this byte.
fn may_begin(byte: &u8) -> bool {
    matches!(byte, b'/' | b'*' | b'-' | b'#' | b'\t'..=b'\r' | b' ')
}

fn push_blank(out: &mut Buffer) {
    if out.last() != Some(&b' ') {
        out.push(b' ');
    }
}
