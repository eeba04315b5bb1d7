//! Names that proxies give their clients: addresses with ports, zones, quotes and brackets, and names that hide the address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A client as a forwarding header names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node<'h> {
    Address(IpAddr),
    /// Another text: an obfuscated identifier (`_hidden`, RFC 7239), or an unreadable one.
    Name(&'h [u8]),
    /// The proxy does not know it.
    Unknown,
}

impl<'h> Node<'h> {
    /// Parses `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`, `fe80::1%eth0`, `unknown`, `_hidden:_port`,
    /// each with or without double quotes.
    pub(super) fn parse(text: &'h [u8]) -> Self {
        let text = unquote(text.trim_ascii());
        if let Some(address) = ipv4(text) {
            return Self::Address(IpAddr::V4(address));
        }
        if let Some(in_brackets) = text.strip_prefix(b"[") {
            return bracketed(in_brackets).map_or(Self::Name(text), Self::of_ipv6);
        }
        if let Some(address) = ipv6(text) {
            return Self::of_ipv6(address);
        }
        // The port differs from connection to connection and tells no clients apart.
        let colon = text.iter().rposition(|&byte| byte == b':').filter(|at| is_port(text.get(*at + 1..)));
        let host = colon.and_then(|at| text.get(..at)).unwrap_or(text);
        if let Some(address) = ipv4(host) {
            Self::Address(IpAddr::V4(address))
        } else if host.is_empty() || host.eq_ignore_ascii_case(b"unknown") {
            Self::Unknown
        } else {
            Self::Name(host)
        }
    }

    fn of_ipv6(address: Ipv6Addr) -> Self {
        Self::Address(IpAddr::V6(address).to_canonical())
    }
}

/// Removes double quotes around `text`, if there are two.
fn unquote(text: &[u8]) -> &[u8] {
    let inner = || text.strip_prefix(b"\"")?.strip_suffix(b"\"");
    inner().map_or(text, <[u8]>::trim_ascii)
}

/// Parses an IPv4 address: four numbers without leading zeros. By hand, for it is done for nearly every request behind a
/// proxy, and the standard library takes a multiple of the time.
#[inline]
pub(super) fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let (a, rest) = octet(text)?;
    let (b, rest) = octet(rest.strip_prefix(b".")?)?;
    let (c, rest) = octet(rest.strip_prefix(b".")?)?;
    let (d, rest) = octet(rest.strip_prefix(b".")?)?;
    rest.is_empty().then(|| Ipv4Addr::from_bits(a << 24 | b << 16 | c << 8 | d))
}

/// Parses a number of at most 255 at the beginning of `text`; what follows it.
#[inline]
fn octet(text: &[u8]) -> Option<(u32, &[u8])> {
    let (mut value, mut rest) = digit(text)?;
    // A zero stands alone: some read what begins with one as octal.
    if value > 0
        && let Some((next, after)) = digit(rest)
    {
        (value, rest) = (value * 10 + next, after);
        if let Some((next, after)) = digit(rest) {
            (value, rest) = (value * 10 + next, after);
        }
    }
    (value <= 255).then_some((value, rest))
}

#[inline]
fn digit(text: &[u8]) -> Option<(u32, &[u8])> {
    let (first, rest) = text.split_first()?;
    let digit = first.wrapping_sub(b'0');
    (digit <= 9).then_some((u32::from(digit), rest))
}

/// Parses an IPv6 address without its zone (`%eth0`), which means something to the proxy alone.
fn ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    let zone = text.iter().position(|&byte| byte == b'%');
    let address = match zone {
        Some(at) if at + 1 < text.len() => text.get(..at)?,
        Some(_) => return None,
        None => text,
    };
    // The longest address has 45 bytes.
    if address.len() > 45 {
        return None;
    }
    std::str::from_utf8(address).ok()?.parse().ok()
}

/// Parses what follows an opening bracket: `2001:db8::1]` or `2001:db8::1]:4711`.
fn bracketed(text: &[u8]) -> Option<Ipv6Addr> {
    let end = text.iter().position(|&byte| byte == b']')?;
    let port = text.get(end + 1..)?;
    if port.is_empty() || is_port(port.strip_prefix(b":")) { ipv6(text.get(..end)?) } else { None }
}

/// Reports whether this is a port: up to five digits, or an obfuscated one (`_port`).
fn is_port(text: Option<&[u8]>) -> bool {
    match text {
        Some([b'_', rest @ ..]) => {
            !rest.is_empty() && rest.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
        }
        Some(digits) => (1..=5).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_read_in_all_forms() {
        for (text, expected) in [
            ("203.0.113.9", "203.0.113.9"),
            (" 203.0.113.9\t", "203.0.113.9"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("\"203.0.113.9:4711\"", "203.0.113.9"),
            ("203.0.113.9:_port", "203.0.113.9"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("\"[2001:db8::1]:_x\"", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:80", "fe80::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("[::ffff:203.0.113.9]:80", "203.0.113.9"),
        ] {
            assert_eq!(Node::parse(text.as_bytes()), Node::Address(expected.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn other_texts_are_names_without_ports() {
        for (text, name) in [
            ("_hidden", "_hidden"),
            ("\"_hidden:_7\"", "_hidden"),
            ("_hidden:4711", "_hidden"),
            ("1.2.3.4.5", "1.2.3.4.5"),
            ("010.0.0.1", "010.0.0.1"),
            ("1.2.3.256", "1.2.3.256"),
            ("fe80::1%", "fe80::1%"),
            ("[2001:db8::1", "[2001:db8::1"),
            ("[2001:db8::1]x", "[2001:db8::1]x"),
            ("\"203.0.113.9", "\"203.0.113.9"),
            ("203.0.113.9:123456", "203.0.113.9:123456"),
        ] {
            assert_eq!(Node::parse(text.as_bytes()), Node::Name(name.as_bytes()), "{text}");
        }
        for text in ["", "unknown", "Unknown:4711", "\"unknown\"", "\"\""] {
            assert_eq!(Node::parse(text.as_bytes()), Node::Unknown, "{text}");
        }
    }

    proptest! {
        #[test]
        fn ipv4_agrees_with_the_standard_library(text in "[0-9.]{0,17}|([0-9]{1,3}\\.){3}[0-9]{1,3}|[ -~]{0,16}") {
            prop_assert_eq!(ipv4(text.as_bytes()), text.parse().ok());
        }

        #[test]
        fn written_addresses_are_read(address: u128, is_v4: bool, port: u16, zone in "[a-z0-9]{1,8}") {
            let address = if is_v4 {
                IpAddr::V4(Ipv4Addr::from((address & 0xffff_ffff) as u32))
            } else {
                IpAddr::V6(Ipv6Addr::from(address))
            };
            let mut texts = vec![address.to_string(), std::net::SocketAddr::new(address, port).to_string()];
            if address.is_ipv6() {
                texts.push(format!("[{address}]"));
                texts.push(format!("{address}%{zone}"));
            }
            for text in texts {
                prop_assert_eq!(Node::parse(text.as_bytes()), Node::Address(address.to_canonical()));
                let quoted = format!("\"{text}\"");
                prop_assert_eq!(Node::parse(quoted.as_bytes()), Node::Address(address.to_canonical()));
            }
        }

        #[test]
        fn no_text_panics(text in prop::collection::vec(any::<u8>(), 0..80), form in "[\\[\\]\":%_.0-9a-f]{0,40}") {
            Node::parse(&text);
            Node::parse(form.as_bytes());
        }
    }
}
