//! Logs of a format that somebody describes as nginx does: `$remote_addr [$time_local] "$request" $status`. Read only.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use memchr::memmem;

use super::common::{NONE, client_with_port, parse_word, split_at_quote, split_request};
use super::escape::unescape;
use super::format::LineError;
use super::record::AccessRecord;
use super::{digits, time};

/// The shape of a log's lines, as nginx' directive `log_format` describes it.
///
/// Known are the variables that say who asked (`$remote_addr`, `$http_x_real_ip` is not among them, for clients send
/// it), when (`$time_local`, `$time_iso8601`, `$msec`), for what (`$request`, or `$request_method`, `$request_uri` or
/// `$uri`, `$args`, `$server_protocol`), and the answer (`$status`, `$body_bytes_sent`, `$bytes_sent`,
/// `$request_time`), `$http_referer` and `$http_user_agent`. Others are skipped. A variable ends where the text behind
/// it in the pattern begins; within quotes, not at a quote behind a backslash.
///
/// ```
/// use aiwaf_core::{LineFormat, LineParser, LogPattern};
///
/// let pattern: LogPattern = r#"$host $remote_addr [$time_local] "$request" $status $request_time"#.parse()?;
/// let line = br#"a.example 192.0.2.7 [14/Sep/2025:15:02:41 +0000] "GET /x HTTP/2.0" 404 0.250"#;
/// let record = LineParser::new(LineFormat::Pattern(pattern)).parse(line)?.unwrap();
/// assert_eq!((record.status, &*record.target), (404, &b"/x"[..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPattern {
    text: String,
    /// What the line begins with.
    prefix: Box<[u8]>,
    variables: Vec<Variable>,
    /// Tried on lines that the pattern does not fit: some servers have two.
    alternative: Option<Box<Self>>,
}

/// A variable, and the text behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Variable {
    field: Option<Field>,
    ends_at: Box<[u8]>,
}

/// What a variable says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Client,
    Time,
    Request,
    Method,
    Uri,
    Query,
    Protocol,
    Status,
    Bytes,
    Referer,
    Agent,
    Seconds,
}

/// How many fields there are.
const FIELDS: usize = 12;

const VARIABLES: [(&str, Field); 17] = [
    ("remote_addr", Field::Client),
    ("time_local", Field::Time),
    ("time_iso8601", Field::Time),
    ("msec", Field::Time),
    ("request", Field::Request),
    ("request_method", Field::Method),
    ("request_uri", Field::Uri),
    ("uri", Field::Uri),
    ("args", Field::Query),
    ("query_string", Field::Query),
    ("server_protocol", Field::Protocol),
    ("status", Field::Status),
    ("body_bytes_sent", Field::Bytes),
    ("bytes_sent", Field::Bytes),
    ("http_referer", Field::Referer),
    ("http_user_agent", Field::Agent),
    ("request_time", Field::Seconds),
];

/// Most bytes of a pattern, and most variables in it.
const MAX_PATTERN: usize = 4096;
const MAX_VARIABLES: usize = 64;

impl FromStr for LogPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        if text.len() > MAX_PATTERN {
            return Err(InvalidPattern::TooLong);
        }
        let pattern = strip_directive(text.trim());
        let mut parts = pattern.split('$');
        let prefix = parts.next().unwrap_or_default().as_bytes().into();
        let mut variables: Vec<Variable> = Vec::new();
        for part in parts {
            let (name, behind) = split_name(part).ok_or(InvalidPattern::Unnamed)?;
            let field = VARIABLES.iter().find(|(known, _)| *known == name).map(|(_, field)| *field);
            // Of two that say the same, the first counts.
            let field = field.filter(|field| variables.iter().all(|known| known.field != Some(*field)));
            if variables.last().is_some_and(|last| last.ends_at.is_empty()) {
                return Err(InvalidPattern::Adjacent { name: name.to_owned() });
            }
            variables.push(Variable { field, ends_at: behind.as_bytes().into() });
        }
        if variables.len() > MAX_VARIABLES {
            return Err(InvalidPattern::TooLong);
        }
        let has = |field: Field| variables.iter().any(|variable| variable.field == Some(field));
        for (present, names) in [
            (has(Field::Client), "$remote_addr"),
            (has(Field::Time), "$time_local, $time_iso8601 or $msec"),
            (has(Field::Request) || has(Field::Uri), "$request, $request_uri or $uri"),
            (has(Field::Status), "$status"),
        ] {
            if !present {
                return Err(InvalidPattern::Missing { names });
            }
        }
        Ok(Self { text: pattern, prefix, variables, alternative: None })
    }
}

impl LogPattern {
    /// Tries `alternative` on lines that this pattern does not fit.
    pub(super) fn or(self, alternative: Self) -> Self {
        Self { alternative: Some(Box::new(alternative)), ..self }
    }

    /// Reads a line. Linear in its length, for each variable is looked for where the one before it ended.
    pub(super) fn parse<'a>(&self, line: &'a [u8]) -> Result<AccessRecord<'a>, LineError> {
        self.parse_alone(line).or_else(|error| match &self.alternative {
            Some(alternative) => alternative.parse_alone(line).map_err(|_| error),
            None => Err(error),
        })
    }

    fn parse_alone<'a>(&self, line: &'a [u8]) -> Result<AccessRecord<'a>, LineError> {
        let mut rest = line.strip_prefix(&*self.prefix).ok_or(LineError::Missing { field: "client" })?;
        let mut values: [Option<&[u8]>; FIELDS] = [None; FIELDS];
        for variable in &self.variables {
            let (value, tail) =
                variable.split(rest).ok_or(LineError::Missing { field: field_name(variable.field) })?;
            if let Some(slot) = variable.field.and_then(|field| values.get_mut(field as usize))
                && value != NONE
            {
                *slot = Some(value);
            }
            rest = tail;
        }
        record(&values)
    }
}

impl Variable {
    /// The value at the start of `text`, and what comes behind the text that ends it.
    fn split<'a>(&self, text: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        match &*self.ends_at {
            [] => Some((text, b"")),
            [b'"', behind @ ..] => split_at_quote(text, true, |tail| tail.strip_prefix(behind)),
            ends_at => {
                // The blanks at a line's end are cut with its line break.
                let at = memmem::find(text, ends_at)?;
                Some((text.get(..at)?, text.get(at + ends_at.len()..)?))
            }
        }
    }
}

fn record<'a>(values: &[Option<&'a [u8]>; FIELDS]) -> Result<AccessRecord<'a>, LineError> {
    let value = |field: Field| values[field as usize];
    let required = |field| value(field).ok_or(LineError::Missing { field: field_name(Some(field)) });
    let invalid = |field| LineError::Invalid { field: field_name(Some(field)) };
    let text = |field| value(field).map(unescape);
    let (method, target, protocol) = match value(Field::Request) {
        Some(request) => {
            let (method, target, protocol) = split_request(request);
            (parse_word(method), unescape(target), parse_word(protocol))
        }
        None => (
            text(Field::Method).unwrap_or_default(),
            target(unescape(value(Field::Uri).unwrap_or(NONE)), value(Field::Query)),
            text(Field::Protocol).unwrap_or_default(),
        ),
    };
    Ok(AccessRecord {
        time: time::parse_any(required(Field::Time)?).ok_or(invalid(Field::Time))?,
        client: client_with_port(unescape(required(Field::Client)?)),
        method,
        target,
        protocol,
        status: digits::parse(required(Field::Status)?)
            .and_then(|status| u16::try_from(status).ok())
            .ok_or(invalid(Field::Status))?,
        bytes: value(Field::Bytes).and_then(digits::parse),
        referer: text(Field::Referer),
        user_agent: text(Field::Agent),
        response_time: value(Field::Seconds).and_then(digits::parse_seconds),
        block: None,
    })
}

fn target<'a>(uri: Cow<'a, [u8]>, query: Option<&[u8]>) -> Cow<'a, [u8]> {
    match query {
        Some(query) if !uri.contains(&b'?') => Cow::Owned([&*uri, b"?", &unescape(query)].concat()),
        _ => uri,
    }
}

fn field_name(field: Option<Field>) -> &'static str {
    let name = VARIABLES.iter().find(|(_, known)| Some(*known) == field).map(|(name, _)| *name);
    name.unwrap_or("a skipped variable")
}

/// A name and what comes behind it; in braces or not.
fn split_name(text: &str) -> Option<(&str, &str)> {
    if let Some(braced) = text.strip_prefix('{') {
        return braced.split_once('}').filter(|(name, _)| !name.is_empty());
    }
    let end =
        text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(text.len());
    if end == 0 { None } else { text.split_at_checked(end) }
}

/// The pattern alone, if the whole directive was given: `log_format name escape=json '...' '...';`.
fn strip_directive(text: &str) -> String {
    let Some(directive) = text.strip_prefix("log_format") else { return text.to_owned() };
    let mut quoted = directive.split('\'');
    let mut pattern = String::new();
    while let (Some(_), Some(part)) = (quoted.next(), quoted.next()) {
        pattern.push_str(part);
    }
    pattern
}

impl fmt::Display for LogPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text describes no log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPattern {
    /// A line could not be read without it.
    #[error("the log format has no {names}: give the format as nginx' log_format has it")]
    Missing {
        /// The variables, one of which is needed.
        names: &'static str,
    },
    /// Where the first of the two ends can't be told.
    #[error(
        "the log format has nothing between ${name} and the variable before it, so where that ends can't be told"
    )]
    Adjacent {
        /// The second variable.
        name: String,
    },
    /// A dollar sign without a name.
    #[error("the log format has a $ without a name behind it: write a variable such as $remote_addr")]
    Unnamed,
    /// Longer than any real one.
    #[error("the log format is longer than {MAX_PATTERN} bytes or has more than {MAX_VARIABLES} variables")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COMBINED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time"#;

    fn pattern(text: &str) -> LogPattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_line_is_read() {
        let line = br#"2001:db8::7 - bob smith [14/Sep/2025:15:02:41 +0000] "GET /a\x22b?c=d HTTP/1.1" 404 7 "-" "x \" y" 0.250"#;
        let record = pattern(COMBINED).parse(line).unwrap();
        assert_eq!(record.client.to_string(), "2001:db8::7");
        assert_eq!((&*record.method, &*record.target), (&b"GET"[..], &b"/a\"b?c=d"[..]));
        assert_eq!((record.status, record.bytes, record.referer), (404, Some(7), None));
        assert_eq!(record.user_agent.as_deref(), Some(&b"x \" y"[..]));
        assert_eq!(record.response_time, Some(std::time::Duration::from_millis(250)));
    }

    #[test]
    fn requests_in_parts_are_put_together() {
        let pattern = pattern("$msec|$remote_addr|$request_method|$uri|$args|$status|${server_protocol}");
        let record = pattern.parse(b"1757862161.500|192.0.2.7:4711|PUT|/a|b=c|201|HTTP/2.0").unwrap();
        assert_eq!((&*record.target, &*record.protocol), (&b"/a?b=c"[..], &b"HTTP/2.0"[..]));
        assert_eq!(record.client.to_string(), "192.0.2.7");
        assert_eq!(record.time.to_string(), "2025-09-14T15:02:41.500000Z");
        assert!(
            pattern
                .parse(b"1757862161.500|192.0.2.7|PUT")
                .unwrap_err()
                .to_string()
                .contains("request_method")
        );
    }

    #[test]
    fn the_whole_directive_may_be_given() {
        let directive = "log_format main '$remote_addr [$time_local] '\n    '\"$request\" $status';";
        assert_eq!(pattern(directive).to_string(), "$remote_addr [$time_local] \"$request\" $status");
    }

    #[test]
    fn useless_patterns_are_refused() {
        let error = |text: &str| text.parse::<LogPattern>().unwrap_err().to_string();
        assert!(error("$time_local $request $status").contains("$remote_addr"));
        assert!(error("$remote_addr$time_local").contains("$time_local"));
        assert!(error("$ $remote_addr").contains("without a name"));
        assert!(error(&"x".repeat(5000)).contains("4096"));
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line: Vec<u8>) {
            let _ = pattern(COMBINED).parse(&line);
            let _ = pattern(COMBINED).parse(&[b"::1 - - [14/Sep/2025:15:02:41 +0000] \"", &line[..]].concat());
        }

        #[test]
        fn no_pattern_makes_it_panic(text in r#"([$"{} \[\]a-z_-]|\$remote_addr|\$request|\$status|\$msec){0,20}"#) {
            if let Ok(pattern) = text.parse::<LogPattern>() {
                let _ = pattern.parse(text.as_bytes());
            }
        }
    }
}
