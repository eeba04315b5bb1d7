//! `header_validation`: headers that a browser would send, and agents that no person uses.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::protection::Mode;

/// `[header_validation]`: which headers a request must have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeaderValidationSettings {
    /// How strict it is. Default: enforce.
    pub mode: Mode,
    /// How many hits within `bans.window` ban the client; 0 is never, for an odd header is no proof against an address
    /// that many people may share. Default: 0.
    pub ban_after: u32,
    /// Headers that every request must have, unless its method has a list of its own below
    /// (`AIWAF_REQUIRED_HEADERS`). Default: user-agent and accept.
    pub required_headers: Vec<String>,
    /// Required headers by method, such as `OPTIONS = []`; an empty list switches the whole protection off for that
    /// method. Default: none.
    pub required_headers_by_method: BTreeMap<String, Vec<String>>,
    /// Words in a user agent, in any case, that give away a tool, beyond the built-in ones. Default: none.
    pub suspicious_agents: Vec<String>,
    /// Names of user agents that pass although they look like a tool, beyond the built-in search engines, link
    /// previews and monitors. Default: none.
    pub allowed_agents: Vec<String>,
    /// The least quality score (0 to 11) that a request's headers must reach. Default: 3.
    pub min_quality_score: u8,
}

impl Default for HeaderValidationSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            ban_after: 0,
            required_headers: vec!["user-agent".into(), "accept".into()],
            required_headers_by_method: BTreeMap::new(),
            suspicious_agents: Vec::new(),
            allowed_agents: Vec::new(),
            min_quality_score: 3,
        }
    }
}
