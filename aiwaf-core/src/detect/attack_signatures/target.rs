//! The fields of a request, as rules name them.

use serde::Deserialize;

use crate::decode::{Parameter, Part, Place};

/// A kind of field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The whole path.
    Path,
    /// One segment of the path.
    Segment,
    /// The value of a parameter of the query.
    QueryValue,
    /// The name of a parameter of the query.
    QueryName,
    /// The value of a field of the body.
    BodyValue,
    /// The name of a field of the body.
    BodyName,
    /// A body, or the rest of one, that could not be taken apart.
    BodyText,
    /// The name of an uploaded file.
    FileName,
    /// The beginning of an uploaded file.
    FileContent,
    /// The value of a cookie.
    CookieValue,
    /// The name of a cookie.
    CookieName,
    /// The header `User-Agent`.
    UserAgent,
    /// The header `Referer`.
    Referer,
    /// Any other header.
    Header,
    /// The whole query.
    Query,
    /// The user's name or the password in a header with Basic credentials.
    Credential,
}

impl Target {
    /// What a parameter that was found while taking the query, a cookie or a body apart is to the rules.
    pub(super) fn of(parameter: &Parameter<'_>) -> Self {
        match (parameter.place, parameter.part) {
            (Place::Query, Part::Name) => Self::QueryName,
            (Place::Query, _) => Self::QueryValue,
            (Place::Cookie, Part::Name) => Self::CookieName,
            (Place::Cookie, _) => Self::CookieValue,
            (_, Part::Name) => Self::BodyName,
            (_, Part::FileName) => Self::FileName,
            (_, Part::FileContent) => Self::FileContent,
            (_, Part::Raw) => Self::BodyText,
            (_, Part::Value) => Self::BodyValue,
        }
    }
}

/// Kinds of fields; asking costs a machine word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct TargetSet(u16);

impl TargetSet {
    pub(super) const fn of(targets: &[Target]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < targets.len() {
            bits |= 1 << targets[index] as u16;
            index += 1;
        }
        Self(bits)
    }

    pub(super) const fn contains(self, target: Target) -> bool {
        self.0 & 1 << target as u16 != 0
    }

    pub(super) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What a rule says that it looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FieldGroup {
    /// The whole path.
    Path,
    /// Segments of the path, values of query and body, and Basic credentials.
    Arguments,
    /// Segments of the path, and values of the query.
    UrlArguments,
    /// Names of parameters of query and body.
    Names,
    /// Names and values of cookies.
    Cookies,
    /// `User-Agent`.
    UserAgent,
    /// `Referer`.
    Referer,
    /// All other headers.
    Headers,
    /// Names of uploaded files.
    FileNames,
    /// Beginnings of uploaded files.
    FileContents,
    /// Bodies that can't be taken apart.
    BodyText,
    /// The whole query, before it is taken apart.
    Query,
}

impl FieldGroup {
    pub(super) const fn targets(self) -> TargetSet {
        match self {
            Self::Path => TargetSet::of(&[Target::Path]),
            Self::Arguments => TargetSet::of(&[
                Target::Segment,
                Target::QueryValue,
                Target::BodyValue,
                Target::BodyText,
                Target::Credential,
            ]),
            Self::UrlArguments => TargetSet::of(&[Target::Segment, Target::QueryValue]),
            Self::Names => TargetSet::of(&[Target::QueryName, Target::BodyName]),
            Self::Cookies => TargetSet::of(&[Target::CookieName, Target::CookieValue]),
            Self::UserAgent => TargetSet::of(&[Target::UserAgent]),
            Self::Referer => TargetSet::of(&[Target::Referer]),
            Self::Headers => TargetSet::of(&[Target::Header]),
            Self::FileNames => TargetSet::of(&[Target::FileName]),
            Self::FileContents => TargetSet::of(&[Target::FileContent]),
            Self::BodyText => TargetSet::of(&[Target::BodyText]),
            Self::Query => TargetSet::of(&[Target::Query]),
        }
    }
}

/// What a rule looks at unless it says otherwise: whatever an application may put into a query, a page or a command.
pub(super) const DEFAULT_TARGETS: TargetSet = FieldGroup::Arguments
    .targets()
    .union(FieldGroup::Names.targets())
    .union(FieldGroup::Cookies.targets())
    .union(FieldGroup::UserAgent.targets())
    .union(FieldGroup::Referer.targets())
    .union(FieldGroup::Headers.targets())
    .union(FieldGroup::FileNames.targets());
