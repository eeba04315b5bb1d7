//! The headers that an adapter has to keep until the response is there.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use aiwaf_core::{AccessRecord, Engine, Headers, Outcome, Request, Timestamp};

/// Headers that take note of what they are asked for.
struct Asked<'a> {
    headers: &'a [(&'a str, &'a str)],
    names: RefCell<BTreeSet<String>>,
}

impl Headers for Asked<'_> {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.names.borrow_mut().insert(name.to_owned());
        Headers::first(self.headers, name)
    }

    fn visit<'h>(&'h self, _: &mut dyn FnMut(&'h str, &'h [u8])) {
        panic!("the response phase must not need all headers");
    }
}

#[test]
fn response_phase_and_log_read_no_other_headers_than_they_say() {
    let engine = Engine::builder().build().unwrap();
    let mut names = BTreeSet::new();
    let headers: &[(&str, &str)] = &[
        ("accept", "text/html"),
        ("referer", "https://a.example/b"),
        ("host", "a.example"),
        ("user-agent", "x"),
    ];
    for (number, (method, uri)) in
        (0..).zip([("GET", "/"), ("POST", "/login"), ("GET", "/.svn"), ("GET", "/items?uuid=7")])
    {
        for status in [200, 302, 404, 500] {
            let asked = Asked { headers, names: RefCell::default() };
            let head = Request::new([192, 0, 2, number].into(), Timestamp::from_unix_seconds(1.7e9))
                .with_method(method)
                .with_uri(uri);
            let mut transaction = engine.begin(&head);
            engine.request_head(&mut transaction, &head);
            let request = head.with_headers(&asked);
            let outcome = Outcome::new(status, Duration::ZERO);
            engine.response(&mut transaction, &request, &outcome);
            assert!(asked.names.borrow().is_empty(), "the response phase needs no headers");
            let _ = AccessRecord::from_request(&request, &outcome, transaction.verdict());
            names.extend(asked.names.into_inner());
        }
    }
    assert_eq!(names, BTreeSet::from(AccessRecord::HEADERS.map(str::to_owned)));
}
