//! axum routers whose routes say which protections apply.

use std::net::SocketAddr;

use aiwaf_middleware::{Aiwaf, ProtectedRouter, Protection, RoutePolicy};
use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::routing::{get, post};
use http::{Request, StatusCode};

use crate::support::{Site, browser, status};

const ADDRESS: &str = "203.0.113.9";

fn request(method: &str, uri: &str) -> Request<axum::body::Body> {
    let mut request = browser(ADDRESS, method, uri).map(|_| axum::body::Body::empty());
    request.extensions_mut().clear();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(ADDRESS.parse().unwrap(), 4711)));
    request
}

fn protect(site: &Site) -> (Router, Aiwaf) {
    ProtectedRouter::new()
        .route("/", get(async |State(text): State<&'static str>| text))
        .route("/download.php", get(async || "an old name"))
        .route_with("/health", get(async || "ok"), RoutePolicy::exempt())
        .route_with("/quiet", get(async || "ok"), RoutePolicy::exempt_from([Protection::Logging]))
        .route_with("/hook", get(async || "ok"), RoutePolicy::exempt_from([Protection::RateLimit]))
        .route_with("/hook", post(async || "ok"), RoutePolicy::exempt_from([Protection::Honeypot]))
        .fallback(async || (StatusCode::NOT_FOUND, "nothing here"))
        .with_state("hello")
        .protect(site.builder(|settings| settings.rate_limit.max = 5))
        .unwrap()
}

#[tokio::test]
async fn policies_stand_where_routes_are() {
    let site = Site::new();
    let (app, waf) = protect(&site);
    for _ in 0..20 {
        assert_eq!(status(&app, request("GET", "/health")).await, StatusCode::OK);
        assert_eq!(status(&app, request("GET", "/hook")).await, StatusCode::OK);
    }
    for number in 0..10 {
        let expected = if number < 5 { StatusCode::OK } else { StatusCode::TOO_MANY_REQUESTS };
        assert_eq!(status(&app, request("GET", "/")).await, expected);
    }
    assert!(!site.log(&waf, "access.log").contains("/health"));
}

#[tokio::test]
async fn routes_are_known_paths_and_other_paths_pass_the_firewall_too() {
    let site = Site::new();
    let (app, _waf) = protect(&site);
    assert_eq!(status(&app, request("GET", "/download.php")).await, StatusCode::OK);
    assert_eq!(status(&app, request("GET", "/nothing")).await, StatusCode::NOT_FOUND);
    assert_eq!(status(&app, request("GET", "/upload.php")).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&app, request("GET", "/")).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&app, request("GET", "/health")).await, StatusCode::OK, "exempt is exempt");
}

#[tokio::test]
async fn original_defect_30_a_route_without_logging_is_in_no_log() {
    let site = Site::new();
    let (app, waf) = protect(&site);
    for _ in 0..6 {
        status(&app, request("GET", "/quiet")).await;
    }
    assert_eq!(status(&app, request("GET", "/")).await, StatusCode::TOO_MANY_REQUESTS);
    for name in ["access.log", "error.log", "aiwaf.log"] {
        let log = site.log(&waf, name);
        assert!(!log.contains("/quiet"), "{name}: {log}");
    }
    assert_eq!(site.log(&waf, "error.log").lines().count(), 1);
}

#[tokio::test]
async fn layers_inside_see_allowed_requests_only() {
    let site = Site::new();
    let (app, _waf) = ProtectedRouter::<()>::new()
        .route("/", get(async || "ok"))
        .layer(axum::middleware::from_fn(
            async |request: axum::extract::Request, _: axum::middleware::Next| {
                assert!(!request.uri().path().contains(".env"));
                StatusCode::ACCEPTED
            },
        ))
        .protect(site.builder(|_| {}))
        .unwrap();
    assert_eq!(status(&app, request("GET", "/")).await, StatusCode::ACCEPTED);
    assert_eq!(status(&app, request("GET", "/.env")).await, StatusCode::FORBIDDEN);
}
