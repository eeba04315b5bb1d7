//! `geo_block`: countries that may not enter.

use serde::{Deserialize, Serialize};

use crate::protection::Mode;
use crate::verdict::CountryCode;

/// `[geo_block]`: which countries may enter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeoBlockSettings {
    /// How strict it is. Default: enforce (which blocks nobody until a country is named).
    pub mode: Mode,
    /// How many hits within `bans.window` ban the client; 0 is never. Default: 0.
    pub ban_after: u32,
    /// Countries that may not enter, as ISO codes (`AIWAF_GEO_BLOCK_COUNTRIES`). Default: none.
    pub blocked_countries: Vec<CountryCode>,
    /// If not empty, only these countries may enter (`AIWAF_GEO_ALLOW_COUNTRIES`); a client whose country is unknown
    /// may, too. Default: none.
    pub allowed_countries: Vec<CountryCode>,
    /// The MaxMind country or city database (`AIWAF_GEOIP_DB_PATH`); empty is none, which blocks nobody. Default: none.
    pub database_path: String,
    /// Most clients whose country is remembered; about 40 bytes each. Default: 100,000.
    pub cache_clients: usize,
}

impl Default for GeoBlockSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            ban_after: 0,
            blocked_countries: Vec::new(),
            allowed_countries: Vec::new(),
            database_path: String::new(),
            cache_clients: 100_000,
        }
    }
}
