//! `header_validation`: headers that contradict what the client says it is, and agents of attack tools.

mod agent;
mod own_words;
mod program_paths;
mod traits;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::agent::{AgentJudge, Judgement, Refusal};
use self::program_paths::is_for_programs;
use self::traits::{Essentials, HeaderTraits, Version};
use crate::bots::BotSettings;
use crate::check::{SettingsError, within, words};
use crate::detect::{BuiltIn, Detector, DetectorError, Head, Inputs};
use crate::lists::MAX_KEYWORD;
use crate::protection::{Mode, Protection};
use crate::request::{Headers, Request};
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
    /// (`AIWAF_REQUIRED_HEADERS`). `accept` is required of browsers only, because many honest programs send none.
    /// Default: user-agent and accept.
    pub required_headers: Vec<String>,
    /// Required headers by method, such as `OPTIONS = []`; an empty list switches the whole protection off for that
    /// method. Default: none.
    pub required_headers_by_method: BTreeMap<String, Vec<String>>,
    /// Words in a user agent, in any case and at any place, that are blocked. See [`BotSettings`] for the built-in
    /// classes. Default: none.
    pub suspicious_agents: Vec<String>,
    /// Names of user agents that pass all checks of this protection but the one for scanners. Default: none.
    pub allowed_agents: Vec<String>,
    /// Minimum quality score (0 to 11) of the headers of a browser. Default: 3.
    pub min_quality_score: u8,
}

impl HeaderValidationSettings {
    /// Checks every value's range.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        words("header_validation.suspicious_agents", &self.suspicious_agents, MAX_KEYWORD)?;
        words("header_validation.allowed_agents", &self.allowed_agents, MAX_KEYWORD)?;
        words("header_validation.required_headers", &self.required_headers, MAX_KEYWORD)?;
        within("header_validation.min_quality_score", self.min_quality_score, 0..=11)
    }
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

/// Blocks clients whose headers contradict what they say they are.
///
/// Checks, of which the first match counts: missing headers, a user agent that is blocked, a library that fetches a page,
/// a version that the browser does not speak, a low quality score, a combination that no browser sends. All but the first
/// two apply to browsers only, or to libraries only: a program that says what it is (a probe, a bot, an app) passes.
/// Nothing here is proof, because a copy of all headers of a browser passes.
///
/// Cost: one pass over the names of the headers and one hash of the user agent for known browsers; a second pass over
/// names and values for others. No allocation unless it matches.
pub(crate) struct HeaderValidation {
    required: Required,
    required_by_method: Box<[(Box<str>, Required)]>,
    agents: AgentJudge,
    min_quality_score: u8,
}

/// The headers that requests must have.
struct Required {
    /// In the order of the settings.
    names: HeaderNames,
    user_agent: bool,
    accept: bool,
    has_others: bool,
}

/// A request with all essential headers scores at least this, whatever else it has.
const MIN_COMPLETE_SCORE: u8 = 7;

impl HeaderValidation {
    /// Prepares the checks, with the default policies for bots.
    ///
    /// # Errors
    /// [`TooManyAgents`], if the settings name more words than an automaton can hold.
    pub(crate) fn new(settings: &HeaderValidationSettings) -> Result<Self, TooManyAgents> {
        Ok(Self {
            required: Required::new(&settings.required_headers),
            required_by_method: settings
                .required_headers_by_method
                .iter()
                .map(|(method, names)| (method.trim().into(), Required::new(names)))
                .collect(),
            agents: AgentJudge::new(&settings.suspicious_agents, &settings.allowed_agents)?,
            min_quality_score: settings.min_quality_score,
        })
    }

    /// Sets what each class of bots may do.
    pub(crate) fn with_bots(self, bots: &BotSettings) -> Self {
        Self { agents: self.agents.with_bots(bots.clone()), ..self }
    }

    /// Judges the headers of `request`; `path` is its path in normal form.
    fn judge(&self, request: &Request<'_>, path: &[u8]) -> Option<Finding> {
        let headers = request.headers?;
        let required = self.required_for(request.method)?;
        let essentials = Essentials::read(headers, &self.agents);
        let version = Version::of(request.protocol);
        if essentials.is_complete_browser()
            && !required.has_others
            && self.min_quality_score <= MIN_COMPLETE_SCORE
            && !is_odd_version(essentials.judgement, version)
        {
            return None;
        }
        match essentials.judgement {
            Judgement::Allowed => None,
            Judgement::Program => required.missing_others(request),
            Judgement::Refused => self.refused_agent(headers),
            Judgement::Library => required
                .missing_others(request)
                .or_else(|| fetched_page(request, path, &HeaderTraits::read(headers, version))),
            Judgement::Missing | Judgement::Browser | Judgement::ModernBrowser | Judgement::OldBrowser => {
                let traits = HeaderTraits::read(headers, version);
                required
                    .missing(request, &traits)
                    .or_else(|| wrong_version(request, &traits, essentials.judgement))
                    .or_else(|| self.low_quality(&traits))
                    .or_else(|| unlikely_combination(&traits))
            }
        }
    }

    /// The headers that `method` must have; `None` if the protection is switched off for it.
    fn required_for(&self, method: &str) -> Option<&Required> {
        match self.required_by_method.iter().find(|(name, _)| name.eq_ignore_ascii_case(method)) {
            Some((_, required)) if required.names.is_empty() => None,
            Some((_, required)) => Some(required),
            None => Some(&self.required),
        }
    }

    /// The finding about the first user agent that is blocked.
    fn refused_agent(&self, headers: &dyn Headers) -> Option<Finding> {
        first_agent(headers, &|agent| self.agents.refusal(agent))
    }

    fn low_quality(&self, traits: &HeaderTraits) -> Option<Finding> {
        if traits.credentials {
            return None;
        }
        let score = traits.quality_score();
        (score < self.min_quality_score).then(|| finding(Reason::LowHeaderQuality(score)))
    }
}

impl BuiltIn for HeaderValidation {
    type Settings = HeaderValidationSettings;

    fn build(settings: &HeaderValidationSettings, inputs: &Inputs<'_>) -> Result<Self, DetectorError> {
        let built = Self::new(settings).map_err(|error| DetectorError::Agents(error.to_string()))?;
        Ok(built.with_bots(inputs.bots))
    }
}

impl Detector for HeaderValidation {
    type Client = ();
    type Request = ();

    /// Flags a request whose headers are not those of the client that they name. A protocol without headers has none.
    fn head(&self, head: &Head<'_>, (): &mut (), (): &mut ()) -> Option<Finding> {
        self.judge(head.request, head.path)
    }
}

/// The settings name more words in user agents than an automaton can hold.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "header_validation: suspicious_agents and allowed_agents are too much to search for ({0}): name fewer or shorter \
     ones"
)]
pub(crate) struct TooManyAgents(#[from] aho_corasick::BuildError);

impl Required {
    /// Names in lower case with dashes; `HTTP_USER_AGENT`, as the original's users write it, is `user-agent`.
    fn new(names: &[String]) -> Self {
        let names: HeaderNames = names
            .iter()
            .map(|name| name.trim().to_ascii_lowercase().replace('_', "-"))
            .filter(|name| !name.is_empty())
            .map(|name| name.strip_prefix("http-").unwrap_or(&name).into())
            .collect();
        let has = |wanted: &str| names.iter().any(|name| &**name == wanted);
        Self {
            user_agent: has("user-agent"),
            accept: has("accept"),
            has_others: names.iter().any(|name| !matches!(&**name, "user-agent" | "accept")),
            names,
        }
    }

    /// What a browser, or a client that does not say what it is, lacks.
    fn missing(&self, request: &Request<'_>, traits: &HeaderTraits) -> Option<Finding> {
        let lacks_agent = self.user_agent && !traits.user_agent;
        let lacks_accept = self.accept && !traits.accept && !traits.may_lack_accept(request.method);
        if !lacks_agent && !lacks_accept && !self.has_others {
            return None;
        }
        self.finding(&|name| match name {
            "user-agent" => lacks_agent,
            "accept" => lacks_accept,
            other => lacks(request, other),
        })
    }

    /// What a program lacks. It need not say what it accepts: many HTTP libraries do not.
    fn missing_others(&self, request: &Request<'_>) -> Option<Finding> {
        if !self.has_others {
            return None;
        }
        self.finding(&|name| !matches!(name, "user-agent" | "accept") && lacks(request, name))
    }

    fn finding(&self, is_missing: &dyn Fn(&str) -> bool) -> Option<Finding> {
        let first = self.names.iter().find(|name| is_missing(name))?;
        let missing = self.names.iter().filter(|name| is_missing(name)).cloned().collect();
        let nothing = Match::whole(Field::Header(first.clone()), b"");
        Some(finding(Reason::MissingHeaders(missing)).with_match(nothing))
    }
}

fn lacks(request: &Request<'_>, name: &str) -> bool {
    request.header(name).is_none_or(|value| value.trim_ascii().is_empty())
}

/// The finding about the first user agent that `judge` refuses.
fn first_agent(headers: &dyn Headers, judge: &dyn Fn(&[u8]) -> Option<Refusal>) -> Option<Finding> {
    let mut found = None;
    headers.visit(&mut |name, value| {
        if found.is_some() || !name.eq_ignore_ascii_case("user-agent") {
            return;
        }
        let agent = value.trim_ascii();
        found = judge(agent).map(|refusal| {
            let matched = Match::new(Field::Header("user-agent".into()), agent, refusal.start, refusal.end);
            finding(Reason::SuspiciousUserAgent(refusal.what.into())).with_match(matched)
        });
    });
    found
}

/// A bare library is an honest client of an API or a webhook, but it does not read pages as people do. A request is one
/// for a page if nothing about it speaks against that: it fetches, admits HTML, brings no credential and no body of data,
/// and does not ask for a path of an API.
fn fetched_page(request: &Request<'_>, path: &[u8], traits: &HeaderTraits) -> Option<Finding> {
    if !matches!(request.method, "GET" | "HEAD")
        || !traits.accepts_page
        || traits.credentials
        || traits.cookie
        || traits.data_body
        || is_for_programs(path)
    {
        return None;
    }
    first_agent(request.headers?, &AgentJudge::library)
}

/// Reports whether a version is one that the client does not speak, unless a proxy has changed it.
fn is_odd_version(judgement: Judgement, version: Version) -> bool {
    matches!(
        (judgement, version),
        (Judgement::ModernBrowser, Version::Http10) | (Judgement::OldBrowser, Version::Http2OrLater)
    )
}

/// Browsers that claim a version of HTTP which they don't speak.
///
/// A proxy in front may speak another version to this service than the client spoke to it, as nginx did with HTTP/1.0 by
/// default for twenty years: then the version is the proxy's, which shows by its headers or by the `Connection: close`
/// that nginx sends.
fn wrong_version(request: &Request<'_>, traits: &HeaderTraits, judgement: Judgement) -> Option<Finding> {
    if !is_odd_version(judgement, traits.version) || traits.proxied || traits.connection_close {
        return None;
    }
    let what = if judgement == Judgement::ModernBrowser {
        "Modern browser with HTTP/1.0"
    } else {
        "HTTP/2 with old browser user agent"
    };
    let matched = Match::whole(Field::Protocol, request.protocol.as_bytes());
    Some(finding(Reason::SuspiciousHeaders(what)).with_match(matched))
}

/// Browsers name at least the languages or the encodings that they take, with any kind of request.
fn unlikely_combination(traits: &HeaderTraits) -> Option<Finding> {
    // Programs that call an API, such as webhooks, often name neither.
    if traits.accept_language || traits.accept_encoding || traits.data_body || traits.credentials {
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

fn finding(reason: Reason) -> Finding {
    Finding::block(Protection::HeaderValidation, reason)
}

#[cfg(test)]
mod tests;
