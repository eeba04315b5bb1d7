//! The headers of a part.

use memchr::memchr;
use smallvec::SmallVec;

use super::super::BodyMark;
use super::super::charset;
use super::super::parameters::HeaderParameters;
use super::super::sink::Sink;
use super::give_raw;
use crate::decode::Part;

/// What the headers of a part say.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools)] // independent observations
pub(super) struct PartHead {
    /// The name of the field; empty without one.
    pub(super) name: SmallVec<[u8; 64]>,
    has_name: bool,
    /// Whether there is a file name.
    pub(super) is_file: bool,
    /// Whether there is a file name that is not empty.
    pub(super) has_file_name: bool,
    /// Whether some parsers take it for a field and others for a file.
    pub(super) is_ambiguous: bool,
    /// Whether the head has no end.
    pub(super) is_broken: bool,
    pub(super) encoding: TransferEncoding,
    /// The name of a character set that hides ASCII.
    pub(super) charset: SmallVec<[u8; 32]>,
    /// Number of lines.
    pub(super) lines: usize,
    has_disposition: bool,
    has_type: bool,
    /// Whether anything precedes the first delimiter.
    pub(super) has_preamble: bool,
    /// Whether what follows is not a part but the text behind the last.
    pub(super) is_epilogue: bool,
}

/// How a part is encoded for transfer (RFC 2045, 6).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum TransferEncoding {
    #[default]
    None,
    Base64,
    QuotedPrintable,
}

/// Maximum number of parameters in a header.
const MAX_PARAMETERS: usize = 16;

/// Maximum bytes of a name that are kept as the name of the field.
const MAX_NAME: usize = 1024;

impl PartHead {
    /// Reads a line that is not empty.
    pub(super) fn read_line(&mut self, line: &[u8], is_form_data: bool, sink: &mut Sink<'_>) {
        let colon = memchr(b':', line);
        let (name, value) = line.split_at(colon.unwrap_or(line.len()));
        let value = value.get(1..).unwrap_or_default();
        let has_control = line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t');
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let is_bad = colon.is_none() || name.is_empty() || !name.iter().all(is_name) || has_control;
        if is_bad && (is_form_data || has_control) {
            sink.mark(BodyMark::BadPartHeader);
        }
        let name = name.trim_ascii();
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        if is(b"content-disposition") {
            if std::mem::replace(&mut self.has_disposition, true) {
                sink.mark(BodyMark::BadPartHeader);
            }
            self.read_disposition(value, sink);
        } else if is(b"content-type") {
            if std::mem::replace(&mut self.has_type, true) {
                sink.mark(BodyMark::BadPartHeader);
            }
            self.read_type(value, sink);
        } else {
            if is(b"content-transfer-encoding") {
                self.read_encoding(value.trim_ascii(), is_form_data, sink);
            }
            give_raw(line, sink);
        }
    }

    fn read_encoding(&mut self, value: &[u8], is_form_data: bool, sink: &mut Sink<'_>) {
        self.encoding = if value.eq_ignore_ascii_case(b"base64") {
            TransferEncoding::Base64
        } else if value.eq_ignore_ascii_case(b"quoted-printable") {
            TransferEncoding::QuotedPrintable
        } else {
            return;
        };
        if is_form_data {
            sink.mark(BodyMark::EncodedPart);
        }
    }

    fn read_type(&mut self, value: &[u8], sink: &mut Sink<'_>) {
        let mut has_charset = false;
        for parameter in HeaderParameters::new(value, false).take(MAX_PARAMETERS) {
            let (name, is_extended) = parameter.base_name();
            if !name.eq_ignore_ascii_case(b"charset") {
                continue;
            }
            if is_extended || std::mem::replace(&mut has_charset, true) {
                sink.mark(BodyMark::DuplicateParameter);
            }
            if charset::hides_ascii(parameter.value) {
                sink.mark(BodyMark::HidingCharset);
                self.charset = parameter.value.iter().copied().take(32).collect();
            }
        }
    }

    fn read_disposition(&mut self, value: &[u8], sink: &mut Sink<'_>) {
        let mut parameters = HeaderParameters::new(value, false);
        let mut has_extended = false;
        for parameter in parameters.by_ref().take(MAX_PARAMETERS) {
            if parameter.is_badly_quoted {
                sink.mark(BodyMark::BadQuoting);
            }
            let (name, is_extended) = parameter.base_name();
            if parameter.is(b"name") {
                if std::mem::replace(&mut self.has_name, true) {
                    sink.mark(BodyMark::DuplicateParameter);
                    self.is_ambiguous = true;
                }
                self.name = parameter.value.iter().copied().take(MAX_NAME).collect();
                sink.give(&self.name, parameter.value, Part::Name);
                continue;
            }
            if parameter.is(b"filename") {
                if std::mem::replace(&mut self.is_file, true) {
                    sink.mark(BodyMark::DuplicateParameter);
                    self.is_ambiguous = true;
                }
                self.has_file_name |= !parameter.value.is_empty();
            } else if is_extended && name.eq_ignore_ascii_case(b"filename") {
                // Clients write names that are not ASCII in this form; some parsers don't know it.
                self.is_ambiguous |= !self.is_file;
                if std::mem::replace(&mut has_extended, true) || parameter.name.len() > b"filename*".len() {
                    sink.mark(BodyMark::DuplicateParameter);
                    self.is_ambiguous = true;
                }
            } else if is_extended && name.eq_ignore_ascii_case(b"name") {
                sink.mark(BodyMark::DuplicateParameter);
                self.is_ambiguous = true;
            } else {
                // What only looks like a file name: some parsers take it for one.
                let start = name.get(..8).unwrap_or_default();
                self.is_ambiguous |= start.eq_ignore_ascii_case(b"filename");
            }
            sink.give(&self.name, parameter.value, Part::FileName);
        }
        if parameters.next().is_some() {
            sink.mark(BodyMark::Malformed);
            give_raw(value, sink);
        }
    }

    /// Handles the end of the head.
    pub(super) fn finish(&mut self, is_form_data: bool, sink: &mut Sink<'_>) {
        if !self.has_name && is_form_data || self.is_ambiguous {
            sink.mark(BodyMark::AmbiguousPart);
        }
    }
}
