//! Requests that nobody sends by accident, and disks that don't do what they should.

use std::time::Duration;

use aiwaf_core::LogFormat;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode};
use http_body_util::Full;
use tower::{Layer, service_fn};

use crate::support::{Site, browser, hello, status};

#[tokio::test]
async fn hostile_requests_get_an_answer_and_one_line_each() {
    let site = Site::new();
    let waf = site
        .builder(|settings| settings.client.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()])
        .build()
        .unwrap();
    let service = waf.layer().layer(service_fn(hello));
    let long = "a".repeat(1024 * 1024);
    let mut requests: Vec<Request<Full<Bytes>>> = [
        "/%00",
        "/%0a%0d%1b[31m",
        "/%ff%fe%c0%ae",
        "/%",
        "/%%%2",
        "/?",
        "/?a&&=&%00=%ff",
        "*",
        "/a\u{e9}\u{202e}b",
        "//..//..//etc/passwd",
        "/;a=b/;.css",
        "http://example.com/x?y",
        "/a?b?c?d",
        "/\"quoted\"",
    ]
    .into_iter()
    .map(|uri| browser("203.0.113.9", "GET", uri))
    .collect();
    requests.push(browser("203.0.113.9", "GET", &format!("/{}", "%2e%2e/".repeat(9_000))));
    for (name, value) in [
        ("user-agent", HeaderValue::from_bytes(long.as_bytes()).unwrap()),
        ("referer", HeaderValue::from_bytes(b"\x80\xff\"\\ \tx").unwrap()),
        ("accept", HeaderValue::from_bytes(b"\xff").unwrap()),
        ("x-forwarded-for", HeaderValue::from_bytes(b"\xff, \"for=, unknown, ::1%25, 1.2.3.4.5").unwrap()),
        ("forwarded", HeaderValue::from_bytes(&b"for=\"[::\", ,;;==,for=_x".repeat(2000)).unwrap()),
        ("cookie", HeaderValue::from_bytes(long.as_bytes()).unwrap()),
        ("content-type", HeaderValue::from_bytes(b"\xff;=;").unwrap()),
    ] {
        for method in ["GET", "POST", "PROPFIND", "CONNECT"] {
            let mut request = browser("10.0.0.1", method, "/");
            request.headers_mut().insert(name, value.clone());
            requests.push(request);
        }
    }
    let count = requests.len();
    for request in requests {
        let answer = status(&service, request).await;
        assert!(matches!(answer.as_u16(), 200 | 403 | 429), "{answer}");
    }
    let access = site.log(&waf, "access.log");
    assert_eq!(access.lines().count(), count);
    for line in access.lines() {
        LogFormat::Combined.parse_line(line.as_bytes()).unwrap();
    }
    for name in ["access.log", "error.log", "aiwaf.log"] {
        let text = site.log(&waf, name);
        assert!(text.bytes().all(|byte| matches!(byte, b'\n' | b' '..=b'~')), "{name}");
        assert!(text.lines().all(|line| line.len() < 64 * 1024), "{name}");
    }
    assert!(!site.log(&waf, "aiwaf.log").contains("event=panic"));
}

#[tokio::test]
async fn a_log_directory_that_can_not_be_is_no_outage() {
    let site = Site::new();
    std::fs::write(site.path("logs"), "a file where the directory should be").unwrap();
    let waf = site.builder(|_| {}).build().unwrap();
    let service = waf.layer().layer(service_fn(hello));
    for _ in 0..3 {
        assert_eq!(status(&service, browser("203.0.113.9", "GET", "/")).await, StatusCode::OK);
    }
    assert_eq!(status(&service, browser("203.0.113.9", "GET", "/.env")).await, StatusCode::FORBIDDEN);
    waf.flush(Duration::from_secs(20)).unwrap();
    std::fs::remove_file(site.path("logs")).unwrap();
    assert_eq!(status(&service, browser("203.0.113.8", "GET", "/")).await, StatusCode::OK);
    assert_eq!(site.log(&waf, "access.log").lines().count(), 1);
    let log = site.log(&waf, "aiwaf.log");
    assert!(log.contains("event=log_lines_lost file=access.log lines=4"), "{log}");
    waf.shutdown().unwrap();
}

#[tokio::test]
async fn secrets_in_headers_are_not_logged() {
    let site = Site::new();
    let waf = site.builder(|_| {}).build().unwrap();
    let service = waf.layer().layer(service_fn(hello));
    for uri in ["/", "/.env"] {
        let mut request = browser("203.0.113.9", "GET", uri);
        request.headers_mut().insert("authorization", "Bearer s3cr3t".parse().unwrap());
        request.headers_mut().insert("cookie", "session=s3cr3t".parse().unwrap());
        status(&service, request).await;
    }
    for name in ["access.log", "error.log", "aiwaf.log"] {
        let log = site.log(&waf, name);
        assert!(!log.is_empty() && !log.contains("s3cr3t"), "{name}: {log}");
    }
}
