//! What an access log keeps of one request.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::entry::LoggedBlock;
use crate::protection::Protection;
use crate::request::{Outcome, Request};
use crate::request_line::origin_form;
use crate::secret_names::SecretNames;
use crate::timestamp::Timestamp;
use crate::verdict::{Action, Verdict};

/// One request and its answer, as an access log keeps them.
///
/// Text is bytes, because clients send what they like; it is borrowed from the request that is written or from the
/// line that was read, and [`into_owned`](Self::into_owned) keeps it. [`LogFormat`](crate::LogFormat) writes and
/// reads it.
///
/// ```
/// use std::time::Duration;
/// use aiwaf_core::{AccessRecord, Action, BlockMark, LogFormat, Protection, Timestamp};
///
/// let time = Timestamp::parse_iso8601("2025-09-14T15:02:42Z").unwrap();
/// let mut record = AccessRecord::new(time, "203.0.113.10".parse()?);
/// record.method = b"GET".into();
/// record.target = b"/admin.php".into();
/// record.protocol = b"HTTP/1.1".into();
/// record.status = 403;
/// record.bytes = Some(0);
/// record.user_agent = Some(b"BadBot/1.0".into());
/// record.response_time = Some(Duration::from_millis(10));
/// record.block = Some(BlockMark::new("Malicious keyword: .php").with_protection(Protection::IpKeywordBlock));
///
/// let mut line = Vec::new();
/// LogFormat::Combined.write(&record, &mut line);
/// assert_eq!(
///     String::from_utf8(line.clone())?,
///     "203.0.113.10 - - [14/Sep/2025:15:02:42 +0000] \"GET /admin.php HTTP/1.1\" 403 0 \"-\" \"BadBot/1.0\" \
///      10ms BLOCKED \"Malicious keyword: .php\" ip_keyword_block block\n"
/// );
/// assert_eq!(LogFormat::Combined.parse_line(&line)?, record);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessRecord<'a> {
    /// When the request arrived.
    pub time: Timestamp,
    /// Who asked.
    pub client: LoggedClient<'a>,
    /// The method; empty if the request had none or was garbage.
    pub method: Cow<'a, [u8]>,
    /// Path and query as sent, undecoded; the whole request line if it was garbage.
    pub target: Cow<'a, [u8]>,
    /// The protocol, such as `HTTP/1.1`; empty if unknown.
    pub protocol: Cow<'a, [u8]>,
    /// The HTTP status; 0 if there was no answer.
    pub status: u16,
    /// The length of the answer's body in bytes; `None` if unknown.
    pub bytes: Option<u64>,
    /// The `Referer` header.
    pub referer: Option<Cow<'a, [u8]>>,
    /// The `User-Agent` header.
    pub user_agent: Option<Cow<'a, [u8]>>,
    /// From the request's arrival to the answer's head; `None` if the log does not say.
    pub response_time: Option<Duration>,
    /// Why the request was denied, or would have been; `None` if no protection objected.
    pub block: Option<BlockMark<'a>>,
}

impl<'a> AccessRecord<'a> {
    /// The headers, in lower case, that [`from_request`](Self::from_request) reads: an adapter has to keep them until the
    /// response is there.
    pub const HEADERS: [&'static str; 2] = ["referer", "user-agent"];

    /// The longest text that is written of target, referer, agent and reason, in bytes before escaping. What is
    /// longer is cut and ends in `[truncated]`; servers refuse longer headers by default.
    pub const MAX_FIELD: usize = 8192;

    /// The longest text that is written of method, protocol and a client's name, cut in the same way.
    pub const MAX_WORD: usize = 256;

    /// A record of which only time and client are known.
    pub fn new(time: Timestamp, client: IpAddr) -> Self {
        Self {
            time,
            client: LoggedClient::Address(client),
            method: Cow::Borrowed(b""),
            target: Cow::Borrowed(b""),
            protocol: Cow::Borrowed(b""),
            status: 0,
            bytes: None,
            referer: None,
            user_agent: None,
            response_time: None,
            block: None,
        }
    }

    /// The record of `request`, which was answered by `outcome` after the engine said `verdict`. Every denial is
    /// marked, whichever protection it came from, a throttled request too; a protection in monitor mode that would
    /// have denied an allowed request is marked as monitored. [`bytes`](Self::bytes) is left to the caller.
    pub fn from_request(request: &Request<'a>, outcome: &Outcome, verdict: &Verdict) -> Self {
        let target = if request.query.is_empty() {
            Cow::Borrowed(request.path)
        } else {
            Cow::Owned([request.path, b"?", request.query].concat())
        };
        Self {
            method: request.method.as_bytes().into(),
            target,
            protocol: request.protocol.as_bytes().into(),
            status: outcome.status,
            referer: request.header("referer").map(Cow::Borrowed),
            user_agent: request.header("user-agent").map(Cow::Borrowed),
            response_time: Some(outcome.response_time),
            block: BlockMark::from_verdict(verdict),
            ..Self::new(request.time, request.client)
        }
    }

    /// Hides the values of parameters that hold secrets, in the target and in the referer.
    pub fn redact(&mut self, secrets: &SecretNames) {
        if let Cow::Owned(target) = secrets.redact_target(&self.target) {
            self.target = target.into();
        }
        if let Some(referer) = &mut self.referer
            && let Cow::Owned(redacted) = secrets.redact_target(referer)
        {
            *referer = redacted.into();
        }
    }

    /// Path and query of the target: without scheme and authority, which load balancers log.
    pub fn path_and_query(&self) -> &[u8] {
        origin_form(&self.target)
    }

    /// A copy that borrows nothing.
    pub fn into_owned(self) -> AccessRecord<'static> {
        AccessRecord {
            client: self.client.into_owned(),
            method: owned(self.method),
            target: owned(self.target),
            protocol: owned(self.protocol),
            referer: self.referer.map(owned),
            user_agent: self.user_agent.map(owned),
            block: self.block.map(BlockMark::into_owned),
            time: self.time,
            status: self.status,
            bytes: self.bytes,
            response_time: self.response_time,
        }
    }
}

/// Who asked, as a log says it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LoggedClient<'a> {
    /// An address, as our own logs always have it.
    Address(IpAddr),
    /// Anything else: servers can be told to log host names, and some log sockets or zones. A name tells clients
    /// apart, so that learning works, but can't be banned.
    Name(Cow<'a, [u8]>),
}

impl LoggedClient<'_> {
    /// The address, if it is one.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Name(_) => None,
        }
    }

    /// A copy that borrows nothing.
    pub fn into_owned(self) -> LoggedClient<'static> {
        match self {
            Self::Address(address) => LoggedClient::Address(address),
            Self::Name(name) => LoggedClient::Name(owned(name)),
        }
    }
}

impl<'a> From<Cow<'a, [u8]>> for LoggedClient<'a> {
    /// An address if it reads as one, else a name.
    fn from(text: Cow<'a, [u8]>) -> Self {
        match std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok()) {
            Some(address) => Self::Address(address),
            None => Self::Name(text),
        }
    }
}

impl fmt::Display for LoggedClient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => name.escape_ascii().fmt(f),
        }
    }
}

/// That a request was denied, or would have been.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockMark<'a> {
    /// Why, in the wording of [`Reason`](crate::Reason).
    pub reason: Cow<'a, [u8]>,
    /// Who objected; `None` in logs that don't say, or that name a protection which this version doesn't know.
    pub protection: Option<Protection>,
    /// What was done about it.
    pub action: BlockAction,
    /// The protection only watched: the request passed.
    pub monitored: bool,
}

impl<'a> BlockMark<'a> {
    /// A request blocked for `reason`.
    pub fn new(reason: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self {
            reason: Cow::Borrowed(reason.as_ref()),
            protection: None,
            action: BlockAction::Block,
            monitored: false,
        }
    }

    /// Says who objected.
    #[must_use]
    pub fn with_protection(self, protection: Protection) -> Self {
        Self { protection: Some(protection), ..self }
    }

    /// Says what was done about it.
    #[must_use]
    pub fn with_action(self, action: BlockAction) -> Self {
        Self { action, ..self }
    }

    /// The mark for `verdict`; `None` if no protection matched. Of several monitored findings the first counts.
    pub fn from_verdict(verdict: &Verdict) -> Option<BlockMark<'static>> {
        LoggedBlock::from_verdict(verdict).map(LoggedBlock::into_mark)
    }

    /// A copy that borrows nothing.
    pub fn into_owned(self) -> BlockMark<'static> {
        BlockMark {
            reason: owned(self.reason),
            protection: self.protection,
            action: self.action,
            monitored: self.monitored,
        }
    }
}

/// What was done about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockAction {
    /// It was answered 403.
    Block,
    /// It was answered 429.
    Throttle,
}

impl BlockAction {
    /// `block` or `throttle`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Throttle => "throttle",
        }
    }

    /// The action called `name`, else the one that `status` shows: logs of the original don't name it.
    pub(super) fn from_name_or_status(name: &[u8], status: u16) -> Self {
        match name {
            b"block" => Self::Block,
            b"throttle" => Self::Throttle,
            _ if status == 429 => Self::Throttle,
            _ => Self::Block,
        }
    }
}

impl From<&Action> for BlockAction {
    fn from(action: &Action) -> Self {
        match action {
            Action::Throttle { .. } => Self::Throttle,
            Action::Block | Action::Allow => Self::Block,
        }
    }
}

/// The protection called `name`, if there is one.
pub(super) fn protection_from_name(name: &[u8]) -> Option<Protection> {
    std::str::from_utf8(name).ok().filter(|name| !name.is_empty()).and_then(|name| name.parse().ok())
}

fn owned(value: Cow<'_, [u8]>) -> Cow<'static, [u8]> {
    Cow::Owned(value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protection::ProtectionSet;
    use crate::verdict::{Finding, Reason};

    /// Blocks by rate, identifier, form and behaviour were missing from the logs.
    #[test]
    fn original_defect_25_every_denial_is_marked() {
        let request = Request::new("192.0.2.1".parse().unwrap(), Timestamp::UNIX_EPOCH)
            .with_method("GET")
            .with_uri("/a?b=c");
        let retry_after = Duration::from_secs(3);
        let cases = [
            (Protection::RateLimit, Action::Throttle { retry_after }, BlockAction::Throttle, 429),
            (Protection::RateLimit, Action::Block, BlockAction::Block, 403),
            (Protection::UuidTamper, Action::Block, BlockAction::Block, 403),
            (Protection::Honeypot, Action::Block, BlockAction::Block, 403),
            (Protection::AiAnomaly, Action::Block, BlockAction::Block, 403),
        ];
        for (protection, action, expected, status) in cases {
            let finding = Finding { action, ..Finding::block(protection, Reason::Flood) };
            let mut verdict = Verdict::allow(ProtectionSet::ALL);
            verdict.action = action;
            verdict.finding = Some(finding);
            let record = AccessRecord::from_request(&request, &Outcome::new(status, retry_after), &verdict);
            assert_eq!(&*record.target, b"/a?b=c");
            let mark = record.block.unwrap();
            assert_eq!((mark.action, mark.protection, mark.monitored), (expected, Some(protection), false));
            assert_eq!(&*mark.reason, b"Flood pattern");
        }
    }

    #[test]
    fn monitored_findings_are_marked_as_such() {
        let mut verdict = Verdict::allow(ProtectionSet::ALL);
        assert_eq!(BlockMark::from_verdict(&verdict), None);
        verdict.monitored.push(Finding::block(Protection::GeoBlock, Reason::UuidTampering));
        assert!(BlockMark::from_verdict(&verdict).unwrap().monitored);
    }
}
