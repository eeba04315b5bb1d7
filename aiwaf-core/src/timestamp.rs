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
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Some(Self(instant.as_microsecond()));
        }
        let civil = text.parse::<jiff::civil::DateTime>().ok()?;
        let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Self(zoned.timestamp().as_microsecond()))
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
            proptest::prop_assert_eq!(Timestamp::parse_iso8601(&time.to_string()), Some(time));
        }
    }
}
