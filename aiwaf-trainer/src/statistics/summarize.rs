//! From what was counted to figures.

use std::hash::Hash;
use std::time::Duration;

use aiwaf_core::{Protection, display_network};

use super::distinct;
use super::heavy_hitters::{HeavyHitters, Tally};
use super::log_statistics::{Client, LogStatistics, MAX_NAME, ProtectionTally};
use super::printable::printable;
use super::response_times;
use super::summary::{
    CountryCount, DistinctCount, HourCount, LogSummary, ProtectionCount, ResponseTimeBar,
    ResponseTimeSummary, StatusCount, TimelineBucket, TimelineSummary, TopEntry, TopList,
};

impl LogStatistics {
    /// The figures: lists with at most `top` entries, and a timeline of at most `buckets` (at least two).
    pub fn summary(&self, top: usize, buckets: usize) -> LogSummary {
        let texts = |counts: &HeavyHitters<Box<[u8]>>| top_list(counts, top, |text| shown(text));
        let clients =
            |counts: &HeavyHitters<Client>| top_list(counts, top, |client| self.shown_client(client));
        LogSummary {
            requests: self.requests,
            blocked: self.blocked,
            throttled: self.throttled,
            monitored: self.monitored,
            unreadable_lines: self.unreadable_lines,
            outside_period: self.outside_period,
            first: self.first,
            last: self.last,
            bytes_sent: self.bytes_sent,
            distinct_clients: DistinctCount {
                count: self.distinct_clients.count(),
                relative_error: (!self.distinct_clients.is_exact()).then_some(distinct::RELATIVE_ERROR),
            },
            response_time: self.response_time_summary(),
            statuses: (0..)
                .zip(&self.statuses)
                .filter(|(_, requests)| **requests > 0)
                .map(|(status, requests)| StatusCount { status, requests: *requests })
                .collect(),
            protections: self.protection_counts(),
            reasons: texts(&self.reasons),
            clients: clients(&self.clients),
            blocked_clients: clients(&self.blocked_clients),
            paths: texts(&self.paths),
            blocked_paths: texts(&self.blocked_paths),
            agents: texts(&self.agents),
            methods: texts(&self.methods),
            countries: self.options.countries.is_some().then(|| self.country_counts()),
            timeline: self.timeline_summary(buckets),
            hours: (0..)
                .zip(self.hours)
                .map(|(hour, traffic)| HourCount {
                    hour,
                    requests: traffic.requests,
                    blocked: traffic.blocked,
                })
                .collect(),
        }
    }
    fn shown_client(&self, client: &Client) -> String {
        match client {
            Client::Network(key) => display_network(&key.network(self.options.ipv6_prefix)),
            Client::Name(name) => shown(name),
        }
    }

    fn response_time_summary(&self) -> Option<ResponseTimeSummary> {
        let times = &self.response_times;
        let percentile = |percent| times.percentile(percent).map(milliseconds);
        Some(ResponseTimeSummary {
            measured: times.count(),
            average_ms: milliseconds(times.average()?),
            p50_ms: percentile(50)?,
            p95_ms: percentile(95)?,
            p99_ms: percentile(99)?,
            max_ms: milliseconds(times.max()),
            relative_error: response_times::RELATIVE_ERROR,
            histogram: times
                .bars()
                .into_iter()
                .map(|(from, to, requests)| ResponseTimeBar {
                    from_ms: milliseconds(from),
                    to_ms: to.map(milliseconds),
                    requests,
                })
                .collect(),
        })
    }

    fn protection_counts(&self) -> Vec<ProtectionCount> {
        let names = Protection::ALL.iter().map(|protection| protection.name()).chain(["unknown"]);
        let mut counts: Vec<_> = names
            .zip(self.protections)
            .filter(|(_, tally)| *tally != ProtectionTally::default())
            .map(|(protection, tally)| ProtectionCount {
                protection,
                blocked: tally.blocked,
                throttled: tally.throttled,
                monitored: tally.monitored,
            })
            .collect();
        counts.sort_by_key(|count| std::cmp::Reverse((count.blocked + count.throttled, count.monitored)));
        counts
    }

    fn country_counts(&self) -> Vec<CountryCount> {
        let mut counts: Vec<_> = self
            .countries
            .iter()
            .map(|(country, traffic)| CountryCount {
                country: *country,
                requests: traffic.requests,
                blocked: traffic.blocked,
            })
            .collect();
        counts.sort_by_key(|count| (std::cmp::Reverse(count.requests), count.country));
        counts
    }

    fn timeline_summary(&self, buckets: usize) -> TimelineSummary {
        let picture = self.timeline.clone().picture(buckets);
        TimelineSummary {
            bucket_seconds: picture.width_seconds,
            buckets: picture
                .stretches
                .into_iter()
                .map(|(start, traffic)| TimelineBucket {
                    start,
                    requests: traffic.requests,
                    blocked: traffic.blocked,
                    errors: traffic.errors,
                })
                .collect(),
            left_out: picture.left_out,
        }
    }
}

/// A name as it is shown, with an ellipsis if it was, or may have been, cut.
fn shown(name: &[u8]) -> String {
    if name.len() < MAX_NAME {
        return printable(name);
    }
    // The cut may have gone through a character.
    let whole = name.utf8_chunks().last().map_or(0, |chunk| chunk.invalid().len());
    let mut text = printable(name.get(..name.len() - if whole < 4 { whole } else { 0 }).unwrap_or(name));
    text.push('\u{2026}');
    text
}
fn top_list<K: Hash + Eq + Ord>(
    counts: &HeavyHitters<K>,
    top: usize,
    name: impl Fn(&K) -> String,
) -> TopList {
    let entries = counts.top(top);
    TopList {
        entries: entries
            .into_iter()
            .map(|(key, Tally { requests, blocked, missed })| TopEntry {
                name: name(key),
                requests,
                blocked,
                missed,
            })
            .collect(),
        known: counts.len() as u64,
        most_missed: counts.most_missed(),
    }
}

fn milliseconds(time: Duration) -> f64 {
    // Rounded to what logs hold, so that figures are short.
    (time.as_secs_f64() * 1e6).round() / 1e3
}
