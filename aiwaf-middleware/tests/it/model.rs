//! The model file: read at the start, taken up when it appears or changes, let go when it is gone, and never trusted.

use std::convert::Infallible;
use std::fs;
use std::time::Duration;

use aiwaf_middleware::{Aiwaf, Protection, Settings};
use aiwaf_ml::{ForestParameters, IsolationForest, TrainedModel, TrainingRecord};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use ndarray::Array2;
use tower::ServiceBuilder;

use crate::support::{Site, browser, status};

/// A model of the engine's features that was trained from so many lines, and takes everything above `threshold` for
/// strange: with 0 all requests, with 1 none.
fn model(threshold: f64, log_lines: u64) -> TrainedModel {
    let rows = Array2::from_shape_fn((300, 7), |(row, column)| {
        f64::from(u8::try_from((row * [7, 11][column % 2]) % 50).unwrap())
    });
    let forest = IsolationForest::fit(rows.view(), &ForestParameters::default()).unwrap();
    let training = TrainingRecord { log_lines, ..TrainingRecord::default() };
    let names =
        ["path_length", "keyword_hits", "response_time", "status", "burst", "not_found", "known_path"];
    TrainedModel::new(forest.with_threshold(threshold), names, training).unwrap()
}

fn build(site: &Site, change: impl FnOnce(&mut Settings)) -> Aiwaf {
    let builder = site.builder(|settings| {
        settings.protections.enabled = vec![Protection::AiAnomaly, Protection::Logging];
        // Where the others can't see what this client did.
        settings.ai_anomaly.ban_after = Some(0);
        change(settings);
    });
    builder.build().unwrap()
}

/// Answers everything under /shop, and nothing else.
async fn shop<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::default());
    if !request.uri().path().starts_with("/shop") {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    Ok(response)
}

/// Whether a client is turned away after two probes: an indicator, and proof only if a model confirms it.
async fn is_stopped(waf: &Aiwaf, client: &str) -> bool {
    let service = ServiceBuilder::new().layer(waf.layer()).service_fn(shop);
    for path in ["/wp-admin", "/.env", "/gone", "/gone", "/gone"] {
        assert_eq!(
            status(&service, browser(client, "GET", path)).await,
            StatusCode::NOT_FOUND,
            "{client} {path}"
        );
    }
    status(&service, browser(client, "GET", "/shop")).await == StatusCode::FORBIDDEN
}

fn count(log: &str, event: &str) -> usize {
    log.matches(&format!("event={event}")).count()
}

#[tokio::test]
async fn a_model_is_in_force_from_the_start() {
    for (threshold, stopped) in [(0.0, true), (1.0, false)] {
        let site = Site::new();
        fs::create_dir(site.path("data")).unwrap();
        model(threshold, 20_000).save(site.path("data/model.aiwaf")).unwrap();
        let waf = build(&site, |_| ());
        assert_eq!(is_stopped(&waf, "203.0.113.1").await, stopped);
        let log = site.log(&waf, "aiwaf.log");
        assert_eq!((count(&log, "model_loaded"), count(&log, "model_missing")), (1, 0), "{log}");
        assert!(log.contains("log_lines=20000") && log.contains("trees=100"), "{log}");
    }
}

#[tokio::test]
async fn a_model_that_comes_later_is_taken_up_and_let_go_again() {
    let site = Site::new();
    let path = site.path("elsewhere.model");
    let waf = build(&site, |settings| settings.ai_anomaly.model_path = path.display().to_string());
    assert!(!is_stopped(&waf, "203.0.113.1").await);
    waf.check_model();

    model(1.0, 20_000).save(&path).unwrap();
    waf.check_model();
    waf.check_model();
    assert!(!is_stopped(&waf, "203.0.113.2").await);
    model(0.0, 20_000).save(&path).unwrap();
    waf.check_model();
    assert!(is_stopped(&waf, "203.0.113.3").await);

    fs::remove_file(&path).unwrap();
    waf.check_model();
    waf.check_model();
    assert!(!is_stopped(&waf, "203.0.113.4").await);
    model(0.0, 20_000).save(&path).unwrap();
    waf.check_model();
    assert!(is_stopped(&waf, "203.0.113.5").await);

    let log = site.log(&waf, "aiwaf.log");
    let counts =
        ["model_missing", "model_loaded", "model_gone", "model_unusable"].map(|event| count(&log, event));
    assert_eq!(counts, [1, 3, 1, 0], "{log}");
}

#[tokio::test]
async fn a_bad_file_leaves_the_old_model_in_force_and_is_said_once() {
    let good = model(0.0, 20_000).to_bytes().unwrap();
    let mut damaged = good.clone();
    damaged[5000] ^= 1;
    for (bad, what) in
        [(&b"import os"[..], "no AIWAF model"), (&good[..9000], "cut off"), (&damaged, "damaged")]
    {
        let site = Site::new();
        let path = site.path("model");
        fs::write(&path, &good).unwrap();
        let waf = build(&site, |settings| settings.ai_anomaly.model_path = path.display().to_string());
        assert!(is_stopped(&waf, "203.0.113.1").await);
        fs::write(&path, bad).unwrap();
        waf.check_model();
        assert!(is_stopped(&waf, "203.0.113.2").await);
        // Read again after an hour, found to be as bad, and not said again.
        site.clock.advance(Duration::from_hours(2));
        waf.check_model();
        assert!(is_stopped(&waf, "203.0.113.3").await);
        let log = site.log(&waf, "aiwaf.log");
        assert_eq!((count(&log, "model_loaded"), count(&log, "model_unusable")), (1, 1), "{log}");
        assert!(log.contains(what) && log.contains("stays in force"), "{log}");
        // Mended with the content that is in force already.
        fs::write(&path, &good).unwrap();
        waf.check_model();
        assert!(is_stopped(&waf, "203.0.113.4").await);
    }
}

#[tokio::test]
async fn a_bad_file_at_the_start_leaves_keywords_and_behaviour() {
    let site = Site::new();
    fs::create_dir_all(site.path("data")).unwrap();
    fs::write(site.path("data/model.aiwaf"), b"\x80\x04\x95 a pickle").unwrap();
    let waf = build(&site, |_| ());
    assert!(!is_stopped(&waf, "203.0.113.1").await);
    let service = ServiceBuilder::new().layer(waf.layer()).service_fn(shop);
    for path in ["/wp-admin", "/.env", "/.git/config", "/phpmyadmin", "/backup.sql"] {
        status(&service, browser("203.0.113.2", "GET", path)).await;
    }
    assert_eq!(status(&service, browser("203.0.113.2", "GET", "/shop")).await, StatusCode::FORBIDDEN);
    let log = site.log(&waf, "aiwaf.log");
    assert_eq!(count(&log, "model_unusable"), 1, "{log}");
    assert!(log.contains("no model is used"), "{log}");
}

#[tokio::test]
async fn a_model_from_too_few_lines_is_only_used_by_force() {
    for (lines, force, minimum, stopped) in [
        (9_999, false, 10_000, false),
        (9_999, true, 10_000, true),
        (9_999, false, 100, true),
        (10_000, false, 10_000, true),
    ] {
        let site = Site::new();
        fs::create_dir(site.path("data")).unwrap();
        model(0.0, lines).save(site.path("data/model.aiwaf")).unwrap();
        let waf = build(&site, |settings| {
            settings.ai_anomaly.force_ai = force;
            settings.ai_anomaly.min_ai_logs = minimum;
        });
        assert_eq!(is_stopped(&waf, "203.0.113.1").await, stopped, "{lines} {force} {minimum}");
        let log = site.log(&waf, "aiwaf.log");
        assert_eq!(log.contains("min_ai_logs"), !stopped, "{log}");
    }
}

#[tokio::test]
async fn no_model_is_read_where_none_is_wanted() {
    for without_protection in [false, true] {
        let site = Site::new();
        fs::create_dir(site.path("data")).unwrap();
        model(0.0, 20_000).save(site.path("data/model.aiwaf")).unwrap();
        let waf = build(&site, |settings| {
            if without_protection {
                settings.protections.enabled = vec![Protection::Logging];
            } else {
                settings.ai_anomaly.model_path = "none".into();
            }
        });
        assert!(!is_stopped(&waf, "203.0.113.1").await);
        let log = site.log(&waf, "aiwaf.log");
        assert_eq!(log.matches("event=model").count(), 0, "{log}");
    }
}

/// Even with a model that finds everything strange.
#[tokio::test]
async fn ordinary_browsing_is_left_alone() {
    let site = Site::new();
    fs::create_dir(site.path("data")).unwrap();
    model(0.0, 20_000).save(site.path("data/model.aiwaf")).unwrap();
    let waf = build(&site, |_| ());
    let service = ServiceBuilder::new().layer(waf.layer()).service_fn(shop);
    for page in 0..50 {
        let page = status(&service, browser("203.0.113.1", "GET", &format!("/shop/item/{page}"))).await;
        assert_eq!(page, StatusCode::OK);
        // Each page asks for the same picture that is missing, and a visitor mistypes now and then.
        assert_eq!(status(&service, browser("203.0.113.1", "GET", "/logo.png")).await, StatusCode::NOT_FOUND);
    }
    for typo in ["/shpo", "/index.htm", "/contact-us"] {
        assert_eq!(status(&service, browser("203.0.113.1", "GET", typo)).await, StatusCode::NOT_FOUND);
    }
    assert_eq!(status(&service, browser("203.0.113.1", "GET", "/shop")).await, StatusCode::OK);
}
