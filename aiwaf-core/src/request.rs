//! What is asked about: a borrowed view of one request, and how it ended.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::client::{Identity, ReportedClient};
use crate::timestamp::Timestamp;

/// One request, borrowed from whoever received it. Nothing is copied.
///
/// Only the client and the time are required, so that a service that does not speak HTTP (SMTP, SSH, a game)
/// can ask as well: protections that have nothing to look at have no objection.
///
/// ```
/// use aiwaf_core::{Request, Timestamp};
///
/// let headers = [("User-Agent", "Mozilla/5.0"), ("Accept", "text/html")];
/// let request = Request::new("203.0.113.9".parse()?, Timestamp::from_unix_seconds(1.7e9))
///     .with_method("GET")
///     .with_uri("/search?q=shoes")
///     .with_headers(&headers);
/// assert_eq!(request.path, b"/search");
/// assert_eq!(request.query, b"q=shoes");
/// assert_eq!(request.header("user-agent"), Some(&b"Mozilla/5.0"[..]));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Request<'a> {
    /// Who asks: the address that the adapter vouches for (never a forwarded header from a stranger).
    pub client: IpAddr,
    /// Confidence in the address. Default: direct.
    pub identity: Identity,
    /// The client as its proxy names it, if it is unidentified. Default: none.
    pub reported: Option<ReportedClient>,
    /// When the request arrived.
    pub time: Timestamp,
    /// The method, such as `GET`; empty for a protocol without methods.
    pub method: &'a str,
    /// The path as sent, still encoded, without the query; empty for a protocol without paths.
    pub path: &'a [u8],
    /// The query as sent, without the `?`.
    pub query: &'a [u8],
    /// The protocol, such as `HTTP/1.1`; empty if unknown.
    pub protocol: &'a str,
    /// The headers; `None` for a protocol without headers.
    pub headers: Option<&'a dyn Headers>,
    /// The beginning of the body, as much as the adapter buffered.
    pub body: &'a [u8],
    /// The pattern of the route that will answer, if the adapter knows it (`/items/{id}`).
    pub route: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// A request of which nothing is known but who asks, and when.
    pub fn new(client: IpAddr, time: Timestamp) -> Self {
        Self {
            client,
            identity: Identity::Direct,
            reported: None,
            time,
            method: "",
            path: b"",
            query: b"",
            protocol: "",
            headers: None,
            body: b"",
            route: None,
        }
    }

    /// Sets the confidence in the address.
    #[must_use]
    pub fn with_identity(self, identity: Identity) -> Self {
        Self { identity, ..self }
    }

    /// Sets the client as the proxy at the address names it; counts only for unidentified clients.
    #[must_use]
    pub fn with_reported_client(self, reported: Option<ReportedClient>) -> Self {
        Self { reported, ..self }
    }

    /// Sets the method.
    #[must_use]
    pub fn with_method(self, method: &'a str) -> Self {
        Self { method, ..self }
    }

    /// Sets path and query from a request target in origin form (`/path?query`); a fragment is kept as sent.
    #[must_use]
    pub fn with_uri(self, uri: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        let uri = uri.as_ref();
        let split = uri.iter().position(|&byte| byte == b'?');
        let (path, query) = match split {
            Some(at) => (uri.get(..at).unwrap_or_default(), uri.get(at + 1..).unwrap_or_default()),
            None => (uri, &b""[..]),
        };
        Self { path, query, ..self }
    }

    /// Sets the path.
    #[must_use]
    pub fn with_path(self, path: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { path: path.as_ref(), ..self }
    }

    /// Sets the query.
    #[must_use]
    pub fn with_query(self, query: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { query: query.as_ref(), ..self }
    }

    /// Sets the protocol, such as `HTTP/1.1`.
    #[must_use]
    pub fn with_protocol(self, protocol: &'a str) -> Self {
        Self { protocol, ..self }
    }

    /// Sets the headers.
    #[must_use]
    pub fn with_headers(self, headers: &'a dyn Headers) -> Self {
        Self { headers: Some(headers), ..self }
    }

    /// Sets the beginning of the body.
    #[must_use]
    pub fn with_body(self, body: &'a [u8]) -> Self {
        Self { body, ..self }
    }

    /// Names the pattern of the route that will answer.
    #[must_use]
    pub fn with_route(self, route: Option<&'a str>) -> Self {
        Self { route, ..self }
    }

    /// The first value of the header `name`, in any case.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.and_then(|headers| headers.first(name))
    }

    /// Reports whether `Referer` names the host that was asked; `None` if it names no host, or none was asked by name.
    pub(crate) fn referer_is_own_site(&self) -> Option<bool> {
        names_host(self.header("referer")?, self.header("host")?)
    }
}

/// Reports whether the URL in a `Referer` header names `host`; `None` if it names no host.
pub(crate) fn names_host(referer: &[u8], host: &[u8]) -> Option<bool> {
    let scheme = memchr::memmem::find(referer, b"://")?;
    let authority = referer.get(scheme + 3..)?.split(|&byte| matches!(byte, b'/' | b'?' | b'#')).next()?;
    Some(authority.eq_ignore_ascii_case(host))
}

impl fmt::Debug for Request<'_> {
    /// Shows no headers and no body: they hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("client", &self.client)
            .field("time", &self.time)
            .field("method", &self.method)
            .field("path", &self.path.escape_ascii().to_string())
            .field("protocol", &self.protocol)
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}

/// A port: how core reads headers without knowing the adapter's type for them.
pub trait Headers {
    /// The first value of `name`, compared without regard to case.
    fn first(&self, name: &str) -> Option<&[u8]>;

    /// Calls `visit` with every name and value, in order; a repeated header comes repeatedly. Names and values live as long
    /// as the headers do.
    fn visit<'h>(&'h self, visit: &mut dyn FnMut(&'h str, &'h [u8]));
}

impl<N: AsRef<str>, V: AsRef<[u8]>> Headers for [(N, V)] {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(n, _)| n.as_ref().eq_ignore_ascii_case(name)).map(|(_, v)| v.as_ref())
    }

    fn visit<'h>(&'h self, visit: &mut dyn FnMut(&'h str, &'h [u8])) {
        for (name, value) in self {
            visit(name.as_ref(), value.as_ref());
        }
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>, const LENGTH: usize> Headers for [(N, V); LENGTH] {
    fn first(&self, name: &str) -> Option<&[u8]> {
        Headers::first(self.as_slice(), name)
    }

    fn visit<'h>(&'h self, visit: &mut dyn FnMut(&'h str, &'h [u8])) {
        self.as_slice().visit(visit);
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> Headers for Vec<(N, V)> {
    fn first(&self, name: &str) -> Option<&[u8]> {
        Headers::first(self.as_slice(), name)
    }

    fn visit<'h>(&'h self, visit: &mut dyn FnMut(&'h str, &'h [u8])) {
        self.as_slice().visit(visit);
    }
}

/// How a request ended: what the service answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The HTTP status, such as 404.
    pub status: u16,
    /// From the request's arrival to the answer's head.
    pub response_time: Duration,
}

impl Outcome {
    /// The service answered with `status` after `response_time`.
    pub fn new(status: u16, response_time: Duration) -> Self {
        Self { status, response_time }
    }
}
