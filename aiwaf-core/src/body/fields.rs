//! Where the parsers put what they find, within the limits.

use super::{BodyMark, BodyOutcome};
use crate::decode::{Parameter, Part, Place, urlencoded_parameters};

/// Passes names and values on to whoever judges them, as many as are allowed, and remembers what is remarkable.
pub(super) struct Fields<'v> {
    visit: &'v mut dyn FnMut(Parameter<'_>),
    /// So many more are taken apart.
    left: usize,
    /// How what is found is encoded, apart from the body's own format.
    place: Place,
    pub(super) outcome: BodyOutcome,
}

impl<'v> Fields<'v> {
    pub(super) fn new(
        visit: &'v mut dyn FnMut(Parameter<'_>),
        max: usize,
        place: Place,
        outcome: BodyOutcome,
    ) -> Self {
        Self { visit, left: max, place, outcome }
    }

    /// Takes one more field, unless there were too many.
    pub(super) fn take(&mut self) -> bool {
        if self.left == 0 {
            self.outcome.mark(BodyMark::TooManyFields);
            return false;
        }
        self.left -= 1;
        true
    }

    /// Passes `value` on unless it is empty.
    pub(super) fn give(&mut self, name: &[u8], value: &[u8], part: Part) {
        if !value.is_empty() {
            (self.visit)(Parameter { name, value, part, place: self.place });
        }
    }

    /// Takes an urlencoded body apart.
    pub(super) fn give_urlencoded(&mut self, body: &[u8]) {
        if !urlencoded_parameters(body, Place::Form, self.left, self.visit) {
            self.outcome.mark(BodyMark::TooManyFields);
        }
    }

    /// Passes on what could not be taken apart.
    pub(super) fn give_rest(&mut self, mark: BodyMark, rest: &[u8]) {
        self.outcome.mark(mark);
        self.give(b"", rest.trim_ascii(), Part::Raw);
    }

    /// Whether the body may go on after what is looked at, so that an end in the middle is no mistake.
    pub(super) fn may_go_on(&self) -> bool {
        self.outcome.has(BodyMark::Truncated)
    }
}

/// Why a parser stopped before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The text ends in the middle.
    End,
    Malformed,
    TooManyFields,
    TooDeep,
}

impl Stop {
    /// What is then to be said about the body, if all of it was there.
    pub(super) fn mark(self) -> BodyMark {
        match self {
            Self::TooManyFields => BodyMark::TooManyFields,
            Self::TooDeep => BodyMark::TooDeep,
            Self::End | Self::Malformed => BodyMark::Malformed,
        }
    }
}
