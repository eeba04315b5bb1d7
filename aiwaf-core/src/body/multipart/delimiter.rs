//! The lines that separate parts.

use memchr::memmem;

use super::super::BodyMark;
use super::super::sink::Sink;

/// A search for the next delimiter.
pub(super) struct Search<'f> {
    /// `--` and the boundary.
    pub(super) finder: &'f memmem::Finder<'static>,
    /// Whether the text begins a line.
    pub(super) is_line_start: bool,
    pub(super) is_form_data: bool,
    /// Whether the body ends behind the text.
    pub(super) last: bool,
}

/// The result of a search.
pub(super) struct Found {
    /// Where the delimiter begins with the line end before it, or how many bytes are before any.
    pub(super) start: usize,
    pub(super) delimiter: Option<Delimiter>,
}

/// A line that separates parts.
pub(super) struct Delimiter {
    /// Length with the line end before it, and the one behind it unless it is the last.
    pub(super) length: usize,
    pub(super) is_last: bool,
}

/// Maximum number of blanks behind a boundary.
const MAX_PADDING: usize = 256;

/// What follows a boundary.
enum Line {
    /// The line's end, with its length and whether it is a bare line feed.
    End(usize, bool),
    Final,
    /// Not known yet.
    More,
    /// Text that makes it another boundary.
    Other,
}

/// Finds the next delimiter in `text`, and marks what other parsers would take for one.
pub(super) fn find(search: &Search<'_>, text: &[u8], sink: &mut Sink<'_>) -> Found {
    let needle = search.finder.needle();
    for at in search.finder.find_iter(text) {
        let before = text.get(..at).unwrap_or_default();
        let (start, is_bare) = match before {
            [.., b'\r', b'\n'] => (at - 2, false),
            [.., b'\n'] => (at - 1, true),
            [] if search.is_line_start => (0, false),
            _ => {
                sink.mark(BodyMark::LooseDelimiter);
                continue;
            }
        };
        let line = text.get(at + needle.len()..).unwrap_or_default();
        let (length, is_last) = match after_boundary(line, search.last) {
            Line::End(length, is_bare) => {
                if is_bare {
                    sink.mark(BodyMark::BareLineFeed);
                }
                if length > 2 {
                    sink.mark(BodyMark::LooseDelimiter);
                }
                (length, false)
            }
            Line::Final => (2, true),
            Line::More => return Found { start, delimiter: None },
            Line::Other => {
                // A part that is multipart itself may have a longer boundary.
                if search.is_form_data {
                    sink.mark(BodyMark::LooseDelimiter);
                }
                continue;
            }
        };
        if is_bare {
            sink.mark(BodyMark::BareLineFeed);
        }
        let length = at + needle.len() + length - start;
        return Found { start, delimiter: Some(Delimiter { length, is_last }) };
    }
    // The last bytes may be the beginning of a delimiter, with the line end before it.
    let kept = if search.last { 0 } else { needle.len() + 1 };
    Found { start: text.len().saturating_sub(kept), delimiter: None }
}

fn after_boundary(line: &[u8], last: bool) -> Line {
    if line.starts_with(b"--") {
        return Line::Final;
    }
    let padding = line.iter().take(MAX_PADDING).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match line.get(padding..).unwrap_or_default() {
        [b'\r', b'\n', ..] => Line::End(padding + 2, false),
        [b'\n', ..] => Line::End(padding + 1, true),
        [] | [b'\r'] if last => Line::End(line.len(), false),
        [] | [b'\r'] => Line::More,
        [b'-'] if padding == 0 && !last => Line::More,
        _ => Line::Other,
    }
}
