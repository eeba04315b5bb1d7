//! `geo_block`: countries that may not enter.

mod country_lookup;
#[cfg(feature = "geo")]
mod maxmind;

use serde::{Deserialize, Serialize};

pub use self::country_lookup::CountryLookup;
#[cfg(feature = "geo")]
pub use self::maxmind::{GeoDatabaseError, MaxMindCountries};
use crate::check::{SettingsError, within};
use crate::country::CountryCode;
use crate::detect::{BuiltIn, ClientMemory, Detector, DetectorError, Head, Inputs};
use crate::lists::CountrySet;
use crate::protection::{Mode, Protection};
use crate::verdict::{Finding, Reason};

/// `[geo_block]`: which countries may enter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GeoBlockSettings {
    /// How strict it is. Default: enforce (which blocks nobody until a country is named).
    pub mode: Mode,
    /// Number of matches within `bans.window` that ban the client, whatever their evidence; 0 never bans. Default: not
    /// set, which is by evidence.
    #[serde(with = "crate::bans::ban_after")]
    pub ban_after: Option<u32>,
    /// Countries that may not enter, as ISO codes (`AIWAF_GEO_BLOCK_COUNTRIES`). Default: none.
    pub blocked_countries: Vec<CountryCode>,
    /// If not empty, only these countries may enter (`AIWAF_GEO_ALLOW_COUNTRIES`); a client whose country is unknown
    /// may, too. Default: none.
    pub allowed_countries: Vec<CountryCode>,
    /// The MaxMind country or city database (`AIWAF_GEOIP_DB_PATH`); empty is none, which blocks nobody. Default: none.
    pub database_path: String,
    /// Has no effect any more: a client's country is part of its record, see `client.max_clients`. Default: 100,000.
    pub cache_clients: usize,
}

impl GeoBlockSettings {
    /// Checks every value's range.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        within("geo_block.cache_clients", self.cache_clients, 1_000..=100_000_000)
    }
}

impl Default for GeoBlockSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            ban_after: None,
            blocked_countries: Vec::new(),
            allowed_countries: Vec::new(),
            database_path: String::new(),
            cache_clients: 100_000,
        }
    }
}

/// Blocks clients from countries that may not enter.
///
/// A country that is blocked, by the settings or by the list that operators change at run time, may not enter even if
/// it is allowed as well. A client whose country is unknown may: it is more often a gap in the database, a private
/// address or a health check than an attack.
///
/// Cost: nothing without a database or a listed country; else a country look-up for a client that is new or was not seen
/// lately, for its record remembers the country.
pub(crate) struct GeoBlock {
    blocked: CountrySet,
    allowed: CountrySet,
    /// Whether there is a country database.
    has_countries: bool,
}

/// A client's country, as far as it was looked up.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum ClientCountry {
    /// Not looked up yet.
    #[default]
    Pending,
    /// The result; unknown countries are remembered, too.
    Known(Option<CountryCode>),
}

impl GeoBlock {
    /// Judges by `settings`; without a country database no country is known, and everybody may enter.
    pub(crate) fn new(settings: &GeoBlockSettings, has_countries: bool) -> Self {
        Self {
            blocked: settings.blocked_countries.iter().copied().collect(),
            allowed: settings.allowed_countries.iter().copied().collect(),
            has_countries,
        }
    }

    /// Reports whether the country of a client matters at all; `listed` are the countries that the list blocks now.
    pub(crate) fn needs_country(&self, listed: &CountrySet) -> bool {
        self.has_countries && !(self.blocked.is_empty() && self.allowed.is_empty() && listed.is_empty())
    }
}

impl ClientMemory for ClientCountry {}

impl BuiltIn for GeoBlock {
    type Settings = GeoBlockSettings;

    fn build(settings: &GeoBlockSettings, inputs: &Inputs<'_>) -> Result<Self, DetectorError> {
        Ok(Self::new(settings, inputs.has_countries))
    }
}

impl Detector for GeoBlock {
    type Client = ClientCountry;
    type Request = ();

    fn head(&self, head: &Head<'_>, _: &mut ClientCountry, (): &mut ()) -> Option<Finding> {
        let country = head.country?;
        let admitted = self.allowed.is_empty() || self.allowed.contains(country);
        (!admitted || self.blocked.contains(country) || head.lists.countries.contains(country))
            .then(|| Finding::block(Protection::GeoBlock, Reason::Country(country)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::tests::{Exchange, Kept};

    fn code(text: &str) -> CountryCode {
        text.parse().unwrap()
    }

    fn settings(blocked: &[&str], allowed: &[&str]) -> GeoBlockSettings {
        let codes = |names: &[&str]| names.iter().map(|name| code(name)).collect();
        GeoBlockSettings {
            blocked_countries: codes(blocked),
            allowed_countries: codes(allowed),
            ..GeoBlockSettings::default()
        }
    }

    #[test]
    fn countries_are_blocked_and_allowed() {
        for (blocked, allowed, german, french) in [
            (&["DE"][..], &[][..], Some("Geo blocked: DE"), None),
            (&[], &["DE"], None, Some("Geo blocked: FR")),
            (&["DE"], &["DE"], Some("Geo blocked: DE"), Some("Geo blocked: FR")),
            (&[], &[], None, None),
        ] {
            let mut geo_block = Kept::new(GeoBlock::new(&settings(blocked, allowed), true));
            for (country, expected) in [(Some(code("DE")), german), (Some(code("FR")), french), (None, None)]
            {
                let finding = geo_block.head(&Exchange::get("/").country(country));
                let reason = finding.map(|finding| finding.reason.to_string());
                assert_eq!(reason.as_deref(), expected, "{country:?}");
            }
        }
    }
}
