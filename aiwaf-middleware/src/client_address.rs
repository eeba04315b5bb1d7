//! Who asks: the peer's address, or what trusted proxies say about it.

use std::net::{IpAddr, SocketAddr};

use aiwaf_core::{TrustedProxy, UNKNOWN_CLIENT};
use http::header::{FORWARDED, HeaderMap, HeaderName};

/// The peer's address, as a request extension, for servers that are not axum's.
///
/// Whoever accepts connections inserts it into every request; of axum's servers, `ConnectInfo` is read instead.
///
/// ```
/// use aiwaf_middleware::PeerAddress;
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(PeerAddress("203.0.113.9:4711".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerAddress(pub SocketAddr);

/// Finds the client's address.
///
/// The peer of the connection is the client, unless it is a trusted proxy. Only then are forwarding headers read, for
/// anybody can send them. The first of these that is there decides, alone:
///
/// 1. `X-Forwarded-For`, which nearly every proxy appends to or sets;
/// 2. `Forwarded` (RFC 7239), the same with a grammar;
/// 3. `X-Real-IP`, a single address that a proxy sets;
/// 4. `CF-Connecting-IP`, likewise.
///
/// The order goes by how surely the proxy itself has written the header: a proxy passes on those that it does not know
/// as the client sent them. Were `Forwarded` or `CF-Connecting-IP` first, every client of a proxy that only writes
/// `X-Forwarded-For` could choose its own address. A proxy that writes none of the four must not be trusted.
///
/// Lists are read from the right, where the nearest proxy wrote; several header lines are one list. Trusted proxies in
/// the list are skipped, and the first stranger is the client. What can't be understood (junk, `unknown`,
/// `_hidden`) ends the walk, and the last address that was understood counts: everything further left is only hearsay.
/// At most [`MAX_HOPS`](Self::MAX_HOPS) entries and [`MAX_LENGTH`](Self::MAX_LENGTH) bytes are read.
///
/// A service that listens on a Unix socket sees no address of its proxy: there the peer is [`UNKNOWN_CLIENT`]
/// (`0.0.0.0`), which can be named as a trusted proxy.
///
/// ```
/// use aiwaf_middleware::ClientAddress;
///
/// let finder = ClientAddress::new(["10.0.0.0/8".parse()?]);
/// let mut headers = http::HeaderMap::new();
/// headers.insert("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.0.0.2".parse()?);
/// assert_eq!(finder.find(Some("10.0.0.1".parse()?), &headers).to_string(), "203.0.113.9");
/// assert_eq!(finder.find(Some("192.0.2.1".parse()?), &headers).to_string(), "192.0.2.1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct ClientAddress {
    trusted: Box<[TrustedProxy]>,
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const CF_CONNECTING_IP: HeaderName = HeaderName::from_static("cf-connecting-ip");

impl ClientAddress {
    /// So many entries of a list are read.
    pub const MAX_HOPS: usize = 32;

    /// So many bytes of a list are read.
    pub const MAX_LENGTH: usize = 8192;

    /// Believes the forwarding headers of these proxies.
    pub fn new(trusted: impl IntoIterator<Item = TrustedProxy>) -> Self {
        Self { trusted: trusted.into_iter().collect() }
    }

    /// The client's address, IPv4-mapped IPv6 as IPv4; [`UNKNOWN_CLIENT`] if there is no peer and nobody to say.
    ///
    /// Costs nothing but a comparison for each trusted proxy, unless the peer is one.
    pub fn find(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> IpAddr {
        let peer = peer.unwrap_or(UNKNOWN_CLIENT).to_canonical();
        if !self.is_trusted(peer) {
            return peer;
        }
        if headers.contains_key(X_FORWARDED_FOR) {
            return self.walk(peer, headers, &X_FORWARDED_FOR, address);
        }
        if headers.contains_key(FORWARDED) {
            return self.walk(peer, headers, &FORWARDED, forwarded_for);
        }
        for name in [X_REAL_IP, CF_CONNECTING_IP] {
            if headers.contains_key(&name) {
                return single(headers, &name).unwrap_or(peer);
            }
        }
        peer
    }

    /// Whether a peer in this machine or a private network forwards requests and is not trusted: probably a proxy that
    /// somebody forgot to name.
    pub(crate) fn is_unknown_proxy(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        let peer = peer.to_canonical();
        let is_near = match peer {
            IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
            IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
        };
        is_near
            && !self.is_trusted(peer)
            && [&X_FORWARDED_FOR, &FORWARDED, &X_REAL_IP].into_iter().any(|name| headers.contains_key(name))
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|proxy| proxy.0.contains(&address))
    }

    /// Walks the list from the right until somebody is not trusted or not understood.
    fn walk(
        &self,
        peer: IpAddr,
        headers: &HeaderMap,
        name: &HeaderName,
        read: fn(&[u8]) -> Option<IpAddr>,
    ) -> IpAddr {
        let mut last = peer;
        let mut left = Self::MAX_LENGTH;
        let entries =
            headers.get_all(name).iter().rev().flat_map(|line| FromRight::new(line.as_bytes(), b','));
        for entry in entries.take(Self::MAX_HOPS) {
            let Some(rest) = left.checked_sub(entry.len() + 1) else { break };
            left = rest;
            let entry = entry.trim_ascii();
            if entry.is_empty() {
                continue;
            }
            let Some(address) = read(entry) else { break };
            last = address;
            if !self.is_trusted(address) {
                break;
            }
        }
        last
    }
}

/// The only value of a header that may only come once.
fn single(headers: &HeaderMap, name: &HeaderName) -> Option<IpAddr> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| address(value.as_bytes().trim_ascii())).flatten()
}

/// Reads an address, with or without a port.
fn address(text: &[u8]) -> Option<IpAddr> {
    // The longest address with brackets and port has 53 bytes.
    let text = std::str::from_utf8(text.get(..text.len().min(64))?).ok()?;
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().ok();
    text.parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
        .or_else(|| in_brackets().map(IpAddr::V6))
        .map(|address: IpAddr| address.to_canonical())
}

/// Reads the `for` of one element of `Forwarded`: `for="[2001:db8::1]:4711";proto=https`.
fn forwarded_for(element: &[u8]) -> Option<IpAddr> {
    let mut found = None;
    for pair in FromRight::new(element, b';') {
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        let (name, value) = (pair.get(..equals)?, pair.get(equals + 1..)?);
        if name.trim_ascii().eq_ignore_ascii_case(b"for") {
            let value = value.trim_ascii();
            let plain = value.strip_prefix(b"\"").map_or(Some(value), |quoted| quoted.strip_suffix(b"\""))?;
            // Two of them in one element: nobody knows which counts.
            if found.replace(address(plain)?).is_some() {
                return None;
            }
        }
    }
    found
}

/// The parts of a list from right to left. Separators between double quotes don't count.
///
/// From the left, a client that sends an opening quote could swallow what the proxy appended behind it.
struct FromRight<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> FromRight<'a> {
    fn new(list: &'a [u8], separator: u8) -> Self {
        Self { rest: Some(list), separator }
    }
}

impl<'a> Iterator for FromRight<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        // Whoever sends more than may be read can't make it be searched.
        let window = rest.len().saturating_sub(ClientAddress::MAX_LENGTH + 1);
        let mut is_quoted = false;
        for (at, &byte) in rest.iter().enumerate().skip(window).rev() {
            if byte == b'"' {
                is_quoted = !is_quoted;
            } else if byte == self.separator && !is_quoted {
                self.rest = rest.get(..at);
                return rest.get(at + 1..);
            }
        }
        Some(rest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn find_behind(trusted: &[&str], peer: &str, headers: &[(&'static str, &str)]) -> String {
        let finder = ClientAddress::new(trusted.iter().map(|text| text.parse().unwrap()));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        finder.find(peer.parse().ok(), &map).to_string()
    }

    /// Behind a proxy at 10.0.0.1, of a network that is trusted.
    fn find(headers: &[(&'static str, &str)]) -> String {
        find_behind(&["10.0.0.0/8", "2001:db8:a::/48"], "10.0.0.1", headers)
    }

    #[test]
    fn original_defect_01_a_stranger_can_not_name_a_victim() {
        for name in ["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip"] {
            for value in ["8.8.8.8", "for=8.8.8.8"] {
                assert_eq!(find_behind(&[], "192.0.2.1", &[(name, value)]), "192.0.2.1");
                assert_eq!(find_behind(&["10.0.0.0/8"], "192.0.2.1", &[(name, value)]), "192.0.2.1");
                assert_eq!(find_behind(&[], "none", &[(name, value)]), "0.0.0.0");
            }
        }
    }

    #[test]
    fn lists_are_read_from_the_right() {
        for (list, expected) in [
            ("203.0.113.9", "203.0.113.9"),
            ("1.1.1.1, 203.0.113.9", "203.0.113.9"),
            ("1.1.1.1,203.0.113.9 ,10.0.0.3,\t10.9.9.9", "203.0.113.9"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("2001:db8::1, 2001:db8:a::7", "2001:db8::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("203.0.113.9,, ,", "203.0.113.9"),
            // Nobody but proxies: the furthest one asks for itself.
            ("10.0.0.7, 10.0.0.8", "10.0.0.7"),
            // The walk ends at what can't be understood.
            ("203.0.113.9, unknown, 10.0.0.8", "10.0.0.8"),
            ("203.0.113.9, _hidden", "10.0.0.1"),
            ("203.0.113.9, 1.2.3.4.5, 10.0.0.8", "10.0.0.8"),
            ("203.0.113.9, fe80::1%eth0", "10.0.0.1"),
            ("203.0.113.9, 010.0.0.1", "10.0.0.1"),
            ("", "10.0.0.1"),
        ] {
            assert_eq!(find(&[("x-forwarded-for", list)]), expected, "{list}");
        }
        let lines = [("x-forwarded-for", "1.1.1.1, 203.0.113.9"), ("x-forwarded-for", "10.0.0.7")];
        assert_eq!(find(&lines), "203.0.113.9", "several lines are one list");
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_says() {
        for (list, expected) in [
            ("for=203.0.113.9", "203.0.113.9"),
            ("For=\"203.0.113.9:47011\";proto=https;by=10.0.0.1", "203.0.113.9"),
            ("proto=http;for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("for=\"[2001:db8::1]\", for=10.0.0.4", "2001:db8::1"),
            ("for=1.1.1.1, for=203.0.113.9;host=\"a,b;c\"", "203.0.113.9"),
            ("for=203.0.113.9, for=unknown", "10.0.0.1"),
            ("for=203.0.113.9, for=\"_hidden\", for=10.0.0.4", "10.0.0.4"),
            ("for=203.0.113.9;for=1.1.1.1", "10.0.0.1"),
            ("for=203.0.113.9, proto=http", "10.0.0.1"),
            // A quote that never ends can't hide what the proxy appended.
            ("for=\"x, for=203.0.113.9", "203.0.113.9"),
            ("for=\"203.0.113.9", "10.0.0.1"),
        ] {
            assert_eq!(find(&[("forwarded", list)]), expected, "{list}");
        }
    }

    #[test]
    fn single_values_are_single_and_come_last() {
        assert_eq!(find(&[("x-real-ip", "203.0.113.9")]), "203.0.113.9");
        assert_eq!(find(&[("cf-connecting-ip", "2001:db8::9")]), "2001:db8::9");
        assert_eq!(find(&[("x-real-ip", "203.0.113.9"), ("x-real-ip", "203.0.113.8")]), "10.0.0.1");
        assert_eq!(find(&[("x-real-ip", "203.0.113.9, 203.0.113.8")]), "10.0.0.1");
        let all = [
            ("cf-connecting-ip", "203.0.113.4"),
            ("x-real-ip", "203.0.113.3"),
            ("forwarded", "for=203.0.113.2"),
            ("x-forwarded-for", "203.0.113.1"),
        ];
        assert_eq!(find(&all), "203.0.113.1");
        assert_eq!(find(&all[..3]), "203.0.113.2");
        assert_eq!(find(&all[..2]), "203.0.113.3");
    }

    #[test]
    fn long_lists_are_cut() {
        let proxies = vec!["10.0.0.9"; ClientAddress::MAX_HOPS].join(",");
        assert_eq!(find(&[("x-forwarded-for", &format!("203.0.113.9,{}", &proxies[9..]))]), "203.0.113.9");
        assert_eq!(find(&[("x-forwarded-for", &format!("203.0.113.9,{proxies}"))]), "10.0.0.9");
        let blanks = " ".repeat(ClientAddress::MAX_LENGTH);
        assert_eq!(find(&[("x-forwarded-for", &format!("203.0.113.9{blanks}"))]), "10.0.0.1");
        assert_eq!(find(&[("forwarded", &"\"".repeat(100_000))]), "10.0.0.1");
    }

    #[test]
    fn a_service_on_a_unix_socket_can_trust_its_proxy() {
        assert_eq!(find_behind(&["0.0.0.0"], "none", &[("x-forwarded-for", "203.0.113.9")]), "203.0.113.9");
    }

    fn any_headers() -> impl Strategy<Value = HeaderMap> {
        let name =
            prop::sample::select(vec!["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip"]);
        let value = prop_oneof![
            "[ -~]{0,40}",
            "((for=)?\"?(\\[?[0-9a-f:.]{1,12}\\]?|unknown|_x)(:[0-9]{1,5})?\"?[,;] ?){0,40}",
        ];
        prop::collection::vec((name, value), 0..5).prop_map(|lines| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(name, value.parse().unwrap());
            }
            headers
        })
    }

    proptest! {
        #[test]
        fn original_defect_02_without_trusted_proxies_headers_never_matter(headers in any_headers(), peer: [u8; 16]) {
            let peer = IpAddr::from(peer);
            prop_assert_eq!(ClientAddress::default().find(Some(peer), &headers), peer.to_canonical());
        }

        #[test]
        fn no_header_can_panic(headers in any_headers()) {
            let everybody = ClientAddress::new(["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()]);
            everybody.find(Some(UNKNOWN_CLIENT), &headers);
        }
    }
}
