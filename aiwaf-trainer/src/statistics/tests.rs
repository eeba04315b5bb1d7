//! The counting as a whole.

use std::sync::Arc;

use aiwaf_core::{
    AccessRecord, BlockMark, CountryCode, CountryLookup, LogFormat, LoggedClient, Protection, Timestamp,
};

use super::log_statistics::{MANY, METHODS, REASONS};
use super::*;
use crate::progress::ProgressUpdate;
use crate::sources::{SourceError, Sources};

fn record(line: &str) -> AccessRecord<'static> {
    LogFormat::Combined.parse_line(line.as_bytes()).unwrap().into_owned()
}

/// At second `second` of a day.
fn line(second: u32, client: &str, target: &str, rest: &str) -> AccessRecord<'static> {
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let time = format!("14/Sep/2025:{hour:02}:{minute:02}:{second:02} +0000");
    record(&format!("{client} - - [{time}] \"GET {target} HTTP/1.1\" {rest}"))
}

fn of<'a>(records: impl IntoIterator<Item = AccessRecord<'a>>) -> LogStatistics {
    let mut statistics = LogStatistics::new(StatisticsOptions::default());
    records.into_iter().for_each(|record| statistics.note(&record));
    statistics
}

fn names(list: &TopList) -> Vec<(&str, u64, u64)> {
    list.entries.iter().map(|entry| (&*entry.name, entry.requests, entry.blocked)).collect()
}

fn sample() -> Vec<AccessRecord<'static>> {
    vec![
        line(0, "192.0.2.1", "/a?x=1", r#"200 100 "-" "Mozilla/5.0" 10ms - "-""#),
        line(3600, "192.0.2.1", "/a?x=2", r#"404 50 "-" "Mozilla/5.0" 20ms - "-""#),
        line(
            7200,
            "2001:db8::1",
            "/.env",
            r#"403 10 "-" "-" 1ms BLOCKED "Keyword block: .env" ip_keyword_block block"#,
        ),
        line(7201, "2001:db8::2", "/a", r#"429 10 "-" "-" 1ms BLOCKED "Flood pattern" rate_limit throttle"#),
        line(
            7202,
            "shop.example",
            "/a",
            r#"200 - "-" "-" - MONITORED "AI anomaly + x (total:7, burst:1.0)" ai_anomaly block"#,
        ),
        line(7203, "192.0.2.9", "/b", r#"403 9 "-" "-" 1ms BLOCKED "Form submitted too quickly (0.42s)""#),
        line(7204, "192.0.2.9", "/b", r#"403 9 "-" "-" 1ms BLOCKED "Form submitted too quickly (1.42s)""#),
    ]
}

#[test]
fn what_happened_is_counted() {
    let summary = of(sample()).summary(3, 96);
    assert_eq!([summary.requests, summary.blocked, summary.throttled, summary.monitored], [7, 4, 1, 1]);
    assert_eq!(summary.bytes_sent, 188);
    assert_eq!((summary.distinct_clients.count, summary.distinct_clients.relative_error), (4, None));
    assert_eq!(names(&summary.clients), [("192.0.2.1", 2, 0), ("192.0.2.9", 2, 2), ("2001:db8::/64", 2, 2)]);
    assert_eq!(names(&summary.blocked_clients), [("192.0.2.9", 2, 2), ("2001:db8::/64", 2, 2)]);
    assert_eq!(names(&summary.paths), [("/a", 4, 1), ("/b", 2, 2), ("/.env", 1, 1)]);
    assert_eq!(names(&summary.blocked_paths), [("/b", 2, 2), ("/.env", 1, 1), ("/a", 1, 1)]);
    assert_eq!(names(&summary.agents), [("-", 5, 4), ("Mozilla/5.0", 2, 0)]);
    assert_eq!(names(&summary.methods), [("GET", 7, 4)]);
    assert_eq!(
        names(&summary.reasons),
        [("Form submitted too quickly", 2, 2), ("AI anomaly + x", 1, 0), ("Flood pattern", 1, 1)]
    );
    let statuses: Vec<_> = summary.statuses.iter().map(|count| (count.status, count.requests)).collect();
    assert_eq!(statuses, [(200, 2), (403, 3), (404, 1), (429, 1)]);
    let protections: Vec<_> = summary
        .protections
        .iter()
        .map(|count| (count.protection, count.blocked, count.throttled, count.monitored))
        .collect();
    assert_eq!(
        protections,
        [
            ("unknown", 2, 0, 0),
            ("ip_keyword_block", 1, 0, 0),
            ("rate_limit", 0, 1, 0),
            ("ai_anomaly", 0, 0, 1)
        ]
    );
    let hours: Vec<_> = summary.hours.iter().map(|hour| (hour.requests, hour.blocked)).take(4).collect();
    assert_eq!(hours, [(1, 0), (1, 0), (5, 4), (0, 0)]);
    assert_eq!(summary.timeline.buckets.iter().map(|bucket| bucket.errors).sum::<u64>(), 1);
    let times = summary.response_time.unwrap();
    assert_eq!((times.measured, times.max_ms), (6, 20.0));
    assert!((times.average_ms - 34.0 / 6.0).abs() < 0.001, "{}", times.average_ms);
}

/// Rate limit, identifier, form and behaviour were not counted as denials.
#[test]
fn original_defect_25_every_denial_counts() {
    let ours = Protection::ALL.into_iter().map(|protection| {
        let mut record = sample().swap_remove(0);
        record.block = Some(BlockMark::new("x").with_protection(protection));
        record
    });
    let summary = of(ours).summary(1, 2);
    assert_eq!(
        (summary.blocked, summary.protections.len()),
        (Protection::ALL.len() as u64, Protection::ALL.len())
    );
}

#[test]
fn only_the_period_counts() {
    let at = |second: i64| Some(Timestamp::from_unix_micros((1_757_808_000 + second) * 1_000_000));
    let options = StatisticsOptions { since: at(3600), until: at(7201), ..StatisticsOptions::default() };
    let mut statistics = LogStatistics::new(options);
    for record in &sample() {
        statistics.note(record);
    }
    let summary = statistics.summary(1, 2);
    assert_eq!((summary.requests, summary.outside_period), (2, 5));
    assert_eq!((summary.first, summary.last), (at(3600), at(7200)));
}

#[test]
fn countries_are_asked_once_per_client_and_counted() {
    struct Two;
    impl CountryLookup for Two {
        fn country(&self, address: std::net::IpAddr) -> Option<CountryCode> {
            address.is_ipv4().then(|| "NZ".parse().unwrap())
        }
    }
    let options = StatisticsOptions { countries: Some(Arc::new(Two)), ..StatisticsOptions::default() };
    let mut statistics = LogStatistics::new(options);
    for record in &sample() {
        statistics.note(record);
    }
    let countries = statistics.summary(1, 2).countries.unwrap();
    let counts: Vec<_> = countries
        .iter()
        .map(|count| (count.country.map(|code| code.to_string()), count.requests, count.blocked))
        .collect();
    assert_eq!(counts, [(Some("NZ".into()), 4, 2), (None, 3, 2)]);
    assert_eq!(of(sample()).summary(1, 2).countries, None);
}

#[test]
fn hostile_text_is_shown_escaped_and_cut() {
    let mut records = sample();
    records[0].target = b"/\x1b[2J\r\nfake".into();
    records[1].target = "\u{20ac}".repeat(1000).into_bytes().into();
    let summary = of(records).summary(9, 2);
    let shown: Vec<_> = names(&summary.paths).into_iter().map(|(name, ..)| name).collect();
    assert!(shown.contains(&"/\\x1b[2J\\x0d\\x0afake"), "{shown:?}");
    assert!(shown.contains(&&*format!("{}\u{2026}", "\u{20ac}".repeat(85))), "{shown:?}");
}

#[test]
fn odd_statuses_and_empty_logs_are_no_problem() {
    let mut record = sample().swap_remove(0);
    record.status = u16::MAX;
    assert_eq!(of([record]).summary(1, 2).statuses[0].status, 1000);
    let nothing = of([]).summary(0, 0);
    assert_eq!((nothing.requests, nothing.first, nothing.response_time.is_none()), (0, None, true));
    assert!(nothing.blocked_share().abs() < 1e-9 && nothing.timeline.buckets.is_empty());
}

#[test]
fn merging_equals_counting_together() {
    for split in 0..=7 {
        let mut records = sample();
        let second = records.split_off(split);
        let mut merged = of(records);
        merged.merge(of(second));
        assert_eq!(merged.summary(9, 96), of(sample()).summary(9, 96), "{split}");
    }
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let mut statistics = of([]);
    let mut record = sample().swap_remove(2);
    for number in 0..20_000u32 {
        record.client = LoggedClient::Address(std::net::Ipv4Addr::from(number).into());
        let text = format!("/{number}/{}", "x".repeat(300)).into_bytes();
        record.target = text.clone().into();
        record.user_agent = Some(text.clone().into());
        record.method = text.clone().into();
        record.time = Timestamp::from_unix_micros(i64::from(number) * 1_000_000_000_000);
        record.block = Some(BlockMark::new(&text).into_owned());
        statistics.note(&record);
    }
    let sizes = [
        (statistics.paths.len(), MANY),
        (statistics.blocked_paths.len(), MANY),
        (statistics.clients.len(), MANY),
        (statistics.agents.len(), MANY),
        (statistics.methods.len(), METHODS),
        (statistics.reasons.len(), REASONS),
    ];
    assert!(sizes.iter().all(|(size, limit)| size <= limit), "{sizes:?}");
    let summary = statistics.summary(10, 50);
    assert!(summary.clients.most_missed > 0 && summary.paths.most_missed > 0);
    assert!(summary.timeline.buckets.len() <= 50);
}

#[test]
fn json_has_readable_times() {
    let json = serde_json::to_value(of(sample()).summary(1, 2)).unwrap();
    assert_eq!(json["first"], "2025-09-14T00:00:00.000000Z");
    assert_eq!(json["timeline"]["buckets"][0]["start"], "2025-09-14T00:00:00.000000Z");
    assert_eq!(json["response_time"]["max_ms"], 20.0);
    assert_eq!(json["blocked_paths"]["entries"][0]["name"], "/b");
}

#[test]
fn files_are_counted_on_several_threads_as_on_one() {
    let directory = tempfile::tempdir().unwrap();
    let mut lines = Vec::new();
    for (number, record) in sample().into_iter().enumerate() {
        lines.clear();
        LogFormat::Combined.write(&record, &mut lines);
        lines.extend_from_slice(b"nonsense\n");
        std::fs::write(directory.path().join(format!("access.log.{number}")), &lines).unwrap();
    }
    let sources = Sources::find([directory.path()]).unwrap();
    let total = sources.total_bytes();
    let mut last = ProgressUpdate::default();
    let mut progress = |update: ProgressUpdate| last = update;
    let (counted, read) = count_logs(sources, &StatisticsOptions::default(), &mut progress).unwrap();
    assert_eq!((read.lines, read.parsed, read.unparsed.lines, Some(read.bytes)), (14, 7, 7, total));
    assert_eq!(read.formats.iter().map(|format| format.files).sum::<u64>(), 7);
    assert_eq!(read.unparsed.samples.len(), 7);
    assert!(last.lines <= 14);
    let mut together = of(sample());
    together.note_unreadable(7);
    assert_eq!(counted.summary(9, 96), together.summary(9, 96));
    let nothing = count_logs(Sources::new(), &StatisticsOptions::default(), &mut ());
    assert!(matches!(nothing, Err(SourceError::Nothing)));
}
