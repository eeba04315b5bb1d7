//! How the engine reads the headers of an HTTP request.

use aiwaf_core::Headers;
use http::HeaderMap;

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

#[cfg(test)]
mod tests {
    use super::*;

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
