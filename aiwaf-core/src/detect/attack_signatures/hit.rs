//! A rule that fired, as a verdict lists it.

use std::fmt;

use super::category::{AttackCategory, Severity};
use crate::verdict::Match;

/// A rule that fired, and at what.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignatureHit {
    /// The rule's id, by which it can be disabled, demoted and excluded.
    pub rule: Box<str>,
    /// The kind of attack.
    pub category: AttackCategory,
    /// How much it counts.
    pub severity: Severity,
    /// Whether the text only talks about what matched, so that it counts as a notice.
    pub is_mention: bool,
    /// The field that matched, and the part of it.
    pub matched: Match,
}

/// `sql-break-out at query parameter q`.
impl fmt::Display for SignatureHit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.rule, self.matched.field)
    }
}
