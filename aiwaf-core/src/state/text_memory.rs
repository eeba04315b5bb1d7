//! Small numbers for the texts seen lately, in a fixed amount of memory and without a lock.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::RandomState;

/// Remembers a small number for each text; a text that hashes to the same slot takes another's place.
///
/// Each slot holds the upper 56 bits of the text's hash and, in the lower eight, the number. A new text is taken for a
/// known one with a probability of 2^-44, so use it where that does no harm. The hash is seeded: collisions cannot be
/// prepared.
///
/// Cost: one hash and one load. Memory: 32 KiB.
pub(crate) struct TextMemory {
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
}

const SLOT_BITS: u32 = 12;
const NUMBER_MASK: u64 = 0xff;
/// Set in every used slot, so that an empty one, which is 0, matches no hash.
const USED: u64 = 0x100;

impl TextMemory {
    pub(crate) fn new() -> Self {
        Self {
            slots: std::iter::repeat_with(|| AtomicU64::new(0)).take(1 << SLOT_BITS).collect(),
            hasher: RandomState::default(),
        }
    }

    /// Returns the number of `text`, if it is remembered.
    pub(crate) fn get(&self, text: &[u8]) -> Option<u8> {
        let hash = self.hash(text);
        let slot = self.slot(hash)?.load(Ordering::Relaxed);
        let [number, ..] = slot.to_le_bytes();
        ((slot ^ hash) & !NUMBER_MASK == 0).then_some(number)
    }

    /// Remembers `number` for `text`.
    pub(crate) fn insert(&self, text: &[u8], number: u8) {
        let hash = self.hash(text);
        if let Some(slot) = self.slot(hash) {
            slot.store(hash & !NUMBER_MASK | u64::from(number), Ordering::Relaxed);
        }
    }

    fn hash(&self, text: &[u8]) -> u64 {
        self.hasher.hash_one(text) | USED
    }

    fn slot(&self, hash: u64) -> Option<&AtomicU64> {
        let index = usize::try_from(hash >> (u64::BITS - SLOT_BITS)).ok()?;
        self.slots.get(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_remembered() {
        let memory = TextMemory::new();
        assert_eq!(memory.get(b""), None);
        assert_eq!(memory.get(b"curl"), None);
        memory.insert(b"Mozilla/5.0", 7);
        memory.insert(b"curl", 0);
        assert_eq!(memory.get(b"Mozilla/5.0"), Some(7));
        assert_eq!(memory.get(b"curl"), Some(0));
        memory.insert(b"curl", 255);
        assert_eq!(memory.get(b"curl"), Some(255));
    }
}
