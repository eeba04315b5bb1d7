//! IPv4 addresses within IPv6 addresses: IPv4-mapped ones, and those of NAT64.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

/// A prefix under which a NAT64 translates IPv4 addresses to IPv6 (RFC 6052): /32, /40, /48, /56, /64 or /96.
///
/// ```
/// use aiwaf_core::Nat64Prefix;
///
/// let prefix: Nat64Prefix = "2001:db8:64::/96".parse()?;
/// assert_eq!(prefix.embedded("2001:db8:64::192.0.2.1".parse()?), Some("192.0.2.1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Nat64Prefix(Ipv6Net);

/// A text that is not a NAT64 prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid NAT64 prefix {text:?}: expected an IPv6 network of length 32, 40, 48, 56, 64 or 96, such as 2001:db8:64::/96"
)]
pub struct InvalidNat64Prefix {
    text: String,
}

/// `64:ff9b::/96`, the prefix that every NAT64 may use.
const WELL_KNOWN: u128 = 0x0064_ff9b << 96;

impl Nat64Prefix {
    /// The IPv4 address within `address`, if it has this prefix.
    pub fn embedded(&self, address: Ipv6Addr) -> Option<Ipv4Addr> {
        if !self.0.contains(&address) {
            return None;
        }
        let bytes = address.octets();
        let start = usize::from(self.0.prefix_len() / 8);
        // Bits 64 to 71 are zero and belong to neither part, except behind a prefix of 96 bits.
        let mut embedded = bytes.iter().enumerate().skip(start).filter(|(at, _)| start > 8 || *at != 8);
        let mut octet = || embedded.next().map_or(0, |(_, byte)| *byte);
        Some(Ipv4Addr::from([octet(), octet(), octet(), octet()]))
    }

    /// The IPv4 network within `network`, if it has this prefix and is not nearly all of it.
    fn embedded_network(&self, network: Ipv6Net) -> Option<Ipv4Net> {
        let own = self.0.prefix_len();
        let unused = if own <= 64 { network.prefix_len().saturating_sub(64).min(8) } else { 0 };
        let bits = network.prefix_len().checked_sub(own)?.saturating_sub(unused).min(32);
        // An entry for a whole NAT64 does not mean all of IPv4.
        if bits < 8 {
            return None;
        }
        Ipv4Net::new(self.embedded(network.addr())?, bits).ok().map(|network| network.trunc())
    }
}

impl FromStr for Nat64Prefix {
    type Err = InvalidNat64Prefix;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim()
            .parse::<Ipv6Net>()
            .ok()
            .filter(|prefix| [32, 40, 48, 56, 64, 96].contains(&prefix.prefix_len()))
            .map(|prefix| Self(prefix.trunc()))
            .ok_or_else(|| InvalidNat64Prefix { text: text.chars().take(64).collect() })
    }
}

impl TryFrom<String> for Nat64Prefix {
    type Error = InvalidNat64Prefix;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Nat64Prefix> for String {
    fn from(prefix: Nat64Prefix) -> Self {
        prefix.to_string()
    }
}

impl fmt::Display for Nat64Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Returns the IPv4 address within `address` if it is IPv4-mapped (`::ffff:a.b.c.d`) or has the well-known prefix of NAT64
/// (`64:ff9b::/96`), and `address` otherwise. [`ClientSettings::canonical_address`](crate::ClientSettings::canonical_address)
/// also knows the configured prefixes.
///
/// ```
/// use aiwaf_core::canonical_address;
///
/// assert_eq!(canonical_address("64:ff9b::192.0.2.1".parse()?).to_string(), "192.0.2.1");
/// assert_eq!(canonical_address("2001:db8::1".parse()?).to_string(), "2001:db8::1");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[inline]
pub fn canonical_address(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => fixed(v6).map_or(address, IpAddr::V4),
    }
}

/// As [`canonical_address`], with further prefixes of NAT64.
#[inline]
pub(crate) fn canonical_by(address: IpAddr, prefixes: &[Nat64Prefix]) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => fixed(v6)
            .or_else(|| prefixes.iter().find_map(|prefix| prefix.embedded(v6)))
            .map_or(address, IpAddr::V4),
    }
}

/// The IPv4 address within an IPv4-mapped address, or one with the well-known prefix.
fn fixed(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = u128::from(address);
    let [.., a, b, c, d] = bits.to_be_bytes();
    let is_embedded = bits >> 32 == 0xffff || bits >> 32 == WELL_KNOWN >> 32;
    is_embedded.then(|| Ipv4Addr::from([a, b, c, d]))
}

/// Returns `network` without host bits, as IPv4 if it is IPv4-mapped or a part of the well-known prefix of NAT64.
pub fn canonical_network(network: IpNet) -> IpNet {
    canonical_network_by(network, &[])
}

/// As [`canonical_network`], with further prefixes of NAT64.
pub(crate) fn canonical_network_by(network: IpNet, prefixes: &[Nat64Prefix]) -> IpNet {
    let IpNet::V6(v6) = network else { return network.trunc() };
    let mapped = || Ipv4Net::new(v6.addr().to_ipv4_mapped()?, v6.prefix_len().checked_sub(96)?).ok();
    let well_known = Ipv6Net::new_assert(Ipv6Addr::from_bits(WELL_KNOWN), 96);
    mapped()
        .map(|network| network.trunc())
        .or_else(|| Nat64Prefix(well_known).embedded_network(v6))
        .or_else(|| prefixes.iter().find_map(|prefix| prefix.embedded_network(v6)))
        .map_or_else(|| network.trunc(), IpNet::V4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefix(text: &str) -> Nat64Prefix {
        text.parse().unwrap()
    }

    /// The table in section 2.4 of RFC 6052.
    #[test]
    fn embedded_addresses_are_those_of_rfc_6052() {
        for (text, address) in [
            ("2001:db8::/32", "2001:db8:c000:221::"),
            ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
            ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
            ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
            ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
            ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
        ] {
            let found = canonical_by(address.parse().unwrap(), &[prefix(text)]);
            assert_eq!(found.to_string(), "192.0.2.33", "{text}");
            let network = canonical_network_by(format!("{address}/128").parse().unwrap(), &[prefix(text)]);
            assert_eq!(network.to_string(), "192.0.2.33/32", "{text}");
        }
    }

    #[test]
    fn mapped_and_well_known_addresses_are_ipv4() {
        for (address, expected) in [
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("64:ff9b::c000:201", "192.0.2.1"),
            ("64:ff9b:1::c000:201", "64:ff9b:1::c000:201"),
            ("64:ff9b::1:c000:201", "64:ff9b::1:c000:201"),
            ("::192.0.2.1", "::c000:201"),
            ("2001:db8::1", "2001:db8::1"),
        ] {
            let (address, expected): (IpAddr, IpAddr) = (address.parse().unwrap(), expected.parse().unwrap());
            assert_eq!(canonical_address(address), expected);
        }
    }

    #[test]
    fn networks_within_nat64_are_ipv4() {
        for (network, expected) in [
            ("64:ff9b::192.0.2.7/120", "192.0.2.0/24"),
            ("64:ff9b::a00:0/104", "10.0.0.0/8"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            // All of a NAT64 is not all of IPv4.
            ("64:ff9b::/96", "64:ff9b::/96"),
            ("64:ff9b::/32", "64:ff9b::/32"),
            ("2001:db8::7/64", "2001:db8::/64"),
        ] {
            assert_eq!(canonical_network(network.parse().unwrap()).to_string(), expected, "{network}");
        }
    }

    #[test]
    fn other_lengths_are_errors() {
        for text in ["64:ff9b::/95", "64:ff9b::", "10.0.0.0/8", "banana", "::/0"] {
            assert!(text.parse::<Nat64Prefix>().is_err(), "{text}");
        }
        assert_eq!(prefix(" 2001:db8::1/96 ").to_string(), "2001:db8::/96");
    }

    proptest! {
        #[test]
        fn network_covers_its_addresses(address: u128, length in 0..=128u8, own in prop::sample::select(vec![32u8, 40, 48, 56, 64, 96])) {
            let address = Ipv6Addr::from(address);
            let prefixes = [Nat64Prefix(Ipv6Net::new(address, own).unwrap().trunc())];
            let network = Ipv6Net::new(address, length).unwrap();
            let mapped = canonical_network_by(network.into(), &prefixes);
            if let IpNet::V4(mapped) = mapped {
                let IpAddr::V4(v4) = canonical_by(address.into(), &prefixes) else { panic!("{address}") };
                prop_assert!(mapped.contains(&v4));
            } else {
                prop_assert_eq!(mapped, IpNet::from(network.trunc()));
            }
        }
    }
}
