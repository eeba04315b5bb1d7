//! The common log format: `host ident user [time] "request" status bytes`.
//!
//! Servers of several sites write the site in front of the host (`vhost_combined`). Nobody writes an address as the
//! ident, so an address there means that it is the client's, and what stands before it is whatever name of a site the
//! client asked for: it must never be taken for the client.

use std::borrow::Cow;
use std::net::IpAddr;

use super::entry::{LogEntry, Target};
use super::escape::{push_quoted, push_word, unescape};
use super::format::LineError;
use super::record::{AccessRecord, LoggedClient};
use super::second_text::SecondText;
use super::{address, digits, time};

/// What a field without a value is.
pub(super) const NONE: &[u8] = b"-";

/// Stands before a method, protocol or client that the format could not tell from something else. Neither Apache
/// nor nginx write this escape.
const ODD: &[u8] = b"\\-";

/// Appends `entry` without a line break.
pub(super) fn write(entry: &LogEntry<'_>, second: &mut SecondText, out: &mut Vec<u8>) {
    match &entry.client {
        LoggedClient::Address(address) => address::push(out, *address),
        LoggedClient::Name(name) if name.is_empty() => out.extend_from_slice(NONE),
        LoggedClient::Name(name) => push_word_or_odd(out, name, **name != *NONE),
    }
    second.push_clf(entry.time, out);
    if entry.method.is_empty() && entry.protocol.is_empty() {
        push_target(out, entry.target(), push_word);
    } else {
        match entry.method {
            b"GET" => out.extend_from_slice(b"GET "),
            b"POST" => out.extend_from_slice(b"POST "),
            method => {
                push_word_or_odd(out, method, is_method(method));
                out.push(b' ');
            }
        }
        push_target(out, entry.target(), push_quoted);
        match entry.protocol {
            b"HTTP/1.1" => out.extend_from_slice(b" HTTP/1.1"),
            b"HTTP/2.0" => out.extend_from_slice(b" HTTP/2.0"),
            protocol => {
                out.push(b' ');
                push_word_or_odd(out, protocol, is_protocol(protocol));
            }
        }
    }
    out.extend_from_slice(b"\" ");
    digits::push(out, entry.status.into());
    out.push(b' ');
    match entry.bytes {
        Some(bytes) => digits::push(out, bytes),
        None => out.extend_from_slice(NONE),
    }
}

fn push_target(out: &mut Vec<u8>, target: Target<'_>, push: impl Fn(&mut Vec<u8>, &[u8])) {
    let (path, query) = target.parts();
    push(out, path);
    if let Some(query) = query {
        out.push(b'?');
        push(out, query);
    }
}

/// Reads the fields of the common format; gives back what follows them as well.
///
/// The request ends at the first quote that is not escaped and is followed by a status and a length. Should there be
/// none, the server that wrote the line does not escape, and a backslash before the quote belongs to the request.
pub(super) fn parse(line: &[u8]) -> Result<(AccessRecord<'_>, &[u8]), LineError> {
    let (host, rest) = split_at_byte(line, b' ').ok_or(LineError::Missing { field: "time" })?;
    let host = behind_site(rest).unwrap_or(host);
    let (time, rest) = find_time(rest)?;
    let rest = rest.strip_prefix(b" \"").ok_or(LineError::Missing { field: "request" })?;
    let (request, (status, bytes, rest)) = split_at_quote(rest, true, answer)
        .or_else(|| split_at_quote(rest, false, answer))
        .ok_or(LineError::Unterminated { field: "request" })?;
    let (method, target, protocol) = split_request(request);
    let record = AccessRecord {
        time,
        client: parse_client(host),
        method: parse_word(method),
        target: unescape(target),
        protocol: parse_word(protocol),
        status,
        bytes,
        referer: None,
        user_agent: None,
        response_time: None,
        block: None,
    };
    Ok((record, rest))
}

/// The second word, if it is an address.
fn behind_site(rest: &[u8]) -> Option<&[u8]> {
    if rest.starts_with(b"- ") {
        return None;
    }
    let (word, _) = split_at_byte(rest.get(..48).unwrap_or(rest), b' ')?;
    std::str::from_utf8(word).ok()?.parse::<IpAddr>().is_ok().then_some(word)
}

/// Splits at the first quote whose rest `follows` accepts; with `escapes`, not at one behind a backslash.
/// Linear as long as `follows` looks at a bounded part.
pub(super) fn split_at_quote<'a, T>(
    text: &'a [u8],
    escapes: bool,
    follows: impl Fn(&'a [u8]) -> Option<T>,
) -> Option<(&'a [u8], T)> {
    memchr::memchr_iter(b'"', text).find_map(|at| {
        let (before, quote) = text.split_at_checked(at)?;
        // The backslashes in front of two quotes are different ones, so counting them is linear in all.
        let backslashes = before.iter().rev().take_while(|&&byte| byte == b'\\').count();
        if escapes && backslashes % 2 == 1 {
            return None;
        }
        Some((before, follows(quote.get(1..)?)?))
    })
}

/// ` status bytes` and what comes after; `-` is a status of 0 and an unknown length.
fn answer(text: &[u8]) -> Option<(u16, Option<u64>, &[u8])> {
    let text = text.strip_prefix(b" ")?;
    // Bounded, so that each of many quotes costs the same: five digits, a blank, twenty digits, a blank.
    let window = text.get(..27).unwrap_or(text);
    let (status, tail) = split_at_byte(window, b' ')?;
    let status_length = status.len() + 1;
    let bytes_length = tail.iter().position(|&byte| byte == b' ').unwrap_or(tail.len());
    let bytes = tail.get(..bytes_length)?;
    let status = if status == NONE { 0 } else { u16::try_from(digits::parse(status)?).ok()? };
    let bytes = if bytes == NONE { None } else { Some(digits::parse(bytes)?) };
    Some((status, bytes, text.get(status_length + bytes_length..)?))
}

/// The first time in brackets: names of users may hold blanks and brackets.
fn find_time(text: &[u8]) -> Result<(crate::Timestamp, &[u8]), LineError> {
    let mut rest = text;
    let mut error = LineError::Missing { field: "time" };
    while let Some((_, tail)) = split_at_byte(rest, b'[') {
        if let Some((inside, after)) = tail.split_at_checked(time::CLF_LENGTH)
            && let (Some(time), Some(after)) = (time::parse_clf(inside), after.strip_prefix(b"]"))
        {
            return Ok((time, after));
        }
        error = LineError::Invalid { field: "time" };
        rest = tail;
    }
    Err(error)
}

/// Method, target and protocol of a request line that is still escaped.
///
/// Blanks within the target are part of it. A request line that has no method in front is all target.
pub(super) fn split_request(request: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let Some((first, rest)) = split_at_byte(request, b' ') else {
        return (b"", request, b"");
    };
    if let Some(last) = memchr::memrchr(b' ', rest)
        && let (target, Some(protocol)) = (rest.get(..last).unwrap_or_default(), rest.get(last + 1..))
        && (is_method(first) || first.starts_with(ODD))
        && (is_protocol(protocol) || protocol.starts_with(ODD))
    {
        return (first, target, protocol);
    }
    // HTTP/0.9, and requests that were cut.
    if is_method(first) && rest.starts_with(b"/") { (first, rest, b"") } else { (b"", request, b"") }
}

pub(super) fn is_method(word: &[u8]) -> bool {
    (1..=32).contains(&word.len())
        && word.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// `HTTP/1.1`, `RTSP/1.0`, `HTTP/2`.
pub(super) fn is_protocol(word: &[u8]) -> bool {
    word.len() <= 16
        && split_at_byte(word, b'/').is_some_and(|(name, version)| {
            !name.is_empty()
                && name.iter().all(u8::is_ascii_alphabetic)
                && version.first().is_some_and(u8::is_ascii_digit)
                && version.iter().all(|&byte| byte.is_ascii_digit() || byte == b'.')
        })
}

fn push_word_or_odd(out: &mut Vec<u8>, word: &[u8], is_plain: bool) {
    if !is_plain {
        out.extend_from_slice(ODD);
    }
    push_word(out, word);
}

pub(super) fn parse_word(word: &[u8]) -> Cow<'_, [u8]> {
    unescape(word.strip_prefix(ODD).unwrap_or(word))
}

fn parse_client(host: &[u8]) -> LoggedClient<'_> {
    if host == NONE { LoggedClient::Name(Cow::Borrowed(b"")) } else { LoggedClient::from(parse_word(host)) }
}

/// A client as other servers write it: perhaps with a port (`192.0.2.7:4711`, `[2001:db8::7]:4711`).
pub(super) fn client_with_port(text: Cow<'_, [u8]>) -> LoggedClient<'_> {
    let socket = std::str::from_utf8(&text).ok().and_then(|text| {
        text.parse::<std::net::SocketAddr>()
            .map(|socket| socket.ip())
            .or_else(|_| text.trim_start_matches('[').trim_end_matches(']').parse())
            .ok()
    });
    socket.map_or_else(|| LoggedClient::from(text), LoggedClient::Address)
}

/// What stands before and after the first `byte`.
pub(super) fn split_at_byte(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(byte, text)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}
