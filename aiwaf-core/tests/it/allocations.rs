//! Neither an allowed request of a known client nor one of a banned client costs a heap allocation.

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
    let exchange = |second: u32| {
        let request = request(second);
        let mut transaction = engine.begin(&request);
        engine.request_head(&mut transaction, &request);
        assert!(transaction.is_allowed());
        engine.response(&mut transaction, &request, &Outcome::new(200, Duration::from_millis(5)));
    };
    // Two minutes of one request a second: what is remembered of the client has its final size.
    (0..120).for_each(exchange);
    allocation_counter::measure(|| (120..180).for_each(exchange)).count_total
}

#[test]
fn an_allowed_clean_get_allocates_nothing() {
    for protection in Protection::ALL {
        let engine = Engine::builder().only([protection]).build().unwrap();
        assert_eq!(allocations_of_an_allowed_get(&engine), 0, "{protection}");
    }
    assert_eq!(allocations_of_an_allowed_get(&Engine::builder().build().unwrap()), 0, "all");
}

#[test]
fn blocked_client_allocates_nothing() {
    let engine = crate::visit::strict();
    let now = Timestamp::from_unix_seconds(1.7e9);
    let request = Request::new([203, 0, 113, 9].into(), now).with_method("GET").with_headers(&BROWSER);
    assert!(engine.inspect(&request.with_uri("/.env")).ban.is_some());
    let measured = allocation_counter::measure(|| {
        for _ in 0..10 {
            assert!(!engine.inspect(&request.with_uri("/Products/running-shoes")).is_allowed());
        }
    });
    assert_eq!(measured.count_total, 0);
}
