//! The lines of `aiwaf.log` and `error.log`: `key=value`, text between quotes, one event a line whatever it holds.

use std::fmt::{self, Display, Write};
use std::net::IpAddr;

use aiwaf_core::{AccessRecord, Finding, Request, SecretNames, Timestamp, Verdict};

/// Something that an operator should find in `aiwaf.log`.
pub(crate) enum Event<'a> {
    /// A request was denied, or a protection in monitor mode would have denied it.
    Finding {
        request: &'a Request<'a>,
        finding: &'a Finding,
        verdict: &'a Verdict,
        monitored: bool,
        /// The parameters whose values the line does not show.
        secrets: &'a SecretNames,
    },
    /// Anything else: its name, and what is known.
    Other { name: &'static str, details: &'a [(&'static str, &'a dyn Display)] },
}

impl Event<'_> {
    /// Appends the line.
    pub(super) fn push(&self, time: Timestamp, line: &mut Vec<u8>) {
        push(line, format_args!("time={time} "));
        match self {
            Self::Finding { request, finding, verdict, monitored, secrets } => {
                push_finding(line, request, finding, *monitored, secrets);
                if let Some(ban) = verdict.ban.as_ref().filter(|_| !monitored) {
                    push(line, format_args!(" ban={} ban_until=", ban.network));
                    match ban.expires {
                        Some(end) => push(line, format_args!("{end}")),
                        None => line.extend_from_slice(b"never"),
                    }
                }
            }
            Self::Other { name, details } => {
                push(line, format_args!("event={name}"));
                for (key, value) in *details {
                    push(line, format_args!(" {key}="));
                    push_value(line, value);
                }
            }
        }
        line.push(b'\n');
    }
}

fn push_finding(
    line: &mut Vec<u8>,
    request: &Request<'_>,
    finding: &Finding,
    monitored: bool,
    secrets: &SecretNames,
) {
    let mark = if monitored { " monitor=true" } else { "" };
    let action = finding.action.name();
    push(line, format_args!("action={action}{mark} protection={} client=", finding.protection));
    push_request(line, request.client, request.method.as_bytes(), |line| {
        push_bounded(line, request.path);
        if !request.query.is_empty() {
            line.push(b'?');
            push_bounded(line, &secrets.redact_query(request.query));
        }
    });
    line.extend_from_slice(b" reason=");
    push_text(line, &finding.reason);
    if let Some(matched) = &finding.matched {
        line.extend_from_slice(b" field=");
        push_text(line, &matched.field);
        line.extend_from_slice(b" matched=");
        let is_secret = matched.field.parameter().is_some_and(|name| secrets.contains(name.as_bytes()));
        push_text(line, if is_secret { &SecretNames::REDACTED } else { &matched.text });
    }
}

/// Appends the line of a request that was answered with an error.
pub(super) fn push_error(record: &AccessRecord<'_>, line: &mut Vec<u8>) {
    push(
        line,
        format_args!("time={} client={} status={} method=", record.time, record.client, record.status),
    );
    push_escaped(line, bounded(&record.method), false);
    line.extend_from_slice(b" target=\"");
    push_bounded(line, &record.target);
    line.extend_from_slice(b"\"\n");
}

fn push_request(line: &mut Vec<u8>, client: IpAddr, method: &[u8], target: impl FnOnce(&mut Vec<u8>)) {
    push(line, format_args!("{client} method="));
    push_escaped(line, bounded(method), false);
    line.extend_from_slice(b" target=\"");
    target(line);
    line.push(b'"');
}

fn push(line: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    let mut escaped = Escaped { line, blanks: true };
    if escaped.write_fmt(text).is_err() {
        // Writing to a vector does not fail, so a `Display` did: the event is told without it.
        line.extend_from_slice(b"?");
    }
}

/// A value between quotes.
fn push_text(line: &mut Vec<u8>, value: &dyn Display) {
    line.push(b'"');
    push(line, format_args!("{value}"));
    line.push(b'"');
}

/// A value, between quotes only if it has to be.
fn push_value(line: &mut Vec<u8>, value: &dyn Display) {
    let text = value.to_string();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:,+@".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_word) {
        line.extend_from_slice(text.as_bytes());
    } else {
        push_text(line, &text);
    }
}

/// Writes text so that it stays between its quotes and on its line.
struct Escaped<'a> {
    line: &'a mut Vec<u8>,
    blanks: bool,
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_escaped(self.line, text.as_bytes(), self.blanks);
        Ok(())
    }
}

fn push_bounded(line: &mut Vec<u8>, value: &[u8]) {
    let kept = bounded(value);
    push_escaped(line, kept, true);
    if kept.len() < value.len() {
        line.extend_from_slice(b"[truncated]");
    }
}

/// No value is longer in these lines.
fn bounded(value: &[u8]) -> &[u8] {
    value.get(..AccessRecord::MAX_FIELD).unwrap_or(value)
}

/// Escapes as the access log does: printable ASCII but quotes and backslashes as it is, the rest as `\n`, `\xff`.
fn push_escaped(line: &mut Vec<u8>, value: &[u8], blanks: bool) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for &byte in value {
        match byte {
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', byte]),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            b'\t' => line.extend_from_slice(b"\\t"),
            b'!'..=b'~' => line.push(byte),
            b' ' if blanks => line.push(byte),
            _ => {
                let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'?');
                line.extend_from_slice(&[b'\\', b'x', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use aiwaf_core::{Action, Field, Match, Protection, ProtectionSet, Reason};
    use proptest::prelude::*;

    use super::*;

    fn line(event: &Event<'_>) -> String {
        let mut line = Vec::new();
        event.push(Timestamp::UNIX_EPOCH, &mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_finding_says_who_what_and_why() {
        let request = Request::new("203.0.113.9".parse().unwrap(), Timestamp::UNIX_EPOCH)
            .with_method("GET")
            .with_uri("/.env?a=\"b");
        let finding = Finding::block(Protection::IpKeywordBlock, Reason::Keyword(".env".into()))
            .with_match(Match::new(Field::Path, b"/.env", 1, 5));
        let mut verdict = Verdict::allow(ProtectionSet::ALL);
        verdict.action = Action::Block;
        let text = line(&Event::Finding {
            request: &request,
            finding: &finding,
            verdict: &verdict,
            monitored: false,
            secrets: &SecretNames::default(),
        });
        assert_eq!(
            text,
            "time=1970-01-01T00:00:00.000000Z action=block protection=ip_keyword_block client=203.0.113.9 \
             method=GET target=\"/.env?a=\\\"b\" reason=\"Keyword block: .env\" field=\"path\" matched=\".env\"\n"
        );
        let text = line(&Event::Finding {
            request: &request,
            finding: &finding,
            verdict: &verdict,
            monitored: true,
            secrets: &SecretNames::default(),
        });
        assert!(text.contains(" action=block monitor=true protection="), "{text}");
    }

    #[test]
    fn other_events_are_words_and_quoted_text() {
        let event =
            Event::Other { name: "startup", details: &[("version", &"1.2"), ("logs", &"a b"), ("x", &"")] };
        assert_eq!(
            line(&event),
            "time=1970-01-01T00:00:00.000000Z event=startup version=1.2 logs=\"a b\" x=\"\"\n"
        );
    }

    proptest! {
        #[test]
        fn original_defect_22_one_event_is_one_line(uri: Vec<u8>, method: String, reason: String) {
            let request = Request::new("::1".parse().unwrap(), Timestamp::UNIX_EPOCH)
                .with_method(&method).with_uri(&uri);
            let finding = Finding::block(Protection::RateLimit, Reason::Blacklisted(reason.clone().into()));
            let verdict = Verdict::allow(ProtectionSet::ALL);
            let secrets = SecretNames::default();
            let event =
                Event::Finding { request: &request, finding: &finding, verdict: &verdict, monitored: false, secrets: &secrets };
            let text = line(&event);
            prop_assert_eq!(text.matches('\n').count(), 1);
            prop_assert!(text.trim_end().bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            let unescaped = text.replace("\\\\", "").replace("\\\"", "");
            prop_assert_eq!(unescaped.matches('"').count(), 4);
            let other = line(&Event::Other { name: "x", details: &[("y", &reason)] });
            prop_assert_eq!(other.matches('\n').count(), 1);
        }
    }
}
