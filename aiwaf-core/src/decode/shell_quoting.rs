//! What shells take away from a word: quotes, backslashes, empty variables, carets.

use super::Buffer;

/// Writes `value` into `out` as a shell reads its words: without quotes inside of words (`c''at`, `c'a't`), backslashes
/// and carets before letters, and variables that are empty (`$@`, `$1`); `$IFS` and `${IFS}` are a blank.
pub(super) fn unquote(value: &[u8], out: &mut Buffer) {
    out.clear();
    let mut rest = value;
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'$' => {
                let (text, length) = variable(after);
                match text {
                    Some(text) => out.extend_from_slice(text),
                    None => out.push(b'$'),
                }
                rest = &after[length..];
            }
            b'\\' | b'^' if after.first().is_some_and(|byte| is_word(*byte)) => {}
            b'\\' if after.first() == Some(&b'\n') => rest = &after[1..],
            b'\'' | b'"' => {
                // A quoted part of a word, or an empty one; anything else is text between quotes.
                let length = after.iter().take(MAX_PART).take_while(|byte| is_word(**byte)).count();
                let closed = after.get(length) == Some(first);
                let before = out.last().is_some_and(|byte| is_word(*byte));
                let behind = after.get(length + 1).is_some_and(|byte| is_word(*byte) || is_quote(*byte));
                if closed && (before || behind) {
                    out.extend_from_slice(&after[..length]);
                    rest = &after[length + 1..];
                } else {
                    out.push(*first);
                }
            }
            _ => out.push(*first),
        }
    }
}

/// The longest quoted part of a word that is looked for.
const MAX_PART: usize = 32;

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-')
}

fn is_quote(byte: u8) -> bool {
    matches!(byte, b'\'' | b'"')
}

/// What the variable stands for whose name begins here, and how long that name is.
fn variable(text: &[u8]) -> (Option<&'static [u8]>, usize) {
    let starts =
        |prefix: &[u8]| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    if starts(b"{ifs") {
        let end = text.iter().take(MAX_PART).position(|&byte| byte == b'}');
        return end.map_or((None, 0), |end| (Some(b" "), end + 1));
    }
    if starts(b"ifs$9") {
        return (Some(b" "), 5);
    }
    if starts(b"ifs") {
        return (Some(b" "), 3);
    }
    match text {
        [b'@' | b'*' | b'!' | b'1'..=b'9', next, ..] if is_word(*next) => (Some(b""), 1),
        [b'{', b'@' | b'*' | b'1'..=b'9', b'}', ..] => (Some(b""), 3),
        // `$'..'` and `$".."` are quotes.
        [b'\'' | b'"', ..] => (Some(b""), 0),
        _ => (None, 0),
    }
}
