//! `multipart/form-data` and its kin: fields and files.

mod content;
mod delimiter;
mod part_head;
mod transfer;

use memchr::{memchr, memmem};

use self::content::Content;
use self::delimiter::{Search, find};
use self::part_head::PartHead;
use super::head::{BodyHead, MAX_USED_BOUNDARY};
use super::sink::{Budget, Sink};
use super::window::Window;
use super::{BodyLimits, BodyMark};
use crate::decode::Part;

/// Reads names, file names, fields and files. Without a boundary from the content type, that of the first line counts. What
/// violates the format, surrounds the parts, or follows too many of them is passed on as raw text.
pub(super) struct Multipart {
    state: State,
    /// `--` and the boundary.
    finder: Option<memmem::Finder<'static>>,
    is_form_data: bool,
    head: PartHead,
    content: Content,
    raw: Window,
    max_file_bytes: usize,
    budget: Budget,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Before the first line, which has to show the boundary.
    NoBoundary,
    /// Before the first delimiter.
    Preamble,
    Head,
    Content,
    /// Behind the last delimiter, or behind too many parts.
    Rest,
}

/// Maximum bytes of a line of a part's head.
const MAX_LINE: usize = 8 * 1024;

/// Maximum number of lines of a part's head.
const MAX_LINES: usize = 16;

impl Multipart {
    pub(super) fn new(head: &BodyHead, limits: &BodyLimits) -> Self {
        let mut multipart = Self {
            state: State::NoBoundary,
            finder: None,
            is_form_data: head.is_form_data,
            head: PartHead::default(),
            content: Content::default(),
            raw: Window::default(),
            max_file_bytes: limits.max_file_bytes,
            budget: Budget::new(limits.max_fields),
        };
        if let Some(boundary) = &head.boundary {
            multipart.set_boundary(boundary);
        }
        multipart
    }

    fn set_boundary(&mut self, boundary: &[u8]) {
        let delimiter = [&b"--"[..], boundary].concat();
        self.finder = Some(memmem::Finder::new(&delimiter).into_owned());
        self.state = State::Preamble;
    }

    pub(super) fn step(&mut self, data: &[u8], last: bool, sink: &mut Sink<'_>) -> usize {
        let mut rest = data;
        loop {
            let before = (rest.len(), self.state);
            rest = match self.state {
                State::NoBoundary => self.first_line(rest, last, sink),
                State::Preamble | State::Content => self.up_to_delimiter(rest, last, sink),
                State::Head => self.head_line(rest, last, sink),
                State::Rest => {
                    sink.push_raw(&mut self.raw, rest);
                    b""
                }
            };
            if before == (rest.len(), self.state) || rest.is_empty() && self.state != State::Content {
                break;
            }
        }
        if last {
            self.end(rest, sink);
            return data.len();
        }
        data.len() - rest.len()
    }

    /// Takes the boundary from the first line.
    fn first_line<'r>(&mut self, rest: &'r [u8], last: bool, sink: &mut Sink<'_>) -> &'r [u8] {
        let max = MAX_USED_BOUNDARY + 4;
        let line = rest.get(..max).unwrap_or(rest);
        let end = memchr(b'\n', line);
        if end.is_none() && line.len() < max && !last {
            return rest;
        }
        let line = end.and_then(|end| line.get(..end)).unwrap_or_default().trim_ascii_end();
        if let Some(boundary) = line.strip_prefix(b"--").filter(|boundary| !boundary.is_empty()) {
            // Some parsers find the boundary as well, others refuse.
            if self.is_form_data {
                sink.mark(BodyMark::MissingBoundary);
            }
            self.set_boundary(boundary);
        } else {
            sink.mark(BodyMark::Malformed);
            self.state = State::Rest;
        }
        rest
    }

    /// Reads text or content up to the next delimiter, and the delimiter.
    fn up_to_delimiter<'r>(&mut self, rest: &'r [u8], last: bool, sink: &mut Sink<'_>) -> &'r [u8] {
        let Some(finder) = &self.finder else { return rest };
        let is_line_start = match self.state {
            State::Preamble => !self.head.has_preamble,
            _ => self.content.is_empty,
        };
        let search = Search { finder, is_line_start, is_form_data: self.is_form_data, last };
        let found = find(&search, rest, sink);
        let (now, after) = rest.split_at(found.start);
        if self.state == State::Content {
            self.content.push(now, found.delimiter.is_some(), &self.head, sink);
        } else {
            self.head.has_preamble |= !now.is_empty();
            sink.push_raw(&mut self.raw, now);
        }
        let Some(delimiter) = found.delimiter else { return after };
        if self.state == State::Content {
            self.content.end(&self.head, self.is_form_data, sink);
        } else {
            sink.end_raw(&mut self.raw);
        }
        self.begin_part(delimiter.is_last, sink);
        after.get(delimiter.length..).unwrap_or_default()
    }

    /// Begins what follows a delimiter.
    fn begin_part(&mut self, is_last: bool, sink: &mut Sink<'_>) {
        self.head = PartHead::default();
        self.state = if is_last {
            State::Rest
        } else if self.budget.take() {
            State::Head
        } else {
            sink.mark(BodyMark::TooManyFields);
            State::Rest
        };
        self.head.is_epilogue = is_last;
    }

    /// Reads a line of a part's head.
    fn head_line<'r>(&mut self, rest: &'r [u8], last: bool, sink: &mut Sink<'_>) -> &'r [u8] {
        let line = rest.get(..MAX_LINE).unwrap_or(rest);
        let end = memchr(b'\n', line);
        if rest.is_empty() || end.is_none() && line.len() < MAX_LINE && !last {
            return rest;
        }
        let is_delimiter = self.finder.as_ref().is_some_and(|finder| line.starts_with(finder.needle()));
        let Some(end) = end.filter(|_| self.head.lines < MAX_LINES && !is_delimiter) else {
            // A head that does not end.
            sink.mark(BodyMark::Malformed);
            sink.mark(BodyMark::BadPartHeader);
            self.head.is_broken = true;
            self.begin_content();
            return rest;
        };
        self.head.lines += 1;
        let line = line.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or_else(|| {
            sink.mark(BodyMark::BareLineFeed);
            line
        });
        if line.is_empty() {
            self.head.finish(self.is_form_data, sink);
            self.begin_content();
        } else {
            self.head.read_line(line, self.is_form_data, sink);
        }
        rest.get(end + 1..).unwrap_or_default()
    }

    fn begin_content(&mut self) {
        self.content.begin(&self.head, self.max_file_bytes);
        self.state = State::Content;
    }

    /// Handles the end of the body, with what was not read.
    fn end(&mut self, rest: &[u8], sink: &mut Sink<'_>) {
        match self.state {
            State::NoBoundary | State::Preamble => {
                sink.mark(BodyMark::Malformed);
                sink.push_raw(&mut self.raw, rest);
            }
            State::Head | State::Content => {
                sink.mark(BodyMark::UnclosedMultipart);
                sink.mark(BodyMark::Malformed);
                self.content.push(rest, true, &self.head, sink);
                self.content.end(&self.head, self.is_form_data, sink);
            }
            State::Rest => {}
        }
        let has_epilogue =
            self.head.is_epilogue && self.raw.unshown().is_none_or(|text| !text.trim_ascii().is_empty());
        if has_epilogue {
            sink.mark(BodyMark::Malformed);
        }
        sink.end_raw(&mut self.raw);
    }
}

/// Passes on raw text at once.
fn give_raw(text: &[u8], sink: &mut Sink<'_>) {
    sink.give(b"", text.trim_ascii(), Part::Raw);
}
