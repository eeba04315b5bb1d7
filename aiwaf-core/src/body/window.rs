//! Values of any length, visited in overlapping pieces of bounded size.

/// Maximum bytes of a value that are judged in one piece.
pub(super) const WINDOW: usize = 16 * 1024;

/// Bytes that neighboring pieces share, so that nothing shorter is cut in two.
pub(super) const OVERLAP: usize = 1024;

/// Distance between the beginnings of neighboring pieces.
const STEP: usize = WINDOW - OVERLAP;

/// Shows `value` whole if it fits the window, otherwise in overlapping pieces.
#[inline]
pub(super) fn pieces(mut value: &[u8], mut show: impl FnMut(&[u8])) {
    while let Some(piece) = value.get(..WINDOW).filter(|_| value.len() > WINDOW) {
        show(piece);
        value = value.get(STEP..).unwrap_or_default();
    }
    if !value.is_empty() {
        show(value);
    }
}

/// A value that arrives in parts. Pieces begin at multiples of a fixed distance from the value's beginning, so that they
/// don't depend on how it arrives. Holds at most [`WINDOW`] bytes.
#[derive(Default)]
pub(super) struct Window {
    held: Vec<u8>,
    /// Whether a piece was shown already.
    has_shown: bool,
}

impl Window {
    /// Reports whether nothing of the value has arrived yet.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Returns the value so far, unless a piece of it was shown already.
    pub(super) fn unshown(&self) -> Option<&[u8]> {
        (!self.has_shown).then_some(&self.held)
    }

    /// Appends to the value, and shows the pieces that are then complete.
    pub(super) fn push(&mut self, mut bytes: &[u8], mut show: impl FnMut(&[u8])) {
        while self.held.len() + bytes.len() > WINDOW {
            self.has_shown = true;
            if self.held.is_empty() {
                show(bytes.get(..WINDOW).unwrap_or(bytes));
                bytes = bytes.get(STEP..).unwrap_or_default();
                continue;
            }
            let (now, later) = bytes.split_at(WINDOW - self.held.len());
            self.held.extend_from_slice(now);
            show(&self.held);
            if let Some(shared) = now.len().checked_sub(OVERLAP) {
                // The next piece lies in `bytes`, which needs no copy.
                self.held.clear();
                bytes = bytes.get(shared..).unwrap_or_default();
            } else {
                self.held.drain(..STEP);
                bytes = later;
            }
        }
        self.held.extend_from_slice(bytes);
    }

    /// Ends the value and shows the rest of it.
    pub(super) fn end(&mut self, show: impl FnOnce(&[u8])) {
        if !self.held.is_empty() {
            show(&self.held);
        }
        self.clear();
    }

    /// Forgets the value.
    pub(super) fn clear(&mut self) {
        self.held.clear();
        self.has_shown = false;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces_of(value: &[u8]) -> Vec<Vec<u8>> {
        let mut shown = Vec::new();
        pieces(value, |piece| shown.push(piece.to_vec()));
        shown
    }

    #[test]
    fn every_short_text_lies_within_a_piece() {
        let value: Vec<u8> = (0..=u16::MAX).take(3 * WINDOW + 77).flat_map(u16::to_be_bytes).collect();
        let shown = pieces_of(&value);
        assert!(shown.iter().all(|piece| piece.len() <= WINDOW));
        for start in (0..value.len() - OVERLAP).step_by(OVERLAP / 2 - 1) {
            let text = &value[start..start + OVERLAP];
            assert!(shown.iter().any(|piece| memchr::memmem::find(piece, text).is_some()), "{start}");
        }
        assert_eq!(pieces_of(&value[..WINDOW]), [&value[..WINDOW]]);
    }

    proptest! {
        #[test]
        fn pieces_do_not_depend_on_arrival(
            length in prop_oneof![0usize..100, WINDOW - 3..WINDOW + 3, 0usize..5 * WINDOW],
            parts in proptest::collection::vec(prop_oneof![1usize..40, 1000usize..40_000], 1..40),
        ) {
            let value: Vec<u8> = (0..=250).cycle().take(length).collect();
            let (mut window, mut shown) = (Window::default(), Vec::new());
            let mut rest = &value[..];
            for part in parts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at(rest.len().min(*part));
                window.push(now, |piece| shown.push(piece.to_vec()));
                prop_assert!(window.held.len() <= WINDOW);
                rest = later;
            }
            window.end(|piece| shown.push(piece.to_vec()));
            prop_assert_eq!(shown, pieces_of(&value));
        }
    }
}
