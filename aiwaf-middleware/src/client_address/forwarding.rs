//! Forwarding headers, from the entry that the nearest proxy wrote to the furthest.

use http::header::{FORWARDED, GetAll, HeaderName, HeaderValue, ValueIter};

use super::ClientAddress;
use super::node::Node;

/// A header by which proxies name clients.
#[derive(Debug, Clone)]
pub(super) struct ForwardingHeader {
    pub(super) name: HeaderName,
    pub(super) syntax: Syntax,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Syntax {
    /// Addresses, separated by commas: `X-Forwarded-For`.
    List,
    /// Elements of RFC 7239, separated by commas.
    Forwarded,
    /// One address: `X-Real-IP`.
    Single,
}

impl ForwardingHeader {
    /// A header by its name, which says what its syntax is.
    pub(super) fn new(name: HeaderName) -> Self {
        let syntax = if name == FORWARDED {
            Syntax::Forwarded
        } else if name.as_str().ends_with("forwarded-for") {
            Syntax::List
        } else {
            Syntax::Single
        };
        Self { name, syntax }
    }
}

/// The entries of a forwarding header from right to left; several header lines are one list.
///
/// A header that is longer than may be read ends with an unknown client, and so does one of a single address that comes
/// twice: nothing says which line the proxy wrote.
pub(super) struct Entries<'h> {
    syntax: Syntax,
    lines: ValueIter<'h, HeaderValue>,
    line: Option<FromRight<'h>>,
    length_left: usize,
    hops_left: usize,
}

impl<'h> Entries<'h> {
    pub(super) fn new(syntax: Syntax, lines: &GetAll<'h, HeaderValue>) -> Self {
        Self {
            syntax,
            lines: lines.iter(),
            line: None,
            length_left: ClientAddress::MAX_LENGTH,
            hops_left: ClientAddress::MAX_HOPS,
        }
    }

    /// The next entry that is not empty.
    fn next_text(&mut self) -> Option<Result<&'h [u8], TooLong>> {
        loop {
            let Some(entry) = self.line.as_mut().and_then(Iterator::next) else {
                self.line = Some(FromRight::new(self.lines.next_back()?.as_bytes(), b','));
                continue;
            };
            let (Some(bytes), Some(entries)) =
                (self.length_left.checked_sub(entry.len() + 1), self.hops_left.checked_sub(1))
            else {
                return Some(Err(TooLong));
            };
            (self.length_left, self.hops_left) = (bytes, entries);
            let entry = entry.trim_ascii();
            if !entry.is_empty() {
                return Some(Ok(entry));
            }
        }
    }
}

/// A header that exceeds the bounds.
struct TooLong;

impl<'h> Iterator for Entries<'h> {
    type Item = Node<'h>;

    fn next(&mut self) -> Option<Node<'h>> {
        if self.syntax == Syntax::Single {
            let line = self.lines.next_back()?;
            let is_only = self.lines.next_back().is_none();
            return Some(if is_only { Node::parse(line.as_bytes()) } else { Node::Unknown });
        }
        Some(match self.next_text()? {
            Err(TooLong) => Node::Unknown,
            Ok(entry) if self.syntax == Syntax::Forwarded => {
                forwarded_for(entry).map_or(Node::Unknown, Node::parse)
            }
            Ok(entry) => Node::parse(entry),
        })
    }
}

/// The `for` of one element of `Forwarded`: `for="[2001:db8::1]:4711";proto=https`.
fn forwarded_for(element: &[u8]) -> Option<&[u8]> {
    let mut found = None;
    for pair in FromRight::new(element, b';') {
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        let (name, value) = (pair.get(..equals)?, pair.get(equals + 1..)?);
        // Two of them in one element: nothing says which counts.
        if name.trim_ascii().eq_ignore_ascii_case(b"for") && found.replace(value).is_some() {
            return None;
        }
    }
    found
}

/// The parts of a list from right to left. Separators between double quotes don't count.
///
/// From the left, a client that sends an opening quote could swallow what the proxy appended behind it.
struct FromRight<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> FromRight<'a> {
    fn new(list: &'a [u8], separator: u8) -> Self {
        Self { rest: Some(list), separator }
    }
}

impl<'a> Iterator for FromRight<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.take()?;
        // A header that is longer than may be read is not searched.
        let window = rest.len().saturating_sub(ClientAddress::MAX_LENGTH + 1);
        let mut left = rest.get(window..)?;
        let mut is_quoted = false;
        while let Some(at) = left.iter().rposition(|&byte| byte == b'"' || byte == self.separator) {
            if left.get(at) == Some(&b'"') {
                is_quoted = !is_quoted;
            } else if !is_quoted {
                self.rest = rest.get(..window + at);
                return rest.get(window + at + 1..);
            }
            left = left.get(..at)?;
        }
        Some(rest)
    }
}
