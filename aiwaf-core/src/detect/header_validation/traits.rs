//! What the headers of one request look like, read in one pass.

use crate::request::Headers;

/// What matters about a request's headers. A header counts as there if it is not blank.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // independent observations, not states
pub(super) struct HeaderTraits {
    pub(super) version: Version,
    pub(super) user_agent: bool,
    pub(super) accept: bool,
    /// `Accept` is `*/*` and nothing else.
    pub(super) accept_anything: bool,
    pub(super) accept_language: bool,
    pub(super) accept_encoding: bool,
    pub(super) connection: bool,
    pub(super) connection_close: bool,
    keep_alive: bool,
    cache_control: bool,
    /// A proxy in front has left its mark.
    pub(super) proxied: bool,
    fetch_metadata: bool,
    websocket: bool,
    /// The body is JSON.
    pub(super) json_body: bool,
}

/// The version of HTTP, as far as it matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Version {
    Http10,
    /// Also where the adapter does not know.
    #[default]
    Http11,
    /// No `Connection` header; connections are kept open.
    Http2OrLater,
}

impl Version {
    pub(super) fn of(protocol: &str) -> Self {
        let number = protocol.rsplit('/').next().unwrap_or_default().trim_start_matches(['h', 'H']);
        match number.as_bytes() {
            [b'1', b'.', b'0'] => Self::Http10,
            [b'2' | b'3', ..] => Self::Http2OrLater,
            _ => Self::Http11,
        }
    }
}

impl HeaderTraits {
    pub(super) fn read(headers: &dyn Headers, version: Version) -> Self {
        let mut traits = Self { version, ..Self::default() };
        headers.visit(&mut |name, value| {
            // The names that matter are told from most others by their length.
            if matches!(name.len(), 3 | 6 | 7 | 9 | 10 | 12..=17) {
                traits.add(name, value.trim_ascii());
            }
        });
        traits
    }

    fn add(&mut self, name: &str, value: &[u8]) {
        if value.is_empty() {
            return;
        }
        let first = name.as_bytes().first().map(u8::to_ascii_lowercase);
        let is = |wanted: &str| first == wanted.bytes().next() && name.eq_ignore_ascii_case(wanted);
        // The length first: it tells most names apart, and this runs for every header of every request.
        match name.len() {
            3 => self.proxied |= is("via"),
            6 if is("accept") => self.add_accept(value),
            7 if is("upgrade") => self.websocket |= value.eq_ignore_ascii_case(b"websocket"),
            9 => self.proxied |= is("forwarded") || is("x-real-ip"),
            10 if is("user-agent") => self.user_agent = true,
            10 if is("connection") => {
                self.connection = true;
                self.keep_alive |= value.eq_ignore_ascii_case(b"keep-alive");
                self.connection_close |= value.eq_ignore_ascii_case(b"close");
            }
            12 if is("content-type") => self.json_body |= is_json(value),
            13 if is("cache-control") => self.cache_control = true,
            14 if is("sec-fetch-mode") => self.fetch_metadata = true,
            15 if is("accept-language") => self.accept_language = true,
            15 if is("accept-encoding") => self.accept_encoding = true,
            15 => self.proxied |= is("x-forwarded-for"),
            16 => self.proxied |= is("x-forwarded-host") || is("cf-connecting-ip"),
            17 => self.proxied |= is("x-forwarded-proto"),
            _ => {}
        }
    }

    fn add_accept(&mut self, value: &[u8]) {
        self.accept = true;
        self.accept_anything |= value == b"*/*";
    }

    /// Whether a browser may have left out `Accept`: it does so when it opens a WebSocket, in some requests that carry
    /// fetch metadata, and when it posts reports (network errors, attribution) on its own, which name languages and
    /// encodings all the same.
    pub(super) fn may_lack_accept(&self, method: &str) -> bool {
        self.websocket
            || self.fetch_metadata
            || (method == "POST" && self.json_body && self.accept_language && self.accept_encoding)
    }

    /// How much the headers look like those of a browser, from 0 to 10; one point more if [`names_pages`].
    ///
    /// HTTP/2 and later get the two points for the connection, because they can't say what it stands for.
    pub(super) fn quality_score(&self) -> u8 {
        let http2 = self.version == Version::Http2OrLater;
        [
            (self.user_agent, 2),
            (self.accept, 2),
            (self.accept_language, 1),
            (self.accept_encoding, 1),
            (self.connection || http2, 1),
            (self.cache_control, 1),
            (self.accept_language && self.accept_encoding, 1),
            (self.keep_alive || http2, 1),
        ]
        .into_iter()
        .filter_map(|(has, points)| has.then_some(points))
        .sum()
    }
}

/// Whether a media type is one of JSON: `application/json`, `application/reports+json; charset=utf-8`.
fn is_json(value: &[u8]) -> bool {
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    essence.len() > 4
        && essence.get(essence.len() - 4..).is_some_and(|end| end.eq_ignore_ascii_case(b"json"))
        && matches!(essence.get(essence.len() - 5), Some(b'/' | b'+'))
}

/// Whether an `Accept` names HTML and XML, as browsers do when they load a page.
pub(super) fn names_pages(accept: &[u8]) -> bool {
    holds_type(accept, b"text/html") && holds_type(accept, b"application/xml")
}

/// Whether a list of media types holds `wanted`.
fn holds_type(value: &[u8], wanted: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|part| {
        let essence = part.split(|byte| *byte == b';').next().unwrap_or_default();
        essence.trim_ascii().eq_ignore_ascii_case(wanted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart() {
        for (protocol, version) in [
            ("HTTP/1.0", Version::Http10),
            ("HTTP/1.1", Version::Http11),
            ("HTTP/2.0", Version::Http2OrLater),
            ("HTTP/2", Version::Http2OrLater),
            ("h3", Version::Http2OrLater),
            ("", Version::Http11),
            ("SMTP", Version::Http11),
        ] {
            assert_eq!(Version::of(protocol), version, "{protocol}");
        }
    }

    #[test]
    fn the_score_counts_what_browsers_send() {
        let headers = [
            ("User-Agent", "Mozilla/5.0"),
            ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
            ("Accept-Language", "de"),
            ("Accept-Encoding", "gzip"),
            ("Connection", "keep-alive"),
            ("Cache-Control", "max-age=0"),
        ];
        let score = |headers: &[(&str, &str)], version| {
            let headers: &dyn Headers = &headers.to_vec();
            HeaderTraits::read(headers, version).quality_score()
        };
        assert_eq!(score(&headers, Version::Http11), 10);
        assert_eq!(score(&headers[..4], Version::Http2OrLater), 9);
        assert_eq!(score(&headers[..2], Version::Http11), 4);
        assert_eq!(score(&[("user-agent", "x"), ("accept", " ")], Version::Http11), 2);
        assert_eq!(score(&[], Version::Http11), 0);
    }

    #[test]
    fn pages_are_html_and_xml() {
        for (accept, expected) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("application/xml , TEXT/HTML ;q=1", true),
            ("text/html", false),
            ("*/*", false),
            ("text/htmlx,application/xml", false),
        ] {
            assert_eq!(names_pages(accept.as_bytes()), expected, "{accept}");
        }
    }

    #[test]
    fn json_is_recognised_by_its_type() {
        for (value, expected) in [
            ("application/json", true),
            ("application/reports+json; charset=utf-8", true),
            ("Application/JSON ;charset=utf-8", true),
            ("json", false),
            ("application/x-json-not", false),
            ("text/xjson", false),
            ("", false),
        ] {
            assert_eq!(is_json(value.as_bytes()), expected, "{value}");
        }
    }
}
