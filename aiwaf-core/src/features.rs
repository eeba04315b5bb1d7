//! What the model sees of a request: the one definition for training and serving.

use crate::behavior::{ClientEvent, ClientHistory};

/// How many numbers the model sees.
pub const FEATURE_COUNT: usize = 7;

/// The names of the features, in their order.
pub const FEATURE_NAMES: [&str; FEATURE_COUNT] =
    ["path_length", "keyword_hits", "response_time", "status", "burst", "not_found", "known_path"];

/// What the model sees of `event`, given what its client did before (`history` without `event`). All are finite.
///
/// | feature | unit | range |
/// |---|---|---|
/// | `path_length` | bytes of the path in normal form | 0 up |
/// | `keyword_hits` | different blocked keywords in path and query | 0 up |
/// | `response_time` | milliseconds | 0 to 60,000; more is cut |
/// | `status` | 0 answered (1xx to 3xx), 1 refused (4xx but 404 and 410), 2 not found (404, 410), 3 failed (5xx and others) | 0 to 3 |
/// | `burst` | requests in the ten seconds before | 0 to 64 |
/// | `not_found` | requests in the window before that were not found | 0 to 64 |
/// | `known_path` | 1 if the site is known to answer the path, else 0 | 0, 1 |
///
/// [`ClientHistory`] has an example. Costs some tens of nanoseconds and no allocation.
pub fn features(event: &ClientEvent<'_>, history: &ClientHistory) -> [f64; FEATURE_COUNT] {
    [
        f64::from(u32::try_from(event.path.len()).unwrap_or(u32::MAX)),
        f64::from(event.keyword_hits),
        (event.response_time.as_secs_f64() * 1000.0).min(MAX_RESPONSE_MILLIS),
        status_class(event.status),
        f64::from(history.burst(event.time)),
        f64::from(history.not_found(event.time)),
        f64::from(u8::from(event.known_path)),
    ]
}

/// One stalled connection should not stretch the scale of all others.
const MAX_RESPONSE_MILLIS: f64 = 60_000.0;

fn status_class(status: u16) -> f64 {
    match status {
        404 | 410 => 2.0,
        0..400 => 0.0,
        400..500 => 1.0,
        _ => 3.0,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::behavior::tests::event;

    /// As text, which is exact: these are whole numbers.
    fn numbers(event: &ClientEvent<'_>, history: &ClientHistory) -> String {
        features(event, history).map(|number| number.to_string()).join(" ")
    }

    #[test]
    fn features_are_those_that_are_documented() {
        let mut history = ClientHistory::new(Duration::from_mins(5));
        let first = ClientEvent { keyword_hits: 2, ..event("/.env", 404, 0.0) };
        assert_eq!(numbers(&first, &history), "5 2 250 2 0 0 0");
        history.record(&first);
        let second = ClientEvent { known_path: true, ..event("/shop", 200, 3.0) };
        assert_eq!(numbers(&second, &history), "5 0 250 0 1 1 1");
        history.record(&second);
        let third = ClientEvent { response_time: Duration::MAX, ..event("/", 502, 299.0) };
        assert_eq!(numbers(&third, &history), "1 0 60000 3 0 1 0");
        assert_eq!(
            [200, 304, 401, 403, 404, 410, 429, 500].map(|status| status_class(status).to_string()).concat(),
            "00112213"
        );
    }
}
