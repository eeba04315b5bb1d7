//! Figures as people read them.

use aiwaf_core::{CountryCode, Timestamp};

use crate::countries;

/// `1234567` as `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A round number in few characters: `500`, `20k`, `1.5M`.
#[allow(clippy::cast_precision_loss)] // three digits are shown
pub(super) fn compact(number: u64) -> String {
    let mut value = number as f64;
    let mut unit = "";
    for larger in ["k", "M", "G", "T", "P", "E"] {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = larger;
    }
    let text = format!("{value:.1}");
    format!("{}{unit}", text.trim_end_matches(".0"))
}

/// What `part` is of `whole`; neither a small part becomes none nor a large one all.
pub(super) fn percent(part: u64, whole: u64) -> String {
    let percent = share(part, whole) * 100.0;
    if part == 0 {
        "0%".to_owned()
    } else if part == whole {
        "100%".to_owned()
    } else if percent < 0.1 {
        "<0.1%".to_owned()
    } else if percent > 99.9 {
        ">99.9%".to_owned()
    } else {
        format!("{percent:.1}%")
    }
}

/// What `part` is of `whole`, 0 to 1; 0 if there is no whole.
#[allow(clippy::cast_precision_loss)] // a share of 15 digits is exact enough
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64).min(1.0) }
}

/// A time in milliseconds with two or three digits that count: `0.25ms`, `85ms`, `1.25s`, `2.1min`, `3.5h`.
pub(super) fn milliseconds(time: f64) -> String {
    let (value, unit) = match time {
        time if time < 1_000.0 => (time, "ms"),
        time if time < 60_000.0 => (time / 1_000.0, "s"),
        time if time < 7_200_000.0 => (time / 60_000.0, "min"),
        time => (time / 3_600_000.0, "h"),
    };
    let mut text = if value < 10.0 {
        format!("{value:.2}")
    } else if value < 100.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    };
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    text + unit
}

/// A number of bytes with its unit, in powers of 1024.
#[allow(clippy::cast_precision_loss)] // three digits are shown
pub(super) fn bytes(number: u64) -> String {
    let mut value = number as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    if unit == "B" || value >= 100.0 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

/// A point in time to the second, in UTC: `2025-09-14 15:02:41`.
pub(super) fn moment(time: Timestamp) -> String {
    let civil = time.to_civil();
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        civil.year(),
        civil.month(),
        civil.day(),
        civil.hour(),
        civil.minute(),
        civil.second()
    )
}

/// A status with its name: `404 Not Found`.
pub(super) fn status_name(status: u16) -> String {
    match http::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason()) {
        Some(name) => format!("{status} {name}"),
        None if status == 0 => "no answer".to_owned(),
        None if status > 999 => "above 999".to_owned(),
        None => status.to_string(),
    }
}

/// A country with its code and name: `DE Germany`.
pub(super) fn country_name(country: Option<CountryCode>) -> String {
    match country {
        Some(code) => countries::name(code).map_or_else(|| code.to_string(), |name| format!("{code} {name}")),
        None => "unknown".to_owned(),
    }
}

/// When a stretch of `seconds` begins, as precisely as it needs: `14 Sep 15:00`, `14 Sep`, `Sep 2025`.
pub(super) fn stretch(start: Timestamp, seconds: i64) -> String {
    let civil = start.to_civil();
    let month = usize::try_from(civil.month()).ok().and_then(|month| MONTHS.get(month.wrapping_sub(1)));
    let (month, year) = (month.unwrap_or(&"?"), civil.year());
    if seconds < DAY {
        format!("{} {month} {:02}:{:02}", civil.day(), civil.hour(), civil.minute())
    } else if seconds < 28 * DAY {
        format!("{} {month} {year}", civil.day())
    } else {
        format!("{month} {year}")
    }
}

/// How long a stretch is: `15 minutes`, `1 day`.
pub(super) fn stretch_length(seconds: i64) -> String {
    let (number, unit) = match seconds {
        ..HOUR => (seconds / 60, "minute"),
        HOUR..DAY => (seconds / HOUR, "hour"),
        DAY..YEAR if seconds % (7 * DAY) == 0 => (seconds / (7 * DAY), "week"),
        DAY..YEAR => (seconds / DAY, "day"),
        _ => (seconds / YEAR, "year"),
    };
    if number == 1 { format!("1 {unit}") } else { format!("{number} {unit}s") }
}

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// 52 weeks, as the buckets of the timeline count.
const YEAR: i64 = 364 * DAY;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let shown = [0, 999, 1_000, 1_234_567, u64::MAX].map(count);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567", "18,446,744,073,709,551,615"]);
    }

    #[test]
    fn round_numbers_are_short() {
        let shown = [0, 500, 1_500, 20_000, 2_000_000, u64::MAX].map(compact);
        assert_eq!(shown, ["0", "500", "1.5k", "20k", "2M", "18.4E"]);
    }

    #[test]
    fn shares_are_honest_at_both_ends() {
        let shown = [(0, 7), (45, 1250), (1, 100_000), (99_999, 100_000), (7, 7), (0, 0)]
            .map(|(part, whole)| percent(part, whole));
        assert_eq!(shown, ["0%", "3.6%", "<0.1%", ">99.9%", "100%", "0%"]);
    }

    #[test]
    fn times_and_sizes_have_few_digits() {
        let shown =
            [0.0, 0.25, 1.6, 85.0, 85.04, 122.367, 1_250.0, 126_000.0, 12_600_000.0].map(milliseconds);
        assert_eq!(shown, ["0ms", "0.25ms", "1.6ms", "85ms", "85ms", "122ms", "1.25s", "2.1min", "3.5h"]);
        let shown = [0, 1023, 1536, 5 << 30, u64::MAX].map(bytes);
        assert_eq!(shown, ["0 B", "1023 B", "1.5 KiB", "5.0 GiB", "16.0 EiB"]);
    }

    #[test]
    fn statuses_have_names() {
        let shown = [200, 404, 499, 0, 1000].map(status_name);
        assert_eq!(shown, ["200 OK", "404 Not Found", "499", "no answer", "above 999"]);
    }

    #[test]
    fn stretches_are_named_as_precisely_as_they_are() {
        let start = Timestamp::parse_iso8601("2025-09-04T15:00:00Z").unwrap();
        assert_eq!(moment(start), "2025-09-04 15:00:00");
        let shown = [900, 86_400, 28 * 86_400].map(|seconds| stretch(start, seconds));
        assert_eq!(shown, ["4 Sep 15:00", "4 Sep 2025", "Sep 2025"]);
        let shown = [60, 900, 3_600, 86_400, 604_800, 2_419_200, 31_449_600].map(stretch_length);
        assert_eq!(shown, ["1 minute", "15 minutes", "1 hour", "1 day", "1 week", "4 weeks", "1 year"]);
    }
}
