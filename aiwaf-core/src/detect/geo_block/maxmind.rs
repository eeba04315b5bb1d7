//! Countries from a MaxMind database that is given as bytes.

use std::fmt;
use std::net::IpAddr;

use maxminddb::{LookupResult, MaxMindDbError, PathElement, Reader, WithinOptions};

use super::CountryLookup;
use crate::country::CountryCode;

/// Tells countries from a database in MaxMind's format (GeoLite2 or GeoIP2, country or city, `.mmdb`).
///
/// The country where an address is counts; if the database does not know it, the one where it is registered. A record
/// that is damaged counts as unknown. A look-up costs some hundred nanoseconds and allocates nothing.
///
/// ```
/// use aiwaf_core::MaxMindCountries;
///
/// let error = MaxMindCountries::from_bytes(b"not a database".to_vec()).unwrap_err();
/// assert!(error.to_string().contains("MaxMind"));
/// ```
pub struct MaxMindCountries {
    reader: Reader<Vec<u8>>,
}

/// So many networks are looked at before a database counts as one without countries.
const PROBED_NETWORKS: usize = 100_000;

impl MaxMindCountries {
    /// Takes over the bytes of a database; the caller reads them once, at the start.
    ///
    /// # Errors
    /// [`GeoDatabaseError`], if the bytes are no database, or one that knows no countries (as one of networks does):
    /// it would block nobody, and nobody would notice.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, GeoDatabaseError> {
        let countries = Self { reader: Reader::from_source(bytes)? };
        // With the networks that have no data every step is short, however the tree is knotted.
        let networks = countries.reader.networks(WithinOptions::default().include_networks_without_data())?;
        if networks.take(PROBED_NETWORKS).flatten().any(|network| country_of(&network).is_some()) {
            Ok(countries)
        } else {
            let kind = &countries.reader.metadata().database_type;
            Err(GeoDatabaseError::NoCountries { database_type: kind.chars().take(64).collect() })
        }
    }
}

impl CountryLookup for MaxMindCountries {
    fn country(&self, address: IpAddr) -> Option<CountryCode> {
        country_of(&self.reader.lookup(address.to_canonical()).ok()?)
    }
}

impl fmt::Debug for MaxMindCountries {
    /// Shows what it is, not its megabytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaxMindCountries")
            .field("database_type", &self.reader.metadata().database_type)
            .finish_non_exhaustive()
    }
}

fn country_of(record: &LookupResult<'_, Vec<u8>>) -> Option<CountryCode> {
    ["country", "registered_country"].into_iter().find_map(|which| {
        let path = [PathElement::Key(which), PathElement::Key("iso_code")];
        // A damaged record is as good as none.
        record.decode_path::<&str>(&path).ok().flatten()?.parse().ok()
    })
}

/// Why bytes can't be used as a country database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GeoDatabaseError {
    /// They are no database, or a damaged one.
    #[error("not a MaxMind database, or a damaged one ({0}): fetch the .mmdb file again, and unpack it")]
    Unreadable(#[from] MaxMindDbError),
    /// The database is about something else.
    #[error("the MaxMind database {database_type:?} knows no countries: take a country or city database")]
    NoCountries {
        /// What the database calls itself.
        database_type: String,
    },
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    /// A database in memory: IPv4 networks of 8 bits, by their first byte, each with the bytes of a record.
    pub(in super::super) fn database(kind: &str, networks: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let mut nodes: Vec<[Option<Child>; 2]> = vec![[None, None]];
        let mut data = Vec::new();
        for (first, record) in networks {
            let mut node = 0;
            for bit in (1..8).rev() {
                let side = usize::from(first >> bit & 1);
                node = if let Some(Child::Node(next)) = nodes[node][side] {
                    next
                } else {
                    nodes.push([None, None]);
                    let next = nodes.len() - 1;
                    nodes[node][side] = Some(Child::Node(next));
                    next
                };
            }
            nodes[node][usize::from(first & 1)] = Some(Child::Data(data.len()));
            data.extend_from_slice(record);
        }
        let mut bytes = Vec::new();
        for child in nodes.iter().flatten() {
            let value = match child {
                None => nodes.len(),
                Some(Child::Node(index)) => *index,
                Some(Child::Data(offset)) => nodes.len() + 16 + offset,
            };
            bytes.extend_from_slice(&u32::try_from(value).unwrap().to_be_bytes()[1..]);
        }
        bytes.extend_from_slice(&[0; 16]);
        bytes.extend_from_slice(&data);
        bytes.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
        let count = u32::try_from(nodes.len()).unwrap().to_be_bytes();
        bytes.extend(map(&[
            ("binary_format_major_version", vec![0xa1, 2]),
            ("binary_format_minor_version", vec![0xa0]),
            ("build_epoch", vec![0x01, 0x02, 1]),
            ("database_type", text(kind)),
            ("description", map(&[])),
            ("ip_version", vec![0xa1, 4]),
            ("languages", vec![0x00, 0x04]),
            ("node_count", [&[0xc4][..], &count].concat()),
            ("record_size", vec![0xa1, 24]),
        ]));
        bytes
    }

    #[derive(Clone, Copy)]
    enum Child {
        Node(usize),
        Data(usize),
    }

    fn text(text: &str) -> Vec<u8> {
        [&[0x40 | u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat()
    }

    fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = vec![0xe0 | u8::try_from(entries.len()).unwrap()];
        for (key, value) in entries {
            bytes.extend(text(key));
            bytes.extend_from_slice(value);
        }
        bytes
    }

    pub(in super::super) fn record(which: &str, code: &str) -> Vec<u8> {
        map(&[("continent", map(&[("code", text("EU"))])), (which, map(&[("iso_code", text(code))]))])
    }

    fn countries() -> Vec<u8> {
        database(
            "Test-Country",
            &[
                (81, record("country", "DE")),
                (2, record("registered_country", "FR")),
                (3, record("country", "not a code")),
                (4, text("not a map")),
                (
                    5,
                    map(&[
                        ("registered_country", map(&[("iso_code", text("US"))])),
                        ("country", map(&[("iso_code", text("it"))])),
                    ]),
                ),
            ],
        )
    }

    fn look_up(database: &MaxMindCountries, address: &str) -> Option<String> {
        database.country(address.parse().unwrap()).map(|country| country.to_string())
    }

    #[test]
    fn tells_where_an_address_is() {
        let database = MaxMindCountries::from_bytes(countries()).unwrap();
        assert_eq!(look_up(&database, "81.2.69.142").as_deref(), Some("DE"));
        assert_eq!(look_up(&database, "::ffff:81.2.69.142").as_deref(), Some("DE"));
        assert_eq!(look_up(&database, "2.1.1.1").as_deref(), Some("FR"));
        assert_eq!(look_up(&database, "5.1.1.1").as_deref(), Some("IT"));
        for unknown in ["3.1.1.1", "4.1.1.1", "127.0.0.1", "2001:db8::1"] {
            assert_eq!(look_up(&database, unknown), None, "{unknown}");
        }
        assert_eq!(format!("{database:?}"), r#"MaxMindCountries { database_type: "Test-Country", .. }"#);
    }

    #[test]
    fn a_database_without_countries_is_refused() {
        let networks = database("Test-ASN", &[(81, map(&[("autonomous_system_number", vec![0xa1, 7])]))]);
        let error = MaxMindCountries::from_bytes(networks).unwrap_err();
        assert!(error.to_string().contains("\"Test-ASN\" knows no countries"), "{error}");
        assert!(MaxMindCountries::from_bytes(database("Empty", &[])).is_err());
    }

    #[test]
    fn a_cut_database_is_refused_or_answers() {
        let whole = countries();
        for length in 0..whole.len() {
            assert!(MaxMindCountries::from_bytes(whole[..length].to_vec()).is_err(), "{length}");
            // Only the marker and what follows it: a tree that points nowhere.
            drop(MaxMindCountries::from_bytes(whole[length..].to_vec()));
        }
    }

    proptest::proptest! {
        #[test]
        fn a_damaged_database_never_panics(
            at in 0..countries().len(), byte: u8, second_at in 0..countries().len(), second: u8, address: u32,
        ) {
            let mut bytes = countries();
            bytes[at] = byte;
            bytes[second_at] = second;
            if let Ok(database) = MaxMindCountries::from_bytes(bytes) {
                database.country(IpAddr::V4(Ipv4Addr::from(address)));
                database.country(IpAddr::V4(Ipv4Addr::new(81, 2, 69, 142)));
            }
        }
    }
}
