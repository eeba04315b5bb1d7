//! `geo_block`: countries that may not enter.

mod country_lookup;
mod country_set;
#[cfg(feature = "geo")]
mod maxmind;

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::country_lookup::CountryLookup;
pub use self::country_set::CountrySet;
#[cfg(feature = "geo")]
pub use self::maxmind::{GeoDatabaseError, MaxMindCountries};
use crate::client::ClientKey;
use crate::detect::Inspection;
use crate::protection::{Mode, Protection};
use crate::state::BoundedMap;
use crate::verdict::{CountryCode, Finding, Reason};

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

/// Objects to clients from countries that may not enter.
///
/// A country that is blocked, by the settings or by the list that operators change at run time, may not enter even if
/// it is allowed as well. A client whose country is unknown may: it is more often a gap in the database, a private
/// address or a health check than an attack.
///
/// Cost: nothing without a database or a listed country; else one look-up in a map, and a country look-up for a client
/// that is new or was not seen lately.
pub(crate) struct GeoBlock {
    blocked: CountrySet,
    allowed: CountrySet,
    lookup: Option<Arc<dyn CountryLookup>>,
    /// What `lookup` said; unknown countries are remembered, too.
    cache: BoundedMap<ClientKey, Option<CountryCode>>,
}

impl GeoBlock {
    /// Judges by `settings`; without `lookup` no country is known, and everybody may enter.
    pub(crate) fn new(settings: &GeoBlockSettings, lookup: Option<Arc<dyn CountryLookup>>) -> Self {
        Self {
            blocked: settings.blocked_countries.iter().copied().collect(),
            allowed: settings.allowed_countries.iter().copied().collect(),
            lookup,
            cache: BoundedMap::new(settings.cache_clients),
        }
    }

    /// Objects if the client's country is not admitted; `dynamic` are the countries that the list blocks now.
    pub(crate) fn inspect(&self, inspection: &Inspection<'_>, dynamic: &CountrySet) -> Option<Finding> {
        if self.blocked.is_empty() && self.allowed.is_empty() && dynamic.is_empty() {
            return None;
        }
        let country = self.country_of(inspection.client, inspection.request.client)?;
        let admitted = self.allowed.is_empty() || self.allowed.contains(country);
        (!admitted || self.blocked.contains(country) || dynamic.contains(country))
            .then(|| Finding::block(Protection::GeoBlock, Reason::Country(country)))
    }

    /// The country of `client`, who asks from `address`; `None` if it is not known. For logs, too.
    pub(crate) fn country_of(&self, client: ClientKey, address: IpAddr) -> Option<CountryCode> {
        let lookup = self.lookup.as_deref()?;
        self.cache.get(&client, |country| *country).unwrap_or_else(|| {
            // Outside of the map's lock: a look-up that another thread repeats costs less than one that it waits for.
            let country = lookup.country(address);
            self.cache.update(client, || country, |known| *known)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::request::Request;
    use crate::timestamp::Timestamp;

    /// 192.0.2.0/24 is in Germany, 198.51.100.0/24 in France, the rest is unknown.
    #[derive(Default)]
    struct Atlas {
        questions: AtomicUsize,
    }

    impl CountryLookup for Atlas {
        fn country(&self, address: IpAddr) -> Option<CountryCode> {
            self.questions.fetch_add(1, Ordering::Relaxed);
            match address {
                IpAddr::V4(v4) if v4.octets()[0] == 192 => Some(code("DE")),
                IpAddr::V4(v4) if v4.octets()[0] == 198 => Some(code("FR")),
                _ => None,
            }
        }
    }

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

    fn ask(detector: &GeoBlock, address: &str, dynamic: &CountrySet) -> Option<String> {
        let request = Request::new(address.parse().unwrap(), Timestamp::UNIX_EPOCH);
        let client = ClientKey::new(request.client, 64);
        let inspection = Inspection { request: &request, client, path: b"" };
        detector.inspect(&inspection, dynamic).map(|finding| finding.reason.to_string())
    }

    const GERMAN: &str = "192.0.2.1";
    const FRENCH: &str = "198.51.100.1";
    const UNKNOWN: &str = "203.0.113.1";

    #[test]
    fn countries_are_blocked_and_allowed() {
        for (blocked, allowed, german, french) in [
            (&["DE"][..], &[][..], Some("Geo blocked: DE"), None),
            (&[], &["DE"], None, Some("Geo blocked: FR")),
            (&["DE"], &["DE"], Some("Geo blocked: DE"), Some("Geo blocked: FR")),
            (&[], &[], None, None),
        ] {
            let detector = GeoBlock::new(&settings(blocked, allowed), Some(Arc::new(Atlas::default())));
            for (address, expected) in [(GERMAN, german), (FRENCH, french), (UNKNOWN, None)] {
                assert_eq!(ask(&detector, address, &CountrySet::EMPTY).as_deref(), expected, "{address}");
            }
        }
    }

    #[test]
    fn nobody_is_looked_up_without_need() {
        let atlas = Arc::new(Atlas::default());
        let idle = GeoBlock::new(&GeoBlockSettings::default(), Some(Arc::clone(&atlas) as _));
        assert_eq!(ask(&idle, GERMAN, &CountrySet::EMPTY), None);
        assert_eq!(atlas.questions.load(Ordering::Relaxed), 0);
        let blind = GeoBlock::new(&settings(&["DE"], &["FR"]), None);
        assert_eq!(ask(&blind, GERMAN, &CountrySet::EMPTY), None);
    }

    #[test]
    fn original_defect_31_the_database_is_not_asked_again_for_an_unknown_address() {
        let atlas = Arc::new(Atlas::default());
        let detector = GeoBlock::new(&settings(&["DE"], &[]), Some(Arc::clone(&atlas) as _));
        for address in [UNKNOWN, GERMAN] {
            let before = atlas.questions.load(Ordering::Relaxed);
            for _ in 0..10 {
                ask(&detector, address, &CountrySet::EMPTY);
            }
            assert_eq!(atlas.questions.load(Ordering::Relaxed) - before, 1, "{address}");
        }
    }

    #[test]
    fn original_defect_32_countries_can_be_added_and_removed_at_run_time() {
        let detector = GeoBlock::new(&GeoBlockSettings::default(), Some(Arc::new(Atlas::default())));
        let mut dynamic = CountrySet::EMPTY;
        assert_eq!(ask(&detector, GERMAN, &dynamic), None);
        dynamic.insert(code("DE"));
        assert_eq!(ask(&detector, GERMAN, &dynamic).as_deref(), Some("Geo blocked: DE"));
        assert_eq!(ask(&detector, FRENCH, &dynamic), None);
        dynamic.remove(code("DE"));
        assert_eq!(ask(&detector, GERMAN, &dynamic), None);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let settings = GeoBlockSettings { cache_clients: 64, ..settings(&["DE"], &[]) };
        let detector = GeoBlock::new(&settings, Some(Arc::new(Atlas::default())));
        for last in 0..=255 {
            ask(&detector, &format!("203.0.113.{last}"), &CountrySet::EMPTY);
        }
        assert!(detector.cache.len() <= 64);
    }
}
