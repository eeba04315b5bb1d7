//! `attack_signatures`: what stands in a request, judged by rules and by tokens.
//!
//! Every value of a request (path, query, headers, cookies, body) is brought into the forms in which an application
//! might read it; each form is judged by all rules that look at such values. What rules find adds up to a score, as in
//! the OWASP Core Rule Set, and from a threshold on the request is denied.
//!
//! Rules are data: the files in `rules/`, one for each kind of attack, and whatever files an operator adds. A rule says
//! what an attack *is*: breaking out of a quote, calling a function, naming a command and its argument. It is tried only
//! on values that hold one of its literals, which one pass looks for, all rules at once.

mod category;
mod detector;
mod hit;
mod html;
mod next_words;
mod rule;
mod rule_set;
mod scan;
mod settings;
mod sql;
mod target;
#[cfg(test)]
mod tests;
mod words;

use std::sync::{Arc, LazyLock};

pub use category::{AttackCategory, Severity};
pub use hit::SignatureHit;
pub use rule::RuleFileError;
pub use rule_set::TooManyRules;
pub use settings::{AttackSignaturesSettings, SignatureExclusion};

use self::rule::{Rule, built_in};
use self::rule_set::{Candidates, RuleSet};
use self::scan::Occurrences;
use self::target::Target;
use super::{Body, BuiltIn, Context, Detector, DetectorError, Head, Inputs};
use crate::bans::ledger::Evidence;
use crate::body::{self, BodyLimits};
use crate::decode::{
    Form, Forms, Parameter, Part, Place, cookie_parameters, normalize_pattern, urlencoded_parameters,
};
use crate::protection::Protection;
use crate::request::Request;
use crate::suggest::closest;
use crate::verdict::{Field, Finding, Match, Reason};

/// `attack_signatures`, ready to judge.
pub(crate) struct AttackSignatures {
    rules: Arc<RuleSet>,
    threshold: u32,
    demoted: Vec<Box<str>>,
    exclusions: Vec<Exclusion>,
    limits: BodyLimits,
}

/// Why the rules can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// A rule file that can't be used.
    #[error(transparent)]
    File(#[from] RuleFileError),
    /// More rules than an engine takes.
    #[error(transparent)]
    TooMany(#[from] TooManyRules),
    /// A setting that names a rule which does not exist.
    #[error("{setting} names the rule {rule:?}, which does not exist{suggestion}")]
    UnknownRule {
        /// The setting.
        setting: &'static str,
        /// The name.
        rule: String,
        /// `: did you mean ...?`, or nothing.
        suggestion: String,
    },
    /// A rule file with a rule whose id is taken.
    #[error("{file}: there is a rule {rule:?} already; give yours another id")]
    DuplicateRule {
        /// The file.
        file: String,
        /// The id.
        rule: String,
    },
}

/// An exclusion, ready to ask.
struct Exclusion {
    path: Option<Box<[u8]>>,
    parameter: Option<String>,
    rule: Option<String>,
    category: Option<AttackCategory>,
}

/// The rules at default settings, which nearly every engine runs on.
static DEFAULT_RULES: LazyLock<Option<Arc<RuleSet>>> = LazyLock::new(|| {
    let settings = AttackSignaturesSettings::default();
    let active = built_in().iter().filter(|rule| is_active(rule, &settings)).cloned().collect();
    RuleSet::new(active).ok().map(Arc::new)
});

impl AttackSignatures {
    /// Compiles the rules that `settings` leave active, and those in `rule_texts`: names and texts of rule files.
    ///
    /// # Errors
    /// [`SignatureError`], naming the file, the rule or the setting.
    pub(crate) fn new(
        settings: &AttackSignaturesSettings,
        rule_texts: &[(String, String)],
    ) -> Result<Self, SignatureError> {
        let mut known: Vec<Arc<Rule>> = built_in().to_vec();
        for (file, text) in rule_texts {
            for rule in rule::parse(file, text)? {
                if let Err(message) = rule.compile() {
                    return Err(RuleFileError::new(file, format!("rule {:?}: {message}", rule.id)).into());
                }
                if known.iter().any(|other| other.id == rule.id) {
                    return Err(SignatureError::DuplicateRule {
                        file: file.clone(),
                        rule: rule.id.to_string(),
                    });
                }
                known.push(rule);
            }
        }
        let excluded = settings.exclusions.iter().filter_map(|exclusion| exclusion.rule.as_ref());
        let named = [
            ("attack_signatures.disabled_rules", settings.disabled_rules.iter().collect::<Vec<_>>()),
            ("attack_signatures.demoted_rules", settings.demoted_rules.iter().collect()),
            ("attack_signatures.exclusions", excluded.collect()),
        ];
        for (setting, rules) in named {
            for rule in rules {
                if !known.iter().any(|known| *known.id == **rule) {
                    let ids = known.iter().map(|known| &*known.id);
                    let suggestion = closest(rule, ids)
                        .map(|close| format!(": did you mean `{close}`?"))
                        .unwrap_or_default();
                    return Err(SignatureError::UnknownRule { setting, rule: rule.clone(), suggestion });
                }
            }
        }
        let defaults = AttackSignaturesSettings::default();
        let usual = rule_texts.is_empty()
            && settings.paranoia_level == defaults.paranoia_level
            && settings.disabled_categories.is_empty()
            && settings.disabled_rules.is_empty();
        let rules = match DEFAULT_RULES.as_ref().filter(|_| usual) {
            Some(rules) => rules.clone(),
            None => {
                Arc::new(RuleSet::new(known.into_iter().filter(|rule| is_active(rule, settings)).collect())?)
            }
        };
        Ok(Self {
            rules,
            threshold: settings.inbound_threshold,
            demoted: settings.demoted_rules.iter().map(|id| id.as_str().into()).collect(),
            exclusions: settings.exclusions.iter().map(Exclusion::new).collect(),
            limits: BodyLimits {
                max_bytes: settings.max_body_bytes,
                max_fields: settings.max_fields,
                max_depth: settings.max_depth,
                max_file_bytes: settings.max_file_bytes,
            },
        })
    }

    /// Compiles all patterns that were not asked for yet.
    pub(crate) fn compile(&self) {
        self.rules.compile();
    }

    fn judge<'j>(
        &'j self,
        request: &'j Request<'j>,
        context: &'j Context,
        found: &'j mut Found,
    ) -> Judge<'j> {
        Judge {
            signatures: self,
            request,
            path: &context.path,
            asset: context.applied.asset,
            occurrences: Occurrences::default(),
            found,
        }
    }

    /// The finding, if what was found so far reaches the threshold.
    fn verdict(&self, found: &mut Found) -> Option<Finding> {
        if found.score < self.threshold {
            return None;
        }
        let hits = std::mem::take(&mut found.hits);
        let matched = hits.first()?.matched.clone();
        let reason = Reason::AttackSignatures { score: found.score, hits };
        let finding = Finding::block(Protection::AttackSignatures, reason).with_match(matched);
        // A probe is nothing that parses.
        let is_probe = matches!(&finding.reason, Reason::AttackSignatures { hits, .. }
            if hits.iter().all(|hit| matches!(hit.category, AttackCategory::Probe | AttackCategory::Scanner)));
        Some(finding.with_evidence(if is_probe { Evidence::MEDIUM } else { Evidence::HIGH }))
    }
}

/// What the rules have found so far in one request.
#[derive(Debug, Default)]
pub(crate) struct Found {
    hits: Vec<SignatureHit>,
    score: u32,
    /// The beginning of a body that came in several chunks.
    body: Vec<u8>,
}

impl BuiltIn for AttackSignatures {
    type Settings = AttackSignaturesSettings;

    fn build(settings: &AttackSignaturesSettings, inputs: &Inputs<'_>) -> Result<Self, DetectorError> {
        Ok(Self::new(settings, inputs.rule_texts)?)
    }
}

impl Detector for AttackSignatures {
    type Client = ();
    type Request = Found;

    /// Judges path, query and headers. Linear in their size.
    fn head(&self, head: &Head<'_>, (): &mut (), found: &mut Found) -> Option<Finding> {
        let mut forms = Forms::default();
        let mut judge = self.judge(head.request, head.context, found);
        judge.judge_path(head.request, &mut forms);
        judge.judge_query(head.request, &mut forms);
        judge.judge_headers(head.request, &mut forms);
        self.verdict(found)
    }

    /// Judges the body when its end or its bound is reached.
    fn body(&self, body: &Body<'_>, found: &mut Found) -> Option<Finding> {
        let kept = std::mem::take(&mut found.body);
        let is_whole = body.is_end && kept.is_empty();
        let max = self.limits.max_bytes;
        let whole = if is_whole {
            body.chunk
        } else {
            let room = max.saturating_sub(kept.len());
            found.body = kept;
            found.body.extend_from_slice(body.chunk.get(..room).unwrap_or(body.chunk));
            if !body.is_end {
                return None;
            }
            &std::mem::take(&mut found.body)
        };
        if whole.is_empty() {
            return None;
        }
        self.judge(body.request, body.context, found).judge_body(body.request, whole, &mut Forms::default());
        self.verdict(found)
    }
}

fn is_active(rule: &Rule, settings: &AttackSignaturesSettings) -> bool {
    rule.paranoia <= settings.paranoia_level
        && !settings.disabled_categories.contains(&rule.category)
        && !settings.disabled_rules.iter().any(|id| **id == *rule.id)
}

impl Exclusion {
    fn new(settings: &SignatureExclusion) -> Self {
        Self {
            path: settings.path.as_deref().map(normalize_pattern),
            parameter: settings.parameter.clone(),
            rule: settings.rule.clone(),
            category: settings.category,
        }
    }

    fn applies(&self, path: &[u8], parameter: &[u8], rule: &Rule) -> bool {
        self.path.as_ref().is_none_or(|prefix| path.starts_with(prefix))
            && self.parameter.as_ref().is_none_or(|name| name.as_bytes().eq_ignore_ascii_case(parameter))
            && self.rule.as_ref().is_none_or(|id| **id == *rule.id)
            && self.category.is_none_or(|category| category == rule.category)
    }
}

/// One request being judged.
struct Judge<'j> {
    signatures: &'j AttackSignatures,
    request: &'j Request<'j>,
    /// The path in normal form.
    path: &'j [u8],
    /// Whether the path is exempt as an asset.
    asset: bool,
    /// Memory for the search for literals.
    occurrences: Occurrences,
    found: &'j mut Found,
}

/// Whether a header is one that every client sends, and holds nothing but what such headers consist of.
fn is_plain_header(name: &str, value: &[u8]) -> bool {
    let usual = name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("sec-"))
        || PLAIN_HEADERS.iter().any(|usual| name.eq_ignore_ascii_case(usual));
    usual && value.iter().all(|byte| PLAIN_BYTES[usize::from(*byte)])
}

/// Headers that negotiate or describe, and that applications hand to nothing that could be injected into.
const PLAIN_HEADERS: [&str; 21] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "accept-charset",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "date",
    "dnt",
    "host",
    "if-modified-since",
    "if-none-match",
    "keep-alive",
    "origin",
    "pragma",
    "priority",
    "range",
    "te",
    "transfer-encoding",
    "upgrade-insecure-requests",
];

/// Letters, digits, blanks, and what lists, quality values, dates and media types are punctuated with.
const PLAIN_BYTES: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < 128u8 {
        plain[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b' ' | b','
                    | b';'
                    | b'='
                    | b'.'
                    | b'/'
                    | b'*'
                    | b'+'
                    | b'_'
                    | b'-'
                    | b':'
                    | b'"'
                    | b'?'
                    | b'('
                    | b')'
            );
        byte += 1;
    }
    plain
};

/// Hits that a verdict lists; what comes after them changes nothing.
const MAX_HITS: usize = 16;

/// A value and what is known of it.
#[derive(Clone, Copy)]
struct Value<'v> {
    target: Target,
    place: Place,
    /// The name of the parameter, header or cookie; empty for what has none.
    name: &'v [u8],
    text: &'v [u8],
}

impl Judge<'_> {
    fn judge_path(&mut self, request: &Request<'_>, forms: &mut Forms) {
        let path = request.path;
        self.judge(Value { target: Target::Path, place: Place::Path, name: b"", text: path }, forms);
        for segment in path.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()) {
            self.judge(
                Value { target: Target::Segment, place: Place::Path, name: b"", text: segment },
                forms,
            );
        }
    }

    fn judge_query(&mut self, request: &Request<'_>, forms: &mut Forms) {
        let query = request.query;
        if self.signatures.rules.looks_at(Target::Query) {
            self.judge(Value { target: Target::Query, place: Place::Query, name: b"", text: query }, forms);
        }
        let max = self.signatures.limits.max_fields;
        urlencoded_parameters(query, Place::Query, max, &mut |parameter| {
            self.judge_parameter(&parameter, forms);
        });
    }

    fn judge_headers(&mut self, request: &Request<'_>, forms: &mut Forms) {
        let Some(headers) = request.headers else { return };
        let max = self.signatures.limits.max_fields;
        headers.visit(&mut |name, value| {
            if name.eq_ignore_ascii_case("cookie") {
                cookie_parameters(value, max, &mut |parameter| self.judge_parameter(&parameter, forms));
                return;
            }
            let target = if name.eq_ignore_ascii_case("user-agent") {
                Target::UserAgent
            } else if name.eq_ignore_ascii_case("referer") {
                Target::Referer
            } else {
                Target::Header
            };
            if target == Target::Header && is_plain_header(name, value) {
                return;
            }
            self.judge(Value { target, place: Place::Header, name: name.as_bytes(), text: value }, forms);
        });
    }

    fn judge_body(&mut self, request: &Request<'_>, body: &[u8], forms: &mut Forms) {
        let content_type = request.header("content-type");
        let limits = &self.signatures.limits;
        let outcome = body::fields(content_type, body, limits, &mut |parameter| {
            self.judge_parameter(&parameter, forms);
        });
        // What is remarkable about the whole stands in its content type and its beginning.
        let whole = Value { target: Target::BodyText, place: Place::Content, name: b"", text: b"" };
        let shown = content_type.unwrap_or_default();
        for mark in outcome.marks() {
            self.signatures.rules.judge_mark(mark, |rule| self.note(rule, whole, shown, 0..shown.len()));
        }
    }

    fn judge_parameter(&mut self, parameter: &Parameter<'_>, forms: &mut Forms) {
        let Parameter { name, value, place, .. } = *parameter;
        let raw = parameter.part == Part::Raw;
        self.judge(
            Value { target: Target::of(parameter), place, name: if raw { b"" } else { name }, text: value },
            forms,
        );
    }

    fn judge(&mut self, value: Value<'_>, forms: &mut Forms) {
        if value.text.is_empty() || self.found.hits.len() >= MAX_HITS {
            return;
        }
        let rules = &*self.signatures.rules;
        if !rules.looks_at(value.target) {
            return;
        }
        if let Some(as_sent) = rules.screen(value.text, value.target, value.place, &mut self.occurrences) {
            self.judge_forms(value, &as_sent, forms);
        }
    }

    /// Judges all forms of a value of which some may match. Not inlined: most values don't get here.
    #[inline(never)]
    fn judge_forms(&mut self, value: Value<'_>, as_sent: &Candidates, forms: &mut Forms) {
        let rules = &*self.signatures.rules;
        let header = if value.target == Target::Header {
            std::str::from_utf8(value.name).unwrap_or_default()
        } else {
            ""
        };
        let list = forms.of(value.text, as_sent.kinds, value.place, rules.forms());
        for (form, text) in list.iter() {
            let of_form;
            let candidates = if form == Form::Sent || form == Form::Plain && list.differs_in_case() {
                as_sent
            } else {
                of_form = rules.candidates(text, value.target, &mut self.occurrences);
                &of_form
            };
            let forms = || list.same_as(form);
            rules.judge(text, candidates, forms, header, |rule, range| {
                self.note(rule, value, text, range);
            });
        }
    }

    fn note(&mut self, rule: &Rule, value: Value<'_>, text: &[u8], range: std::ops::Range<usize>) {
        let known = self.found.hits.iter().any(|hit| *hit.rule == *rule.id);
        let signatures = self.signatures;
        if known
            || self.found.hits.len() >= MAX_HITS
            || rule.from_other_site && !follows_foreign_link(self.request)
            || self.asset && value.is_page_searched_for(rule.category)
            || signatures.exclusions.iter().any(|exclusion| exclusion.applies(self.path, value.name, rule))
        {
            return;
        }
        let demoted = signatures.demoted.contains(&rule.id);
        let severity = if demoted { Severity::Notice } else { rule.severity };
        self.found.score += if demoted { 0 } else { severity.score() };
        self.found.hits.push(SignatureHit {
            rule: rule.id.clone(),
            category: rule.category,
            severity,
            matched: Match::new(value.field(), text, range.start, range.end),
        });
    }
}

/// Whether a browser left a page of another site for this one. Pictures, frames and calls of scripts, by which sites
/// use each other's services, say in `Sec-Fetch-Dest` that they are none.
fn follows_foreign_link(request: &Request<'_>) -> bool {
    request.referer_is_own_site() == Some(false)
        && request.header("sec-fetch-dest").is_none_or(|destination| destination == b"document")
}

impl Value<'_> {
    /// Whether it is the address of a page on which somebody has looked for something that reads as such an attack. The
    /// page was judged by itself, and its twenty files must not count as twenty attacks. What acts by being logged is no
    /// such thing.
    fn is_page_searched_for(&self, category: AttackCategory) -> bool {
        use AttackCategory::{CommandInjection, CrossSiteScripting, SqlInjection};
        self.target == Target::Referer
            && [&b"http://"[..], b"https://"].iter().any(|scheme| self.text.starts_with(scheme))
            && matches!(category, SqlInjection | CrossSiteScripting | CommandInjection)
    }

    fn field(&self) -> Field {
        let name = || -> Box<str> {
            let shown = self.name.get(..MAX_NAME).unwrap_or(self.name);
            String::from_utf8_lossy(shown)
                .chars()
                .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
                .collect::<String>()
                .into()
        };
        match self.target {
            Target::Path | Target::Segment => Field::Path,
            Target::Query => Field::Query,
            Target::QueryName | Target::QueryValue if self.name.is_empty() => Field::Query,
            Target::QueryName | Target::QueryValue => Field::QueryParameter(name()),
            Target::CookieName | Target::CookieValue => Field::Cookie(name()),
            Target::UserAgent | Target::Referer | Target::Header => {
                Field::Header(name().to_ascii_lowercase().into())
            }
            Target::BodyText => Field::Body,
            Target::BodyName | Target::BodyValue if self.name.is_empty() => Field::Body,
            Target::BodyName | Target::BodyValue | Target::FileContent => Field::BodyField(name()),
            Target::FileName => Field::FileName(name()),
        }
    }
}

/// So many bytes of a parameter's name are shown.
const MAX_NAME: usize = 64;
