//! The statistics as plain data: what text, JSON and pages are made of.

use serde::{Serialize, Serializer};

use aiwaf_core::{CountryCode, Timestamp};

/// What the logs say, in figures.
///
/// All text in it is [printable](super::printable), but not escaped for HTML. It serializes to the JSON that `aiwaf logs
/// --json` writes: the fields by their names, times in RFC 3339 and UTC, durations in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LogSummary {
    /// How many requests were counted.
    pub requests: u64,
    /// How many of them a protection denied: blocked (403) or throttled (429).
    pub blocked: u64,
    /// How many of the denied ones were throttled.
    pub throttled: u64,
    /// How many passed that a protection in monitor mode would have denied.
    pub monitored: u64,
    /// How many lines could not be read.
    pub unreadable_lines: u64,
    /// How many requests were not counted, because they came before `since` or not before `until`.
    pub outside_period: u64,
    /// When the first request came; none if there was none.
    #[serde(serialize_with = "rfc3339")]
    pub first: Option<Timestamp>,
    /// When the last request came.
    #[serde(serialize_with = "rfc3339")]
    pub last: Option<Timestamp>,
    /// The bodies of all answers together, in bytes, as far as the logs say.
    pub bytes_sent: u64,
    /// How many different clients there were. All addresses of an IPv6 network (/64 by default) are one client.
    pub distinct_clients: DistinctCount,
    /// How long answers took; none if the logs don't say.
    pub response_time: Option<ResponseTimeSummary>,
    /// Requests by status, the lowest first; 0 stands for no answer.
    pub statuses: Vec<StatusCount>,
    /// What each protection did, the busiest first; those that did nothing are left out.
    pub protections: Vec<ProtectionCount>,
    /// Why requests were denied, or would have been. Figures in brackets at the end of a reason are left out.
    pub reasons: TopList,
    /// Who asked most.
    pub clients: TopList,
    /// Who was denied most; `requests` counts denied ones only.
    pub blocked_clients: TopList,
    /// What was asked for most: paths without their query.
    pub paths: TopList,
    /// What was denied most; `requests` counts denied ones only.
    pub blocked_paths: TopList,
    /// The user agents; `-` if there was none.
    pub agents: TopList,
    /// The methods; `-` if the request was garbage.
    pub methods: TopList,
    /// The countries, the busiest first; none if there is no country database.
    pub countries: Option<Vec<CountryCount>>,
    /// Requests over time.
    pub timeline: TimelineSummary,
    /// Requests by the hour of the day in UTC: 24 entries.
    pub hours: Vec<HourCount>,
}

impl LogSummary {
    /// The share of requests that were denied, 0 to 1; 0 if there were none.
    #[allow(clippy::cast_precision_loss)] // a share of 15 digits is exact enough
    pub fn blocked_share(&self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.blocked as f64 / self.requests as f64 }
    }
}

/// How many different things there were.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DistinctCount {
    /// How many.
    pub count: u64,
    /// The standard error of `count`, relative to it (0.008 is 0.8 %); none if it is exact.
    pub relative_error: Option<f64>,
}

/// The most frequent ones of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TopList {
    /// The most frequent ones, most frequent first.
    pub entries: Vec<TopEntry>,
    /// How many different ones are known; all there are if `most_missed` is 0.
    pub known: u64,
    /// How often one that is not known can have occurred at most; 0 if all counts are exact.
    pub most_missed: u64,
}

/// One of a [`TopList`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TopEntry {
    /// What it is. Longer ones than 256 bytes are cut and end in an ellipsis; those that begin alike count as one.
    pub name: String,
    /// How many requests it had: exactly, or at least if `missed` is not 0.
    pub requests: u64,
    /// How many of these were denied.
    pub blocked: u64,
    /// How many more requests it can have had at most.
    pub missed: u64,
}

/// Requests with a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StatusCount {
    /// The status; 1000 stands for all above 999.
    pub status: u16,
    /// How many requests.
    pub requests: u64,
}

/// What a protection did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProtectionCount {
    /// Its name; `unknown` for denials whose log line does not say.
    pub protection: &'static str,
    /// Requests that it answered with 403.
    pub blocked: u64,
    /// Requests that it answered with 429.
    pub throttled: u64,
    /// Requests that it would have denied, had it not been in monitor mode.
    pub monitored: u64,
}

/// Requests from a country.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CountryCount {
    /// The country; none for addresses of which the database knows none, and for clients without address.
    pub country: Option<CountryCode>,
    /// How many requests.
    pub requests: u64,
    /// How many of them were denied.
    pub blocked: u64,
}

/// How long answers took, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ResponseTimeSummary {
    /// How many requests have a time in the logs.
    pub measured: u64,
    /// The exact average.
    pub average_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// 95 of 100 answers were as fast as this or faster.
    pub p95_ms: f64,
    /// 99 of 100 answers were as fast as this or faster.
    pub p99_ms: f64,
    /// The slowest, exactly.
    pub max_ms: f64,
    /// How far the percentiles can be off, relative to them.
    pub relative_error: f64,
    /// How many answers took how long, without empty bars at the ends.
    pub histogram: Vec<ResponseTimeBar>,
}

/// Answers that took about as long.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ResponseTimeBar {
    /// At least as long as this.
    pub from_ms: f64,
    /// Shorter than this; none if there is no bound.
    pub to_ms: Option<f64>,
    /// How many answers.
    pub requests: u64,
}

/// Requests over time, in buckets of equal length without gaps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TimelineSummary {
    /// How long each bucket is.
    pub bucket_seconds: i64,
    /// The buckets, the earliest first.
    pub buckets: Vec<TimelineBucket>,
    /// How many requests came so far before or after the others that the picture leaves them out: at most one in a thousand
    /// on each side.
    pub left_out: u64,
}

/// One bucket of a [`TimelineSummary`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TimelineBucket {
    /// When it begins.
    #[serde(serialize_with = "rfc3339_always")]
    pub start: Timestamp,
    /// How many requests came in it.
    pub requests: u64,
    /// How many of them were denied.
    pub blocked: u64,
    /// How many were not denied and answered with 400 or more.
    pub errors: u64,
}

/// Requests in an hour of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HourCount {
    /// The hour, 0 to 23, in UTC.
    pub hour: u8,
    /// How many requests came in it, on all days together.
    pub requests: u64,
    /// How many of them were denied.
    pub blocked: u64,
}

#[allow(clippy::ref_option)] // serde hands the field over by reference
fn rfc3339<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(time),
        None => serializer.serialize_none(),
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands the field over by reference
fn rfc3339_always<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}
