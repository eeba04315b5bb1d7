//! What is logged reads back, in every format.

use aiwaf_core::{AccessRecord, BlockAction, LineParser, LogFormat, Protection};
use aiwaf_middleware::{InspectedBody, Timestamp};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use std::convert::Infallible;
use std::time::Duration;
use tower::{Layer, service_fn};

use crate::support::{Site, browser, hello, status};

const HOSTILE: &str = "/a%0a\"b?c=,\u{e9}';x";

/// Blocks by other protections than keywords were not marked, csv and json could not be read back, and times were local.
#[tokio::test]
async fn original_defect_22_23_24_25_logs_read_back_in_all_formats() {
    for format in LogFormat::ALL {
        let site = Site::new();
        let waf = site
            .builder(|settings| {
                settings.logging.format = format;
                settings.rate_limit.max = 2;
                settings.rate_limit.flood = 4;
            })
            .build()
            .unwrap();
        let clock = site.clock.clone();
        let slow = service_fn(move |_: Request<InspectedBody<Full<Bytes>>>| {
            clock.advance(Duration::from_millis(250));
            std::future::ready(Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello")))))
        });
        let service = waf.layer().layer(slow);
        let mut request = browser("2001:db8::9", "PATCH", HOSTILE);
        request.headers_mut().insert("referer", "=9.75\"\\".parse().unwrap());
        status(&service, request).await;
        for _ in 0..4 {
            status(&service, browser("2001:db8::9", "GET", "/b")).await;
        }
        status(&service, browser("203.0.113.9", "GET", "/x?uuid=no")).await;
        let text = site.log(&waf, "access.log");
        let mut parser = LineParser::new(format);
        let records: Vec<_> = text
            .lines()
            .filter_map(|line| parser.parse(line.as_bytes()).unwrap().map(AccessRecord::into_owned))
            .collect();
        assert_eq!(records.len(), 6, "{format}: {text}");
        let first = &records[0];
        assert_eq!((&*first.method, first.status, first.bytes), (&b"PATCH"[..], 200, Some(5)));
        assert_eq!(&*first.target, HOSTILE.as_bytes());
        assert_eq!(&*first.protocol, b"HTTP/1.1");
        assert_eq!(first.client.address(), Some("2001:db8::9".parse().unwrap()));
        assert_eq!(first.time, Timestamp::from_unix_micros(1_757_845_800_000_000));
        assert_eq!(first.block, None);
        if format == LogFormat::Common {
            continue;
        }
        assert_eq!(first.referer.as_deref(), Some(&b"=9.75\"\\"[..]));
        assert_eq!(first.response_time, Some(Duration::from_millis(250)));
        let marks: Vec<_> = records
            .iter()
            .filter_map(|record| record.block.as_ref())
            .map(|mark| (mark.action, mark.protection.unwrap()))
            .collect();
        assert_eq!(
            marks,
            [
                (BlockAction::Throttle, Protection::RateLimit),
                (BlockAction::Block, Protection::RateLimit),
                (BlockAction::Block, Protection::IpKeywordBlock),
                (BlockAction::Block, Protection::UuidTamper),
            ],
            "{format}: {text}"
        );
        assert_eq!(records[4].status, 403);
    }
}

#[tokio::test]
async fn secrets_are_in_no_log() {
    let site = Site::new();
    let waf = site.builder(|settings| settings.bans.capture_extended_request_info = true).build().unwrap();
    let service = waf.layer().layer(service_fn(hello));
    let mut request = browser("203.0.113.9", "GET", "/a?q=shoes&password=geheim1");
    request.headers_mut().insert("referer", "https://shop.example/?user[token]=geheim2".parse().unwrap());
    status(&service, request).await;
    let attack = "/missing?password=geheim3'+union+select+1,2--&x=1";
    assert_eq!(status(&service, browser("203.0.113.10", "GET", attack)).await, 403);
    for (name, shown) in [
        ("access.log", "/a?q=shoes&password=[REDACTED]"),
        ("error.log", "/missing?password=[REDACTED]&x=1"),
        ("aiwaf.log", "field=\"query parameter password\" matched=\"[REDACTED]\""),
    ] {
        let text = site.log(&waf, name);
        assert!(text.contains(shown) && !text.contains("geheim"), "{name}: {text}");
    }
}

#[tokio::test]
async fn rotated_logs_hold_every_request_once() {
    let site = Site::new();
    let waf = site
        .builder(|settings| {
            settings.logging.rotate_bytes = 4096;
            settings.logging.keep_files = 100;
            settings.logging.format = LogFormat::Csv;
            settings.rate_limit.max = 1000;
            settings.rate_limit.flood = 1000;
        })
        .build()
        .unwrap();
    let service = waf.layer().layer(service_fn(hello));
    for number in 0..300 {
        status(&service, browser("203.0.113.9", "GET", &format!("/page/{number}"))).await;
    }
    waf.shutdown().unwrap();
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(site.path("logs")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("access.log") {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.len() <= 4096 && text.starts_with(LogFormat::Csv.header().unwrap()));
            let mut parser = LineParser::new(LogFormat::Csv);
            for line in text.lines() {
                if let Some(record) = parser.parse(line.as_bytes()).unwrap() {
                    pages.push(String::from_utf8(record.target.to_vec()).unwrap());
                }
            }
        }
    }
    let mut expected: Vec<String> = (0..300).map(|number| format!("/page/{number}")).collect();
    pages.sort();
    expected.sort();
    assert_eq!(pages, expected);
}

#[tokio::test]
async fn no_logs_are_written_where_none_are_wanted() {
    let site = Site::new();
    let waf = site.builder(|settings| settings.logging.enabled = false).build().unwrap();
    let service = waf.layer().layer(service_fn(hello));
    status(&service, browser("203.0.113.9", "GET", "/.env")).await;
    waf.shutdown().unwrap();
    assert_eq!(waf.log_dir(), None);
    assert!(!site.path("logs").exists());
}
