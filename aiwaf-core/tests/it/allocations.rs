//! An allowed request costs no heap allocation once its client is known.

use std::time::Duration;

use aiwaf_core::{Engine, Outcome, Protection, Request, Timestamp};

const BROWSER: [(&str, &str); 6] = [
    ("host", "www.example.com"),
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("accept", "text/html,application/xhtml+xml"),
    ("accept-language", "en-US,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br"),
    ("connection", "keep-alive"),
];

fn allocations_of_an_allowed_get(engine: &Engine) -> u64 {
    let request = |second: u32| {
        Request::new([203, 0, 113, 9].into(), Timestamp::from_unix_seconds(1.7e9 + f64::from(second)))
            .with_method("GET")
            .with_uri("/Products/running-shoes?color=blue&page=2")
            .with_protocol("HTTP/1.1")
            .with_headers(&BROWSER)
    };
    // Two minutes of one request a second: what is remembered of the client has its final size.
    for second in 0..120 {
        assert!(engine.inspect(&request(second)).is_allowed());
        engine.observe(&request(second), &Outcome::new(200, Duration::from_millis(5)));
    }
    let measured = allocation_counter::measure(|| {
        for second in 120..180 {
            assert!(engine.inspect(&request(second)).is_allowed());
        }
    });
    measured.count_total
}

#[test]
fn an_allowed_clean_get_allocates_nothing() {
    for protection in Protection::ALL {
        let engine = Engine::builder().only([protection]).build().unwrap();
        assert_eq!(allocations_of_an_allowed_get(&engine), 0, "{protection}");
    }
    assert_eq!(allocations_of_an_allowed_get(&Engine::builder().build().unwrap()), 0, "all");
}
