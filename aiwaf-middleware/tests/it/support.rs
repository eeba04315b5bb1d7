//! What the tests share: a firewall in a folder of its own, a clock to turn, and requests as browsers send them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aiwaf_middleware::{Aiwaf, AiwafBuilder, PeerAddress, Settings, Timestamp};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Service, ServiceExt};

/// A time that stands still until somebody turns it.
#[derive(Clone)]
pub(crate) struct Clock(Arc<AtomicI64>);

impl Clock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_unix_micros(self.0.load(Ordering::Relaxed))
    }
}

/// A folder for lists and logs, and a clock.
pub(crate) struct Site {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Clock,
}

impl Site {
    pub(crate) fn new() -> Self {
        let clock = Clock(Arc::new(AtomicI64::new(1_757_845_800_000_000)));
        Self { folder: tempfile::tempdir().unwrap(), clock }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A builder with lists and logs in the folder, and the clock. The first keyword hit bans, as a person can set it: how evidence adds up is
    /// tested where the ledger is.
    pub(crate) fn builder(&self, change: impl FnOnce(&mut Settings)) -> AiwafBuilder {
        let clock = self.clock.clone();
        let builder = Aiwaf::builder().clock(move || clock.now()).configure(|settings| {
            settings.storage.data_dir = self.path("data").display().to_string();
            settings.logging.dir = self.path("logs").display().to_string();
            settings.ip_keyword_block.ban_after = Some(1);
            settings.uuid_tamper.parameters = vec!["uuid".into()];
        });
        builder.configure(change)
    }

    /// The text of a log, with everything in it.
    pub(crate) fn log(&self, waf: &Aiwaf, name: &str) -> String {
        waf.flush(Duration::from_secs(20)).unwrap();
        std::fs::read_to_string(self.path("logs").join(name)).unwrap_or_default()
    }

    /// The text of a list's file, with everything in it.
    pub(crate) fn list(&self, waf: &Aiwaf, name: &str) -> String {
        waf.flush(Duration::from_secs(20)).unwrap();
        std::fs::read_to_string(self.path("data").join(name)).unwrap_or_default()
    }
}

pub(crate) fn peer(address: &str) -> PeerAddress {
    PeerAddress(SocketAddr::new(address.parse().unwrap(), 40_000))
}

/// A request as a browser sends it.
pub(crate) fn browser(client: &str, method: &str, uri: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(uri)
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
        .header("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
        .header("accept-language", "en-US,en;q=0.5")
        .header("accept-encoding", "gzip, deflate, br")
        .header("connection", "keep-alive")
        .extension(peer(client))
        .body(Full::default())
        .unwrap()
}

/// A service that answers everything with 200 `hello`.
pub(crate) async fn hello<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(b"hello"))))
}

/// Asks once; the status, headers and extensions, and the body.
pub(crate) async fn ask<S, B, R>(service: &S, request: Request<B>) -> (http::response::Parts, String)
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: std::fmt::Debug,
    R: http_body::Body,
    R::Error: std::fmt::Debug,
{
    let (head, body) = service.clone().oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head, String::from_utf8(body.to_vec()).unwrap())
}

pub(crate) async fn status<S, B, R>(service: &S, request: Request<B>) -> StatusCode
where
    S: Service<Request<B>, Response = Response<R>> + Clone,
    S::Error: std::fmt::Debug,
    R: http_body::Body,
    R::Error: std::fmt::Debug,
{
    ask(service, request).await.0.status
}
