//! One request on its way through the firewall.

use std::net::IpAddr;

use aiwaf_core::{
    AccessRecord, Action, Headers, Outcome, Protection, ProtectionSet, Request, Timestamp, Transaction,
    Verdict,
};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{Extensions, HeaderMap, Method, Response, Uri, Version, request};

use super::Aiwaf;
use crate::client_address::PeerAddress;
use crate::headers::{HeaderView, LoggedHeaders};
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

/// One HTTP request from its head to its response: the engine's transaction, and what the log needs. If it is dropped
/// before there is a response, because the service failed or the client went away, the request is logged without a status.
pub(crate) struct HttpTransaction {
    waf: Aiwaf,
    /// `None` after a panic: then `fallback` is the verdict, and nothing is learned.
    transaction: Option<Transaction>,
    fallback: Verdict,
    client: IpAddr,
    time: Timestamp,
    method: Method,
    uri: Uri,
    version: Version,
    /// Empty if nothing is logged.
    headers: LoggedHeaders,
    /// How many findings of monitored protections are in the log.
    logged: usize,
    is_finished: bool,
}

impl HttpTransaction {
    /// Judges the head of a request, and logs the findings.
    pub(super) fn begin(waf: Aiwaf, head: &Head<'_>) -> Self {
        let time = waf.now();
        let client = waf.client(head);
        let view = HeaderView(head.headers);
        let request = view_of(client.address, time, head.method, head.uri, head.version, &view)
            .with_identity(client.identity)
            .with_reported_client(client.reported);
        let engine = &waf.shared.engine;
        let transaction = waf.guard("judging a request", || {
            let mut transaction = engine.begin(&request);
            engine.request_head(&mut transaction, &request);
            transaction
        });
        let mut fallback = Verdict::allow(ProtectionSet::EMPTY.with(Protection::Logging));
        if waf.shared.fail_closed {
            fallback.action = Action::Block;
        }
        let verdict = transaction.as_ref().map_or(&fallback, Transaction::verdict);
        log_findings(&waf, &request, verdict, 0);
        let is_logged = verdict.applied.contains(Protection::Logging);
        Self {
            client: client.address,
            time,
            method: head.method.clone(),
            uri: head.uri.clone(),
            version: head.version,
            headers: if is_logged { LoggedHeaders::new(head.headers) } else { LoggedHeaders::default() },
            logged: verdict.monitored.len(),
            transaction,
            fallback,
            is_finished: false,
            waf,
        }
    }

    /// Judges the next bytes of the body, of which `is_end` says whether they are the last.
    pub(crate) fn body(&mut self, parts: &request::Parts, chunk: &[u8], is_end: bool) {
        let Some(mut transaction) = self.transaction.take().filter(Transaction::wants_body) else { return };
        let view = HeaderView(&parts.headers);
        let request = view_of(self.client, self.time, &self.method, &self.uri, self.version, &view);
        self.transaction = self.waf.guard("judging a body", || {
            self.waf.shared.engine.request_body(&mut transaction, &request, chunk, is_end);
            transaction
        });
        let verdict = self.transaction.as_ref().map_or(&self.fallback, Transaction::verdict);
        log_findings(&self.waf, &request, verdict, self.logged);
        self.logged = verdict.monitored.len();
    }

    /// Reports whether a detector wants to see the body, or more of it.
    pub(crate) fn wants_body(&self) -> bool {
        self.transaction.as_ref().is_some_and(Transaction::wants_body)
    }

    pub(crate) fn is_allowed(&self) -> bool {
        self.verdict().is_allowed()
    }

    fn verdict(&self) -> &Verdict {
        self.transaction.as_ref().map_or(&self.fallback, Transaction::verdict)
    }

    /// The response to the request, which is refused.
    pub(crate) fn refuse(mut self, head: &request::Parts) -> Response<Bytes> {
        let custom = &self.waf.shared.deny_response;
        let mut response = self
            .waf
            .guard("the response to a refused request", || custom.respond(self.verdict(), head))
            .unwrap_or_else(|| JsonDenyResponse.respond(self.verdict(), head));
        response.extensions_mut().insert(self.verdict().clone());
        let length = response.body().len();
        if self.method == Method::HEAD {
            *response.body_mut() = Bytes::new();
            response.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        self.finish(response.status().as_u16(), Some(response.body().len() as u64));
        response
    }

    /// Learns from the response, and logs the request.
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
        self.is_finished = true;
        let request = view_of(self.client, self.time, &self.method, &self.uri, self.version, &self.headers);
        let outcome = Outcome::new(status, self.waf.now().since(self.time));
        if let Some(transaction) = &mut self.transaction
            && status != 0
        {
            let engine = &self.waf.shared.engine;
            self.waf.guard("learning from a response", || engine.response(transaction, &request, &outcome));
        }
        let verdict = self.transaction.as_ref().map_or(&self.fallback, Transaction::verdict);
        if verdict.applied.contains(Protection::Logging)
            && let Some(log) = self.waf.log()
        {
            let mut record = AccessRecord::from_request(&request, &outcome, verdict);
            record.bytes = bytes;
            log.request(record);
        }
    }
}

impl Drop for HttpTransaction {
    fn drop(&mut self) {
        if !self.is_finished {
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

/// Logs the findings but the first `logged` of monitored protections, which are in the log already.
fn log_findings(waf: &Aiwaf, request: &Request<'_>, verdict: &Verdict, logged: usize) {
    if (verdict.finding.is_none() && verdict.monitored.len() <= logged)
        || !verdict.applied.contains(Protection::Logging)
    {
        return;
    }
    let Some(log) = waf.log() else { return };
    for (finding, monitored) in verdict
        .monitored
        .iter()
        .skip(logged)
        .map(|finding| (finding, true))
        .chain(verdict.finding.as_ref().map(|finding| (finding, false)))
    {
        log.event(
            request.time,
            &Event::Finding { request, finding, verdict, monitored, secrets: log.secrets() },
        );
    }
}
