//! Sends requests through the layer to a service in memory, for `cargo xtask instructions` to count instructions.
//!
//! Usage: `transaction LAYER VISITOR HEADERS TIMES`
//!
//! - LAYER: `bare` (none), `nine` (all protections), `eight` (without `attack_signatures`) or `bodies` (all protections,
//!   with body inspection)
//! - VISITOR: `known` (one client, one page), `pages` (one client, changing pages), `rotating` (16,384 clients, each with
//!   cookies of its own), `blocked` (one banned client) or `json` (one client that posts 1 KiB of JSON)
//! - HEADERS: 8 or 17, in addition to the `X-Forwarded-For` that names the client
//!
//! There is no socket, no runtime and no waiting: `bare` is the cost of making a request, and the difference to it is the
//! layer's. Time advances by the requests alone, so that all runs are alike. Prints the heap allocations of one more request.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use aiwaf_benches::{BROWSER_HEADERS, CHROME_HEADERS, signatures};
use aiwaf_middleware::{Aiwaf, PeerAddress, Protection, Timestamp};
use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, REFERER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use tempfile::TempDir;
use tower::{Layer, Service, service_fn};

type Body = Full<Bytes>;

/// Clients that take turns.
const CLIENTS: u32 = 16_384;

/// Pages that one client visits in turn.
const PAGES: u32 = 64;

/// Paths of probes, to get a client banned.
const PROBES: [&str; 8] = [
    "/.env",
    "/.git/config",
    "/wp-login.php",
    "/phpmyadmin/index.php",
    "/.aws/credentials",
    "/backup.sql",
    "/cgi-bin/luci",
    "/.svn/entries",
];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [layer, visitor, headers, times] = &*arguments else {
        bail!("expected 4 arguments: LAYER VISITOR HEADERS TIMES");
    };
    let times = times.parse().with_context(|| format!("invalid number {times:?}"))?;
    let mut visit = Visit::new(visitor, headers)?;
    if layer == "bare" {
        let expected = StatusCode::OK;
        return visit.measure(service_fn(hello::<Body>), times, expected);
    }
    let directory = tempfile::tempdir().context("creating a temporary directory")?;
    let waf = firewall(&directory, layer == "eight", Arc::clone(&visit.micros))?;
    // The rules are compiled on another thread, whose instructions are not a request's.
    waf.engine().warm_up();
    match &**layer {
        "bodies" | "nine" | "eight" => visit.run(waf.layer().layer(service_fn(hello)), times)?,
        other => bail!("unknown layer {other:?}: expected bare, nine, eight or bodies"),
    }
    waf.shutdown().context("writing logs and lists")
}

fn hello<B>(_: Request<B>) -> Ready<Result<Response<Body>, Infallible>> {
    ready(Ok(Response::new(Body::new(Bytes::from_static(b"hello")))))
}

/// AIWAF at its defaults behind a proxy, lists in CSV files, logs in files; the time is `micros`.
fn firewall(directory: &TempDir, is_eight: bool, micros: Arc<AtomicI64>) -> anyhow::Result<Aiwaf> {
    let at = |name: &str| directory.path().join(name).display().to_string();
    let proxy = "127.0.0.1".parse()?;
    let builder = Aiwaf::builder().clock(move || Timestamp::from_unix_micros(micros.load(Ordering::Relaxed)));
    let builder = builder.configure(|settings| {
        settings.storage.data_dir = at("data");
        settings.logging.dir = at("logs");
        settings.client.trusted_proxies = vec![proxy];
        // One probe bans the visitor that is to be blocked.
        settings.ip_keyword_block.ban_after = Some(1);
        if is_eight {
            settings.protections.disabled = vec![Protection::AttackSignatures];
        }
    });
    Ok(builder.build()?)
}

#[derive(Clone, Copy, PartialEq)]
enum Visitor {
    Known,
    Pages,
    Rotating,
    Blocked,
    Json,
}

/// Makes the requests of a visitor.
struct Visit {
    visitor: Visitor,
    headers: HeaderMap,
    uri: Uri,
    body: Bytes,
    /// Time, in microseconds since 1970.
    micros: Arc<AtomicI64>,
}

impl Visit {
    fn new(visitor: &str, headers: &str) -> anyhow::Result<Self> {
        let visitor = match visitor {
            "known" => Visitor::Known,
            "pages" => Visitor::Pages,
            "rotating" => Visitor::Rotating,
            "blocked" => Visitor::Blocked,
            "json" => Visitor::Json,
            other => bail!("unknown visitor {other:?}: expected known, pages, rotating, blocked or json"),
        };
        let chosen = match headers {
            "8" => &BROWSER_HEADERS[..],
            "17" => &CHROME_HEADERS[..],
            other => bail!("unknown headers {other:?}: expected 8 or 17"),
        };
        let mut map = header_map(chosen);
        let mut body = Bytes::new();
        if visitor == Visitor::Json {
            body = signatures::json(1).into();
            map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            map.insert(CONTENT_LENGTH, body.len().into());
            map.insert(ACCEPT, HeaderValue::from_static("application/json"));
        }
        // Begins now, since the store takes bans that have expired by the system's clock for expired.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let micros = Arc::new(AtomicI64::new(now.as_secs().cast_signed() * 1_000_000));
        Ok(Self { visitor, headers: map, uri: Uri::from_static("/"), body, micros })
    }

    /// Gets the visitor banned if it is to be blocked, and measures `service`.
    fn run<S, R>(&mut self, mut service: S, times: u32) -> anyhow::Result<()>
    where
        S: Service<Request<Body>, Response = Response<R>, Error = Infallible>,
    {
        if self.visitor != Visitor::Blocked {
            return self.measure(service, times, StatusCode::OK);
        }
        // Without the headers by which another site could have sent a browser there.
        let headers = std::mem::replace(&mut self.headers, header_map(&BROWSER_HEADERS));
        for probe in PROBES {
            self.uri = Uri::from_static(probe);
            call(&mut service, self.request(0)?)?;
            self.advance(Duration::from_secs(1));
        }
        self.headers = headers;
        self.uri = Uri::from_static("/");
        self.measure(service, times, StatusCode::FORBIDDEN)
    }

    /// Sends `times` requests, each of which must be answered with `expected`, and prints the allocations of one more.
    fn measure<S, R>(&self, mut service: S, times: u32, expected: StatusCode) -> anyhow::Result<()>
    where
        S: Service<Request<Body>, Response = Response<R>, Error = Infallible>,
    {
        let pause = match self.visitor {
            // Less than 100 requests a minute of each client, the default limit.
            Visitor::Known | Visitor::Pages | Visitor::Json => Duration::from_millis(700),
            Visitor::Rotating => Duration::from_micros(100),
            Visitor::Blocked => Duration::from_millis(1),
        };
        for number in 0..times {
            let status = call(&mut service, self.request(number)?)?;
            ensure!(status == expected, "request {number} was answered with {status}, not {expected}");
            self.advance(pause);
        }
        let request = self.request(times)?;
        let mut status = Ok(expected);
        let measured = allocation_counter::measure(|| status = call(&mut service, request));
        ensure!(status? == expected, "the last request was answered otherwise");
        println!("{}", measured.count_total);
        Ok(())
    }

    fn advance(&self, pause: Duration) {
        let micros = i64::try_from(pause.as_micros()).unwrap_or(0);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    fn request(&self, number: u32) -> anyhow::Result<Request<Body>> {
        let client = if self.visitor == Visitor::Rotating { number % CLIENTS } else { 0 };
        let mut headers = self.headers.clone();
        let forwarded = format!("100.64.{}.{}", client / 256, client % 256);
        headers.insert(HeaderName::from_static("x-forwarded-for"), HeaderValue::from_str(&forwarded)?);
        let mut uri = self.uri.clone();
        match self.visitor {
            Visitor::Known | Visitor::Blocked | Visitor::Json => {}
            Visitor::Pages => {
                let page =
                    |number: u32| format!("/products/outdoor/item-{}?page={number}&sort=price", number * 7);
                uri = page(number % PAGES).parse()?;
                let referer = format!("https://www.example.com{}", page((number + PAGES - 1) % PAGES));
                headers.insert(REFERER, HeaderValue::from_str(&referer)?);
            }
            Visitor::Rotating => {
                let cookie = headers.get(COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
                // The session, in hexadecimal digits, differs; an odd factor visits every value once.
                let session = client.wrapping_mul(2_654_435_761);
                let cookie = cookie.replacen("1d7e5ab0", &format!("{session:08x}"), 1);
                headers.insert(COOKIE, HeaderValue::from_str(&cookie)?);
            }
        }
        let mut request = Request::new(Body::new(self.body.clone()));
        *request.method_mut() = if self.body.is_empty() { Method::GET } else { Method::POST };
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        request.extensions_mut().insert(PeerAddress(SocketAddr::from(([127, 0, 0, 1], 40_000))));
        Ok(request)
    }
}

fn header_map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
    headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

/// Calls `service`, which answers at once, and returns the status.
fn call<S, R>(service: &mut S, request: Request<Body>) -> anyhow::Result<StatusCode>
where
    S: Service<Request<Body>, Response = Response<R>, Error = Infallible>,
{
    let mut context = Context::from_waker(Waker::noop());
    ensure!(service.poll_ready(&mut context).is_ready(), "the service is not ready");
    match pin!(service.call(request)).poll(&mut context) {
        Poll::Ready(Ok(response)) => Ok(response.status()),
        Poll::Ready(Err(never)) => match never {},
        Poll::Pending => bail!("the service waits"),
    }
}
