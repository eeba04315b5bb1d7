//! One JSON object a line: the keys of the original, then ours.
//!
//! The text is valid JSON whatever a client sends, so that no strict reader drops the line. Bytes that are no UTF-8
//! show as U+FFFD; a further key (`path_escaped`) then holds the exact bytes in the combined format's notation.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;

use super::escape::{hex, is_confusing, plain_length, push_quoted, unescape};
use super::format::LineError;
use super::record::{AccessRecord, BlockAction, BlockMark, LoggedClient, protection_from_name};
use super::{common, digits, time};

/// Appends `record` without a line break.
pub(super) fn write(record: &AccessRecord<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"timestamp\": \"");
    time::push_iso(out, record.time);
    out.push(b'"');
    let mut object = Object { out, inexact: Vec::new() };
    match &record.client {
        LoggedClient::Address(address) => {
            object.key("ip");
            object.out.push(b'"');
            common::push_address(object.out, *address);
            object.out.push(b'"');
        }
        LoggedClient::Name(name) => object.text("ip", name),
    }
    object.text("method", &record.method);
    object.text("path", &record.target);
    object.number("status_code", record.status.into());
    let mark = record.block.as_ref();
    object.boolean("blocked", mark.is_some_and(|mark| !mark.monitored));
    if let Some(mark) = mark {
        object.text("block_reason", &mark.reason);
    }
    object.text("protocol", &record.protocol);
    if let Some(bytes) = record.bytes {
        object.number("bytes", bytes);
    }
    if let Some(referer) = &record.referer {
        object.text("referer", referer);
    }
    if let Some(agent) = &record.user_agent {
        object.text("user_agent", agent);
    }
    if let Some(taken) = record.response_time {
        let micros = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
        object.number("response_time_ms", micros / 1000);
        if !micros.is_multiple_of(1000) {
            object.out.push(b'.');
            digits::push_padded(object.out, micros % 1000, 3);
        }
    }
    if let Some(mark) = mark {
        if let Some(protection) = mark.protection {
            object.text("protection", protection.name().as_bytes());
        }
        object.text("action", mark.action.name().as_bytes());
        if mark.monitored {
            object.boolean("monitored", true);
        }
    }
    object.finish();
}

/// A JSON object whose first key has been written.
struct Object<'o, 'r> {
    out: &'o mut Vec<u8>,
    /// The keys whose text is not exact, and their bytes.
    inexact: Vec<(&'static str, &'r [u8])>,
}

impl<'r> Object<'_, 'r> {
    fn key(&mut self, name: &str) {
        self.out.extend_from_slice(b", \"");
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\": ");
    }

    fn number(&mut self, name: &str, number: u64) {
        self.key(name);
        digits::push(self.out, number);
    }

    fn boolean(&mut self, name: &str, value: bool) {
        self.key(name);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
    }

    fn text(&mut self, name: &'static str, value: &'r [u8]) {
        self.key(name);
        self.out.push(b'"');
        let mut exact = true;
        for chunk in value.utf8_chunks() {
            push_json(self.out, chunk.valid());
            if !chunk.invalid().is_empty() {
                exact = false;
                self.out.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
        self.out.push(b'"');
        if !exact {
            self.inexact.push((name, value));
        }
    }

    fn finish(self) {
        for (name, value) in self.inexact {
            self.out.extend_from_slice(b", \"");
            self.out.extend_from_slice(name.as_bytes());
            self.out.extend_from_slice(b"_escaped\": \"");
            let mut escaped = Vec::new();
            push_quoted(&mut escaped, value);
            // Printable ASCII: only the backslashes and quotes of the notation need JSON's escape.
            for byte in escaped {
                if matches!(byte, b'\\' | b'"') {
                    self.out.push(b'\\');
                }
                self.out.push(byte);
            }
            self.out.push(b'"');
        }
        self.out.push(b'}');
    }
}

/// Appends the inside of a JSON string. Characters that break lines or hide text in some viewers are escaped too.
fn push_json(out: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    loop {
        let (plain, tail) = rest.split_at(plain_length(rest.as_bytes(), b'"'));
        out.extend_from_slice(plain.as_bytes());
        let mut characters = tail.chars();
        match characters.next() {
            Some('"') => out.extend_from_slice(b"\\\""),
            Some('\\') => out.extend_from_slice(b"\\\\"),
            Some('\n') => out.extend_from_slice(b"\\n"),
            Some('\r') => out.extend_from_slice(b"\\r"),
            Some('\t') => out.extend_from_slice(b"\\t"),
            Some(character) if is_confusing(character) => {
                let mut unit = [0; 2];
                for [high, low] in character.encode_utf16(&mut unit).iter().map(|unit| unit.to_be_bytes()) {
                    out.extend_from_slice(&[b'\\', b'u', hex(high >> 4), hex(high), hex(low >> 4), hex(low)]);
                }
            }
            Some(character) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            None => return,
        }
        rest = characters.as_str();
    }
}

/// A line as it stands; keys that we don't know are skipped.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    timestamp: Text<'a>,
    #[serde(borrow)]
    ip: Text<'a>,
    #[serde(borrow, default)]
    method: Text<'a>,
    #[serde(borrow)]
    path: Text<'a>,
    status_code: u16,
    #[serde(default)]
    blocked: bool,
    #[serde(borrow)]
    block_reason: Option<Text<'a>>,
    #[serde(borrow, default)]
    protocol: Text<'a>,
    bytes: Option<u64>,
    #[serde(borrow)]
    referer: Option<Text<'a>>,
    #[serde(borrow)]
    user_agent: Option<Text<'a>>,
    response_time_ms: Option<f64>,
    #[serde(borrow)]
    protection: Option<Text<'a>>,
    #[serde(borrow)]
    action: Option<Text<'a>>,
    #[serde(default)]
    monitored: bool,
    #[serde(borrow)]
    ip_escaped: Option<Text<'a>>,
    #[serde(borrow)]
    method_escaped: Option<Text<'a>>,
    #[serde(borrow)]
    path_escaped: Option<Text<'a>>,
    #[serde(borrow)]
    block_reason_escaped: Option<Text<'a>>,
    #[serde(borrow)]
    protocol_escaped: Option<Text<'a>>,
    #[serde(borrow)]
    referer_escaped: Option<Text<'a>>,
    #[serde(borrow)]
    user_agent_escaped: Option<Text<'a>>,
}

/// A string that is borrowed from the line if it holds no escapes, also as an optional value.
#[derive(Deserialize, Default)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Text<'a> {
    fn into_bytes(self) -> Cow<'a, [u8]> {
        match self.0 {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }
    }
}

/// The exact bytes, if the line has them, else the text.
fn exact<'a>(text: Text<'a>, escaped: Option<Text<'a>>) -> Cow<'a, [u8]> {
    match escaped {
        Some(escaped) => Cow::Owned(unescape(escaped.0.as_bytes()).into_owned()),
        None => text.into_bytes(),
    }
}

/// Reads a line of ours or of the original.
pub(super) fn parse(line: &[u8]) -> Result<AccessRecord<'_>, LineError> {
    let line: Line<'_> =
        serde_json::from_slice(line).map_err(|error| LineError::Json { column: error.column() })?;
    let time =
        time::parse_iso(line.timestamp.0.as_bytes()).ok_or(LineError::Invalid { field: "timestamp" })?;
    let action = line.action.as_ref().map_or(&b""[..], |action| action.0.as_bytes());
    let protection = line.protection.as_ref().map_or(&b""[..], |protection| protection.0.as_bytes());
    let block = (line.blocked || line.monitored).then(|| BlockMark {
        protection: protection_from_name(protection),
        action: BlockAction::from_name_or_status(action, line.status_code),
        monitored: line.monitored,
        reason: exact(line.block_reason.unwrap_or_default(), line.block_reason_escaped),
    });
    Ok(AccessRecord {
        time,
        client: LoggedClient::from(exact(line.ip, line.ip_escaped)),
        method: exact(line.method, line.method_escaped),
        target: exact(line.path, line.path_escaped),
        protocol: exact(line.protocol, line.protocol_escaped),
        status: line.status_code,
        bytes: line.bytes,
        referer: line.referer.map(|text| exact(text, line.referer_escaped)),
        user_agent: line.user_agent.map(|text| exact(text, line.user_agent_escaped)),
        response_time: line.response_time_ms.map(response_time).transpose()?,
        block,
    })
}

/// Milliseconds, rounded to the microseconds that we write.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // checked: from 0 to far below u64::MAX
fn response_time(milliseconds: f64) -> Result<Duration, LineError> {
    if (0.0..1e12).contains(&milliseconds) {
        Ok(Duration::from_micros((milliseconds * 1000.0).round() as u64))
    } else {
        Err(LineError::Invalid { field: "response_time_ms" })
    }
}
