//! Average, quantiles and histogram of response times, in bounded memory.

use std::time::Duration;

/// How long answers took, in 22 KiB whatever comes.
///
/// Quantiles come from buckets as wide as 1/64 of the times in them, so they are off by 1/128 at most
/// ([`RELATIVE_ERROR`]); times up to 127 microseconds are exact. The histogram's bars are counted exactly.
#[derive(Debug, Clone)]
pub(super) struct ResponseTimes {
    buckets: Box<[u64]>,
    bars: [u64; BAR_STARTS.len() + 1],
    count: u64,
    sum_micros: u128,
    max: Duration,
}

/// How far a quantile can be off, relative to itself.
pub(super) const RELATIVE_ERROR: f64 = 1.0 / 128.0;

/// Where bars of the histogram begin, in microseconds; the first begins at 0.
const BAR_STARTS: [u64; 18] = [
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
];

/// Each power of two is divided into so many buckets (as a power of two).
const DIVISIONS: u32 = 6;
/// The longest time that is told apart, in microseconds: about 400 days, more than logs of ours hold.
const MAX_MICROS: u64 = (1 << 45) - 1;
const BUCKETS: usize = ((45 - DIVISIONS as usize) << DIVISIONS) + (1 << DIVISIONS);

impl ResponseTimes {
    pub(super) fn new() -> Self {
        Self {
            buckets: vec![0; BUCKETS].into(),
            bars: [0; BAR_STARTS.len() + 1],
            count: 0,
            sum_micros: 0,
            max: Duration::ZERO,
        }
    }

    /// Notes one time.
    pub(super) fn note(&mut self, taken: Duration) {
        let micros = u64::try_from(taken.as_micros()).unwrap_or(MAX_MICROS).min(MAX_MICROS);
        if let Some(bucket) = self.buckets.get_mut(bucket_of(micros)) {
            *bucket += 1;
        }
        let bar = BAR_STARTS.partition_point(|start| *start <= micros);
        if let Some(bar) = self.bars.get_mut(bar) {
            *bar += 1;
        }
        self.count += 1;
        self.sum_micros += u128::from(micros);
        self.max = self.max.max(taken);
    }

    /// Adds the times of `other`.
    pub(super) fn merge(&mut self, other: &Self) {
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(ours, theirs)| *ours += theirs);
        self.bars.iter_mut().zip(&other.bars).for_each(|(ours, theirs)| *ours += theirs);
        self.count += other.count;
        self.sum_micros += other.sum_micros;
        self.max = self.max.max(other.max);
    }

    /// How many times were noted.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The longest.
    pub(super) fn max(&self) -> Duration {
        self.max
    }

    /// The exact average; `None` if there is no time.
    pub(super) fn average(&self) -> Option<Duration> {
        let micros = self.sum_micros.checked_div(self.count.into())?;
        u64::try_from(micros).ok().map(Duration::from_micros)
    }

    /// The time that `percent` of 100 answers did not exceed; `None` if there is no time.
    pub(super) fn percentile(&self, percent: u32) -> Option<Duration> {
        let rank = (u128::from(self.count) * u128::from(percent.min(100))).div_ceil(100).max(1);
        let mut seen = 0u128;
        let bucket = self.buckets.iter().position(|count| {
            seen += u128::from(*count);
            seen >= rank
        })?;
        Some(Duration::from_micros(middle_of(bucket)).min(self.max))
    }

    /// The bars of the histogram from the first to the last that is not empty: begin, end and count. The last possible
    /// bar has no end.
    pub(super) fn bars(&self) -> Vec<(Duration, Option<Duration>, u64)> {
        let starts = std::iter::once(0).chain(BAR_STARTS);
        let ends = BAR_STARTS.into_iter().map(Some).chain([None]);
        let mut bars: Vec<_> = starts
            .zip(ends)
            .zip(self.bars)
            .map(|((start, end), count)| {
                (Duration::from_micros(start), end.map(Duration::from_micros), count)
            })
            .skip_while(|bar| bar.2 == 0)
            .collect();
        while bars.last().is_some_and(|bar| bar.2 == 0) {
            bars.pop();
        }
        bars
    }
}

/// The bucket of a time: its number of bits and the bits behind the first.
fn bucket_of(micros: u64) -> usize {
    let shift = (u64::BITS - micros.leading_zeros()).saturating_sub(DIVISIONS + 1);
    usize::try_from((u64::from(shift) << DIVISIONS) + (micros >> shift)).unwrap_or(BUCKETS - 1)
}

/// The time in the middle of a bucket.
fn middle_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket >> DIVISIONS).saturating_sub(1);
    let first = (bucket - (shift << DIVISIONS)) << shift;
    first + ((1 << shift) - 1) / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(micros: &[u64]) -> ResponseTimes {
        let mut times = ResponseTimes::new();
        for micros in micros {
            times.note(Duration::from_micros(*micros));
        }
        times
    }

    #[test]
    fn no_times_have_no_average() {
        let times = ResponseTimes::new();
        assert_eq!((times.average(), times.percentile(95), times.count()), (None, None, 0));
        assert!(times.bars().is_empty());
    }

    #[test]
    fn bars_begin_where_they_say() {
        let millis = |millis| Duration::from_millis(millis);
        let bars = of(&[10_000, 19_999, 20_000, 99_999, 5_000]).bars();
        assert_eq!(
            bars,
            [
                (millis(5), Some(millis(10)), 1),
                (millis(10), Some(millis(20)), 2),
                (millis(20), Some(millis(50)), 1),
                (millis(50), Some(millis(100)), 1)
            ]
        );
        assert_eq!(of(&[u64::MAX]).bars(), [(Duration::from_secs(200), None, 1)]);
    }

    #[test]
    fn endless_times_are_bounded() {
        let mut times = ResponseTimes::new();
        times.note(Duration::MAX);
        assert!(times.percentile(50) > Some(Duration::from_hours(24 * 366)));
        assert!(times.average().is_some());
    }

    proptest! {
        #[test]
        fn percentiles_are_as_near_as_promised(
            mut micros in prop::collection::vec(prop_oneof![0u64..5000, 0u64..10_000_000, 0..=MAX_MICROS], 1..300),
            percent in 0u32..=100,
            split in 0usize..300,
        ) {
            let (first, second) = micros.split_at(split.min(micros.len()));
            let mut times = of(first);
            times.merge(&of(second));
            micros.sort_unstable();
            let rank = (micros.len() * percent as usize).div_ceil(100).max(1);
            let exact = Duration::from_micros(micros[rank - 1]).as_secs_f64();
            let estimate = times.percentile(percent).unwrap().as_secs_f64();
            prop_assert!((estimate - exact).abs() <= exact * RELATIVE_ERROR + 1e-9, "{estimate} for {exact}");
            let sum: u128 = micros.iter().map(|micros| u128::from(*micros)).sum();
            prop_assert_eq!(times.average().unwrap().as_micros(), sum / micros.len() as u128);
            prop_assert_eq!(times.bars().iter().map(|bar| bar.2).sum::<u64>(), micros.len() as u64);
        }

        #[test]
        fn buckets_are_in_order_and_in_range(micros in 0..MAX_MICROS) {
            prop_assert!(bucket_of(micros) <= bucket_of(micros + 1));
            prop_assert!(bucket_of(micros + 1) < BUCKETS);
        }
    }
}
