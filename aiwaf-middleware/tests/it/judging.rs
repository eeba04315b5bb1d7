//! Denials, bans, monitor mode, panics and shutdown, on a plain tower service.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use aiwaf_core::{CountryCode, CountryLookup};
use aiwaf_middleware::{Aiwaf, InspectedBody, Mode, Protection, Verdict};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::{Site, ask, browser, hello, peer, status};

const ADDRESS: &str = "203.0.113.9";

#[tokio::test]
async fn a_scanner_is_blocked_and_banned_and_the_files_say_why() {
    let site = Site::new();
    let waf = site.builder(|_| {}).build().unwrap();
    let service = waf.layer().layer(service_fn(hello));
    assert_eq!(status(&service, browser(ADDRESS, "GET", "/")).await, StatusCode::OK);
    let (head, body) = ask(&service, browser(ADDRESS, "GET", "/.env")).await;
    assert_eq!((head.status, body.as_str()), (StatusCode::FORBIDDEN, r#"{"error":"blocked"}"#));
    assert_eq!(head.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(head.headers[header::CACHE_CONTROL], "no-store");
    let verdict = head.extensions.get::<Verdict>().unwrap();
    assert_eq!(verdict.finding.as_ref().unwrap().protection, Protection::IpKeywordBlock);
    assert_eq!(status(&service, browser(ADDRESS, "GET", "/")).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&service, browser("203.0.113.10", "GET", "/")).await, StatusCode::OK);

    let list = site.list(&waf, "blacklist.csv");
    assert!(list.contains(ADDRESS) && list.contains("Keyword block: .env"), "{list}");
    let log = site.log(&waf, "aiwaf.log");
    let line = log.lines().find(|line| line.contains("matched=")).unwrap();
    for part in [
        "action=block protection=ip_keyword_block client=203.0.113.9 method=GET target=\"/.env\"",
        "reason=\"Keyword block: .env\" field=\"path\" matched=\".env\"",
        "ban=203.0.113.9/32 ban_until=2025-09-14T11:30:00.000000Z",
    ] {
        assert!(line.contains(part), "{line}");
    }
    assert!(log.lines().next().unwrap().contains("event=startup"), "{log}");
}

#[tokio::test]
async fn bans_outlive_the_process() {
    let site = Site::new();
    let first = site.builder(|_| {}).build().unwrap();
    status(&first.layer().layer(service_fn(hello)), browser(ADDRESS, "GET", "/.env")).await;
    first.shutdown().unwrap();
    first.shutdown().unwrap();
    let second = site.builder(|_| {}).build().unwrap();
    let service = second.layer().layer(service_fn(hello));
    assert_eq!(status(&service, browser(ADDRESS, "GET", "/")).await, StatusCode::FORBIDDEN);
    assert!(site.log(&second, "aiwaf.log").contains("event=shutdown requests=1 blocked=1"));
}

#[tokio::test]
async fn original_defect_15_a_throttled_client_is_told_when_to_come_back() {
    let site = Site::new();
    let waf = site.builder(|settings| settings.rate_limit.max = 2).build().unwrap();
    let service = waf.layer().layer(service_fn(hello));
    for _ in 0..2 {
        assert_eq!(status(&service, browser(ADDRESS, "GET", "/")).await, StatusCode::OK);
        site.clock.advance(Duration::from_millis(10_500));
    }
    let (head, body) = ask(&service, browser(ADDRESS, "GET", "/")).await;
    assert_eq!((head.status.as_u16(), body.as_str()), (429, r#"{"error":"too_many_requests"}"#));
    let seconds: u64 = head.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((39..=40).contains(&seconds), "{seconds}");
    site.clock.advance(Duration::from_secs(seconds));
    assert_eq!(status(&service, browser(ADDRESS, "GET", "/")).await, StatusCode::OK);
}

#[tokio::test]
async fn an_answer_to_head_has_no_body() {
    let site = Site::new();
    let waf = site.builder(|_| {}).build().unwrap();
    let service = waf.layer().layer(service_fn(hello));
    let (head, body) = ask(&service, browser(ADDRESS, "HEAD", "/.env")).await;
    assert_eq!((head.status, body.as_str()), (StatusCode::FORBIDDEN, ""));
    assert_eq!(head.headers[header::CONTENT_LENGTH], "19");
}

#[tokio::test]
async fn answers_can_be_replaced_and_may_not_break_anything() {
    let site = Site::new();
    let waf = site
        .builder(|settings| settings.rate_limit.max = 1)
        .deny_response(|verdict: &Verdict, head: &http::request::Parts| {
            assert!(head.uri.path() != "/.env", "not this one");
            let text = format!("{} {}", verdict.action.name(), head.uri.path());
            Response::builder().status(StatusCode::IM_A_TEAPOT).body(Bytes::from(text)).unwrap()
        })
        .build()
        .unwrap();
    let service = waf.layer().layer(service_fn(hello));
    status(&service, browser(ADDRESS, "GET", "/a")).await;
    let (head, body) = ask(&service, browser(ADDRESS, "GET", "/a")).await;
    assert_eq!((head.status, body.as_str()), (StatusCode::IM_A_TEAPOT, "throttle /a"));
    assert!(head.extensions.get::<Verdict>().is_some());
    // An answer that can't be made is no way in.
    assert_eq!(status(&service, browser("203.0.113.10", "GET", "/.env")).await, StatusCode::FORBIDDEN);
    assert!(site.log(&waf, "aiwaf.log").contains("event=panic"));
}

#[tokio::test]
async fn monitor_mode_is_invisible_to_clients_and_visible_in_logs() {
    let site = Site::new();
    let waf = site
        .builder(|settings| {
            settings.ip_keyword_block.mode = Mode::Monitor;
            settings.header_validation.mode = Mode::Monitor;
            settings.attack_signatures.mode = Mode::Monitor;
        })
        .build()
        .unwrap();
    let service = waf.layer().layer(service_fn(hello));
    let bare = Request::builder().uri("/").extension(peer(ADDRESS)).body(Full::<Bytes>::default()).unwrap();
    for request in [browser(ADDRESS, "GET", "/.env"), browser(ADDRESS, "GET", "/"), bare] {
        let (head, body) = ask(&service, request).await;
        assert_eq!((head.status, body.as_str()), (StatusCode::OK, "hello"));
        assert!(head.headers.is_empty() && head.extensions.is_empty());
    }
    assert!(!site.list(&waf, "blacklist.csv").contains(ADDRESS));
    let log = site.log(&waf, "aiwaf.log");
    assert!(log.contains("action=block monitor=true protection=ip_keyword_block"), "{log}");
    assert!(!log.contains("ban_until"), "{log}");
    assert!(
        site.log(&waf, "access.log").contains(" MONITORED \"Keyword block: .env\" ip_keyword_block block")
    );
}

/// A country look-up that breaks.
struct Broken(Arc<AtomicBool>);

impl CountryLookup for Broken {
    fn country(&self, _: IpAddr) -> Option<CountryCode> {
        assert!(!self.0.load(Ordering::Relaxed), "broken on purpose");
        None
    }
}

fn breakable(site: &Site, fail_closed: bool) -> (Aiwaf, Arc<AtomicBool>) {
    let is_broken = Arc::new(AtomicBool::new(true));
    let lookup = Arc::new(Broken(Arc::clone(&is_broken)));
    let builder = site
        .builder(|settings| settings.geo_block.blocked_countries = vec!["XX".parse().unwrap()])
        .engine(|engine| engine.countries(lookup));
    let builder = if fail_closed { builder.fail_closed() } else { builder };
    (builder.build().unwrap(), is_broken)
}

#[tokio::test]
async fn a_panic_lets_requests_pass_and_is_reported_once() {
    let site = Site::new();
    let (waf, is_broken) = breakable(&site, false);
    let service = waf.layer().layer(service_fn(hello));
    for _ in 0..3 {
        assert_eq!(status(&service, browser(ADDRESS, "GET", "/")).await, StatusCode::OK);
    }
    is_broken.store(false, Ordering::Relaxed);
    assert_eq!(status(&service, browser(ADDRESS, "GET", "/.env")).await, StatusCode::FORBIDDEN);
    let log = site.log(&waf, "aiwaf.log");
    assert_eq!(log.matches("event=panic").count(), 1, "{log}");
    assert!(log.contains("broken on purpose"), "{log}");
    assert_eq!(site.log(&waf, "access.log").lines().count(), 4, "such requests are logged");
}

#[tokio::test]
async fn a_panic_denies_requests_if_that_is_wanted() {
    let site = Site::new();
    let (waf, is_broken) = breakable(&site, true);
    let service = waf.layer().layer(service_fn(hello));
    assert_eq!(status(&service, browser(ADDRESS, "GET", "/")).await, StatusCode::FORBIDDEN);
    is_broken.store(false, Ordering::Relaxed);
    assert_eq!(status(&service, browser(ADDRESS, "GET", "/")).await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_at_once_exactly_the_limit_passes() {
    let site = Site::new();
    let waf = site.builder(|settings| settings.rate_limit.flood = 100_000).build().unwrap();
    let service = waf.layer().layer(service_fn(hello));
    let passed = Arc::new(AtomicU32::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..64 {
        let (service, passed) = (service.clone(), Arc::clone(&passed));
        tasks.spawn(async move {
            for number in 0..5 {
                let answer =
                    status(&service, browser(ADDRESS, "GET", &format!("/catalog/{task}/{number}"))).await;
                passed.fetch_add(u32::from(answer == StatusCode::OK), Ordering::Relaxed);
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(passed.load(Ordering::Relaxed), 100);
    assert_eq!(site.log(&waf, "access.log").lines().count(), 320);
}

#[tokio::test]
async fn original_defect_01_and_02_forwarding_headers_of_strangers_do_nothing() {
    let site = Site::new();
    let waf = site.builder(|settings| settings.rate_limit.max = 5).build().unwrap();
    let service = waf.layer().layer(service_fn(hello));
    let mut passed = 0;
    for number in 0..20 {
        let mut request = browser(ADDRESS, "GET", "/");
        request.headers_mut().insert("x-forwarded-for", format!("198.51.100.{number}").parse().unwrap());
        passed += u32::from(status(&service, request).await == StatusCode::OK);
    }
    assert_eq!(passed, 5);
    let mut probe = browser(ADDRESS, "GET", "/x.php");
    probe.headers_mut().insert("x-forwarded-for", "8.8.8.8".parse().unwrap());
    status(&service, probe).await;
    let list = site.list(&waf, "blacklist.csv");
    assert!(!list.contains("8.8.8.8") && list.contains(ADDRESS), "{list}");
}

#[tokio::test]
async fn clients_of_a_trusted_proxy_are_told_apart() {
    let site = Site::new();
    let waf = site
        .builder(|settings| settings.client.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()])
        .build()
        .unwrap();
    let service = waf.layer().layer(service_fn(hello));
    let through = |client: &str, uri: &str| {
        let mut request = browser("10.0.0.1", "GET", uri);
        request.headers_mut().insert("x-forwarded-for", client.parse().unwrap());
        request
    };
    assert_eq!(status(&service, through(ADDRESS, "/.env")).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&service, through(ADDRESS, "/")).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&service, through("203.0.113.10", "/")).await, StatusCode::OK);
}

/// A service that must be asked whether it is ready, each time.
#[derive(Clone, Default)]
struct Strict {
    is_ready: bool,
}

impl<B> Service<Request<B>> for Strict {
    type Response = Response<Full<Bytes>>;
    type Error = &'static str;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        self.is_ready = true;
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called without being ready");
        std::future::ready(Err("the service's own error"))
    }
}

#[tokio::test]
async fn the_ready_service_is_called_and_its_errors_come_through() {
    let site = Site::new();
    let waf = site.builder(|_| {}).build().unwrap();
    let service = waf.layer().layer(Strict::default());
    let error = service.oneshot(browser(ADDRESS, "GET", "/")).await.map(drop).unwrap_err();
    assert_eq!(error, "the service's own error");
    let inspecting = waf.layer().always(16).layer(Strict::default());
    let error = inspecting.oneshot(browser(ADDRESS, "GET", "/")).await.map(drop).unwrap_err();
    assert_eq!(error, "the service's own error");
    let log = site.log(&waf, "access.log");
    assert_eq!(log.matches("\" 0 - ").count(), 2, "requests without an answer have status 0: {log}");
}

#[tokio::test]
async fn a_request_whose_client_goes_away_is_logged() {
    let site = Site::new();
    let waf = site.builder(|_| {}).build().unwrap();
    let service = waf.layer().layer(service_fn(async |_: Request<InspectedBody<Full<Bytes>>>| {
        std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>().await
    }));
    drop(service.oneshot(browser(ADDRESS, "GET", "/slow")));
    let mut asked = waf.layer().layer(service_fn(async |_: Request<InspectedBody<Full<Bytes>>>| {
        std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>().await
    }));
    drop(asked.call(browser(ADDRESS, "GET", "/slow")));
    let log = site.log(&waf, "access.log");
    assert_eq!(log.lines().count(), 1, "the first was never sent: {log}");
    assert!(log.contains("\"GET /slow HTTP/1.1\" 0 -"), "{log}");
}

#[test]
fn errors_name_what_is_wrong() {
    let site = Site::new();
    let error = site.builder(|settings| settings.rate_limit.max = 0).build().unwrap_err().to_string();
    assert!(error.contains("rate_limit.max = 0"), "{error}");
    let error = site.builder(|settings| settings.storage.store = "redis:x".into()).build().unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("csv:"), "{error}");
    let error = site
        .builder(|_| {})
        .route("nonsense", aiwaf_middleware::RoutePolicy::exempt())
        .build()
        .unwrap_err()
        .to_string();
    assert!(error.contains("nonsense"), "{error}");
    assert!(!site.path("logs").exists(), "nothing is left behind");
}
