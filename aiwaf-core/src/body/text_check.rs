//! Properties of text that arrives in parts.

/// Finds NUL bytes and invalid UTF-8.
#[derive(Default)]
pub(super) struct TextCheck {
    pub(super) has_nul: bool,
    pub(super) is_invalid: bool,
    /// The beginning of a character that is incomplete.
    held: [u8; 4],
    length: usize,
}

impl TextCheck {
    pub(super) fn push(&mut self, bytes: &[u8], last: bool) {
        self.has_nul = self.has_nul || memchr::memchr(0, bytes).is_some();
        let mut rest = bytes;
        while self.length > 0 && !self.is_invalid {
            let Some((byte, after)) = rest.split_first() else { break };
            self.held[self.length % 4] = *byte;
            self.length += 1;
            rest = after;
            match std::str::from_utf8(self.held.get(..self.length).unwrap_or(&self.held)) {
                Ok(_) => self.length = 0,
                Err(error) => self.is_invalid = error.error_len().is_some(),
            }
        }
        // Most text is ASCII, which is quicker to tell.
        if self.length == 0
            && !self.is_invalid
            && !rest.is_ascii()
            && let Err(error) = std::str::from_utf8(rest)
        {
            self.is_invalid = error.error_len().is_some();
            let start = rest.get(error.valid_up_to()..).unwrap_or_default();
            if let Some(room) = self.held.get_mut(..start.len()).filter(|_| !self.is_invalid) {
                room.copy_from_slice(start);
                self.length = start.len();
            }
        }
        self.is_invalid |= last && self.length > 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn validity_does_not_depend_on_arrival(
            text in proptest::collection::vec(prop_oneof![
                3 => any::<char>().prop_map(|c| c.to_string().into_bytes()),
                1 => proptest::collection::vec(0x80u8.., 0..2),
            ], 0..8),
            size in 1usize..6,
        ) {
            let text = text.concat();
            let mut check = TextCheck::default();
            for part in text.chunks(size) {
                check.push(part, false);
            }
            check.push(b"", true);
            prop_assert_eq!(check.is_invalid, std::str::from_utf8(&text).is_err());
            prop_assert_eq!(check.has_nul, text.contains(&0));
        }
    }
}
