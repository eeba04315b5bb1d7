//! `rate_limit`: how many requests a client may make in a window.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::protection::Mode;
use crate::settings::seconds;

/// `[rate_limit]`: how many requests a client may make in a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimitSettings {
    /// How strict it is. Default: enforce.
    pub mode: Mode,
    /// How many floods within `bans.window` ban the client; 0 is never. Merely exceeding `max` never bans. Default: 1.
    pub ban_after: u32,
    /// The window, in seconds, 1 to 86,400 (`AIWAF_RATE_WINDOW`). Default: 60.
    #[serde(with = "seconds")]
    pub window: Duration,
    /// Requests that a client may make in any window, at least 1 (`AIWAF_RATE_MAX`). Default: 100.
    pub max: u32,
    /// Requests in a window, denied ones included, from which on it is a flood; at least `max` and at most 100,000
    /// (`AIWAF_RATE_FLOOD`). Default: 200.
    pub flood: u32,
    /// Most clients that are counted at the same time; beyond that the one seen longest ago is forgotten.
    /// About 100 bytes each. Default: 1,000,000.
    pub max_clients: usize,
}

impl Default for RateLimitSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            ban_after: 1,
            window: Duration::from_secs(60),
            max: 100,
            flood: 200,
            max_clients: 1_000_000,
        }
    }
}
