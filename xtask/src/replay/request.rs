//! A request as a line of a file, and the bytes that it is on the wire.

use std::fmt;

use base64::Engine as _;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

/// One line: only `uri` is required, and fields that are not named here are not read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RecordedRequest {
    /// What the line is called.
    pub(super) id: String,
    /// Where it is from; the file's name if it is missing.
    pub(super) source: String,
    /// Which kind of request it is.
    pub(super) category: String,
    /// `attack` or `benign`.
    pub(super) label: String,
    /// Who sent it.
    pub(super) client_ip: Option<std::net::IpAddr>,
    method: Option<String>,
    uri: Option<String>,
    /// `latin1` if `uri` names bytes by the characters of that encoding.
    uri_encoding: Option<Encoding>,
    protocol: Option<String>,
    headers: HeaderFields,
    /// Instead of `headers`: pairs in their order.
    headers_list: Vec<(String, String)>,
    body: Option<String>,
    body_base64: Option<String>,
    /// As `uri_encoding`.
    body_encoding: Option<Encoding>,
}

/// How the text of a field stands for bytes that are no UTF-8.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Latin1,
}

/// Why a line can't be sent as one HTTP/1.1 request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotSendable {
    #[error("it has no uri")]
    NoUri,
    #[error("the method {0:?} is no HTTP token")]
    Method(String),
    #[error("{0:?} is no name of a header")]
    HeaderName(String),
    #[error("the header {0} holds a line break or NUL")]
    HeaderValue(String),
    #[error("body_base64 is no base64")]
    Base64,
    #[error("{0} is not in latin1, though it says so")]
    Latin1(&'static str),
}

/// Headers that belong to the connection on which a request was once sent, not to the request.
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers by which a proxy says whom it forwards for.
const FORWARDING: &[&str] = &["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip"];

impl RecordedRequest {
    pub(super) fn is_head(&self) -> bool {
        self.method.as_deref() == Some("HEAD")
    }

    /// The bytes of this request for the server called `authority`. With `client`, it is forwarded for that address,
    /// and nothing else says for whom.
    ///
    /// Method, target, headers and body are sent as they are, in their order, except for what would make them
    /// another number of requests: space and control characters of the target are percent-encoded, headers of the
    /// connection are dropped, and `Content-Length` and `Connection` are set. `Host` is only set if it is missing.
    pub(super) fn to_wire(&self, authority: &str, client: Option<&str>) -> Result<Vec<u8>, NotSendable> {
        let body = self.body()?;
        let method = self.method.as_deref().unwrap_or(if body.is_empty() { "GET" } else { "POST" });
        if !is_token(method) {
            return Err(NotSendable::Method(method.to_owned()));
        }
        let protocol = match self.protocol.as_deref() {
            Some("HTTP/1.0") => "HTTP/1.0",
            _ => "HTTP/1.1",
        };
        let mut wire = method.as_bytes().to_vec();
        wire.push(b' ');
        push_target(&mut wire, &self.target()?);
        wire.extend_from_slice(format!(" {protocol}\r\n").as_bytes());

        let from_map = self.headers.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let from_list = self.headers_list.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let headers: Vec<_> =
            if self.headers_list.is_empty() { from_map.collect() } else { from_list.collect() };
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            push_header(&mut wire, "Host", authority)?;
        }
        for (name, value) in headers {
            let is_one_of = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
            let is_replaced = is_one_of(HOP_BY_HOP) || client.is_some() && is_one_of(FORWARDING);
            if !is_replaced {
                push_header(&mut wire, name, value)?;
            }
        }
        if let Some(client) = client {
            push_header(&mut wire, "X-Forwarded-For", client)?;
        }
        if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
            push_header(&mut wire, "Content-Length", &body.len().to_string())?;
        }
        push_header(&mut wire, "Connection", if protocol == "HTTP/1.0" { "close" } else { "keep-alive" })?;
        wire.extend_from_slice(b"\r\n");
        wire.extend_from_slice(&body);
        Ok(wire)
    }

    fn target(&self) -> Result<Vec<u8>, NotSendable> {
        let uri = self.uri.as_deref().ok_or(NotSendable::NoUri)?;
        bytes(uri, self.uri_encoding, "uri")
    }

    fn body(&self) -> Result<Vec<u8>, NotSendable> {
        match (&self.body_base64, &self.body) {
            (Some(encoded), _) => {
                base64::engine::general_purpose::STANDARD.decode(encoded).map_err(|_| NotSendable::Base64)
            }
            (None, Some(text)) => bytes(text, self.body_encoding, "body"),
            (None, None) => Ok(Vec::new()),
        }
    }
}

fn bytes(text: &str, encoding: Option<Encoding>, field: &'static str) -> Result<Vec<u8>, NotSendable> {
    match encoding {
        None => Ok(text.as_bytes().to_vec()),
        Some(Encoding::Latin1) => text
            .chars()
            .map(|character| u8::try_from(u32::from(character)).map_err(|_| NotSendable::Latin1(field)))
            .collect(),
    }
}

fn push_target(wire: &mut Vec<u8>, target: &[u8]) {
    if target.is_empty() {
        wire.push(b'/');
    }
    for &byte in target {
        if byte <= b' ' || byte == 0x7f {
            wire.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            wire.push(byte);
        }
    }
}

fn push_header(wire: &mut Vec<u8>, name: &str, value: &str) -> Result<(), NotSendable> {
    if !is_token(name) {
        return Err(NotSendable::HeaderName(name.to_owned()));
    }
    if value.contains(['\r', '\n', '\0']) {
        return Err(NotSendable::HeaderValue(name.to_owned()));
    }
    wire.extend_from_slice(name.as_bytes());
    wire.extend_from_slice(b": ");
    wire.extend_from_slice(value.as_bytes());
    wire.extend_from_slice(b"\r\n");
    Ok(())
}

/// A token as RFC 9110 has it.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Headers in their order; one that is a list stands there as often.
#[derive(Debug, Default)]
struct HeaderFields(Vec<(String, String)>);

impl<'de> Deserialize<'de> for HeaderFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = HeaderFields;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of headers, each a text or a list of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<HeaderFields, A::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum OneOrMany {
            One(String),
            Number(serde_json::Number),
            Many(Vec<String>),
        }

        let mut fields = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, OneOrMany>()? {
            match value {
                OneOrMany::One(value) => fields.push((name, value)),
                OneOrMany::Number(number) => fields.push((name, number.to_string())),
                OneOrMany::Many(values) => {
                    fields.extend(values.into_iter().map(|value| (name.clone(), value)));
                }
            }
        }
        Ok(HeaderFields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_may_be_a_number() {
        let request: serde_json::Value =
            serde_json::json!({"uri": "/", "headers": {"Upgrade-Insecure-Requests": 1}});
        let fields: HeaderFields = serde_json::from_value(request["headers"].clone()).unwrap();
        assert_eq!(fields.0, [("Upgrade-Insecure-Requests".to_owned(), "1".to_owned())]);
    }

    fn wire(line: &str, client: Option<&str>) -> Result<Vec<u8>, NotSendable> {
        serde_json::from_str::<RecordedRequest>(line).unwrap().to_wire("127.0.0.1:1", client)
    }

    #[test]
    fn what_is_missing_is_filled_in() {
        assert_eq!(
            wire(r#"{"uri":"/a"}"#, None).unwrap(),
            b"GET /a HTTP/1.1\r\nHost: 127.0.0.1:1\r\nConnection: keep-alive\r\n\r\n"
        );
    }

    #[test]
    fn odd_targets_are_sent_as_they_are_in_one_line() {
        for (uri, sent) in [
            ("/a/../%2e%2E//b;c?x=%%&y='<>", "/a/../%2e%2E//b;c?x=%%&y='<>"),
            (r"/a b\r\nX: y\u0000\u007f", "/a%20b%0D%0AX:%20y%00%7F"),
            ("/ä", "/ä"),
            ("", "/"),
            ("http://example.com/x", "http://example.com/x"),
            ("*", "*"),
        ] {
            let wire = wire(&format!(r#"{{"uri":"{uri}"}}"#), None).unwrap();
            let line = wire.split(|byte| *byte == b'\r').next().unwrap();
            assert_eq!(String::from_utf8_lossy(line), format!("GET {sent} HTTP/1.1"));
        }
        let latin1 = wire(r#"{"uri":"/ä","uri_encoding":"latin1"}"#, None).unwrap();
        assert!(latin1.starts_with(b"GET /\xe4 HTTP/1.1\r\n"));
    }

    #[test]
    fn headers_keep_their_order_and_those_of_the_connection_go() {
        let line = r#"{"uri":"/","method":"PUT","protocol":"HTTP/1.0","body":"abc","headers":{
            "Z":"1","Connection":"x","A":["2","3"],"Content-Length":"99","HOST":"h","Transfer-Encoding":"chunked",
            "X-Forwarded-For":"9.9.9.9"}}"#;
        assert_eq!(
            String::from_utf8(wire(line, None).unwrap()).unwrap(),
            "PUT / HTTP/1.0\r\nZ: 1\r\nA: 2\r\nA: 3\r\nHOST: h\r\nX-Forwarded-For: 9.9.9.9\r\nContent-Length: 3\r\n\
             Connection: close\r\n\r\nabc"
        );
        let forwarded = String::from_utf8(wire(line, Some("10.0.0.1")).unwrap()).unwrap();
        assert!(forwarded.contains("\r\nX-Forwarded-For: 10.0.0.1\r\n") && !forwarded.contains("9.9.9.9"));
        let pairs = wire(r#"{"uri":"/","headers_list":[["b","1"],["a","2"],["b","3"]]}"#, None).unwrap();
        assert!(String::from_utf8(pairs).unwrap().contains("\r\nb: 1\r\na: 2\r\nb: 3\r\n"));
    }

    #[test]
    fn bodies_are_bytes() {
        for (line, body) in [
            (r#"{"uri":"/","body_base64":"AP8="}"#, b"\x00\xff".as_slice()),
            (r#"{"uri":"/","body":"ÿ"}"#, "ÿ".as_bytes()),
            (r#"{"uri":"/","body":"ÿ","body_encoding":"latin1"}"#, b"\xff"),
        ] {
            let wire = wire(line, None).unwrap();
            assert!(wire.starts_with(b"POST /"), "a body needs a method that has one");
            assert!(wire.ends_with(&[b"\r\n\r\n", body].concat()), "{line}");
        }
    }

    #[test]
    fn nothing_becomes_two_requests() {
        for (line, error) in [
            (r#"{"method":"GET"}"#, NotSendable::NoUri),
            (r#"{"uri":"/","method":"G T"}"#, NotSendable::Method("G T".into())),
            (r#"{"uri":"/","method":""}"#, NotSendable::Method(String::new())),
            (r#"{"uri":"/","headers":{"a b":"c"}}"#, NotSendable::HeaderName("a b".into())),
            (r#"{"uri":"/","headers":{"a":"b\r\nc: d"}}"#, NotSendable::HeaderValue("a".into())),
            (r#"{"uri":"/","body_base64":"?"}"#, NotSendable::Base64),
            (r#"{"uri":"/","body":"€","body_encoding":"latin1"}"#, NotSendable::Latin1("body")),
        ] {
            assert_eq!(wire(line, None).unwrap_err(), error, "{line}");
        }
    }
}
