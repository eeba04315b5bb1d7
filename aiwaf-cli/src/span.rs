//! Lengths and points of time, as people type them.

use std::str::FromStr;
use std::time::Duration;

use aiwaf_core::Timestamp;

/// A length of time: `90s`, `15m`, `4h`, `7d`, `2w`, or several of these (`1h30m`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

/// The longest span; longer than any honest ban, and short enough that no clock overflows.
const MAX: u64 = 100 * 366 * 86_400;

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no length of time: give one such as 90s, 15m, 4h, 7d, 2w or 1h30m");
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(wrong());
        }
        let mut seconds = 0u64;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, unit) = rest.split_at_checked(digits).ok_or_else(wrong)?;
            let letters = unit.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, after) = unit.split_at_checked(letters).ok_or_else(wrong)?;
            let factor = match unit {
                "s" | "sec" | "seconds" => 1,
                "m" | "min" | "minutes" => 60,
                "h" | "hours" => 3600,
                "d" | "day" | "days" => 86_400,
                "w" | "week" | "weeks" => 7 * 86_400,
                _ => return Err(wrong()),
            };
            let number: u64 = number.parse().map_err(|_| wrong())?;
            seconds =
                number.checked_mul(factor).and_then(|part| seconds.checked_add(part)).ok_or_else(wrong)?;
            rest = after.trim_start();
        }
        if seconds == 0 || seconds > MAX {
            return Err(format!("{text:?} is not allowed: give a time of one second to 100 years"));
        }
        Ok(Self(Duration::from_secs(seconds)))
    }
}

/// A point in time: a date, a date and time (UTC unless it says otherwise), or a span before now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// This one.
    At(Timestamp),
    /// So long before now.
    Ago(Span),
}

impl Moment {
    /// The point in time, if it is `now`.
    pub(crate) fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(span) => now - span.0,
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(span) = text.parse() {
            return Ok(Self::Ago(span));
        }
        let date = || Timestamp::parse_iso8601(&format!("{text}T00:00:00"));
        Timestamp::parse_iso8601(text).or_else(date).map(Self::At).ok_or_else(|| {
            format!("{text:?} is no time: give one such as 2h, 7d, 2025-09-14 or 2025-09-14T10:30:00")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read() {
        for (text, seconds) in [
            ("90s", 90),
            ("15m", 900),
            ("4h", 14_400),
            ("7d", 604_800),
            ("2w", 1_209_600),
            ("1h30m", 5400),
            ("1d 2h", 93_600),
        ] {
            assert_eq!(text.parse(), Ok(Span(Duration::from_secs(seconds))), "{text}");
        }
        for text in ["", "4", "h", "-4h", "4 parsecs", "0s", "99999999999999999999s", "200000d", "1.5h", "4ü"]
        {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn moments_are_read() {
        let now = Timestamp::from_unix_seconds(1_757_845_800.0);
        let resolved = |text: &str| text.parse::<Moment>().unwrap().resolve(now).to_string();
        assert_eq!(resolved("2h"), "2025-09-14T08:30:00.000000Z");
        assert_eq!(resolved("2025-09-14"), "2025-09-14T00:00:00.000000Z");
        assert_eq!(resolved("2025-09-14T12:30:00+02:00"), "2025-09-14T10:30:00.000000Z");
        assert!("yesterday".parse::<Moment>().unwrap_err().contains("2025-09-14"));
    }
}
