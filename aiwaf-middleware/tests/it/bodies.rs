//! Reading bodies ahead.

use std::convert::Infallible;

use aiwaf_middleware::BufferedBody;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Layer, service_fn};

use crate::support::{Site, ask, browser, status};

#[tokio::test]
async fn the_service_gets_the_whole_body() {
    let site = Site::new();
    let waf = site.builder(|_| {}).build().unwrap();
    let echo = service_fn(async |request: Request<BufferedBody<Full<Bytes>>>| {
        let body = request.into_body().collect().await?.to_bytes();
        Ok::<_, Infallible>(Response::new(Full::new(body)))
    });
    let service = waf.layer().with_body_inspection(4).layer(echo);
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
        .layer(waf.layer().with_body_inspection(4));
    let request = browser("203.0.113.9", "PUT", "/x").map(|_| axum::body::Body::from("abcdefgh"));
    assert_eq!(ask(&app, request).await.1, "abcdefgh");
}
