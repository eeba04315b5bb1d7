//! `multipart/form-data`: fields and files.

use memchr::{memchr, memchr2, memmem};

use super::fields::Fields;
use super::sniff::MAX_BOUNDARY;
use super::{BodyLimits, BodyMark};
use crate::decode::{Buffer, Part};

/// Visits names, file names, fields, and the beginning of files. Without a boundary from the content type, that of the
/// first line counts. What breaks the rules, stands before or after the parts, or comes after too many of them is given
/// as raw text.
pub(super) fn read(body: &[u8], boundary: Option<&[u8]>, limits: &BodyLimits, fields: &mut Fields<'_>) {
    let boundary = boundary.filter(|boundary| !boundary.is_empty() && boundary.len() <= 4 * MAX_BOUNDARY);
    let boundary = boundary.or_else(|| {
        fields.outcome.mark(BodyMark::Malformed);
        let line = &body[..memchr(b'\n', body)?];
        line.trim_ascii_end().strip_prefix(b"--").filter(|boundary| !boundary.is_empty())
    });
    let Some(boundary) = boundary else {
        return fields.give_rest(BodyMark::Malformed, body);
    };
    let mut delimiter = Buffer::from_slice(b"--");
    delimiter.extend_from_slice(boundary);
    let finder = memmem::Finder::new(&delimiter);
    let Some(first) = find(&finder, body, true) else {
        return fields.give_rest(BodyMark::Malformed, body);
    };
    fields.give(b"", body[..first.start].trim_ascii(), Part::Raw);
    let mut rest = &body[first.end..];
    let mut closed = first.is_last;
    while !closed {
        if !fields.take() {
            return fields.give_rest(BodyMark::TooManyFields, rest);
        }
        let next = find(&finder, rest, false);
        let part = next.as_ref().map_or(rest, |next| &rest[..next.start]);
        read_part(part, limits, fields);
        let Some(next) = next else {
            if !fields.may_go_on() {
                fields.outcome.mark(BodyMark::Malformed);
            }
            return;
        };
        rest = &rest[next.end..];
        closed = next.is_last;
    }
    let rest = rest.trim_ascii();
    if !rest.is_empty() {
        fields.give_rest(BodyMark::Malformed, rest);
    }
}

/// A part with more headers, or with more parameters in one, is raw text.
const MAX_HEADERS: usize = 16;

/// A line that separates parts, with the line break before it.
struct Delimiter {
    start: usize,
    end: usize,
    is_last: bool,
}

fn find(finder: &memmem::Finder<'_>, text: &[u8], at_start: bool) -> Option<Delimiter> {
    finder.find_iter(text).find_map(|at| {
        let before = &text[..at];
        let start = match before {
            [.., b'\r', b'\n'] => at - 2,
            [.., b'\n'] => at - 1,
            [] if at_start => 0,
            _ => return None,
        };
        let after = at + finder.needle().len();
        let line = &text[after..];
        let is_last = line.starts_with(b"--");
        let end = memchr(b'\n', line).map_or(line.len(), |end| end + 1);
        // Anything else than blanks there makes it another, longer boundary.
        let blank = line[if is_last { 2 } else { 0 }..end].iter().all(u8::is_ascii_whitespace);
        (is_last || blank).then_some(Delimiter { start, end: after + if is_last { 2 } else { end }, is_last })
    })
}

fn read_part(part: &[u8], limits: &BodyLimits, fields: &mut Fields<'_>) {
    let mut head = Head::default();
    let mut rest = part;
    for line_number in 0.. {
        let Some(end) = memchr(b'\n', rest).filter(|_| line_number < MAX_HEADERS) else {
            if fields.may_go_on() {
                return fields.give(b"", part, Part::Raw);
            }
            return fields.give_rest(BodyMark::Malformed, part);
        };
        let line = rest[..end].trim_ascii_end();
        rest = &rest[end + 1..];
        if line.is_empty() {
            break;
        }
        head.read_line(line, fields);
    }
    let name = head.name.unwrap_or_default();
    if head.name.is_none() || head.ambiguous {
        fields.outcome.mark(BodyMark::AmbiguousPart);
    }
    if !head.is_file || head.ambiguous {
        fields.give(name, rest, Part::Value);
    }
    if head.is_file {
        fields.give(name, rest.get(..limits.max_file_bytes).unwrap_or(rest), Part::FileContent);
    }
}

/// What the headers of a part say.
#[derive(Default)]
struct Head<'p> {
    name: Option<&'p [u8]>,
    is_file: bool,
    /// Whether some parsers would take it for a field and others for a file, or know it by another name.
    ambiguous: bool,
}

impl<'p> Head<'p> {
    fn read_line(&mut self, line: &'p [u8], fields: &mut Fields<'_>) {
        let colon = memchr(b':', line).unwrap_or(line.len());
        let (header, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default();
        if header.trim_ascii().eq_ignore_ascii_case(b"content-disposition") {
            self.read_disposition(value, fields);
        } else if !header.trim_ascii().eq_ignore_ascii_case(b"content-type") {
            // A header that nobody sends, or a folded line.
            fields.give(b"", line, Part::Raw);
        }
    }

    fn read_disposition(&mut self, value: &'p [u8], fields: &mut Fields<'_>) {
        let mut rest = value;
        for _ in 0..MAX_HEADERS {
            let Some(at) = memchr(b';', rest) else { return };
            rest = rest[at + 1..].trim_ascii_start();
            let Some(equals) = memchr2(b'=', b';', rest) else { return };
            let (key, after) = rest.split_at(equals);
            if after[0] == b';' {
                continue;
            }
            let (value, after) = parameter_value(&after[1..]);
            rest = after;
            let key = key.trim_ascii();
            if key.eq_ignore_ascii_case(b"name") {
                self.ambiguous |= self.name.is_some();
                self.name = Some(value);
                fields.give(value, value, Part::Name);
            } else if key.eq_ignore_ascii_case(b"filename") {
                self.ambiguous |= self.is_file;
                self.is_file = true;
                fields.give(self.name.unwrap_or_default(), value, Part::FileName);
            } else {
                // `filename*` and what only looks like a file's name: some parsers take it for one.
                self.ambiguous |= key.to_ascii_lowercase().starts_with(b"filename");
                fields.give(self.name.unwrap_or_default(), value, Part::FileName);
            }
        }
        fields.give_rest(BodyMark::Malformed, rest);
    }
}

/// The value of a parameter that begins here, without quotes, and what follows it.
fn parameter_value(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.trim_ascii_start();
    if let Some(quoted) = text.strip_prefix(b"\"") {
        // A quote after a backslash does not end it; browsers write `%22` instead.
        let mut escaped = false;
        let end = quoted.iter().position(|&byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let end = end.unwrap_or(quoted.len());
        return (&quoted[..end], quoted.get(end + 1..).unwrap_or_default());
    }
    let end = memchr(b';', text).unwrap_or(text.len());
    (text[..end].trim_ascii_end(), &text[end..])
}
