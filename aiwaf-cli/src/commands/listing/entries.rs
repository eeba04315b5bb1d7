//! The five kinds of entries: their columns, and their fields in JSON.

use std::cmp::Ordering;
use std::fmt::{self, Display};

use aiwaf_core::{
    BanSource, BlacklistEntry, CountryEntry, KeywordEntry, PathExemptionEntry, Timestamp, WhitelistEntry,
    display_network,
};
use ipnet::IpNet;
use serde::{Serialize, Serializer};

use super::Listed;
use crate::countries;
use crate::output::{Cells, Column, short_time};

impl Listed for WhitelistEntry {
    const TITLE: &'static str = "Whitelisted IPs";
    const SYMBOL: &'static str = "🟢 ";
    const COLUMNS: &'static [Column] =
        &[Column::new("ADDRESS"), Column::flexible("REASON"), Column::new("ADDED")];

    fn name(&self) -> String {
        display_network(&self.network)
    }

    fn compare_names(&self, other: &Self) -> Ordering {
        self.network.cmp(&other.network)
    }

    fn network(&self) -> Option<IpNet> {
        Some(self.network)
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn added(&self) -> Option<Timestamp> {
        self.added
    }

    fn fill(&self, cells: &mut Cells) {
        cells.push(short_network(&self.network));
        cells.push(&self.reason);
        cells.push(time(self.added));
    }

    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json<'a> {
            address: Address<'a>,
            reason: &'a str,
            added: Option<Time>,
        }
        let json =
            Json { address: Address(&self.network), reason: &self.reason, added: self.added.map(Time) };
        Serialize::serialize(&json, serializer)
    }
}

impl Listed for BlacklistEntry {
    const TITLE: &'static str = "Blacklisted IPs";
    const SYMBOL: &'static str = "🔴 ";
    const COLUMNS: &'static [Column] = &[
        Column::new("ADDRESS"),
        Column::flexible("REASON"),
        Column::new("ADDED"),
        Column::new("UNTIL"),
        Column::new("BY"),
    ];

    fn name(&self) -> String {
        display_network(&self.network)
    }

    fn compare_names(&self, other: &Self) -> Ordering {
        self.network.cmp(&other.network)
    }

    fn network(&self) -> Option<IpNet> {
        Some(self.network)
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn added(&self) -> Option<Timestamp> {
        self.added
    }

    fn until(&self) -> Option<Timestamp> {
        self.expires
    }

    fn count(&self) -> u64 {
        u64::from(self.offences)
    }

    fn fill(&self, cells: &mut Cells) {
        cells.push(short_network(&self.network));
        cells.push(&self.reason);
        cells.push(time(self.added));
        match self.expires {
            Some(end) => cells.push(short_time(end)),
            None => cells.push("removed"),
        }
        cells.push(self.source);
    }

    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json<'a> {
            address: Address<'a>,
            reason: &'a str,
            source: BanSource,
            added: Option<Time>,
            expires: Option<Time>,
            offences: u32,
            #[serde(skip_serializing_if = "Option::is_none")]
            extended_request_info: Option<&'a str>,
        }
        let json = Json {
            address: Address(&self.network),
            reason: &self.reason,
            source: self.source,
            added: self.added.map(Time),
            expires: self.expires.map(Time),
            offences: self.offences,
            extended_request_info: self.extended_request_info.as_deref(),
        };
        Serialize::serialize(&json, serializer)
    }
}

impl Listed for KeywordEntry {
    const TITLE: &'static str = "Blocked Keywords";
    const SYMBOL: &'static str = "🚫 ";
    const COLUMNS: &'static [Column] =
        &[Column::flexible("KEYWORD"), Column::new("SOURCE"), Column::number("COUNT"), Column::new("ADDED")];

    fn name(&self) -> String {
        self.keyword.clone()
    }

    fn compare_names(&self, other: &Self) -> Ordering {
        self.keyword.cmp(&other.keyword)
    }

    fn reason(&self) -> &str {
        self.source.name()
    }

    fn added(&self) -> Option<Timestamp> {
        self.added
    }

    fn count(&self) -> u64 {
        self.count
    }

    fn fill(&self, cells: &mut Cells) {
        cells.push(&self.keyword);
        cells.push(self.source.name());
        cells.push(self.count);
        cells.push(time(self.added));
    }

    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json<'a> {
            keyword: &'a str,
            source: &'static str,
            count: u64,
            added: Option<Time>,
        }
        let json = Json {
            keyword: &self.keyword,
            source: self.source.name(),
            count: self.count,
            added: self.added.map(Time),
        };
        Serialize::serialize(&json, serializer)
    }
}

impl Listed for CountryEntry {
    const TITLE: &'static str = "Blocked Countries";
    const SYMBOL: &'static str = "🌍 ";
    const COLUMNS: &'static [Column] =
        &[Column::new("CODE"), Column::flexible("COUNTRY"), Column::new("ADDED")];

    fn name(&self) -> String {
        self.country.to_string()
    }

    fn reason(&self) -> &str {
        countries::name(self.country).unwrap_or_default()
    }

    fn added(&self) -> Option<Timestamp> {
        self.added
    }

    fn fill(&self, cells: &mut Cells) {
        cells.push(self.country);
        cells.push(countries::name(self.country).unwrap_or_default());
        cells.push(time(self.added));
    }

    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json {
            country: String,
            name: Option<&'static str>,
            added: Option<Time>,
        }
        let json = Json {
            country: self.country.to_string(),
            name: countries::name(self.country),
            added: self.added.map(Time),
        };
        Serialize::serialize(&json, serializer)
    }
}

impl Listed for PathExemptionEntry {
    const TITLE: &'static str = "Exempt Paths";
    const SYMBOL: &'static str = "🛤️  ";
    const COLUMNS: &'static [Column] =
        &[Column::flexible("PATH"), Column::flexible("REASON"), Column::new("ADDED")];

    fn name(&self) -> String {
        self.path.clone()
    }

    fn compare_names(&self, other: &Self) -> Ordering {
        self.path.cmp(&other.path)
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn added(&self) -> Option<Timestamp> {
        self.added
    }

    fn fill(&self, cells: &mut Cells) {
        cells.push(&self.path);
        cells.push(&self.reason);
        cells.push(time(self.added));
    }

    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Json<'a> {
            path: &'a str,
            reason: &'a str,
            added: Option<Time>,
        }
        let json = Json { path: &self.path, reason: &self.reason, added: self.added.map(Time) };
        Serialize::serialize(&json, serializer)
    }
}

/// As [`display_network`] writes it, without a text of its own for each of a million rows.
fn short_network(network: &IpNet) -> impl Display {
    fmt::from_fn(move |f| {
        if network.prefix_len() == network.max_prefix_len() { network.addr().fmt(f) } else { network.fmt(f) }
    })
}

fn time(time: Option<Timestamp>) -> impl Display {
    fmt::from_fn(move |f| match time {
        Some(time) => short_time(time).fmt(f),
        None => f.write_str("unknown"),
    })
}

/// An address in JSON, without a text of its own for each of a million rows.
struct Address<'a>(&'a IpNet);

impl Serialize for Address<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&short_network(self.0))
    }
}

/// A time in JSON, in full.
struct Time(Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
