//! One named value of a request, wherever it stood.

/// A name or a value that a client put into a request, with the name of the parameter that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parameter<'p> {
    /// The parameter's name as an application would know it: decoded once. For JSON the path to it, such as
    /// `user.tags[]`; for XML the element, or element and attribute as `a@href`; empty for what has no name.
    pub(crate) name: &'p [u8],
    /// What is to be judged.
    pub(crate) value: &'p [u8],
    /// Which part of the parameter `value` is.
    pub(crate) part: Part,
    /// Where it stood, which says how it is decoded.
    pub(crate) place: Place,
}

/// What a value is to its parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// The name itself: names are judged, too.
    Name,
    /// The value.
    Value,
    /// The name of an uploaded file.
    FileName,
    /// The beginning of an uploaded file.
    FileContent,
    /// Text that could not be taken apart, or lies beyond a bound.
    Raw,
}

/// Where a value stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// The path.
    Path,
    /// The query; `+` is a blank.
    Query,
    /// An urlencoded body; `+` is a blank.
    Form,
    /// A cookie.
    Cookie,
    /// Another header.
    Header,
    /// A body whose own encoding (of JSON, XML, multipart) is undone already.
    Content,
}

impl Place {
    /// Whether `+` stands for a blank there.
    pub(crate) fn has_plus_for_blank(self) -> bool {
        matches!(self, Self::Query | Self::Form)
    }
}
