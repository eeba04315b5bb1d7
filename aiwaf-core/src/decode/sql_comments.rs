//! Comments and white space in SQL.

use super::Buffer;

/// Writes `value` into `out` with each comment, and each run of comments and white space, as one blank.
///
/// - `/* */` is a blank; what MySQL executes (`/*!50000 union*/`) stays, without its version.
/// - `--` and `#` are a comment up to the end of the line, but only if there is another line: what ends a statement for
///   good is itself a sign.
/// - A comment that has no end stays.
pub(super) fn fold(value: &[u8], out: &mut Buffer) {
    out.clear();
    // How many `/*!` are open, whose `*/` means nothing.
    let mut executed = 0usize;
    // Looked for from the end once: asking at each `#` whether another line follows must not take quadratic time.
    let last_line = memchr::memrchr(b'\n', value).map_or(0, |newline| value.len() - newline);
    let mut rest = value;
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
            (b'/', [b'*', text @ ..]) => match memchr::memmem::find(text, b"*/") {
                Some(end) => {
                    push_blank(out);
                    &text[end + 2..]
                }
                // Nothing after this ends a comment either.
                None => {
                    out.extend_from_slice(rest);
                    return;
                }
            },
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
                out.push(*first);
                after
            }
        };
    }
}

fn push_blank(out: &mut Buffer) {
    if out.last() != Some(&b' ') {
        out.push(b' ');
    }
}
