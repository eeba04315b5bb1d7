//! `honeypot`: forms that come back faster than a person can type, or that were never loaded.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::protection::Mode;
use crate::settings::seconds;

/// `[honeypot]`: how long a person takes to fill in a form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HoneypotSettings {
    /// How strict it is. Default: enforce.
    pub mode: Mode,
    /// How many forms sent too quickly within `bans.window` ban the client; 0 is never. A form that was not loaded is
    /// weaker proof (a restart forgets page loads): it takes at least 3. Default: 1.
    pub ban_after: u32,
    /// The least time between loading a form and sending it, in seconds, 0 to 3,600 (`AIWAF_MIN_FORM_TIME`). Default: 2.
    #[serde(with = "seconds")]
    pub min_form_time: Duration,
    /// How long a loaded form may be sent, in seconds, 60 to 604,800 (`AIWAF_MAX_PAGE_TIME`). Default: 86,400.
    #[serde(with = "seconds")]
    pub max_page_time: Duration,
    /// Most page loads that are remembered at the same time; about 80 bytes each. Default: 250,000.
    pub max_pages: usize,
}

impl Default for HoneypotSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            ban_after: 1,
            min_form_time: Duration::from_secs(2),
            max_page_time: Duration::from_hours(24),
            max_pages: 250_000,
        }
    }
}
