//! What shells take away from a word: quotes, backslashes, empty variables, carets.

use super::scan::run_without;
use super::scratch::Scratch;

/// Gives `value` as a shell reads its words: without quotes inside of words (`c''at`, `c'a't`), backslashes
/// and carets before letters, variables that are empty (`$@`, `$1`) and substitutions of nothing (`$()`); `$IFS` and
/// `${IFS}` are a blank. `None` if it has nothing of that.
pub(super) fn unquote<'b>(value: &[u8], out: &'b mut Scratch) -> Option<&'b [u8]> {
    let mut out = out.writer(value.len());
    let mut changed = false;
    let mut rest = value;
    while let Some(at) = run_without(rest, is_quoting) {
        let (before, quoting) = rest.split_at(at);
        out.extend(before);
        let before = out.text().last().is_some_and(|byte| is_word(*byte));
        let after = &quoting[1..];
        let Some((text, length)) = taken_away(quoting[0], after, before) else {
            out.push(quoting[0]);
            rest = after;
            continue;
        };
        changed = true;
        out.extend(text);
        rest = &after[length..];
    }
    out.extend(rest);
    changed.then(|| &*out.finish())
}

/// Whether [`unquote`] gives anything.
pub(super) fn changes(value: &[u8]) -> bool {
    let mut from = 0;
    while let Some(run) = value.get(from..).and_then(|rest| run_without(rest, is_quoting)) {
        let (before, quoting) = value.split_at(from + run);
        let after_word = before.last().is_some_and(|byte| is_word(*byte));
        if taken_away(quoting[0], &quoting[1..], after_word).is_some() {
            return true;
        }
        from += run + 1;
    }
    false
}

/// What stays of `first` and what follows, and how long that is which follows; `None` if all stays.
fn taken_away(first: u8, after: &[u8], after_word: bool) -> Option<(&[u8], usize)> {
    match first {
        b'$' => variable(after),
        // A substitution of nothing.
        b'`' => (after_word && matches!(after, [b'`', next, ..] if is_word(*next))).then_some((b"", 1)),
        b'\\' if after.first() == Some(&b'\n') => Some((b"", 1)),
        b'\\' | b'^' => after.first().is_some_and(|byte| is_word(*byte)).then_some((b"", 0)),
        _ => {
            // A quoted part of a word, or an empty one; anything else is text between quotes.
            let length = after.iter().take(MAX_PART).take_while(|byte| is_word(**byte)).count();
            let closed = after.get(length) == Some(&first);
            let before_word =
                after.get(length + 1).is_some_and(|byte| is_word(*byte) || matches!(byte, b'\'' | b'"'));
            (closed && (after_word || before_word)).then(|| (&after[..length], length + 1))
        }
    }
}

fn is_quoting(byte: u8) -> bool {
    // No branches, so that many bytes are looked at in one step.
    [b'\'', b'"', b'\\', b'^', b'$', b'`'].iter().fold(0, |any, &quoting| any | u8::from(byte == quoting))
        != 0
}

/// The longest quoted part of a word that is looked for.
const MAX_PART: usize = 32;

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-')
}

/// What the variable stands for whose name begins here, and how long that name is.
fn variable(text: &[u8]) -> Option<(&'static [u8], usize)> {
    let starts =
        |prefix: &[u8]| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    if starts(b"{ifs") {
        let end = text.iter().take(MAX_PART).position(|&byte| byte == b'}')?;
        return Some((b" ", end + 1));
    }
    if starts(b"ifs$9") {
        return Some((b" ", 5));
    }
    if starts(b"ifs") {
        return Some((b" ", 3));
    }
    match text {
        [b'@' | b'*' | b'!' | b'1'..=b'9', next, ..] if is_word(*next) => Some((b"", 1)),
        [b'{', b'@' | b'*' | b'1'..=b'9', b'}', ..] => Some((b"", 3)),
        [b'(', b')', next, ..] if is_word(*next) => Some((b"", 2)),
        // `$'..'` and `$".."` are quotes.
        [b'\'' | b'"', ..] => Some((b"", 0)),
        _ => None,
    }
}
