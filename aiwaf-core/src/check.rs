//! Checks of settings: the error, and what every section's check is made of.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A setting that can't be used: its key, its value, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A value outside of what is allowed.
    #[error("{key} = {value} is not allowed: give {allowed}")]
    Value {
        /// The setting, such as `rate_limit.max`.
        key: String,
        /// What it was set to.
        value: String,
        /// What it may be set to.
        allowed: String,
    },
    /// A text that is no settings file: what is wrong, and where.
    #[error("{source_name}: {message}")]
    Syntax {
        /// The file or variable.
        source_name: String,
        /// What is wrong, with line and column where known.
        message: String,
    },
    /// A variable that begins with `AIWAF_` and means nothing.
    #[error("{name} is no setting{suggestion}")]
    UnknownVariable {
        /// The variable.
        name: String,
        /// `: did you mean ...?`, or nothing.
        suggestion: String,
    },
}

/// An error about the setting `key`.
pub(crate) fn value(key: &str, value: impl Display, allowed: impl Into<String>) -> SettingsError {
    SettingsError::Value { key: key.to_owned(), value: value.to_string(), allowed: allowed.into() }
}

/// Requires a value to be in a range.
pub(crate) fn within<T: PartialOrd + Display>(
    key: &str,
    actual: T,
    allowed: RangeInclusive<T>,
) -> Result<(), SettingsError> {
    if allowed.contains(&actual) {
        return Ok(());
    }
    Err(value(key, actual, format!("{} to {}", allowed.start(), allowed.end())))
}

/// Requires a duration to be in a range of seconds.
pub(crate) fn seconds_within(
    key: &str,
    actual: Duration,
    allowed: RangeInclusive<u64>,
) -> Result<(), SettingsError> {
    if (Duration::from_secs(*allowed.start())..=Duration::from_secs(*allowed.end())).contains(&actual) {
        return Ok(());
    }
    Err(value(key, actual.as_secs_f64(), format!("{} to {} seconds", allowed.start(), allowed.end())))
}

/// Requires words to have 1 to `max` bytes each.
pub(crate) fn words(key: &str, words: &[String], max: usize) -> Result<(), SettingsError> {
    match words.iter().find(|word| word.trim().is_empty() || word.len() > max) {
        Some(word) => Err(value(key, format!("{word:?}"), format!("words of 1 to {max} bytes"))),
        None => Ok(()),
    }
}
