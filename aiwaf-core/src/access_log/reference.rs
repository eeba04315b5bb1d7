//! Plain, slow writers of the four formats: the fast ones must write the same bytes.

use std::fmt::Write as _;
use std::time::Duration;

use super::escape::is_confusing;
use super::{AccessRecord, LogFormat, LoggedClient, common};
use crate::timestamp::Timestamp;

/// Writes `record` as [`LogFormat::write`] must.
pub(super) fn write(format: LogFormat, record: &AccessRecord<'_>) -> Vec<u8> {
    let record = format.carried(record);
    let mut line = match format {
        LogFormat::Combined => common(&record) + &combined_tail(&record),
        LogFormat::Common => common(&record),
        LogFormat::Csv => csv(&record),
        LogFormat::Json => json(&record),
    };
    line.push('\n');
    line.into_bytes()
}

/// Escapes byte by byte, for a place between quotes or for a word.
pub(super) fn escaped(value: &[u8], is_word: bool) -> String {
    let mut out = String::new();
    for &byte in value {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b'\\' => out.push_str("\\\\"),
            b'"' => out.push_str("\\\""),
            b' ' if !is_word => out.push(' '),
            b'!'..=b'~' => out.push(char::from(byte)),
            _ => write!(out, "\\x{byte:02x}").unwrap(),
        }
    }
    out
}

fn word(value: &[u8], is_plain: bool) -> String {
    let odd = if is_plain { "" } else { "\\-" };
    format!("{odd}{}", escaped(value, true))
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

fn common(record: &AccessRecord<'_>) -> String {
    let client = match &record.client {
        LoggedClient::Address(address) => address.to_string(),
        LoggedClient::Name(name) if name.is_empty() => "-".to_owned(),
        LoggedClient::Name(name) => word(name, &**name != b"-"),
    };
    let (year, civil) = calendar(record.time);
    let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        [usize::try_from(civil.month()).unwrap() - 1];
    let time = format!(
        "{:02}/{month}/{:04}:{:02}:{:02}:{:02} +0000",
        civil.day(),
        year,
        civil.hour(),
        civil.minute(),
        civil.second()
    );
    let request = if record.method.is_empty() && record.protocol.is_empty() {
        escaped(&record.target, true)
    } else {
        let method = word(&record.method, common::is_method(&record.method));
        let protocol = word(&record.protocol, common::is_protocol(&record.protocol));
        format!("{method} {} {protocol}", escaped(&record.target, false))
    };
    format!("{client} - - [{time}] \"{request}\" {} {}", record.status, or_dash(record.bytes))
}

fn combined_tail(record: &AccessRecord<'_>) -> String {
    let header = |value: Option<&[u8]>| match value {
        None => "-".to_owned(),
        Some(b"-") => "\\x2d".to_owned(),
        Some(value) => escaped(value, false),
    };
    let (referer, agent) = (header(record.referer.as_deref()), header(record.user_agent.as_deref()));
    let taken = or_dash(record.response_time.map(|taken| format!("{}ms", taken.as_millis())));
    let block = record.block.as_ref().map_or_else(
        || "- \"-\"".to_owned(),
        |mark| {
            let state = if mark.monitored { "MONITORED" } else { "BLOCKED" };
            let reason = escaped(&mark.reason, false);
            format!("{state} \"{reason}\" {} {}", or_dash(mark.protection), mark.action.name())
        },
    );
    format!(" \"{referer}\" \"{agent}\" {taken} {block}")
}

/// The year and the rest of a date. The calendar of `jiff` ends a day before ours and repeats every 400 years.
fn calendar(time: Timestamp) -> (i16, jiff::civil::DateTime) {
    const CYCLE: Duration = Duration::from_hours(146_097 * 24);
    if time.as_unix_micros() < 0 {
        let civil = time.to_civil();
        return (civil.year(), civil);
    }
    let civil = (time - CYCLE).to_civil();
    (civil.year() + 400, civil)
}

fn iso(time: Timestamp) -> String {
    let (year, civil) = calendar(time);
    let mut text = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        year,
        civil.month(),
        civil.day(),
        civil.hour(),
        civil.minute(),
        civil.second()
    );
    let micros = time.as_unix_micros().rem_euclid(1_000_000);
    if micros != 0 {
        write!(text, ".{micros:06}").unwrap();
    }
    text
}

fn csv(record: &AccessRecord<'_>) -> String {
    let client = match &record.client {
        LoggedClient::Address(address) => address.to_string(),
        LoggedClient::Name(name) => cell(name),
    };
    let boolean = |value| if value { "True" } else { "False" };
    let number = |value: Option<u128>| value.map_or_else(String::new, |value| value.to_string());
    let mark = record.block.as_ref();
    let monitored = mark.is_some_and(|mark| mark.monitored);
    [
        iso(record.time),
        client,
        cell(&record.method),
        cell(&record.target),
        record.status.to_string(),
        number(record.response_time.map(|taken| taken.as_millis())),
        boolean(mark.is_some() && !monitored).to_owned(),
        cell(mark.map_or(b"", |mark| &mark.reason)),
        cell(&record.protocol),
        number(record.bytes.map(u128::from)),
        cell(record.referer.as_deref().unwrap_or_default()),
        cell(record.user_agent.as_deref().unwrap_or_default()),
        number(record.response_time.map(|taken| taken.as_micros())),
        mark.and_then(|mark| mark.protection).map_or("", |known| known.name()).to_owned(),
        mark.map_or("", |mark| mark.action.name()).to_owned(),
        boolean(monitored).to_owned(),
    ]
    .join(",")
}

fn cell(value: &[u8]) -> String {
    let all_escaped = |bytes: &[u8]| bytes.iter().map(|byte| escape_of(*byte)).collect::<String>();
    let mut out = String::new();
    let mut at_start = true;
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            let is_formula = matches!(
                character,
                '=' | '+' | '-' | '@' | '\u{ff1d}' | '\u{ff0b}' | '\u{ff0d}' | '\u{ff20}'
            );
            match character {
                '"' => out.push_str("\"\""),
                '\\' => out.push_str("\\\\"),
                _ if is_confusing(character) || at_start && is_formula => {
                    out.push_str(&all_escaped(character.encode_utf8(&mut [0; 4]).as_bytes()));
                }
                _ => out.push(character),
            }
            at_start = character == ';' || at_start && character == ' ';
        }
        out.push_str(&all_escaped(chunk.invalid()));
        at_start &= chunk.invalid().is_empty();
    }
    if value.iter().any(|byte| b",\"; ".contains(byte)) { format!("\"{out}\"") } else { out }
}

fn escape_of(byte: u8) -> String {
    match byte {
        b'\n' | b'\r' | b'\t' | b'\\' | b'"' => escaped(&[byte], true),
        _ => format!("\\x{byte:02x}"),
    }
}

fn json(record: &AccessRecord<'_>) -> String {
    let mut pairs = vec![("timestamp".to_owned(), format!("\"{}\"", iso(record.time)))];
    let mut exact = Vec::new();
    let mut text = |pairs: &mut Vec<(String, String)>, name: &str, value: &[u8]| {
        pairs.push((name.to_owned(), format!("\"{}\"", json_text(value))));
        if std::str::from_utf8(value).is_err() {
            let escaped = escaped(value, false).replace('\\', "\\\\").replace('"', "\\\"");
            exact.push((format!("{name}_escaped"), format!("\"{escaped}\"")));
        }
    };
    match &record.client {
        LoggedClient::Address(address) => text(&mut pairs, "ip", address.to_string().as_bytes()),
        LoggedClient::Name(name) => text(&mut pairs, "ip", name),
    }
    text(&mut pairs, "method", &record.method);
    text(&mut pairs, "path", &record.target);
    pairs.push(("status_code".to_owned(), record.status.to_string()));
    let mark = record.block.as_ref();
    pairs.push(("blocked".to_owned(), mark.is_some_and(|mark| !mark.monitored).to_string()));
    if let Some(mark) = mark {
        text(&mut pairs, "block_reason", &mark.reason);
    }
    text(&mut pairs, "protocol", &record.protocol);
    if let Some(bytes) = record.bytes {
        pairs.push(("bytes".to_owned(), bytes.to_string()));
    }
    for (name, value) in [("referer", &record.referer), ("user_agent", &record.user_agent)] {
        if let Some(value) = value {
            text(&mut pairs, name, value);
        }
    }
    if let Some(taken) = record.response_time {
        let (millis, micros) = (taken.as_millis(), taken.as_micros() % 1000);
        let decimals = if micros == 0 { String::new() } else { format!(".{micros:03}") };
        pairs.push(("response_time_ms".to_owned(), format!("{millis}{decimals}")));
    }
    if let Some(mark) = mark {
        if let Some(protection) = mark.protection {
            text(&mut pairs, "protection", protection.name().as_bytes());
        }
        text(&mut pairs, "action", mark.action.name().as_bytes());
        if mark.monitored {
            pairs.push(("monitored".to_owned(), "true".to_owned()));
        }
    }
    pairs.append(&mut exact);
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn json_text(value: &[u8]) -> String {
    let mut out = String::new();
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                _ if is_confusing(character) => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        write!(out, "\\u{unit:04x}").unwrap();
                    }
                }
                _ => out.push(character),
            }
        }
        if !chunk.invalid().is_empty() {
            out.push('\u{fffd}');
        }
    }
    out
}
