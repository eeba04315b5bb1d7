//! Confidence in the address of a client, and names for clients that have none.

use std::net::IpAddr;

use super::ClientKey;

/// Confidence in the address of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Identity {
    /// The peer of the connection.
    #[default]
    Direct,
    /// Named by a trusted proxy.
    Forwarded,
    /// Not known: there is no peer address, the peer forwards requests of others without being a
    /// trusted proxy, or it is a trusted proxy that names no client. Such clients are blocked request by request and never
    /// banned. Loopback addresses and unspecified ones (`0.0.0.0`, `::`) are always unidentified.
    ///
    /// All unidentified clients of one address together may make 20 times as many requests as one client.
    /// [`Request::with_reported_client`](crate::Request::with_reported_client) tells them apart.
    Unidentified,
}

/// An unidentified client as a proxy reports it: enough to count its requests, and too little to ban it.
///
/// Reports are kept apart by proxy, and from the clients whose addresses they name: a report affects no other client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportedClient {
    pub(crate) key: ClientKey,
    pub(crate) is_trusted: bool,
}

impl ReportedClient {
    /// The client that `proxy` calls `name`: an address, or another text. The clients of a proxy that is not trusted, which
    /// might invent names, share a budget of 20 clients beside having their own.
    pub fn new(proxy: IpAddr, name: &[u8], is_trusted: bool) -> Self {
        Self { key: ClientKey::of_report(proxy, name), is_trusted }
    }

    /// The client that `proxy` names by the address that has this key; as [`new`](Self::new) otherwise.
    pub fn of_key(proxy: IpAddr, client: ClientKey, is_trusted: bool) -> Self {
        Self::new(proxy, &client.0, is_trusted)
    }
}
