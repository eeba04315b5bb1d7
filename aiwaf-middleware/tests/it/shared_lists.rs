//! Lists that others change while requests run.

use std::time::{Duration, Instant};

use aiwaf_storage::{Manager, open, system_clock};
use http::StatusCode;
use tower::ServiceBuilder;

use crate::support::{Site, browser, hello, status};

#[tokio::test]
async fn what_another_process_bans_and_pardons_is_in_force_while_requests_run() {
    let site = Site::new();
    let stores = [
        Some(format!("csv:{}", site.path("shared").display())),
        cfg!(feature = "sqlite").then(|| format!("sqlite:{}", site.path("shared.db").display())),
    ];
    for url in stores.into_iter().flatten() {
        let waf = site.builder(|_| ()).store(open(&url).unwrap()).build().unwrap();
        let service = ServiceBuilder::new().layer(waf.layer()).service_fn(hello);
        let other = Manager::new(open(&url).unwrap());
        let mut number = 0u32;
        for expected in [StatusCode::FORBIDDEN, StatusCode::OK] {
            let changed = match expected {
                StatusCode::FORBIDDEN => other.add_to_blacklist("203.0.113.0/24", "incident", system_clock()),
                _ => other.remove_from_blacklist("203.0.113.0/24"),
            };
            assert!(changed.unwrap());
            // Far longer than it takes, for the machine may be busy.
            let until = Instant::now() + Duration::from_secs(20);
            loop {
                number += 1;
                // Each time somebody else, so that nobody asks too often.
                let visitor = format!("198.18.{}.{}", number / 256, number % 256);
                assert_eq!(status(&service, browser(&visitor, "GET", "/")).await, StatusCode::OK);
                let suspect = format!("203.0.113.{}", number % 256);
                if status(&service, browser(&suspect, "GET", "/")).await == expected {
                    break;
                }
                assert!(Instant::now() < until, "{expected} in {url}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        waf.shutdown().unwrap();
    }
}
