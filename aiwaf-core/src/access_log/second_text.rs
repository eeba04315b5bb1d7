//! The calendar text of one second, kept for the lines of the same second.

use super::digits;
use super::time::{self, CLF_LENGTH, Civil};
use crate::timestamp::Timestamp;

/// Length of `2025-09-14T15:02:41`.
const ISO_LENGTH: usize = 19;

/// Date and time of the last second that was written. Clocks step back, so it is used for exactly this second.
#[derive(Debug, Clone)]
pub(super) struct SecondText {
    /// Seconds since the Unix epoch; [`i64::MIN`], which no timestamp has, before the first use.
    second: i64,
    clf: [u8; CLF_LENGTH + 9],
    iso: [u8; ISO_LENGTH],
}

impl SecondText {
    pub(super) const fn new() -> Self {
        Self { second: i64::MIN, clf: [0; CLF_LENGTH + 9], iso: [0; ISO_LENGTH] }
    }

    /// Appends ` - - [14/Sep/2025:15:02:41 +0000] "`: all that is between the client and the request in the common format.
    #[inline]
    pub(super) fn push_clf(&mut self, time: Timestamp, out: &mut Vec<u8>) {
        self.select(time);
        out.extend_from_slice(&self.clf);
    }

    /// Appends `2025-09-14T15:02:41`, with six decimals unless the time is a whole second.
    #[inline]
    pub(super) fn push_iso(&mut self, time: Timestamp, out: &mut Vec<u8>) {
        let micros = self.select(time);
        out.extend_from_slice(&self.iso);
        if micros != 0 {
            out.extend_from_slice(&decimals(micros));
        }
    }

    /// Appends `2025-09-14T15:02:41.250000Z`, as `Display` of [`Timestamp`] does for the years 0 to 9999.
    #[inline]
    pub(super) fn push_rfc3339(&mut self, time: Timestamp, out: &mut Vec<u8>) {
        let micros = self.select(time);
        out.extend_from_slice(&self.iso);
        out.extend_from_slice(&decimals(micros));
        out.push(b'Z');
    }

    /// Makes the texts those of `time`; returns its microseconds.
    #[inline]
    fn select(&mut self, time: Timestamp) -> u32 {
        let micros = time::clamp(time).as_unix_micros();
        let second = micros.div_euclid(1_000_000);
        if second != self.second {
            self.render(second);
        }
        u32::try_from(micros - second * 1_000_000).unwrap_or(0)
    }

    #[cold]
    #[inline(never)]
    fn render(&mut self, second: i64) {
        let civil = Civil::from(Timestamp::from_unix_micros(second.saturating_mul(1_000_000)));
        let [[y1, y2], [y3, y4]] = [digits::pair(civil.year / 100), digits::pair(civil.year)];
        let [m1, m2] = digits::pair(civil.month);
        let [d1, d2] = digits::pair(civil.day);
        let [h1, h2] = digits::pair(civil.hour);
        let [i1, i2] = digits::pair(civil.minute);
        let [s1, s2] = digits::pair(civil.second);
        let [n1, n2, n3] = *civil.month_name();
        self.iso = [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2];
        self.clf = [
            b' ', b'-', b' ', b'-', b' ', b'[', d1, d2, b'/', n1, n2, n3, b'/', y1, y2, y3, y4, b':', h1, h2,
            b':', i1, i2, b':', s1, s2, b' ', b'+', b'0', b'0', b'0', b'0', b']', b' ', b'"',
        ];
        self.second = second;
    }
}

/// `.250000`.
#[inline]
fn decimals(micros: u32) -> [u8; 7] {
    let micros = u64::from(micros);
    let [ten_thousands, hundreds, ones] = [micros / 10_000, micros / 100, micros].map(digits::pair);
    let mut text = *b".000000";
    let [_, places @ ..] = &mut text;
    for (place, digit) in places.iter_mut().zip([ten_thousands, hundreds, ones].into_iter().flatten()) {
        *place = digit;
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::time::{FIRST, LAST, parse_clf, parse_iso, whole_seconds};
    use super::*;

    fn texts(text: &mut SecondText, time: Timestamp) -> [Vec<u8>; 3] {
        let mut all = [const { Vec::new() }; 3];
        let [clf, iso, rfc3339] = &mut all;
        text.push_clf(time, clf);
        text.push_iso(time, iso);
        text.push_rfc3339(time, rfc3339);
        all
    }

    #[test]
    fn clock_that_steps_back_is_followed() {
        let mut kept = SecondText::new();
        for micros in
            [1_757_862_161_250_000, 1_757_862_160_999_999, 1_757_862_161_000_000, -1, 0, i64::MIN, i64::MAX]
        {
            let time = Timestamp::from_unix_micros(micros);
            assert_eq!(texts(&mut kept, time), texts(&mut SecondText::new(), time), "{micros}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_calendar(micros in FIRST.as_unix_micros()..=LAST.as_unix_micros()) {
            let time = Timestamp::from_unix_micros(micros);
            let [clf, iso, rfc3339] = texts(&mut SecondText::new(), time);
            prop_assert_eq!(parse_clf(&clf[6..6 + CLF_LENGTH]), Some(whole_seconds(time)));
            prop_assert_eq!(parse_iso(&iso), Some(time));
            if micros < 253_402_207_200_000_000 {
                prop_assert_eq!(String::from_utf8(rfc3339).unwrap(), time.to_string());
            }
        }
    }
}
