//! The result of reading a body.

use serde::Deserialize;

/// The result of reading a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BodyOutcome {
    /// The format that it was read as.
    pub(crate) format: BodyFormat,
    marks: u64,
}

impl BodyOutcome {
    pub(super) fn new(format: BodyFormat) -> Self {
        Self { format, marks: 0 }
    }

    pub(super) fn mark(&mut self, mark: BodyMark) {
        self.marks |= 1 << mark as u64;
        if mark.is_ambiguity() {
            self.marks |= 1 << BodyMark::Ambiguous as u64;
        }
    }

    /// Adds the marks of another outcome.
    pub(super) fn add_marks(&mut self, other: Self) {
        self.marks |= other.marks;
    }

    /// Reports whether the body has this mark.
    pub(crate) fn has(self, mark: BodyMark) -> bool {
        self.marks & 1 << mark as u64 != 0
    }

    /// Iterates over the marks.
    pub(crate) fn marks(self) -> impl Iterator<Item = BodyMark> {
        BodyMark::ALL.into_iter().filter(move |mark| self.has(*mark))
    }
}

/// The format that a body is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyFormat {
    /// No bytes.
    Empty,
    /// `application/x-www-form-urlencoded`.
    UrlEncoded,
    /// `multipart/form-data` and its kin.
    Multipart,
    /// JSON, or several JSON values one after the other.
    Json,
    /// XML.
    Xml,
    /// Any other text.
    Text,
    /// Protocol Buffers, with or without the frames of gRPC.
    Protobuf,
    /// Not text: an image, an archive, a compressed body.
    Binary,
}

macro_rules! body_marks {
    ($($(#[$doc:meta])* $mark:ident),* $(,)?) => {
        /// A remarkable property of a body. Rules name it in snake case, as `body_mark`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum BodyMark {
            $($(#[$doc])* $mark),*
        }

        impl BodyMark {
            /// All marks.
            const ALL: [Self; [$(Self::$mark),*].len()] = [$(Self::$mark),*];
        }
    };
}

body_marks! {
    /// It is read as another format than its content type says, or has no content type.
    Sniffed,
    /// It violates its format.
    Malformed,
    /// It has more fields than are taken apart; the rest is judged as raw text.
    TooManyFields,
    /// It is nested deeper than is followed; the rest is judged as raw text.
    TooDeep,
    /// It goes on behind what was read.
    Truncated,
    /// JSON with a number of more digits than any application needs.
    BigNumber,
    /// A character set in which ASCII is spelled by other bytes (UTF-7, UTF-16, EBCDIC, ISO-2022), for the body or a part.
    HidingCharset,
    /// A multipart part without a name, or with a file name in an extended form: field to some parsers, file to others.
    AmbiguousPart,
    /// XML with a document type.
    Doctype,
    /// XML that declares entities.
    Entity,
    /// XML that declares something to be fetched from elsewhere.
    ExternalEntity,
    /// Any of the marks for what well-known clients never send and parsers read differently.
    Ambiguous,
    /// Several `Content-Type` headers that differ.
    DuplicateContentType,
    /// A parameter of `Content-Type` or `Content-Disposition` that occurs twice, or in parts (`boundary*0=`).
    DuplicateParameter,
    /// A parameter whose value is followed by more text, or whose quotation does not end.
    BadQuoting,
    /// A multipart boundary that violates RFC 2046 or holds a comma.
    BadBoundary,
    /// A form with parts, but without a boundary in its content type.
    MissingBoundary,
    /// A multipart boundary within a line, before or behind other text, or behind a bare carriage return.
    LooseDelimiter,
    /// A line end of multipart without a carriage return.
    BareLineFeed,
    /// A part of a form that is encoded in Base64 or quoted-printable.
    EncodedPart,
    /// A part with a header that is folded, repeated, has no colon or holds control characters.
    BadPartHeader,
    /// A NUL byte where text belongs.
    NulByte,
    /// Multipart that ends without its final boundary.
    UnclosedMultipart,
    /// JSON with comments.
    JsonComment,
    /// Text that is not UTF-8.
    InvalidUtf8,
    /// A serialized object of Java, .NET or Python, in binary.
    SerializedObject,
    /// A compressed frame of gRPC, which is not looked into.
    CompressedFrame,
}

impl BodyMark {
    /// Reports whether parsers are known to differ on it and no well-known client sends it.
    const fn is_ambiguity(self) -> bool {
        matches!(
            self,
            Self::DuplicateContentType
                | Self::DuplicateParameter
                | Self::BadQuoting
                | Self::BadBoundary
                | Self::MissingBoundary
                | Self::LooseDelimiter
                | Self::BareLineFeed
                | Self::EncodedPart
                | Self::BadPartHeader
                | Self::NulByte
        )
    }
}
