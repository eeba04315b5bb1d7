//! The most frequent of very many keys, in bounded memory.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use foldhash::quality::RandomState;

/// Counts how often each key occurs, and forgets rare keys when there are too many.
///
/// This is the algorithm of Misra and Gries in the form of *lossy counting*: each key is counted exactly from the
/// moment it is noted, and remembers how often it could have occurred before ([`Tally::missed`]). If more than the
/// capacity of keys is known, the rarer half is forgotten. As long as that never happened, all counts are exact. A key
/// that occurs more often than [`most_missed`](Self::most_missed) is never overlooked, and that is at most two in
/// `capacity` of all occurrences; on real logs, where few keys are frequent, it is far less.
///
/// Noting a known key costs one look-up; forgetting costs two visits of a key for each that is new.
#[derive(Debug, Clone)]
pub(super) struct HeavyHitters<K> {
    tallies: HashMap<K, Tally, RandomState>,
    capacity: usize,
    most_missed: u64,
}

/// What is known about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    /// How often it was noted: at least this often it occurred.
    pub(super) requests: u64,
    /// How many of these requests were denied.
    pub(super) blocked: u64,
    /// How often it may have occurred beyond that, at most; 0 if `requests` is exact.
    pub(super) missed: u64,
}

impl Tally {
    fn most(self) -> u64 {
        self.requests + self.missed
    }
}

impl<K: Hash + Eq> HeavyHitters<K> {
    /// Keeps `capacity` keys, at least two.
    pub(super) fn new(capacity: usize) -> Self {
        Self { tallies: HashMap::default(), capacity: capacity.max(2), most_missed: 0 }
    }

    /// Notes a request with `key`; `own` makes the key that is kept, if it is new.
    pub(super) fn note<Q>(&mut self, key: &Q, is_blocked: bool, own: impl FnOnce(&Q) -> K)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let blocked = u64::from(is_blocked);
        if let Some(tally) = self.tallies.get_mut(key) {
            tally.requests += 1;
            tally.blocked += blocked;
            return;
        }
        if self.tallies.len() >= self.capacity {
            self.forget_rare();
        }
        self.tallies.insert(own(key), Tally { requests: 1, blocked, missed: self.most_missed });
    }

    /// Adds what `other` counted of other requests.
    pub(super) fn merge(&mut self, other: Self) {
        for tally in self.tallies.values_mut() {
            tally.missed += other.most_missed;
        }
        for (key, theirs) in other.tallies {
            // A key that only they know may have occurred here as well.
            let unknown = Tally { missed: self.most_missed + other.most_missed, ..Tally::default() };
            let tally = self.tallies.entry(key).or_insert(unknown);
            tally.requests += theirs.requests;
            tally.blocked += theirs.blocked;
            tally.missed = tally.missed - other.most_missed + theirs.missed;
        }
        self.most_missed += other.most_missed;
        while self.tallies.len() > self.capacity {
            self.forget_rare();
        }
    }

    /// How many keys are known. If none was ever forgotten ([`most_missed`](Self::most_missed) is 0), there are no others.
    pub(super) fn len(&self) -> usize {
        self.tallies.len()
    }

    /// How often a key that is not known can have occurred at most; 0 as long as all are known.
    pub(super) fn most_missed(&self) -> u64 {
        self.most_missed
    }

    /// The `count` most frequent keys, most frequent first.
    pub(super) fn top(&self, count: usize) -> Vec<(&K, Tally)>
    where
        K: Ord,
    {
        let mut top: Vec<_> = self.tallies.iter().map(|(key, tally)| (key, *tally)).collect();
        // The order of keys breaks ties, so that the same log gives the same list.
        let order = |a: &(&K, Tally), b: &(&K, Tally)| b.1.requests.cmp(&a.1.requests).then(a.0.cmp(b.0));
        if count > 0 && top.len() > count {
            top.select_nth_unstable_by(count - 1, order);
        }
        top.truncate(count);
        top.sort_unstable_by(order);
        top
    }

    /// Forgets the rarer half of the keys, and remembers how often a forgotten one can have occurred.
    fn forget_rare(&mut self) {
        let mut counts: Vec<u64> = self.tallies.values().map(|tally| tally.most()).collect();
        let middle = counts.len() / 2;
        if middle >= counts.len() {
            return;
        }
        let (_, &mut median, _) = counts.select_nth_unstable(middle);
        self.most_missed = self.most_missed.max(median);
        self.tallies.retain(|_, tally| tally.most() > median);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counted(keys: &[u16], capacity: usize) -> HeavyHitters<u16> {
        let mut counts = HeavyHitters::new(capacity);
        for key in keys {
            counts.note(key, key.is_multiple_of(2), |key| *key);
        }
        counts
    }

    fn truth(keys: &[u16]) -> HashMap<u16, u64> {
        keys.iter().fold(HashMap::new(), |mut counts, key| {
            *counts.entry(*key).or_default() += 1;
            counts
        })
    }

    fn holds(counts: &HeavyHitters<u16>, keys: &[u16]) -> Result<(), TestCaseError> {
        prop_assert!(counts.len() <= counts.capacity);
        let bound = 2 * keys.len() as u64 / counts.capacity as u64;
        prop_assert!(counts.most_missed() <= bound + 1, "{} > {}", counts.most_missed(), bound);
        for (key, occurred) in truth(keys) {
            match counts.tallies.get(&key) {
                Some(tally) => {
                    prop_assert!((tally.requests..=tally.most()).contains(&occurred), "{tally:?} {occurred}");
                    prop_assert_eq!(tally.blocked, if key % 2 == 0 { tally.requests } else { 0 });
                }
                None => prop_assert!(occurred <= counts.most_missed()),
            }
        }
        Ok(())
    }

    #[test]
    fn few_keys_are_counted_exactly() {
        let counts = counted(&[1, 2, 2, 3, 3, 3], 10);
        let top: Vec<_> = counts.top(2).into_iter().map(|(key, t)| (*key, t)).collect();
        assert_eq!(
            top,
            [
                (3, Tally { requests: 3, blocked: 0, missed: 0 }),
                (2, Tally { requests: 2, blocked: 2, missed: 0 })
            ]
        );
        assert!(counts.top(0).is_empty());
        assert_eq!((counts.len(), counts.most_missed()), (3, 0));
    }

    #[test]
    fn a_frequent_key_survives_a_flood_of_rare_ones_and_stays_exact() {
        let mut counts = HeavyHitters::new(64);
        for number in 0..100_000u32 {
            counts.note(&number, false, |key| *key);
            if number % 50 == 0 {
                counts.note(&u32::MAX, true, |key| *key);
            }
        }
        let top = counts.top(1);
        assert_eq!(top, [(&u32::MAX, Tally { requests: 2000, blocked: 2000, missed: 0 })]);
        assert!(counts.len() <= 64);
    }

    proptest! {
        #[test]
        fn bounds_hold(keys in prop::collection::vec(0u16..60, 0..2000), capacity in 2usize..40) {
            holds(&counted(&keys, capacity), &keys)?;
        }

        #[test]
        fn bounds_hold_after_merging(
            first in prop::collection::vec(0u16..60, 0..800),
            second in prop::collection::vec(20u16..80, 0..800),
            capacity in 2usize..40,
        ) {
            let mut merged = counted(&first, capacity);
            merged.merge(counted(&second, capacity));
            holds(&merged, &[first, second].concat())?;
        }
    }
}
