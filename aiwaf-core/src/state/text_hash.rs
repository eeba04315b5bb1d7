//! A hash for text that attackers choose.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

/// A 64-bit hash of `text`, seeded per process (SipHash), so that nobody outside can make two texts collide.
///
/// The same text has the same hash as long as the process lives, and another one in the next.
pub(crate) fn hash_text(text: &[u8]) -> u64 {
    static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    SEED.hash_one(text)
}
