//! The paths that the site is known to answer.

use crate::client::ClientKey;
use crate::state::BoundedMap;

/// The paths that the site has answered, by the hash of their normal form: one record for each.
///
/// A path is known once two different clients got a 2xx or 3xx for a `GET` of it. One client alone can't make a path
/// known, however often it asks. Two addresses of one attacker can, but only a path that the site really answers;
/// what that gains is that *learned* keywords no longer count in it, which is right for a path that exists. Words
/// that are built in or that a person added don't depend on this.
///
/// A look-up locks one shard of a bounded map.
pub(crate) struct SitePaths {
    paths: BoundedMap<u64, Answered>,
}

#[derive(Default)]
struct Answered {
    /// The client that first got an answer.
    first: Option<ClientKey>,
    several: bool,
    shows_page: bool,
}

impl SitePaths {
    /// Remembers at most `capacity` paths (about 70 bytes each); those that nobody requests go first.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { paths: BoundedMap::new(capacity) }
    }

    /// Notes that `client` got an answer for the path with this hash: with a status of 2xx or 3xx to a `GET` if
    /// `is_success`, as a page that a person sees if `shows_page`. Reports whether it is the first success of this path.
    pub(crate) fn note(&self, path: u64, client: ClientKey, is_success: bool, shows_page: bool) -> bool {
        if !is_success && !shows_page {
            return false;
        }
        self.paths.update(path, Answered::default, |answered| {
            answered.shows_page |= shows_page;
            if !is_success {
                return false;
            }
            match answered.first {
                None => answered.first = Some(client),
                Some(first) => answered.several |= first != client,
            }
            answered.first == Some(client) && !answered.several
        })
    }

    /// Reports whether several clients got an answer for the path with this hash.
    pub(crate) fn is_known(&self, path: u64) -> bool {
        self.paths.get(&path, |answered| answered.several).unwrap_or(false)
    }

    /// Reports whether anybody was shown a page under the path with this hash.
    pub(crate) fn shows_page(&self, path: u64) -> bool {
        self.paths.get(&path, |answered| answered.shows_page).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn client(number: u32) -> ClientKey {
        ClientKey::new(Ipv4Addr::from(number).into(), 64)
    }

    #[test]
    fn two_clients_make_a_path_known_and_one_does_not() {
        let paths = SitePaths::new(100);
        for _ in 0..10 {
            paths.note(7, client(1), true, false);
        }
        assert!(!paths.is_known(7));
        assert!(!paths.note(7, client(2), true, false));
        assert!(paths.is_known(7));
        assert!(!paths.is_known(8));
    }

    #[test]
    fn pages_without_success_are_pages_and_make_nothing_known() {
        let paths = SitePaths::new(100);
        for number in 1..5 {
            paths.note(7, client(number), false, true);
            paths.note(8, client(number), false, false);
        }
        assert!(paths.shows_page(7) && !paths.is_known(7));
        assert!(!paths.shows_page(8));
        assert!(paths.note(7, client(9), true, false), "its first success");
    }

    #[test]
    fn one_client_cannot_push_out_what_is_requested() {
        let paths = SitePaths::new(1024);
        paths.note(0, client(1), true, false);
        paths.note(0, client(2), true, false);
        for filler in 1..4000 {
            paths.note(filler, client(3), true, false);
            assert!(paths.is_known(0), "{filler}");
        }
    }
}
