//! `attack_signatures`: what stands in a request, judged by rules and by tokens.
//!
//! Every value of a request (path, query, headers, cookies, body) is brought into the forms in which an application
//! might read it; each form is judged by all rules that look at such values. What rules find adds up to a score, as in
//! the OWASP Core Rule Set, and from a threshold on the request is denied.
//!
//! Rules are data: the files in `rules/`, one for each kind of attack, and whatever files an operator adds. A rule says
//! what an attack *is*: breaking out of a quote, calling a function, naming a command and its argument. It is tried only
//! on values that hold one of its literals, which one pass looks for, all rules at once.
//!
//! Most of a request is what earlier requests consisted of. Headers, paths and queries that no rule matched are recognized
//! by a keyed hash ([`clean_values`]) and are not judged again, and neither are the cookies that a client sent before
//! ([`CleanCookie`]).

mod category;
mod clean_values;
mod counting;
mod credentials;
mod detector;
mod document_type;
mod header_kind;
mod headers;
mod hit;
mod html;
mod keyed_hash;
mod mention;
mod next_words;
mod rule;
mod rule_set;
mod scan;
mod settings;
mod sql;
mod streaming;
mod target;
#[cfg(test)]
mod tests;
mod words;

use std::sync::{Arc, LazyLock};

pub use category::{AttackCategory, Severity};
pub(crate) use clean_values::CleanCookie;
pub use hit::SignatureHit;
pub use rule::RuleFileError;
pub use rule_set::TooManyRules;
pub use settings::{AttackSignaturesSettings, BodyOverflow, SignatureExclusion};

use self::clean_values::CleanValues;
use self::keyed_hash::Tag;
use self::rule::{Rule, built_in};
use self::rule_set::{Candidates, RuleSet};
use self::scan::Occurrences;
use self::streaming::Reading;
use self::target::Target;
use super::{Body, BuiltIn, ClientMemory, Context, Detector, DetectorError, Head, Inputs};
use crate::bans::ledger::Evidence;
use crate::body::BodyLimits;
use crate::decode::{Form, Forms, Parameter, Part, Place, normalize_pattern, urlencoded_parameters};
use crate::protection::Protection;
use crate::request::Request;
use crate::suggest::closest;
use crate::verdict::{Field, Finding, Reason};

/// `attack_signatures`, ready to judge.
pub(crate) struct AttackSignatures {
    rules: Arc<RuleSet>,
    threshold: u32,
    demoted: Vec<Box<str>>,
    exclusions: Vec<Exclusion>,
    limits: BodyLimits,
    /// What these rules are known not to match.
    clean: CleanValues,
    max_body_bytes: usize,
    overflow: BodyOverflow,
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
                max_fields: settings.max_fields,
                max_depth: settings.max_depth,
                max_file_bytes: settings.max_file_bytes,
            },
            clean: CleanValues::new(),
            max_body_bytes: settings.max_body_bytes,
            overflow: settings.body_overflow,
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
            matches: 0,
        }
    }

    /// Judges path, query and headers of a client of which `cookie` is remembered: cookies that were judged clean the last
    /// time are not judged again. Linear in their size.
    pub(crate) fn judge_head(
        &self,
        head: &Head<'_>,
        cookie: &mut CleanCookie,
        found: &mut Found,
    ) -> Option<Finding> {
        // Written for the first value that reads otherwise than it was sent.
        let mut forms = None;
        let mut judge = self.judge(head.request, head.context, found);
        judge.judge_path(head.request, &mut forms);
        judge.judge_query(head.request, &mut forms);
        judge.judge_headers(head.request, cookie, &mut forms);
        self.verdict(found)
    }

    /// The finding, if what was found so far reaches the threshold.
    fn verdict(&self, found: &mut Found) -> Option<Finding> {
        let score = found.score();
        if score < self.threshold {
            return None;
        }
        let hits = std::mem::take(&mut found.hits);
        let matched = hits.first()?.matched.clone();
        let reason = Reason::AttackSignatures { score, hits };
        let finding = Finding::block(Protection::AttackSignatures, reason).with_match(matched);
        // A probe is nothing that parses.
        let is_probe = matches!(&finding.reason, Reason::AttackSignatures { hits, .. }
            if hits.iter().all(|hit| matches!(hit.category, AttackCategory::Probe | AttackCategory::Scanner)));
        Some(finding.with_evidence(if is_probe { Evidence::MEDIUM } else { Evidence::HIGH }))
    }
}

/// What the rules have found so far in one request.
#[derive(Default)]
pub(crate) struct Found {
    hits: Vec<SignatureHit>,
    /// Rules that count, but found no room in `hits`.
    unlisted: Vec<Box<str>>,
    /// The points of all matches but mere mentions.
    attack_score: u32,
    /// The body as sent, and without its encoding.
    readings: [Reading; 2],
}

impl Found {
    /// The points of all matches; the mentions among them count together as one notice.
    fn score(&self) -> u32 {
        let has_mention = self.hits.iter().any(|hit| hit.is_mention);
        self.attack_score + if has_mention { Severity::Notice.score() } else { 0 }
    }
}

impl BuiltIn for AttackSignatures {
    type Settings = AttackSignaturesSettings;

    fn build(settings: &AttackSignaturesSettings, inputs: &Inputs<'_>) -> Result<Self, DetectorError> {
        Ok(Self::new(settings, inputs.rule_texts)?)
    }
}

impl ClientMemory for Option<Box<CleanCookie>> {
    fn heap_bytes(&self) -> usize {
        self.as_ref().map_or(0, |_| size_of::<CleanCookie>())
    }
}

impl Detector for AttackSignatures {
    /// Boxed, for a client that is seen once brings no cookies.
    type Client = Option<Box<CleanCookie>>;
    type Request = Found;

    /// Judges path, query and headers. Linear in their size.
    fn head(
        &self,
        head: &Head<'_>,
        client: &mut Option<Box<CleanCookie>>,
        found: &mut Found,
    ) -> Option<Finding> {
        let mut cookie = client.as_deref().copied().unwrap_or_default();
        let finding = self.judge_head(head, &mut cookie, found);
        if client.as_deref().copied().unwrap_or_default() != cookie {
            **client.get_or_insert_default() = cookie;
        }
        finding
    }

    /// Judges the next chunk of the body. Memory is bounded, and time is linear in the body's length.
    fn body(&self, body: &Body<'_>, found: &mut Found) -> Option<Finding> {
        self.judge_chunk(body, found)
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
    /// Number of matches of rules, whether they count or not.
    matches: usize,
}

/// Maximum number of hits that a verdict lists; the score counts the others as well.
const MAX_HITS: usize = 16;

/// Kinds of fields that are remembered if they are clean. Below them are numbers of common headers.
const PATH: u8 = 64;
const QUERY: u8 = 65;
const COOKIE: u8 = 66;
const REFERER: u8 = 67;
const OTHER_NAME: u8 = 68;
const OTHER_VALUE: u8 = 69;

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
    fn judge_path(&mut self, request: &Request<'_>, forms: &mut Option<Forms>) {
        let tag = self.signatures.clean.tag(PATH, request.path);
        self.judge_unless_clean(tag, |judge| {
            let value = Value { target: Target::Path, place: Place::Path, name: b"", text: request.path };
            judge.judge(value, forms);
            for segment in request.path.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty()) {
                judge.judge(Value { target: Target::Segment, text: segment, ..value }, forms);
            }
        });
    }

    fn judge_query(&mut self, request: &Request<'_>, forms: &mut Option<Forms>) {
        let query = request.query;
        if query.is_empty() {
            return;
        }
        let tag = self.signatures.clean.tag(QUERY, query);
        self.judge_unless_clean(tag, |judge| {
            if judge.signatures.rules.looks_at(Target::Query) {
                let value = Value { target: Target::Query, place: Place::Query, name: b"", text: query };
                judge.judge(value, forms);
            }
            let max = judge.signatures.limits.max_fields;
            urlencoded_parameters(query, Place::Query, max, &mut |parameter| {
                judge.judge_parameter(&parameter, forms);
            });
        });
    }

    /// Calls `judge` for the text with this tag unless it is known to be clean, and remembers if it turns out to be.
    #[inline]
    fn judge_unless_clean(&mut self, tag: Option<Tag>, judge: impl FnOnce(&mut Self)) {
        let clean = &self.signatures.clean;
        if tag.is_some_and(|tag| clean.contains(tag)) {
            return;
        }
        let matches = self.matches;
        judge(self);
        if let Some(tag) = tag.filter(|_| self.matches == matches && !self.is_decided()) {
            clean.insert(tag);
        }
    }

    /// Reports whether no further value is judged: the verdict is certain, and its list of hits is full.
    fn is_decided(&self) -> bool {
        self.found.hits.len() >= MAX_HITS && self.found.score() >= self.signatures.threshold
    }

    fn judge_parameter(&mut self, parameter: &Parameter<'_>, forms: &mut Option<Forms>) {
        let Parameter { name, value, place, .. } = *parameter;
        let raw = parameter.part == Part::Raw;
        self.judge(
            Value { target: Target::of(parameter), place, name: if raw { b"" } else { name }, text: value },
            forms,
        );
    }

    fn judge(&mut self, value: Value<'_>, forms: &mut Option<Forms>) {
        if value.text.is_empty() || self.is_decided() {
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
    fn judge_forms(&mut self, value: Value<'_>, as_sent: &Candidates, forms: &mut Option<Forms>) {
        let rules = &*self.signatures.rules;
        let header = if value.target == Target::Header {
            std::str::from_utf8(value.name).unwrap_or_default()
        } else {
            ""
        };
        let forms = forms.get_or_insert_default();
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
