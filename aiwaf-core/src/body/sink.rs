//! The receiver of everything that readers find.

use super::window::{Window, pieces};
use super::{BodyMark, BodyOutcome};
use crate::decode::{Parameter, Part, Place};

/// Passes names and values on to the visitor, and collects marks.
pub(super) struct Sink<'v> {
    pub(super) visit: &'v mut dyn FnMut(Parameter<'_>),
    /// How values are encoded, apart from the body's own format.
    pub(super) place: Place,
    pub(super) outcome: &'v mut BodyOutcome,
}

impl Sink<'_> {
    pub(super) fn mark(&mut self, mark: BodyMark) {
        self.outcome.mark(mark);
    }

    /// Passes `value` on unless it is empty; in pieces if it is longer than a window.
    #[inline]
    pub(super) fn give(&mut self, name: &[u8], value: &[u8], part: Part) {
        pieces(value, |value| (self.visit)(Parameter { name, value, part, place: self.place }));
    }

    /// Appends to a value that is incomplete.
    pub(super) fn push(&mut self, window: &mut Window, name: &[u8], bytes: &[u8], part: Part) {
        window.push(bytes, |value| (self.visit)(Parameter { name, value, part, place: self.place }));
    }

    /// Passes the rest of a value on.
    pub(super) fn end(&mut self, window: &mut Window, name: &[u8], part: Part) {
        window.end(|value| (self.visit)(Parameter { name, value, part, place: self.place }));
    }

    /// Appends to raw text, which does not begin with white space.
    pub(super) fn push_raw(&mut self, window: &mut Window, bytes: &[u8]) {
        let bytes = if window.is_empty() { bytes.trim_ascii_start() } else { bytes };
        self.push(window, b"", bytes, Part::Raw);
    }

    /// Passes the rest of raw text on, without white space at its end.
    pub(super) fn end_raw(&mut self, window: &mut Window) {
        let place = self.place;
        window.end(|value| {
            let value = value.trim_ascii_end();
            if !value.is_empty() {
                (self.visit)(Parameter { name: b"", value, part: Part::Raw, place });
            }
        });
    }
}

/// Number of further fields that a reader takes apart.
pub(super) struct Budget(usize);

impl Budget {
    pub(super) fn new(max: usize) -> Self {
        Self(max)
    }

    /// Takes one field, and reports whether there was one left.
    #[inline]
    pub(super) fn take(&mut self) -> bool {
        let left = self.0.checked_sub(1);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }

    /// Reports whether no field is left.
    #[inline]
    pub(super) fn is_spent(&self) -> bool {
        self.0 == 0
    }
}
