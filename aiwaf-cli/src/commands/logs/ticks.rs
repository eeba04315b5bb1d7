//! Where an axis of time has its labels.

use aiwaf_core::Timestamp;
use aiwaf_trainer::statistics::{TimelineBucket, TimelineSummary};

use super::figures::stretch;

/// What stands on the axis below each bucket: at most `most` of them, at round times.
pub(super) fn ticks(timeline: &TimelineSummary, most: usize) -> Vec<Option<String>> {
    let (buckets, seconds) = (&timeline.buckets, timeline.bucket_seconds.max(1));
    let ticks_every = |length: i64| buckets.iter().filter(|bucket| is_round(bucket.start, length)).count();
    let round = ROUND_LENGTHS.into_iter().filter(|length| length % seconds == 0);
    let longer = (1..).map(|power| seconds.saturating_mul(1 << power)).take(12);
    let length = round.chain(longer).find(|length| ticks_every(*length) <= most).unwrap_or(i64::MAX);
    let label = |bucket: &TimelineBucket| {
        let civil = bucket.start.to_civil();
        if seconds < 86_400 && (civil.hour(), civil.minute()) != (0, 0) {
            format!("{:02}:{:02}", civil.hour(), civil.minute())
        } else {
            let date = stretch(bucket.start, seconds.max(86_400));
            // The year of days is in the header.
            if seconds < 28 * 86_400 {
                date.rsplit_once(' ').map_or(date.clone(), |(day, _)| day.to_owned())
            } else {
                date
            }
        }
    };
    buckets.iter().map(|bucket| is_round(bucket.start, length).then(|| label(bucket))).collect()
}

fn is_round(time: Timestamp, seconds: i64) -> bool {
    time.as_unix_micros().rem_euclid(seconds.max(1).saturating_mul(1_000_000)) == 0
}

/// How far apart ticks can be, in seconds: minutes, hours, days and weeks as clocks and calendars divide them.
const ROUND_LENGTHS: [i64; 18] = [
    60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600,
    2_419_200, 7_257_600, 14_515_200,
];

#[cfg(test)]
mod tests {
    use aiwaf_core::LogFormat;
    use aiwaf_trainer::statistics::{LogStatistics, StatisticsOptions};

    use super::*;

    /// The labels for requests in each of so many seconds since 2025-09-08.
    fn labels(seconds: impl Iterator<Item = i64>) -> Vec<String> {
        let mut statistics = LogStatistics::new(StatisticsOptions::default());
        let line = b"192.0.2.7 - - [08/Sep/2025:00:00:00 +0000] \"GET / HTTP/1.1\" 200 7";
        let mut record = LogFormat::Combined.parse_line(line).unwrap();
        let start = record.time.as_unix_micros();
        for second in seconds {
            record.time = Timestamp::from_unix_micros(start + second * 1_000_000);
            statistics.note(&record);
        }
        ticks(&statistics.summary(1, 96).timeline, 8).into_iter().flatten().collect()
    }

    #[test]
    fn labels_stand_at_round_times() {
        let day = labels((0..96).map(|quarter| quarter * 900));
        assert_eq!(day, ["8 Sep", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00"]);
        let week = labels((0..7 * 24).map(|hour| hour * 3600));
        assert_eq!(week, ["8 Sep", "9 Sep", "10 Sep", "11 Sep", "12 Sep", "13 Sep", "14 Sep"]);
        assert_eq!(labels(3600 * 5 + 60..3600 * 5 + 61), ["05:01"]);
        let years = labels((0..9).map(|year| year * 365 * 86_400));
        assert!((2..=8).contains(&years.len()), "{years:?}");
        assert_eq!(labels(0..0), <[String; 0]>::default());
    }
}
