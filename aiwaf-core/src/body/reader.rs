//! The reader of a body that arrives in chunks.

use super::carry::Carry;
use super::charset::Transcoder;
use super::file::{File, FileKind};
use super::head::BodyHead;
use super::json::Json;
use super::multipart::Multipart;
use super::protobuf::Protobuf;
use super::runnable;
use super::sink::Sink;
use super::sniff;
use super::text_check::TextCheck;
use super::urlencoded::UrlEncoded;
use super::window::Window;
use super::xml::Xml;
use super::{BodyFormat, BodyLimits, BodyMark, BodyOutcome};
use crate::decode::{Parameter, Part, Place};

/// Takes a body apart while it arrives, and shows every name and value to a visitor as soon as it is complete.
///
/// Holds at most 256 KiB, however long the body or a value is: a value longer than 16 KiB is shown in pieces that overlap by
/// 1 KiB. What is shown does not depend on how the body is cut into chunks, and takes linear time. What can't be taken
/// apart, or exceeds a limit, is shown as raw text. A body that comes in one piece and is not fed before costs no allocation.
pub(crate) struct BodyReader {
    head: BodyHead,
    limits: BodyLimits,
    /// Reads the body once a chunk has come.
    readers: Option<Box<Readers>>,
}

impl BodyReader {
    /// Returns a reader of a body with this head.
    pub(crate) fn new(head: BodyHead, limits: &BodyLimits) -> Self {
        Self { head, limits: *limits, readers: None }
    }

    /// Reads a chunk.
    pub(crate) fn feed(&mut self, chunk: &[u8], visit: &mut dyn FnMut(Parameter<'_>)) {
        let readers = self.readers.get_or_insert_with(|| Box::new(Readers::new(&self.head)));
        readers.feed(&self.head, &self.limits, chunk, false, visit);
    }

    /// Returns the format and the marks so far.
    pub(crate) fn outcome(&self) -> BodyOutcome {
        self.readers.as_ref().map_or(self.head.outcome, |readers| readers.outcome(&self.head))
    }

    /// Ends the body.
    pub(crate) fn finish(self, visit: &mut dyn FnMut(Parameter<'_>)) -> BodyOutcome {
        self.finish_with(b"", visit)
    }

    /// Reads the last chunk of a body that goes on unseen. Its end is no mistake.
    pub(crate) fn cut_off(mut self, chunk: &[u8], visit: &mut dyn FnMut(Parameter<'_>)) -> BodyOutcome {
        self.feed(chunk, visit);
        let mut outcome = self.outcome();
        outcome.format = self.finish(visit).format;
        outcome.mark(BodyMark::Truncated);
        outcome
    }

    /// Reads the last chunk and ends the body.
    pub(crate) fn finish_with(mut self, chunk: &[u8], visit: &mut dyn FnMut(Parameter<'_>)) -> BodyOutcome {
        if let Some(readers) = &mut self.readers {
            readers.feed(&self.head, &self.limits, chunk, true, visit);
            return readers.outcome(&self.head);
        }
        if chunk.is_empty() {
            return BodyOutcome::new(BodyFormat::Empty);
        }
        let mut readers = Readers::new(&self.head);
        readers.feed(&self.head, &self.limits, chunk, true, visit);
        readers.outcome(&self.head)
    }
}

/// The readers of the body as it was sent, and as it is decoded.
struct Readers {
    /// The first bytes, by which a character set is recognized.
    first: Carry,
    is_begun: bool,
    sent: Reader,
    decoded: Option<Box<(Transcoder, Reader)>>,
}

/// Bytes by which UTF-16 and UTF-32 are recognized.
const FIRST: usize = 4;

impl Readers {
    fn new(head: &BodyHead) -> Self {
        Self {
            first: Carry::default(),
            is_begun: false,
            sent: Reader::new(),
            decoded: head.transcoder().map(|transcoder| Box::new((transcoder, Reader::new()))),
        }
    }

    fn feed(
        &mut self,
        head: &BodyHead,
        limits: &BodyLimits,
        chunk: &[u8],
        last: bool,
        visit: &mut dyn FnMut(Parameter<'_>),
    ) {
        let Self { first, is_begun, sent, decoded } = self;
        first.feed(chunk, last, &mut |mut data, last| {
            let length = data.len();
            if !*is_begun {
                if length < FIRST && !last {
                    return 0;
                }
                *is_begun = true;
                if decoded.is_none()
                    && let Some(transcoder) = recognize(head.declared, data)
                {
                    sent.outcome.mark(BodyMark::HidingCharset);
                    *decoded = Some(Box::new((transcoder, Reader::new())));
                }
                data = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
            }
            sent.feed(head, limits, data, last, visit);
            if let Some((transcoder, reader)) = decoded.as_deref_mut() {
                transcoder.decode(data, last, &mut |text| reader.feed(head, limits, text, false, visit));
                if last {
                    reader.feed(head, limits, b"", true, visit);
                }
            }
            length
        });
    }

    fn outcome(&self, head: &BodyHead) -> BodyOutcome {
        let mut outcome = self.sent.outcome();
        outcome.add_marks(head.outcome);
        outcome
    }
}

/// Returns a decoder for text that begins like UTF-16 or UTF-32: with a byte order mark, or, where the type promises text,
/// with an ASCII character of it (RFC 4627, 3).
fn recognize(declared: Option<BodyFormat>, beginning: &[u8]) -> Option<Transcoder> {
    use BodyFormat::{Binary, Json, Multipart, Protobuf, Text, UrlEncoded, Xml};
    if matches!(declared, Some(Binary | Protobuf | Multipart)) {
        return None;
    }
    let is_text = matches!(declared, Some(Json | Xml | Text | UrlEncoded));
    match beginning {
        [0xff, 0xfe, 0, 0, ..] => Some(Transcoder::utf32(false)),
        [0, 0, 0xfe, 0xff, ..] => Some(Transcoder::utf32(true)),
        [0xff, 0xfe, ..] => Some(Transcoder::of(encoding_rs::UTF_16LE)),
        [0xfe, 0xff, ..] => Some(Transcoder::of(encoding_rs::UTF_16BE)),
        _ if !is_text => None,
        [0, 0, 0, character, ..] if *character > 0 => Some(Transcoder::utf32(true)),
        [character, 0, 0, 0, ..] if *character > 0 => Some(Transcoder::utf32(false)),
        [0, character, ..] if *character > 0 => Some(Transcoder::of(encoding_rs::UTF_16BE)),
        [character, 0, ..] if *character > 0 => Some(Transcoder::of(encoding_rs::UTF_16LE)),
        _ => None,
    }
}

/// A reader of a body in one character set.
struct Reader {
    format: Format,
    outcome: BodyOutcome,
    place: Place,
    /// Whether the body begins like JSON or XML.
    is_structured: bool,
    /// The beginning of the body until its format is known, and then the end of a chunk.
    carry: Carry,
    /// Reads what looks like another format as the form that its type says it is.
    form: Option<Box<Form>>,
    check: TextCheck,
}

#[allow(clippy::large_enum_variant)] // on the heap only with all of the reader
enum Format {
    /// Not known yet.
    Unknown,
    UrlEncoded(UrlEncoded),
    Multipart(Multipart),
    Json(Json),
    Xml(Xml),
    Protobuf(Protobuf),
    Text(Window),
    Binary(File),
}

/// The values of a form in what looks like another format.
struct Form {
    reader: UrlEncoded,
    carry: Carry,
    /// Whether the first value has begun.
    is_begun: bool,
}

impl Reader {
    fn new() -> Self {
        Self {
            format: Format::Unknown,
            outcome: BodyOutcome::new(BodyFormat::Empty),
            place: Place::Content,
            is_structured: false,
            carry: Carry::default(),
            form: None,
            check: TextCheck::default(),
        }
    }

    fn outcome(&self) -> BodyOutcome {
        let mut outcome = self.outcome;
        // What does not begin like its type may be compressed.
        let is_text = self.is_structured || outcome.format == BodyFormat::UrlEncoded;
        if is_text && self.check.has_nul {
            outcome.mark(BodyMark::NulByte);
        }
        if (is_text || outcome.format == BodyFormat::Text) && self.check.is_invalid {
            outcome.mark(BodyMark::InvalidUtf8);
        }
        outcome
    }

    fn feed(
        &mut self,
        head: &BodyHead,
        limits: &BodyLimits,
        bytes: &[u8],
        last: bool,
        visit: &mut dyn FnMut(Parameter<'_>),
    ) {
        if !matches!(self.format, Format::Unknown) {
            return self.read(bytes, last, visit);
        }
        let mut carry = std::mem::take(&mut self.carry);
        carry.feed(bytes, last, &mut |data, last| {
            let mut rest = data;
            if matches!(self.format, Format::Unknown) {
                rest = self.begin(head, limits, data, last);
                if matches!(self.format, Format::Unknown) {
                    return data.len() - rest.len();
                }
            }
            self.read(rest, last, visit);
            data.len()
        });
        if matches!(self.format, Format::Unknown) {
            self.carry = carry;
        }
    }

    /// Chooses the format if enough of the body is there; returns the body without leading blanks.
    fn begin<'d>(&mut self, head: &BodyHead, limits: &BodyLimits, data: &'d [u8], last: bool) -> &'d [u8] {
        let declared = head.declared;
        let (rest, format) = if let Some(format @ (BodyFormat::Multipart | BodyFormat::Protobuf)) = declared {
            (data, format)
        } else {
            let rest = data.trim_ascii_start();
            let format = match rest {
                [] if last => Some(declared.unwrap_or(BodyFormat::Text)),
                // Enough to tell a serialized object.
                [] | [0 | 0x80 | 0xac, ..] if rest.len() < 16 && !last => None,
                _ => sniff::choose(declared, rest, last),
            };
            let Some(format) = format else { return rest };
            let is_any = matches!(declared, None | Some(BodyFormat::Binary));
            if runnable::is_serialized(rest) || is_any && runnable::is_pickle(rest) {
                self.outcome.mark(BodyMark::SerializedObject);
            }
            (rest, format)
        };
        self.outcome.format = format;
        self.is_structured =
            matches!(rest, [b'{' | b'[' | b'<', ..]) && matches!(format, BodyFormat::Json | BodyFormat::Xml);
        if declared != Some(format) {
            self.outcome.mark(BodyMark::Sniffed);
        }
        let is_form = declared == Some(BodyFormat::UrlEncoded);
        if is_form || format == BodyFormat::UrlEncoded {
            self.place = Place::Form;
        }
        if is_form && format != BodyFormat::UrlEncoded {
            self.form = Some(Box::new(Form {
                reader: UrlEncoded::in_value(limits.max_fields),
                carry: Carry::default(),
                is_begun: false,
            }));
        }
        self.format = match format {
            BodyFormat::UrlEncoded => Format::UrlEncoded(UrlEncoded::new(limits.max_fields)),
            BodyFormat::Multipart => Format::Multipart(Multipart::new(head, limits)),
            BodyFormat::Json => Format::Json(Json::new(limits)),
            BodyFormat::Xml => Format::Xml(Xml::new(limits)),
            BodyFormat::Protobuf => Format::Protobuf(Protobuf::new(head.has_frames)),
            BodyFormat::Text | BodyFormat::Empty => Format::Text(Window::default()),
            BodyFormat::Binary => Format::Binary(File::new(FileKind::Body, limits.max_file_bytes)),
        };
        rest
    }

    /// Reads more of the body in its format.
    fn read(&mut self, bytes: &[u8], last: bool, visit: &mut dyn FnMut(Parameter<'_>)) {
        let mut sink = Sink { visit, place: self.place, outcome: &mut self.outcome };
        let sink = &mut sink;
        if !matches!(self.format, Format::Multipart(_) | Format::Protobuf(_) | Format::Binary(_)) {
            self.check.push(bytes, last);
        }
        match &mut self.format {
            Format::Unknown => {}
            Format::UrlEncoded(reader) => {
                self.carry.feed(bytes, last, &mut |data, last| reader.step(data, last, sink));
            }
            Format::Multipart(reader) => {
                self.carry.feed(bytes, last, &mut |data, last| reader.step(data, last, sink));
            }
            Format::Json(reader) => {
                self.carry.feed(bytes, last, &mut |data, last| reader.step(data, last, sink));
            }
            Format::Xml(reader) => {
                self.carry.feed(bytes, last, &mut |data, last| reader.step(data, last, sink));
            }
            Format::Protobuf(reader) => {
                self.carry.feed(bytes, last, &mut |data, last| reader.step(data, last, sink));
            }
            Format::Text(window) => {
                if last && window.is_empty() {
                    sink.give(b"", bytes, Part::Raw);
                } else {
                    sink.push(window, b"", bytes, Part::Raw);
                    if last {
                        sink.end(window, b"", Part::Raw);
                    }
                }
            }
            Format::Binary(file) => {
                file.push(bytes, b"", sink);
                if last {
                    file.end(b"", sink);
                }
            }
        }
        if let Some(form) = &mut self.form {
            form.read(bytes, last, sink);
        }
    }
}

impl Form {
    /// Reads what follows the first equals sign: the application finds values where the document has text.
    fn read(&mut self, bytes: &[u8], last: bool, sink: &mut Sink<'_>) {
        let mut rest = bytes;
        if !self.is_begun {
            let Some(equals) = memchr::memchr(b'=', bytes) else { return };
            self.is_begun = true;
            rest = bytes.get(equals + 1..).unwrap_or_default();
        }
        let reader = &mut self.reader;
        self.carry.feed(rest, last, &mut |data, last| reader.step(data, last, sink));
    }
}
