//! What is kept of a request that led to a ban, for the person who looks into it: bounded, plain, without secrets.

use crate::bans::BanSettings;
use crate::request::Request;
use crate::secret_names::SecretNames;

/// The request as a JSON object of printable ASCII with `method`, `path`, `query`, `host` and the chosen `headers`.
///
/// It has at most [`BanSettings::extended_request_info_max_bytes`] bytes, whatever the request holds. No value takes
/// more than a quarter of that, so that a long path leaves room for the rest; `"truncated": true` says that something
/// was cut or left out. Values of headers and parameters that may hold secrets are `[REDACTED]`. Bytes that are no UTF-8 show as
/// U+FFFD. Fields that the request does not have are left out.
pub(crate) fn describe(request: &Request<'_>, settings: &BanSettings) -> String {
    let max = settings.extended_request_info_max_bytes as usize;
    let mut object = Object {
        out: String::from("{"),
        room: max.saturating_sub("{".len() + END.len() + TRUNCATED.len()),
        longest: max / 4,
        is_first: true,
        truncated: false,
    };
    object.field("method", request.method.as_bytes());
    object.field("path", request.path);
    object.field("query", &SecretNames::default().redact_query(request.query));
    object.field("host", request.header("host").unwrap_or_default());
    object.open("headers");
    for name in &settings.extended_request_info_headers {
        let Some(value) = request.header(name) else { continue };
        let is_named = |secret: &String| secret.eq_ignore_ascii_case(name);
        if settings.extended_request_info_redact_headers.iter().any(is_named) {
            object.field(name, b"[REDACTED]");
        } else {
            object.field(name, value);
        }
    }
    object.finish()
}

const TRUNCATED: &str = ",\"truncated\":true";
const END: &str = "}}";

struct Object {
    out: String,
    /// How many bytes may still be written, the end of the object not counted.
    room: usize,
    /// How many bytes one value may have.
    longest: usize,
    is_first: bool,
    truncated: bool,
}

impl Object {
    /// Writes a field that is not empty, as much of it as there is room for.
    fn field(&mut self, name: &str, value: &[u8]) {
        if value.is_empty() {
            return;
        }
        let name = escaped(name.as_bytes(), self.longest).0;
        let around = name.len() + "\"\":\"\"".len() + usize::from(!self.is_first);
        let Some(left) = self.room.checked_sub(around) else {
            self.truncated = true;
            return;
        };
        let (value, is_cut) = escaped(value, left.min(self.longest));
        self.truncated |= is_cut;
        self.room = left - value.len();
        self.separate();
        self.out.extend(["\"", &name, "\":\"", &value, "\""]);
    }

    /// Begins an object within the object, which all later fields belong to.
    fn open(&mut self, name: &str) {
        let around = name.len() + "\"\":{".len() + usize::from(!self.is_first);
        self.room = self.room.saturating_sub(around);
        self.separate();
        self.out.extend(["\"", name, "\":{"]);
        self.is_first = true;
    }

    fn separate(&mut self) {
        if !self.is_first {
            self.out.push(',');
        }
        self.is_first = false;
    }

    fn finish(mut self) -> String {
        self.out.push('}');
        if self.truncated {
            self.out.push_str(TRUNCATED);
        }
        self.out.push('}');
        self.out
    }
}

/// The value as it stands between quotes in JSON, in at most `max` bytes, and whether that is not all of it.
fn escaped(value: &[u8], max: usize) -> (String, bool) {
    // Every byte takes at least one, so what lies behind can't fit; cutting a character in two is out of reach as well.
    let start = value.get(..max.saturating_add(4)).unwrap_or(value);
    let mut out = String::new();
    for character in String::from_utf8_lossy(start).chars() {
        let before = out.len();
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.push_str("\\u");
                    for shift in [12, 8, 4, 0] {
                        let nibble = u32::from(*unit >> shift & 0xf);
                        out.push(char::from_digit(nibble, 16).unwrap_or('0'));
                    }
                }
            }
        }
        if out.len() > max {
            out.truncate(before);
            return (out, true);
        }
    }
    (out, false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Headers, Timestamp};

    fn request<'a>(uri: &'a [u8], headers: &'a dyn Headers) -> Request<'a> {
        let client = "192.0.2.1".parse().unwrap();
        Request::new(client, Timestamp::UNIX_EPOCH).with_method("GET").with_uri(uri).with_headers(headers)
    }

    fn header(name: &str, value: &str) -> (String, Vec<u8>) {
        (name.to_owned(), value.as_bytes().to_vec())
    }

    #[test]
    fn says_what_was_asked_for_and_no_secret() {
        let settings = BanSettings {
            extended_request_info_headers: ["User-Agent", "cookie", "Authorization", "Accept"]
                .map(str::to_owned)
                .into(),
            ..BanSettings::default()
        };
        let headers = vec![
            header("host", "www.example.com"),
            header("user-agent", "sqlmap \"1.0\""),
            header("Cookie", "session=secret"),
            header("AUTHORIZATION", "Bearer secret"),
            header("x-other", "not asked for"),
        ];
        assert_eq!(
            describe(&request(b"/a%0a\n\xff?q=\xc3\xa4", &headers), &settings),
            r#"{"method":"GET","path":"/a%0a\u000a\ufffd","query":"q=\u00e4","host":"www.example.com","#
                .to_owned()
                + r#""headers":{"User-Agent":"sqlmap \"1.0\"","cookie":"[REDACTED]","Authorization":"[REDACTED]"}}"#
        );
    }

    #[test]
    fn other_protocols_have_little_to_say() {
        let request = Request::new("192.0.2.1".parse().unwrap(), Timestamp::UNIX_EPOCH);
        assert_eq!(describe(&request, &BanSettings::default()), r#"{"headers":{}}"#);
    }

    #[test]
    fn a_long_value_leaves_room_for_the_others() {
        let settings = BanSettings { extended_request_info_max_bytes: 256, ..BanSettings::default() };
        let uri = [b"/".to_vec(), vec![b'x'; 100_000]].concat();
        let text = describe(&request(&uri, &vec![header("user-agent", "curl")]), &settings);
        assert!(
            text.len() <= 256 && text.contains("curl") && text.ends_with(",\"truncated\":true}"),
            "{text}"
        );
    }

    proptest! {
        #[test]
        fn is_always_json_and_never_too_long(
            uri: Vec<u8>,
            headers in prop::collection::vec(("[a-z\"\u{e4}-]{1,60}", prop::collection::vec(any::<u8>(), 0..300)), 0..20),
            max in 256u32..2000,
        ) {
            let settings = BanSettings {
                extended_request_info_max_bytes: max,
                extended_request_info_headers: headers.iter().map(|(name, _)| name.clone()).collect(),
                ..BanSettings::default()
            };
            let text = describe(&request(&uri, &headers), &settings);
            prop_assert!(text.len() <= max as usize);
            prop_assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            if value.get("truncated").is_none() && uri.first() != Some(&b'?') && !uri.is_empty() {
                let path = uri.split(|byte| *byte == b'?').next().unwrap();
                let path = String::from_utf8_lossy(path);
                prop_assert_eq!(value["path"].as_str(), Some(&*path));
            }
        }
    }
}
