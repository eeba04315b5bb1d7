//! A concurrent map that never holds more than it was told to.

use std::hash::{BuildHasher, Hash};

use foldhash::quality::RandomState;
use indexmap::IndexMap;
use parking_lot::Mutex;

/// A sharded map with a hard bound on its number of entries.
///
/// When a shard is full, a new key takes the place of one that was not touched lately (the CLOCK algorithm), so
/// what an attacker pours in pushes out what is idle, and clients that keep coming stay. Every operation locks one
/// shard for as long as its closure runs, and costs amortised constant time.
///
/// The hasher is seeded per map and spreads neighbours (a client's network, counted up) evenly over the shards, which
/// the faster variant does not for every seed. It is not cryptographic: use it for keys of fixed size, not for text from a client.
pub(crate) struct BoundedMap<K, V> {
    shards: Box<[Mutex<Shard<K, V>>]>,
    hasher: RandomState,
    shard_capacity: usize,
}

struct Shard<K, V> {
    entries: IndexMap<K, Slot<V>, RandomState>,
    /// Where the search for a victim goes on.
    hand: usize,
}

struct Slot<V> {
    value: V,
    touched: bool,
}

/// Enough that two cores rarely meet, few enough that small maps stay small.
const SHARDS: usize = 64;

/// After so many touched entries in a row the next one goes, so that finding a victim takes bounded time.
const CLOCK_STEPS: usize = 32;

impl<K: Hash + Eq + Copy, V> BoundedMap<K, V> {
    /// A map that holds at most `capacity` entries (rounded up to a multiple of the number of shards, at least one
    /// each). Memory is taken as entries come.
    pub(crate) fn new(capacity: usize) -> Self {
        let shards = SHARDS.min(capacity.next_power_of_two());
        let hasher = RandomState::default();
        let shard = || Mutex::new(Shard { entries: IndexMap::with_hasher(hasher.clone()), hand: 0 });
        Self {
            shards: std::iter::repeat_with(shard).take(shards).collect(),
            shard_capacity: capacity.div_ceil(shards).max(1),
            hasher,
        }
    }

    /// Runs `change` on the value of `key`, which is made by `new` if there is none.
    pub(crate) fn update<R>(&self, key: K, new: impl FnOnce() -> V, change: impl FnOnce(&mut V) -> R) -> R {
        let mut shard = self.shard(&key).lock();
        if let Some(slot) = shard.entries.get_mut(&key) {
            slot.touched = true;
            return change(&mut slot.value);
        }
        if shard.entries.len() >= self.shard_capacity {
            shard.evict();
        }
        shard.make_room(self.shard_capacity);
        let mut value = new();
        let result = change(&mut value);
        shard.entries.insert(key, Slot { value, touched: false });
        result
    }

    /// Runs `look` on the value of `key`, if there is one; that counts as a touch.
    pub(crate) fn get<R>(&self, key: &K, look: impl FnOnce(&mut V) -> R) -> Option<R> {
        let mut shard = self.shard(key).lock();
        let slot = shard.entries.get_mut(key)?;
        slot.touched = true;
        Some(look(&mut slot.value))
    }

    /// Forgets `key`.
    pub(crate) fn remove(&self, key: &K) {
        self.shard(key).lock().entries.swap_remove(key);
    }

    /// Keeps only the entries for which `keep` says so. Locks one shard after the other.
    pub(crate) fn retain(&self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        for shard in &self.shards {
            shard.lock().entries.retain(|key, slot| keep(key, &mut slot.value));
        }
    }

    /// How many entries it holds.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().entries.len()).sum()
    }

    fn shard(&self, key: &K) -> &Mutex<Shard<K, V>> {
        let hash = self.hasher.hash_one(key);
        // The number of shards is a power of two of at most 64; the map inside uses the other bits of the hash.
        let index = (hash >> 40) as usize & (self.shards.len() - 1);
        &self.shards[index]
    }
}

impl<K: Hash + Eq, V> Shard<K, V> {
    /// Grows by half and never beyond `capacity`: left alone, the entries would take as much room as the hash table
    /// has slots, which is up to twice of what the bound promises.
    fn make_room(&mut self, capacity: usize) {
        let len = self.entries.len();
        if len == self.entries.capacity() {
            self.entries.reserve_exact((len / 2).max(4).min(capacity.saturating_sub(len)));
        }
    }

    fn evict(&mut self) {
        for _ in 0..CLOCK_STEPS {
            if self.hand >= self.entries.len() {
                self.hand = 0;
            }
            match self.entries.get_index_mut(self.hand) {
                Some((_, slot)) if slot.touched => slot.touched = false,
                _ => break,
            }
            self.hand += 1;
        }
        if self.hand >= self.entries.len() {
            self.hand = 0;
        }
        self.entries.swap_remove_index(self.hand);
        self.hand += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_holds_more_than_its_capacity() {
        let map = BoundedMap::new(1000);
        for key in 0..100_000u64 {
            map.update(key, || 0, |count| *count += 1);
        }
        assert!(map.len() <= 1024, "{}", map.len());
        assert!(map.len() >= 900, "{}", map.len());
    }

    #[test]
    fn neighbours_are_spread_over_the_shards() {
        for _ in 0..20 {
            let map = BoundedMap::new(6400);
            (0..6400u64).for_each(|key| map.update(key, || (), |()| ()));
            assert!(map.len() > 5400, "{}", map.len());
        }
    }

    #[test]
    fn who_keeps_coming_is_not_pushed_out() {
        let map = BoundedMap::new(1024);
        for key in 0..50_000u64 {
            map.update(u64::MAX, || 0, |count| *count += 1);
            map.update(key, || 0, |count| *count += 1);
        }
        assert_eq!(map.get(&u64::MAX, |count| *count), Some(50_000));
    }

    #[test]
    fn retains_what_it_is_told_to() {
        let map = BoundedMap::new(1000);
        (0..50u64).for_each(|key| map.update(key, || key, |_| ()));
        map.retain(|key, _| key % 2 == 0);
        assert_eq!(map.len(), 25);
    }
}
