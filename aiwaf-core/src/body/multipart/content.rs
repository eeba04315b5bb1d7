//! The content of a part.

use super::super::charset::Transcoder;
use super::super::file::{File, FileKind};
use super::super::sink::Sink;
use super::super::urlencoded::check_charset;
use super::super::window::Window;
use super::part_head::{PartHead, TransferEncoding};
use super::transfer::Decoded;
use crate::decode::Part;

/// The content of the part that is read.
#[derive(Default)]
pub(super) struct Content {
    /// Whether nothing was read yet.
    pub(super) is_empty: bool,
    value: Window,
    file: Option<Box<File>>,
    decoded: Option<Box<Decoded>>,
}

impl Content {
    /// Begins the content of a part with this head.
    pub(super) fn begin(&mut self, head: &PartHead, max_file_bytes: usize) {
        self.is_empty = true;
        self.value.clear();
        let kind = if head.has_file_name { FileKind::Named } else { FileKind::Unnamed };
        self.file = head.is_file.then(|| Box::new(File::new(kind, max_file_bytes)));
        let transcoder = Transcoder::new(&head.charset);
        self.decoded = (head.encoding != TransferEncoding::None || transcoder.is_some())
            .then(|| Box::new(Decoded::new(head.encoding, transcoder)));
    }

    /// Appends to the content, which ends behind `bytes` if `is_end`.
    pub(super) fn push(&mut self, bytes: &[u8], is_end: bool, head: &PartHead, sink: &mut Sink<'_>) {
        if bytes.is_empty() {
            return;
        }
        if head.is_broken {
            sink.push_raw(&mut self.value, bytes);
            self.is_empty = false;
            return;
        }
        if let Some(decoded) = &mut self.decoded {
            decoded.push(bytes, &head.name, sink);
        }
        if !head.is_file || head.is_ambiguous {
            if self.is_empty && is_end {
                check_charset(&head.name, bytes, sink);
                sink.give(&head.name, bytes, Part::Value);
            } else {
                sink.push(&mut self.value, &head.name, bytes, Part::Value);
            }
        }
        if let Some(file) = &mut self.file {
            file.push(bytes, &head.name, sink);
        }
        self.is_empty = false;
    }

    /// Ends the content.
    pub(super) fn end(&mut self, head: &PartHead, is_form_data: bool, sink: &mut Sink<'_>) {
        if head.is_broken {
            sink.end_raw(&mut self.value);
            return;
        }
        if let Some(value) = self.value.unshown().filter(|_| is_form_data) {
            check_charset(&head.name, value, sink);
        }
        sink.end(&mut self.value, &head.name, Part::Value);
        if let Some(mut file) = self.file.take() {
            file.end(&head.name, sink);
        }
        if let Some(mut decoded) = self.decoded.take() {
            decoded.end(&head.name, sink);
        }
    }
}
