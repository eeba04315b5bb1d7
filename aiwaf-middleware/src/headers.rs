//! How the engine reads the headers of an HTTP request.

use aiwaf_core::{Engine, Headers};
use http::{HeaderMap, HeaderValue};
use smallvec::SmallVec;

/// The port of the engine over [`HeaderMap`].
pub(crate) struct HeaderView<'a>(pub(crate) &'a HeaderMap);

impl Headers for HeaderView<'_> {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(http::HeaderValue::as_bytes)
    }

    fn visit(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in self.0 {
            visit(name.as_str(), value.as_bytes());
        }
    }
}

/// The headers that matter after the answer. Keeping them counts references and copies no value.
#[derive(Default)]
pub(crate) struct KeptHeaders(SmallVec<[(&'static str, HeaderValue); Engine::OBSERVED_HEADERS.len()]>);

impl KeptHeaders {
    pub(crate) fn new(headers: &HeaderMap) -> Self {
        let observed = |name: &str| Engine::OBSERVED_HEADERS.into_iter().find(|observed| *observed == name);
        // Each of them counts by its first value, so no request can make this long.
        let mut kept = Self::default();
        for (name, value) in headers {
            if let Some(name) = observed(name.as_str())
                && !kept.0.iter().any(|(known, _)| *known == name)
            {
                kept.0.push((name, value.clone()));
            }
        }
        kept
    }
}

impl Headers for KeptHeaders {
    fn first(&self, name: &str) -> Option<&[u8]> {
        Headers::first(self.0.as_slice(), name)
    }

    fn visit(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        self.0.as_slice().visit(visit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_observed_is_kept_and_nothing_else() {
        let mut map = HeaderMap::new();
        map.append("user-agent", "a".parse().unwrap());
        map.append("user-agent", "b".parse().unwrap());
        map.append("Sec-Fetch-Mode", "navigate".parse().unwrap());
        map.append("authorization", "secret".parse().unwrap());
        let kept = KeptHeaders::new(&map);
        assert_eq!(kept.first("User-Agent"), Some(&b"a"[..]));
        assert_eq!(kept.first("sec-fetch-mode"), Some(&b"navigate"[..]));
        assert_eq!(kept.first("authorization"), None);
        assert_eq!(kept.0.len(), 2);
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
