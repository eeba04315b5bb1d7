//! The names of the elements that are open.

use smallvec::SmallVec;

/// The names of the elements that are open, one behind the other.
#[derive(Default)]
pub(super) struct OpenElements {
    names: SmallVec<[u8; 128]>,
    /// Where each name begins.
    starts: SmallVec<[u32; 16]>,
}

impl OpenElements {
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Returns the name of the innermost element, or nothing outside of all.
    pub(super) fn last(&self) -> &[u8] {
        let start = self.starts.last().map_or(self.names.len(), |start| *start as usize);
        self.names.get(start..).unwrap_or_default()
    }

    pub(super) fn open(&mut self, name: &[u8]) {
        // The depth and the length of names are limited.
        self.starts.push(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        self.names.extend_from_slice(name);
    }

    /// Closes the innermost element, if that is its name.
    pub(super) fn close(&mut self, name: &[u8]) -> bool {
        let closes = !self.is_empty() && self.last() == name;
        if closes {
            self.close_last();
        }
        closes
    }

    pub(super) fn close_last(&mut self) {
        if let Some(start) = self.starts.pop() {
            self.names.truncate(start as usize);
        }
    }
}
