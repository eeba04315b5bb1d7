//! Times as logs spell them: `14/Sep/2025:15:02:41 +0000` and `2025-09-14T15:02:41.250000`.

use super::digits;
use crate::timestamp::Timestamp;

/// How long a time in brackets is.
pub(super) const CLF_LENGTH: usize = 26;

/// The zone in which we write.
const CLF_UTC: &[u8] = b" +0000";

const SECONDS_PER_DAY: i64 = 86_400;
const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
/// 0000-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z: what four digits of a year can say.
pub(super) const FIRST: Timestamp = Timestamp::from_unix_micros(-62_167_219_200_000_000);
pub(super) const LAST: Timestamp = Timestamp::from_unix_micros(253_402_300_799_999_999);

/// The nearest time that the formats can spell: the years 0 to 9999.
pub(super) fn clamp(time: Timestamp) -> Timestamp {
    time.clamp(FIRST, LAST)
}

/// Cut to whole seconds.
pub(super) fn whole_seconds(time: Timestamp) -> Timestamp {
    let micros = time.as_unix_micros();
    Timestamp::from_unix_micros(micros - micros.rem_euclid(1_000_000))
}

/// Reads `14/Sep/2025:15:02:41 +0900`, exactly [`CLF_LENGTH`] bytes, in any zone.
pub(super) fn parse_clf(text: &[u8]) -> Option<Timestamp> {
    let &[
        d1,
        d2,
        b'/',
        m1,
        m2,
        m3,
        b'/',
        y1,
        y2,
        y3,
        y4,
        b':',
        h1,
        h2,
        b':',
        i1,
        i2,
        b':',
        s1,
        s2,
        b' ',
        sign,
        zh1,
        zh2,
        zm1,
        zm2,
    ] = text
    else {
        return None;
    };
    let month = MONTHS.iter().position(|name| **name == [m1, m2, m3])?;
    let year = two(y1, y2)? * 100 + two(y3, y4)?;
    let seconds = seconds_since_epoch(
        [year, i64::try_from(month).ok()? + 1, two(d1, d2)?],
        [two(h1, h2)?, two(i1, i2)?, two(s1, s2)?],
    )?;
    Some(Timestamp::from_unix_micros((seconds - zone(sign, two(zh1, zh2)?, two(zm1, zm2)?)?) * 1_000_000))
}

/// Reads `2025-09-14T15:02:41`, with or without decimals and zone (none means UTC).
pub(super) fn parse_iso(text: &[u8]) -> Option<Timestamp> {
    let (head, tail) = text.split_at_checked(19)?;
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b't' | b' ', h1, h2, b':', i1, i2, b':', s1, s2] =
        head
    else {
        return None;
    };
    let seconds = seconds_since_epoch(
        [two(y1, y2)? * 100 + two(y3, y4)?, two(m1, m2)?, two(d1, d2)?],
        [two(h1, h2)?, two(i1, i2)?, two(s1, s2)?],
    )?;
    let (micros, tail) = match tail.split_first() {
        Some((b'.' | b',', decimals)) => {
            let length = decimals.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (decimals, tail) = decimals.split_at_checked(length)?;
            (millionths(decimals)?, tail)
        }
        _ => (0, tail),
    };
    let zone = match *tail {
        [] | [b'Z' | b'z'] => 0,
        [sign, h1, h2, b':', m1, m2] | [sign, h1, h2, m1, m2] => zone(sign, two(h1, h2)?, two(m1, m2)?)?,
        _ => return None,
    };
    Some(Timestamp::from_unix_micros((seconds - zone) * 1_000_000 + micros))
}

/// Reads a time as any server may write it: ISO 8601, the common format's with or without brackets, decimals and zone
/// (none means UTC), or seconds, milliseconds, microseconds or nanoseconds since the epoch, told apart by their size.
pub(super) fn parse_any(text: &[u8]) -> Option<Timestamp> {
    let text = text.trim_ascii();
    let text = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]")).unwrap_or(text);
    parse_iso(text).or_else(|| parse_loose_clf(text)).or_else(|| parse_epoch(text))
}

/// `14/Sep/2025:15:02:41`, then perhaps decimals, then perhaps a zone.
fn parse_loose_clf(text: &[u8]) -> Option<Timestamp> {
    let (head, tail) = text.split_at_checked(CLF_LENGTH - CLF_UTC.len())?;
    let (micros, zone) = match tail.split_first() {
        Some((b'.', decimals)) => {
            let length = decimals.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (decimals, zone) = decimals.split_at_checked(length)?;
            (millionths(decimals)?, zone)
        }
        _ => (0, tail),
    };
    let zone = if zone.is_empty() { CLF_UTC } else { zone };
    let mut whole = [0; CLF_LENGTH];
    let (date, rest) = whole.split_at_mut(head.len());
    if zone.len() != rest.len() {
        return None;
    }
    date.copy_from_slice(head);
    rest.copy_from_slice(zone);
    let time = parse_clf(&whole)?;
    Some(Timestamp::from_unix_micros(time.as_unix_micros() + micros))
}

/// A number since the epoch. What has up to eleven digits are seconds, until the year 5138.
fn parse_epoch(text: &[u8]) -> Option<Timestamp> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (whole, decimals) = text.split_at_checked(length)?;
    let whole = i64::try_from(digits::parse(whole)?).ok()?;
    let decimals = match decimals.split_first() {
        None => 0,
        // Floating point numbers come with more digits than there is precision.
        Some((b'.', decimals)) if decimals.iter().all(u8::is_ascii_digit) => {
            millionths(decimals.get(..6).unwrap_or(decimals))?
        }
        Some(_) => return None,
    };
    Some(Timestamp::from_unix_micros(match length {
        0..=11 => whole * 1_000_000 + decimals,
        12..=14 => whole * 1000 + decimals / 1000,
        15..=17 => whole,
        _ => whole / 1000,
    }))
}

/// A number written as decimals (`25` of `0.25`) in millionths; digits beyond the sixth are cut.
fn millionths(decimals: &[u8]) -> Option<i64> {
    if decimals.is_empty() || decimals.len() > 9 {
        return None;
    }
    let mut number = 0;
    for place in 0..6 {
        number = number * 10 + i64::from(decimals.get(place).map_or(0, |byte| byte - b'0'));
    }
    Some(number)
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then_some(i64::from(tens) * 10 + i64::from(ones))
}

fn zone(sign: u8, hours: i64, minutes: i64) -> Option<i64> {
    if hours > 23 || minutes > 59 {
        return None;
    }
    match sign {
        b'+' => Some(hours * 3600 + minutes * 60),
        b'-' => Some(-(hours * 3600 + minutes * 60)),
        _ => None,
    }
}

/// Seconds since the epoch of a date and a time of day in UTC. A leap second counts as the first of the next minute.
fn seconds_since_epoch([year, month, day]: [i64; 3], [hour, minute, second]: [i64; 3]) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Years that begin in March put the leap day last, so that a month's offset does not depend on it.
    let shifted = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = shifted * 365 + shifted.div_euclid(4) - shifted.div_euclid(100)
        + shifted.div_euclid(400)
        + day_of_year
        - DAYS_TO_EPOCH;
    Some(days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second)
}

/// Days from the first of March of the year 0 to 1970-01-01.
const DAYS_TO_EPOCH: i64 = 719_468;

/// A date and a time of day in UTC.
pub(super) struct Civil {
    pub(super) year: u64,
    pub(super) month: u64,
    pub(super) day: u64,
    pub(super) hour: u64,
    pub(super) minute: u64,
    pub(super) second: u64,
}

impl Civil {
    pub(super) fn month_name(&self) -> &'static [u8; 3] {
        let index = usize::try_from(self.month).unwrap_or(1).saturating_sub(1);
        MONTHS.get(index).copied().unwrap_or(b"Jan")
    }
}

impl From<Timestamp> for Civil {
    #[allow(clippy::cast_sign_loss)] // clamped to the years 0 to 9999: no part is negative
    fn from(time: Timestamp) -> Self {
        let micros = clamp(time).as_unix_micros();
        let seconds = micros.div_euclid(1_000_000);
        let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
        // Counted from March of the year 0, in eras of 400 years, which all have the same length.
        let days = seconds.div_euclid(SECONDS_PER_DAY) + DAYS_TO_EPOCH;
        let era = days.div_euclid(146_097);
        let of_era = days.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        Self {
            year: (era * 400 + year_of_era + i64::from(month <= 2)) as u64,
            month: month as u64,
            day: (of_year - (153 * shifted_month + 2) / 5 + 1) as u64,
            hour: (of_day / 3600) as u64,
            minute: (of_day / 60 % 60) as u64,
            second: (of_day % 60) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clf(text: &str) -> Option<Timestamp> {
        parse_clf(text.as_bytes())
    }

    #[test]
    fn zones_count() {
        let noon = Timestamp::parse_iso8601("2025-09-14T15:02:41Z");
        assert!(noon.is_some());
        assert_eq!(clf("14/Sep/2025:15:02:41 +0000"), noon);
        assert_eq!(clf("15/Sep/2025:00:02:41 +0900"), noon);
        assert_eq!(clf("14/Sep/2025:11:32:41 -0330"), noon);
        for text in ["2025-09-14T15:02:41", "2025-09-14 15:02:41.000Z", "2025-09-14T17:02:41+02:00"] {
            assert_eq!(parse_iso(text.as_bytes()), noon, "{text}");
        }
    }

    #[test]
    fn other_servers_times_are_read() {
        let noon = Timestamp::parse_iso8601("2025-09-14T15:02:41Z");
        for text in [
            "14/Sep/2025:15:02:41 +0000",
            "[14/Sep/2025:17:02:41 +0200]",
            "14/Sep/2025:15:02:41",
            "14/Sep/2025:15:02:41.000",
            "14/Sep/2025:17:02:41.000 +0200",
            "2025-09-14T15:02:41.000000000Z",
            "1757862161",
            "1757862161.000",
            "1757862161.0000001",
            "1757862161000",
            "1757862161000000",
            "1757862161000000000",
        ] {
            assert_eq!(parse_any(text.as_bytes()), noon, "{text}");
        }
        for text in ["", "-", "now", "14/Sep/2025", "-1757862161", "1757862161.x", "99999999999999999999"] {
            assert_eq!(parse_any(text.as_bytes()), None, "{text}");
        }
        assert_eq!(
            parse_any(b"1757862161.25").map(Timestamp::as_unix_micros),
            noon.map(|noon| noon.as_unix_micros() + 250_000)
        );
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for text in [
            "29/Feb/2025:00:00:00 +0000",
            "29/Feb/1900:00:00:00 +0000",
            "31/Apr/2025:00:00:00 +0000",
            "00/Jan/2025:00:00:00 +0000",
            "01/Foo/2025:00:00:00 +0000",
            "01/Jan/2025:24:00:00 +0000",
            "01/Jan/2025:00:00:00 00000",
        ] {
            assert_eq!(clf(text), None, "{text}");
        }
        assert!(clf("29/Feb/2000:00:00:00 +0000").is_some());
        assert_eq!(clf("31/Dec/2016:23:59:60 +0000"), clf("01/Jan/2017:00:00:00 +0000"));
    }
}
