//! XML, read token by token: nothing is expanded, nothing is fetched.

mod document_type;
mod open_elements;

use memchr::{memchr, memmem};
use smallvec::SmallVec;

use self::document_type::DocumentType;
use self::open_elements::OpenElements;
use super::charset;
use super::sink::{Budget, Sink};
use super::window::{Window, pieces};
use super::{BodyLimits, BodyMark};
use crate::decode::{Buffer, Parameter, Part, decode_references};

/// Reads texts (with CDATA, up to the next tag), values of attributes, comments, processing instructions, and those names of
/// elements and attributes that could hide something. A document type is marked, and passed on as raw text, like what
/// violates the format, is nested too deeply or follows too many fields.
pub(super) struct Xml {
    state: State,
    /// Text since the last tag.
    text: Window,
    /// A comment, instruction, attribute value or raw text that is incomplete.
    other: Window,
    decoded: Buffer,
    /// The name of the attribute, as `element@attribute`.
    name: Buffer,
    open: OpenElements,
    /// The beginning of the tag that is open, as far as it came in earlier chunks.
    tag: SmallVec<[u8; 64]>,
    /// Bytes at hand from where the tag begins, or all of them if it began earlier.
    tag_left: usize,
    document_type: DocumentType,
    /// Whether there was an element.
    any: bool,
    max_depth: usize,
    budget: Budget,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Between tags.
    Content,
    Comment,
    CharacterData,
    Instruction,
    DocumentType,
    /// Within a start tag.
    Tag,
    /// Within an attribute's value that ends with this quote.
    Attribute(u8),
    /// Behind what can't be read.
    Rest,
}

/// The reason to stop reading the bytes at hand.
enum Stop {
    /// A token is incomplete.
    More,
    /// What follows can't be read.
    Broken(BodyMark),
}

const MALFORMED: Stop = Stop::Broken(BodyMark::Malformed);

/// Maximum bytes of a tag's name, and of an attribute up to its value.
const MAX_NAME: usize = 256;

/// Maximum bytes of a tag that are passed on as raw text when the rest of it can't be read.
const MAX_TAG: usize = 4096;

impl Xml {
    pub(super) fn new(limits: &BodyLimits) -> Self {
        Self {
            state: State::Content,
            text: Window::default(),
            other: Window::default(),
            decoded: Buffer::new(),
            name: Buffer::new(),
            open: OpenElements::default(),
            tag: SmallVec::new(),
            tag_left: 0,
            document_type: DocumentType::default(),
            any: false,
            max_depth: limits.max_depth,
            budget: Budget::new(limits.max_fields),
        }
    }

    pub(super) fn step(&mut self, data: &[u8], last: bool, sink: &mut Sink<'_>) -> usize {
        let mut rest = data;
        self.tag_left = data.len();
        while self.state != State::Rest {
            match self.token(rest, last, sink) {
                Ok(after) => rest = after,
                Err((Stop::More, after)) if !last => {
                    self.keep_tag(data, after.len());
                    return data.len() - after.len();
                }
                Err((stop, after)) => {
                    rest = after;
                    self.keep_tag(data, after.len());
                    self.end_text(sink);
                    let is_complete = self.any && self.open.is_empty() && self.state == State::Content;
                    match stop {
                        Stop::More if is_complete && rest.is_empty() => {}
                        Stop::More => sink.mark(BodyMark::Malformed),
                        Stop::Broken(mark) => sink.mark(mark),
                    }
                    self.end_other(sink);
                    if self.is_in_tag() {
                        // Lenient parsers take all of it for a tag.
                        sink.push_raw(&mut self.other, &self.tag);
                    }
                    self.state = State::Rest;
                }
            }
        }
        sink.push_raw(&mut self.other, rest);
        if last {
            sink.end_raw(&mut self.other);
        }
        data.len()
    }

    fn is_in_tag(&self) -> bool {
        matches!(self.state, State::Tag | State::Attribute(_))
    }

    /// Keeps the beginning of the tag that is open, of which `left` bytes of the data are not yet read.
    fn keep_tag(&mut self, data: &[u8], left: usize) {
        if self.is_in_tag() {
            let read = data.get(data.len() - self.tag_left..data.len() - left).unwrap_or_default();
            let room = MAX_TAG.saturating_sub(self.tag.len());
            self.tag.extend_from_slice(read.get(..room).unwrap_or(read));
        }
    }

    /// Reads a token, and returns what follows it.
    #[inline]
    fn token<'r>(
        &mut self,
        rest: &'r [u8],
        last: bool,
        sink: &mut Sink<'_>,
    ) -> Result<&'r [u8], (Stop, &'r [u8])> {
        match self.state {
            State::Content => self.content(rest, last, sink),
            State::Comment => self.up_to(rest, b"-->", last, sink),
            State::CharacterData => self.up_to(rest, b"]]>", last, sink),
            State::Instruction => self.up_to(rest, b"?>", last, sink),
            State::DocumentType => {
                let (length, is_complete) = self.document_type.read(rest, sink);
                let (now, after) = rest.split_at(length);
                sink.push(&mut self.other, b"", now, Part::Raw);
                if !is_complete {
                    return Err((Stop::More, after));
                }
                sink.end_raw(&mut self.other);
                self.state = State::Content;
                Ok(after)
            }
            State::Tag => self.tag(rest, last, sink).map_err(|stop| (stop, rest)),
            State::Attribute(quote) => {
                let end = memchr(quote, rest);
                let (now, after) = rest.split_at(end.unwrap_or(rest.len()));
                if end.is_some() && self.other.is_empty() {
                    give_decoded(&mut self.decoded, &self.name, now, sink);
                } else {
                    push_decoded(&mut self.other, &mut self.decoded, &self.name, now, sink);
                }
                let Some((_, after)) = after.split_first() else { return Err((Stop::More, after)) };
                end_decoded(&mut self.other, &mut self.decoded, &self.name, sink);
                self.state = State::Tag;
                Ok(after)
            }
            State::Rest => Ok(rest),
        }
    }

    /// Reads text and what follows it, up to where it is clear what that is.
    fn content<'r>(
        &mut self,
        rest: &'r [u8],
        last: bool,
        sink: &mut Sink<'_>,
    ) -> Result<&'r [u8], (Stop, &'r [u8])> {
        let Some(at) = memchr(b'<', rest) else {
            self.push_text(rest, sink);
            return Err((Stop::More, b""));
        };
        let (text, markup) = rest.split_at(at);
        match markup {
            [_, b'!', b'-', b'-', ..] => {
                self.push_text(text, sink);
                self.state = State::Comment;
                Ok(markup.get(4..).unwrap_or_default())
            }
            [_, b'!', b'[', b'C', b'D', b'A', b'T', b'A', b'[', ..] => {
                self.push_text(text, sink);
                self.state = State::CharacterData;
                Ok(markup.get(9..).unwrap_or_default())
            }
            [_, b'!', ..] => {
                self.push_text(text, sink);
                let start = markup.get(..9).unwrap_or(markup);
                let known = [&b"<!--"[..], b"<![CDATA[", b"<!DOCTYPE"];
                let may_go_on = |known: &&[u8]| {
                    known.get(..start.len()).is_some_and(|known| known.eq_ignore_ascii_case(start))
                };
                if start.len() < 9 && !last && known.iter().any(may_go_on) {
                    return Err((Stop::More, markup));
                }
                if self.any || !start.eq_ignore_ascii_case(b"<!DOCTYPE") {
                    return Err((MALFORMED, markup));
                }
                sink.mark(BodyMark::Doctype);
                self.state = State::DocumentType;
                Ok(markup)
            }
            [_, b'?', ..] => {
                self.push_text(text, sink);
                self.state = State::Instruction;
                // What begins so is a script to some programs.
                sink.push(&mut self.other, b"", b"<?", Part::Value);
                Ok(markup.get(2..).unwrap_or_default())
            }
            [_] if !last => {
                self.push_text(text, sink);
                Err((Stop::More, markup))
            }
            [_, b'/', ..] => {
                self.give_text(text, sink);
                self.end_tag(markup, last).map_err(|stop| (stop, markup))
            }
            _ => {
                self.give_text(text, sink);
                self.start_tag(markup, last, sink).map_err(|stop| (stop, markup))
            }
        }
    }

    /// Reads up to `end`.
    fn up_to<'r>(
        &mut self,
        rest: &'r [u8],
        end: &[u8],
        last: bool,
        sink: &mut Sink<'_>,
    ) -> Result<&'r [u8], (Stop, &'r [u8])> {
        let found = memmem::find(rest, end);
        // The last bytes may be the beginning of the end.
        let kept = if last { 0 } else { end.len() - 1 };
        let length = found.unwrap_or(rest.len().saturating_sub(kept));
        let (now, after) = rest.split_at(length);
        if self.state == State::CharacterData {
            // An ampersand is no reference there, but reading it as one hides nothing.
            self.push_text(now, sink);
        } else if self.state == State::Comment {
            sink.push(&mut self.other, self.open.last(), now, Part::Value);
        } else {
            sink.push(&mut self.other, b"", now, Part::Value);
        }
        if found.is_none() {
            return Err((Stop::More, after));
        }
        self.end_other(sink);
        self.state = State::Content;
        Ok(after.get(end.len()..).unwrap_or_default())
    }

    /// Passes on what is incomplete beside text.
    fn end_other(&mut self, sink: &mut Sink<'_>) {
        match self.state {
            State::Comment => sink.end(&mut self.other, self.open.last(), Part::Value),
            State::Instruction => {
                let is_declaration = self.other.unshown().is_some_and(|text| text.starts_with(b"<?xml "));
                if let Some(text) = self.other.unshown().filter(|_| is_declaration) {
                    if charset::declared_in_xml(text).is_some_and(charset::hides_xml) {
                        sink.mark(BodyMark::HidingCharset);
                    }
                    self.other.clear();
                }
                sink.end(&mut self.other, b"", Part::Value);
            }
            State::Attribute(_) => end_decoded(&mut self.other, &mut self.decoded, &self.name, sink),
            _ => sink.end(&mut self.other, b"", Part::Raw),
        }
    }

    fn push_text(&mut self, text: &[u8], sink: &mut Sink<'_>) {
        let text = if self.text.is_empty() { text.trim_ascii_start() } else { text };
        let (decoded, element) = (&mut self.decoded, self.open.last());
        self.text.push(text, |piece| give_piece(decoded, element, piece.trim_ascii_end(), sink));
    }

    /// Passes on the text that ends with `text`.
    fn give_text(&mut self, text: &[u8], sink: &mut Sink<'_>) {
        if self.text.is_empty() {
            let (decoded, element) = (&mut self.decoded, self.open.last());
            pieces(text.trim_ascii_start(), |piece| {
                give_piece(decoded, element, piece.trim_ascii_end(), sink);
            });
        } else {
            self.push_text(text, sink);
            self.end_text(sink);
        }
    }

    fn end_text(&mut self, sink: &mut Sink<'_>) {
        let (decoded, element) = (&mut self.decoded, self.open.last());
        self.text.end(|text| give_piece(decoded, element, text.trim_ascii_end(), sink));
    }

    fn end_tag<'r>(&mut self, markup: &'r [u8], last: bool) -> Result<&'r [u8], Stop> {
        let tag = markup.get(2..2 + MAX_NAME).or(markup.get(2..)).unwrap_or_default();
        let Some(end) = memchr(b'>', tag) else {
            return Err(if tag.len() < MAX_NAME && !last { Stop::More } else { MALFORMED });
        };
        let name = tag.get(..end).unwrap_or(tag).trim_ascii_end();
        if !self.open.close(name) {
            return Err(MALFORMED);
        }
        Ok(markup.get(2 + end + 1..).unwrap_or_default())
    }

    /// Reads `<name`.
    fn start_tag<'r>(&mut self, markup: &'r [u8], last: bool, sink: &mut Sink<'_>) -> Result<&'r [u8], Stop> {
        let inside = markup.get(1..).unwrap_or_default();
        let length = name_length(inside);
        if length > MAX_NAME {
            return Err(MALFORMED);
        }
        if length == inside.len() && !last {
            return Err(Stop::More);
        }
        let (name, after) = inside.split_at(length);
        if !name.first().is_some_and(|&byte| byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80) {
            return Err(MALFORMED);
        }
        if self.open.len() >= self.max_depth {
            return Err(Stop::Broken(BodyMark::TooDeep));
        }
        if !self.budget.take() {
            return Err(Stop::Broken(BodyMark::TooManyFields));
        }
        self.any = true;
        if may_hide(name) {
            sink.give(name, name, Part::Name);
        }
        self.open.open(name);
        self.tag.clear();
        self.tag_left = markup.len();
        if let [b'>', after @ ..] = after {
            self.state = State::Content;
            return Ok(after);
        }
        self.state = State::Tag;
        Ok(after)
    }

    /// Reads what follows in a start tag: an attribute up to its value, or the end.
    fn tag<'r>(&mut self, rest: &'r [u8], last: bool, sink: &mut Sink<'_>) -> Result<&'r [u8], Stop> {
        let at = rest.trim_ascii_start();
        let blanks = rest.len() - at.len();
        if blanks > 1 {
            // One is enough to tell attributes apart.
            return Ok(rest.get(blanks - 1..).unwrap_or_default());
        }
        match at {
            [] | [b'/'] if !last => Err(Stop::More),
            [b'>', after @ ..] => {
                self.state = State::Content;
                Ok(after)
            }
            [b'/', b'>', after @ ..] => {
                self.open.close_last();
                self.state = State::Content;
                Ok(after)
            }
            _ if blanks == 0 => Err(MALFORMED),
            _ => self.attribute(at, last, sink),
        }
    }

    fn attribute<'r>(&mut self, text: &'r [u8], last: bool, sink: &mut Sink<'_>) -> Result<&'r [u8], Stop> {
        let head = text.get(..2 * MAX_NAME).unwrap_or(text);
        let (name, after) = head.split_at(name_length(head));
        let value = after.trim_ascii_start().strip_prefix(b"=").map(<[u8]>::trim_ascii_start);
        let Some((quote @ (b'"' | b'\''), value)) = value.and_then(<[u8]>::split_first) else {
            let ends = after.trim_ascii_start().is_empty() || value.is_some_and(<[u8]>::is_empty);
            return Err(if ends && head.len() == text.len() && head.len() < 2 * MAX_NAME && !last {
                Stop::More
            } else {
                MALFORMED
            });
        };
        if name.is_empty() {
            return Err(MALFORMED);
        }
        if !self.budget.take() {
            return Err(Stop::Broken(BodyMark::TooManyFields));
        }
        self.name.clear();
        self.name.extend_from_slice(self.open.last());
        self.name.push(b'@');
        self.name.extend_from_slice(name);
        if may_hide(name) {
            sink.give(&self.name, name, Part::Name);
        }
        let value = text.get(head.len() - value.len()..).unwrap_or_default();
        if let Some(end) = memchr(*quote, value) {
            give_decoded(&mut self.decoded, &self.name, value.get(..end).unwrap_or_default(), sink);
            return Ok(value.get(end + 1..).unwrap_or_default());
        }
        self.state = State::Attribute(*quote);
        Ok(value)
    }
}

/// Passes on a piece of a value without its character references.
fn give_piece(decoded: &mut Buffer, name: &[u8], piece: &[u8], sink: &mut Sink<'_>) {
    let value = if decode_references(piece, decoded) { &**decoded } else { piece };
    if !value.is_empty() {
        (sink.visit)(Parameter { name, value, part: Part::Value, place: sink.place });
    }
}

fn give_decoded(decoded: &mut Buffer, name: &[u8], value: &[u8], sink: &mut Sink<'_>) {
    pieces(value, |piece| give_piece(decoded, name, piece, sink));
}

fn push_decoded(window: &mut Window, decoded: &mut Buffer, name: &[u8], bytes: &[u8], sink: &mut Sink<'_>) {
    window.push(bytes, |piece| give_piece(decoded, name, piece, sink));
}

fn end_decoded(window: &mut Window, decoded: &mut Buffer, name: &[u8], sink: &mut Sink<'_>) {
    window.end(|piece| give_piece(decoded, name, piece, sink));
}

/// Returns the length of the name that begins here, or one that is too long.
fn name_length(text: &[u8]) -> usize {
    let ends =
        |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>' | b'=' | b'<' | b'"' | b'\'');
    let text = text.get(..=MAX_NAME).unwrap_or(text);
    text.iter().position(ends).unwrap_or(text.len())
}

/// Reports whether a name is more than a short word.
fn may_hide(name: &[u8]) -> bool {
    name.len() > 64 || name.iter().any(|byte| !byte.is_ascii_alphanumeric() && !b"_-:".contains(byte))
}
