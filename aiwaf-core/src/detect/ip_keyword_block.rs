//! `ip_keyword_block`: banned addresses and words that only attackers ask for.

use serde::{Deserialize, Serialize};

use crate::protection::Mode;

/// `[ip_keyword_block]`: what is set for banned addresses and keywords.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IpKeywordBlockSettings {
    /// How strict it is. Default: enforce.
    pub mode: Mode,
    /// How many keyword hits within `bans.window` ban the client; 0 is never. Default: 1.
    pub ban_after: u32,
    /// Keywords that never block and are never learned (the original's `AIWAF_EXEMPT_KEYWORDS`). Default: none.
    pub exempt_keywords: Vec<String>,
    /// Words that are part of this site's own paths (`AIWAF_ALLOWED_PATH_KEYWORDS`): a path that holds one of them as
    /// a word is not blocked by a learned keyword. Default: none.
    pub allowed_path_keywords: Vec<String>,
}

impl Default for IpKeywordBlockSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            ban_after: 1,
            exempt_keywords: Vec::new(),
            allowed_path_keywords: Vec::new(),
        }
    }
}
