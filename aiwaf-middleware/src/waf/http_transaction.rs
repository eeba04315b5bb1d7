//! One request on its way through the firewall.

use std::net::IpAddr;
use std::sync::LazyLock;

use aiwaf_core::{
    Action, BodyStream, Engine, Headers, LogEntry, Outcome, Protection, ProtectionSet, Request, Timestamp,
    Transaction, Verdict,
};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Extensions, HeaderMap, Method, Response, Uri, Version, request};

use super::Aiwaf;
use crate::body::InspectedBody;
use crate::client_address::PeerAddress;
use crate::decompression::Encoding;
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
    /// Reports whether request and response may be sent in turns, so that nothing of the body may be waited for: gRPC over
    /// HTTP/2 with exactly one of its content types, and `CONNECT`. Such bodies are judged in flight.
    pub(super) fn is_conversation(&self) -> bool {
        if self.method == Method::CONNECT {
            return true;
        }
        let mut types = self.headers.get_all(CONTENT_TYPE).iter();
        let (Some(only), None) = (types.next(), types.next()) else { return false };
        let media = only.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
        self.version == Version::HTTP_2 && GRPC_TYPES.iter().any(|grpc| media.eq_ignore_ascii_case(grpc))
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

/// The content types of gRPC whose messages are Protocol Buffers.
const GRPC_TYPES: [&[u8]; 2] = [b"application/grpc", b"application/grpc+proto"];

/// The verdicts about requests whose judging panicked: such requests pass, or are blocked if the firewall fails closed.
static ALLOWED: LazyLock<Verdict> =
    LazyLock::new(|| Verdict::allow(ProtectionSet::EMPTY.with(Protection::Logging)));
static BLOCKED: LazyLock<Verdict> = LazyLock::new(|| {
    let mut verdict = ALLOWED.clone();
    verdict.action = Action::Block;
    verdict
});

/// One HTTP request from its head to its response: the engine's transaction, and what the log needs. If it is dropped
/// before there is a response, because the service failed or the client went away, the request is logged without a status.
pub(crate) struct HttpTransaction {
    waf: Aiwaf,
    /// `None` after a panic: then `fallback` is the verdict, and nothing is learned.
    transaction: Option<Transaction>,
    fallback: &'static Verdict,
    client: IpAddr,
    time: Timestamp,
    method: Method,
    uri: Uri,
    version: Version,
    /// Empty if nothing is logged.
    headers: LoggedHeaders,
    /// How many findings of monitored protections are in the log.
    logged: usize,
    /// How the body has to be decoded.
    encoding: Encoding,
    /// Whether a part of the body was judged, and more may come.
    is_body_open: bool,
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
        let fallback = if waf.shared.fail_closed { &*BLOCKED } else { &*ALLOWED };
        let verdict = transaction.as_ref().map_or(fallback, Transaction::verdict);
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
            encoding: Encoding::Identity,
            is_body_open: false,
            is_finished: false,
            waf,
        }
    }

    /// Judges the next bytes of the body, of which `is_end` says whether they are the last: as they were sent and, if the
    /// body has an encoding, decoded.
    pub(crate) fn body(&mut self, parts: &request::Parts, chunk: &[u8], is_end: bool) {
        let is_first = !self.is_body_open;
        self.is_body_open = !is_end;
        if !self.wants_body() || (is_first && is_end && chunk.is_empty()) {
            return;
        }
        let Some(mut transaction) = self.transaction.take() else { return };
        if is_first {
            self.encoding = Encoding::of(&parts.headers);
        }
        let view = HeaderView(&parts.headers);
        let request = view_of(self.client, self.time, &self.method, &self.uri, self.version, &view);
        let engine = &self.waf.shared.engine;
        let encoding = &mut self.encoding;
        self.transaction = self.waf.guard("judging a body", || {
            judge_decoded(engine, &mut transaction, &request, encoding, chunk, is_end);
            engine.request_body(&mut transaction, &request, BodyStream::Sent, chunk, is_end);
            transaction
        });
        let verdict = self.transaction.as_ref().map_or(self.fallback, Transaction::verdict);
        log_findings(&self.waf, &request, verdict, self.logged);
        self.logged = verdict.monitored.len();
    }

    /// Judges what was read ahead of a body.
    pub(crate) fn read_ahead<B: http_body::Body<Data = Bytes>>(
        &mut self,
        parts: &request::Parts,
        body: &InspectedBody<B>,
    ) {
        let mut chunks = body.chunks().peekable();
        if chunks.peek().is_none() && body.is_complete() {
            self.body(parts, b"", true);
        }
        while let Some(chunk) = chunks.next() {
            self.body(parts, chunk, body.is_complete() && chunks.peek().is_none());
        }
    }

    /// Reports whether a detector wants to see the body, or more of it.
    pub(crate) fn wants_body(&self) -> bool {
        self.transaction.as_ref().is_some_and(Transaction::wants_body)
    }

    pub(crate) fn is_allowed(&self) -> bool {
        self.verdict().is_allowed()
    }

    fn verdict(&self) -> &Verdict {
        self.transaction.as_ref().map_or(self.fallback, Transaction::verdict)
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
        if self.is_body_open && self.version < Version::HTTP_2 {
            // The rest of the body is not read, so the connection is of no further use.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        self.finish(response.status().as_u16(), Some(response.body().len() as u64));
        response
    }

    /// Learns from the response, and logs the request.
    pub(crate) fn answered<B: http_body::Body>(&mut self, response: &Response<B>) {
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
        let verdict = self.transaction.as_ref().map_or(self.fallback, Transaction::verdict);
        if verdict.applied.contains(Protection::Logging)
            && let Some(log) = self.waf.log()
        {
            let mut entry = LogEntry::new(&request, &outcome, verdict);
            entry.bytes = bytes;
            log.entry(entry);
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

/// Judges what the next bytes of a body with an encoding decode to.
fn judge_decoded(
    engine: &Engine,
    transaction: &mut Transaction,
    request: &Request<'_>,
    encoding: &mut Encoding,
    chunk: &[u8],
    is_end: bool,
) {
    let problem = match encoding {
        Encoding::Identity => return,
        Encoding::Unknown => Some("unknown or several content encodings"),
        Encoding::Known(decoder) => {
            let mut judge = |bytes: &[u8]| {
                engine.request_body(transaction, request, BodyStream::Decoded, bytes, false);
            };
            let mut result = decoder.decode(chunk, &mut judge);
            if is_end && result.is_ok() {
                result = decoder.finish(&mut judge);
            }
            if is_end && result.is_ok() {
                engine.request_body(transaction, request, BodyStream::Decoded, b"", true);
            }
            result.err()
        }
    };
    if let Some(problem) = problem {
        engine.undecodable_body(transaction, request, problem);
        *encoding = Encoding::Identity;
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
