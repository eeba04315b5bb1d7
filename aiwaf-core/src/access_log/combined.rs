//! The combined log format of Apache and nginx, followed by ours:
//! `... "referer" "agent" 10ms BLOCKED "reason" protection action`.
//!
//! A request that passed ends in `10ms - "-"`; one that a protection in monitor mode would have denied says
//! `MONITORED` instead of `BLOCKED`. An unknown response time is `-`.

use std::borrow::Cow;
use std::time::Duration;

use super::common::{self, NONE, split_at_byte, split_at_quote};
use super::digits;
use super::escape::{push_quoted, unescape};
use super::format::{LineError, LogFormat};
use super::line_writer::EntryLine;
use super::record::{AccessRecord, BlockAction, BlockMark, protection_from_name};

const BLOCKED: &[u8] = b"BLOCKED";
const MONITORED: &[u8] = b"MONITORED";

/// Appends the entry of `line` without a line break.
pub(super) fn write(line: EntryLine<'_>, out: &mut Vec<u8>) {
    let EntryLine { entry, reason, second } = line;
    common::write(entry, second, out);
    push_header(out, entry.referer.as_deref());
    push_header(out, entry.user_agent);
    match entry.response_time {
        Some(taken) => {
            out.push(b' ');
            digits::push(out, LogFormat::written_micros(taken) / 1000);
            out.extend_from_slice(b"ms ");
        }
        None => out.extend_from_slice(b" - "),
    }
    let Some(block) = &entry.block else {
        out.extend_from_slice(b"- \"-\"");
        return;
    };
    out.extend_from_slice(if block.monitored { MONITORED } else { BLOCKED });
    out.extend_from_slice(b" \"");
    push_quoted(out, reason);
    out.extend_from_slice(b"\" ");
    out.extend_from_slice(block.protection.map_or(NONE, |protection| protection.name().as_bytes()));
    out.push(b' ');
    out.extend_from_slice(block.action.name().as_bytes());
}

/// A missing header is `"-"`, so one that says `-` is escaped.
fn push_header(out: &mut Vec<u8>, value: Option<&[u8]>) {
    out.extend_from_slice(b" \"");
    match value {
        None => out.extend_from_slice(NONE),
        Some(NONE) => out.extend_from_slice(b"\\x2d"),
        Some(value) => push_quoted(out, value),
    }
    out.push(b'"');
}

/// Reads a combined or common line, of ours or of another server.
pub(super) fn parse(line: &[u8]) -> Result<AccessRecord<'_>, LineError> {
    let (mut record, rest) = common::parse(line)?;
    let mut rest = rest;
    if let Some(quoted) = rest.strip_prefix(b" \"") {
        let (referer, tail) = split_header(quoted, |tail| tail.strip_prefix(b" \""))
            .ok_or(LineError::Unterminated { field: "referer" })?;
        let (agent, tail) =
            split_header(tail, |tail| (tail.is_empty() || tail.starts_with(b" ")).then_some(tail))
                .ok_or(LineError::Unterminated { field: "user agent" })?;
        record.referer = parse_header(referer);
        record.user_agent = parse_header(agent);
        rest = tail;
    }
    parse_extension(&mut record, rest)?;
    Ok(record)
}

/// Splits at the quote that ends a header; also if the server that wrote the line does not escape.
fn split_header<'a>(
    text: &'a [u8],
    follows: impl Fn(&'a [u8]) -> Option<&'a [u8]>,
) -> Option<(&'a [u8], &'a [u8])> {
    split_at_quote(text, true, &follows).or_else(|| split_at_quote(text, false, &follows))
}

fn parse_header(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    (value != NONE).then(|| unescape(value))
}

/// What follows the agent: response time and block. Servers append all kinds of fields, so what is not ours is
/// ignored.
fn parse_extension<'a>(record: &mut AccessRecord<'a>, rest: &'a [u8]) -> Result<(), LineError> {
    let extension = rest;
    let Some((taken, rest)) = next_word(rest) else { return Ok(()) };
    if taken != NONE {
        let Some(millis) = taken.strip_suffix(b"ms").and_then(digits::parse) else {
            record.response_time = foreign_response_time(extension);
            return Ok(());
        };
        record.response_time = Some(Duration::from_millis(millis));
    }
    let Some((mark @ (BLOCKED | MONITORED), rest)) = next_word(rest) else { return Ok(()) };
    let quoted = rest.strip_prefix(b" \"").ok_or(LineError::Missing { field: "block reason" })?;
    let (reason, rest) =
        split_header(quoted, |tail| (tail.is_empty() || tail.starts_with(b" ")).then_some(tail))
            .ok_or(LineError::Unterminated { field: "block reason" })?;
    let (protection, rest) = next_word(rest).unwrap_or_default();
    let (action, _) = next_word(rest).unwrap_or_default();
    record.block = Some(BlockMark {
        reason: unescape(reason),
        protection: protection_from_name(protection),
        action: BlockAction::from_name_or_status(action, record.status),
        monitored: mark == MONITORED,
    });
    Ok(())
}

/// How long a request took, as other servers append it: `response-time=0.25`, `rt=0.250`, or nginx' `$request_time`,
/// which always has three decimals; behind up to four quoted headers. Never from within quotes: these hold what clients
/// send. Other bare numbers may mean anything.
fn foreign_response_time(text: &[u8]) -> Option<Duration> {
    let mut text = text;
    for _ in 0..4 {
        let Some(quoted) = text.strip_prefix(b" \"") else { break };
        let (_, after) =
            split_header(quoted, |tail| (tail.is_empty() || tail.starts_with(b" ")).then_some(tail))?;
        text = after;
    }
    let (word, _) = next_word(text)?;
    for name in [&b"response-time="[..], b"response_time=", b"request_time=", b"rt="] {
        if let Some(seconds) = word.strip_prefix(name) {
            return digits::parse_seconds(seconds.strip_suffix(b"s").unwrap_or(seconds));
        }
    }
    let (_, decimals) = split_at_byte(word, b'.')?;
    if decimals.len() == 3 { digits::parse_seconds(word) } else { None }
}

/// The next word behind a blank, and the rest from the blank behind it.
fn next_word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b" ")?;
    let end = split_at_byte(text, b' ').map_or(text.len(), |(word, _)| word.len());
    text.split_at_checked(end)
}
