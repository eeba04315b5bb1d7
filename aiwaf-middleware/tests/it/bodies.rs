//! Reading bodies ahead.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use aiwaf_middleware::{InspectedBody, ProtectedRouter, Protection, RoutePolicy};
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
    let echo = service_fn(async |request: Request<InspectedBody<Full<Bytes>>>| {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Ok::<_, Infallible>(Response::new(Full::new(body)))
    });
    let service = waf.layer().always(4).layer(echo);
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
        .layer(waf.layer().always(4));
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
async fn hasty(_: Request<InspectedBody<Unfinished>>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::default()))
}

fn unfinished(request: Request<Full<Bytes>>, beginning: &'static str) -> Request<Unfinished> {
    request.map(|_| Unfinished(Some(Bytes::from_static(beginning.as_bytes()))))
}

#[tokio::test]
async fn no_more_is_waited_for_than_is_looked_at() {
    let site = Site::new();
    let waf = site.builder(|_| {}).build().unwrap();
    let service = waf.layer().always(4).layer(service_fn(hasty));
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
    let service = waf.layer().layer(service_fn(hasty));
    let request = unfinished(browser("203.0.113.9", "PUT", "/upload"), "");
    assert_eq!(ask(&service, request).await.0.status, StatusCode::OK);
}

#[tokio::test]
async fn a_conversation_is_not_waited_for() {
    let site = Site::new();
    let waf = site.builder(|_| {}).build().unwrap();
    let service = waf.layer().always(1000).layer(service_fn(hasty));
    let mut request = unfinished(browser("203.0.113.9", "PUT", "/chat.Chat/Talk"), "first message");
    request.headers_mut().insert("content-type", "application/grpc+proto".parse().unwrap());
    *request.version_mut() = http::Version::HTTP_2;
    assert_eq!(ask(&service, request).await.0.status, StatusCode::OK);
    let request = unfinished(browser("203.0.113.9", "CONNECT", "/chat"), "first message");
    assert_eq!(ask(&service, request).await.0.status, StatusCode::OK);
}

/// A JSON document with an attack in it.
const ATTACK: &str = r#"{"comment": {"text": "x' union select password from users -- "}}"#;

/// A router that answers with what it gets, and the firewall around it.
fn echo(site: &Site) -> (axum::Router, aiwaf_middleware::Aiwaf) {
    let signatures_only = |settings: &mut aiwaf_middleware::Settings| {
        settings.protections.enabled =
            vec![Protection::IpKeywordBlock, Protection::AttackSignatures, Protection::Logging];
        settings.attack_signatures.max_body_bytes = 1024;
    };
    ProtectedRouter::new()
        .route("/echo", axum::routing::put(async |body: String| body))
        .route_with(
            "/stream",
            axum::routing::put(async || "hello"),
            RoutePolicy::exempt_from([Protection::AttackSignatures]),
        )
        .protect(site.builder(signatures_only))
        .unwrap()
}

fn put_json(path: &str, body: impl Into<axum::body::Body>) -> Request<axum::body::Body> {
    let mut request = browser("203.0.113.9", "PUT", path).map(|_| body.into());
    request.headers_mut().insert("content-type", "application/json".parse().unwrap());
    request
}

#[tokio::test]
async fn an_attack_in_a_body_is_denied_and_an_honest_body_arrives() {
    let site = Site::new();
    let (app, waf) = echo(&site);
    let honest = r#"{"comment": {"text": "I'd select the union, -- it's password-free"}}"#;
    let (head, body) = ask(&app, put_json("/echo", honest)).await;
    assert_eq!((head.status, body.as_str()), (StatusCode::OK, honest));
    assert_eq!(status(&app, put_json("/echo", ATTACK)).await, StatusCode::FORBIDDEN);
    let log = site.log(&waf, "aiwaf.log");
    assert!(log.contains("field=\"body field comment.text\""), "{log}");
}

#[tokio::test]
async fn a_body_that_is_longer_than_what_is_looked_at_arrives_whole() {
    let site = Site::new();
    let (app, _waf) = echo(&site);
    let long = format!("{{\"text\": \"{}\"}}", "lorem ipsum ".repeat(10_000));
    let frames: Vec<_> =
        long.as_bytes().chunks(700).map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk)))).collect();
    let body = axum::body::Body::new(StreamOf(frames.into_iter()));
    assert_eq!(ask(&app, put_json("/echo", body)).await.1, long);
}

#[tokio::test]
async fn a_route_that_is_exempt_is_not_waited_for() {
    let site = Site::new();
    let (app, _waf) = echo(&site);
    let unfinished = || axum::body::Body::new(Unfinished(Some(Bytes::from_static(b"{"))));
    assert_eq!(status(&app, put_json("/stream", unfinished())).await, StatusCode::OK);
    let waiting = pin!(app.oneshot(put_json("/echo", unfinished())));
    assert!(waiting.poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[tokio::test]
async fn a_banned_client_is_not_waited_for() {
    let site = Site::new();
    let (app, _waf) = echo(&site);
    assert_eq!(status(&app, put_json("/.env", "")).await, StatusCode::FORBIDDEN);
    let unfinished = axum::body::Body::new(Unfinished(Some(Bytes::from_static(b"{"))));
    assert_eq!(status(&app, put_json("/echo", unfinished)).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn compressed_bodies_are_judged_decoded() {
    use std::io::Write;

    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        // So long that little of it is in the stream as it is.
        encoder.write_all(" ".repeat(1000).as_bytes()).unwrap();
        encoder.write_all(text.as_bytes()).unwrap();
        Bytes::from(encoder.finish().unwrap())
    };
    let site = Site::new();
    let (app, waf) = ProtectedRouter::new()
        .route("/echo", axum::routing::put(async |body: Bytes| body))
        .protect(site.builder(|settings| settings.protections.enabled = vec![Protection::AttackSignatures]))
        .unwrap();
    let honest = gzip(r#"{"comment": "hello"}"#);
    let trailing = Bytes::from([&honest[..], ATTACK.as_bytes()].concat());
    for (encodings, body, expected) in [
        (&["gzip"][..], honest.clone(), StatusCode::OK),
        (&["gzip"], gzip(ATTACK), StatusCode::FORBIDDEN),
        // What was not decoded was not judged.
        (&["gzip"], trailing, StatusCode::FORBIDDEN),
        (&["gzip"], Bytes::from_static(ATTACK.as_bytes()), StatusCode::FORBIDDEN),
        (&["gzip", "gzip"], honest.clone(), StatusCode::FORBIDDEN),
        (&["compress"], honest.clone(), StatusCode::FORBIDDEN),
        (&["identity"], Bytes::from_static(b"{}"), StatusCode::OK),
    ] {
        let mut request = put_json("/echo", body);
        for encoding in encodings {
            request.headers_mut().append("content-encoding", encoding.parse().unwrap());
        }
        let answered = app.clone().oneshot(request).await.unwrap().status();
        assert_eq!(answered, expected, "{encodings:?}");
    }
    assert_eq!(waf.engine().statistics().bans, 0);
}

/// Frames of padding, then the attack, within one value of each format.
fn padded(format: &str, padding: usize, value: &str) -> (&'static str, Vec<Bytes>) {
    let (content_type, start, end) = match format {
        "json" => ("application/json", r#"{"a": ""#, r#""}"#),
        "form" => ("application/x-www-form-urlencoded", "a=", ""),
        "xml" => ("application/xml", "<a>", "</a>"),
        "multipart" => (
            "multipart/form-data; boundary=x",
            "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n",
            "\r\n--x--\r\n",
        ),
        _ => ("text/plain", "", ""),
    };
    let filler =
        Bytes::from("lorem ipsum ".repeat(500).replace(' ', if format == "form" { "+" } else { " " }));
    let mut frames = vec![Bytes::from(start)];
    frames.extend(std::iter::repeat_n(filler.clone(), padding / filler.len() + 1));
    frames.extend([Bytes::from(value.to_owned()), Bytes::from(end)]);
    (content_type, frames)
}

/// An attack that every format can hold as it is.
const PADDED_ATTACK: &str = "x' union select password from users where 'a'='a";

#[tokio::test]
async fn padding_hides_no_attack_whatever_the_format() {
    let site = Site::new();
    let waf = site
        .builder(|settings| settings.protections.enabled = vec![Protection::AttackSignatures])
        .build()
        .unwrap();
    let length = async |request: Request<axum::body::Body>| {
        let read = axum::body::to_bytes(request.into_body(), usize::MAX).await;
        read.map(|body| body.len().to_string()).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
    };
    let app = axum::Router::new().route("/x", axum::routing::put(length)).layer(waf.layer());
    for format in ["json", "form", "xml", "multipart", "text"] {
        for padding in [0, 64 << 10, 128 << 10, 1 << 20] {
            for (value, expected) in [(PADDED_ATTACK, StatusCode::FORBIDDEN), ("hello", StatusCode::OK)] {
                let value = if format == "form" { value.replace(' ', "+") } else { value.to_owned() };
                let (content_type, frames) = padded(format, padding, &value);
                let frames: Vec<_> = frames.into_iter().map(|frame| Ok(Frame::data(frame))).collect();
                let body = axum::body::Body::new(StreamOf(frames.into_iter()));
                let mut request = browser("203.0.113.9", "PUT", "/x").map(|_| body);
                request.headers_mut().insert("content-type", content_type.parse().unwrap());
                assert_eq!(status(&app, request).await, expected, "{format} {padding} {value}");
            }
        }
    }
}

#[tokio::test]
async fn content_type_that_looks_like_a_conversation_is_judged_ahead() {
    let site = Site::new();
    let (app, _waf) = echo(&site);
    for content_type in ["application/grpc+json", "application/grpc-web", "application/grpc"] {
        let mut request = put_json("/echo", ATTACK);
        request.headers_mut().insert("content-type", content_type.parse().unwrap());
        assert_eq!(status(&app, request).await, StatusCode::FORBIDDEN, "{content_type}");
    }
}

/// A body of frames that are all there.
struct StreamOf<I>(I);

impl<I: Iterator<Item = Result<Frame<Bytes>, Infallible>> + Unpin> Body for StreamOf<I> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.next())
    }
}
