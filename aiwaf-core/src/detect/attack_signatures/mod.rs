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
mod credentials;
mod detector;
mod document_type;
mod hit;
mod html;
mod mention;
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
use super::Inspection;
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

    /// What is in the request, if that reaches the threshold. `asset` says that the path is exempt as an asset. Linear in
    /// the size of the request.
    pub(crate) fn inspect(&self, inspection: &Inspection<'_>, asset: bool) -> Option<Finding> {
        let request = inspection.request;
        let mut judge = Judge {
            signatures: self,
            request,
            path: inspection.path,
            asset,
            occurrences: Occurrences::default(),
            hits: Vec::new(),
            unlisted: Vec::new(),
            has_mention: false,
            score: 0,
        };
        let mut forms = Forms::default();
        judge.judge_path(request, &mut forms);
        judge.judge_query(request, &mut forms);
        judge.judge_headers(request, &mut forms);
        judge.judge_body(request, &mut forms);
        judge.verdict()
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
    hits: Vec<SignatureHit>,
    /// Rules that count, but found no room in `hits`.
    unlisted: Vec<Box<str>>,
    /// Whether any match was a mere mention, of which all together count as one notice.
    has_mention: bool,
    score: u32,
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

/// Maximum number of hits that a verdict lists; the score counts the others as well.
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
            if target == Target::Header && credentials::is_header_of_credentials(name) {
                self.judge_credentials(name, value, forms);
            }
        });
    }

    /// Judges the user's name and the password of Basic credentials.
    fn judge_credentials(&mut self, name: &str, value: &[u8], forms: &mut Forms) {
        let Some(decoded) = credentials::basic(value) else { return };
        for text in credentials::name_and_password(&decoded) {
            let value =
                Value { target: Target::Credential, place: Place::Content, name: name.as_bytes(), text };
            self.judge(value, forms);
        }
    }

    fn judge_body(&mut self, request: &Request<'_>, forms: &mut Forms) {
        let content_type = request.header("content-type");
        let limits = &self.signatures.limits;
        let outcome = body::fields(content_type, request.body, limits, &mut |parameter| {
            self.judge_parameter(&parameter, forms);
        });
        // What is remarkable about the whole stands in its content type and its beginning.
        let whole = Value { target: Target::BodyText, place: Place::Content, name: b"", text: b"" };
        let shown = content_type.unwrap_or_default();
        for mark in outcome.marks() {
            self.signatures
                .rules
                .judge_mark(mark, |rule| self.note(rule, whole, (Form::Sent, shown), 0..shown.len()));
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
        let is_decided = self.hits.len() >= MAX_HITS && self.score >= self.signatures.threshold;
        if value.text.is_empty() || is_decided {
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
                self.note(rule, value, (form, text), range);
            });
        }
    }

    fn note(
        &mut self,
        rule: &Rule,
        value: Value<'_>,
        (form, text): (Form, &[u8]),
        range: std::ops::Range<usize>,
    ) {
        let signatures = self.signatures;
        let listed = self.hits.iter().position(|hit| *hit.rule == *rule.id);
        let was_mention = listed.and_then(|index| self.hits.get(index)).is_some_and(|hit| hit.is_mention);
        if listed.is_some() && !was_mention
            || self.unlisted.contains(&rule.id)
            || rule.from_other_site && !follows_foreign_link(self.request)
            || self.asset && value.is_page_searched_for(rule.category)
            || signatures.exclusions.iter().any(|exclusion| exclusion.applies(self.path, value.name, rule))
        {
            return;
        }
        let is_mention = match value.target {
            Target::QueryValue | Target::BodyValue | Target::BodyText if form == Form::Path => {
                rule.mention().is_some_and(|mention| mention.covers_text(value.text))
            }
            Target::QueryValue | Target::BodyValue | Target::BodyText => rule.is_only_mentioned(text, &range),
            Target::UserAgent => rule.mention().is_some_and(|mention| mention.covers_agent(text, &range)),
            _ => false,
        };
        if is_mention && was_mention {
            return;
        }
        let demoted = signatures.demoted.contains(&rule.id);
        let severity = if demoted || is_mention { Severity::Notice } else { rule.severity };
        self.score += match (demoted, is_mention) {
            (true, _) => 0,
            (false, true) if std::mem::replace(&mut self.has_mention, true) => 0,
            (false, _) => severity.score(),
        };
        let hit = SignatureHit {
            rule: rule.id.clone(),
            category: rule.category,
            severity,
            is_mention,
            matched: Match::new(value.field(), text, range.start, range.end),
        };
        let has_room = self.hits.len() < MAX_HITS;
        match listed.and_then(|index| self.hits.get_mut(index)) {
            Some(listed) => *listed = hit,
            None if has_room => self.hits.push(hit),
            None if is_mention => {}
            None => self.unlisted.push(hit.rule),
        }
    }

    fn verdict(self) -> Option<Finding> {
        if self.score < self.signatures.threshold {
            return None;
        }
        let matched = self.hits.first()?.matched.clone();
        let reason = Reason::AttackSignatures { score: self.score, hits: self.hits };
        Some(Finding::block(Protection::AttackSignatures, reason).with_match(matched))
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
            Target::UserAgent | Target::Referer | Target::Header | Target::Credential => {
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
