//! Durations in settings: numbers of seconds.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Writes whole seconds as an integer, others as a fraction.
pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    if duration.subsec_nanos() == 0
        && let Ok(whole) = i64::try_from(duration.as_secs())
    {
        return serializer.serialize_i64(whole);
    }
    serializer.serialize_f64(duration.as_secs_f64())
}

/// Reads an integer or a fraction that is not negative.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        D::Error::custom(format!("{seconds} is no duration: give a number of seconds, 0 or more"))
    })
}
