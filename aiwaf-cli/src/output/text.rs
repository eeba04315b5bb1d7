//! Texts of others, and times, as a terminal shows them.

use std::borrow::Cow;
use std::fmt::{self, Write};

use aiwaf_core::Timestamp;
use unicode_width::UnicodeWidthStr;

/// The text without what could confuse a terminal: control characters, and marks that turn the direction of writing.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    // Nearly all are plain, and a list has millions of them.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
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
        write!(WithoutFraction { out: f, ended: false }, "{time}")?;
        f.write_char('Z')
    })
}

/// Writes a time up to the fraction of its seconds.
struct WithoutFraction<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    ended: bool,
}

impl fmt::Write for WithoutFraction<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.ended {
            return Ok(());
        }
        let seconds = text.split('.').next().unwrap_or_default();
        self.ended = seconds.len() < text.len();
        self.out.write_str(seconds)
    }
}

/// So many of something, in words: `1 client`, `2 clients`.
pub(crate) fn counted<N: fmt::Display + Copy + PartialEq + From<bool>>(count: N, noun: &str) -> String {
    format!("{count} {noun}{}", if count == N::from(true) { "" } else { "s" })
}

/// How many columns of a terminal the text takes.
pub(crate) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
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
    fn one_is_no_plural() {
        let counts = [0u64, 1, 2].map(|count| counted(count, "client"));
        assert_eq!(counts, ["0 clients", "1 client", "2 clients"]);
    }

    #[test]
    fn times_are_short() {
        let ancient = Timestamp::from_unix_micros(-1_500_000);
        assert_eq!(short_time(ancient).to_string(), "1969-12-31T23:59:58Z");
        assert_eq!(
            short_time(Timestamp::from_unix_seconds(1_757_841_330.5)).to_string(),
            "2025-09-14T09:15:30Z"
        );
    }
}
