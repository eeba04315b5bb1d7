//! One request on its way through the firewall.

use std::net::IpAddr;
use std::time::Duration;

use aiwaf_core::{
    AccessRecord, Action, Headers, Outcome, Protection, ProtectionSet, Request, Timestamp, Verdict,
};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Extensions, HeaderMap, Method, Response, Uri, Version, request};

use super::Aiwaf;
use crate::client_address::PeerAddress;
use crate::headers::{HeaderView, KeptHeaders};
use crate::request_log::Event;
use crate::response::{DenyResponse, JsonDenyResponse};

/// The head of a request, in parts or not.
pub(crate) struct Head<'a> {
    method: &'a Method,
    uri: &'a Uri,
    version: Version,
    pub(super) headers: &'a HeaderMap,
    extensions: &'a Extensions,
}

impl<'a, B> From<&'a http::Request<B>> for Head<'a> {
    fn from(request: &'a http::Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}

impl<'a> From<&'a request::Parts> for Head<'a> {
    fn from(parts: &'a request::Parts) -> Self {
        Self {
            method: &parts.method,
            uri: &parts.uri,
            version: parts.version,
            headers: &parts.headers,
            extensions: &parts.extensions,
        }
    }
}

impl Head<'_> {
    /// Asks something about the request without its body.
    pub(super) fn ask<T>(&self, waf: &Aiwaf, ask: impl FnOnce(&Request<'_>) -> T) -> T {
        let view = HeaderView(self.headers);
        ask(&view_of(waf.client(self), waf.now(), self.method, self.uri, self.version, &view))
    }

    /// Whether request and answer may be sent in turns, so that neither may be waited for.
    pub(super) fn is_conversation(&self) -> bool {
        let content_type = self.headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
        let is_grpc = content_type
            .and_then(|value| value.get(..GRPC.len()))
            .is_some_and(|start| start.eq_ignore_ascii_case(GRPC));
        is_grpc || self.method == Method::CONNECT
    }

    /// The address at the other end of the connection, if the server told it.
    pub(super) fn peer(&self) -> Option<IpAddr> {
        if let Some(PeerAddress(address)) = self.extensions.get() {
            return Some(address.ip());
        }
        #[cfg(feature = "axum")]
        if let Some(axum::extract::ConnectInfo(address)) =
            self.extensions.get::<axum::extract::ConnectInfo<std::net::SocketAddr>>()
        {
            return Some(address.ip());
        }
        None
    }
}

/// How the content types of gRPC begin.
const GRPC: &[u8] = b"application/grpc";

/// What is kept of a request from its verdict to its answer. If it is dropped before there is an answer, because the
/// service failed or the client went away, the request is logged without a status.
pub(crate) struct Ticket {
    waf: Aiwaf,
    client: IpAddr,
    time: Timestamp,
    method: Method,
    uri: Uri,
    version: Version,
    /// Empty if nobody will look at them.
    headers: KeptHeaders,
    verdict: Verdict,
    is_answered: bool,
}

impl Ticket {
    /// Judges a request and takes note of what objected.
    pub(super) fn new(waf: Aiwaf, head: &Head<'_>, body: &[u8]) -> Self {
        let time = waf.now();
        let client = waf.client(head);
        let view = HeaderView(head.headers);
        let request = view_of(client, time, head.method, head.uri, head.version, &view).with_body(body);
        let verdict = waf.guard("judging a request", || waf.shared.engine.inspect(&request));
        let verdict = verdict.unwrap_or_else(|| {
            let mut verdict = Verdict::allow(ProtectionSet::EMPTY.with(Protection::Logging));
            if waf.shared.fail_closed {
                verdict.action = Action::Block;
            }
            verdict
        });
        log_findings(&waf, &request, &verdict);
        Self {
            client,
            time,
            method: head.method.clone(),
            uri: head.uri.clone(),
            version: head.version,
            headers: if verdict.applied.is_empty() {
                KeptHeaders::default()
            } else {
                KeptHeaders::new(head.headers)
            },
            verdict,
            is_answered: false,
            waf,
        }
    }

    pub(crate) fn is_allowed(&self) -> bool {
        self.verdict.is_allowed()
    }

    /// The answer to the request, which is denied.
    pub(crate) fn deny(mut self, head: &request::Parts) -> Response<Bytes> {
        let custom = &self.waf.shared.deny_response;
        let mut response = self
            .waf
            .guard("the answer to a denied request", || custom.respond(&self.verdict, head))
            .unwrap_or_else(|| JsonDenyResponse.respond(&self.verdict, head));
        response.extensions_mut().insert(self.verdict.clone());
        let length = response.body().len();
        if self.method == Method::HEAD {
            *response.body_mut() = Bytes::new();
            response.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        self.finish(response.status().as_u16(), Some(response.body().len() as u64));
        response
    }

    /// Learns from the answer, and logs the request.
    pub(crate) fn answered<B: http_body::Body>(mut self, response: &Response<B>) {
        let bytes = if self.method == Method::HEAD {
            Some(0)
        } else {
            response
                .body()
                .size_hint()
                .exact()
                .or_else(|| response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok())
        };
        self.finish(response.status().as_u16(), bytes);
    }

    fn finish(&mut self, status: u16, bytes: Option<u64>) {
        self.is_answered = true;
        let request = view_of(self.client, self.time, &self.method, &self.uri, self.version, &self.headers);
        let outcome = Outcome::new(status, self.elapsed());
        if self.verdict.is_allowed() && status != 0 {
            self.waf.guard("learning from an answer", || self.waf.shared.engine.observe(&request, &outcome));
        }
        if self.verdict.applied.contains(Protection::Logging)
            && let Some(log) = self.waf.log()
        {
            let mut record = AccessRecord::from_request(&request, &outcome, &self.verdict);
            record.bytes = bytes;
            log.request(record);
        }
    }

    fn elapsed(&self) -> Duration {
        self.waf.now().since(self.time)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.is_answered {
            self.finish(0, None);
        }
    }
}

fn view_of<'r>(
    client: IpAddr,
    time: Timestamp,
    method: &'r Method,
    uri: &'r Uri,
    version: Version,
    headers: &'r dyn Headers,
) -> Request<'r> {
    Request::new(client, time)
        .with_method(method.as_str())
        .with_path(uri.path())
        .with_query(uri.query().unwrap_or_default())
        .with_protocol(protocol(version))
        .with_headers(headers)
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_11 => "HTTP/1.1",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "",
    }
}

fn log_findings(waf: &Aiwaf, request: &Request<'_>, verdict: &Verdict) {
    if (verdict.finding.is_none() && verdict.monitored.is_empty())
        || !verdict.applied.contains(Protection::Logging)
    {
        return;
    }
    let Some(log) = waf.log() else { return };
    for (finding, monitored) in verdict
        .monitored
        .iter()
        .map(|finding| (finding, true))
        .chain(verdict.finding.as_deref().map(|finding| (finding, false)))
    {
        log.event(
            request.time,
            &Event::Finding { request, finding, verdict, monitored, secrets: log.secrets() },
        );
    }
}
