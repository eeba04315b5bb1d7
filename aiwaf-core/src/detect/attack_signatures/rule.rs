//! Rules as data: what stands in a rule file, and what is wrong with one that can't be used.

use std::sync::{Arc, LazyLock, OnceLock};

use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use super::category::{AttackCategory, Severity};
use super::detector::Detector;
use super::mention::Mention;
use super::next_words::{MAX_WORD, NextWords};
use super::target::{DEFAULT_TARGETS, FieldGroup, TargetSet};
use super::words::Words;
use crate::body::BodyMark;
use crate::decode::{Form, FormSet};

/// One rule, checked.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: Box<str>,
    pub(super) category: AttackCategory,
    pub(super) severity: Severity,
    pub(super) paranoia: u8,
    pub(super) targets: TargetSet,
    /// If not empty, of the headers only these, in lower case.
    pub(super) headers: Vec<String>,
    pub(super) forms: FormSet,
    /// Texts of which one has to be there, in lower case.
    pub(super) literals: Vec<String>,
    /// Bytes of which one has to be there; empty is no condition.
    pub(super) bytes: String,
    /// Words of which one has to stand behind one of `bytes`.
    next_words: Option<NextWords>,
    /// Whether it counts only where a browser follows a link, or sends a form, of another site.
    pub(super) from_other_site: bool,
    /// What its matches are where a text only talks about them; such a match counts as a notice.
    mention: Option<Mention>,
    matcher: Matcher,
    /// What has to match, and what must not.
    #[cfg(test)]
    pub(super) examples: Examples,
}

/// How a rule looks for its attack once its literals are there.
#[derive(Debug)]
enum Matcher {
    Pattern {
        source: String,
        compiled: OnceLock<Option<Regex>>,
    },
    Detector(Detector),
    /// Something about the body as a whole, which no text shows.
    BodyMark(BodyMark),
}

#[cfg(test)]
#[derive(Debug)]
pub(super) struct Examples {
    pub(super) matches: Vec<String>,
    pub(super) passes: Vec<String>,
}

/// A rule file that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {message}")]
pub struct RuleFileError {
    file: String,
    message: String,
}

impl RuleFileError {
    pub(super) fn new(file: &str, message: String) -> Self {
        Self { file: file.to_owned(), message }
    }
}

impl Rule {
    /// Whether its next words may stand in a form of a value, if it has any.
    pub(super) fn may_go_on_in(&self, text: &[u8]) -> bool {
        self.next_words.as_ref().is_none_or(|words| words.may_be_in(text))
    }

    /// Whether a value may match that has no other forms than its lower case. Only detectors that read any case say no.
    pub(super) fn may_match(&self, value: &[u8]) -> bool {
        match &self.matcher {
            Matcher::Detector(detector) => !detector.reads_any_case() || detector.find(value).is_some(),
            Matcher::Pattern { .. } => true,
            Matcher::BodyMark(_) => false,
        }
    }

    /// Where the rule matches in a form of a value.
    pub(super) fn find(&self, text: &[u8]) -> Option<std::ops::Range<usize>> {
        match &self.matcher {
            Matcher::BodyMark(_) => None,
            Matcher::Detector(detector) => detector.find(text),
            Matcher::Pattern { .. } => self.regex()?.find(text).map(|found| found.range()),
        }
    }

    /// Whether `first`, where it matches `text`, and all further matches are only talked about. Each look takes in but
    /// a part of the text, and their number is bounded.
    pub(super) fn is_only_mentioned(&self, text: &[u8], first: &std::ops::Range<usize>) -> bool {
        let Some(mention) = self.mention else { return false };
        let mut range = first.clone();
        for _ in 0..MAX_MENTIONS {
            if !mention.covers(text, &range) {
                return false;
            }
            let next = match &self.matcher {
                Matcher::Pattern { .. } => {
                    let start = range.end.max(range.start + 1);
                    if start > text.len() {
                        return true;
                    }
                    self.regex().and_then(|regex| regex.find_at(text, start)).map(|found| found.range())
                }
                Matcher::Detector(_) | Matcher::BodyMark(_) => return mention.covers_rest(),
            };
            match next {
                Some(next) => range = next,
                None => return true,
            }
        }
        false
    }

    /// What its matches are where a text only talks about them.
    pub(super) fn mention(&self) -> Option<Mention> {
        self.mention
    }

    /// The pattern, compiled when first asked for: most rules of most commands never are.
    pub(super) fn regex(&self) -> Option<&Regex> {
        match &self.matcher {
            Matcher::Pattern { source, compiled } => compiled.get_or_init(|| compile(source).ok()).as_ref(),
            Matcher::Detector(_) | Matcher::BodyMark(_) => None,
        }
    }
}

impl Rule {
    /// Whether it looks for a pattern, which its literals have to stand for.
    #[cfg(test)]
    pub(super) fn has_pattern(&self) -> bool {
        matches!(self.matcher, Matcher::Pattern { .. })
    }

    /// What about a body it objects to, if that is what it looks at.
    pub(super) fn body_mark(&self) -> Option<BodyMark> {
        match self.matcher {
            Matcher::BodyMark(mark) => Some(mark),
            Matcher::Pattern { .. } | Matcher::Detector(_) => None,
        }
    }
}

/// Mentions of one rule in one text; more of them count as a match.
const MAX_MENTIONS: usize = 32;

/// The rules that come with AIWAF, read once.
pub(super) fn built_in() -> &'static [Arc<Rule>] {
    &BUILT_IN
}

/// Tests show that all of them can be read and compiled.
static BUILT_IN: LazyLock<Vec<Arc<Rule>>> =
    LazyLock::new(|| FILES.iter().flat_map(|(name, text)| parse(name, text).unwrap_or_default()).collect());

macro_rules! rule_files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("rules/", $name)))),*]
    };
}

/// One file for each category.
pub(super) const FILES: &[(&str, &str)] = rule_files![
    "sql_injection.toml",
    "cross_site_scripting.toml",
    "path_traversal.toml",
    "file_inclusion.toml",
    "command_injection.toml",
    "php_injection.toml",
    "java_injection.toml",
    "code_injection.toml",
    "query_injection.toml",
    "xml_injection.toml",
    "request_forgery.toml",
    "header_injection.toml",
    "scanner.toml",
    "probe.toml",
];

/// Reads the rules in the text of a rule file.
///
/// # Errors
/// [`RuleFileError`], naming the file, the rule, and what is allowed.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Arc<Rule>>, RuleFileError> {
    let fail = |message: String| RuleFileError::new(file, message);
    let parsed: RuleFile =
        toml::from_str(text).map_err(|error| fail(error.to_string().trim_end().replace('\n', " ")))?;
    parsed
        .rule
        .into_iter()
        .map(|written| {
            let id = written.id.clone();
            written
                .check(parsed.category, &parsed.words)
                .map(Arc::new)
                .map_err(|message| fail(format!("rule {id:?}: {message}")))
        })
        .collect()
}

/// The text of a rule file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    /// What all of its rules look for.
    category: AttackCategory,
    /// Lists of words that its rules name.
    #[serde(default)]
    words: Words,
    #[serde(default)]
    rule: Vec<WrittenRule>,
}

/// A rule as a person writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    /// Lower case letters, digits and dashes.
    id: String,
    /// What it finds, in one line.
    description: String,
    /// Why that is an attack and nothing else.
    why: String,
    #[serde(default = "first_level")]
    paranoia: u8,
    #[serde(default = "critical")]
    severity: Severity,
    #[serde(default)]
    fields: Vec<FieldGroup>,
    #[serde(default)]
    headers: Vec<String>,
    #[serde(default)]
    forms: Vec<WrittenForm>,
    #[serde(default)]
    literals: Vec<String>,
    #[serde(default)]
    bytes: String,
    #[serde(default)]
    next_words: Vec<String>,
    #[serde(default)]
    from_other_site: bool,
    mention: Option<Mention>,
    pattern: Option<String>,
    detector: Option<Detector>,
    body_mark: Option<BodyMark>,
    matches: Vec<String>,
    passes: Vec<String>,
}

const fn first_level() -> u8 {
    1
}

const fn critical() -> Severity {
    Severity::Critical
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenForm {
    Sent,
    Plain,
    Unescaped,
    CssUnescaped,
    SqlFolded,
    ShellUnquoted,
    Path,
    Base64,
}

impl WrittenForm {
    const fn form(self) -> Form {
        match self {
            Self::Sent => Form::Sent,
            Self::Plain => Form::Plain,
            Self::Unescaped => Form::Unescaped,
            Self::CssUnescaped => Form::CssUnescaped,
            Self::SqlFolded => Form::SqlFolded,
            Self::ShellUnquoted => Form::ShellUnquoted,
            Self::Path => Form::Path,
            Self::Base64 => Form::Base64,
        }
    }
}

/// The forms that a rule judges unless it says otherwise.
const DEFAULT_FORMS: FormSet = FormSet::EMPTY.with(Form::Plain).with(Form::Unescaped).with(Form::Base64);

impl WrittenRule {
    fn check(self, category: AttackCategory, words: &Words) -> Result<Rule, String> {
        let dashed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.id.is_empty() || self.id.len() > 64 || !self.id.bytes().all(dashed) {
            return Err("an id has 1 to 64 lower case letters, digits and dashes".into());
        }
        if self.description.trim().is_empty() || self.why.trim().is_empty() {
            return Err("say in `description` what it finds and in `why` what makes that an attack".into());
        }
        if !(1..=4).contains(&self.paranoia) {
            return Err(format!("paranoia = {} is not allowed: give 1 to 4", self.paranoia));
        }
        if self.matches.is_empty() || self.passes.is_empty() {
            return Err("give at least one example in `matches` and one in `passes`".into());
        }
        let literals = words.in_literals(self.literals)?;
        if literals.iter().any(|literal| literal.len() < 2) {
            return Err("a literal has at least two bytes; single ones belong in `bytes`".into());
        }
        let matcher = match (self.pattern, self.detector, self.body_mark) {
            (None, None, Some(mark)) => Matcher::BodyMark(mark),
            (Some(source), None, None) => {
                if literals.is_empty() && self.bytes.is_empty() {
                    return Err(
                        "a pattern needs `literals` or `bytes`, of which each match has at least one".into(),
                    );
                }
                Matcher::Pattern { source: words.in_pattern(&source)?, compiled: OnceLock::new() }
            }
            (None, Some(detector), None) => {
                if literals.is_empty() && self.bytes.is_empty() {
                    return Err("a detector needs `literals` or `bytes`".into());
                }
                Matcher::Detector(detector)
            }
            _ => return Err("give one of `pattern`, `detector` and `body_mark`".into()),
        };
        let next_words = words.in_literals(self.next_words)?;
        if self.bytes.is_empty() && !next_words.is_empty() {
            return Err("`next_words` stand behind one of `bytes`, of which there are none".into());
        }
        if let Some(long) = next_words.iter().find(|word| word.len() > MAX_WORD) {
            return Err(format!("{long:?} in `next_words` has more than {MAX_WORD} bytes"));
        }
        let mut targets = TargetSet::default();
        for group in &self.fields {
            targets = targets.union(group.targets());
        }
        if self.fields.is_empty() {
            targets = if self.headers.is_empty() { DEFAULT_TARGETS } else { FieldGroup::Headers.targets() };
        }
        let forms = self.forms.iter().fold(FormSet::EMPTY, |set, form| set.with(form.form()));
        Ok(Rule {
            id: self.id.into(),
            category,
            severity: self.severity,
            paranoia: self.paranoia,
            targets,
            headers: self.headers.iter().map(|name| name.to_ascii_lowercase()).collect(),
            forms: if self.forms.is_empty() { DEFAULT_FORMS } else { forms },
            literals: literals.iter().map(|literal| literal.to_ascii_lowercase()).collect(),
            next_words: (!next_words.is_empty()).then(|| NextWords::new(&self.bytes, &next_words)),
            bytes: self.bytes,
            from_other_site: self.from_other_site,
            mention: self.mention,
            matcher,
            #[cfg(test)]
            examples: Examples { matches: self.matches, passes: self.passes },
        })
    }
}

impl Rule {
    /// Compiles the pattern now.
    ///
    /// # Errors
    /// What is wrong with the pattern.
    pub(super) fn compile(&self) -> Result<(), String> {
        if let Matcher::Pattern { source, compiled } = &self.matcher {
            let regex = compile(source).map_err(|error| error.to_string().replace('\n', " "))?;
            compiled.get_or_init(|| Some(regex));
        }
        Ok(())
    }
}

/// Bytes, not characters; any case; `.` takes line ends, too, for no attack stops at one.
fn compile(source: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(source)
        .unicode(false)
        .case_insensitive(true)
        .dot_matches_new_line(true)
        .ignore_whitespace(true)
        .size_limit(1 << 20)
        .dfa_size_limit(1 << 20)
        .build()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn all_built_in_rules_can_be_read_and_compiled_and_have_ids_of_their_own() {
        let mut ids = BTreeSet::new();
        for (file, text) in FILES {
            let rules = parse(file, text).unwrap_or_else(|error| panic!("{error}"));
            assert!(!rules.is_empty(), "{file}");
            for rule in rules {
                assert_eq!(rule.compile(), Ok(()), "{}", rule.id);
                assert!(ids.insert(rule.id.clone()), "{} is there twice", rule.id);
                assert_eq!(*file, format!("{}.toml", rule.category));
            }
        }
        assert_eq!(ids.len(), built_in().len());
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_said() {
        let rule = |lines: &str| {
            let text = format!(
                "category = \"probe\"\n[[rule]]\ndescription = \"d\"\nwhy = \"w\"\nmatches = [\"ab\"]\npasses = [\"c\"]\n{lines}"
            );
            parse("own.toml", &text).map(|rules| rules.len()).unwrap_err().to_string()
        };
        for (lines, said) in [
            ("id = \"a\"\npattern = 'ab'", "needs `literals`"),
            ("id = \"A b\"\npattern = 'ab'\nliterals = [\"ab\"]", "lower case letters"),
            ("id = \"a\"\nliterals = [\"ab\"]", "one of `pattern`, `detector` and `body_mark`"),
            ("id = \"a\"\npattern = 'a'\nliterals = [\"a\"]", "at least two bytes"),
            ("id = \"a\"\npattern = 'ab'\nliterals = [\"ab\"]\nparanoia = 5", "give 1 to 4"),
            ("id = \"a\"\npatern = 'ab'", "patern"),
            ("id = \"a\"\npattern = 'ab'\nliterals = [\"ab\"]\nnext_words = [\"ab\"]", "one of `bytes`"),
        ] {
            let error = rule(lines);
            assert!(error.starts_with("own.toml: ") && error.contains(said), "{error}");
        }
    }
}
