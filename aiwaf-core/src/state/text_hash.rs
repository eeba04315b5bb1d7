//! A hash for text that attackers choose.

use std::hash::BuildHasher;
use std::sync::LazyLock;

use foldhash::quality::RandomState;

/// A 64-bit hash of `text`, seeded per process: nobody outside knows the seed or sees a hash, so collisions can be
/// neither prepared nor searched for. It is not cryptographic; what it is used for survives an accidental collision.
///
/// The same text has the same hash as long as the process lives, and another one in the next.
pub(crate) fn hash_text(text: &[u8]) -> u64 {
    static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::default);
    SEED.hash_one(text)
}
