//! Points in time, as callers hand them in: core never reads a clock.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time: microseconds since 1970-01-01T00:00:00Z.
///
/// Arithmetic saturates, so a clock that is set back or a hostile number in a log can't make anything panic.
///
/// ```
/// use aiwaf_core::Timestamp;
/// use std::time::Duration;
///
/// let noon = Timestamp::from_unix_seconds(1_700_000_000.25);
/// assert_eq!((noon + Duration::from_secs(2)).since(noon), Duration::from_secs(2));
/// assert_eq!(noon.since(noon + Duration::from_secs(2)), Duration::ZERO);
/// assert_eq!(noon.to_string(), "2023-11-14T22:13:20.250000Z");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self(0);

    /// From microseconds since the Unix epoch.
    pub const fn from_unix_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From seconds since the Unix epoch; saturates, and takes NaN as 0.
    #[allow(clippy::cast_possible_truncation)] // `as` saturates, which is what is promised
    pub fn from_unix_seconds(seconds: f64) -> Self {
        Self((seconds * 1e6).round() as i64)
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_unix_micros(self) -> i64 {
        self.0
    }

    /// Seconds since the Unix epoch.
    #[allow(clippy::cast_precision_loss)] // exact for the next 280 years
    pub fn as_unix_seconds(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Whole milliseconds since the Unix epoch, rounded down.
    pub const fn as_unix_millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Reads an ISO 8601 / RFC 3339 date and time, with or without a zone (none means UTC), with `T` or a
    /// space between date and time. `None` if `text` is something else.
    pub fn parse_iso8601(text: &str) -> Option<Self> {
        if let Some(time) = Self::parse_own(text.as_bytes()) {
            return Some(time);
        }
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Some(Self(instant.as_microsecond()));
        }
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Self(zoned.timestamp().as_microsecond()))
    }

    /// Reads what `Display` writes of the years that a list can have: a list has millions of them, and this is five times
    /// as fast as a parser of everything.
    fn parse_own(text: &[u8]) -> Option<Self> {
        let text: &[u8; 27] = text.try_into().ok()?;
        let separators = [text[4], text[7], text[10], text[13], text[16], text[19], text[26]];
        if separators != *b"--T::.Z" {
            return None;
        }
        let number = |digits: &[u8]| {
            digits.iter().try_fold(0i64, |number, digit| {
                digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
            })
        };
        let (year, month, day) = (number(&text[..4])?, number(&text[5..7])?, number(&text[8..10])?);
        let (hour, minute, second) = (number(&text[11..13])?, number(&text[14..16])?, number(&text[17..19])?);
        let micros = number(&text[20..26])?;
        // The last days of months and leap seconds are left to the parser of everything.
        if year < 1970 || !(1..=12).contains(&month) || !(1..=28).contains(&day) {
            return None;
        }
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        // Counted from the first of March, so that a leap day comes last.
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 719_469;
        Some(Self((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + micros))
    }

    /// What `Display` writes of the years that a list can have, for the same reason as [`parse_own`](Self::parse_own).
    fn own_text(self) -> Option<[u8; 27]> {
        // Up to the last that the calendar of everything knows, at the end of 9999.
        if !(0..253_402_207_200_000_000).contains(&self.0) {
            return None;
        }
        let (seconds, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        // Eras of 400 years and years from the first of March, so that a leap day comes last.
        let shifted = days + 719_468;
        let (era, day) = (shifted / 146_097, shifted % 146_097);
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (year * 365 + year / 4 - year / 100);
        let month = (day * 5 + 2) / 153;
        let day = day - (month * 153 + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = era * 400 + year + i64::from(month <= 2);

        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let fields: [(usize, usize, i64); 7] = [
            (0, 4, year),
            (5, 7, month),
            (8, 10, day),
            (11, 13, second / 3600),
            (14, 16, second / 60 % 60),
            (17, 19, second % 60),
            (20, 26, micros),
        ];
        for (start, end, mut number) in fields {
            for digit in text.get_mut(start..end)?.iter_mut().rev() {
                *digit = b'0' + u8::try_from(number % 10).ok()?;
                number /= 10;
            }
        }
        Some(text)
    }

    /// The calendar's view of this point in time, in UTC; clamped to the years -9999 to 9999.
    pub fn to_civil(self) -> jiff::civil::DateTime {
        let instant = jiff::Timestamp::from_microsecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        });
        jiff::tz::Offset::UTC.to_datetime(instant)
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// RFC 3339 in UTC with microseconds, as the list files and the backup write it.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = self.own_text()
            && let Ok(text) = std::str::from_utf8(&text)
        {
            return f.write_str(text);
        }
        let civil = self.to_civil();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
            civil.year(),
            civil.month(),
            civil.day(),
            civil.hour(),
            civil.minute(),
            civil.second(),
            self.0.rem_euclid(1_000_000)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_original_and_we_write() {
        let expected = Timestamp::from_unix_micros(1_757_845_800_000_000);
        for text in [
            "2025-09-14T10:30:00",
            "2025-09-14 10:30:00",
            "2025-09-14T10:30:00Z",
            "2025-09-14T12:30:00+02:00",
            "2025-09-14T10:30:00.000000Z",
        ] {
            assert_eq!(Timestamp::parse_iso8601(text), Some(expected), "{text}");
        }
        assert_eq!(Timestamp::parse_iso8601("yesterday"), None);
    }

    #[test]
    fn extreme_values_saturate() {
        let end = Timestamp::from_unix_micros(i64::MAX);
        assert_eq!(end + Duration::MAX, end);
        assert_eq!(Timestamp::from_unix_seconds(f64::NAN), Timestamp::UNIX_EPOCH);
        assert_eq!(Timestamp::from_unix_seconds(f64::INFINITY), end);
        assert!(end.to_string().starts_with("9999-"));
        assert_eq!(Timestamp::from_unix_micros(i64::MIN).since(end), Duration::ZERO);
    }

    proptest::proptest! {
        #[test]
        fn display_reads_back(micros in 0i64..253_402_300_799_000_000) {
            let time = Timestamp::from_unix_micros(micros);
            let text = time.to_string();
            proptest::prop_assert_eq!(Timestamp::parse_iso8601(&text), Some(time));
            let civil = time.to_civil();
            let written = format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
                civil.year(), civil.month(), civil.day(), civil.hour(), civil.minute(), civil.second(),
                micros % 1_000_000
            );
            proptest::prop_assert_eq!(&text, &written);
            let known = Timestamp::parse_own(text.as_bytes());
            proptest::prop_assert!(known == Some(time) || known.is_none() && text[8..10] > *"28", "{}", text);
        }
    }
}
