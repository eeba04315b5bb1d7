//! Which identifiers a client asked for that do not exist.

use std::time::Duration;

use crate::timestamp::Timestamp;

/// The different identifiers that one client guessed lately, eight bytes each.
#[derive(Debug, Default)]
pub(crate) struct Guesses(Vec<Guess>);

#[derive(Debug, Clone, Copy)]
struct Guess {
    /// Half of a hash: among some dozens of guesses two that collide are one in millions, and then count as one.
    hash: u32,
    /// When it was first asked for, in seconds since 1970.
    second: u32,
}

impl Guesses {
    /// Notes that the identifier with this `hash` was not found, unless it is known already or `limit` is reached.
    pub(super) fn add(&mut self, hash: u64, now: Timestamp, window: Duration, limit: usize) {
        let hash = (hash >> 32) as u32;
        self.forget(now, window);
        if self.0.len() < limit && !self.0.iter().any(|guess| guess.hash == hash) {
            self.0.push(Guess { hash, second: seconds(now) });
        }
    }

    /// Bytes on the heap, the value itself included.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of::<Self>() + self.0.capacity() * size_of::<Guess>()
    }

    /// How many different ones there are within `window` before `now`.
    pub(super) fn count(&mut self, now: Timestamp, window: Duration) -> usize {
        self.forget(now, window);
        self.0.len()
    }

    fn forget(&mut self, now: Timestamp, window: Duration) {
        let (now, window) = (seconds(now), window.as_secs());
        self.0.retain(|guess| u64::from(now.saturating_sub(guess.second)) < window);
    }
}

/// Whole seconds since 1970, until 2106.
fn seconds(time: Timestamp) -> u32 {
    let seconds = time.as_unix_micros() / 1_000_000;
    u32::try_from(seconds).unwrap_or(if seconds < 0 { 0 } else { u32::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_mins(10);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_micros((1_700_000_000 + second) * 1_000_000)
    }

    #[test]
    fn each_identifier_counts_once_for_a_window() {
        let mut guesses = Guesses::default();
        for _ in 0..5 {
            guesses.add(1 << 40, at(0), WINDOW, 10);
        }
        guesses.add(2 << 40, at(300), WINDOW, 10);
        assert_eq!(guesses.count(at(599), WINDOW), 2);
        assert_eq!(guesses.count(at(600), WINDOW), 1);
        assert_eq!(guesses.count(at(900), WINDOW), 0);
    }

    #[test]
    fn no_more_than_the_limit_are_kept() {
        let mut guesses = Guesses::default();
        for hash in 0..1000 {
            guesses.add(hash << 32, at(0), WINDOW, 20);
        }
        assert_eq!(guesses.0.len(), 20);
    }

    #[test]
    fn a_clock_that_jumps_does_no_harm() {
        let mut guesses = Guesses::default();
        for micros in [i64::MAX, i64::MIN, 0] {
            guesses.add(7, Timestamp::from_unix_micros(micros), WINDOW, 20);
        }
        assert!(guesses.count(Timestamp::from_unix_micros(i64::MAX), WINDOW) <= 1);
    }
}
