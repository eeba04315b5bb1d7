//! The client of a request: the peer of the connection, or whom proxies name.

mod forwarding;
mod node;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aiwaf_core::{ClientSettings, Identity, ReportedClient, TrustedProxy, UNKNOWN_CLIENT};
use http::header::{FORWARDED, HeaderMap, HeaderName, VIA};
use ipnet::IpNet;

use self::forwarding::{Entries, ForwardingHeader, Syntax};
use self::node::Node;

/// The peer's address, as a request extension, for servers that are not axum's.
///
/// The program that accepts connections inserts it into every request; of axum's servers, `ConnectInfo` is read instead.
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

/// Finds the client of a request.
///
/// | peer | forwarding header | client |
/// |---|---|---|
/// | trusted proxy | names a client | that client, *forwarded* |
/// | trusted proxy | none, or unreadable | the proxy, *unidentified* |
/// | public | ignored: every client can send one | the peer, *direct* |
/// | private or loopback | any: a proxy that is missing in `trusted_proxies` | the peer, *unidentified* |
/// | private | none | the peer, *direct*; *unidentified* if it has forwarded requests before |
/// | loopback, or no address | none | the peer, *unidentified* |
///
/// Unidentified clients are never banned, for that would ban all others behind the same address. Their rates are limited by
/// the name that the proxy reports, and for all of them together to 20 times the limit of one client. Private addresses are
/// those that no client from the internet has: RFC 1918, unique local, link local, and 100.64.0.0/10 of carriers.
/// A gateway that hides all clients behind one private address without sending any header, such as that of a container
/// network, can't be detected: name it in `trusted_proxies`, and it is not banned.
///
/// Of the configured forwarding headers the first that a request has decides, alone. The default order goes by how surely
/// the proxy itself has written the header, since a proxy passes on those that it does not know as the client sent them:
///
/// 1. `X-Forwarded-For`, which nearly every proxy appends to or sets;
/// 2. `Forwarded` (RFC 7239), the same with a grammar;
/// 3. `X-Real-IP`, a single address that a proxy sets;
/// 4. `CF-Connecting-IP`, likewise.
///
/// A proxy has to write, or remove, each configured header that comes before the one it names clients by; configure only the
/// one that it writes (`client.forwarding_headers`), and clients can't choose.
///
/// Lists are read from the right, where the nearest proxy wrote; several header lines are one list. Trusted proxies in
/// the list are skipped, and the first stranger is the client. A text that is not an address ends the walk: everything
/// further left is only hearsay. At most [`MAX_HOPS`](Self::MAX_HOPS) entries and [`MAX_LENGTH`](Self::MAX_LENGTH) bytes are
/// read.
///
/// A service that listens on a Unix socket sees no address of its proxy: there the peer is [`UNKNOWN_CLIENT`]
/// (`0.0.0.0`), which can be named as a trusted proxy.
///
/// ```
/// use aiwaf_core::Identity;
/// use aiwaf_middleware::ClientAddress;
///
/// let finder = ClientAddress::new(["10.0.0.0/8".parse()?]);
/// let mut headers = http::HeaderMap::new();
/// headers.insert("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.0.0.2".parse()?);
/// let client = finder.identify(Some("10.0.0.1".parse()?), &headers);
/// assert_eq!((client.address.to_string(), client.identity), ("203.0.113.9".into(), Identity::Forwarded));
/// let client = finder.identify(Some("192.0.2.1".parse()?), &headers);
/// assert_eq!((client.address.to_string(), client.identity), ("192.0.2.1".into(), Identity::Direct));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ClientAddress {
    trusted_v4: Box<[Network<u32>]>,
    trusted_v6: Box<[Network<u128>]>,
    headers: Box<[ForwardingHeader]>,
    settings: ClientSettings,
    forwarders: Arc<Forwarders>,
}

/// A network, as it is compared.
#[derive(Debug, Clone, Copy)]
struct Network<A> {
    first: A,
    mask: A,
}

/// The client of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Client {
    /// Its address; that of the nearest proxy if it is unidentified.
    pub address: IpAddr,
    /// Confidence in the address.
    pub identity: Identity,
    /// The client as the proxy names it, if it is unidentified.
    pub reported: Option<ReportedClient>,
    /// A proxy that forwards requests and is not trusted.
    pub(crate) unknown_proxy: Option<IpAddr>,
}

impl Client {
    fn new(address: IpAddr, identity: Identity) -> Self {
        Self { address, identity, reported: None, unknown_proxy: None }
    }

    fn unidentified(address: IpAddr) -> Self {
        Self::new(address, Identity::Unidentified)
    }
}

impl Default for ClientAddress {
    fn default() -> Self {
        Self::from_settings(&ClientSettings::default())
    }
}

impl ClientAddress {
    /// Maximum number of entries of a list that are read.
    pub const MAX_HOPS: usize = 32;

    /// Maximum number of bytes of a list that are read.
    pub const MAX_LENGTH: usize = 8192;

    /// Believes the forwarding headers of these proxies.
    pub fn new(trusted: impl IntoIterator<Item = TrustedProxy>) -> Self {
        let trusted_proxies = trusted.into_iter().collect();
        Self::from_settings(&ClientSettings { trusted_proxies, ..ClientSettings::default() })
    }

    /// Follows `trusted_proxies`, `forwarding_headers` and `nat64_prefixes`. Header names that are not valid, which
    /// [`Settings::check`](aiwaf_core::Settings::check) refuses, don't count.
    pub fn from_settings(settings: &ClientSettings) -> Self {
        let (mut trusted_v4, mut trusted_v6) = (Vec::new(), Vec::new());
        for proxy in &settings.trusted_proxies {
            match proxy.0 {
                IpNet::V4(network) => trusted_v4
                    .push(Network { first: network.network().to_bits(), mask: network.netmask().to_bits() }),
                IpNet::V6(network) => trusted_v6
                    .push(Network { first: network.network().to_bits(), mask: network.netmask().to_bits() }),
            }
        }
        let names = settings.forwarding_headers.iter();
        Self {
            trusted_v4: trusted_v4.into(),
            trusted_v6: trusted_v6.into(),
            headers: names
                .filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok())
                .map(ForwardingHeader::new)
                .collect(),
            settings: settings.clone(),
            forwarders: Arc::default(),
        }
    }

    /// The client's address, as [`identify`](Self::identify) finds it.
    pub fn find(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> IpAddr {
        self.identify(peer, headers).address
    }

    /// The client of a request with these headers that came from `peer`; `None` if the server does not tell.
    ///
    /// Costs a comparison for each trusted proxy for a public peer, and one look at the headers for a trusted one.
    pub fn identify(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Client {
        if let Some(IpAddr::V4(proxy)) = peer
            && self.is_trusted_v4(proxy)
            && let Some(address) = self.usual_client(headers)
        {
            return Client::new(IpAddr::V4(address), Identity::Forwarded);
        }
        self.identify_carefully(peer, headers)
    }

    /// The client that a trusted proxy names in the usual way: one line, and in it one public IPv4 address.
    #[inline]
    fn usual_client(&self, headers: &HeaderMap) -> Option<Ipv4Addr> {
        let usual = self.headers.first().filter(|header| header.syntax == Syntax::List)?;
        let address = node::ipv4(headers.get(&usual.name)?.as_bytes())?;
        let is_client =
            headers.len() == headers.keys_len() && is_public_v4(address) && !self.is_trusted_v4(address);
        is_client.then_some(address)
    }

    fn identify_carefully(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Client {
        let peer = self.canonical(peer.unwrap_or(UNKNOWN_CLIENT));
        if self.is_trusted(peer) {
            return self.behind_proxy(peer, headers);
        }
        if is_public(peer) { Client::new(peer, Identity::Direct) } else { self.near_peer(peer, headers) }
    }

    /// The client behind a trusted proxy.
    fn behind_proxy(&self, proxy: IpAddr, headers: &HeaderMap) -> Client {
        for header in &self.headers {
            let lines = headers.get_all(&header.name);
            if lines.iter().next().is_some() {
                return self.walk(proxy, Entries::new(header.syntax, &lines), header.syntax);
            }
        }
        Client::unidentified(proxy)
    }

    /// Walks the list from the right until a client is not trusted or not understood.
    fn walk(&self, proxy: IpAddr, mut entries: Entries<'_>, syntax: Syntax) -> Client {
        let mut last = proxy;
        while let Some(node) = entries.next() {
            match node {
                Node::Unknown => break,
                Node::Name(name) => {
                    // The client may have written a part of a header that is not a list.
                    let reported = ReportedClient::new(last, name, syntax != Syntax::Single);
                    return Client { reported: Some(reported), ..Client::unidentified(last) };
                }
                Node::Address(address) => {
                    let address = self.canonical(address);
                    if address.is_unspecified() {
                        break;
                    }
                    if !self.is_trusted(address) {
                        return self.stranger(address, &mut entries);
                    }
                    last = address;
                }
            }
        }
        Client::unidentified(last)
    }

    /// The client at `address`, which a trusted proxy names: a proxy itself if it is private and reports further ones.
    fn stranger(&self, address: IpAddr, entries: &mut Entries<'_>) -> Client {
        if !is_public(address) {
            if let Some(reported) = self.reported_by(address, entries) {
                let unknown_proxy = Some(address);
                return Client { reported: Some(reported), unknown_proxy, ..Client::unidentified(address) };
            }
            if address.is_loopback() {
                return Client::unidentified(address);
            }
        }
        Client::new(address, Identity::Forwarded)
    }

    /// The client with a peer that is in this machine or a private network, or has no address.
    #[cold]
    fn near_peer(&self, peer: IpAddr, headers: &HeaderMap) -> Client {
        let present = |header: &&ForwardingHeader| headers.contains_key(&header.name);
        let unknown_proxy = (!peer.is_unspecified()).then_some(peer);
        if let Some(header) = self.headers.iter().find(present) {
            self.forwarders.insert(peer);
            let mut entries = Entries::new(header.syntax, &headers.get_all(&header.name));
            let reported = self.reported_by(peer, &mut entries);
            return Client { reported, unknown_proxy, ..Client::unidentified(peer) };
        }
        if SIGNS_OF_A_PROXY.iter().any(|name| headers.contains_key(name)) {
            self.forwarders.insert(peer);
            return Client { unknown_proxy, ..Client::unidentified(peer) };
        }
        if peer.is_loopback() || peer.is_unspecified() || self.forwarders.contains(peer) {
            return Client::unidentified(peer);
        }
        Client::new(peer, Identity::Direct)
    }

    /// The client that a proxy reports which is not trusted: the nearest one with a public address, since private ones are
    /// further proxies, or the furthest one.
    fn reported_by(&self, proxy: IpAddr, entries: &mut Entries<'_>) -> Option<ReportedClient> {
        let mut furthest = None;
        for node in entries {
            match node {
                Node::Unknown => break,
                Node::Name(name) => {
                    furthest.get_or_insert(ReportedClient::new(proxy, name, false));
                    break;
                }
                Node::Address(address) => {
                    let address = self.canonical(address);
                    furthest = Some(ReportedClient::of_key(proxy, self.settings.key_of(address), false));
                    if is_public(address) {
                        break;
                    }
                }
            }
        }
        furthest
    }

    fn canonical(&self, address: IpAddr) -> IpAddr {
        if address.is_ipv4() { address } else { self.settings.canonical_address(address) }
    }

    fn is_trusted_v4(&self, address: Ipv4Addr) -> bool {
        self.trusted_v4.iter().any(|network| address.to_bits() & network.mask == network.first)
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.is_trusted_v4(v4),
            IpAddr::V6(v6) => {
                self.trusted_v6.iter().any(|network| v6.to_bits() & network.mask == network.first)
            }
        }
    }
}

/// Headers that only proxies send, beside the configured ones.
static SIGNS_OF_A_PROXY: [HeaderName; 6] = [
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
    FORWARDED,
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-host"),
    VIA,
];

/// Reports whether a client from the internet can have this address.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

#[inline]
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    match first {
        10 | 127 => false,
        100 => second >> 6 != 1,
        169 => second != 254,
        172 => second >> 4 != 1,
        192 => second != 168,
        0 => !address.is_unspecified(),
        _ => true,
    }
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    !(address.is_loopback()
        || address.is_unspecified()
        || address.is_unique_local()
        || address.is_unicast_link_local())
}

/// Private peers that have forwarded requests: hashes in a table of fixed size, where a new one may take the place of
/// another, which takes it back with its next request.
#[derive(Debug)]
struct Forwarders {
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
}

/// Number of peers that are remembered.
const FORWARDERS: usize = 1024;

impl Default for Forwarders {
    fn default() -> Self {
        let slots = std::iter::repeat_with(AtomicU64::default).take(FORWARDERS).collect();
        Self { slots, hasher: RandomState::new() }
    }
}

impl Forwarders {
    fn slot(&self, peer: IpAddr) -> (u64, Option<&AtomicU64>) {
        let hash = self.hasher.hash_one(peer) | 1;
        let index = usize::try_from(hash >> 32).unwrap_or(0) % FORWARDERS;
        (hash, self.slots.get(index))
    }

    fn insert(&self, peer: IpAddr) {
        let (hash, slot) = self.slot(peer);
        if let Some(slot) = slot
            && slot.load(Ordering::Relaxed) != hash
        {
            slot.store(hash, Ordering::Relaxed);
        }
    }

    fn contains(&self, peer: IpAddr) -> bool {
        let (hash, slot) = self.slot(peer);
        slot.is_some_and(|slot| slot.load(Ordering::Relaxed) == hash)
    }
}
