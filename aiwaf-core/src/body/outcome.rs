//! What became of taking a body apart.

/// What became of taking a body apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BodyOutcome {
    /// As what it was read.
    pub(crate) format: BodyFormat,
    marks: u16,
}

impl BodyOutcome {
    pub(super) fn new(format: BodyFormat) -> Self {
        Self { format, marks: 0 }
    }

    pub(super) fn mark(&mut self, mark: BodyMark) {
        self.marks |= 1 << mark as u16;
    }

    /// Whether this is to be said about it.
    pub(crate) fn has(self, mark: BodyMark) -> bool {
        self.marks & 1 << mark as u16 != 0
    }

    /// All that is to be said about it.
    pub(crate) fn marks(self) -> impl Iterator<Item = BodyMark> {
        BodyMark::ALL.into_iter().filter(move |mark| self.has(*mark))
    }
}

/// What a body is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyFormat {
    /// Nothing.
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
    /// No text: an image, an archive, a compressed body.
    Binary,
}

/// What is remarkable about a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyMark {
    /// It is read as something else than its content type says, or has none.
    Sniffed,
    /// It breaks the rules of its format; from there on it came as raw text.
    Malformed,
    /// It has more fields than are taken apart; the rest came as raw text.
    TooManyFields,
    /// It is nested deeper than is followed; the rest came as raw text.
    TooDeep,
    /// It fills what is looked at: there may be more, which was not.
    Truncated,
    /// JSON with a number of so many digits that no application needs it.
    BigNumber,
    /// Its content type names a character set in which ASCII is spelled by other bytes (UTF-7, UTF-16, EBCDIC).
    HidingCharset,
    /// A multipart part that parsers read differently: with two names, or a file's name spelled in an odd way.
    AmbiguousPart,
    /// XML with a document type.
    Doctype,
    /// XML that declares entities.
    Entity,
    /// XML that declares something to be fetched from elsewhere.
    ExternalEntity,
}

impl BodyMark {
    /// All marks.
    pub(crate) const ALL: [Self; 11] = [
        Self::Sniffed,
        Self::Malformed,
        Self::TooManyFields,
        Self::TooDeep,
        Self::Truncated,
        Self::BigNumber,
        Self::HidingCharset,
        Self::AmbiguousPart,
        Self::Doctype,
        Self::Entity,
        Self::ExternalEntity,
    ];
}
