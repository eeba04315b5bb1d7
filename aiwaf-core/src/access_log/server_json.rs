//! JSON lines of other servers: nginx, Caddy, Traefik, Envoy and whoever names things as they do. Read only.
//!
//! There is no standard, so each thing is looked for under the names that servers use for it, at the top level and in the
//! objects `request`, `headers` and the like. Who asked is never taken from a forwarding header, which clients invent.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::common::{NONE, client_with_port, parse_word, split_request};
use super::escape::unescape;
use super::format::LineError;
use super::record::AccessRecord;
use super::{digits, time};

/// Reads a line.
pub(super) fn parse(line: &[u8]) -> Result<AccessRecord<'_>, LineError> {
    match Values::read(line) {
        Ok(values) => values.record(),
        // Unless told to escape for JSON, nginx writes `\xHH`, which no JSON may hold: a client that sends a quote must
        // not get its line lost.
        Err(error) if memchr::memmem::find(line, b"\\x").is_some() => {
            let mended = escape_backslashes(line);
            match Values::read(&mended) {
                Ok(values) => values.record().map(|record| unescaped(record.into_owned())),
                Err(_) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// Every `\x` as `\\x`.
fn escape_backslashes(line: &[u8]) -> Vec<u8> {
    let mut mended = Vec::with_capacity(line.len() + 16);
    let mut bytes = line.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        mended.push(byte);
        if byte == b'\\' {
            match bytes.peek() {
                Some(b'x') => mended.push(b'\\'),
                // An escape of JSON, of which a second backslash must not be taken for the start of another.
                Some(&escaped) => {
                    mended.push(escaped);
                    bytes.next();
                }
                None => {}
            }
        }
    }
    mended
}

fn unescaped(record: AccessRecord<'static>) -> AccessRecord<'static> {
    let plain = |value: Cow<'static, [u8]>| Cow::Owned(unescape(&value).into_owned());
    AccessRecord {
        method: plain(record.method),
        target: plain(record.target),
        referer: record.referer.map(plain),
        user_agent: record.user_agent.map(plain),
        ..record
    }
}

/// What a key says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Time,
    Client,
    /// The whole request line, or an object of its parts.
    Request,
    Method,
    Target,
    Query,
    Protocol,
    Status,
    Bytes,
    Referer,
    Agent,
    Seconds,
    Millis,
    Nanos,
    /// Caddy's `duration` is a number of seconds with decimals, Envoy's a whole number of milliseconds.
    Duration,
    /// An object that holds more of them.
    Inner,
}

/// How many fields there are.
const FIELDS: usize = 16;

/// Objects within objects are looked into so deep.
const MAX_DEPTH: u8 = 4;

/// What `key` says, and how much that is to be preferred to other keys that say it: the lowest number counts.
fn field(key: &str) -> Option<(Field, u8)> {
    Some(match key {
        "time_iso8601" | "StartUTC" | "timestamp" | "start_time" => (Field::Time, 0),
        "@timestamp" | "ts" | "msec" => (Field::Time, 1),
        "time_local" | "StartLocal" | "datetime" | "date" => (Field::Time, 2),
        "time" => (Field::Time, 3),
        // Caddy's takes its trusted proxies into account.
        "client_ip" | "ClientHost" | "clientip" | "ip" => (Field::Client, 0),
        "remote_addr" | "remote_ip" | "remote" | "client" | "c-ip" | "c_ip" => (Field::Client, 1),
        "remoteIp" | "remote_host" | "downstream_remote_address" | "ClientAddr" | "client_addr" => {
            (Field::Client, 2)
        }
        "request" | "request_line" | "requestLine" => (Field::Request, 0),
        "method" | "request_method" | "RequestMethod" | "http_method" | "verb" | "requestMethod" => {
            (Field::Method, 0)
        }
        "request_uri" | "RequestPath" | "x-envoy-origin-path" | "uri" => (Field::Target, 0),
        "path" | "url" | "requestUrl" | "request_path" | "uri_path" => (Field::Target, 1),
        "query" | "args" | "query_string" => (Field::Query, 0),
        "protocol" | "server_protocol" | "RequestProtocol" | "proto" | "http_version" => (Field::Protocol, 0),
        "status" | "status_code" | "DownstreamStatus" | "response_code" | "response_status" => {
            (Field::Status, 0)
        }
        "code" | "http_status" | "statusCode" => (Field::Status, 1),
        "body_bytes_sent" | "DownstreamContentSize" | "size" | "bytes" => (Field::Bytes, 0),
        "bytes_sent" | "response_size" | "responseSize" | "bytes_written" => (Field::Bytes, 1),
        "http_referer" | "referer" | "referrer" | "request_Referer" | "Referer" | "http_referrer" => {
            (Field::Referer, 0)
        }
        "http_user_agent" | "user_agent" | "user-agent" | "request_User-Agent" | "User-Agent" => {
            (Field::Agent, 0)
        }
        "agent" | "userAgent" | "useragent" => (Field::Agent, 1),
        "request_time" => (Field::Seconds, 0),
        "response_time_ms" | "duration_ms" | "latency_ms" => (Field::Millis, 0),
        "Duration" => (Field::Nanos, 0),
        "duration" => (Field::Duration, 0),
        "headers" | "req" | "http" | "httpRequest" | "http_request" | "httpd" => (Field::Inner, 0),
        _ => return None,
    })
}

/// A value that is no object: text, or a number as it is written.
type Value<'a> = Cow<'a, str>;

/// What was found of each field, and how much it is to be preferred.
#[derive(Default)]
struct Values<'a> {
    slots: [Option<(u8, Value<'a>)>; FIELDS],
}

impl<'a> Values<'a> {
    fn read(line: &'a [u8]) -> Result<Self, LineError> {
        let mut values = Self::default();
        let mut reader = serde_json::Deserializer::from_slice(line);
        let object = Reader { values: &mut values, field: None, depth: 0 };
        object
            .deserialize(&mut reader)
            .and_then(|()| reader.end())
            .map_err(|error| LineError::Json { column: error.column() })?;
        Ok(values)
    }

    fn set(&mut self, (field, rank): (Field, u8), value: Value<'a>) {
        if let Some(slot) = self.slots.get_mut(field as usize)
            && slot.as_ref().is_none_or(|(known, _)| rank < *known)
            && value.as_bytes() != NONE
        {
            *slot = Some((rank, value));
        }
    }

    fn take(&mut self, field: Field) -> Option<Cow<'a, [u8]>> {
        Some(bytes(self.slots.get_mut(field as usize)?.take()?.1))
    }

    fn record(mut self) -> Result<AccessRecord<'a>, LineError> {
        let time = self.take(Field::Time).ok_or(LineError::Missing { field: "time" })?;
        let status = self.take(Field::Status).ok_or(LineError::Missing { field: "status" })?;
        let client = self.take(Field::Client).ok_or(LineError::Missing { field: "client address" })?;
        let (method, target, protocol) = self.request()?;
        Ok(AccessRecord {
            time: time::parse_any(&time).ok_or(LineError::Invalid { field: "time" })?,
            client: client_with_port(client),
            method,
            target,
            protocol,
            status: digits::parse(&status)
                .and_then(|status| u16::try_from(status).ok())
                .ok_or(LineError::Invalid { field: "status" })?,
            bytes: self.take(Field::Bytes).and_then(|bytes| digits::parse(&bytes)),
            referer: self.take(Field::Referer),
            user_agent: self.take(Field::Agent),
            response_time: self.response_time(),
            block: None,
        })
    }

    fn request(&mut self) -> Result<Parts<'a>, LineError> {
        let word = |value: Option<Cow<'a, [u8]>>| value.unwrap_or_default();
        if let Some(target) = self.take(Field::Target) {
            let target = match self.take(Field::Query) {
                Some(query) if !query.is_empty() && !target.contains(&b'?') => {
                    let query = query.strip_prefix(b"?").unwrap_or(&query);
                    Cow::Owned([&*target, b"?", query].concat())
                }
                _ => target,
            };
            return Ok((word(self.take(Field::Method)), target, word(self.take(Field::Protocol))));
        }
        let line = self.take(Field::Request).ok_or(LineError::Missing { field: "request" })?;
        Ok(match line {
            Cow::Borrowed(line) => {
                let (method, target, protocol) = split_request(line);
                (parse_word(method), Cow::Borrowed(target), parse_word(protocol))
            }
            Cow::Owned(line) => {
                let (method, target, protocol) = split_request(&line);
                let kept = |part: Cow<'_, [u8]>| Cow::Owned(part.into_owned());
                (kept(parse_word(method)), Cow::Owned(target.to_owned()), kept(parse_word(protocol)))
            }
        })
    }

    fn response_time(&mut self) -> Option<Duration> {
        if let Some(seconds) = self.take(Field::Seconds) {
            return digits::parse_seconds(&seconds);
        }
        if let Some(nanos) = self.take(Field::Nanos) {
            return digits::parse(&nanos).map(Duration::from_nanos);
        }
        if let Some(millis) = self.take(Field::Millis) {
            return millis_from(&millis);
        }
        let duration = self.take(Field::Duration)?;
        match digits::parse(&duration) {
            Some(millis) => Some(Duration::from_millis(millis)),
            None => digits::parse_seconds(&duration),
        }
    }
}

/// Method, target, protocol.
type Parts<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>, Cow<'a, [u8]>);

/// Milliseconds with or without decimals.
fn millis_from(text: &[u8]) -> Option<Duration> {
    digits::parse_seconds(text).map(|thousandfold| thousandfold / 1000)
}

fn bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// Reads a value, the line's object at first, and keeps what is of interest in it.
struct Reader<'v, 'a> {
    values: &'v mut Values<'a>,
    /// What the value says; `None` for an object to look into.
    field: Option<(Field, u8)>,
    depth: u8,
}

impl Reader<'_, '_> {
    fn number(self, text: String) {
        if let Some(field) = self.field {
            self.values.set(field, Cow::Owned(text));
        }
    }
}

impl<'a> DeserializeSeed<'a> for Reader<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Reader<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object of a request")
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<(), E> {
        if let Some(field) = self.field {
            self.values.set(field, Cow::Borrowed(text));
        }
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.number(text.to_owned());
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.number(number.to_string());
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        // Never in scientific notation.
        self.number(format!("{number:.9}"));
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    /// The first of several values, as with Caddy's headers.
    fn visit_seq<S: SeqAccess<'a>>(self, mut sequence: S) -> Result<(), S::Error> {
        let first = Reader { values: self.values, field: self.field, depth: self.depth + 1 };
        if self.depth < MAX_DEPTH {
            sequence.next_element_seed(first)?;
        }
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(Key(key)) = map.next_key::<Key<'a>>()? {
            match field(&key) {
                Some(field) if self.depth < MAX_DEPTH => {
                    let field = if field.0 == Field::Inner { None } else { Some(field) };
                    let inner = Reader { values: &mut *self.values, field, depth: self.depth + 1 };
                    map.next_value_seed(inner)?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// A key, borrowed if it holds no escapes.
#[derive(serde::Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(line: &str) -> AccessRecord<'_> {
        parse(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    #[test]
    fn nginx_is_read() {
        let record = read(
            r#"{"remote_addr":"192.0.2.7","time_local":"14/Sep/2025:17:02:41 +0200","request":"GET /a?b=c HTTP/1.1","status":"404","body_bytes_sent":"12","request_time":"0.004","http_referer":"-","http_user_agent":"x y","http_x_forwarded_for":"203.0.113.1"}"#,
        );
        assert_eq!((record.client.to_string(), record.status), ("192.0.2.7".to_owned(), 404));
        assert_eq!((&*record.target, &*record.protocol), (&b"/a?b=c"[..], &b"HTTP/1.1"[..]));
        assert_eq!(record.time.to_string(), "2025-09-14T15:02:41.000000Z");
        assert_eq!(record.response_time, Some(Duration::from_millis(4)));
        assert_eq!((record.referer, record.bytes), (None, Some(12)));
    }

    /// With its default escapes nginx writes what is no JSON; the quote in this agent must not hide the line.
    #[test]
    fn nginx_with_the_wrong_escapes_is_read() {
        let record = read(
            r#"{"remote_addr":"192.0.2.7","time_iso8601":"2025-09-14T15:02:41+00:00","request":"GET /\x22\\x HTTP/1.1","status":404,"http_user_agent":"\"\x22"}"#,
        );
        assert_eq!(&*record.target, br#"/"\x"#);
        assert_eq!(record.user_agent.as_deref(), Some(&b"\"\""[..]));
    }

    #[test]
    fn caddy_is_read() {
        let record = read(
            r#"{"level":"info","ts":1757862161.25,"msg":"handled request","request":{"remote_ip":"10.0.0.1","client_ip":"192.0.2.7","proto":"HTTP/2.0","method":"GET","uri":"/a?b=c","headers":{"X-Forwarded-For":["203.0.113.1"],"User-Agent":["x","y"],"Referer":["https://a.example/"]}},"duration":0.000002701,"size":7,"status":200,"resp_headers":{"Server":["Caddy"]}}"#,
        );
        assert_eq!((record.client.to_string(), &*record.target), ("192.0.2.7".to_owned(), &b"/a?b=c"[..]));
        assert_eq!(record.user_agent.as_deref(), Some(&b"x"[..]));
        assert_eq!(record.referer.as_deref(), Some(&b"https://a.example/"[..]));
        assert_eq!(record.response_time, Some(Duration::from_micros(2)));
        assert_eq!(record.time.to_string(), "2025-09-14T15:02:41.250000Z");
    }

    #[test]
    fn traefik_and_envoy_are_read() {
        let record = read(
            r#"{"ClientAddr":"192.0.2.7:39496","ClientHost":"192.0.2.7","DownstreamStatus":200,"Duration":2001375,"RequestMethod":"GET","RequestPath":"/a","StartLocal":"2025-09-14T17:02:41+02:00","StartUTC":"2025-09-14T15:02:41Z","request_User-Agent":"x","time":"2025-09-14T15:02:43Z"}"#,
        );
        assert_eq!(record.time.to_string(), "2025-09-14T15:02:41.000000Z");
        assert_eq!(record.response_time, Some(Duration::from_nanos(2_001_375)));
        let record = read(
            r#"{"downstream_remote_address":"[2001:db8::7]:59292","duration":11,"method":"GET","response_code":200,"start_time":"2025-09-14T15:02:41.479Z","x-envoy-origin-path":"/a"}"#,
        );
        assert_eq!(record.client.to_string(), "2001:db8::7");
        assert_eq!(record.response_time, Some(Duration::from_millis(11)));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = |line: &str| parse(line.as_bytes()).unwrap_err().to_string();
        assert!(error(r#"{"ts":1,"status":200}"#).contains("client address"));
        assert!(error(r#"{"ts":1,"status":200,"remote_addr":"::1"}"#).contains("request"));
        assert!(error(r#"{"ts":-1,"status":200,"remote_addr":"::1","request":"x"}"#).contains("time"));
        assert!(error("[1]").contains("time"));
        assert!(error(r#"{"ts":1} {}"#).contains("column"));
    }

    #[test]
    fn deep_lines_are_bounded() {
        for open in [r#"{"request":"#, r#"{"headers":["#, "["] {
            let _ = parse(open.repeat(100_000).as_bytes());
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line: Vec<u8>, text in r#"([{}\[\]",:\\x]|"request"|"ts"|"status"|"uri"|1|0\.5|null){0,30}"#) {
            let _ = parse(&line);
            let _ = parse(text.as_bytes());
            let _ = parse(format!("{{\"ts\":1,\"status\":200,\"ip\":\"::1\",\"request\":\"{text}").as_bytes());
        }
    }
}
