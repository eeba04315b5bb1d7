//! How much was asked for over time.

use std::collections::BTreeMap;

use aiwaf_core::Timestamp;
use serde::Serialize;

/// What was asked for in a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct TrafficSpan {
    /// When it begins, in seconds since 1970-01-01T00:00:00Z.
    pub start: i64,
    /// Requests in all.
    pub requests: u64,
    /// Of these, answered 4xx or 5xx.
    pub errors: u64,
    /// Of these, for paths that only scanners ask for.
    pub scanning: u64,
}

/// Traffic over time in spans of one length, which grows with what the log covers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Traffic {
    /// The length of a span in seconds.
    pub span_seconds: i64,
    /// The spans in their order; spans without requests are left out.
    pub spans: Vec<TrafficSpan>,
}

/// Counts requests in spans of time.
pub(crate) struct TrafficCounter {
    seconds: i64,
    spans: BTreeMap<i64, TrafficSpan>,
}

/// More spans than that are put together to longer ones.
const MAX_SPANS: usize = 240;

/// Lengths that people can read, each a multiple of the one before it.
const LENGTHS: [i64; 10] = [60, 300, 900, 3600, 10_800, 21_600, 86_400, 604_800, 2_419_200, 29_030_400];

impl TrafficCounter {
    pub(crate) fn new() -> Self {
        Self { seconds: LENGTHS[0], spans: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, time: Timestamp, is_error: bool, is_scanning: bool) {
        let index = time.as_unix_micros().div_euclid(1_000_000).div_euclid(self.seconds);
        let span = self.spans.entry(index).or_default();
        span.requests += 1;
        span.errors += u64::from(is_error);
        span.scanning += u64::from(is_scanning);
        if self.spans.len() > MAX_SPANS {
            self.coarsen();
        }
    }

    /// Takes the next length. Beyond the longest, spans are put together until there are few enough.
    fn coarsen(&mut self) {
        let longer = LENGTHS.into_iter().find(|length| *length > self.seconds).unwrap_or(self.seconds * 4);
        let mut spans: BTreeMap<i64, TrafficSpan> = BTreeMap::new();
        for (index, part) in std::mem::take(&mut self.spans) {
            let span = spans.entry((index * self.seconds).div_euclid(longer)).or_default();
            span.requests += part.requests;
            span.errors += part.errors;
            span.scanning += part.scanning;
        }
        (self.seconds, self.spans) = (longer, spans);
    }

    pub(crate) fn finish(&self) -> Traffic {
        let spans =
            self.spans.iter().map(|(index, span)| TrafficSpan { start: index * self.seconds, ..*span });
        Traffic { span_seconds: self.seconds, spans: spans.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_span_of_time_fits() {
        let mut counter = TrafficCounter::new();
        for number in 0..100_000 {
            counter.add(Timestamp::from_unix_seconds(f64::from(number) * 3600.0), number % 2 == 0, false);
        }
        counter.add(Timestamp::from_unix_micros(i64::MAX), false, true);
        counter.add(Timestamp::from_unix_micros(i64::MIN), false, true);
        let traffic = counter.finish();
        assert!(traffic.spans.len() <= MAX_SPANS);
        assert_eq!(traffic.spans.iter().map(|span| span.requests).sum::<u64>(), 100_002);
        assert_eq!(
            traffic
                .spans
                .iter()
                .map(|span| (span.errors, span.scanning))
                .fold((0, 0), |sum, next| (sum.0 + next.0, sum.1 + next.1)),
            (50_000, 2)
        );
        assert!(traffic.spans.is_sorted_by_key(|span| span.start));
    }
}
