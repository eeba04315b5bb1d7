//! What the headers of one request say about the sender: four observations for every request, all others on demand.

use crate::request::Headers;

use super::agent::{AgentJudge, Judgement};

/// The headers that nearly every browser request has, and the judgement of the user agent.
///
/// It is read for every request, so it looks at nothing else: of most headers only the length of the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // independent observations, not states
pub(super) struct Essentials {
    /// The strictest judgement of all user agents; HTTP allows one.
    pub(super) judgement: Judgement,
    pub(super) accept: bool,
    pub(super) accept_language: bool,
    pub(super) accept_encoding: bool,
}

impl Essentials {
    /// Reads the headers in one pass. A header counts as present if it is not blank.
    pub(super) fn read(headers: &dyn Headers, agents: &AgentJudge) -> Self {
        let mut found = Self {
            judgement: Judgement::Missing,
            accept: false,
            accept_language: false,
            accept_encoding: false,
        };
        // The length alone rejects most headers. The judge is called apart from the rest, which calls nothing.
        headers.visit(&mut |name, value| match name.len() {
            6 | 15 => found.add(name.as_bytes(), value),
            10 if is_long_name(name.as_bytes(), *b"user-age", *b"er-agent") => {
                found.add_agent(agents, value);
            }
            _ => {}
        });
        found
    }

    fn add(&mut self, name: &[u8], value: &[u8]) {
        if is_short_name(name, *b"acce", *b"cept") && name.len() == 6 {
            self.accept |= !is_blank(value);
        } else if is_long_name(name, *b"accept-l", *b"language") {
            self.accept_language |= !is_blank(value);
        } else if is_long_name(name, *b"accept-e", *b"encoding") {
            self.accept_encoding |= !is_blank(value);
        }
    }

    #[inline(never)]
    fn add_agent(&mut self, agents: &AgentJudge, value: &[u8]) {
        let agent = value.trim_ascii();
        if !agent.is_empty() {
            self.judgement = self.judgement.max(agents.judge(agent));
        }
    }

    /// Reports whether everything is there that the checks of browsers look for.
    pub(super) fn is_complete_browser(self) -> bool {
        self.judgement.expects_browser_headers()
            && self.judgement != Judgement::Missing
            && self.accept
            && self.accept_language
            && self.accept_encoding
    }
}

/// Bit 5 of each byte. It makes letters lower case and leaves the digits and dashes of names as they are; it also maps
/// some control characters to dashes, but those occur in no name.
const LOWER: u64 = 0x2020_2020_2020_2020;

/// Compares the first and the last eight bytes of a header name, which overlap, with `start` and `end` in lower case.
fn is_long_name(name: &[u8], start: [u8; 8], end: [u8; 8]) -> bool {
    let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) else { return false };
    u64::from_le_bytes(*first) | LOWER == u64::from_le_bytes(start)
        && u64::from_le_bytes(*last) | LOWER == u64::from_le_bytes(end)
}

/// Compares the first and the last four bytes of a header name, as [`is_long_name`] does.
fn is_short_name(name: &[u8], start: [u8; 4], end: [u8; 4]) -> bool {
    let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) else { return false };
    let lower = |bytes: [u8; 4]| u64::from(u32::from_le_bytes(bytes)) | (LOWER >> 32);
    lower(*first) == lower(start) && lower(*last) == lower(end)
}

fn is_blank(value: &[u8]) -> bool {
    value.iter().all(u8::is_ascii_whitespace)
}

/// Everything else that matters about a request's headers. A header counts as present if it is not blank.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // independent observations, not states
pub(super) struct HeaderTraits {
    pub(super) version: Version,
    pub(super) user_agent: bool,
    pub(super) accept: bool,
    /// `Accept` is `*/*` and nothing else.
    pub(super) accept_anything: bool,
    /// `Accept` is missing or admits HTML, as in the request of a page.
    pub(super) accepts_page: bool,
    /// `Accept` names HTML and XML, as browsers do when they load a page.
    names_page: bool,
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
    /// The body is JSON or XML.
    pub(super) data_body: bool,
    /// A credential of a program, or a signature: neither proves anything here, but page loads carry none.
    pub(super) credentials: bool,
    pub(super) cookie: bool,
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
        // Nearly all requests name one of these.
        match protocol {
            "HTTP/1.1" => return Self::Http11,
            "HTTP/2.0" => return Self::Http2OrLater,
            _ => {}
        }
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
        let mut traits = Self { version, accepts_page: true, ..Self::default() };
        headers.visit(&mut |name, value| {
            let value = value.trim_ascii();
            if !value.is_empty() {
                traits.add(name, value);
            }
        });
        traits
    }

    fn add(&mut self, name: &str, value: &[u8]) {
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
        self.credentials |= is_credential(name);
        match name.len() {
            3 => self.proxied |= is("via"),
            6 if is("accept") => self.add_accept(value),
            6 if is("cookie") => self.cookie = true,
            7 if is("upgrade") => self.websocket |= value.eq_ignore_ascii_case(b"websocket"),
            9 => self.proxied |= is("forwarded") || is("x-real-ip"),
            10 if is("user-agent") => self.user_agent = true,
            10 if is("connection") => {
                self.connection = true;
                self.keep_alive |= value.eq_ignore_ascii_case(b"keep-alive");
                self.connection_close |= value.eq_ignore_ascii_case(b"close");
            }
            12 if is("content-type") => self.data_body |= is_data(value),
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
        let (mut html, mut xml, mut anything, mut data) = (false, false, false, false);
        for part in value.split(|byte| *byte == b',') {
            let essence = essence(part);
            let is = |wanted: &[u8]| essence.eq_ignore_ascii_case(wanted);
            html |= is(b"text/html");
            xml |= is(b"application/xml");
            anything |= is(b"*/*") || is(b"text/*") || is(b"*");
            data |= has_suffix(essence, b"json") || has_suffix(essence, b"proto") || is(b"text/event-stream");
        }
        // Programs that also take XML, such as feed readers, are told by the absence of HTML.
        self.accepts_page = html || (anything && !data && !xml);
        self.names_page |= html && xml;
    }

    /// Reports whether the request may lack `Accept`. Browsers leave it out when they open a WebSocket, in some requests
    /// with fetch metadata, and when they post reports (network errors, attribution) and update checks on their own.
    pub(super) fn may_lack_accept(&self, method: &str) -> bool {
        self.websocket
            || self.fetch_metadata
            || self.credentials
            || (method == "POST" && self.data_body && self.accept_encoding)
    }

    /// How much the headers look like those of a browser, from 0 to 11.
    ///
    /// HTTP/2 and later get the two points for the connection, because they have no such header.
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
            (self.names_page, 1),
        ]
        .into_iter()
        .filter_map(|(has, points)| has.then_some(points))
        .sum()
    }
}

/// Reports whether a header carries the credential of a program or a signature: `Authorization`, `X-Api-Key`,
/// `Private-Token`, `X-Hub-Signature-256`, `Stripe-Signature`, `X-Shopify-Hmac-Sha256`, `Paypal-Transmission-Sig`.
fn is_credential(name: &str) -> bool {
    if matches!(name.len(), 13 | 6 | 7)
        && ["authorization", "api-key", "apikey"].into_iter().any(|n| n.eq_ignore_ascii_case(name))
    {
        return true;
    }
    // The tokens against forged forms come from pages, not from programs.
    let mut words = name.split(['-', '_']).filter(|word| !word.eq_ignore_ascii_case("x"));
    let is_page_token = words.clone().any(|word| {
        ["csrf", "xsrf", "csrftoken", "xsrftoken", "sec"]
            .into_iter()
            .any(|known| known.eq_ignore_ascii_case(word))
    });
    !is_page_token
        && words.any(|word| {
            ["signature", "sig", "hmac", "token", "apikey", "authkey"]
                .into_iter()
                .any(|known| known.eq_ignore_ascii_case(word))
        })
        || (name.len() >= 8
            && name.get(name.len() - 8..).is_some_and(|end| end.eq_ignore_ascii_case("-api-key")))
}

/// The media type without its parameters.
fn essence(value: &[u8]) -> &[u8] {
    value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}

/// Reports whether a media type is `wanted` or a structured form of it: `application/json`, `application/reports+json`.
fn has_suffix(essence: &[u8], wanted: &[u8]) -> bool {
    let Some(start) = essence.len().checked_sub(wanted.len()) else { return false };
    essence.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(wanted))
        && start.checked_sub(1).is_some_and(|at| matches!(essence.get(at), Some(b'/' | b'+')))
}

/// Reports whether a media type is one that programs exchange.
fn is_data(content_type: &[u8]) -> bool {
    let essence = essence(content_type);
    [&b"json"[..], b"xml", b"proto", b"cbor", b"grpc"].into_iter().any(|kind| has_suffix(essence, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traits(headers: &[(&str, &str)]) -> HeaderTraits {
        HeaderTraits::read(&headers.to_vec(), Version::Http11)
    }

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
    fn essentials_are_found_in_any_case() {
        let agents = AgentJudge::new(&[], &[]).unwrap();
        let read = |headers: &[(&str, &str)]| Essentials::read(&headers.to_vec(), &agents);
        let names = ["user-agent", "accept", "accept-language", "accept-encoding"];
        let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
        let lower: Vec<(&str, &str)> = names.iter().map(|name| (*name, agent)).collect();
        assert!(read(&lower).is_complete_browser());
        let upper = names.map(str::to_uppercase);
        let upper: Vec<(&str, &str)> = upper.iter().map(|name| (&**name, agent)).collect();
        assert!(read(&upper).is_complete_browser());
        for missing in 0..names.len() {
            let mut others = lower.clone();
            others[missing].1 = " ";
            assert!(!read(&others).is_complete_browser(), "{missing}");
        }
        let close = [
            ("user-agenu", agent),
            ("connection", agent),
            ("cookie", "a"),
            ("accepu", "a"),
            ("x-forwarded-for", "a"),
            ("accept-languagf", "a"),
            ("accept-encodinh", "a"),
        ];
        assert_eq!(read(&close), read(&[]));
    }

    #[test]
    fn score_counts_what_browsers_send() {
        let headers = [
            ("User-Agent", "Mozilla/5.0"),
            ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
            ("Accept-Language", "de"),
            ("Accept-Encoding", "gzip"),
            ("Connection", "keep-alive"),
            ("Cache-Control", "max-age=0"),
        ];
        let score = |headers: &[(&str, &str)], version| {
            HeaderTraits::read(&headers.to_vec(), version).quality_score()
        };
        assert_eq!(score(&headers, Version::Http11), 11);
        assert_eq!(score(&headers[..4], Version::Http2OrLater), 10);
        assert_eq!(score(&headers[..2], Version::Http11), 5);
        assert_eq!(score(&[("user-agent", "x"), ("accept", " ")], Version::Http11), 2);
        assert_eq!(score(&[], Version::Http11), 0);
    }

    #[test]
    fn pages_are_html_or_anything() {
        for (accept, expected) in [
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("TEXT/HTML ;q=1", true),
            ("*/*", true),
            ("*/*;q=0.8", true),
            ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", true),
            ("application/json", false),
            ("application/json, text/plain, */*", false),
            ("application/vnd.github+json, */*", false),
            ("application/rss+xml, application/xml;q=0.9, */*;q=0.1", false),
            ("image/png", false),
        ] {
            assert_eq!(traits(&[("Accept", accept)]).accepts_page, expected, "{accept}");
        }
        assert!(traits(&[]).accepts_page);
    }

    #[test]
    fn data_bodies_are_told_by_type() {
        for (value, expected) in [
            ("application/json", true),
            ("application/reports+json; charset=utf-8", true),
            ("Application/JSON ;charset=utf-8", true),
            ("text/xml; charset=utf-8", true),
            ("application/soap+xml", true),
            ("application/grpc", true),
            ("json", false),
            ("application/x-json-not", false),
            ("text/xjson", false),
            ("application/x-www-form-urlencoded", false),
            ("", false),
        ] {
            assert_eq!(traits(&[("Content-Type", value)]).data_body, expected, "{value}");
        }
    }

    #[test]
    fn credentials_are_told_by_name() {
        for (name, expected) in [
            ("Authorization", true),
            ("X-Api-Key", true),
            ("apikey", true),
            ("Api-Key", true),
            ("DD-API-KEY", true),
            ("Private-Token", true),
            ("X-Auth-Token", true),
            ("X-Hub-Signature-256", true),
            ("Stripe-Signature", true),
            ("X-Slack-Signature", true),
            ("X-Twilio-Signature", true),
            ("X-Shopify-Hmac-Sha256", true),
            ("Paypal-Transmission-Sig", true),
            ("X-Gitlab-Token", true),
            ("X-CSRF-Token", false),
            ("X-XSRF-TOKEN", false),
            ("Accept", false),
            ("Sec-Fetch-Mode", false),
            ("Sec-WebSocket-Key", false),
            ("X-Requested-With", false),
            ("Tokenizer", false),
        ] {
            assert_eq!(traits(&[(name, "x")]).credentials, expected, "{name}");
        }
        assert!(!traits(&[("Authorization", " ")]).credentials);
    }
}
