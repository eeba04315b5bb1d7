//! Which texts were seen lately, in a fixed amount of memory and without a lock.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::RandomState;

/// Remembers texts by their hash; a text that hashes to the same slot takes another's place.
///
/// Asking costs one hash and one load. A text that was never noted is taken for known with a probability of
/// 2^-52 a slot, so use it where that harms nobody. The hash is seeded: collisions can't be prepared.
pub(crate) struct TextMemory {
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
}

/// A power of two; 32 KiB.
const SLOTS: usize = 1 << SLOT_BITS;
const SLOT_BITS: u32 = 12;

impl TextMemory {
    pub(crate) fn new() -> Self {
        Self {
            slots: std::iter::repeat_with(|| AtomicU64::new(0)).take(SLOTS).collect(),
            hasher: RandomState::default(),
        }
    }

    /// Whether `text` was noted, and is not forgotten.
    pub(crate) fn knows(&self, text: &[u8]) -> bool {
        let hash = self.hash(text);
        self.slot(hash).is_some_and(|slot| slot.load(Ordering::Relaxed) == hash)
    }

    /// Notes `text`.
    pub(crate) fn note(&self, text: &[u8]) {
        let hash = self.hash(text);
        if let Some(slot) = self.slot(hash) {
            slot.store(hash, Ordering::Relaxed);
        }
    }

    /// Never 0, which stands for an empty slot.
    fn hash(&self, text: &[u8]) -> u64 {
        self.hasher.hash_one(text).max(1)
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
    fn knows_what_was_noted() {
        let memory = TextMemory::new();
        assert!(!memory.knows(b"") && !memory.knows(b"curl"));
        memory.note(b"Mozilla/5.0");
        assert!(memory.knows(b"Mozilla/5.0") && !memory.knows(b"curl"));
    }
}
