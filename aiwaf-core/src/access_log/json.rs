//! One JSON object a line: the keys of the original, then ours.
//!
//! The text is valid JSON whatever a client sends, so that no strict reader drops the line. Bytes that are no UTF-8
//! show as U+FFFD; a further key (`path_escaped`) then holds the exact bytes in the combined format's notation.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use smallvec::SmallVec;

use super::escape::{hex, is_confusing, is_plain, plain_length, push_quoted, unescape};
use super::format::{LineError, LogFormat};
use super::line_writer::EntryLine;
use super::record::{AccessRecord, BlockAction, BlockMark, LoggedClient, protection_from_name};
use super::{address, digits, time};

/// Appends the entry of `line` without a line break.
pub(super) fn write(line: EntryLine<'_>, out: &mut Vec<u8>) {
    let EntryLine { entry, reason, second } = line;
    out.extend_from_slice(b"{\"timestamp\": \"");
    second.push_iso(entry.time, out);
    let joined;
    let mut object = Object { out, inexact: SmallVec::new() };
    match &entry.client {
        LoggedClient::Address(address) => {
            object.out.extend_from_slice(b"\", \"ip\": \"");
            address::push(object.out, *address);
            object.out.extend_from_slice(b"\", \"method\": \"");
        }
        LoggedClient::Name(name) => {
            object.text(b"\", \"ip\": \"", "ip", name);
            object.out.extend_from_slice(b"\", \"method\": \"");
        }
    }
    object.text(b"", "method", entry.method);
    match entry.target().parts() {
        (path, None) => object.text(PATH, "path", path),
        (path, Some(query)) if is_plain(path) && is_plain(query) => {
            object.out.extend_from_slice(PATH);
            object.out.extend_from_slice(path);
            object.out.push(b'?');
            object.out.extend_from_slice(query);
        }
        _ => {
            joined = entry.target().joined();
            object.text(PATH, "path", &joined);
        }
    }
    object.number(b"\", \"status_code\": ", entry.status.into());
    let block = entry.block.as_ref();
    if let Some(block) = block {
        let blocked: &[u8] = if block.monitored { b", \"blocked\": false" } else { b", \"blocked\": true" };
        object.out.extend_from_slice(blocked);
        object.text(b", \"block_reason\": \"", "block_reason", reason);
        object.text(b"\", \"protocol\": \"", "protocol", entry.protocol);
    } else {
        object.text(b", \"blocked\": false, \"protocol\": \"", "protocol", entry.protocol);
    }
    object.out.push(b'"');
    if let Some(bytes) = entry.bytes {
        object.number(b", \"bytes\": ", bytes);
    }
    if let Some(referer) = entry.referer.as_deref() {
        object.text(b", \"referer\": \"", "referer", referer);
        object.out.push(b'"');
    }
    if let Some(agent) = entry.user_agent {
        object.text(b", \"user_agent\": \"", "user_agent", agent);
        object.out.push(b'"');
    }
    if let Some(taken) = entry.response_time {
        let micros = LogFormat::written_micros(taken);
        object.number(b", \"response_time_ms\": ", micros / 1000);
        if !micros.is_multiple_of(1000) {
            object.out.push(b'.');
            digits::push_three(object.out, micros % 1000);
        }
    }
    if let Some(block) = block {
        if let Some(protection) = block.protection {
            object.out.extend_from_slice(b", \"protection\": \"");
            object.out.extend_from_slice(protection.name().as_bytes());
            object.out.push(b'"');
        }
        object.out.extend_from_slice(b", \"action\": \"");
        object.out.extend_from_slice(block.action.name().as_bytes());
        object.out.push(b'"');
        if block.monitored {
            object.out.extend_from_slice(b", \"monitored\": true");
        }
    }
    object.finish();
}

const PATH: &[u8] = b"\", \"path\": \"";

/// A JSON object that is being written. Each method gets all that comes between the value before and its own.
struct Object<'o, 'r> {
    out: &'o mut Vec<u8>,
    /// The keys whose text is not exact, and their bytes.
    inexact: SmallVec<[(&'static str, &'r [u8]); 2]>,
}

impl<'r> Object<'_, 'r> {
    #[inline]
    fn number(&mut self, before: &[u8], number: u64) {
        self.out.extend_from_slice(before);
        digits::push(self.out, number);
    }

    /// Appends the inside of the string `value`, the quote before it being the last byte of `before`.
    #[inline]
    fn text(&mut self, before: &[u8], name: &'static str, value: &'r [u8]) {
        self.out.extend_from_slice(before);
        if is_plain(value) {
            self.out.extend_from_slice(value);
        } else {
            self.escaped_text(name, value);
        }
    }

    #[inline(never)]
    fn escaped_text(&mut self, name: &'static str, value: &'r [u8]) {
        let mut is_exact = true;
        for chunk in value.utf8_chunks() {
            push_json(self.out, chunk.valid());
            if !chunk.invalid().is_empty() {
                is_exact = false;
                self.out.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
        if !is_exact {
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
