//! What follows where a body stops being JSON.

use memchr::memchr2;

use super::super::sink::Sink;
use super::super::window::Window;
use crate::decode::Part;

/// Passes everything on as raw text, and what is in quotes as values: lenient parsers go on reading where strict ones stop
/// (at comments, single quotes, unquoted keys).
#[derive(Default)]
pub(super) struct Broken {
    raw: Window,
    string: Window,
    /// The quote that ends the string.
    quote: Option<u8>,
    /// Whether the last byte is a backslash within a string that is not itself escaped.
    is_escaped: bool,
    /// The last byte outside of strings that is not blank.
    before: u8,
}

impl Broken {
    /// Reads all of `text`.
    pub(super) fn read(&mut self, text: &[u8], last: bool, sink: &mut Sink<'_>) {
        let mut rest = text;
        while let Some(&first) = rest.first() {
            let length = if self.is_escaped { 1 } else { self.run_length(rest) };
            let (run, after) = rest.split_at(length.max(1));
            sink.push_raw(&mut self.raw, run);
            rest = after;
            match self.quote {
                Some(quote) if first == quote && !self.is_escaped => {
                    sink.end(&mut self.string, b"", Part::Value);
                    self.quote = None;
                    self.before = quote;
                }
                Some(_) => {
                    self.is_escaped = first == b'\\' && !self.is_escaped;
                    sink.push(&mut self.string, b"", run, Part::Value);
                }
                None if matches!(first, b'"' | b'\'') => {
                    // An apostrophe in a word begins no string.
                    if first == b'"' || !self.before.is_ascii_alphanumeric() {
                        self.quote = Some(first);
                    }
                }
                None => {
                    if let Some(byte) = run.trim_ascii_end().last() {
                        self.before = *byte;
                    }
                }
            }
        }
        if last {
            sink.end_raw(&mut self.raw);
            sink.end(&mut self.string, b"", Part::Value);
        }
    }

    /// Returns the number of bytes up to the next one that means something, or 1 for such a byte.
    fn run_length(&self, text: &[u8]) -> usize {
        let next = match self.quote {
            Some(quote) => memchr2(quote, b'\\', text),
            None => memchr2(b'"', b'\'', text),
        };
        next.unwrap_or(text.len())
    }
}
