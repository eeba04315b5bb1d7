//! What stands on the lists, and how they change.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::country::CountryCode;
use crate::protection::Protection;
use crate::timestamp::Timestamp;

/// Everything that is on the lists, as a store loads it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lists {
    /// Clients that bypass every protection.
    pub whitelist: Vec<WhitelistEntry>,
    /// Clients that are turned away.
    pub blacklist: Vec<BlacklistEntry>,
    /// Words that only attackers ask for.
    pub keywords: Vec<KeywordEntry>,
    /// Countries that are blocked in addition to the configured ones.
    pub geo_blocked_countries: Vec<CountryEntry>,
    /// Paths that are exempt in addition to the configured ones.
    pub path_exemptions: Vec<PathExemptionEntry>,
}

/// A network whose clients bypass every protection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhitelistEntry {
    /// The network; a single address is a /32 or /128.
    pub network: IpNet,
    /// Why, for people; may be empty.
    pub reason: String,
    /// Since when, if known.
    pub added: Option<Timestamp>,
}

/// A ban: a network whose clients are turned away, why, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlacklistEntry {
    /// The network; a single address is a /32 or /128.
    pub network: IpNet,
    /// Why, for people; may be empty.
    pub reason: String,
    /// Who banned it.
    pub source: BanSource,
    /// Since when, if known.
    pub added: Option<Timestamp>,
    /// Until when; `None` is until it is removed.
    pub expires: Option<Timestamp>,
    /// How often it has been banned, this time included; bans get longer with it.
    pub offences: u32,
    /// What is known of the request that caused it, as JSON, if that is captured.
    pub extended_request_info: Option<String>,
}

impl BlacklistEntry {
    /// A manual ban without an end.
    pub fn manual(network: IpNet, reason: impl Into<String>, added: Timestamp) -> Self {
        Self {
            network,
            reason: reason.into(),
            source: BanSource::Manual,
            added: Some(added),
            expires: None,
            offences: 1,
            extended_request_info: None,
        }
    }

    /// Whether the ban is in force at `time`.
    pub fn is_active(&self, time: Timestamp) -> bool {
        self.expires.is_none_or(|end| time < end)
    }
}

/// Who put a client onto the blacklist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum BanSource {
    /// A person.
    #[default]
    Manual,
    /// A backup or a list that was imported.
    Import,
    /// The trainer, from logs.
    Trainer,
    /// A protection, from a request.
    Protection(Protection),
}

impl BanSource {
    /// Whether nobody decided it: a protection or the trainer did. What people banned or imported outranks it.
    pub const fn is_automatic(self) -> bool {
        matches!(self, Self::Trainer | Self::Protection(_))
    }
}

impl fmt::Display for BanSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Manual => "manual",
            Self::Import => "import",
            Self::Trainer => "trainer",
            Self::Protection(protection) => protection.name(),
        })
    }
}

impl FromStr for BanSource {
    type Err = crate::protection::UnknownProtection;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "manual" => Self::Manual,
            "import" => Self::Import,
            "trainer" => Self::Trainer,
            other => Self::Protection(other.parse()?),
        })
    }
}

impl TryFrom<String> for BanSource {
    type Error = crate::protection::UnknownProtection;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<BanSource> for String {
    fn from(source: BanSource) -> Self {
        source.to_string()
    }
}

/// A word that only attackers ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeywordEntry {
    /// The word, in lower case.
    pub keyword: String,
    /// How often it was seen.
    pub count: u64,
    /// Who added it.
    pub source: KeywordSource,
    /// Since when, if known.
    pub added: Option<Timestamp>,
}

/// Where a keyword comes from, which decides where it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum KeywordSource {
    /// A person added it: it counts in path and query, everywhere.
    #[default]
    Manual,
    /// It was learned from requests or logs: it counts in paths that the site does not know.
    Learned,
}

impl KeywordSource {
    /// `manual` or `learned`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Learned => "learned",
        }
    }
}

/// A country that is blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountryEntry {
    /// Its code.
    pub country: CountryCode,
    /// Since when, if known.
    pub added: Option<Timestamp>,
}

/// A path that is exempt from the protections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathExemptionEntry {
    /// An exact path (`/health`), a directory (`/static/`) or a wildcard (`*.css`).
    pub path: String,
    /// Why, for people; may be empty.
    pub reason: String,
    /// Since when, if known.
    pub added: Option<Timestamp>,
}

/// Which of the five lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListName {
    /// Clients that bypass every protection.
    Whitelist,
    /// Clients that are turned away.
    Blacklist,
    /// Words that only attackers ask for.
    Keywords,
    /// Countries that are blocked.
    GeoBlockedCountries,
    /// Paths that are exempt.
    PathExemptions,
}

impl ListName {
    /// All five.
    pub const ALL: [Self; 5] =
        [Self::Whitelist, Self::Blacklist, Self::Keywords, Self::GeoBlockedCountries, Self::PathExemptions];

    /// The name, as files and commands spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Whitelist => "whitelist",
            Self::Blacklist => "blacklist",
            Self::Keywords => "keywords",
            Self::GeoBlockedCountries => "geo_blocked_countries",
            Self::PathExemptions => "path_exemptions",
        }
    }
}

impl fmt::Display for ListName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One change of one list, as [`Lists::apply`] carries it out.
///
/// Adding what is there replaces it; what differs in nothing but the time of its addition stays as it was. Removing
/// what is not there changes nothing.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ListChange {
    /// Whitelist a network.
    AddWhitelist(WhitelistEntry),
    /// Take a network off the whitelist.
    RemoveWhitelist(IpNet),
    /// Ban a network.
    ///
    /// An automatic ban replaces what has ended. Otherwise it never replaces one that a person made; it never shortens
    /// another automatic one (several instances may ban the same client); and it is ignored if the whole network is
    /// whitelisted.
    AddBlacklist(BlacklistEntry),
    /// End a ban.
    RemoveBlacklist(IpNet),
    /// End and forget all bans that ended at this time or before.
    RemoveEndedBans(Timestamp),
    /// Block a keyword. A learned keyword never replaces a manual one; its count is added to what is there.
    AddKeyword(KeywordEntry),
    /// Stop blocking a keyword.
    RemoveKeyword(String),
    /// Block a country.
    AddCountry(CountryEntry),
    /// Stop blocking a country.
    RemoveCountry(CountryCode),
    /// Exempt a path.
    AddPathExemption(PathExemptionEntry),
    /// Stop exempting a path.
    RemovePathExemption(String),
    /// Empty a list.
    Clear(ListName),
}

impl ListChange {
    /// The list that it changes.
    pub const fn list(&self) -> ListName {
        match self {
            Self::AddWhitelist(_) | Self::RemoveWhitelist(_) => ListName::Whitelist,
            Self::AddBlacklist(_) | Self::RemoveBlacklist(_) | Self::RemoveEndedBans(_) => {
                ListName::Blacklist
            }
            Self::AddKeyword(_) | Self::RemoveKeyword(_) => ListName::Keywords,
            Self::AddCountry(_) | Self::RemoveCountry(_) => ListName::GeoBlockedCountries,
            Self::AddPathExemption(_) | Self::RemovePathExemption(_) => ListName::PathExemptions,
            Self::Clear(list) => *list,
        }
    }
}
