//! An exact sliding window: when a client came lately, and whether it was let in.

use std::collections::VecDeque;
use std::time::Duration;

use super::steady_clock::advance;
use crate::timestamp::Timestamp;

/// The arrivals of one client in the last window: 24 bytes for a client that came up to three times, and 4 bytes an
/// arrival beyond that, at most as many as make a flood.
///
/// It is exact to the microsecond for windows of up to 2,000 s, and to 0.1 ms for longer ones. A clock that is set
/// back by more than a second counts as one that stood still.
#[derive(Debug)]
pub(crate) struct SlidingWindow {
    /// When the newest arrival was, in ticks of the wall clock.
    newest: i64,
    log: Log,
}

/// What became of an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// There was room: it may pass.
    Pass,
    /// The window is full, and has room again after this time.
    Full(Duration),
    /// So many arrivals in the window, refused ones included, that it is a flood.
    Flood,
}

impl Default for SlidingWindow {
    /// No arrival yet.
    fn default() -> Self {
        Self { newest: i64::MIN, log: Log::EMPTY }
    }
}

impl SlidingWindow {
    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        match &self.log {
            Log::Few { .. } => 0,
            Log::Many(ring) => size_of::<Ring>() + ring.entries.capacity() * size_of::<u32>(),
        }
    }

    /// Notes an arrival at `now` and judges it: at most `max` pass in any `window` (1 day at most), and from `flood`
    /// arrivals on it is a flood. Amortised constant time.
    pub(crate) fn arrive(&mut self, now: Timestamp, window: Duration, max: u32, flood: u32) -> Arrival {
        let tick = if window <= FINE_WINDOW { FINE_TICK } else { COARSE_TICK };
        let window = ticks(window.min(LONGEST_WINDOW), tick);
        // With `flood == max` the last one that may pass is no flood yet.
        let flood = flood.max(max.saturating_add(1));

        let wall = now.as_unix_micros().div_euclid(tick);
        let elapsed = advance(&mut self.newest, wall, MICROS_PER_SECOND / tick);
        if elapsed >= window {
            self.log = Log::EMPTY;
        }
        let newest = self.log.newest();
        let age = |entry: u32| u64::from(newest.wrapping_sub(entry) & TICK) + elapsed;
        self.log.expire(|entry| age(entry) >= window);

        // Less than a window, which fits into the bits of a tick; after an idle window there is nothing to be
        // relative to, and any number will do.
        let entry = newest.wrapping_add(u32::try_from(elapsed).unwrap_or(0)) & TICK;
        if self.log.len() + 1 >= flood {
            self.log.push(entry, flood);
            return Arrival::Flood;
        }
        if self.log.passed() < max {
            self.log.push(entry | PASSED, flood);
            return Arrival::Pass;
        }
        let wait = self.log.oldest_passed().map_or(window, |oldest| window.saturating_sub(age(oldest)));
        self.log.push(entry, flood);
        Arrival::Full(Duration::from_micros(wait.saturating_mul(tick.unsigned_abs())))
    }
}

const MICROS_PER_SECOND: i64 = 1_000_000;
const LONGEST_WINDOW: Duration = Duration::from_hours(24);

/// Up to here a window's microseconds fit into 31 bits.
const FINE_WINDOW: Duration = Duration::from_secs(2000);
const FINE_TICK: i64 = 1;
const COARSE_TICK: i64 = 100;

/// An entry is the low bits of its tick, and whether it passed. All entries are less than a window older than the
/// newest, so the low bits say which is older, however often they wrap.
const PASSED: u32 = 1 << 31;
const TICK: u32 = PASSED - 1;

fn ticks(duration: Duration, tick: i64) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).div_ceil(tick.unsigned_abs())
}

/// The entries in the order of arrival.
#[derive(Debug)]
enum Log {
    Few { len: u8, entries: [u32; FEW] },
    Many(Box<Ring>),
}

/// As many as fit beside the length without making a client that came once any larger.
const FEW: usize = 3;

#[derive(Debug)]
struct Ring {
    entries: VecDeque<u32>,
    /// How many of them passed.
    passed: u32,
    /// How many refused ones stand before the first that passed (all, if none did).
    leading_refused: usize,
}

impl Log {
    const EMPTY: Self = Self::Few { len: 0, entries: [0; FEW] };

    fn few(&self) -> &[u32] {
        match self {
            Self::Few { len, entries } => entries.get(..usize::from(*len)).unwrap_or_default(),
            Self::Many(_) => &[],
        }
    }

    fn newest(&self) -> u32 {
        match self {
            Self::Few { .. } => self.few().last().copied().unwrap_or(0),
            Self::Many(ring) => ring.entries.back().copied().unwrap_or(0),
        }
    }

    fn len(&self) -> u32 {
        let len = match self {
            Self::Few { len, .. } => usize::from(*len),
            Self::Many(ring) => ring.entries.len(),
        };
        u32::try_from(len).unwrap_or(u32::MAX)
    }

    fn passed(&self) -> u32 {
        match self {
            Self::Few { .. } => self.few().iter().map(|entry| entry >> 31).sum(),
            Self::Many(ring) => ring.passed,
        }
    }

    fn oldest_passed(&self) -> Option<u32> {
        match self {
            Self::Few { .. } => self.few().iter().copied().find(|entry| entry & PASSED != 0),
            Self::Many(ring) => ring.entries.get(ring.leading_refused).copied(),
        }
    }

    /// Drops entries from the oldest on as long as `expired` says so.
    fn expire(&mut self, expired: impl Fn(u32) -> bool) {
        match self {
            Self::Few { len, entries } => {
                let kept = entries.get(..usize::from(*len)).unwrap_or_default();
                let gone = kept.iter().take_while(|&&entry| expired(entry)).count();
                entries.rotate_left(gone);
                *len = len.saturating_sub(u8::try_from(gone).unwrap_or(u8::MAX));
            }
            Self::Many(ring) => {
                while ring.entries.front().is_some_and(|&entry| expired(entry)) {
                    ring.pop();
                }
            }
        }
    }

    /// Appends `entry`; beyond `capacity` the oldest goes.
    fn push(&mut self, entry: u32, capacity: u32) {
        match self {
            Self::Few { len, entries } => {
                if let Some(free) = entries.get_mut(usize::from(*len)) {
                    *free = entry;
                    *len += 1;
                } else {
                    let mut ring = Ring::new();
                    for entry in entries.iter().copied().chain([entry]) {
                        ring.push(entry, capacity);
                    }
                    *self = Self::Many(Box::new(ring));
                }
            }
            Self::Many(ring) => ring.push(entry, capacity),
        }
    }
}

impl Ring {
    fn new() -> Self {
        Self { entries: VecDeque::new(), passed: 0, leading_refused: 0 }
    }

    fn push(&mut self, entry: u32, capacity: u32) {
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
        if self.entries.len() >= capacity {
            self.pop();
        }
        let len = self.entries.len();
        if len == self.entries.capacity() {
            // Doubles, but never beyond what can be needed.
            self.entries.reserve_exact(len.max(8).min(capacity.saturating_sub(len)).max(1));
        }
        self.passed += entry >> 31;
        if entry & PASSED == 0 && self.leading_refused == len {
            self.leading_refused += 1;
        }
        self.entries.push_back(entry);
    }

    fn pop(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        if entry & PASSED == 0 {
            self.leading_refused = self.leading_refused.saturating_sub(1);
            return;
        }
        self.passed = self.passed.saturating_sub(1);
        // Each entry is stepped over once in its life, so this is amortised constant time.
        while self.entries.get(self.leading_refused).is_some_and(|entry| entry & PASSED == 0) {
            self.leading_refused += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_unix_micros(micros)
    }

    fn second(second: i64) -> Timestamp {
        at(second * MICROS_PER_SECOND)
    }

    #[test]
    fn a_client_that_came_once_is_small() {
        assert_eq!(size_of::<SlidingWindow>(), 24);
    }

    #[test]
    fn room_comes_back_exactly_when_the_oldest_leaves() {
        let window = Duration::from_secs(10);
        let mut log = SlidingWindow::default();
        for (time, expected) in [
            (0, Arrival::Pass),
            (4, Arrival::Pass),
            (6, Arrival::Full(Duration::from_secs(4))),
            (9, Arrival::Full(Duration::from_secs(1))),
            (10, Arrival::Pass),
            (11, Arrival::Full(Duration::from_secs(3))),
            (14, Arrival::Pass),
        ] {
            assert_eq!(log.arrive(second(time), window, 2, 100), expected, "{time}");
        }
        let mut log = SlidingWindow::default();
        log.arrive(at(7), window, 1, 100);
        assert_eq!(log.arrive(at(10_000_006), window, 1, 100), Arrival::Full(Duration::from_micros(1)));
        assert_eq!(log.arrive(at(10_000_007), window, 1, 100), Arrival::Pass);
    }

    #[test]
    fn refused_arrivals_count_towards_the_flood() {
        let mut log = SlidingWindow::default();
        let mut arrive = |time| log.arrive(second(time), Duration::from_mins(1), 2, 5);
        assert_eq!([arrive(0), arrive(0)], [Arrival::Pass; 2]);
        assert!(matches!([arrive(1), arrive(1)], [Arrival::Full(_), Arrival::Full(_)]));
        assert_eq!([arrive(1), arrive(2)], [Arrival::Flood; 2]);
        assert_eq!(arrive(61), Arrival::Pass);
    }

    #[test]
    fn with_flood_equal_to_max_all_of_max_pass() {
        let mut log = SlidingWindow::default();
        let arrivals = [(); 4].map(|()| log.arrive(second(0), Duration::from_mins(1), 3, 3));
        assert_eq!(arrivals, [Arrival::Pass, Arrival::Pass, Arrival::Pass, Arrival::Flood]);
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let window = Duration::from_mins(1);
        let mut log = SlidingWindow::default();
        for _ in 0..10 {
            log.arrive(second(1_000_000), window, 10, 1000);
        }
        // An hour back: as if no time had passed.
        assert_eq!(log.arrive(second(996_400), window, 10, 1000), Arrival::Full(window));
        assert_eq!(log.arrive(second(996_460), window, 10, 1000), Arrival::Pass);
    }

    #[test]
    fn ticks_wrap_without_notice() {
        // A steady client over more than two days, whose ticks wrap some eighty times.
        let window = Duration::from_secs(2000);
        let mut log = SlidingWindow::default();
        for request in 0..200 {
            assert_eq!(log.arrive(second(request * 1000), window, 2, 10), Arrival::Pass, "{request}");
            let soon_after = second(request * 1000 + 1);
            assert!(request == 0 || log.arrive(soon_after, window, 2, 10) != Arrival::Pass, "{request}");
        }
    }

    fn windows() -> impl Strategy<Value = Duration> {
        prop_oneof![Just(1u64), Just(60), Just(2000), Just(2001), Just(86_400)].prop_map(Duration::from_secs)
    }

    proptest! {
        #[test]
        fn never_more_than_max_in_any_window(
            gaps in prop::collection::vec(prop_oneof![Just(0u64), 0..50u64, 0..2000u64], 1..300),
            window in windows(),
            max in 1..12u32,
            more in 0..20u32,
        ) {
            let step = u64::try_from(window.as_micros()).unwrap() / 1000;
            let tolerance = if window <= FINE_WINDOW { 0 } else { 100 };
            let mut log = SlidingWindow::default();
            let mut time = 1_700_000_000_000_123i64;
            let mut passed = Vec::new();
            for gap in gaps {
                time += i64::try_from(gap * step).unwrap();
                let width = i64::try_from(window.as_micros()).unwrap();
                let inside = passed.iter().filter(|&&earlier| time - earlier < width).count();
                let arrival = log.arrive(at(time), window, max, max + more + 1);
                match arrival {
                    Arrival::Pass => {
                        let surely = passed.iter().filter(|&&earlier| time - earlier < width - tolerance).count();
                        prop_assert!(surely < max as usize);
                        passed.push(time);
                    }
                    Arrival::Full(wait) => {
                        prop_assert!(tolerance > 0 || inside >= max as usize);
                        prop_assert!(wait > Duration::ZERO && wait <= window);
                    }
                    Arrival::Flood => {}
                }
            }
        }

        #[test]
        fn agrees_with_a_log_that_keeps_everything(
            gaps in prop::collection::vec(0..30i64, 1..200),
            max in 1..10u32,
            more in 0..10u32,
        ) {
            let window = Duration::from_secs(20);
            let flood = max + more;
            let mut log = SlidingWindow::default();
            let mut all: Vec<(i64, bool)> = Vec::new();
            let mut time = 0;
            for gap in gaps {
                time += gap * gap / 20;
                let recent: Vec<_> = all.iter().filter(|(earlier, _)| time - earlier < 20).collect();
                let passed: Vec<_> = recent.iter().filter(|(_, passed)| *passed).collect();
                let expected = if recent.len() + 1 >= flood.max(max + 1) as usize {
                    Arrival::Flood
                } else if passed.len() < max as usize {
                    Arrival::Pass
                } else {
                    Arrival::Full(Duration::from_secs((passed[0].0 + 20 - time).unsigned_abs()))
                };
                prop_assert_eq!(log.arrive(second(time), window, max, flood), expected);
                all.push((time, expected == Arrival::Pass));
            }
        }

        #[test]
        fn odd_times_and_limits_never_panic(
            arrivals in prop::collection::vec(
                (any::<i64>(), any::<u64>(), any::<u32>(), prop_oneof![0..20u32, any::<u32>()]), 0..50)
        ) {
            let mut log = SlidingWindow::default();
            for (time, window, max, flood) in arrivals {
                log.arrive(at(time), Duration::from_micros(window), max, flood);
            }
        }
    }
}
