//! What an adapter has to keep of a request's headers until the answer is there.

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

    fn visit(&self, _: &mut dyn FnMut(&str, &[u8])) {
        panic!("observing must not need all headers");
    }
}

#[test]
fn observing_reads_no_other_headers_than_it_says() {
    let engine = Engine::builder().build().unwrap();
    let mut names = BTreeSet::new();
    let form = "application/x-www-form-urlencoded";
    let heads: [&[(&str, &str)]; 6] = [
        &[],
        &[("accept", "text/html"), ("referer", "https://a.example/b"), ("host", "a.example")],
        &[("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-origin"), ("sec-fetch-dest", "document")],
        &[("content-type", form), ("origin", "https://a.example")],
        &[("content-type", form), ("accept", "*/*"), ("x-requested-with", "XMLHttpRequest")],
        &[("content-type", form), ("sec-fetch-mode", "cors"), ("sec-fetch-site", "cross-site")],
    ];
    for headers in heads {
        for (method, uri) in [("GET", "/"), ("POST", "/login"), ("GET", "/.env"), ("GET", "/items?uuid=7")] {
            for status in [200, 302, 404, 500] {
                let asked = Asked { headers, names: RefCell::default() };
                let request = Request::new([192, 0, 2, 1].into(), Timestamp::from_unix_seconds(1.7e9))
                    .with_method(method)
                    .with_uri(uri)
                    .with_headers(&asked);
                let outcome = Outcome::new(status, Duration::ZERO);
                engine.observe(&request, &outcome);
                let verdict = aiwaf_core::Verdict::allow(engine.enabled_protections());
                let _ = AccessRecord::from_request(&request, &outcome, &verdict);
                names.extend(asked.names.into_inner());
            }
        }
    }
    for name in &names {
        assert!(Engine::OBSERVED_HEADERS.contains(&name.as_str()), "{name} is read, but not said to be");
    }
    assert!(names.len() >= 8, "{names:?}");
}
