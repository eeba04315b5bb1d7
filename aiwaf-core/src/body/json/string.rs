//! Where strings end, and what their escapes mean.

use crate::decode::Buffer;

/// Where the next quote or backslash stands, and which of them it is.
pub(super) fn end_of_run(text: &[u8]) -> Option<(usize, u8)> {
    near_end_of_run(text).or_else(|| {
        let at = memchr::memchr2(b'"', b'\\', text)?;
        Some((at, text[at]))
    })
}

/// The same, if that is near. Most strings are shorter than it takes to call a faster search.
#[inline]
pub(super) fn near_end_of_run(text: &[u8]) -> Option<(usize, u8)> {
    let (words, _) = text.as_chunks();
    for (number, bytes) in words.iter().take(4).enumerate() {
        let word = u64::from_le_bytes(*bytes);
        let found =
            zeros(word ^ u64::from_le_bytes([b'"'; 8])) | zeros(word ^ u64::from_le_bytes([b'\\'; 8]));
        if found != 0 {
            let at = found.trailing_zeros() as usize / 8;
            return Some((8 * number + at, bytes[at]));
        }
    }
    None
}

/// The highest bit of the first byte that is zero, and perhaps of bytes behind it.
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(u64::from_le_bytes([1; 8])) & !word & u64::from_le_bytes([0x80; 8])
}

/// How many bytes an escape has at most: two of the pair `\ud83d\ude00`.
pub(super) const MAX_ESCAPE: usize = 12;

/// A string without its escapes.
pub(super) struct Unescaped {
    /// The string, and room behind it.
    bytes: Buffer,
    length: usize,
}

impl Unescaped {
    pub(super) fn new() -> Self {
        Self { bytes: Buffer::new(), length: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    /// Length of the string.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Returns the string and the room behind it.
    pub(super) fn with_room(&self) -> &[u8] {
        &self.bytes
    }

    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Appends the first so many bytes of `text`.
    #[inline]
    pub(super) fn add(&mut self, text: &[u8], length: usize) {
        let room = self.bytes.get_mut(self.length..).and_then(|room| room.first_chunk_mut::<SHORT>());
        // To copy as many bytes each time is quicker than to copy just those that are needed.
        if let (Some(room), Some(text), ..=SHORT) = (room, text.first_chunk(), length) {
            *room = *text;
            self.length += length;
        } else {
            self.add_long(text.get(..length).unwrap_or(text));
        }
    }

    #[inline(never)]
    fn add_long(&mut self, text: &[u8]) {
        self.room(text.len()).copy_from_slice(text);
        self.length += text.len();
    }

    /// Appends what the escape means whose text after the backslash begins here; gives that text's length.
    pub(super) fn add_escape(&mut self, text: &[u8]) -> Option<usize> {
        let byte = match text.first()? {
            byte @ (b'"' | b'\\' | b'/') => *byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.add_code_unit(text),
            _ => return None,
        };
        self.room(1)[0] = byte;
        self.length += 1;
        Some(1)
    }

    fn add_code_unit(&mut self, text: &[u8]) -> Option<usize> {
        let unit = code_unit(text)?;
        let low =
            text.get(5..).filter(|rest| rest.first() == Some(&b'\\')).and_then(|rest| code_unit(&rest[1..]));
        let (code, length) = match (unit, low) {
            (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
                (0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00), 11)
            }
            _ => (unit, 5),
        };
        let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        self.length += character.encode_utf8(self.room(4)).len();
        Some(length)
    }

    /// So many bytes behind the string.
    fn room(&mut self, length: usize) -> &mut [u8] {
        let end = self.length + length;
        if self.bytes.len() < end {
            // What is there already, or else twice as much as is needed, so that a long string is not moved often.
            let capacity = self.bytes.capacity();
            self.bytes.resize(if end <= capacity { capacity } else { 2 * end }, 0);
        }
        &mut self.bytes[self.length..end]
    }
}

/// Runs of up to so many bytes are copied as if they had as many.
const SHORT: usize = 32;

/// The number of `u003c`.
fn code_unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_run_ends_with_the_first_quote_or_backslash(
            text in proptest::collection::vec(
                prop_oneof![8 => any::<u8>(), 1 => prop_oneof![Just(b'"'), Just(b'\\'), Just(b'#'), Just(0xa2), Just(0xdc)]],
                0..100,
            ),
        ) {
            let expected = text.iter().position(|byte| b"\"\\".contains(byte)).map(|at| (at, text[at]));
            prop_assert_eq!(end_of_run(&text), expected);
            let searched = text.len() / 8 * 8;
            prop_assert_eq!(near_end_of_run(&text), expected.filter(|(at, _)| *at < searched.min(32)));
        }

        #[test]
        fn what_is_added_stands_one_after_the_other(
            parts in proptest::collection::vec((0usize..80, "n|t|/|u00e9|ud83d\\\\ude00|ud83d"), 0..60),
        ) {
            let (mut text, mut expected) = (Unescaped::new(), Vec::new());
            let run = [b'r'; 100];
            for (length, escape) in &parts {
                text.add(&run, *length);
                expected.extend(&run[..*length]);
                let meaning = match &**escape {
                    "n" => "\n",
                    "t" => "\t",
                    "/" => "/",
                    "u00e9" => "\u{e9}",
                    "ud83d" => "\u{fffd}",
                    _ => "\u{1f600}",
                };
                prop_assert_eq!(text.add_escape(format!("{escape}...").as_bytes()), Some(escape.len()));
                expected.extend(meaning.bytes());
            }
            prop_assert_eq!(text.bytes(), expected);
        }
    }
}
