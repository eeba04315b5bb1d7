//! What is missing or broken at the start is said once and stops nobody, unless that is wanted.

use std::time::Duration;

use http::StatusCode;
use tower::ServiceBuilder;

use crate::support::{Site, browser, hello, status};

#[tokio::test]
async fn a_country_database_that_is_missing_or_broken_blocks_nobody_and_is_said_once() {
    for content in [None, Some("no database")] {
        let site = Site::new();
        let path = site.path("countries.mmdb");
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let builder = site.builder(|settings| {
            settings.geo_block.database_path = path.display().to_string();
            settings.geo_block.allowed_countries = vec!["NZ".parse().unwrap()];
        });
        let waf = builder.build().unwrap();
        let service = ServiceBuilder::new().layer(waf.layer()).service_fn(hello);
        for _ in 0..3 {
            assert_eq!(status(&service, browser("203.0.113.9", "GET", "/")).await, StatusCode::OK);
        }
        let log = site.log(&waf, "aiwaf.log");
        assert_eq!(log.matches("event=country_database").count(), 1, "{log}");
        assert!(log.contains("countries.mmdb"), "{log}");
    }
}

#[tokio::test]
async fn lists_that_can_not_be_opened_are_said_once_and_read_when_they_can() {
    let site = Site::new();
    // Where the directory should be, there is a file.
    std::fs::write(site.path("data"), "in the way").unwrap();
    let waf = site.builder(|_| ()).build().unwrap();
    let service = ServiceBuilder::new().layer(waf.layer()).service_fn(hello);
    assert_eq!(status(&service, browser("203.0.113.9", "GET", "/")).await, StatusCode::OK);
    assert_eq!(status(&service, browser("203.0.113.7", "GET", "/.env")).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&service, browser("203.0.113.7", "GET", "/")).await, StatusCode::FORBIDDEN, "banned");

    // In one step, for the firewall writes as soon as there is a directory.
    std::fs::create_dir(site.path("prepared")).unwrap();
    std::fs::write(
        site.path("prepared/blacklist.csv"),
        "ip,reason,added_date\n203.0.113.9,known,2026-01-01T00:00:00\n",
    )
    .unwrap();
    std::fs::remove_file(site.path("data")).unwrap();
    std::fs::rename(site.path("prepared"), site.path("data")).unwrap();
    waf.flush(Duration::from_secs(20)).unwrap();
    assert_eq!(status(&service, browser("203.0.113.9", "GET", "/")).await, StatusCode::FORBIDDEN, "listed");
    assert_eq!(
        status(&service, browser("203.0.113.7", "GET", "/")).await,
        StatusCode::FORBIDDEN,
        "still banned"
    );
    assert!(site.list(&waf, "blacklist.csv").contains("203.0.113.7,Keyword block: .env"), "nothing is lost");
    let log = site.log(&waf, "aiwaf.log");
    assert_eq!(
        (log.matches("event=store_lost").count(), log.matches("event=store_back").count()),
        (1, 1),
        "{log}"
    );
}

#[test]
fn a_firewall_that_fails_closed_does_not_start_without_its_lists() {
    let site = Site::new();
    std::fs::write(site.path("data"), "in the way").unwrap();
    let error = site.builder(|_| ()).fail_closed().build().unwrap_err();
    assert!(error.to_string().contains("data") && !error.is_usage(), "{error}");
}
