//! The detectors that a rule can name in place of a pattern: they read tokens, which no regular expression does.

use std::ops::Range;

use serde::Deserialize;

use super::{document_type, html, sql};

/// A detector, by the name that rules give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Detector {
    /// SQL behind a quote that the value closes.
    SqlBreakOut,
    /// SQL that stands by itself.
    SqlExpression,
    /// SQL in a spelling that servers undo.
    SqlHidden,
    /// Tags and attributes that run code.
    HtmlActiveContent,
    /// Document types that a parser fetches from a host which publishes no standard.
    XmlExternalSubset,
}

impl Detector {
    /// Whether it finds the same whatever the case of letters; otherwise it has to be given lower case.
    pub(super) fn reads_any_case(self) -> bool {
        match self {
            Self::SqlBreakOut | Self::SqlExpression | Self::SqlHidden => true,
            Self::HtmlActiveContent | Self::XmlExternalSubset => false,
        }
    }

    pub(super) fn find(self, text: &[u8]) -> Option<Range<usize>> {
        match self {
            Self::SqlBreakOut => sql::break_out(text),
            Self::SqlExpression => sql::expression(text),
            Self::SqlHidden => sql::hidden_sql(text),
            Self::HtmlActiveContent => html::active_content(text),
            Self::XmlExternalSubset => document_type::external_subset(text),
        }
    }
}
