//! `header_validation`: headers that a browser would send, and agents that no person uses.

mod agent;
mod traits;
mod words;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::agent::{AgentJudge, Judgement};
use self::traits::{HeaderTraits, Version, names_pages};
use crate::detect::{BuiltIn, Detector, DetectorError, Head, Inputs};
use crate::protection::{Mode, Protection};
use crate::request::Request;
use crate::verdict::{Field, Finding, Match, Reason};

/// `[header_validation]`: which headers a request must have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeaderValidationSettings {
    /// How strict it is. Default: enforce.
    pub mode: Mode,
    /// Number of matches within `bans.window` that ban the client, whatever their evidence; 0 never bans. Default: not
    /// set, which is by evidence.
    #[serde(with = "crate::bans::ban_after")]
    pub ban_after: Option<u32>,
    /// Headers that every request must have, unless its method has a list of its own below
    /// (`AIWAF_REQUIRED_HEADERS`). Default: user-agent and accept.
    pub required_headers: Vec<String>,
    /// Required headers by method, such as `OPTIONS = []`; an empty list switches the whole protection off for that
    /// method. Default: none.
    pub required_headers_by_method: BTreeMap<String, Vec<String>>,
    /// Words in a user agent, in any case, that give away a tool, beyond the built-in ones. Default: none.
    pub suspicious_agents: Vec<String>,
    /// Names of user agents that pass although they look like a tool, beyond the built-in search engines, link
    /// previews and monitors. Default: none.
    pub allowed_agents: Vec<String>,
    /// The least quality score (0 to 11) that a request's headers must reach. Default: 3.
    pub min_quality_score: u8,
}

impl Default for HeaderValidationSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            ban_after: None,
            required_headers: vec!["user-agent".into(), "accept".into()],
            required_headers_by_method: BTreeMap::new(),
            suspicious_agents: Vec::new(),
            allowed_agents: Vec::new(),
            min_quality_score: 3,
        }
    }
}

type HeaderNames = Box<[Box<str>]>;

/// Looks at the headers that a request has and lacks.
///
/// The checks in order, of which the first to object counts: missing headers, a tool's user agent, a version that
/// the browser does not speak, a low quality score, a combination that no browser sends. Nothing here is proof:
/// whoever copies all headers of a browser passes. An agent that the operator allows passes every check.
///
/// Cost: one pass over the headers and one over the user agent; no allocation unless it objects.
pub(crate) struct HeaderValidation {
    required: HeaderNames,
    required_by_method: Box<[(Box<str>, HeaderNames)]>,
    agents: AgentJudge,
    min_quality_score: u8,
}

impl HeaderValidation {
    /// Builds the automaton of the words that give away a tool.
    ///
    /// # Errors
    /// [`TooManyAgents`], if the settings name more words than an automaton can hold.
    pub(crate) fn new(settings: &HeaderValidationSettings) -> Result<Self, TooManyAgents> {
        Ok(Self {
            required: header_names(&settings.required_headers),
            required_by_method: settings
                .required_headers_by_method
                .iter()
                .map(|(method, names)| (method.trim().into(), header_names(names)))
                .collect(),
            agents: AgentJudge::new(&settings.suspicious_agents, &settings.allowed_agents)?,
            min_quality_score: settings.min_quality_score,
        })
    }

    /// The headers that `method` must have; `None` if the protection is switched off for it.
    fn required_for(&self, method: &str) -> Option<&[Box<str>]> {
        match self.required_by_method.iter().find(|(name, _)| name.eq_ignore_ascii_case(method)) {
            Some((_, names)) if names.is_empty() => None,
            Some((_, names)) => Some(names),
            None => Some(&self.required),
        }
    }

    fn low_quality(&self, request: &Request<'_>, traits: &HeaderTraits) -> Option<Finding> {
        let mut score = traits.quality_score();
        // Only where the last point can matter, because reading the media types takes longer than all the others.
        if score < self.min_quality_score {
            score += u8::from(request.header("accept").is_some_and(names_pages));
        }
        (score < self.min_quality_score).then(|| finding(Reason::LowHeaderQuality(score)))
    }
}

impl BuiltIn for HeaderValidation {
    type Settings = HeaderValidationSettings;

    fn build(settings: &HeaderValidationSettings, _: &Inputs<'_>) -> Result<Self, DetectorError> {
        Self::new(settings).map_err(|error| DetectorError::Agents(error.to_string()))
    }
}

impl Detector for HeaderValidation {
    type Client = ();
    type Request = ();

    /// Flags a request whose headers are not those of a browser. A protocol without headers has nothing to flag.
    fn head(&self, head: &Head<'_>, (): &mut (), (): &mut ()) -> Option<Finding> {
        let request = head.request;
        let headers = request.headers?;
        let required = self.required_for(request.method)?;
        let agent = headers.first("user-agent").unwrap_or_default().trim_ascii();
        let traits = HeaderTraits::read(headers, Version::of(request.protocol));
        let judgement = if agent.is_empty() { Judgement::Unremarkable } else { self.agents.judge(agent) };
        if judgement == Judgement::Allowed {
            return None;
        }
        missing_headers(required, request, &traits)
            .or_else(|| suspicious_agent(&judgement, agent))
            .or_else(|| wrong_version(request, &traits, agent))
            .or_else(|| self.low_quality(request, &traits))
            .or_else(|| unlikely_combination(&traits))
    }
}

/// The settings name more words in user agents than an automaton can hold.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "header_validation: suspicious_agents and allowed_agents are too much to search for ({0}): name fewer or shorter \
     ones"
)]
pub(crate) struct TooManyAgents(#[from] aho_corasick::BuildError);

fn missing_headers(required: &[Box<str>], request: &Request<'_>, traits: &HeaderTraits) -> Option<Finding> {
    let is_missing = |name: &str| match name {
        "user-agent" => !traits.user_agent,
        "accept" => !traits.accept && !traits.may_lack_accept(request.method),
        other => request.header(other).is_none_or(|value| value.trim_ascii().is_empty()),
    };
    let first = required.iter().find(|name| is_missing(name))?;
    let missing = required.iter().filter(|name| is_missing(name)).cloned().collect();
    let nothing = Match::whole(Field::Header(first.clone()), b"");
    Some(finding(Reason::MissingHeaders(missing)).with_match(nothing))
}

fn suspicious_agent(judgement: &Judgement<'_>, agent: &[u8]) -> Option<Finding> {
    let (what, start, end) = match judgement {
        Judgement::Unremarkable | Judgement::Allowed => return None,
        Judgement::Tool { word, start, end } => (format!("Pattern: {word}"), *start, *end),
        Judgement::TooShort => ("Too short".to_owned(), 0, agent.len()),
        Judgement::TooLong => ("Too long".to_owned(), 0, agent.len()),
    };
    let matched = Match::new(Field::Header("user-agent".into()), agent, start, end);
    Some(finding(Reason::SuspiciousUserAgent(what.into())).with_match(matched))
}

/// Browsers that claim a version of HTTP which they don't speak.
///
/// A proxy in front may speak HTTP/1.0 to this service for everybody, as nginx did by default for twenty years: then
/// the version is the proxy's, which shows by its headers or by the `Connection: close` that nginx sends. Internet
/// Explorer 11 speaks HTTP/2 and calls itself Mozilla/4.0 where it imitates older versions.
fn wrong_version(request: &Request<'_>, traits: &HeaderTraits, agent: &[u8]) -> Option<Finding> {
    let what = match traits.version {
        Version::Http10 if !traits.proxied && !traits.connection_close && is_modern_browser(agent) => {
            "Modern browser with HTTP/1.0"
        }
        Version::Http2OrLater if holds(agent, b"mozilla/4.0") && !holds(agent, b"trident/7.") => {
            "HTTP/2 with old browser user agent"
        }
        _ => return None,
    };
    let matched = Match::whole(Field::Protocol, request.protocol.as_bytes());
    Some(finding(Reason::SuspiciousHeaders(what)).with_match(matched))
}

/// Browsers name at least the languages or the encodings that they take, with any kind of request.
fn unlikely_combination(traits: &HeaderTraits) -> Option<Finding> {
    // Programs that call an API, such as webhooks, post JSON and name neither.
    if traits.accept_language || traits.accept_encoding || traits.json_body {
        return None;
    }
    if traits.accept_anything {
        let matched = Match::whole(Field::Header("accept".into()), b"*/*");
        let reason = Reason::SuspiciousHeaders("Generic Accept header without language/encoding");
        return Some(finding(reason).with_match(matched));
    }
    // From HTTP/2 on there is no such header, and nothing can be concluded from its absence.
    (!traits.connection || traits.version == Version::Http2OrLater)
        .then(|| finding(Reason::SuspiciousHeaders("Missing all browser-standard headers")))
}

fn is_modern_browser(agent: &[u8]) -> bool {
    [&b"chrome/"[..], b"firefox/", b"safari/", b"edg/"].into_iter().any(|name| holds(agent, name))
}

/// Whether `agent` holds `needle`, in any case. The needles are few and short, and it is asked for odd versions only.
fn holds(agent: &[u8], needle: &[u8]) -> bool {
    agent.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle))
}

fn finding(reason: Reason) -> Finding {
    Finding::block(Protection::HeaderValidation, reason)
}

/// Names in lower case with dashes; `HTTP_USER_AGENT`, as the original's users write it, is `user-agent`.
fn header_names(names: &[String]) -> HeaderNames {
    names
        .iter()
        .map(|name| name.trim().to_ascii_lowercase().replace('_', "-"))
        .filter(|name| !name.is_empty())
        .map(|name| name.strip_prefix("http-").unwrap_or(&name).into())
        .collect()
}

#[cfg(test)]
mod tests;
