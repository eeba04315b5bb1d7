//! Cross-site scripting, judged by tags: what a browser would run if a value stood in a page.
//!
//! Plain formatting is fine, as rich text editors send it: paragraphs, links, images, tables, styles. What runs code is
//! not: scripts, event handlers, URLs with code in them, plug-ins, and what changes where a page gets its parts from.

mod attribute;
mod tag;

use std::ops::Range;

use self::attribute::is_active;
use self::tag::{Attributes, Tag, next_tag};

/// The first tag of `text` that would run code; `None` if there is none. Takes linear time.
pub(super) fn active_content(text: &[u8]) -> Option<Range<usize>> {
    let mut at = 0;
    let mut left = text.len() * MAX_READ;
    while let Some(tag) = next_tag(text, at) {
        let mut attributes = tag.attributes();
        if is_active_tag(&tag, &mut attributes) {
            return Some(tag.start..attributes.end(text));
        }
        // Tags that begin within this one count as well, for a page may have closed a quote before; but not for ever.
        let end = attributes.end(text).max(tag.name_end);
        left = left.saturating_sub(end - tag.start);
        at = if left > 0 { tag.name_end } else { end };
    }
    None
}

/// How often a text is read for tags within tags.
const MAX_READ: usize = 4;

fn is_active_tag(tag: &Tag<'_>, attributes: &mut Attributes<'_>) -> bool {
    let name = tag.local_name();
    if RUNS_CODE.contains(&name) {
        // Cut off behind its name it is what somebody has typed so far into a search box.
        return tag.name_end < tag.text_length() && !tag.is_mentioned();
    }
    if tag.closing {
        return false;
    }
    let needs = NEEDS.iter().find(|(tag, _)| *tag == name).map(|(_, attribute)| *attribute);
    let mut has_needed = needs.is_some_and(<[&[u8]]>::is_empty);
    let mut relation = &b""[..];
    let mut other_charset = false;
    for attribute in attributes.by_ref() {
        if is_active(attribute.name, attribute.value) {
            return true;
        }
        // Whoever copies a video's code into an editor gets its address in quotes.
        let is_odd_frame = name == b"iframe" && attribute.name == b"src" && !attribute.quoted;
        if is_odd_frame && !attribute.value.is_empty() {
            return true;
        }
        if needs.is_some_and(|needed| needed.contains(&attribute.name)) {
            has_needed = true;
        }
        other_charset |= contains(attribute.value, b"utf-7");
        if matches!(attribute.name, b"rel" | b"http-equiv") {
            relation = attribute.value;
        }
    }
    let related = match name {
        b"link" => [&b"stylesheet"[..], b"import", b"manifest", b"prefetch", b"preload"]
            .iter()
            .any(|kind| contains(relation, kind)),
        b"meta" => [&b"refresh"[..], b"set-cookie", b"content-security-policy", b"link"]
            .iter()
            .any(|kind| contains(relation, kind)),
        _ => true,
    };
    // A page in UTF-7 reads tags where others read text.
    let related = related || name == b"meta" && other_charset;
    has_needed && related
}

/// Tags that run code, or end the element that keeps code from being run.
const RUNS_CODE: &[&[u8]] = &[b"script", b"vmlframe"];

/// Tags that do harm with one of these attributes.
const NEEDS: &[(&[u8], &[&[u8]])] = &[
    (b"object", &[b"data", b"code", b"codebase", b"type", b"classid"]),
    (b"embed", &[b"src", b"code", b"allowscriptaccess"]),
    (b"applet", &[b"code", b"codebase", b"archive"]),
    (b"base", &[b"href"]),
    (b"link", &[b"href"]),
    (b"meta", &[b"http-equiv"]),
    (b"frame", &[b"src"]),
    (b"portal", &[b"src"]),
    (b"layer", &[b"src"]),
    (b"ilayer", &[b"src"]),
    (b"bgsound", &[b"src"]),
    (b"xml", &[b"src"]),
    (b"include", &[b"href"]),
    (b"iframe", &[b"srcdoc"]),
];

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}
