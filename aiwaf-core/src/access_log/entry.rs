//! One request and its response, borrowed, as the log writers take them.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use smallvec::SmallVec;

use super::plain;
use super::record::{AccessRecord, BlockAction, BlockMark, LoggedClient};
use crate::protection::Protection;
use crate::request::{Outcome, Request};
use crate::secret_names::SecretNames;
use crate::timestamp::Timestamp;
use crate::verdict::{Finding, Reason, Verdict};

/// One request and its response, as [`LineWriter`](crate::LineWriter) writes them.
///
/// Borrows everything and allocates nothing, unlike [`AccessRecord`], which readers get: the target stays in two parts,
/// and the reason of a block is put into words only when the line is written.
///
/// ```
/// use aiwaf_core::{LineWriter, LogEntry, LogFormat, Outcome, ProtectionSet, Request, Timestamp, Verdict};
/// use std::time::Duration;
///
/// let time = Timestamp::parse_iso8601("2025-09-14T15:02:42Z").unwrap();
/// let request = Request::new("203.0.113.10".parse()?, time).with_method("GET").with_uri("/a?b=c").with_protocol("HTTP/1.1");
/// let verdict = Verdict::allow(ProtectionSet::ALL);
/// let mut entry = LogEntry::new(&request, &Outcome::new(200, Duration::from_millis(7)), &verdict);
/// entry.bytes = Some(12);
///
/// let mut line = Vec::new();
/// LineWriter::new().write(LogFormat::Combined, &entry, &mut line);
/// assert_eq!(
///     String::from_utf8(line)?,
///     "203.0.113.10 - - [14/Sep/2025:15:02:42 +0000] \"GET /a?b=c HTTP/1.1\" 200 12 \"-\" \"-\" 7ms - \"-\"\n"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LogEntry<'a> {
    /// Arrival of the request.
    pub time: Timestamp,
    /// The client.
    pub client: LoggedClient<'a>,
    /// The method; empty if the request had none.
    pub method: &'a [u8],
    /// The path as sent; the whole target if [`query`](Self::query) is empty.
    pub path: Cow<'a, [u8]>,
    /// The query as sent, without the `?`. An empty one is not written, nor is its `?`.
    pub query: Cow<'a, [u8]>,
    /// The protocol, such as `HTTP/1.1`; empty if unknown.
    pub protocol: &'a [u8],
    /// The HTTP status; 0 if there was no response.
    pub status: u16,
    /// Bytes of the response's body; `None` if unknown.
    pub bytes: Option<u64>,
    /// The `Referer` header.
    pub referer: Option<Cow<'a, [u8]>>,
    /// The `User-Agent` header.
    pub user_agent: Option<&'a [u8]>,
    /// Time from the request's arrival to the response's head; `None` if unknown.
    pub response_time: Option<Duration>,
    /// The finding that blocked the request, or would have; `None` if no protection matched.
    pub block: Option<LoggedBlock<'a>>,
}

impl<'a> LogEntry<'a> {
    /// The entry of `request`, whose response was `outcome` and whose verdict was `verdict`. Every block and throttle is
    /// marked, and so is what a protection in monitor mode would have blocked. [`bytes`](Self::bytes) is left to the
    /// caller. Looks two headers up.
    pub fn new(request: &Request<'a>, outcome: &Outcome, verdict: &'a Verdict) -> Self {
        Self {
            time: request.time,
            client: LoggedClient::Address(request.client),
            method: request.method.as_bytes(),
            path: Cow::Borrowed(request.path),
            query: Cow::Borrowed(request.query),
            protocol: request.protocol.as_bytes(),
            status: outcome.status,
            bytes: None,
            referer: request.header("referer").map(Cow::Borrowed),
            user_agent: request.header("user-agent"),
            response_time: Some(outcome.response_time),
            block: LoggedBlock::from_verdict(verdict),
        }
    }

    /// An entry of which only time and client are known.
    pub fn of_client(time: Timestamp, client: IpAddr) -> Self {
        Self {
            time,
            client: LoggedClient::Address(client),
            method: b"",
            path: Cow::Borrowed(b""),
            query: Cow::Borrowed(b""),
            protocol: b"",
            status: 0,
            bytes: None,
            referer: None,
            user_agent: None,
            response_time: None,
            block: None,
        }
    }

    /// Hides the values of parameters that hold secrets, in the target and in the referer. Allocates only for a value
    /// that holds one.
    pub fn redact(&mut self, secrets: &SecretNames) {
        // Adapters may leave the query in the path.
        if plain::contains(&self.path, b'?') {
            if !self.query.is_empty() {
                self.path = self.target().joined().into_vec().into();
                self.query = Cow::Borrowed(b"");
            }
            if let Cow::Owned(redacted) = secrets.redact_target(&self.path) {
                self.path = redacted.into();
            }
        } else if !self.query.is_empty()
            && let Cow::Owned(redacted) = secrets.redact_query(&self.query)
        {
            self.query = redacted.into();
        }
        if let Some(referer) = &mut self.referer
            && plain::contains(referer, b'?')
            && let Cow::Owned(redacted) = secrets.redact_target(referer)
        {
            *referer = redacted.into();
        }
    }

    /// Path and query, as they are written.
    #[inline]
    pub(super) fn target(&self) -> Target<'_> {
        Target { path: &self.path, query: &self.query }
    }

    /// Reports whether no value is longer than what is written of it.
    pub(super) fn is_bounded(&self) -> bool {
        let is_word = |value: &[u8]| value.len() <= AccessRecord::MAX_WORD;
        let is_field = |value: Option<&[u8]>| value.map_or(0, <[u8]>::len) <= AccessRecord::MAX_FIELD;
        is_word(self.method)
            && is_word(self.protocol)
            && self.target().len() <= AccessRecord::MAX_FIELD
            && is_field(self.referer.as_deref())
            && is_field(self.user_agent)
            && match &self.client {
                LoggedClient::Address(_) => true,
                LoggedClient::Name(name) => is_word(name),
            }
    }

    /// The same as a record, with `reason` as the text of the block's reason.
    pub(super) fn to_record<'b>(&'b self, reason: &'b [u8]) -> AccessRecord<'b> {
        let target = if self.query.is_empty() {
            Cow::Borrowed(&*self.path)
        } else {
            Cow::Owned(self.target().joined().into_vec())
        };
        AccessRecord {
            time: self.time,
            client: match &self.client {
                LoggedClient::Address(address) => LoggedClient::Address(*address),
                LoggedClient::Name(name) => LoggedClient::Name(Cow::Borrowed(name)),
            },
            method: Cow::Borrowed(self.method),
            target,
            protocol: Cow::Borrowed(self.protocol),
            status: self.status,
            bytes: self.bytes,
            referer: self.referer.as_deref().map(Cow::Borrowed),
            user_agent: self.user_agent.map(Cow::Borrowed),
            response_time: self.response_time,
            block: self.block.as_ref().map(|block| BlockMark {
                reason: Cow::Borrowed(reason),
                protection: block.protection,
                action: block.action,
                monitored: block.monitored,
            }),
        }
    }
}

impl<'a> From<&'a AccessRecord<'_>> for LogEntry<'a> {
    fn from(record: &'a AccessRecord<'_>) -> Self {
        Self {
            time: record.time,
            client: match &record.client {
                LoggedClient::Address(address) => LoggedClient::Address(*address),
                LoggedClient::Name(name) => LoggedClient::Name(Cow::Borrowed(name)),
            },
            method: &record.method,
            path: Cow::Borrowed(&record.target),
            query: Cow::Borrowed(b""),
            protocol: &record.protocol,
            status: record.status,
            bytes: record.bytes,
            referer: record.referer.as_deref().map(Cow::Borrowed),
            user_agent: record.user_agent.as_deref(),
            response_time: record.response_time,
            block: record.block.as_ref().map(|mark| LoggedBlock {
                reason: ReasonText::Text(&mark.reason),
                protection: mark.protection,
                action: mark.action,
                monitored: mark.monitored,
            }),
        }
    }
}

/// A target in its two parts.
#[derive(Clone, Copy)]
pub(super) struct Target<'t> {
    path: &'t [u8],
    query: &'t [u8],
}

impl<'t> Target<'t> {
    /// Length in bytes, with the `?`.
    fn len(self) -> usize {
        self.path.len() + self.query.len() + usize::from(!self.query.is_empty())
    }

    /// The parts around the `?`; no second part, no `?`.
    #[inline]
    pub(super) fn parts(self) -> (&'t [u8], Option<&'t [u8]>) {
        (self.path, if self.query.is_empty() { None } else { Some(self.query) })
    }

    /// Path and query in one piece; short ones stay on the stack.
    pub(super) fn joined(self) -> SmallVec<[u8; 512]> {
        let mut joined = SmallVec::from_slice(self.path);
        if !self.query.is_empty() {
            joined.push(b'?');
            joined.extend_from_slice(self.query);
        }
        joined
    }
}

/// A request that was blocked or throttled, or would have been, as a [`LogEntry`] carries it.
#[derive(Debug, Clone, Copy)]
pub struct LoggedBlock<'a> {
    reason: ReasonText<'a>,
    pub(super) protection: Option<Protection>,
    pub(super) action: BlockAction,
    pub(super) monitored: bool,
}

/// The reason of a block, in words or still to be put into words.
#[derive(Debug, Clone, Copy)]
enum ReasonText<'a> {
    Text(&'a [u8]),
    Reason(&'a Reason),
}

impl<'a> LoggedBlock<'a> {
    /// The block that `verdict` means; `None` if no protection matched. Of several monitored findings the first counts.
    pub fn from_verdict(verdict: &'a Verdict) -> Option<Self> {
        if let Some(finding) = &verdict.finding {
            return Some(Self::from_finding(finding, BlockAction::from(&verdict.action), false));
        }
        if !verdict.is_allowed() {
            // The engine always gives a finding; an operator must see the block even without one.
            return Some(Self {
                reason: ReasonText::Text(b""),
                protection: None,
                action: BlockAction::from(&verdict.action),
                monitored: false,
            });
        }
        let finding = verdict.monitored.first()?;
        Some(Self::from_finding(finding, BlockAction::from(&finding.action), true))
    }

    fn from_finding(finding: &'a Finding, action: BlockAction, monitored: bool) -> Self {
        Self {
            reason: ReasonText::Reason(&finding.reason),
            protection: Some(finding.protection),
            action,
            monitored,
        }
    }

    /// The text of the reason; `buffer` holds it if it has to be put into words.
    pub(super) fn reason<'b>(&self, buffer: &'b mut ReasonBuffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self.reason {
            ReasonText::Text(text) => text,
            ReasonText::Reason(reason) => {
                // Writing to the buffer does not fail, so nothing is cut here.
                write!(buffer, "{reason}").ok();
                &buffer.0
            }
        }
    }

    /// The same with a text of its own.
    pub(super) fn into_mark(self) -> BlockMark<'static> {
        let mut buffer = ReasonBuffer::default();
        BlockMark {
            reason: Cow::Owned(self.reason(&mut buffer).to_vec()),
            protection: self.protection,
            action: self.action,
            monitored: self.monitored,
        }
    }
}

/// Room for the text of a reason; most fit on the stack.
#[derive(Default)]
pub(super) struct ReasonBuffer(SmallVec<[u8; 256]>);

impl Write for ReasonBuffer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}
