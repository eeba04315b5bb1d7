//! Clients: the key under which one is counted, and the table of what is remembered of each.

mod identity;
mod nat64;
mod table;

pub use identity::{Identity, ReportedClient};
pub use nat64::{InvalidNat64Prefix, Nat64Prefix, canonical_address, canonical_network};
pub(crate) use nat64::{canonical_by, canonical_network_by};
pub(crate) use table::{ClientTable, Record};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::state::hash_text;

/// The key under which a client is counted and banned.
///
/// An IPv4 address counts for itself. An IPv6 client usually owns a whole /64, so all of it counts as one.
/// An IPv6 address that holds an IPv4 address counts as that ([`canonical_address`]). Sixteen bytes, so that millions fit
/// into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey([u8; 16]);

impl ClientKey {
    /// The key of `address`, with IPv6 addresses cut to `ipv6_prefix` bits (at most 128).
    pub fn new(address: IpAddr, ipv6_prefix: u8) -> Self {
        Self::of_canonical(canonical_address(address), ipv6_prefix)
    }

    /// As [`new`](Self::new), for an address that is canonical already.
    #[inline]
    pub(crate) fn of_canonical(address: IpAddr, ipv6_prefix: u8) -> Self {
        match address {
            IpAddr::V4(v4) => Self(v4.to_ipv6_mapped().octets()),
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(ipv6_prefix.min(128))).unwrap_or(0);
                Self((u128::from(v6) & mask).to_be_bytes())
            }
        }
    }

    /// A key for a client that a log names instead of giving its address. It stands for no network: it is within
    /// 100::/64, from which nothing is ever sent (RFC 6666). Names that differ have different keys, as far as 64 bits
    /// tell them apart.
    pub(crate) fn of_name(name: &[u8]) -> Self {
        Self(((0x0100_u128 << 112) | u128::from(hash_text(name))).to_be_bytes())
    }

    /// A key for a client that `proxy` calls `name`, among those of [`of_name`](Self::of_name).
    fn of_report(proxy: IpAddr, name: &[u8]) -> Self {
        let mut both = [0; 24];
        let (of_proxy, of_name) = both.split_at_mut(16);
        of_proxy.copy_from_slice(&Self::new(proxy, 128).0);
        of_name.copy_from_slice(&hash_text(name).to_be_bytes());
        Self::of_name(&both)
    }

    /// The key as two numbers.
    #[inline]
    pub(crate) fn into_halves(self) -> [u64; 2] {
        let half = |bytes: Option<&[u8; 8]>| u64::from_be_bytes(bytes.copied().unwrap_or_default());
        [half(self.0.first_chunk()), half(self.0.last_chunk())]
    }

    /// The first 64 bits of a public IPv6 address (2000::/3).
    #[inline]
    pub(crate) fn public_ipv6_prefix(self) -> Option<u64> {
        let [prefix, _] = self.into_halves();
        (prefix >> 61 == 1).then_some(prefix)
    }

    /// The network that the key stands for, given the same `ipv6_prefix` as was used to make it.
    pub fn network(self, ipv6_prefix: u8) -> IpNet {
        let address = Ipv6Addr::from(self.0);
        match address.to_ipv4_mapped() {
            Some(v4) => Ipv4Net::from(v4).into(),
            None => Ipv6Net::new(address, ipv6_prefix.min(128))
                .map_or_else(|_| Ipv6Net::from(address).into(), Into::into),
        }
    }
}

/// Reads an address or a network as people write it: `203.0.113.9`, `203.0.113.0/24`, `2001:db8::/32`.
///
/// Bits beyond the prefix are cut, IPv4-mapped IPv6 becomes IPv4, surrounding blanks are ignored.
///
/// # Errors
/// [`InvalidNetwork`], naming the text and what is expected.
///
/// ```
/// use aiwaf_core::parse_network;
///
/// assert_eq!(parse_network("192.168.1.7/24")?.to_string(), "192.168.1.0/24");
/// assert_eq!(parse_network("::ffff:10.0.0.1")?.to_string(), "10.0.0.1/32");
/// assert!(parse_network("banana").is_err());
/// # Ok::<(), aiwaf_core::InvalidNetwork>(())
/// ```
pub fn parse_network(text: &str) -> Result<IpNet, InvalidNetwork> {
    let text = text.trim();
    let parsed = if text.contains('/') {
        text.parse::<IpNet>().ok()
    } else {
        text.parse::<IpAddr>().ok().map(IpNet::from)
    };
    parsed.map(canonical_network).ok_or_else(|| InvalidNetwork { text: text.chars().take(64).collect() })
}

/// How people write a network: a single address without its `/32` or `/128`.
pub fn display_network(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
    }
}

/// A text that is neither an address nor a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no IP address or network: give one such as 203.0.113.9, 203.0.113.0/24 or 2001:db8::/32"
)]
pub struct InvalidNetwork {
    text: String,
}

/// The address that stands for "unknown client".
pub const UNKNOWN_CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

#[cfg(test)]
mod tests {
    use super::*;

    fn key(address: &str) -> ClientKey {
        ClientKey::new(address.parse().unwrap(), 64)
    }

    #[test]
    fn ipv6_counts_per_network_and_mapped_ipv4_as_ipv4() {
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:2"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_eq!(key("64:ff9b::192.0.2.1"), key("192.0.2.1"));
        assert_eq!(key("2001:db8::1").network(64).to_string(), "2001:db8::/64");
        assert_eq!(key("192.0.2.1").network(64).to_string(), "192.0.2.1/32");
    }

    #[test]
    fn reported_clients_are_told_apart_by_proxy_and_name() {
        let report =
            |proxy: &str, name: &str| ReportedClient::new(proxy.parse().unwrap(), name.as_bytes(), true).key;
        let first = report("10.0.0.1", "192.0.2.1");
        assert_eq!(first, report("10.0.0.1", "192.0.2.1"));
        for other in [report("10.0.0.2", "192.0.2.1"), report("10.0.0.1", "192.0.2.2"), key("192.0.2.1")] {
            assert_ne!(first, other);
        }
    }

    #[test]
    fn only_public_ipv6_is_in_networks() {
        assert_eq!(key("2001:db8:1:2::3").public_ipv6_prefix(), Some(0x2001_0db8_0001_0002));
        for other in ["192.0.2.1", "::1", "fe80::1", "fd00::1", "64:ff9b::1.2.3.4"] {
            assert_eq!(key(other).public_ipv6_prefix(), None, "{other}");
        }
        assert_eq!(ClientKey::of_name(b"x").public_ipv6_prefix(), None);
    }

    #[test]
    fn odd_prefixes_are_in_range() {
        let address = "2001:db8::1".parse().unwrap();
        assert_eq!(ClientKey::new(address, 0).network(0).to_string(), "::/0");
        assert_eq!(ClientKey::new(address, 255).network(255).to_string(), "2001:db8::1/128");
    }

    #[test]
    fn junk_is_no_network() {
        for text in ["", "banana", "1.2.3", "1.2.3.4/33", "=1+1", "1.2.3.4 OR 1=1", "::/129", "010.0.0.1"] {
            assert!(parse_network(text).is_err(), "{text}");
        }
        assert_eq!(display_network(&parse_network(" 10.0.0.1 ").unwrap()), "10.0.0.1");
        assert_eq!(parse_network("::ffff:10.0.0.0/104").unwrap().to_string(), "10.0.0.0/8");
    }
}
