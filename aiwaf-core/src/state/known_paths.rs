//! Which paths the site is known to answer.

use super::bounded_map::BoundedMap;
use super::text_hash::hash_text;
use crate::client::ClientKey;
use crate::detect::Observation;

/// The paths that the site has answered to several clients.
///
/// A path is known once two different clients got a 2xx or 3xx for a `GET` of it. One client alone can't make a path
/// known, however often it asks. Two addresses of one attacker can, but only a path that the site really answers;
/// what that gains is that *learned* keywords no longer count in it, which is right for a path that exists. Words
/// that are built in or that a person added don't depend on this.
///
/// A look-up costs one hash of the path and locks one shard of a bounded map.
pub(crate) struct KnownPaths {
    paths: BoundedMap<u64, Answered>,
}

struct Answered {
    first: ClientKey,
    several: bool,
}

impl KnownPaths {
    /// Remembers at most `capacity` paths (about 70 bytes each); those that nobody asks for go first.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { paths: BoundedMap::new(capacity) }
    }

    /// Takes note of an answer.
    pub(crate) fn observe(&self, observation: &Observation<'_>) {
        let inspection = &observation.inspection;
        self.note(inspection.path, inspection.request.method, observation.outcome.status, inspection.client);
    }

    /// Takes note that `client` got an answer of `status` for `path`, which is in normal form.
    pub(crate) fn note(&self, path: &[u8], method: &str, status: u16, client: ClientKey) {
        if method != "GET" || !(200..400).contains(&status) {
            return;
        }
        self.paths.update(
            hash_text(path),
            || Answered { first: client, several: false },
            |answered| answered.several |= answered.first != client,
        );
    }

    /// Whether several clients got an answer for `path`, which is in normal form.
    pub(crate) fn is_known(&self, path: &[u8]) -> bool {
        self.paths.get(&hash_text(path), |answered| answered.several).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::tests::{Exchange, client};

    #[test]
    fn two_clients_make_a_path_known_and_one_does_not() {
        let paths = KnownPaths::new(100);
        for _ in 0..10 {
            Exchange::get("/products").from(1).observe(200, |observation| paths.observe(observation));
        }
        assert!(!paths.is_known(b"/products"));
        Exchange::get("/products").from(2).observe(304, |observation| paths.observe(observation));
        assert!(paths.is_known(b"/products"));
        assert!(!paths.is_known(b"/product"));
        assert_ne!(client(1), client(2));
    }

    #[test]
    fn errors_and_other_methods_make_nothing_known() {
        let paths = KnownPaths::new(100);
        for number in 1..5 {
            Exchange::get("/shell").from(number).observe(404, |observation| paths.observe(observation));
            Exchange::post("/form").from(number).observe(200, |observation| paths.observe(observation));
        }
        assert!(!paths.is_known(b"/shell") && !paths.is_known(b"/form"));
    }

    #[test]
    fn one_client_cannot_push_out_what_is_asked_for() {
        let paths = KnownPaths::new(1024);
        for number in [1, 2] {
            Exchange::get("/home").from(number).observe(200, |observation| paths.observe(observation));
        }
        for filler in 0..4000 {
            let path = format!("/search/{filler}");
            Exchange::get(&path).from(3).observe(200, |observation| paths.observe(observation));
            assert!(paths.is_known(b"/home"), "{filler}");
        }
    }
}
