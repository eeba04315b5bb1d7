//! Counters of groups of clients: IPv6 networks, and the clients behind one peer.

use std::hash::BuildHasher;
use std::sync::OnceLock;
use std::time::Duration;

use foldhash::quality::RandomState;
use parking_lot::Mutex;

use crate::timestamp::Timestamp;

/// A moment in a series of windows, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct WindowTime {
    /// Number of the window; a window of at least a second has one of 32 bits until the year 2106.
    number: u32,
    elapsed: u64,
    width: u64,
}

impl WindowTime {
    pub(super) fn new(time: Timestamp, window: Duration) -> Self {
        let micros = u64::try_from(time.as_unix_micros()).unwrap_or(0);
        let width = window.as_secs().saturating_mul(1_000_000) + u64::from(window.subsec_micros());
        let number = micros / width.max(1);
        Self { number: (number & 0xffff_ffff) as u32, elapsed: micros - number * width, width: width.max(1) }
    }
}

/// A bounded number of counters that limit groups of clients.
///
/// 32,768 groups in 544 KiB, which are allocated when the first group is counted. A new group takes the place of the least
/// busy one of the four that share its lock, so a flood of small groups pushes out small ones. What is counted: the requests
/// of this window and, in proportion to the rest of it, those of the window before; nothing else is remembered of a group.
#[derive(Debug)]
pub(super) struct GroupCounters {
    sets: OnceLock<Box<[Mutex<[Counter; SET]>]>>,
    seeds: [u64; 2],
}

impl Default for GroupCounters {
    fn default() -> Self {
        let hasher = RandomState::default();
        Self { sets: OnceLock::new(), seeds: [hasher.hash_one(0), hasher.hash_one(1)] }
    }
}

/// Number of sets of counters; a power of two.
const SETS: usize = 8192;

/// Number of counters in a set: 64 bytes.
const SET: usize = 4;

#[derive(Debug, Clone, Copy, Default)]
struct Counter {
    /// Part of the hash of the group.
    tag: u32,
    /// Number of the window that `current` counts.
    window: u32,
    previous: u32,
    current: u32,
}

impl GroupCounters {
    /// Counts a request of `group`, if that keeps it within `max` requests in a window; otherwise returns the time until
    /// there is room again.
    pub(super) fn admit(&self, group: [u64; 2], now: WindowTime, max: u32) -> Result<(), Duration> {
        let hash = self.hash(group);
        let sets = self.sets.get_or_init(|| std::iter::repeat_with(Mutex::default).take(SETS).collect());
        let mut set = sets[(hash >> 40) as usize & (SETS - 1)].lock();
        let counter = Counter::of(&mut set, (hash & 0xffff_ffff) as u32, now.number);
        counter.admit(now.elapsed, now.width, max).map_err(Duration::from_micros)
    }

    /// A folded multiplication, as in foldhash, with random seeds.
    fn hash(&self, [high, low]: [u64; 2]) -> u64 {
        let (high, low) = (high ^ self.seeds[0], low ^ self.seeds[1]);
        ((u128::from(high) * u128::from(low)) >> 64) as u64 ^ high.wrapping_mul(low)
    }
}

impl Counter {
    /// The counter of a group, at the window `number`.
    fn of(set: &mut [Self; SET], tag: u32, number: u32) -> &mut Self {
        let known = set.iter().position(|counter| counter.tag == tag);
        let index = known.unwrap_or_else(|| {
            let busyness = |counter: &Self| {
                if number.wrapping_sub(counter.window) > 1 {
                    0
                } else {
                    counter.current.max(counter.previous)
                }
            };
            let idlest = (0..SET).min_by_key(|index| busyness(&set[*index])).unwrap_or(0);
            set[idlest] = Self { tag, ..Self::default() };
            idlest
        });
        let counter = &mut set[index];
        match number.wrapping_sub(counter.window) {
            0 => {}
            1 => (counter.previous, counter.current) = (counter.current, 0),
            _ => (counter.previous, counter.current) = (0, 0),
        }
        counter.window = number;
        counter
    }

    /// Counts a request `elapsed` after the beginning of the window, or returns how long to wait; all in microseconds.
    fn admit(&mut self, elapsed: u64, width: u64, max: u32) -> Result<(), u64> {
        let left = width - elapsed;
        if self.current >= max {
            return Err(left);
        }
        if self.previous > 0 {
            let previous = u64::from(self.previous);
            let room = u64::from(max - self.current);
            if previous * left / width >= room {
                let until = width.saturating_sub(room * width / previous);
                return Err(until.saturating_sub(elapsed).max(1));
            }
        }
        self.current += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    /// Counts a request of a group at a second.
    fn admit(groups: &GroupCounters, group: u64, seconds: f64, max: u32) -> Result<(), Duration> {
        let time = Timestamp::from_unix_seconds(1.7e9 + seconds);
        groups.admit([group, 7], WindowTime::new(time, MINUTE), max)
    }

    #[test]
    fn group_is_limited_and_recovers() {
        let groups = GroupCounters::default();
        let admitted = |seconds: f64| (0..100).filter(|_| admit(&groups, 7, seconds, 60).is_ok()).count();
        assert_eq!(admitted(0.0), 60);
        assert_eq!(admitted(1.0), 0);
        assert_eq!(admit(&groups, 8, 1.0, 60), Ok(()), "another group");
        let wait = admit(&groups, 7, 2.0, 60).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= MINUTE, "{wait:?}");
        assert_eq!(admitted(180.0), 60);
    }

    #[test]
    fn waiting_as_told_is_enough() {
        let groups = GroupCounters::default();
        let mut now = 0.0;
        let mut admitted = 0;
        while now < 600.0 {
            match admit(&groups, 7, now, 30) {
                Ok(()) => admitted += 1,
                Err(wait) => now += wait.as_secs_f64() + 1e-5,
            }
        }
        assert!((290..=330).contains(&admitted), "{admitted}");
    }

    #[test]
    fn busy_group_survives_a_flood_of_groups() {
        let groups = GroupCounters::default();
        let mut admitted = 0;
        for other in 0..2_000_000_u64 {
            if other % 1000 == 0 {
                admitted += u32::from(admit(&groups, u64::MAX, 1.0, 50).is_ok());
            }
            let _ = admit(&groups, other, 1.0, 50);
        }
        assert!(admitted <= 200, "{admitted}");
    }

    proptest! {
        /// Within any time as long as a window, at most twice the limit is admitted.
        #[test]
        fn admits_at_most_the_limit(mut times in prop::collection::vec(0.0..600.0f64, 0..400), max in 1..20u32) {
            times.sort_by(f64::total_cmp);
            let groups = GroupCounters::default();
            let mut admitted = Vec::new();
            for time in times {
                if admit(&groups, 1, time, max).is_ok() {
                    admitted.push(time);
                }
            }
            for (index, first) in admitted.iter().enumerate() {
                let within = admitted[index..].iter().take_while(|time| **time < first + 60.0).count();
                prop_assert!(within <= 2 * max as usize);
            }
        }
    }
}
