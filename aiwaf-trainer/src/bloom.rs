//! Which texts were there, in a fixed amount of memory, and never forgotten.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;

/// Remembers any number of texts. What was added is always found; other texts are found by mistake the more often the
/// more there are: one in a hundred at 800,000. Use it where that harms nobody.
pub(crate) struct TextSet {
    bits: Box<[u64]>,
    hasher: RandomState,
}

/// A mebibyte of bits.
const WORDS: usize = 1 << 17;
const PROBES: u32 = 4;

impl TextSet {
    pub(crate) fn new() -> Self {
        Self { bits: vec![0; WORDS].into_boxed_slice(), hasher: RandomState::default() }
    }

    /// Adds `text`; false if it was there.
    pub(crate) fn insert(&mut self, text: &[u8]) -> bool {
        let hash = self.hasher.hash_one(text);
        let mut is_new = false;
        for (word, mask) in places(hash) {
            if let Some(word) = self.bits.get_mut(word) {
                is_new |= *word & mask == 0;
                *word |= mask;
            }
        }
        is_new
    }

    pub(crate) fn contains(&self, text: &[u8]) -> bool {
        let hash = self.hasher.hash_one(text);
        places(hash).all(|(word, mask)| self.bits.get(word).is_some_and(|word| word & mask != 0))
    }
}

/// Where the bits of a hash are: double hashing by its two halves.
fn places(hash: u64) -> impl Iterator<Item = (usize, u64)> {
    let (start, step) = (hash & 0xffff_ffff, (hash >> 32) | 1);
    (0..u64::from(PROBES)).map(move |probe| {
        let bit = start.wrapping_add(probe.wrapping_mul(step));
        let word = usize::try_from(bit / 64).unwrap_or(0) % WORDS;
        (word, 1 << (bit % 64))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_found_and_little_else() {
        let mut set = TextSet::new();
        for number in 0..100_000 {
            set.insert(format!("word{number}").as_bytes());
        }
        assert!((0..100_000).all(|number| set.contains(format!("word{number}").as_bytes())));
        let mistaken = (0..10_000).filter(|number| set.contains(format!("other{number}").as_bytes())).count();
        assert!(mistaken < 20, "{mistaken}");
    }
}
