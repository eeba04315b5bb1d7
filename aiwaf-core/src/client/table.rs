//! The table of client records: one bounded, sharded map for all that is remembered of clients.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use parking_lot::Mutex;

use super::ClientKey;

/// A value that the table keeps for each client.
pub(crate) trait Record: Default {
    /// Bytes that the record holds on the heap, beside its own size. Called before and after each change, so it has to be
    /// cheap.
    fn heap_bytes(&self) -> usize;

    /// The mark of a client that was seen lately, which the table keeps: inside the record, where it takes no room.
    fn touched(&mut self) -> &mut bool;
}

/// A bounded map from clients to their records.
///
/// Both the number of records and their memory are bounded. When a shard is full, a new client takes the place of one
/// that was not seen lately (the CLOCK algorithm): clients that keep coming stay, and a flood of addresses pushes out only
/// what is idle. A look-up locks one of 64 shards while its closure runs, and touches the control bytes and index of one
/// hash group and the record itself.
pub(crate) struct ClientTable<R> {
    shards: Box<[Mutex<Shard<R>>]>,
    hasher: RandomState,
    limits: Limits,
}

/// Bounds of one shard.
#[derive(Clone, Copy)]
struct Limits {
    clients: usize,
    heap_bytes: usize,
}

struct Shard<R> {
    /// Positions in `entries`, by the key's hash. The hashes are not kept: keys are short, and hashing them again when
    /// the table grows costs less than 8 bytes a client.
    index: HashTable<u32>,
    entries: Vec<Entry<R>>,
    /// Bytes on the heap of all records together.
    heap_bytes: usize,
    /// Position at which the search for a victim continues.
    hand: usize,
}

struct Entry<R> {
    key: ClientKey,
    record: R,
}

/// Enough that two cores rarely meet, few enough that small tables stay small.
const SHARDS: usize = 64;

/// Touched entries that are spared in a row before one goes anyway, so that finding a victim takes bounded time.
const CLOCK_STEPS: usize = 32;

/// Clients that one change may evict for their memory; the next changes go on.
const MAX_EVICTIONS: usize = 4;

impl<R: Record> ClientTable<R> {
    /// A table of at most `clients` records (rounded up to a multiple of the number of shards), whose heap memory is at
    /// most about `heap_bytes`. Memory is taken as clients come.
    pub(crate) fn new(clients: usize, heap_bytes: usize) -> Self {
        let shards = SHARDS.min(clients.next_power_of_two());
        let shard =
            || Mutex::new(Shard { index: HashTable::new(), entries: Vec::new(), heap_bytes: 0, hand: 0 });
        Self {
            shards: std::iter::repeat_with(shard).take(shards).collect(),
            hasher: RandomState::default(),
            limits: Limits { clients: clients.div_ceil(shards).max(1), heap_bytes: heap_bytes / shards },
        }
    }

    /// Runs `change` on the record of `key`, a new one if there is none.
    pub(crate) fn update<T>(&self, key: ClientKey, change: impl FnOnce(&mut R) -> T) -> T {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash).lock();
        let shard = &mut *shard;
        // A new client is not marked as touched: one that comes once must not outlive those that keep coming.
        let (position, is_known) = match shard.position(hash, key) {
            Some(position) => (position, true),
            None => (shard.insert(hash, key, &self.hasher, self.limits), false),
        };
        let (result, grown) = shard.change(position, is_known, change);
        if grown && shard.heap_bytes > self.limits.heap_bytes {
            shard.shrink(&self.hasher, self.limits);
        }
        result
    }

    /// Runs `look` on the record of `key`, if there is one; that counts as a touch. `look` must not make it grow.
    pub(crate) fn get<T>(&self, key: ClientKey, look: impl FnOnce(&mut R) -> T) -> Option<T> {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash).lock();
        let position = shard.position(hash, key)?;
        Some(shard.change(position, true, look).0)
    }

    /// Runs `change` on every record, one shard after the other. It must not make them grow.
    pub(crate) fn for_each(&self, mut change: impl FnMut(ClientKey, &mut R)) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            for position in 0..shard.entries.len() {
                let Some(key) = shard.entries.get(position).map(|entry| entry.key) else { break };
                shard.change(position, false, |record| change(key, record));
            }
        }
    }

    /// Number of records.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().entries.len()).sum()
    }

    /// Bytes on the heap of all records together.
    #[cfg(test)]
    pub(crate) fn heap_bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().heap_bytes).sum()
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard<R>> {
        // The number of shards is a power of two of at most 64; the index inside uses the other bits of the hash.
        &self.shards[(hash >> 40) as usize & (self.shards.len() - 1)]
    }
}

impl<R: Record> Shard<R> {
    fn position(&self, hash: u64, key: ClientKey) -> Option<usize> {
        let is_it =
            |&position: &u32| self.entries.get(position as usize).is_some_and(|entry| entry.key == key);
        self.index.find(hash, is_it).map(|&position| position as usize)
    }

    /// Runs `change` and keeps account of the memory; the second result says whether the record has grown.
    fn change<T>(&mut self, position: usize, touch: bool, change: impl FnOnce(&mut R) -> T) -> (T, bool) {
        // The index holds positions of `entries` and nothing else.
        let entry = &mut self.entries[position];
        *entry.record.touched() |= touch;
        let before = entry.record.heap_bytes();
        let result = change(&mut entry.record);
        let after = entry.record.heap_bytes();
        self.heap_bytes = (self.heap_bytes + after).saturating_sub(before);
        (result, after > before)
    }

    #[cold]
    fn insert(&mut self, hash: u64, key: ClientKey, hasher: &RandomState, limits: Limits) -> usize {
        if self.entries.len() >= limits.clients {
            self.evict(hasher);
        }
        let position = self.entries.len();
        if position == self.entries.capacity() {
            // By half, and never beyond what can be needed.
            self.entries
                .reserve_exact((position / 2).max(4).min(limits.clients.saturating_sub(position)).max(1));
        }
        self.entries.push(Entry { key, record: R::default() });
        let entries = &self.entries;
        let hash_of = |&position: &u32| hash_at(entries, position, hasher);
        self.index.insert_unique(hash, u32::try_from(position).unwrap_or(u32::MAX), hash_of);
        position
    }

    /// Evicts idle clients until the memory is within its bound, but not the one that came last.
    #[cold]
    fn shrink(&mut self, hasher: &RandomState, limits: Limits) {
        for _ in 0..MAX_EVICTIONS {
            if self.heap_bytes <= limits.heap_bytes || self.entries.len() < 2 {
                return;
            }
            self.evict(hasher);
        }
    }

    /// Removes one client that was not seen lately.
    fn evict(&mut self, hasher: &RandomState) {
        for _ in 0..CLOCK_STEPS {
            if self.hand >= self.entries.len() {
                self.hand = 0;
            }
            let Some(entry) = self.entries.get_mut(self.hand) else { break };
            if !std::mem::take(entry.record.touched()) {
                break;
            }
            self.hand += 1;
        }
        if self.hand >= self.entries.len() {
            self.hand = 0;
        }
        self.remove(self.hand, hasher);
        self.hand += 1;
    }

    fn remove(&mut self, position: usize, hasher: &RandomState) {
        let (Some(victim), last) = (self.entries.get(position), self.entries.len().wrapping_sub(1)) else {
            return;
        };
        self.heap_bytes = self.heap_bytes.saturating_sub(victim.record.heap_bytes());
        let victim = hasher.hash_one(victim.key);
        if let Ok(slot) = self.index.find_entry(victim, |&other| other as usize == position) {
            slot.remove();
        }
        if last != position
            && let Some(moved) = self.entries.get(last)
            && let Some(slot) =
                self.index.find_mut(hasher.hash_one(moved.key), |&other| other as usize == last)
        {
            *slot = u32::try_from(position).unwrap_or(u32::MAX);
        }
        self.entries.swap_remove(position);
    }
}

fn hash_at<R>(entries: &[Entry<R>], position: u32, hasher: &RandomState) -> u64 {
    entries.get(position as usize).map_or(0, |entry| hasher.hash_one(entry.key))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::{IpAddr, Ipv4Addr};

    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Visits {
        count: u32,
        heap: Vec<u8>,
        touched: bool,
    }

    impl Record for Visits {
        fn heap_bytes(&self) -> usize {
            self.heap.capacity()
        }

        fn touched(&mut self) -> &mut bool {
            &mut self.touched
        }
    }

    fn key(number: u32) -> ClientKey {
        ClientKey::new(IpAddr::V4(Ipv4Addr::from(number)), 64)
    }

    fn table(clients: usize, heap_bytes: usize) -> ClientTable<Visits> {
        ClientTable::new(clients, heap_bytes)
    }

    #[test]
    fn number_of_clients_is_bounded() {
        let table = table(1000, usize::MAX);
        for number in 0..100_000 {
            table.update(key(number), |record| record.count += 1);
        }
        assert!((900..=1024).contains(&table.len()), "{}", table.len());
    }

    #[test]
    fn active_client_survives_flood_of_addresses() {
        let table = table(1024, usize::MAX);
        for number in 1..50_000 {
            table.update(key(0), |record| record.count += 1);
            table.update(key(number), |record| record.count += 1);
        }
        assert_eq!(table.get(key(0), |record| record.count), Some(49_999));
    }

    #[test]
    fn memory_is_bounded() {
        let table = table(100_000, 1 << 20);
        for number in 0..20_000 {
            table.update(key(number), |record| record.heap = vec![0; 1000]);
        }
        assert!(table.heap_bytes() <= (1 << 20) + 64 * 1000, "{}", table.heap_bytes());
        assert!(table.len() > 500, "{}", table.len());
    }

    proptest! {
        /// While nothing has to be evicted, the table is an ordinary map.
        #[test]
        fn agrees_with_an_ordinary_map(steps in prop::collection::vec((0..200u32, 0..3u8), 0..600)) {
            let table = table(100_000, usize::MAX);
            let mut model: HashMap<u32, u32> = HashMap::new();
            for (number, step) in steps {
                if step == 0 {
                    prop_assert_eq!(table.get(key(number), |record| record.count), model.get(&number).copied());
                } else {
                    let count = table.update(key(number), |record| {
                        record.count += u32::from(step);
                        record.count
                    });
                    let expected = model.entry(number).or_default();
                    *expected += u32::from(step);
                    prop_assert_eq!(count, *expected);
                }
            }
            prop_assert_eq!(table.len(), model.len());
        }

        /// Eviction loses whole records and mixes none up: a record holds what its own client did since it was made.
        #[test]
        fn evictions_mix_no_records_up(numbers in prop::collection::vec(0..400u32, 0..2000), clients in 1..100usize) {
            let table = table(clients, 64 * 64);
            for number in numbers {
                table.update(key(number), |record| {
                    assert!(record.count == 0 || record.count == number + 1);
                    record.count = number + 1;
                    record.heap = vec![0; number as usize % 50];
                });
                prop_assert!(table.len() <= clients.div_ceil(64).max(1) * 64);
            }
            let entries = table.shards.iter().map(|shard| {
                let shard = shard.lock();
                assert_eq!(shard.index.len(), shard.entries.len());
                assert_eq!(shard.heap_bytes, shard.entries.iter().map(|entry| entry.record.heap_bytes()).sum::<usize>());
                for (position, entry) in shard.entries.iter().enumerate() {
                    assert_eq!(shard.position(table.hasher.hash_one(entry.key), entry.key), Some(position));
                }
                shard.entries.len()
            });
            prop_assert_eq!(entries.sum::<usize>(), table.len());
        }
    }
}
