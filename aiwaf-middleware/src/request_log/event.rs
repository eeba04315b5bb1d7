//! The lines of `aiwaf.log` and `error.log`: `key=value` pairs, text in quotes, one event a line whatever it holds.

use std::fmt::{self, Display, Write};

use aiwaf_core::{
    AccessRecord, Finding, LineWriter, LogEntry, LoggedClient, Request, SecretNames, Timestamp, Verdict,
};

/// An event for operators, in `aiwaf.log`.
pub(crate) enum Event<'a> {
    /// A request was blocked or throttled, or a protection in monitor mode would have done so.
    Finding {
        request: &'a Request<'a>,
        finding: &'a Finding,
        verdict: &'a Verdict,
        monitored: bool,
        /// The parameters whose values the line does not show.
        secrets: &'a SecretNames,
    },
    /// Any other event: its name and details.
    Other { name: &'static str, details: &'a [(&'static str, &'a dyn Display)] },
}

impl Event<'_> {
    /// Appends the line.
    pub(super) fn push(&self, time: Timestamp, writer: &mut LineWriter, line: &mut Vec<u8>) {
        line.extend_from_slice(b"time=");
        writer.push_time(time, line);
        match self {
            Self::Finding { request, finding, verdict, monitored, secrets } => {
                push_finding(line, request, finding, *monitored, secrets);
                if let Some(ban) = verdict.ban.as_ref().filter(|_| !monitored) {
                    push(line, format_args!(" ban={} ban_until=", ban.network));
                    match ban.expires {
                        Some(end) => writer.push_time(end, line),
                        None => line.extend_from_slice(b"never"),
                    }
                }
            }
            Self::Other { name, details } => {
                push(line, format_args!(" event={name}"));
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
    line.extend_from_slice(b" action=");
    line.extend_from_slice(finding.action.name().as_bytes());
    line.extend_from_slice(if monitored { b" monitor=true protection=" } else { b" protection=" });
    line.extend_from_slice(finding.protection.name().as_bytes());
    line.extend_from_slice(b" client=");
    LineWriter::push_address(request.client, line);
    line.extend_from_slice(b" method=");
    LineWriter::push_word(bounded(request.method.as_bytes()), line);
    line.extend_from_slice(b" target=\"");
    push_bounded(line, request.path);
    if !request.query.is_empty() {
        line.push(b'?');
        push_bounded(line, &secrets.redact_query(request.query));
    }
    line.extend_from_slice(b"\" reason=");
    push_text(line, &finding.reason);
    if let Some(matched) = &finding.matched {
        line.extend_from_slice(b" field=");
        push_text(line, &matched.field);
        line.extend_from_slice(b" matched=");
        let is_secret = matched.field.parameter().is_some_and(|name| secrets.contains(name.as_bytes()));
        push_text(line, if is_secret { &SecretNames::REDACTED } else { &matched.text });
    }
}

/// Appends the line of a request whose response is an error.
pub(super) fn push_error(entry: &LogEntry<'_>, writer: &mut LineWriter, line: &mut Vec<u8>) {
    line.extend_from_slice(b"time=");
    writer.push_time(entry.time, line);
    line.extend_from_slice(b" client=");
    match &entry.client {
        LoggedClient::Address(address) => LineWriter::push_address(*address, line),
        name @ LoggedClient::Name(_) => push(line, format_args!("{name}")),
    }
    line.extend_from_slice(b" status=");
    LineWriter::push_number(entry.status.into(), line);
    line.extend_from_slice(b" method=");
    LineWriter::push_word(bounded(entry.method), line);
    line.extend_from_slice(b" target=\"");
    if entry.query.is_empty() {
        push_bounded(line, &entry.path);
    } else if entry.path.len() + entry.query.len() < AccessRecord::MAX_FIELD {
        LineWriter::push_quoted(&entry.path, line);
        line.push(b'?');
        LineWriter::push_quoted(&entry.query, line);
    } else {
        push_bounded(line, &[&entry.path, &b"?"[..], &entry.query].concat());
    }
    line.extend_from_slice(b"\"\n");
}

fn push(line: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    if (Escaped { line }).write_fmt(text).is_err() {
        // Writing to a vector does not fail, so a `Display` did: the line goes on without its text.
        line.extend_from_slice(b"?");
    }
}

/// Appends a value in quotes.
fn push_text(line: &mut Vec<u8>, value: &dyn Display) {
    line.push(b'"');
    push(line, format_args!("{value}"));
    line.push(b'"');
}

/// Appends a value, in quotes only if it needs them.
fn push_value(line: &mut Vec<u8>, value: &dyn Display) {
    let text = value.to_string();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:,+@".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_word) {
        line.extend_from_slice(text.as_bytes());
    } else {
        push_text(line, &text);
    }
}

/// Escapes text, so that it stays between its quotes and on its line.
struct Escaped<'a> {
    line: &'a mut Vec<u8>,
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        LineWriter::push_quoted(text.as_bytes(), self.line);
        Ok(())
    }
}

fn push_bounded(line: &mut Vec<u8>, value: &[u8]) {
    let kept = bounded(value);
    LineWriter::push_quoted(kept, line);
    if kept.len() < value.len() {
        line.extend_from_slice(b"[truncated]");
    }
}

/// The first [`AccessRecord::MAX_FIELD`] bytes: no value is longer in these lines.
fn bounded(value: &[u8]) -> &[u8] {
    value.get(..AccessRecord::MAX_FIELD).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use aiwaf_core::{Action, Field, Match, Protection, ProtectionSet, Reason};
    use proptest::prelude::*;

    use super::*;

    fn line(event: &Event<'_>) -> String {
        let mut line = Vec::new();
        event.push(Timestamp::UNIX_EPOCH, &mut LineWriter::new(), &mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn finding_names_client_target_and_reason() {
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

    /// The bytes of a line's value, escaped one by one.
    fn escaped(value: &[u8]) -> String {
        value.iter().fold(String::new(), |mut text, &byte| {
            match byte {
                b'\n' => text.push_str("\\n"),
                b'\r' => text.push_str("\\r"),
                b'\t' => text.push_str("\\t"),
                b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
                b' '..=b'~' => text.push(char::from(byte)),
                _ => write!(text, "\\x{byte:02x}").unwrap(),
            }
            text
        })
    }

    #[test]
    fn other_events_quote_text() {
        let event =
            Event::Other { name: "startup", details: &[("version", &"1.2"), ("logs", &"a b"), ("x", &"")] };
        assert_eq!(
            line(&event),
            "time=1970-01-01T00:00:00.000000Z event=startup version=1.2 logs=\"a b\" x=\"\"\n"
        );
    }

    proptest! {
        #[test]
        fn error_lines_hold_the_record(
            micros in 0i64..253_402_207_200_000_000,
            client: std::net::IpAddr,
            status: u16,
            method in "[A-Z]{0,9}",
            path: Vec<u8>,
            query: Vec<u8>,
            times in prop_oneof![Just(1), Just(3000usize)],
        ) {
            let query = query.repeat(times);
            let time = Timestamp::from_unix_micros(micros);
            let mut entry = LogEntry::of_client(time, client);
            (entry.status, entry.method) = (status, method.as_bytes());
            (entry.path, entry.query) = ((&path).into(), (&query).into());
            let mut line = Vec::new();
            push_error(&entry, &mut LineWriter::new(), &mut line);
            let target = if query.is_empty() { path } else { [path, b"?".to_vec(), query].concat() };
            let kept = target.get(..AccessRecord::MAX_FIELD).unwrap_or(&target);
            let mark = if kept.len() < target.len() { "[truncated]" } else { "" };
            let expected = format!(
                "time={time} client={client} status={status} method={method} target=\"{}{mark}\"\n",
                escaped(kept)
            );
            prop_assert_eq!(String::from_utf8(line).unwrap(), expected);
        }

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
