//! Protocol Buffers, in the frames of gRPC or by themselves: the strings in messages.

use smallvec::SmallVec;

use super::BodyMark;
use super::runnable;
use super::sink::Sink;
use super::window::{WINDOW, Window};
use crate::decode::Part;

/// Reads the strings of messages, and what else has a length. What is no message is passed on as raw text.
pub(super) struct Protobuf {
    has_frames: bool,
    state: State,
    /// Bytes that are left of each message that is open, the outermost first. Without frames, the first has no end.
    open: SmallVec<[u64; 8]>,
    window: Window,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Before a frame.
    Frame,
    /// Before a field of the innermost message.
    Field,
    /// Within bytes that are passed over.
    Skipped(u64),
    /// Within a string that is longer than a window.
    Long(u64),
    /// Within bytes that are passed on as raw text.
    Raw(u64),
}

/// A field of a message.
struct Field {
    /// Length of the tag and the number or the length behind it.
    head: usize,
    /// Length of the content, for a field that has one.
    content: Option<u64>,
}

/// Maximum depth of messages that are longer than a window.
const MAX_OPEN: usize = 32;

/// Maximum depth of messages within a window.
const MAX_DEPTH: usize = 6;

/// Maximum bytes of a field's tag and length.
const MAX_HEAD: usize = 20;

impl Protobuf {
    pub(super) fn new(has_frames: bool) -> Self {
        let (state, open) = if has_frames {
            (State::Frame, SmallVec::new())
        } else {
            (State::Field, SmallVec::from_slice(&[u64::MAX]))
        };
        Self { has_frames, state, open, window: Window::default() }
    }

    pub(super) fn step(&mut self, data: &[u8], last: bool, sink: &mut Sink<'_>) -> usize {
        let mut rest = data;
        while !rest.is_empty() {
            match self.state {
                State::Frame => {
                    let Some((head, after)) = rest.split_at_checked(5) else { break };
                    let length = head.iter().skip(1).fold(0, |length, byte| length << 8 | u64::from(*byte));
                    rest = after;
                    self.open.clear();
                    self.open.push(length);
                    self.state = match head.first() {
                        Some(0) => State::Field,
                        Some(1) => {
                            sink.mark(BodyMark::CompressedFrame);
                            State::Skipped(length)
                        }
                        _ => State::Raw(length),
                    };
                    self.end_messages();
                }
                State::Field => match self.field(rest, last, sink) {
                    Some(after) => rest = after,
                    None => break,
                },
                State::Skipped(left) => {
                    let (now, after) = split(rest, left);
                    self.state = State::Skipped(left - now.len() as u64);
                    rest = self.passed(now, after);
                }
                State::Long(left) => {
                    let (now, after) = split(rest, left);
                    sink.push(&mut self.window, b"", now, Part::Value);
                    self.state = State::Long(left - now.len() as u64);
                    rest = self.passed(now, after);
                    if self.state == State::Long(0) {
                        sink.end(&mut self.window, b"", Part::Value);
                        self.end_messages();
                    }
                }
                State::Raw(left) => {
                    let (now, after) = split(rest, left);
                    sink.push_raw(&mut self.window, now);
                    self.state = State::Raw(left - now.len() as u64);
                    rest = self.passed(now, after);
                    if self.state == State::Raw(0) {
                        sink.end_raw(&mut self.window);
                    }
                }
            }
            if matches!(self.state, State::Skipped(0) | State::Raw(0)) {
                self.end_messages();
            }
        }
        if !last {
            return data.len() - rest.len();
        }
        let is_complete = rest.is_empty()
            && if self.has_frames {
                self.state == State::Frame
            } else {
                self.open.len() == 1 && self.state == State::Field
            };
        if !is_complete {
            sink.mark(BodyMark::Malformed);
        }
        let part = if matches!(self.state, State::Long(_)) { Part::Value } else { Part::Raw };
        sink.push(&mut self.window, b"", rest, part);
        sink.end(&mut self.window, b"", part);
        data.len()
    }

    /// Counts bytes of all open messages as read, and returns what follows.
    fn passed<'r>(&mut self, now: &[u8], after: &'r [u8]) -> &'r [u8] {
        for left in &mut self.open {
            *left = left.saturating_sub(now.len() as u64);
        }
        after
    }

    /// Ends the messages that are complete.
    fn end_messages(&mut self) {
        while self.open.last() == Some(&0) {
            self.open.pop();
        }
        self.state = match self.state {
            State::Skipped(left) | State::Raw(left) if left > 0 => self.state,
            _ if self.open.is_empty() && self.has_frames => State::Frame,
            _ => State::Field,
        };
    }

    /// Reads a field; returns what follows, or nothing if more bytes are needed.
    fn field<'r>(&mut self, rest: &'r [u8], last: bool, sink: &mut Sink<'_>) -> Option<&'r [u8]> {
        let left = self.open.last().copied().unwrap_or_default();
        let within = rest.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(rest);
        let is_whole = within.len() as u64 == left || last;
        let field = match read_field(within) {
            Some(field) => field,
            None if within.len() < MAX_HEAD && !is_whole => return None,
            None => return Some(self.give_up(rest, sink)),
        };
        let head = field.head as u64;
        let Some(content) = field.content else {
            let (now, after) = rest.split_at(field.head);
            let after = self.passed(now, after);
            self.end_messages();
            return Some(after);
        };
        if content > left.saturating_sub(head) {
            return Some(self.give_up(rest, sink));
        }
        let inside = rest.get(field.head..).unwrap_or_default();
        if content <= WINDOW as u64 {
            let Some(text) = usize::try_from(content).ok().and_then(|length| inside.get(..length)) else {
                return if last { Some(self.give_up(rest, sink)) } else { None };
            };
            give(text, MAX_DEPTH, sink);
            let (now, after) = rest.split_at(field.head + text.len());
            let after = self.passed(now, after);
            self.end_messages();
            return Some(after);
        }
        if inside.len() < MAX_HEAD && !last {
            return None;
        }
        let (now, after) = rest.split_at(field.head);
        self.passed(now, after);
        let is_message = self.open.len() < MAX_OPEN
            && read_field(inside)
                .is_some_and(|first| first.head as u64 + first.content.unwrap_or(0) <= content);
        if is_message {
            self.open.push(content);
        } else {
            self.state = State::Long(content);
        }
        Some(after)
    }

    /// Passes the rest of the outermost message on as raw text.
    fn give_up<'r>(&mut self, rest: &'r [u8], sink: &mut Sink<'_>) -> &'r [u8] {
        sink.mark(BodyMark::Malformed);
        let left = self.open.first().copied().unwrap_or(u64::MAX);
        self.state = State::Raw(left);
        rest
    }
}

fn split(text: &[u8], left: u64) -> (&[u8], &[u8]) {
    text.split_at(usize::try_from(left).unwrap_or(usize::MAX).min(text.len()))
}

/// Reads a varint; returns it and its length.
fn varint(text: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (at, &byte) in text.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at).min(63);
        if byte < 0x80 {
            return Some((value, at + 1));
        }
    }
    None
}

/// Reads the field that begins here, if it is complete up to its content.
fn read_field(text: &[u8]) -> Option<Field> {
    let (tag, length) = varint(text)?;
    if !(1..1 << 29).contains(&(tag >> 3)) {
        return None;
    }
    let after = text.get(length..)?;
    let (value, content) = match tag & 7 {
        0 => (varint(after)?.1, None),
        1 => (8, None),
        2 => varint(after).map(|(content, length)| (length, Some(content)))?,
        // Groups have no length: their fields follow.
        3 | 4 => (0, None),
        5 => (4, None),
        _ => return None,
    };
    let head = length + value;
    (head <= text.len()).then_some(Field { head, content })
}

/// Reports whether all of a text is fields of a message.
fn is_message(text: &[u8]) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let Some(field) = read_field(rest) else { return false };
        let length = usize::try_from(field.content.unwrap_or(0))
            .ok()
            .and_then(|length| length.checked_add(field.head));
        let Some(after) = length.and_then(|length| rest.get(length..)) else { return false };
        rest = after;
    }
    !text.is_empty()
}

/// Passes the content of a field on: as a value if it is text, and its fields if it may be a message.
fn give(text: &[u8], depth: usize, sink: &mut Sink<'_>) {
    let has_control = text.iter().any(|byte| matches!(byte, 0..=8 | 14..=31 | 127));
    let is_text = !has_control && std::str::from_utf8(text).is_ok();
    let is_message = depth > 0 && is_message(text);
    // The first byte of most messages is a control character, which strings seldom begin with.
    if is_text && !(is_message && text.first().is_some_and(u8::is_ascii_control)) {
        sink.give(b"", text, Part::Value);
    }
    if is_message {
        let mut rest = text;
        while let Some(field) = read_field(rest) {
            let inside = rest.get(field.head..).unwrap_or_default();
            let length = field.content.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
            let (content, after) = inside.split_at(length.min(inside.len()));
            give(content, depth - 1, sink);
            rest = after;
        }
    } else if !is_text {
        sink.give(b"", text, Part::FileContent);
        if runnable::is_serialized(text) {
            sink.mark(BodyMark::SerializedObject);
        }
        // Text within bytes is found wherever it is.
        sink.give(b"", text, Part::Raw);
    }
}
