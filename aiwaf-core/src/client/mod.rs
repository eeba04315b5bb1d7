//! Clients: the key under which one is counted, and the table of what is remembered of each.

mod table;

pub(crate) use table::{ClientTable, Record};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::state::hash_text;

/// How far a client's address tells clients apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Identity {
    /// The peer of the connection.
    #[default]
    Direct,
    /// Named by a trusted proxy.
    Forwarded,
    /// Nobody can tell: there is no peer address, the peer forwards requests of others without being a trusted proxy, or
    /// it is a trusted proxy that names no client. Such clients are blocked request by request and never banned.
    Unidentified,
}

/// The key under which a client is counted and banned.
///
/// An IPv4 address counts for itself. An IPv6 client usually owns a whole /64, so all of it counts as one.
/// An IPv4-mapped IPv6 address (`::ffff:a.b.c.d`) is the IPv4 address. Sixteen bytes, so that millions fit into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey([u8; 16]);

impl ClientKey {
    /// The key of `address`, with IPv6 addresses cut to `ipv6_prefix` bits (at most 128).
    pub fn new(address: IpAddr, ipv6_prefix: u8) -> Self {
        match address.to_canonical() {
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

/// The network with host bits cut, and as IPv4 where it is one.
pub fn canonical_network(network: IpNet) -> IpNet {
    if let IpNet::V6(v6) = network
        && let Some(v4) = v6.addr().to_ipv4_mapped()
        && let Some(bits) = v6.prefix_len().checked_sub(96)
        && let Ok(v4) = Ipv4Net::new(v4, bits)
    {
        return IpNet::V4(v4.trunc());
    }
    network.trunc()
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
        assert_eq!(key("2001:db8::1").network(64).to_string(), "2001:db8::/64");
        assert_eq!(key("192.0.2.1").network(64).to_string(), "192.0.2.1/32");
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
