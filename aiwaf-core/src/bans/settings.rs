//! `[bans]` of the settings.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::seconds;

/// `[bans]`: how evidence adds up to bans, and how long those last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BanSettings {
    /// Points of evidence that ban a client, 1 to 1,000. Default: 10.
    pub threshold: f64,
    /// Time in which points of evidence halve, in seconds, 1 to 86,400. Default: 600.
    #[serde(with = "seconds")]
    pub half_life: Duration,
    /// Time within which a protection's matches add up to its `ban_after`, where that is set, in seconds, 1 to 86,400.
    /// Default: 600.
    #[serde(with = "seconds")]
    pub window: Duration,
    /// Length of the first automatic ban of a client, in seconds; 0 bans until the ban is removed. Each repeat within
    /// `forgive_after` lasts 4 times as long. Default: 3,600 (an hour).
    #[serde(with = "seconds")]
    pub duration: Duration,
    /// Length of a ban for a flood, and of one whose evidence a web page could have caused, in seconds, 1 to 86,400.
    /// The former escalate, the latter don't. Default: 600.
    #[serde(with = "seconds")]
    pub short_duration: Duration,
    /// The longest automatic ban, in seconds, at least `duration`. Default: 2,592,000 (30 days).
    #[serde(with = "seconds")]
    pub max_duration: Duration,
    /// How long after its last ban's end a client counts as new, in seconds. Default: 604,800 (a week).
    #[serde(with = "seconds")]
    pub forgive_after: Duration,
    /// Maximum number of automatic bans on the blacklist, 100 to 10,000,000; beyond that the least valuable are removed:
    /// those of the fewest offences that end first. Default: 200,000.
    pub max_automatic: usize,
    /// Whether a ban keeps what is known of the request that caused it (`AIWAF_CAPTURE_EXTENDED_REQUEST_INFO`): as JSON
    /// its method, path, query, host and some headers. They may hold personal data. Default: false.
    pub capture_extended_request_info: bool,
    /// The headers that are kept (`AIWAF_EXTENDED_REQUEST_INFO_HEADERS`). Default: user-agent, referer, host, accept.
    pub extended_request_info_headers: Vec<String>,
    /// The headers of which only `[REDACTED]` is kept, if at all (`AIWAF_EXTENDED_REQUEST_INFO_REDACT_HEADERS`).
    /// Default: what usually holds credentials: authorization, cookie, x-api-key and the like.
    pub extended_request_info_redact_headers: Vec<String>,
    /// The most bytes that are kept of a request, 256 to 16,384; what is longer is cut
    /// (`AIWAF_EXTENDED_REQUEST_INFO_MAX_BYTES`). Default: 8,192.
    pub extended_request_info_max_bytes: u32,
}

impl Default for BanSettings {
    fn default() -> Self {
        Self {
            threshold: 10.0,
            half_life: Duration::from_mins(10),
            window: Duration::from_mins(10),
            duration: Duration::from_hours(1),
            short_duration: Duration::from_mins(10),
            max_duration: Duration::from_hours(30 * 24),
            forgive_after: Duration::from_hours(7 * 24),
            max_automatic: MAX_AUTOMATIC_BANS,
            capture_extended_request_info: false,
            extended_request_info_headers: HEADERS.map(str::to_owned).into(),
            extended_request_info_redact_headers: SECRET_HEADERS.map(str::to_owned).into(),
            extended_request_info_max_bytes: 8192,
        }
    }
}

const HEADERS: [&str; 4] = ["user-agent", "referer", "host", "accept"];

const SECRET_HEADERS: [&str; 10] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "x-auth-token",
    "x-access-token",
    "x-csrf-token",
    "x-xsrf-token",
    "x-amz-security-token",
];

/// Default of [`BanSettings::max_automatic`].
pub(crate) const MAX_AUTOMATIC_BANS: usize = 200_000;
