//! Uploaded files.

use super::BodyMark;
use super::runnable::{self, Runnable};
use super::sink::Sink;
use super::sniff::{SNIFFED, is_binary};
use super::window::Window;
use crate::decode::Part;

/// An uploaded file: its beginning is judged in full, and the rest is searched for what can run.
///
/// Text that could as well be the value of a field is judged as one, since handlers may read it as such: any text without a
/// file name, otherwise one line of up to [`MAX_FIELD`] bytes. Longer texts are documents and source code, which hold what
/// would be attacks in a field.
pub(super) struct File {
    kind: FileKind,
    max_bytes: usize,
    /// The beginning of the file.
    beginning: Vec<u8>,
    is_beginning_given: bool,
    /// The text of a file without a name.
    value: Window,
    /// Whether the value is text; unknown until enough has arrived.
    is_text: Option<bool>,
    rest: Runnable,
}

/// Where a file is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    /// A part with a file name.
    Named,
    /// A part with an empty file name.
    Unnamed,
    /// The whole body.
    Body,
}

/// Maximum bytes of a file that is judged as the value of a field.
const MAX_FIELD: usize = 2048;

/// Maximum bytes of a file's beginning that are judged in full, whatever is set: they are kept in memory.
const MAX_KEPT: usize = 64 * 1024;

impl File {
    pub(super) fn new(kind: FileKind, max_bytes: usize) -> Self {
        Self {
            kind,
            max_bytes: max_bytes.min(MAX_KEPT),
            beginning: Vec::new(),
            is_beginning_given: false,
            value: Window::default(),
            is_text: None,
            rest: Runnable::default(),
        }
    }

    /// Number of bytes that are kept of the beginning.
    fn kept(&self) -> usize {
        self.max_bytes.max(MAX_FIELD) + 1
    }

    pub(super) fn push(&mut self, bytes: &[u8], name: &[u8], sink: &mut Sink<'_>) {
        let room = self.kept().saturating_sub(self.beginning.len());
        let (now, later) = bytes.split_at(bytes.len().min(room));
        self.beginning.extend_from_slice(now);
        if self.kind == FileKind::Unnamed {
            self.push_value(bytes, name, sink);
        }
        if !later.is_empty() {
            self.give_beginning(name, sink);
            self.rest.push(later, name, sink);
        }
    }

    /// Appends to the value of a file without a name.
    fn push_value(&mut self, bytes: &[u8], name: &[u8], sink: &mut Sink<'_>) {
        if self.is_text.is_none() && self.beginning.len() >= SNIFFED {
            self.is_text = Some(!is_binary(&self.beginning));
            if self.is_text == Some(true) {
                // What was sniffed is in the window already.
                sink.push(&mut self.value, name, bytes, Part::Value);
                return;
            }
            self.value.clear();
        }
        if self.is_text != Some(false) {
            sink.push(&mut self.value, name, bytes, Part::Value);
        }
    }

    fn give_beginning(&mut self, name: &[u8], sink: &mut Sink<'_>) {
        if std::mem::replace(&mut self.is_beginning_given, true) {
            return;
        }
        let shown = self.beginning.get(..self.max_bytes).unwrap_or(&self.beginning);
        sink.give(name, shown, Part::FileContent);
        if runnable::is_serialized(&self.beginning) {
            sink.mark(BodyMark::SerializedObject);
        }
        if self.beginning.len() > self.max_bytes {
            // What begins within what was shown may end behind it.
            let start = shown.len().saturating_sub(runnable::SHOWN);
            self.rest.push(self.beginning.get(start..).unwrap_or_default(), name, sink);
        }
    }

    pub(super) fn end(&mut self, name: &[u8], sink: &mut Sink<'_>) {
        self.give_beginning(name, sink);
        self.rest.end(name, sink);
        let is_text = self.is_text.unwrap_or_else(|| !is_binary(&self.beginning));
        if self.kind == FileKind::Unnamed {
            if is_text {
                sink.end(&mut self.value, name, Part::Value);
            }
        } else if self.kind == FileKind::Named && is_text && could_be_field(&self.beginning) {
            sink.give(name, &self.beginning, Part::Value);
        }
    }
}

/// Reports whether a text is a single line, and as short as the value of a field.
fn could_be_field(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    text.len() <= MAX_FIELD && memchr::memchr(b'\n', text).is_none()
}
