//! A request as data: one line of JSON, as files of requests hold it.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::request::Request;
use crate::timestamp::Timestamp;

/// A request that was read from a line of JSON.
///
/// | field | what it is | if it is missing |
/// |---|---|---|
/// | `uri` | the request's target as sent, in origin form (`/a?b=c`) or absolute form | an error |
/// | `id` | what the line is called: a text or a number | empty |
/// | `time` | when it arrived, in seconds since 1970 | left to the caller |
/// | `client_ip` | who sent it | left to the caller |
/// | `status` | the status of the response | left to the caller |
/// | `method`, `protocol` | as sent | `POST` if there is a body, else `GET`; `HTTP/1.1` |
/// | `headers` | an object; a value is a text, a number, or a list of these | none were sent |
/// | `headers_list` | instead of `headers`: pairs in their order | |
/// | `body`, `body_base64` | the body as text, or as bytes | empty |
/// | `uri_encoding`, `body_encoding` | `latin1`: each character of the text stands for one byte | UTF-8 |
///
/// Other fields are ignored. Reading costs time and memory linear in the line.
///
/// ```
/// use aiwaf_core::{RequestLine, Timestamp};
///
/// let line = br#"{"id":"7","uri":"/a?b=c","client_ip":"203.0.113.9","headers":{"User-Agent":"curl"}}"#;
/// let line = RequestLine::parse(line)?;
/// let client = line.client.unwrap();
/// let request = line.request(client, line.time.unwrap_or(Timestamp::UNIX_EPOCH));
/// assert_eq!((request.method, request.path), ("GET", &b"/a"[..]));
///
/// let error = RequestLine::parse(b"{}").unwrap_err();
/// assert_eq!(error.to_string(), "it has no `uri`: give the target of the request, such as \"/a?b=c\"");
/// # Ok::<(), aiwaf_core::RequestLineError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RequestLine {
    /// What the line is called; empty if it has no name.
    pub id: String,
    /// When the request arrived, if the line says so.
    pub time: Option<Timestamp>,
    /// Who sent it, if the line says so.
    pub client: Option<IpAddr>,
    /// The status of the response, if the line says so.
    pub status: Option<u16>,
    method: String,
    target: Vec<u8>,
    protocol: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Why a line is no request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestLineError {
    /// It is no JSON object, or a field has another type than it should.
    #[error("it is no request in JSON: {}", in_line(.0))]
    Json(#[source] serde_json::Error),
    /// Without a target there is nothing to judge.
    #[error("it has no `uri`: give the target of the request, such as \"/a?b=c\"")]
    NoUri,
    /// The body in base64 is none.
    #[error("`body_base64` is no base64: give the standard alphabet with padding, or the text as `body`")]
    Base64,
    /// A field that should name bytes by characters has one beyond U+00FF.
    #[error(
        "`{0}` has characters beyond U+00FF, though `{0}_encoding` says latin1: remove that, or mend the text"
    )]
    Latin1(&'static str),
}

/// What the parser says, without the line's number, which is 1 in every line.
fn in_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(what) => format!("{what} in column {}", error.column()),
        None => text,
    }
}

impl RequestLine {
    /// Reads one line.
    ///
    /// # Errors
    /// [`RequestLineError`], saying what is wrong with it.
    pub fn parse(line: &[u8]) -> Result<Self, RequestLineError> {
        let raw: RawLine = serde_json::from_slice(line).map_err(RequestLineError::Json)?;
        let target = bytes(raw.uri.ok_or(RequestLineError::NoUri)?, raw.uri_encoding, "uri")?;
        let body = match (raw.body_base64, raw.body) {
            (Some(encoded), _) => base64::engine::general_purpose::STANDARD
                .decode(encoded)
                .map_err(|_| RequestLineError::Base64)?,
            (None, Some(text)) => bytes(text, raw.body_encoding, "body")?,
            (None, None) => Vec::new(),
        };
        let method = if body.is_empty() { "GET" } else { "POST" };
        let headers =
            raw.headers_list.filter(|pairs| !pairs.is_empty()).or(raw.headers.map(|fields| fields.0));
        Ok(Self {
            id: raw.id.map(Scalar::into_text).unwrap_or_default(),
            time: raw.time.map(Timestamp::from_unix_seconds),
            client: raw.client_ip,
            status: raw.status.and_then(|status| u16::try_from(status.as_u64()?).ok()),
            method: raw.method.unwrap_or_else(|| method.to_owned()),
            target,
            protocol: raw.protocol.unwrap_or_else(|| "HTTP/1.1".to_owned()),
            headers: headers.unwrap_or_default(),
            body,
        })
    }

    /// The request, as sent by `client` at `time`.
    pub fn request(&self, client: IpAddr, time: Timestamp) -> Request<'_> {
        Request::new(client, time)
            .with_method(&self.method)
            .with_uri(origin_form(&self.target))
            .with_protocol(&self.protocol)
            .with_headers(&self.headers)
            .with_body(&self.body)
    }
}

/// The part of a target that a server resolves: without scheme and authority, if it is in absolute form, as clients send
/// it to proxies and load balancers log it.
pub(crate) fn origin_form(target: &[u8]) -> &[u8] {
    let has_scheme =
        |scheme: &[u8]| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    let scheme = [&b"http://"[..], b"https://"].into_iter().find(|scheme| has_scheme(scheme));
    let Some(after) = scheme.and_then(|scheme| target.get(scheme.len()..)) else { return target };
    match after.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')) {
        Some(at) => after.get(at..).unwrap_or_default(),
        None => b"/",
    }
}

fn bytes(text: String, encoding: Option<Encoding>, field: &'static str) -> Result<Vec<u8>, RequestLineError> {
    match encoding {
        None => Ok(text.into_bytes()),
        Some(Encoding::Latin1) => text
            .chars()
            .map(|character| u8::try_from(u32::from(character)).map_err(|_| RequestLineError::Latin1(field)))
            .collect(),
    }
}

/// The line as it is written.
#[derive(Deserialize)]
struct RawLine {
    #[serde(default)]
    id: Option<Scalar>,
    time: Option<f64>,
    client_ip: Option<IpAddr>,
    /// Of any type: only a number counts.
    status: Option<serde_json::Value>,
    method: Option<String>,
    uri: Option<String>,
    uri_encoding: Option<Encoding>,
    protocol: Option<String>,
    headers: Option<HeaderFields>,
    headers_list: Option<Vec<(String, String)>>,
    body: Option<String>,
    body_base64: Option<String>,
    body_encoding: Option<Encoding>,
}

/// How the text of a field stands for bytes that are no UTF-8.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Latin1,
}

/// What programs write as a text or as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(serde_json::Number),
}

impl Scalar {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        }
    }
}

/// Headers in their order; one that is a list stands there as often.
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
        formatter.write_str("an object of headers, each a text, a number, or a list of these")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<HeaderFields, A::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum OneOrMany {
            One(Scalar),
            Many(Vec<Scalar>),
        }

        let mut fields = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, OneOrMany>()? {
            match value {
                OneOrMany::One(value) => fields.push((name, value.into_text())),
                OneOrMany::Many(values) => {
                    fields.extend(values.into_iter().map(|value| (name.clone(), value.into_text())));
                }
            }
        }
        Ok(HeaderFields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Headers;

    fn parse(line: &str) -> RequestLine {
        RequestLine::parse(line.as_bytes()).unwrap()
    }

    fn request(line: &RequestLine) -> Request<'_> {
        line.request(crate::UNKNOWN_CLIENT, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_is_missing_is_filled_in() {
        let line = parse(r#"{"uri":"/a?b"}"#);
        let request = request(&line);
        assert_eq!((request.method, request.protocol), ("GET", "HTTP/1.1"));
        assert_eq!((request.path, request.query, request.body), (&b"/a"[..], &b"b"[..], &b""[..]));
        assert!(request.headers.is_some(), "none were sent, which is not the same as not having any");
        assert_eq!((line.id.as_str(), line.time, line.client), ("", None, None));
    }

    #[test]
    fn everything_is_read() {
        let line = parse(
            r#"{"id":"x","time":1.5,"client_ip":"2001:db8::1","method":"PUT","uri":"/","protocol":"HTTP/2",
            "headers":{"B":"1","a":["2",3],"N":4},"body":"b","label":"attack","meta":{"x":[1]}}"#,
        );
        assert_eq!((line.id.as_str(), line.time), ("x", Some(Timestamp::from_unix_micros(1_500_000))));
        let request = request(&line);
        assert_eq!((request.method, request.protocol, request.body), ("PUT", "HTTP/2", &b"b"[..]));
        let mut headers = Vec::new();
        line.headers.visit(&mut |name, value| {
            headers.push(format!("{name}={}", String::from_utf8_lossy(value)));
        });
        assert_eq!(headers, ["B=1", "a=2", "a=3", "N=4"]);
        assert_eq!(parse(r#"{"uri":"/","id":7,"headers":null,"body":null}"#).id, "7");
        let pairs = parse(r#"{"uri":"/","headers":{"X":"1"},"headers_list":[["b","1"],["b","2"]]}"#);
        assert_eq!(pairs.headers, [("b".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())]);
    }

    #[test]
    fn texts_can_name_bytes() {
        for (line, body) in [
            (r#"{"uri":"/","body_base64":"AP8="}"#, b"\x00\xff".as_slice()),
            (r#"{"uri":"/","body":"ÿ"}"#, "ÿ".as_bytes()),
            (r#"{"uri":"/","body":"ÿ","body_encoding":"latin1"}"#, b"\xff"),
        ] {
            let line = parse(line);
            assert_eq!((request(&line).body, request(&line).method), (body, "POST"));
        }
        assert_eq!(request(&parse(r#"{"uri":"/ä","uri_encoding":"latin1"}"#)).path, b"/\xe4");
        assert_eq!(request(&parse(r#"{"uri":"/a\u0000\n"}"#)).path, b"/a\0\n");
    }

    #[test]
    fn the_authority_is_no_part_of_the_path() {
        for (uri, path, query) in [
            ("http://example.com/x?y", "/x", "y"),
            ("HTTPS://example.com", "/", ""),
            ("http://example.com?y", "", "y"),
            ("//example.com/x", "//example.com/x", ""),
            ("*", "*", ""),
            ("", "", ""),
        ] {
            let line = parse(&format!(r#"{{"uri":"{uri}"}}"#));
            assert_eq!(
                (request(&line).path, request(&line).query),
                (path.as_bytes(), query.as_bytes()),
                "{uri}"
            );
        }
    }

    #[test]
    fn errors_say_what_to_mend() {
        for (line, what) in [
            ("{}", "`uri`"),
            ("", "no request in JSON: EOF while parsing a value"),
            (r#"{"uri":5}"#, "invalid type: integer `5`, expected a string in column 8"),
            (r#"{"uri":"/","client_ip":"banana"}"#, "invalid IP address"),
            (r#"{"uri":"/","headers":["a"]}"#, "an object of headers"),
            (r#"{"uri":"/","headers":{"a":{}}}"#, "in column"),
            (r#"{"uri":"/","body_base64":"?"}"#, "`body_base64`"),
            (r#"{"uri":"/","body":"€","body_encoding":"latin1"}"#, "`body_encoding` says latin1"),
            (r#"{"uri":"/","uri_encoding":"utf-16"}"#, "expected `latin1`"),
        ] {
            let error = RequestLine::parse(line.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(what) && !error.contains('\n'), "{line}: {error}");
        }
        let deep = format!("{{\"uri\":\"/\",\"meta\":{}", "[".repeat(100_000));
        assert!(RequestLine::parse(deep.as_bytes()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(line in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = RequestLine::parse(&line);
        }

        #[test]
        fn any_target_is_read(uri in "(https?://)?[ -~]{0,40}") {
            let json = serde_json::json!({"uri": &uri}).to_string();
            let line = RequestLine::parse(json.as_bytes()).unwrap();
            proptest::prop_assert!(request(&line).path.len() <= uri.len().max(1));
        }
    }
}
