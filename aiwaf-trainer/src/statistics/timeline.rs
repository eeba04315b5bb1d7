//! Requests over time, in bounded memory.

use std::collections::HashMap;

use foldhash::quality::RandomState;

use aiwaf_core::Timestamp;

/// Counts requests by stretches of time that get longer when there are too many of them.
///
/// Only stretches with requests take memory, so a line with a wrong date costs one of them and not the picture.
#[derive(Debug, Clone)]
pub(super) struct Timeline {
    /// Which of [`WIDTHS`] the stretches have.
    level: usize,
    stretches: HashMap<i64, Traffic, RandomState>,
    /// The stretch of the last request and what came in it: most logs are in order.
    current: (i64, Traffic),
}

/// What came in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Traffic {
    /// All requests.
    pub(super) requests: u64,
    /// Those of them that were denied.
    pub(super) blocked: u64,
    /// Those of them that were not denied by a protection and answered 400 or more.
    pub(super) errors: u64,
}

/// How long stretches can be, in seconds; each fits a whole number of times into the next. A minute, 5 and 15 minutes,
/// 1, 3, 6 and 12 hours, 1, 7 and 28 days, 1, 4, 16, 64 and 256 times 364 days. The last is enough for any time that a log
/// can spell.
const WIDTHS: [i64; 15] = [
    60,
    300,
    900,
    3_600,
    10_800,
    21_600,
    43_200,
    86_400,
    604_800,
    2_419_200,
    31_449_600,
    125_798_400,
    503_193_600,
    2_012_774_400,
    8_051_097_600,
];

/// So many stretches are kept: three days by the minute, five months by the hour.
const MAX_STRETCHES: usize = 4096;

impl Timeline {
    pub(super) fn new() -> Self {
        Self { level: 0, stretches: HashMap::default(), current: (0, Traffic::default()) }
    }

    /// Notes one request, or what `traffic` counts at about that time.
    pub(super) fn note(&mut self, time: Timestamp, traffic: Traffic) {
        self.note_second(time.as_unix_micros().div_euclid(1_000_000), traffic);
    }

    /// Adds what `other` counted of other requests.
    pub(super) fn merge(&mut self, mut other: Self) {
        other.put_away_current();
        while self.level < other.level {
            self.coarsen();
        }
        let width = other.width();
        for (stretch, traffic) in other.stretches {
            self.note_second(stretch * width, traffic);
        }
    }

    /// At most `most` stretches of equal length without gaps, the shortest possible ones, that show when nearly all requests
    /// came. Far-off requests (at most one in a thousand on each side, and only if the picture gets less than half as long
    /// without them) are left out: a line with a wrong date would squeeze all others into one stretch.
    pub(super) fn picture(mut self, most: usize) -> Picture {
        self.put_away_current();
        let most = i64::try_from(most.max(2)).unwrap_or(i64::MAX);
        loop {
            let mut stretches: Vec<_> = self.stretches.iter().map(|(at, traffic)| (*at, *traffic)).collect();
            stretches.sort_unstable_by_key(|(at, _)| *at);
            let (first, last) = Self::busy_period(&stretches);
            if last - first < most || self.level + 1 == WIDTHS.len() {
                // At the last level there are fewer stretches than the years 0 to 9999 have; what is beyond is cut.
                return self.fill(first, last.min(first.saturating_add(most - 1)));
            }
            self.coarsen();
        }
    }

    /// The first and the last stretch to show.
    fn busy_period(stretches: &[(i64, Traffic)]) -> (i64, i64) {
        let (Some(&(first, _)), Some(&(last, _))) = (stretches.first(), stretches.last()) else {
            return (0, 0);
        };
        let total: u64 = stretches.iter().map(|(_, traffic)| traffic.requests).sum();
        let few = total / 1000;
        let not_few = |(at, sum): (i64, u64)| (sum > few).then_some(at);
        let running = |sum: &mut u64, stretch: &(i64, Traffic)| {
            *sum += stretch.1.requests;
            Some((stretch.0, *sum))
        };
        let busy_first = stretches.iter().scan(0, running).find_map(not_few).unwrap_or(first);
        let busy_last = stretches.iter().rev().scan(0, running).find_map(not_few).unwrap_or(last);
        if (busy_last - busy_first) < (last - first) / 2 { (busy_first, busy_last) } else { (first, last) }
    }

    fn fill(&self, first: i64, last: i64) -> Picture {
        let width = self.width();
        let mut picture = Picture { width_seconds: width, stretches: Vec::new(), left_out: 0 };
        if self.stretches.is_empty() {
            return picture;
        }
        picture.stretches.extend((first..=last).map(|at| {
            let start = Timestamp::from_unix_micros(at.saturating_mul(width).saturating_mul(1_000_000));
            (start, self.stretches.get(&at).copied().unwrap_or_default())
        }));
        let shown: u64 = picture.stretches.iter().map(|(_, traffic)| traffic.requests).sum();
        let total: u64 = self.stretches.values().map(|traffic| traffic.requests).sum();
        picture.left_out = total - shown;
        picture
    }

    fn note_second(&mut self, second: i64, traffic: Traffic) {
        let stretch = second.div_euclid(self.width());
        if stretch != self.current.0 {
            self.put_away_current();
            // The width may have changed.
            self.current.0 = second.div_euclid(self.width());
        }
        self.current.1.add(traffic);
    }

    fn put_away_current(&mut self) {
        let (stretch, traffic) = std::mem::take(&mut self.current);
        if traffic.requests == 0 {
            return;
        }
        self.stretches.entry(stretch).or_default().add(traffic);
        while self.stretches.len() > MAX_STRETCHES && self.level + 1 < WIDTHS.len() {
            self.coarsen();
        }
    }

    /// Goes on with longer stretches. Nothing may be current.
    fn coarsen(&mut self) {
        self.put_away_current();
        let width = self.width();
        self.level += 1;
        let longer = self.width();
        for (stretch, traffic) in std::mem::take(&mut self.stretches) {
            self.stretches.entry((stretch * width).div_euclid(longer)).or_default().add(traffic);
        }
    }

    fn width(&self) -> i64 {
        WIDTHS.get(self.level).copied().unwrap_or(60)
    }
}

impl Traffic {
    pub(super) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.blocked += other.blocked;
        self.errors += other.errors;
    }
}

/// Requests over time, ready to be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    /// How long each stretch is.
    pub(super) width_seconds: i64,
    /// When each begins, and what came in it.
    pub(super) stretches: Vec<(Timestamp, Traffic)>,
    /// How many requests came before or after.
    pub(super) left_out: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: Traffic = Traffic { requests: 1, blocked: 0, errors: 0 };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_micros(seconds * 1_000_000)
    }

    fn of(seconds: impl IntoIterator<Item = i64>) -> Timeline {
        let mut timeline = Timeline::new();
        seconds.into_iter().for_each(|second| timeline.note(at(second), ONE));
        timeline
    }

    fn counts(picture: &Picture) -> Vec<u64> {
        picture.stretches.iter().map(|(_, traffic)| traffic.requests).collect()
    }

    #[test]
    fn gaps_are_shown() {
        let picture = of([0, 59, 180]).picture(10);
        assert_eq!((picture.width_seconds, counts(&picture)), (60, vec![2, 0, 0, 1]));
        assert_eq!(picture.stretches[3].0, at(180));
        assert!(Timeline::new().picture(10).stretches.is_empty());
    }

    #[test]
    fn stretches_are_as_short_as_fits() {
        let day = of((0..1440).map(|minute| minute * 60)).picture(96);
        assert_eq!((day.width_seconds, day.stretches.len()), (900, 96));
        assert!(counts(&day).iter().all(|count| *count == 15));
        let week = of((0..7 * 24).map(|hour| hour * 3600)).picture(96);
        assert_eq!((week.width_seconds, week.stretches.len()), (10_800, 56));
    }

    #[test]
    fn a_wrong_date_does_not_squeeze_the_picture() {
        let minutes = (0..600).map(|minute| 1_700_000_040 + minute * 60);
        let mut lines: Vec<i64> = minutes.flat_map(|second| [second; 10]).collect();
        lines.extend([0, 253_402_300_799]);
        let picture = of(lines.iter().copied()).picture(96);
        assert_eq!((picture.width_seconds, picture.left_out), (900, 2));
        assert_eq!(counts(&picture).iter().sum::<u64>(), 6000);
    }

    #[test]
    fn two_far_apart_visits_are_both_shown() {
        let picture = of([-62_167_219_200, 253_402_300_799]).picture(96);
        assert_eq!((counts(&picture).iter().sum::<u64>(), picture.left_out), (2, 0));
    }

    #[test]
    fn any_log_is_held_in_bounded_memory() {
        let mut timeline = of((0..100_000).map(|day| day * 86_400 - 62_000_000_000));
        timeline.put_away_current();
        assert!(timeline.stretches.len() <= MAX_STRETCHES);
        for extreme in [i64::MIN, i64::MAX] {
            timeline.note(Timestamp::from_unix_micros(extreme), ONE);
        }
        assert!(timeline.picture(50).stretches.len() <= 50);
    }

    #[test]
    fn each_width_fits_into_the_next() {
        assert!(WIDTHS.windows(2).all(|pair| pair[1] > pair[0] && pair[1] % pair[0] == 0));
    }

    proptest! {
        #[test]
        fn merging_equals_counting_together(
            first in prop::collection::vec(0i64..100_000_000, 0..200),
            second in prop::collection::vec(0i64..10_000, 0..200),
            most in 2usize..200,
        ) {
            let mut merged = of(first.iter().copied());
            merged.merge(of(second.iter().copied()));
            let together = of(first.into_iter().chain(second));
            prop_assert_eq!(merged.picture(most), together.picture(most));
        }
    }
}
