//! How many different keys there are, in bounded memory.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::sync::LazyLock;

use foldhash::quality::RandomState;

/// Counts different keys: exactly up to [`EXACT_LIMIT`], beyond that by *HyperLogLog* (Flajolet et al. 2007), which
/// needs 16 KiB whatever comes and is off by [`RELATIVE_ERROR`] on average.
///
/// Only hashes are kept, seeded per process, so that nobody can prepare keys that count as one.
#[derive(Debug, Clone)]
pub(super) enum DistinctCounter {
    /// The hashes of all keys.
    Exact(Hashes),
    /// For each group of hashes the longest run of zeros that a hash began with, plus one.
    Estimate(Box<[u8]>),
}

type Hashes = HashSet<u64, BuildHasherDefault<AlreadyHashed>>;

/// So many keys are counted exactly.
pub(super) const EXACT_LIMIT: usize = 1 << 16;

/// The standard error of an estimate: 1.04 / sqrt(registers).
pub(super) const RELATIVE_ERROR: f64 = 0.008_125;

const REGISTER_BITS: u32 = 14;
const REGISTERS: usize = 1 << REGISTER_BITS;

impl DistinctCounter {
    pub(super) fn new() -> Self {
        Self::Exact(HashSet::default())
    }

    /// Notes that `key` occurred.
    pub(super) fn note(&mut self, key: &(impl Hash + ?Sized)) {
        static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::default);
        self.note_hash(SEED.hash_one(key));
    }

    /// Adds the keys of `other`.
    pub(super) fn merge(&mut self, other: Self) {
        match (&mut *self, other) {
            (_, Self::Exact(hashes)) => self.note_all(hashes),
            (Self::Exact(hashes), Self::Estimate(registers)) => {
                let hashes = std::mem::take(hashes);
                *self = Self::Estimate(registers);
                self.note_all(hashes);
            }
            (Self::Estimate(ours), Self::Estimate(theirs)) => {
                ours.iter_mut().zip(theirs).for_each(|(ours, theirs)| *ours = theirs.max(*ours));
            }
        }
    }

    /// Whether [`count`](Self::count) is exact.
    pub(super) fn is_exact(&self) -> bool {
        matches!(self, Self::Exact(_))
    }

    /// How many different keys were noted.
    #[allow(clippy::cast_precision_loss)] // registers are few
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // positive, and `as` saturates
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Exact(hashes) => hashes.len() as u64,
            Self::Estimate(registers) => {
                let sum: f64 = registers.iter().map(|&rank| 0.5f64.powi(rank.into())).sum();
                let groups = REGISTERS as f64;
                // The corrections for small and huge numbers don't apply: small ones are counted, and hashes are long.
                (0.7213 / (1.0 + 1.079 / groups) * groups * groups / sum).round() as u64
            }
        }
    }

    fn note_all(&mut self, hashes: Hashes) {
        for hash in hashes {
            self.note_hash(hash);
        }
    }

    fn note_hash(&mut self, hash: u64) {
        match self {
            Self::Exact(hashes) => {
                hashes.insert(hash);
                if hashes.len() > EXACT_LIMIT {
                    let hashes = std::mem::take(hashes);
                    *self = Self::Estimate(vec![0; REGISTERS].into());
                    self.note_all(hashes);
                }
            }
            Self::Estimate(registers) => {
                let register = usize::try_from(hash >> (u64::BITS - REGISTER_BITS)).unwrap_or_default();
                // The bit that is added ends a run of zeros, so the rank is at most 51.
                let zeros = (hash << REGISTER_BITS | 1 << (REGISTER_BITS - 1)).leading_zeros();
                let rank = u8::try_from(zeros + 1).unwrap_or(u8::MAX);
                if let Some(register) = registers.get_mut(register) {
                    *register = rank.max(*register);
                }
            }
        }
    }
}

/// Takes the one number that is written to it for its hash.
#[derive(Debug, Clone, Default)]
pub(super) struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only numbers of 64 bits are written here; whatever else came would still give a hash.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(keys: std::ops::Range<u32>) -> DistinctCounter {
        let mut counter = DistinctCounter::new();
        for key in keys {
            counter.note(&key);
            counter.note(&key);
        }
        counter
    }

    /// Five standard errors: a seed for which this fails comes up once in more than a million runs.
    fn is_about(counter: &DistinctCounter, expected: f64) {
        #[allow(clippy::cast_precision_loss)]
        let off = counter.count() as f64 / expected - 1.0;
        assert!(off.abs() < 5.0 * RELATIVE_ERROR, "{} for {expected}", counter.count());
        assert!(!counter.is_exact());
    }

    #[test]
    fn few_keys_are_counted_exactly() {
        for count in [0, 1, 1000, 1 << 16] {
            let counter = counted(0..count);
            assert_eq!((counter.count(), counter.is_exact()), (count.into(), true));
        }
    }

    #[test]
    fn many_keys_are_estimated() {
        is_about(&counted(0..(1 << 16) + 1), 65_537.0);
        is_about(&counted(0..1_000_000), 1e6);
    }

    #[test]
    fn merging_counts_common_keys_once() {
        let mut small = counted(0..1000);
        small.merge(counted(500..2000));
        assert_eq!((small.count(), small.is_exact()), (2000, true));
        small.merge(counted(0..200_000));
        is_about(&small, 200_000.0);
        small.merge(counted(100_000..300_000));
        is_about(&small, 300_000.0);
        small.merge(counted(299_000..301_000));
        is_about(&small, 301_000.0);
        let mut halves = counted(0..60_000);
        halves.merge(counted(60_000..120_000));
        is_about(&halves, 120_000.0);
    }
}
