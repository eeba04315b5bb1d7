//! The columns of the five files, and how an entry becomes a row and back.

use std::hash::Hash;

use aiwaf_core::{
    BlacklistEntry, CountryCode, CountryEntry, KeywordEntry, KeywordSource, ListChange, ListName, Lists,
    PathExemptionEntry, Timestamp, WhitelistEntry, canonical_network, display_network, parse_network,
};
use ipnet::IpNet;

use super::cell::unguard;
use crate::fit;

/// An entry that is kept as a row.
pub(super) trait Row: Clone + PartialEq + Send {
    /// What no two rows share.
    type Key: Eq + Hash + Sync;
    const LIST: ListName;
    const FILE: &'static str;
    /// The original's columns first, then ours; the first one is the key.
    const COLUMNS: &'static [Column];

    fn list(lists: &mut Lists) -> &mut Vec<Self>;
    fn key(&self) -> Self::Key;
    /// The key that the first column names, if it makes sense.
    fn read_key(text: &str) -> Option<Self::Key>;
    /// The key that a change of one entry of this list is about.
    fn key_of_change(change: &ListChange) -> Option<Self::Key>;
    /// The entry, as [`fit::fit`] leaves it, or why there is none.
    fn read(cells: &mut Cells<'_>) -> Result<Self, String>;
    /// One text for each column.
    fn write(&self) -> Vec<String>;
}

/// A column, found by its name.
pub(super) struct Column {
    pub(super) name: &'static str,
    /// Other names that are read.
    aliases: &'static [&'static str],
}

impl Column {
    const fn new(name: &'static str) -> Self {
        Self { name, aliases: &[] }
    }

    /// Where the column stands in a file with this header.
    pub(super) fn position(&self, header: &[String]) -> Option<usize> {
        let named = |name: &str| header.iter().position(|cell| cell.trim().eq_ignore_ascii_case(name));
        named(self.name).or_else(|| self.aliases.iter().find_map(|alias| named(alias)))
    }
}

/// The original's command line calls it `timestamp`.
const ADDED: Column = Column { name: "added_date", aliases: &["timestamp"] };
const REASON: Column = Column::new("reason");
const SOURCE: Column = Column::new("source");

/// The cells of a row, by the index of their column in [`Row::COLUMNS`].
pub(super) struct Cells<'a> {
    pub(super) record: Record<'a>,
    pub(super) positions: &'a [Option<usize>],
    /// What could not be read and what is assumed instead.
    pub(super) notes: Vec<String>,
}

/// The cells of a row as they stand in the file.
#[derive(Clone, Copy)]
pub(super) enum Record<'a> {
    /// Of a row without quotes.
    Plain(&'a [&'a str]),
    /// Of any row.
    Parsed(&'a csv::StringRecord),
}

impl<'a> Record<'a> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Plain(cells) => cells.len(),
            Self::Parsed(record) => record.len(),
        }
    }

    fn get(self, position: usize) -> Option<&'a str> {
        match self {
            Self::Plain(cells) => cells.get(position).copied(),
            Self::Parsed(record) => record.get(position),
        }
    }
}

impl Cells<'_> {
    /// The text, empty if the row or the file has no such column.
    fn text(&self, column: usize) -> &str {
        let position = self.positions.get(column).copied().flatten();
        position.and_then(|position| self.record.get(position)).map_or("", unguard)
    }

    /// What the cell says, `None` if it is empty or makes no sense; the latter is noted with what is `assumed`.
    fn value<T>(&mut self, column: usize, assumed: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.text(column).trim();
        if text.is_empty() {
            return None;
        }
        let value = read(text);
        if value.is_none() {
            let note = format!("{:?} is not understood, {assumed}", crate::error::shorten(text));
            self.notes.push(note);
        }
        value
    }

    fn added(&mut self, column: usize) -> Option<Timestamp> {
        let added = self.value(column, "so the date of addition counts as unknown", Timestamp::parse_iso8601);
        fit::fit_time(added)
    }

    fn network(&self, column: usize) -> Result<IpNet, String> {
        parse_network(self.text(column)).map_err(|error| error.to_string())
    }
}

impl Row for WhitelistEntry {
    type Key = IpNet;
    const LIST: ListName = ListName::Whitelist;
    const FILE: &'static str = "whitelist.csv";
    const COLUMNS: &'static [Column] = &[Column::new("ip"), ADDED, REASON];

    fn list(lists: &mut Lists) -> &mut Vec<Self> {
        &mut lists.whitelist
    }

    fn key(&self) -> IpNet {
        self.network
    }

    fn read_key(text: &str) -> Option<IpNet> {
        parse_network(text).ok()
    }

    fn key_of_change(change: &ListChange) -> Option<IpNet> {
        match change {
            ListChange::AddWhitelist(entry) => Some(entry.key()),
            ListChange::RemoveWhitelist(network) => Some(canonical_network(*network)),
            _ => None,
        }
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, String> {
        let added = cells.added(1);
        Ok(Self { network: cells.network(0)?, reason: fit::fit_reason(cells.text(2).to_owned()), added })
    }

    fn write(&self) -> Vec<String> {
        vec![display_network(&self.network), time(self.added), self.reason.clone()]
    }
}

impl Row for BlacklistEntry {
    type Key = IpNet;
    const LIST: ListName = ListName::Blacklist;
    const FILE: &'static str = "blacklist.csv";
    const COLUMNS: &'static [Column] = &[
        Column::new("ip"),
        REASON,
        ADDED,
        SOURCE,
        Column::new("expires"),
        Column::new("offences"),
        Column::new("extended_request_info"),
    ];

    fn list(lists: &mut Lists) -> &mut Vec<Self> {
        &mut lists.blacklist
    }

    fn key(&self) -> IpNet {
        self.network
    }

    fn read_key(text: &str) -> Option<IpNet> {
        parse_network(text).ok()
    }

    fn key_of_change(change: &ListChange) -> Option<IpNet> {
        match change {
            ListChange::AddBlacklist(entry) => Some(entry.key()),
            ListChange::RemoveBlacklist(network) => Some(canonical_network(*network)),
            _ => None,
        }
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, String> {
        let entry = Self {
            network: cells.network(0)?,
            reason: cells.text(1).to_owned(),
            added: cells.added(2),
            // The original does not say who banned; what it banned stays until a person removes it.
            source: cells
                .value(3, "so the ban counts as manual", |text| text.parse().ok())
                .unwrap_or_default(),
            expires: cells.value(4, "so the ban has no end", Timestamp::parse_iso8601),
            offences: cells.value(5, "so it counts as one", |text| text.parse().ok()).unwrap_or(1),
            extended_request_info: Some(cells.text(6).to_owned()),
        };
        Ok(fit::fit_blacklist(entry))
    }

    fn write(&self) -> Vec<String> {
        vec![
            display_network(&self.network),
            self.reason.clone(),
            time(self.added),
            self.source.to_string(),
            time(self.expires),
            self.offences.to_string(),
            self.extended_request_info.clone().unwrap_or_default(),
        ]
    }
}

impl Row for KeywordEntry {
    type Key = String;
    const LIST: ListName = ListName::Keywords;
    const FILE: &'static str = "keywords.csv";
    const COLUMNS: &'static [Column] = &[Column::new("keyword"), ADDED, SOURCE, Column::new("count")];

    fn list(lists: &mut Lists) -> &mut Vec<Self> {
        &mut lists.keywords
    }

    fn key(&self) -> String {
        self.keyword.clone()
    }

    fn read_key(text: &str) -> Option<String> {
        fit::fit_keyword(text)
    }

    fn key_of_change(change: &ListChange) -> Option<String> {
        match change {
            ListChange::AddKeyword(entry) => Some(entry.key()),
            ListChange::RemoveKeyword(keyword) => Some(keyword.clone()),
            _ => None,
        }
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, String> {
        let keyword = fit::fit_keyword(cells.text(0));
        Ok(Self {
            keyword: keyword.ok_or_else(|| format!("a keyword has 1 to {} bytes", fit::MAX_KEYWORD))?,
            added: cells.added(1),
            source: cells.value(2, "so the keyword counts as manual", keyword_source).unwrap_or_default(),
            count: cells.value(3, "so it counts as one", |text| text.parse().ok()).unwrap_or(1),
        })
    }

    fn write(&self) -> Vec<String> {
        vec![self.keyword.clone(), time(self.added), self.source.name().to_owned(), self.count.to_string()]
    }
}

impl Row for CountryEntry {
    type Key = CountryCode;
    const LIST: ListName = ListName::GeoBlockedCountries;
    const FILE: &'static str = "geo_blocked_countries.csv";
    const COLUMNS: &'static [Column] = &[Column { name: "country", aliases: &["country_code"] }, ADDED];

    fn list(lists: &mut Lists) -> &mut Vec<Self> {
        &mut lists.geo_blocked_countries
    }

    fn key(&self) -> CountryCode {
        self.country
    }

    fn read_key(text: &str) -> Option<CountryCode> {
        text.parse().ok()
    }

    fn key_of_change(change: &ListChange) -> Option<CountryCode> {
        match change {
            ListChange::AddCountry(entry) => Some(entry.key()),
            ListChange::RemoveCountry(country) => Some(*country),
            _ => None,
        }
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, String> {
        let country: Result<CountryCode, _> = cells.text(0).parse();
        Ok(Self { country: country.map_err(|error| error.to_string())?, added: cells.added(1) })
    }

    fn write(&self) -> Vec<String> {
        vec![self.country.to_string(), time(self.added)]
    }
}

impl Row for PathExemptionEntry {
    type Key = String;
    const LIST: ListName = ListName::PathExemptions;
    const FILE: &'static str = "path_exemptions.csv";
    const COLUMNS: &'static [Column] = &[Column::new("path"), REASON, ADDED];

    fn list(lists: &mut Lists) -> &mut Vec<Self> {
        &mut lists.path_exemptions
    }

    fn key(&self) -> String {
        self.path.clone()
    }

    fn read_key(text: &str) -> Option<String> {
        fit::fit_path(text)
    }

    fn key_of_change(change: &ListChange) -> Option<String> {
        match change {
            ListChange::AddPathExemption(entry) => Some(entry.key()),
            ListChange::RemovePathExemption(path) => Some(path.clone()),
            _ => None,
        }
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, String> {
        let path = fit::fit_path(cells.text(0));
        let path = path.ok_or_else(|| format!("a path has 1 to {} bytes", fit::MAX_PATH))?;
        Ok(Self { path, reason: fit::fit_reason(cells.text(1).to_owned()), added: cells.added(2) })
    }

    fn write(&self) -> Vec<String> {
        vec![self.path.clone(), self.reason.clone(), time(self.added)]
    }
}

fn time(time: Option<Timestamp>) -> String {
    time.map(|time| time.to_string()).unwrap_or_default()
}

fn keyword_source(text: &str) -> Option<KeywordSource> {
    [KeywordSource::Manual, KeywordSource::Learned].into_iter().find(|source| source.name() == text)
}
