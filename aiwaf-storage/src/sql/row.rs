//! The rows of the five tables, and how an entry becomes one and back.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use aiwaf_core::{
    BanSource, BlacklistEntry, CountryCode, CountryEntry, KeywordEntry, KeywordSource, ListChange, Lists,
    PathExemptionEntry, Timestamp, WhitelistEntry, canonical_network, display_network, parse_network,
};
use diesel::prelude::{Insertable, Queryable};
use ipnet::IpNet;

use super::tables::{
    aiwaf_blacklist, aiwaf_geo_blocked_countries, aiwaf_keywords, aiwaf_path_exemptions, aiwaf_whitelist,
};
use crate::error::shorten;
use crate::fit;

/// A row of a list's table.
pub(super) trait Row: Sized {
    /// What it stands for.
    type Entry: Clone + PartialEq;
    /// What the table is called in messages.
    const TABLE: &'static str;

    /// A row that is inserted there, or at the end.
    fn new(entry: &Self::Entry, position: Option<i64>) -> Self;
    fn position(&self) -> Option<i64>;
    /// The entry, as [`fit::fit`] leaves it, or why there is none; `note` gets what is assumed.
    fn entry(self, note: &mut Option<Oddity>) -> Result<Self::Entry, Oddity>;

    fn list(lists: &mut Lists) -> &mut Vec<Self::Entry>;
    /// What no two rows share, as the table holds it.
    fn key(entry: &Self::Entry) -> Cow<'_, str>;
    /// The key that a change of one entry of this list is about.
    fn key_of_change(change: &ListChange) -> Option<Cow<'_, str>>;
}

/// What a row says that makes no sense.
pub(super) struct Oddity {
    /// The start of it.
    pub(super) text: String,
    /// What is wrong, and what becomes of the row.
    pub(super) what: String,
}

impl Oddity {
    fn new(text: &str, what: impl Into<String>) -> Self {
        Self { text: shorten(text), what: what.into() }
    }

    fn spelling(text: &str, right: &str) -> Self {
        Self::new(text, format!("has no effect until it is written {:?}", shorten(right)))
    }
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = aiwaf_whitelist)]
pub(super) struct WhitelistRow {
    #[diesel(deserialize_as = i64)]
    position: Option<i64>,
    network: String,
    reason: String,
    added_micros: Option<i64>,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = aiwaf_blacklist)]
pub(super) struct BlacklistRow {
    #[diesel(deserialize_as = i64)]
    position: Option<i64>,
    network: String,
    reason: String,
    source: String,
    added_micros: Option<i64>,
    expires_micros: Option<i64>,
    offences: i64,
    extended_request_info: Option<String>,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = aiwaf_keywords)]
pub(super) struct KeywordRow {
    #[diesel(deserialize_as = i64)]
    position: Option<i64>,
    keyword: String,
    count: i64,
    source: String,
    added_micros: Option<i64>,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = aiwaf_geo_blocked_countries)]
pub(super) struct CountryRow {
    #[diesel(deserialize_as = i64)]
    position: Option<i64>,
    country: String,
    added_micros: Option<i64>,
}

#[derive(Queryable, Insertable)]
#[diesel(table_name = aiwaf_path_exemptions)]
pub(super) struct PathExemptionRow {
    #[diesel(deserialize_as = i64)]
    position: Option<i64>,
    path: String,
    reason: String,
    added_micros: Option<i64>,
}

impl Row for WhitelistRow {
    type Entry = WhitelistEntry;
    const TABLE: &'static str = "table aiwaf_whitelist";

    fn new(entry: &WhitelistEntry, position: Option<i64>) -> Self {
        Self {
            position,
            network: display_network(&entry.network),
            reason: entry.reason.clone(),
            added_micros: micros(entry.added),
        }
    }

    fn position(&self) -> Option<i64> {
        self.position
    }

    fn entry(self, _: &mut Option<Oddity>) -> Result<WhitelistEntry, Oddity> {
        let network = network(&self.network)?;
        Ok(WhitelistEntry { network, reason: fit::fit_reason(self.reason), added: time(self.added_micros) })
    }

    fn list(lists: &mut Lists) -> &mut Vec<WhitelistEntry> {
        &mut lists.whitelist
    }

    fn key(entry: &WhitelistEntry) -> Cow<'_, str> {
        display_network(&entry.network).into()
    }

    fn key_of_change(change: &ListChange) -> Option<Cow<'_, str>> {
        match change {
            ListChange::AddWhitelist(entry) => Some(Self::key(entry)),
            ListChange::RemoveWhitelist(network) => Some(key_of_network(*network)),
            _ => None,
        }
    }
}

impl Row for BlacklistRow {
    type Entry = BlacklistEntry;
    const TABLE: &'static str = "table aiwaf_blacklist";

    fn new(entry: &BlacklistEntry, position: Option<i64>) -> Self {
        Self {
            position,
            network: display_network(&entry.network),
            reason: entry.reason.clone(),
            source: entry.source.to_string(),
            added_micros: micros(entry.added),
            expires_micros: micros(entry.expires),
            offences: entry.offences.into(),
            extended_request_info: entry.extended_request_info.clone(),
        }
    }

    fn position(&self) -> Option<i64> {
        self.position
    }

    fn entry(self, note: &mut Option<Oddity>) -> Result<BlacklistEntry, Oddity> {
        let entry = BlacklistEntry {
            network: network(&self.network)?,
            source: self.source.parse().unwrap_or_else(|_| {
                *note = Some(Oddity::new(&self.source, "is not understood, so the ban counts as manual"));
                BanSource::Manual
            }),
            reason: self.reason,
            added: time(self.added_micros),
            expires: time(self.expires_micros),
            offences: u32::try_from(self.offences.max(0)).unwrap_or(u32::MAX),
            extended_request_info: self.extended_request_info,
        };
        Ok(fit::fit_blacklist(entry))
    }

    fn list(lists: &mut Lists) -> &mut Vec<BlacklistEntry> {
        &mut lists.blacklist
    }

    fn key(entry: &BlacklistEntry) -> Cow<'_, str> {
        display_network(&entry.network).into()
    }

    fn key_of_change(change: &ListChange) -> Option<Cow<'_, str>> {
        match change {
            ListChange::AddBlacklist(entry) => Some(Self::key(entry)),
            ListChange::RemoveBlacklist(network) => Some(key_of_network(*network)),
            _ => None,
        }
    }
}

impl Row for KeywordRow {
    type Entry = KeywordEntry;
    const TABLE: &'static str = "table aiwaf_keywords";

    fn new(entry: &KeywordEntry, position: Option<i64>) -> Self {
        Self {
            position,
            keyword: entry.keyword.clone(),
            count: i64::try_from(entry.count).unwrap_or(i64::MAX),
            source: entry.source.name().to_owned(),
            added_micros: micros(entry.added),
        }
    }

    fn position(&self) -> Option<i64> {
        self.position
    }

    fn entry(self, note: &mut Option<Oddity>) -> Result<KeywordEntry, Oddity> {
        let source = [KeywordSource::Manual, KeywordSource::Learned]
            .into_iter()
            .find(|source| source.name() == self.source)
            .unwrap_or_else(|| {
                *note = Some(Oddity::new(&self.source, "is not understood, so the keyword counts as manual"));
                KeywordSource::Manual
            });
        Ok(KeywordEntry {
            keyword: unchanged(self.keyword, fit::fit_keyword, "keyword", fit::MAX_KEYWORD)?,
            count: u64::try_from(self.count).unwrap_or(0),
            source,
            added: time(self.added_micros),
        })
    }

    fn list(lists: &mut Lists) -> &mut Vec<KeywordEntry> {
        &mut lists.keywords
    }

    fn key(entry: &KeywordEntry) -> Cow<'_, str> {
        entry.keyword.as_str().into()
    }

    fn key_of_change(change: &ListChange) -> Option<Cow<'_, str>> {
        match change {
            ListChange::AddKeyword(entry) => Some(Self::key(entry)),
            ListChange::RemoveKeyword(keyword) => Some(keyword.into()),
            _ => None,
        }
    }
}

impl Row for CountryRow {
    type Entry = CountryEntry;
    const TABLE: &'static str = "table aiwaf_geo_blocked_countries";

    fn new(entry: &CountryEntry, position: Option<i64>) -> Self {
        Self { position, country: entry.country.to_string(), added_micros: micros(entry.added) }
    }

    fn position(&self) -> Option<i64> {
        self.position
    }

    fn entry(self, _: &mut Option<Oddity>) -> Result<CountryEntry, Oddity> {
        let country: Result<CountryCode, _> = self.country.parse();
        let country = country.map_err(|error| Oddity::new(&self.country, error.to_string()))?;
        if country.as_str() != self.country {
            return Err(Oddity::spelling(&self.country, country.as_str()));
        }
        Ok(CountryEntry { country, added: time(self.added_micros) })
    }

    fn list(lists: &mut Lists) -> &mut Vec<CountryEntry> {
        &mut lists.geo_blocked_countries
    }

    fn key(entry: &CountryEntry) -> Cow<'_, str> {
        entry.country.as_str().into()
    }

    fn key_of_change(change: &ListChange) -> Option<Cow<'_, str>> {
        match change {
            ListChange::AddCountry(entry) => Some(Self::key(entry)),
            ListChange::RemoveCountry(country) => Some(country.as_str().into()),
            _ => None,
        }
    }
}

impl Row for PathExemptionRow {
    type Entry = PathExemptionEntry;
    const TABLE: &'static str = "table aiwaf_path_exemptions";

    fn new(entry: &PathExemptionEntry, position: Option<i64>) -> Self {
        Self {
            position,
            path: entry.path.clone(),
            reason: entry.reason.clone(),
            added_micros: micros(entry.added),
        }
    }

    fn position(&self) -> Option<i64> {
        self.position
    }

    fn entry(self, _: &mut Option<Oddity>) -> Result<PathExemptionEntry, Oddity> {
        Ok(PathExemptionEntry {
            path: unchanged(self.path, fit::fit_path, "path", fit::MAX_PATH)?,
            reason: fit::fit_reason(self.reason),
            added: time(self.added_micros),
        })
    }

    fn list(lists: &mut Lists) -> &mut Vec<PathExemptionEntry> {
        &mut lists.path_exemptions
    }

    fn key(entry: &PathExemptionEntry) -> Cow<'_, str> {
        entry.path.as_str().into()
    }

    fn key_of_change(change: &ListChange) -> Option<Cow<'_, str>> {
        match change {
            ListChange::AddPathExemption(entry) => Some(Self::key(entry)),
            ListChange::RemovePathExemption(path) => Some(path.into()),
            _ => None,
        }
    }
}

fn key_of_network(network: IpNet) -> Cow<'static, str> {
    display_network(&canonical_network(network)).into()
}

/// A network that is spelt as changes look for it: another spelling could not be removed, or stand there twice.
fn network(text: &str) -> Result<IpNet, Oddity> {
    // An address of this kind has but one spelling.
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(IpNet::V4(address.into()));
    }
    let network = parse_network(text).map_err(|error| Oddity::new(text, error.to_string()))?;
    let spelling = display_network(&network);
    if spelling == text { Ok(network) } else { Err(Oddity::spelling(text, &spelling)) }
}

/// A text that is as `fit` leaves it, for the same reason.
fn unchanged(
    text: String,
    fit: fn(&str) -> Option<String>,
    what: &str,
    max: usize,
) -> Result<String, Oddity> {
    match fit(&text) {
        Some(fitting) if fitting == text => Ok(text),
        Some(fitting) => Err(Oddity::spelling(&text, &fitting)),
        None => Err(Oddity::new(&text, format!("a {what} has 1 to {max} bytes"))),
    }
}

fn micros(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::as_unix_micros)
}

fn time(micros: Option<i64>) -> Option<Timestamp> {
    fit::fit_time(micros.map(Timestamp::from_unix_micros))
}
