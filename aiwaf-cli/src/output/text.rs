//! Texts of others, and times, as a terminal shows them.

use std::borrow::Cow;
use std::fmt;

use aiwaf_core::Timestamp;

/// The text without what could confuse a terminal: control characters, and marks that turn the direction of writing.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let is_confusing = |character: char| {
        character.is_control()
            || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.contains(is_confusing) {
        let replaced =
            |character| if is_confusing(character) { char::REPLACEMENT_CHARACTER } else { character };
        Cow::Owned(text.chars().map(replaced).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// A point in time to the second, in UTC: `2025-09-14T09:15:30Z`.
pub(crate) fn short_time(time: Timestamp) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        let civil = time.to_civil();
        let (date, time) = (civil.date(), civil.time());
        write!(f, "{:04}-{:02}-{:02}T", date.year(), date.month(), date.day())?;
        write!(f, "{:02}:{:02}:{:02}Z", time.hour(), time.minute(), time.second())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_it_could_obey() {
        assert_eq!(printable("a\x1b[2Jb\u{202e}c\n"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}");
        assert!(matches!(printable("größer 中"), Cow::Borrowed(_)));
    }

    #[test]
    fn times_are_short() {
        assert_eq!(
            short_time(Timestamp::from_unix_seconds(1_757_841_330.5)).to_string(),
            "2025-09-14T09:15:30Z"
        );
    }
}
