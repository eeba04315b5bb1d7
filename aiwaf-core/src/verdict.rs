//! What the engine answers: allow, throttle or block, why, and which part of the request said so.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::bans::ledger::Evidence;
use crate::country::CountryCode;
use crate::detect::attack_signatures::SignatureHit;
use crate::lists::BlacklistEntry;
use crate::protection::{Protection, ProtectionSet};

/// The engine's answer about one request.
///
/// An allowed request carries no heap data, nor does one of a client that is banned already.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Verdict {
    /// What to do with the request.
    pub action: Action,
    /// Why it is denied; `None` if it is allowed.
    pub finding: Option<Finding>,
    /// The ban that this request caused, if it caused one: also by its response, of a request that was allowed.
    pub ban: Option<Box<BlacklistEntry>>,
    /// The client's points of evidence after this request's findings; none if there were none.
    pub points: Evidence,
    /// Findings that do not block: those of protections in monitor mode, and notes.
    pub monitored: Vec<Finding>,
    /// The protections that applied, by policy; `logging` is among them if the request is to be logged.
    pub applied: ProtectionSet,
}

impl Verdict {
    /// The request may pass.
    pub fn allow(applied: ProtectionSet) -> Self {
        Self {
            action: Action::Allow,
            finding: None,
            ban: None,
            points: Evidence::NONE,
            monitored: Vec::new(),
            applied,
        }
    }

    /// Reports whether enforcing the protections in monitor mode would have blocked the request.
    pub(crate) fn is_shadow_blocked(&self) -> bool {
        self.monitored.iter().any(|finding| finding.action != Action::Allow)
    }

    /// Whether the request may pass.
    pub fn is_allowed(&self) -> bool {
        self.action == Action::Allow
    }
}

/// What to do with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Let it pass.
    Allow,
    /// Answer 429: too many requests; the client may try again after `retry_after`.
    Throttle {
        /// When the window has room again.
        retry_after: Duration,
    },
    /// Answer 403: blocked.
    Block,
}

impl Action {
    /// `allow`, `throttle` or `block`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Throttle { .. } => "throttle",
            Self::Block => "block",
        }
    }
}

/// One protection's objection to a request.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Finding {
    /// Who objects.
    pub protection: Protection,
    /// Why.
    pub reason: Reason,
    /// Which part of the request said so; `None` if the client itself did (a ban, a country, a rate).
    pub matched: Option<Box<Match>>,
    /// What to do about it: throttle or block.
    pub action: Action,
    /// Points of evidence. Of a detector's finding: what it is worth. Of a verdict's: what it added to the client's points,
    /// once the cause of the request counted; nothing if the same was found before.
    pub evidence: Evidence,
}

impl Finding {
    /// A finding that blocks the request, without evidence toward a ban.
    pub fn block(protection: Protection, reason: Reason) -> Self {
        Self { protection, reason, matched: None, action: Action::Block, evidence: Evidence::NONE }
    }

    /// Makes it a note: it is logged, and neither blocks nor counts toward a ban.
    #[must_use]
    pub fn as_note(self) -> Self {
        Self { action: Action::Allow, evidence: Evidence::NONE, ..self }
    }

    /// The same finding with points of evidence toward a ban.
    #[must_use]
    pub fn with_evidence(self, evidence: Evidence) -> Self {
        Self { evidence, ..self }
    }

    /// Says which part of the request it was.
    #[must_use]
    pub fn with_match(self, matched: Match) -> Self {
        Self { matched: Some(Box::new(matched)), ..self }
    }
}

/// Why a request is denied. `Display` gives the wording of the original, as logs and lists keep it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// The client is on the blacklist, for the reason kept there.
    Blacklisted(Arc<str>),
    /// The path or query holds a blocked keyword.
    Keyword(Box<str>),
    /// More requests in the window than the limit allows.
    RateLimit {
        /// The limit.
        max: u32,
        /// The window.
        window: Duration,
    },
    /// So many requests in the window that it is an attack.
    Flood,
    /// A form came back faster than a person can fill it in; how long it took.
    FormTooFast(Duration),
    /// A form came back that this client never loaded.
    FormNotLoaded,
    /// Headers are missing that every browser sends.
    MissingHeaders(Vec<Box<str>>),
    /// The user agent is one of a tool; what gave it away (`Pattern: curl`, `Too short`).
    SuspiciousUserAgent(Box<str>),
    /// A combination of headers that no browser produces.
    SuspiciousHeaders(&'static str),
    /// The headers taken together look unlike a browser's; the score.
    LowHeaderQuality(u8),
    /// The client's country is not admitted; its ISO code.
    Country(CountryCode),
    /// An identifier that should be a UUID is none.
    UuidTampering,
    /// Many different well-formed identifiers that don't exist; how many.
    UuidGuessing(u32),
    /// The client's recent behaviour is that of an attacker.
    Anomaly(AnomalyEvidence),
    /// What the request says is an attack: what its rules add up to, and every rule that fired, at most 16.
    AttackSignatures {
        /// The sum of the rules' severities.
        score: u32,
        /// The rules, in the order in which they fired.
        hits: Vec<SignatureHit>,
    },
    /// The rest of the body is not inspected: it is longer than the limit.
    BodyOverflow {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body can't be judged without its `Content-Encoding`; why.
    UndecodableBody(&'static str),
    /// The reason of a service's own protection, in its words.
    Custom(Cow<'static, str>),
}

/// What the recent behaviour of a client looked like when it was found anomalous.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnomalyEvidence {
    /// Requests in the window of analysis.
    pub total: u32,
    /// Different paths that only scanners ask for and that were not found.
    pub scanning: u32,
    /// Different other paths that were not found.
    pub not_found: u32,
    /// Keyword hits per request.
    pub keyword_hits: f32,
    /// Requests in the ten seconds before an event, on average.
    pub burst: f32,
    /// The model's score, if a model took part: 0 to 1, higher is stranger.
    pub score: Option<f32>,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blacklisted(reason) if reason.is_empty() => f.write_str("IP blacklisted"),
            Self::Blacklisted(reason) => write!(f, "IP blacklisted: {reason}"),
            Self::Keyword(keyword) => write!(f, "Keyword block: {keyword}"),
            Self::RateLimit { max, window } => {
                write!(f, "Rate limit exceeded: {max} requests in {}s", window.as_secs_f64())
            }
            Self::Flood => f.write_str("Flood pattern"),
            Self::FormTooFast(after) => {
                write!(f, "Form submitted too quickly ({:.2}s)", after.as_secs_f64())
            }
            Self::FormNotLoaded => f.write_str("Form submitted without loading the page"),
            Self::MissingHeaders(names) => write!(f, "Missing required headers: {}", names.join(", ")),
            Self::SuspiciousUserAgent(what) => write!(f, "Suspicious user agent: {what}"),
            Self::SuspiciousHeaders(what) => write!(f, "Suspicious headers: {what}"),
            Self::LowHeaderQuality(score) => write!(f, "Low header quality score: {score}"),
            Self::Country(country) => write!(f, "Geo blocked: {country}"),
            Self::UuidTampering => f.write_str("UUID tampering"),
            Self::UuidGuessing(count) => write!(f, "UUID guessing ({count} unknown identifiers)"),
            Self::Anomaly(evidence) => write!(f, "AI anomaly + {evidence}"),
            Self::BodyOverflow { limit } => write!(f, "Body not inspected beyond {limit} bytes"),
            Self::UndecodableBody(problem) => write!(f, "Undecodable body: {problem}"),
            Self::Custom(reason) => f.write_str(reason),
            Self::AttackSignatures { score, hits } => {
                write!(f, "Attack signatures (score {score}): ")?;
                for (number, hit) in hits.iter().enumerate() {
                    let separator = if number == 0 { "" } else { ", " };
                    write!(f, "{separator}{hit}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for AnomalyEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.scanning > 0 { "scanning 404s" } else { "suspicious patterns" };
        write!(
            f,
            "{kind} (total:{}, scanning:{}, 404:{}, kw:{:.1}, burst:{:.1}",
            self.total, self.scanning, self.not_found, self.keyword_hits, self.burst
        )?;
        if let Some(score) = self.score {
            write!(f, ", score:{score:.2}")?;
        }
        f.write_str(")")
    }
}

/// Which part of a request matched, so that an operator can explain a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The field.
    pub field: Field,
    /// Where in the field it begins, in bytes of the form that was judged (the normal form for path and query).
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// The part that matched: at most [`Match::MAX_TEXT`] bytes, control characters escaped.
    pub text: Box<str>,
}

impl Match {
    /// The longest text that is kept of a match, in bytes of the field.
    pub const MAX_TEXT: usize = 128;

    /// The bytes `start..end` of `value`, which is `field`; a range outside of it gives an empty text.
    pub fn new(field: Field, value: &[u8], start: usize, end: usize) -> Self {
        let part = value.get(start..end).unwrap_or_default();
        let part = part.get(..Self::MAX_TEXT).unwrap_or(part);
        let text = String::from_utf8_lossy(part).chars().map(printable).collect::<String>();
        Self { field, start, end, text: text.into() }
    }

    /// All of `value`, which is `field`.
    pub fn whole(field: Field, value: &[u8]) -> Self {
        Self::new(field, value, 0, value.len())
    }
}

/// The character itself, or the replacement character where a terminal or a log could be confused by it.
fn printable(character: char) -> char {
    if character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    {
        char::REPLACEMENT_CHARACTER
    } else {
        character
    }
}

/// A field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// The method.
    Method,
    /// The path, in normal form.
    Path,
    /// The query, in normal form.
    Query,
    /// One parameter of the query, by name.
    QueryParameter(Box<str>),
    /// A header, by name.
    Header(Box<str>),
    /// The protocol's version.
    Protocol,
    /// One field of the body, by name.
    BodyField(Box<str>),
    /// A body that has no fields, or could not be taken apart.
    Body,
    /// The name of an uploaded file, by the name of its field.
    FileName(Box<str>),
    /// A cookie, by name.
    Cookie(Box<str>),
}

impl Field {
    /// The name of the parameter or cookie that it is, if it is one.
    pub fn parameter(&self) -> Option<&str> {
        match self {
            Self::QueryParameter(name)
            | Self::BodyField(name)
            | Self::FileName(name)
            | Self::Cookie(name) => Some(name),
            Self::Method | Self::Path | Self::Query | Self::Header(_) | Self::Protocol | Self::Body => None,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method => f.write_str("method"),
            Self::Path => f.write_str("path"),
            Self::Query => f.write_str("query"),
            Self::QueryParameter(name) => write!(f, "query parameter {name}"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Protocol => f.write_str("protocol"),
            Self::BodyField(name) => write!(f, "body field {name}"),
            Self::Body => f.write_str("body"),
            Self::FileName(name) => write!(f, "file name of {name}"),
            Self::Cookie(name) => write!(f, "cookie {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_worded_as_the_original_words_them() {
        let cases = [
            (Reason::Keyword(".php".into()), "Keyword block: .php"),
            (Reason::Flood, "Flood pattern"),
            (Reason::FormTooFast(Duration::from_millis(420)), "Form submitted too quickly (0.42s)"),
            (Reason::UuidTampering, "UUID tampering"),
            (Reason::Country("xx".parse().unwrap()), "Geo blocked: XX"),
            (Reason::MissingHeaders(vec!["accept".into()]), "Missing required headers: accept"),
            (Reason::SuspiciousUserAgent("Pattern: curl".into()), "Suspicious user agent: Pattern: curl"),
            (Reason::LowHeaderQuality(2), "Low header quality score: 2"),
        ];
        for (reason, text) in cases {
            assert_eq!(reason.to_string(), text);
        }
    }

    #[test]
    fn a_match_is_bounded_and_printable() {
        let long = [b'a'; 1000];
        assert_eq!(Match::whole(Field::Path, &long).text.len(), Match::MAX_TEXT);
        assert_eq!(&*Match::whole(Field::Query, b"a\r\nb\x1b[31m").text, "a\u{fffd}\u{fffd}b\u{fffd}[31m");
        assert_eq!(&*Match::new(Field::Path, b"abc", 7, 9).text, "");
    }
}
