//! What happened, by the access logs: how much, who, what, when, how fast, and what was denied and why.
//!
//! [`LogStatistics`] takes one [`AccessRecord`](aiwaf_core::AccessRecord) after the other and gives a [`LogSummary`]. Several
//! of them, each on a thread of its own, can be merged; [`count_logs`] does all that with files. The memory is bounded, whatever the logs hold; where that makes
//! figures inexact, the summary says so and by how much at most:
//!
//! | figure | how | exact |
//! |---|---|---|
//! | requests, denials, statuses, protections, countries, average response time | counted | always |
//! | most frequent clients, paths, agents, methods, reasons | Misra-Gries with a bound for each key | while there are at most 8,192 of a kind (methods: 64, reasons: 1,024) |
//! | different clients | counted, then HyperLogLog | up to 65,536 |
//! | percentiles of response times | buckets of 1/64 | within 0.8 % |
//! | requests over time | by the minute, longer when there are too many | always; the resolution adapts |
//!
//! ```
//! use aiwaf_core::LogFormat;
//! use aiwaf_trainer::statistics::{LogStatistics, StatisticsOptions};
//!
//! let mut statistics = LogStatistics::new(StatisticsOptions::default());
//! let line = br#"203.0.113.10 - - [14/Sep/2025:15:02:42 +0000] "GET /admin.php?x HTTP/1.1" 403 0 "-" "BadBot/1.0" 10ms BLOCKED "Malicious keyword: .php""#;
//! statistics.note(&LogFormat::Combined.parse_line(line)?);
//! let summary = statistics.summary(10, 96);
//! assert_eq!((summary.requests, summary.blocked), (1, 1));
//! assert_eq!(summary.paths.entries[0].name, "/admin.php");
//! assert_eq!(summary.reasons.entries[0].name, "Malicious keyword: .php");
//! # Ok::<(), aiwaf_core::LineError>(())
//! ```

mod count;
mod country_memory;
mod distinct;
mod heavy_hitters;
mod log_statistics;
mod options;
mod printable;
mod response_times;
mod summarize;
mod summary;
#[cfg(test)]
mod tests;
mod timeline;

pub use count::count_logs;
pub use log_statistics::LogStatistics;
pub use options::StatisticsOptions;
pub use printable::printable;
pub use summary::{
    CountryCount, DistinctCount, HourCount, LogSummary, ProtectionCount, ResponseTimeBar,
    ResponseTimeSummary, StatusCount, TimelineBucket, TimelineSummary, TopEntry, TopList,
};
