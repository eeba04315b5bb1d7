//! Code that is quoted: code spans and fences of Markdown, and imports of source code.

use std::ops::Range;

use memchr::memmem;

use super::script;

/// Returns the code span or fenced block of Markdown that holds `range`: from its first backtick to its last. A span
/// has blanks, brackets or the ends of the text around it, so that a substitution within a word is none.
pub(super) fn code_span(text: &[u8], range: &Range<usize>) -> Option<Range<usize>> {
    let mut at = 0;
    while let Some(start) = memchr::memchr(b'`', text.get(at..)?).map(|found| at + found) {
        // The first backtick may be the first byte of the match.
        if start > range.start {
            return None;
        }
        let fence = text.get(start..)?.iter().take_while(|byte| **byte == b'`').count();
        let content = start + fence;
        let end = content + memmem::find(text.get(content..)?, text.get(start..content)?)? + fence;
        if end >= range.end {
            let opens = start.checked_sub(1).and_then(|before| text.get(before));
            let closes = text.get(end);
            let is_span = opens.is_none_or(|byte| byte.is_ascii_whitespace() || b"(\"'*>:".contains(byte))
                && closes.is_none_or(|byte| byte.is_ascii_whitespace() || b".,:;!?)\"'*-".contains(byte));
            return is_span.then_some(content..end - fence);
        }
        at = end;
    }
    None
}

/// Reports whether a path that climbs is what source code imports, or what Markdown or a style sheet links to: what it
/// leads to is no file of the system.
pub(super) fn is_import(text: &[u8], range: &Range<usize>) -> bool {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"'\"`()<>".contains(byte);
    let before = text.get(..range.start).unwrap_or_default();
    let start = before.iter().rposition(ends).map_or(0, |at| at + 1);
    let behind = text.get(range.end..).unwrap_or_default();
    let end = range.end + behind.iter().position(ends).unwrap_or(behind.len());
    let path = text.get(start..end).unwrap_or_default();
    let begins_rightly =
        [&b"../"[..], b"./../", b"/../", b"webpack:///"].iter().any(|start| path.starts_with(start));
    if !begins_rightly || path.iter().any(|byte| b"%\\\0;&|$?".contains(byte)) || leads_to_system(path) {
        return false;
    }
    let before = before.get(..start).unwrap_or_default();
    let quote = before.last().copied();
    let lead = before.strip_suffix(quote.as_slice()).unwrap_or(before).trim_ascii_end();
    let is_closed =
        quote.is_some_and(|quote| text.get(end) == Some(&if quote == b'(' { b')' } else { quote }));
    match quote {
        Some(b'`') => {
            is_closed && (start == 1 || before.iter().rev().nth(1).is_some_and(u8::is_ascii_whitespace))
        }
        Some(b'\'' | b'"') => is_closed && IMPORTS.iter().any(|word| lead.ends_with(word)),
        Some(b'(') => is_closed && (lead.ends_with(b"]") || lead.ends_with(b"url") || lead.ends_with(b">")),
        Some(b' ') => {
            let line = lead.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
            line == b"cd" || line == b"source" || line == b"$ cd" || line == b"- cd"
        }
        None => path.starts_with(b"webpack:///"),
        _ => false,
    }
}

/// What stands before the quoted path of an import, in lower case.
const IMPORTS: [&[u8]; 19] = [
    b"from",
    b"import",
    b"import(",
    b"require(",
    b"#include",
    b"@import",
    b"@use",
    b"@forward",
    b"resolve",
    b"__dirname,",
    b"__dir__ .",
    b"src=",
    b"href=",
    b"extends\":",
    b"path\":",
    b"paths\":",
    b"module",
    b"[",
    b"/// <reference path=",
];

/// Directories in the root of a system.
const ROOTS: [&[u8]; 14] = [
    b"etc", b"proc", b"var", b"usr", b"opt", b"root", b"home", b"sys", b"windows", b"winnt", b"boot", b"tmp",
    b"dev", b"bin",
];

/// Reports whether a path leads into a directory of the system, or to a file that servers keep to themselves.
pub(super) fn leads_to_system(path: &[u8]) -> bool {
    let mut segments =
        path.split(|byte| *byte == b'/').filter(|segment| !segment.iter().all(|byte| *byte == b'.'));
    let first = segments.next().unwrap_or_default();
    ROOTS.contains(&first) && segments.next().is_some()
        || [&b"passwd"[..], b"shadow", b".env", b"id_rsa", b".ini", b"web-inf"]
            .iter()
            .any(|name| memmem::find(path, name).is_some())
}

/// Reports whether `before` ends as the argument of a call or of an option begins: `include('`, `f="`, `LOAD_FILE(`.
pub(super) fn is_in_call(before: &[u8]) -> bool {
    let before = before.strip_suffix(b"'").or_else(|| before.strip_suffix(b"\"")).unwrap_or(before);
    let before = before.trim_ascii_end();
    match before {
        [.., byte, b'('] => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$'),
        [.., b'=' | b'|' | b'&' | b';' | b'<' | b'>' | b'$' | b'{' | b'\\'] => true,
        _ => script::ends_with_reader(before) && before.len() < 16,
    }
}

/// Reports whether no script in `text` has content, comes from elsewhere or runs anything but a bare call by a person's
/// click.
pub(super) fn is_harmless_markup(text: &[u8]) -> bool {
    const RUNS: [&[u8]; 26] = [
        b"javascript:",
        b"data:",
        b"alert",
        b"confirm",
        b"prompt",
        b"eval",
        b"cookie",
        b"fetch",
        b"import(",
        b"//",
        b"\\",
        b"&#",
        b"<svg",
        b"<iframe",
        b"<object",
        b"<embed",
        b"<base",
        b"<meta",
        b"onerror",
        b"onload",
        b"onfocus",
        b"onmouse",
        b"onanimation",
        b"localstorage",
        b"document.",
        b"window",
    ];
    if RUNS.iter().any(|word| memmem::find(text, word).is_some())
        || text.iter().any(|byte| b"%\0".contains(byte))
    {
        return false;
    }
    let handlers = memmem::find_iter(text, b"on").all(|at| {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        before.is_some_and(u8::is_ascii_alphanumeric)
            || is_bare_handler(text.get(at + 2..).unwrap_or_default())
    });
    handlers
        && memmem::find_iter(text, b"<script").all(|at| is_empty_script(text.get(at..).unwrap_or_default()))
}

/// `click="save()"`, or what is no handler at all.
fn is_bare_handler(rest: &[u8]) -> bool {
    let name = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let Some([b'=', quote @ (b'"' | b'\''), call @ ..]) = rest.get(name..) else {
        return rest.get(name) != Some(&b'=');
    };
    let Some(end) = memchr::memchr(*quote, call) else { return false };
    let call = call.get(..end).unwrap_or_default();
    let call = call.strip_suffix(b";").unwrap_or(call);
    call.strip_suffix(b"()").is_some_and(|name| name.iter().all(u8::is_ascii_alphanumeric))
}

/// `<script src="app.js"></script>`, or a tag that nothing closes.
fn is_empty_script(tag: &[u8]) -> bool {
    let Some(end) = memchr::memchr(b'>', tag) else { return true };
    let content = tag.get(end + 1..).unwrap_or_default().trim_ascii_start();
    memmem::find(tag.get(..end).unwrap_or_default(), b"src=").is_some()
        && (content.is_empty() || content.starts_with(b"</script") || content.starts_with(b"`"))
}
