//! The normal form of a path.

use super::Buffer;
use super::percent::Decoder;
use super::scratch::{Scratch, Writer};

/// Writes the normal form of `raw` into `out`: escapes decoded to the last, `\` as `/`, no control characters, no
/// `;parameters`, no empty, `.` or `..` segments, ASCII letters in lower case.
///
/// Says whether the path had to be *repaired*: whether it was spelled in a way that means another path than it
/// seems to. Such a path is judged like any other, but gets no exemption.
pub(crate) fn normalize_path(raw: &[u8], out: &mut Buffer) -> bool {
    if is_plain(raw) {
        out.clear();
        out.extend_from_slice(raw);
        out.make_ascii_lowercase();
        return false;
    }
    let mut repaired = Decoder::rewrite(raw, out, |_| None, |byte| byte);
    let decoded_separators = separators(out) != separators(raw);
    repaired |= decoded_separators;
    repaired |= clean_characters(out);
    if out.first() == Some(&b'/') {
        repaired |= resolve_segments(out);
    }
    repaired
}

/// Whether the normal form is the path itself but for its case, as with most requests: only characters that stand for
/// themselves, and no segment that is empty or begins with a dot.
fn is_plain(raw: &[u8]) -> bool {
    // Without branches: this runs over every path.
    let mut tricks = 0;
    let mut after_slash = 0;
    for &byte in raw {
        let class = CLASSES[usize::from(byte)];
        tricks |= class & (TRICK | after_slash);
        after_slash = if byte == b'/' { SLASH_OR_DOT } else { 0 };
    }
    tricks == 0
}

const TRICK: u8 = 1;
const SLASH_OR_DOT: u8 = 2;

/// What a byte may mean in a path.
const CLASSES: [u8; 256] = {
    let mut classes = [TRICK; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        classes[byte as usize] = match byte {
            b'%' | b'\\' | b';' => TRICK,
            b'/' | b'.' => SLASH_OR_DOT,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// How many bytes give a path its structure: what is more after decoding had been hidden.
fn separators(path: &[u8]) -> usize {
    path.iter().filter(|byte| matches!(byte, b'/' | b'\\' | b';' | b'.')).count()
}

/// Lower case, and slashes the right way round. Says whether it was more than letters.
fn clean_characters(path: &mut [u8]) -> bool {
    let mut repaired = false;
    for byte in path {
        if *byte == b'\\' {
            *byte = b'/';
            repaired = true;
        }
        byte.make_ascii_lowercase();
    }
    repaired
}

/// Removes `;parameters`, empty, `.` and `..` segments, in place. Says whether there were any.
fn resolve_segments(path: &mut Buffer) -> bool {
    let length = path.len();
    let mut repaired = false;
    // What is kept stands in path[..written]; written never passes read. It always ends with a slash here.
    let mut written = 1;
    let mut read = 1;
    while read < length {
        let segment_length = path[read..].iter().position(|&byte| byte == b'/').unwrap_or(length - read);
        let end = read + segment_length;
        let last = end == length;
        let segment = &path[read..end];
        let name_length = segment.iter().position(|&byte| byte == b';').unwrap_or(segment_length);
        repaired |= name_length != segment_length;
        match &segment[..name_length] {
            // `//`, `/./` and `/;x/` mean nothing; at the end they leave the slash that is there already.
            b"" | b"." => repaired = true,
            b".." => {
                repaired = true;
                let parent = &path[..written - 1];
                written = parent.iter().rposition(|&byte| byte == b'/').map_or(1, |slash| slash + 1);
            }
            _ => {
                path.copy_within(read..read + name_length, written);
                written += name_length;
                if !last {
                    path[written] = b'/';
                    written += 1;
                }
            }
        }
        read = end + 1;
    }
    path.truncate(written);
    repaired
}

/// Gives a value that may hold paths: `\` as `/`, without empty and `.` segments, and without segments that
/// the `..` after them takes back; a `..` that leads out stays, and so does `://`. `None` if nothing of that is there.
pub(super) fn normalize_value<'b>(value: &[u8], out: &'b mut Scratch) -> Option<&'b [u8]> {
    if !has_odd_segments(value) {
        return None;
    }
    let mut out = out.writer(value.len());
    let mut rest = value;
    loop {
        let end = memchr::memchr2(b'/', b'\\', rest);
        let (segment, after) = rest.split_at(end.unwrap_or(rest.len()));
        let last = end.is_none();
        let after_slash = out.text().last() == Some(&b'/');
        match segment {
            b"" if after_slash && !out.text().ends_with(b":/") => {}
            b"." if !last && (after_slash || out.text().is_empty()) => {}
            b".." if takes_back(&mut out) => {}
            _ => {
                out.extend(segment);
                if !last {
                    out.push(b'/');
                }
            }
        }
        if last {
            return Some(out.finish());
        }
        rest = &after[1..];
    }
}

/// Whether there is a backslash, or a slash with an empty or a dotted segment after it.
fn has_odd_segments(value: &[u8]) -> bool {
    memchr::memchr2_iter(b'/', b'\\', value).any(|at| {
        value[at] == b'\\'
            || match value[at + 1..] {
                [b'/', ..] => at == 0 || value[at - 1] != b':',
                [b'.', b'/' | b'\\' | b'.', ..] => true,
                _ => value[..at].ends_with(b".") && matches!(value[..at], [b'.'] | [.., b'/' | b'\\', b'.']),
            }
    })
}

/// Takes the last segment back, if it is one that a `..` can take back.
fn takes_back(out: &mut Writer<'_>) -> bool {
    let Some((b'/', before)) = out.text().split_last() else { return false };
    let start = before.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    let can = start < before.len() && &before[start..] != b".." && !before[start..].ends_with(b":");
    if can {
        out.truncate(start);
    }
    can
}
