//! A real server on a real socket, and a real client.

use std::net::SocketAddr;
use std::time::Duration;

use aiwaf_middleware::{Aiwaf, ProtectedRouter, RoutePolicy};
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::support::{Site, browser};

/// The client, as the proxy names it.
const CLIENT: &str = "203.0.113.9";

struct Server {
    address: SocketAddr,
    client: Client<HttpConnector, Body>,
    waf: Aiwaf,
}

impl Server {
    /// Serves a small site behind a proxy, for clients on the machine itself are never banned. All requests come from one
    /// client, so each test has a server of its own.
    async fn start(site: &Site) -> Self {
        let (app, waf) = ProtectedRouter::<()>::new()
            .route("/", get(async || axum::response::Html("<a href=/login>log in</a>")))
            .route("/login", get(async || "a form").post(async || "signed in"))
            .route("/api/items", get(async || "[]").post(async || StatusCode::CREATED))
            .route_with("/health", get(async || "ok"), RoutePolicy::exempt())
            .protect(
                site.builder(|settings| settings.client.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]),
            )
            .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await
        });
        Self { address, client: Client::builder(TokioExecutor::new()).build_http(), waf }
    }

    async fn send(&self, mut request: Request<Body>) -> (u16, String) {
        let path = request.uri().clone();
        *request.uri_mut() = format!("http://{}{path}", self.address).parse().unwrap();
        request.extensions_mut().clear();
        request.headers_mut().insert("x-forwarded-for", CLIENT.parse().unwrap());
        let (head, body) = self.client.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
    }

    async fn get(&self, path: &str) -> u16 {
        self.send(browser(CLIENT, "GET", path).map(|_| Body::empty())).await.0
    }

    async fn post(&self, path: &str, content_type: &str, body: &'static str) -> (u16, String) {
        let mut request = browser(CLIENT, "POST", path).map(|_| Body::from(body));
        request.headers_mut().insert("content-type", content_type.parse().unwrap());
        self.send(request).await
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn a_person_with_a_browser_passes() {
    let site = Site::new();
    let server = Server::start(&site).await;
    for path in ["/", "/login", "/favicon.ico"] {
        assert!(matches!(server.get(path).await, 200 | 404), "{path}");
    }
    site.clock.advance(Duration::from_secs(8));
    assert_eq!(server.post("/login", FORM, "username=ada").await, (200, "signed in".into()));
    assert_eq!(server.get("/").await, 200);
    assert_eq!(server.post("/api/items", "application/json", "{}").await.0, 201);
    let log = site.log(&server.waf, "access.log");
    assert_eq!(log.lines().count(), 6);
    assert!(!log.contains("BLOCKED"), "{log}");
}

#[tokio::test]
async fn a_scanner_is_blocked_then_banned() {
    let site = Site::new();
    let server = Server::start(&site).await;
    assert_eq!(server.get("/wp-login.php").await, 403);
    assert_eq!(server.get("/").await, 403);
    assert_eq!(server.get("/health").await, 200);
    assert!(site.list(&server.waf, "blacklist.csv").contains(CLIENT));
}

#[tokio::test]
async fn a_flood_is_throttled_then_banned() {
    let site = Site::new();
    let server = Server::start(&site).await;
    let mut answers = Vec::new();
    for _ in 0..210 {
        answers.push(server.get("/").await);
    }
    let count = |status| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!(count(200), 100);
    assert!(count(429) >= 95 && count(403) >= 5, "{answers:?}");
    site.clock.advance(Duration::from_mins(2));
    assert_eq!(server.get("/").await, 403, "the ban outlasts the window");
    let list = site.list(&server.waf, "blacklist.csv");
    assert!(list.contains("Flood pattern"), "{list}");
}

#[tokio::test]
async fn a_form_filled_in_too_quickly_is_blocked() {
    let site = Site::new();
    let server = Server::start(&site).await;
    assert_eq!(server.get("/login").await, 200);
    site.clock.advance(Duration::from_millis(300));
    assert_eq!(server.post("/login", FORM, "username=x").await.0, 403);
    let list = site.list(&server.waf, "blacklist.csv");
    assert!(!list.contains("Form submitted too quickly"), "a single fast form bans nobody: {list}");
    assert!(site.log(&server.waf, "aiwaf.log").contains("protection=honeypot"));
}

#[tokio::test]
async fn a_bot_without_headers_is_blocked_and_not_banned() {
    let site = Site::new();
    let server = Server::start(&site).await;
    let bare = Request::builder().uri("/").body(Body::empty()).unwrap();
    assert_eq!(server.send(bare).await, (403, r#"{"error":"blocked"}"#.into()));
    assert_eq!(server.get("/").await, 200);
    let log = site.log(&server.waf, "aiwaf.log");
    assert!(
        log.contains("protection=header_validation") && log.contains("Missing required headers"),
        "{log}"
    );
}
