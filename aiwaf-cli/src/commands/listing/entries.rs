//! The five kinds of entries: their columns, and their fields in JSON.

use std::fmt::{self, Display};
use std::net::IpAddr;

use aiwaf_core::{
    BanSource, BlacklistEntry, CountryEntry, KeywordEntry, PathExemptionEntry, Timestamp, WhitelistEntry,
    display_network,
};
use ipnet::IpNet;
use serde::{Serialize, Serializer};

use super::Listed;
use crate::countries;
use crate::output::{Cells, Column};

impl Listed for WhitelistEntry {
    const TITLE: &'static str = "Whitelisted IPs";
    const SYMBOL: &'static str = "🟢 ";
    const COLUMNS: &'static [Column] =
        &[Column::new("ADDRESS"), Column::flexible("REASON"), Column::new("ADDED")];
    type Rank<'a> = IpNet;

    fn name(&self) -> String {
        display_network(&self.network)
    }

    fn rank(&self) -> IpNet {
        self.network
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
        cells.push_short(short_network(&self.network), max_bytes(&self.network));
        cells.push_short(&self.reason, self.reason.len());
        cells.push_time(self.added, "unknown");
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
    type Rank<'a> = IpNet;

    fn name(&self) -> String {
        display_network(&self.network)
    }

    fn rank(&self) -> IpNet {
        self.network
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
        cells.push_short(short_network(&self.network), max_bytes(&self.network));
        cells.push_short(&self.reason, self.reason.len());
        cells.push_time(self.added, "unknown");
        cells.push_time(self.expires, "removed");
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
    type Rank<'a> = &'a str;

    fn name(&self) -> String {
        self.keyword.clone()
    }

    fn rank(&self) -> &str {
        &self.keyword
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
        cells.push_short(&self.keyword, self.keyword.len());
        cells.push(self.source.name());
        cells.push(self.count);
        cells.push_time(self.added, "unknown");
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
    type Rank<'a> = &'a str;

    fn name(&self) -> String {
        self.country.to_string()
    }

    fn rank(&self) -> &str {
        self.country.as_str()
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
        cells.push_time(self.added, "unknown");
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
    type Rank<'a> = &'a str;

    fn name(&self) -> String {
        self.path.clone()
    }

    fn rank(&self) -> &str {
        &self.path
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn added(&self) -> Option<Timestamp> {
        self.added
    }

    fn fill(&self, cells: &mut Cells) {
        cells.push_short(&self.path, self.path.len());
        cells.push_short(&self.reason, self.reason.len());
        cells.push_time(self.added, "unknown");
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
    fmt::from_fn(move |f| match network.addr() {
        _ if network.prefix_len() < network.max_prefix_len() => network.fmt(f),
        IpAddr::V4(v4) => write_octets(v4.octets(), f),
        address @ IpAddr::V6(_) => address.fmt(f),
    })
}

/// No shorter than [`short_network`] writes it.
fn max_bytes(network: &IpNet) -> usize {
    match network {
        IpNet::V4(v4) if v4.prefix_len() == v4.max_prefix_len() => "255.255.255.255".len(),
        IpNet::V4(_) => "255.255.255.255/31".len(),
        IpNet::V6(_) => "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/127".len(),
    }
}

/// As the standard library writes an IPv4 address, but in one piece: a list has millions of them.
fn write_octets(octets: [u8; 4], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [b'.'; 15];
    let mut length = 0;
    for (index, octet) in octets.into_iter().enumerate() {
        // The dot is there already.
        length += usize::from(index > 0);
        for (worth, divisor) in [(100, 100), (10, 10), (0, 1)] {
            if octet >= worth
                && let Some(digit) = text.get_mut(length)
            {
                *digit = b'0' + octet / divisor % 10;
                length += 1;
            }
        }
    }
    f.write_str(text.get(..length).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default())
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

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn addresses_are_written_as_the_standard_library_does(bits: u32, prefix in 0u8..=32) {
            let address = std::net::Ipv4Addr::from_bits(bits);
            let network = aiwaf_core::canonical_network(IpNet::new(address.into(), prefix).unwrap());
            proptest::prop_assert_eq!(short_network(&network).to_string(), display_network(&network));
            let host = IpNet::from(IpAddr::V4(address));
            proptest::prop_assert_eq!(short_network(&host).to_string(), address.to_string());
            proptest::prop_assert!(display_network(&network).len() <= max_bytes(&network));
        }

        #[test]
        fn no_address_is_longer_than_said(bits: u128, prefix in 0u8..=128) {
            let network = IpNet::new(std::net::Ipv6Addr::from_bits(bits).into(), prefix).unwrap();
            proptest::prop_assert!(short_network(&network).to_string().len() <= max_bytes(&network));
        }
    }
}
