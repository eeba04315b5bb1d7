//! How the engine reads the headers of an HTTP request.

use aiwaf_core::{AccessRecord, Headers};
use http::{HeaderMap, HeaderValue};

/// The port of the engine over [`HeaderMap`].
pub(crate) struct HeaderView<'a>(pub(crate) &'a HeaderMap);

impl Headers for HeaderView<'_> {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(http::HeaderValue::as_bytes)
    }

    fn visit<'h>(&'h self, visit: &mut dyn FnMut(&'h str, &'h [u8])) {
        for (name, value) in self.0 {
            visit(name.as_str(), value.as_bytes());
        }
    }
}

/// The headers that the log needs when the response is there. Keeping them counts references and copies no value.
#[derive(Default)]
pub(crate) struct LoggedHeaders([Option<HeaderValue>; AccessRecord::HEADERS.len()]);

impl LoggedHeaders {
    pub(crate) fn new(headers: &HeaderMap) -> Self {
        Self(AccessRecord::HEADERS.map(|name| headers.get(name).cloned()))
    }

    fn iter(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        AccessRecord::HEADERS
            .into_iter()
            .zip(&self.0)
            .filter_map(|(name, value)| Some((name, value.as_ref()?.as_bytes())))
    }
}

impl Headers for LoggedHeaders {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn visit<'h>(&'h self, visit: &mut dyn FnMut(&'h str, &'h [u8])) {
        for (name, value) in self.iter() {
            visit(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logged_headers_are_kept_and_no_others() {
        let mut map = HeaderMap::new();
        map.append("user-agent", "a".parse().unwrap());
        map.append("user-agent", "b".parse().unwrap());
        map.append("authorization", "secret".parse().unwrap());
        let kept = LoggedHeaders::new(&map);
        assert_eq!(kept.first("User-Agent"), Some(&b"a"[..]));
        assert_eq!(kept.first("referer"), None);
        assert_eq!(kept.first("authorization"), None);
        assert_eq!(kept.iter().count(), 1);
    }

    #[test]
    fn repeated_headers_come_repeatedly() {
        let mut map = HeaderMap::new();
        map.append("accept", "a".parse().unwrap());
        map.append("accept", http::HeaderValue::from_bytes(b"\xff").unwrap());
        let view = HeaderView(&map);
        assert_eq!(view.first("Accept"), Some(&b"a"[..]));
        assert_eq!(view.first("no such\nname"), None);
        let mut seen = Vec::new();
        view.visit(&mut |name, value| seen.push((name.to_owned(), value.to_vec())));
        assert_eq!(seen, [("accept".to_owned(), b"a".to_vec()), ("accept".to_owned(), b"\xff".to_vec())]);
    }
}
