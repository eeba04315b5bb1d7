//! Reading bodies ahead.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use aiwaf_middleware::{BufferedBody, Protection};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Site, ask, browser, status};

#[tokio::test]
async fn the_service_gets_the_whole_body() {
    let site = Site::new();
    let waf = site.builder(|_| {}).build().unwrap();
    let echo = service_fn(async |request: Request<BufferedBody<Full<Bytes>>>| {
        let body = request.into_body().collect().await?.to_bytes();
        Ok::<_, Infallible>(Response::new(Full::new(body)))
    });
    let service = waf.layer().with_body_inspection().always(4).layer(echo);
    let post =
        |uri: &str| browser("203.0.113.9", "PUT", uri).map(|_| Full::new(Bytes::from_static(b"abcdefgh")));
    let (head, body) = ask(&service, post("/x")).await;
    assert_eq!((head.status, body.as_str()), (StatusCode::OK, "abcdefgh"));
    assert_eq!(status(&service, post("/.env")).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn axum_takes_such_bodies() {
    let site = Site::new();
    let waf = site.builder(|_| {}).build().unwrap();
    let app = axum::Router::new()
        .route("/x", axum::routing::put(async |body: String| body))
        .layer(waf.layer().with_body_inspection().always(4));
    let request = browser("203.0.113.9", "PUT", "/x").map(|_| axum::body::Body::from("abcdefgh"));
    assert_eq!(ask(&app, request).await.1, "abcdefgh");
}

/// A body of which the beginning is there, and of the rest nothing comes.
struct Unfinished(Option<Bytes>);

impl Body for Unfinished {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.take().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(Frame::data(bytes)))))
    }
}

/// A service that answers without looking at the body.
async fn hasty(_: Request<BufferedBody<Unfinished>>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::default()))
}

fn unfinished(request: Request<Full<Bytes>>, beginning: &'static str) -> Request<Unfinished> {
    request.map(|_| Unfinished(Some(Bytes::from_static(beginning.as_bytes()))))
}

#[tokio::test]
async fn no_more_is_waited_for_than_is_looked_at() {
    let site = Site::new();
    let waf = site.builder(|_| {}).build().unwrap();
    let service = waf.layer().with_body_inspection().always(4).layer(service_fn(hasty));
    let put = || browser("203.0.113.9", "PUT", "/upload");
    assert_eq!(ask(&service, unfinished(put(), "abcd")).await.0.status, StatusCode::OK);
    let waiting = pin!(service.oneshot(unfinished(put(), "abc")));
    let polled = waiting.poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending(), "the fourth byte is waited for");
}

#[tokio::test]
async fn nothing_is_waited_for_that_nobody_looks_at() {
    let site = Site::new();
    let nobody_looks = |settings: &mut aiwaf_middleware::Settings| {
        settings.protections.enabled = vec![Protection::RateLimit];
    };
    let waf = site.builder(nobody_looks).build().unwrap();
    let service = waf.layer().with_body_inspection().layer(service_fn(hasty));
    let request = unfinished(browser("203.0.113.9", "PUT", "/upload"), "");
    assert_eq!(ask(&service, request).await.0.status, StatusCode::OK);
}

#[tokio::test]
async fn a_conversation_is_not_waited_for() {
    let site = Site::new();
    let waf = site.builder(|_| {}).build().unwrap();
    let service = waf.layer().with_body_inspection().always(1000).layer(service_fn(hasty));
    let mut request = unfinished(browser("203.0.113.9", "PUT", "/chat.Chat/Talk"), "first message");
    request.headers_mut().insert("content-type", "application/grpc+proto".parse().unwrap());
    assert_eq!(ask(&service, request).await.0.status, StatusCode::OK);
    let request = unfinished(browser("203.0.113.9", "CONNECT", "/chat"), "first message");
    assert_eq!(ask(&service, request).await.0.status, StatusCode::OK);
}
