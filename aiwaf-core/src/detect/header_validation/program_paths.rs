//! Paths that programs ask for rather than browsers.

/// Path segments of interfaces for programs.
const SEGMENTS: [&[u8]; 15] = [
    b"api",
    b"apis",
    b"rest",
    b"graphql",
    b"rpc",
    b"jsonrpc",
    b"hook",
    b"hooks",
    b"webhook",
    b"webhooks",
    b"callback",
    b"feed",
    b"feeds",
    b"rss",
    b"atom",
];

/// Extensions of documents for programs.
const EXTENSIONS: [&[u8]; 6] = [b"json", b"xml", b"rss", b"atom", b"ics", b"txt"];

/// Reports whether `path`, in normal form, belongs to an API, a webhook or a feed: by a segment (`/api/items`,
/// `/v2/items`) or by its extension (`/items.json`).
pub(super) fn is_for_programs(path: &[u8]) -> bool {
    let is_interface = |segment: &[u8]| SEGMENTS.contains(&segment) || is_version(segment);
    let last = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let extension = last.iter().rposition(|byte| *byte == b'.').and_then(|dot| last.get(dot + 1..));
    path.split(|byte| *byte == b'/').any(is_interface)
        || extension.is_some_and(|extension| EXTENSIONS.contains(&extension))
}

/// `v1` to `v99`.
fn is_version(segment: &[u8]) -> bool {
    matches!(segment, [b'v', b'1'..=b'9'])
        || matches!(segment, [b'v', b'1'..=b'9', digit] if digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_told_from_pages() {
        for path in
            ["/api", "/api/items", "/shop/rest/x", "/v1/users", "/v12", "/hooks/1", "/blog/feed/", "/a.json"]
        {
            assert!(is_for_programs(path.as_bytes()), "{path}");
        }
        for path in [
            "",
            "/",
            "/apis-explained",
            "/search",
            "/v/1",
            "/v123",
            "/vb",
            "/index.php",
            "/json",
            "/a.json/b",
        ] {
            assert!(!is_for_programs(path.as_bytes()), "{path}");
        }
    }
}
