//! The headers that say how a body is to be read.

use smallvec::SmallVec;

use super::charset::{self, Transcoder};
use super::parameters::HeaderParameters;
use super::{BodyFormat, BodyMark, BodyOutcome};

/// What the `Content-Type` headers of a request say. Owned, and small.
pub(crate) struct BodyHead {
    has_type: bool,
    /// The format that is promised; `None` for a type that says nothing or is unknown.
    pub(super) declared: Option<BodyFormat>,
    /// Whether it is `multipart/form-data`.
    pub(super) is_form_data: bool,
    /// Whether messages have the frames of gRPC.
    pub(super) has_frames: bool,
    pub(super) boundary: Option<Boundary>,
    /// A name of a character set that hides ASCII, as far as it is needed.
    pub(super) charset: SmallVec<[u8; 32]>,
    pub(super) outcome: BodyOutcome,
}

/// The text of a multipart boundary.
pub(super) type Boundary = SmallVec<[u8; 64]>;

/// Maximum length of a boundary (RFC 2046, 5.1.1).
pub(super) const MAX_BOUNDARY: usize = 70;

/// Longer boundaries than the limit that are still used.
pub(super) const MAX_USED_BOUNDARY: usize = 4 * MAX_BOUNDARY;

impl Default for BodyHead {
    /// The head of a body without a content type.
    fn default() -> Self {
        Self {
            has_type: false,
            declared: None,
            is_form_data: false,
            has_frames: false,
            boundary: None,
            charset: SmallVec::new(),
            outcome: BodyOutcome::new(BodyFormat::Empty),
        }
    }
}

impl BodyHead {
    /// Reads the values of all `Content-Type` headers.
    #[cfg(any(test, feature = "internals"))]
    pub(crate) fn new<'h>(content_types: impl IntoIterator<Item = &'h [u8]>) -> Self {
        let mut head = Self::default();
        for value in content_types {
            head.add(value);
        }
        head
    }

    /// Reads the value of a `Content-Type` header. The first one counts; others are marked if they say something else.
    pub(crate) fn add(&mut self, content_type: &[u8]) {
        let other = Self::of(content_type);
        if !self.has_type {
            *self = other;
        } else if (self.declared, self.is_form_data, self.has_frames, &self.boundary, &self.charset)
            != (other.declared, other.is_form_data, other.has_frames, &other.boundary, &other.charset)
        {
            self.outcome.mark(BodyMark::DuplicateContentType);
        }
    }

    fn of(header: &[u8]) -> Self {
        let mut head = Self { has_type: true, ..Self::default() };
        // Some separate parameters by a comma, as if there were several types; the first type counts.
        let end = memchr::memchr2(b';', b',', header).unwrap_or(header.len());
        let (essence, parameters) = header.split_at(end);
        let essence = essence.trim_ascii();
        head.declared = format(essence);
        head.is_form_data = essence.eq_ignore_ascii_case(b"multipart/form-data");
        head.has_frames = starts_with(essence, b"application/grpc");
        if !parameters.is_empty() {
            head.read_parameters(parameters);
        }
        if head.declared == Some(BodyFormat::Multipart) {
            head.check_boundary(parameters);
        }
        head
    }

    fn read_parameters(&mut self, parameters: &[u8]) {
        let is_multipart = self.declared == Some(BodyFormat::Multipart);
        let mut has_charset = false;
        for parameter in HeaderParameters::new(parameters, true) {
            let (name, is_extended) = parameter.base_name();
            let is_charset = name.eq_ignore_ascii_case(b"charset");
            let is_boundary = name.eq_ignore_ascii_case(b"boundary") && is_multipart;
            if !is_charset && !is_boundary {
                continue;
            }
            if is_extended
                || is_charset && std::mem::replace(&mut has_charset, true)
                || is_boundary && self.boundary.is_some()
            {
                self.outcome.mark(BodyMark::DuplicateParameter);
            }
            if parameter.is_badly_quoted {
                self.outcome.mark(BodyMark::BadQuoting);
            }
            if is_boundary && !is_extended && self.boundary.is_none() {
                self.boundary = Some(parameter.value.iter().copied().take(MAX_USED_BOUNDARY + 1).collect());
            } else if is_charset && charset::hides_ascii(parameter.value) {
                self.outcome.mark(BodyMark::HidingCharset);
                self.charset = parameter.value.iter().copied().take(32).collect();
            }
        }
    }

    fn check_boundary(&mut self, parameters: &[u8]) {
        let usable = |boundary: &Boundary| !boundary.is_empty() && boundary.len() <= MAX_USED_BOUNDARY;
        let Some(boundary) = self.boundary.take_if(|boundary| usable(boundary)) else {
            self.boundary = None;
            return;
        };
        let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_-./:=? ".contains(byte);
        let mut without_commas = HeaderParameters::new(parameters, false);
        let has_comma = without_commas
            .find(|parameter| parameter.is(b"boundary"))
            .is_none_or(|parameter| parameter.value != &*boundary || boundary.contains(&b','));
        if boundary.len() > MAX_BOUNDARY
            || boundary.last() == Some(&b' ')
            || has_comma
            || !boundary.iter().all(is_allowed)
        {
            self.outcome.mark(BodyMark::BadBoundary);
        }
        self.boundary = Some(boundary);
    }

    /// Returns a decoder for the body, if its character set hides ASCII.
    pub(super) fn transcoder(&self) -> Option<Transcoder> {
        Transcoder::new(&self.charset)
    }
}

/// Returns the format that a media type promises.
fn format(essence: &[u8]) -> Option<BodyFormat> {
    let is = |known: &&[u8]| essence.eq_ignore_ascii_case(known);
    if essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
        Some(BodyFormat::UrlEncoded)
    } else if starts_with(essence, b"multipart/") {
        Some(BodyFormat::Multipart)
    } else if PROTOBUF.iter().any(is) {
        Some(BodyFormat::Protobuf)
    } else if JSON.iter().any(|end| ends_with(essence, end)) {
        Some(BodyFormat::Json)
    } else if [&b"/xml"[..], b"+xml", b"-xml"].iter().any(|end| ends_with(essence, end)) {
        Some(BodyFormat::Xml)
    } else if starts_with(essence, b"text/") {
        Some(BodyFormat::Text)
    } else if [&b"image/"[..], b"audio/", b"video/", b"font/"].iter().any(|start| starts_with(essence, start))
        || BINARY.iter().any(is)
    {
        Some(BodyFormat::Binary)
    } else {
        None
    }
}

/// Endings of types of JSON, or of several JSON documents.
const JSON: [&[u8]; 9] =
    [b"/json", b"+json", b"-json", b"/csp-report", b"-ndjson", b"/ndjson", b"/jsonl", b"json-seq", b"/json5"];

/// Types of Protocol Buffers. Anything else that begins like them is read as what it looks like.
const PROTOBUF: [&[u8]; 6] = [
    b"application/grpc",
    b"application/grpc+proto",
    b"application/grpc-web",
    b"application/grpc-web+proto",
    b"application/protobuf",
    b"application/x-protobuf",
];

/// Types of bodies that are not text, unless they are.
const BINARY: [&[u8]; 4] = [b"application/gzip", b"application/zip", b"application/pdf", b"application/wasm"];

fn starts_with(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start))
}

fn ends_with(text: &[u8], end: &[u8]) -> bool {
    text.len()
        .checked_sub(end.len())
        .and_then(|start| text.get(start..))
        .is_some_and(|text| text.eq_ignore_ascii_case(end))
}
