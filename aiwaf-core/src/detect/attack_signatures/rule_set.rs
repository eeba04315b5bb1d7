//! Rules compiled together: one search for all literals, which says whose pattern is worth a try.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::rule::Rule;
use super::scan::{ANY_BYTE, Facts, Occurrences, Scanner};
use super::target::{Target, TargetSet};
use crate::body::BodyMark;
use crate::decode::{FormSet, Forms, Kinds, Place};

/// The rules that run, ready to judge.
pub(super) struct RuleSet {
    rules: Vec<Arc<Rule>>,
    /// Looks for the [`Forms::TELLING_PAIRS`] and, behind them, all literals; says of which byte sets a text has a byte.
    scanner: Scanner,
    /// The rules that own each literal.
    owners: Vec<SmallVec<[u16; 2]>>,
    /// The rules that bytes alone make worth a try, with the bit of their byte set.
    by_bytes: Vec<(u16, u64)>,
    /// All of these bits together.
    any_by_bytes: u64,
    /// For each rule, the byte sets of which it needs one, besides a literal.
    needed_bytes: Vec<u64>,
    /// What each rule looks at, together: what no rule looks at costs nothing.
    targets: TargetSet,
    /// What forms they look at.
    forms: FormSet,
}

/// Rules that are too many for one engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rules can't be used together: {0}")]
pub struct TooManyRules(String);

/// A set of numbers, of which small ones cost least.
#[derive(Default)]
struct Bits {
    /// The numbers below [`u128::BITS`].
    small: u128,
    /// The others, a bit for each.
    large: Vec<u64>,
}

impl Bits {
    fn set(&mut self, number: usize) {
        let Some(large) = number.checked_sub(u128::BITS as usize) else {
            self.small |= 1 << number;
            return;
        };
        let (index, bit) = (large / 64, 1 << (large % 64));
        if index >= self.large.len() {
            self.large.resize(index + 1, 0);
        }
        if let Some(word) = self.large.get_mut(index) {
            *word |= bit;
        }
    }

    /// Keeps the numbers of which `keep` says so.
    fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        self.small = ones(self.small).filter(|bit| keep(*bit)).fold(0, |kept, bit| kept | 1 << bit);
        for (word, start) in self.large.iter_mut().zip((u128::BITS as usize..).step_by(64)) {
            let kept = ones(u128::from(*word)).filter(|bit| keep(start + bit));
            *word = kept.fold(0, |kept, bit| kept | 1 << bit);
        }
    }

    fn is_empty(&self) -> bool {
        self.small == 0 && self.large.iter().all(|word| *word == 0)
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let large = self.large.iter().zip((u128::BITS as usize..).step_by(64));
        ones(self.small)
            .chain(large.flat_map(|(word, start)| ones(u128::from(*word)).map(move |bit| start + bit)))
    }
}

/// The numbers of the bits that are set.
fn ones(mut bits: u128) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = bits.trailing_zeros() as usize;
        (bits != 0).then(|| {
            bits &= bits - 1;
            bit
        })
    })
}

impl RuleSet {
    /// # Errors
    /// If there are more rules or byte sets than fit.
    pub(super) fn new(rules: Vec<Arc<Rule>>) -> Result<Self, TooManyRules> {
        if rules.len() > MAX_RULES {
            return Err(TooManyRules(format!("{} rules are more than {MAX_RULES}", rules.len())));
        }
        let mut owners: BTreeMap<&str, SmallVec<[u16; 2]>> = BTreeMap::new();
        let mut byte_sets = [0u32; 256];
        let mut sets: Vec<&str> = Vec::new();
        let mut by_bytes = Vec::new();
        let mut needed_bytes = vec![ANY_BYTE; rules.len()];
        let mut targets = TargetSet::default();
        let mut forms = FormSet::EMPTY;
        for (number, rule) in (0u16..).zip(&rules) {
            targets = targets.union(rule.targets);
            forms = forms.union(rule.forms);
            for literal in &rule.literals {
                owners.entry(literal).or_default().push(number);
            }
            if rule.bytes.is_empty() {
                continue;
            }
            let index = sets.iter().position(|set| *set == rule.bytes).unwrap_or_else(|| {
                sets.push(&rule.bytes);
                sets.len() - 1
            });
            let bit = u32::try_from(index).ok().and_then(|index| 1u32.checked_shl(index));
            let Some(bit) = bit else {
                return Err(TooManyRules("there are more than 32 different `bytes`".into()));
            };
            for byte in rule.bytes.bytes() {
                byte_sets[usize::from(byte)] |= bit;
            }
            if rule.literals.is_empty() {
                by_bytes.push((number, u64::from(bit)));
            } else if let Some(needed) = needed_bytes.get_mut(usize::from(number)) {
                *needed = u64::from(bit);
            }
        }
        let literals = owners.iter().map(|(literal, owners)| {
            let needed = |rule: &u16| needed_bytes.get(usize::from(*rule)).copied().unwrap_or(ANY_BYTE);
            (*literal, owners.iter().map(needed).fold(0, |all, sets| all | sets))
        });
        let telling = Forms::TELLING_PAIRS.into_iter().map(|pair| (pair, ANY_BYTE));
        Ok(Self {
            scanner: Scanner::new(telling.chain(literals), &byte_sets),
            owners: owners.into_values().collect(),
            any_by_bytes: by_bytes.iter().fold(0, |any, (_, bit)| any | bit),
            rules,
            by_bytes,
            needed_bytes,
            targets,
            forms,
        })
    }

    /// Compiles all patterns that were not asked for yet.
    pub(super) fn compile(&self) {
        for rule in &self.rules {
            rule.regex();
        }
    }

    /// Whether any rule looks at such fields.
    pub(super) fn looks_at(&self, target: Target) -> bool {
        self.targets.contains(target)
    }

    /// The forms that any rule looks at.
    pub(super) fn forms(&self) -> FormSet {
        self.forms
    }

    /// Calls `hit` with every rule that objects to a body with this mark.
    pub(super) fn judge_mark(&self, mark: BodyMark, mut hit: impl FnMut(&Rule)) {
        for rule in self.rules.iter().filter(|rule| rule.body_mark() == Some(mark)) {
            hit(rule);
        }
    }

    /// What is worth a try on a value of the kind `target` as it was sent, or nothing if no rule can match it in any form,
    /// as with most: one quick pass.
    pub(super) fn screen(
        &self,
        value: &[u8],
        target: Target,
        place: Place,
        memory: &mut Occurrences,
    ) -> Option<Candidates> {
        let (found, facts) = self.scan(value, memory);
        let has_others = found.has_pair || Forms::has_others(value, facts.kinds(), place);
        if !has_others && found.rules.is_empty() && facts.byte_sets() & self.any_by_bytes == 0 {
            return None;
        }
        let mut candidates = self.worth_a_try(found.rules, facts, value, target);
        if !has_others {
            // Of most values with a quote, which is an apostrophe, a detector says so at once.
            candidates
                .rules
                .retain(|number| self.rules.get(number).is_some_and(|rule| rule.may_match(value)));
        }
        (has_others || !candidates.rules.is_empty()).then_some(candidates)
    }

    /// What is worth a try on a form of a value of the kind `target`: one quick pass.
    pub(super) fn candidates(&self, text: &[u8], target: Target, memory: &mut Occurrences) -> Candidates {
        let (found, facts) = self.scan(text, memory);
        self.worth_a_try(found.rules, facts, text, target)
    }

    fn scan(&self, text: &[u8], memory: &mut Occurrences) -> (Found, Facts) {
        let mut found = Found::default();
        let facts = self.scanner.scan(text, memory, |literal| {
            let Some(literal) = literal.checked_sub(Forms::TELLING_PAIRS.len()) else {
                found.has_pair = true;
                return;
            };
            for rule in self.owners.get(literal).into_iter().flatten() {
                found.rules.set(usize::from(*rule));
            }
        });
        (found, facts)
    }

    /// Those of the rules whose bytes are there as well, and those that bytes alone make worth a try; of both those
    /// that look at such values and whose next words may be there.
    #[inline(never)]
    fn worth_a_try(&self, mut rules: Bits, facts: Facts, text: &[u8], target: Target) -> Candidates {
        let sets = facts.byte_sets() | ANY_BYTE;
        for (number, _) in self.by_bytes.iter().filter(|(_, bit)| sets & bit != 0) {
            rules.set(usize::from(*number));
        }
        rules.retain(|number| {
            let needed = self.needed_bytes.get(number).copied().unwrap_or_default();
            let may_match = |rule: &Arc<Rule>| rule.targets.contains(target) && rule.may_go_on_in(text);
            needed & sets != 0 && self.rules.get(number).is_some_and(may_match)
        });
        Candidates { rules, kinds: facts.kinds() }
    }

    /// Calls `hit` with every one of the `candidates` that matches `text`, and where. `forms` says which forms of the field
    /// the text is; `header` is the name of a header, and empty for anything else.
    pub(super) fn judge(
        &self,
        text: &[u8],
        candidates: &Candidates,
        forms: impl FnOnce() -> FormSet,
        header: &str,
        mut hit: impl FnMut(&Rule, std::ops::Range<usize>),
    ) {
        let forms = LazyCell::new(forms);
        for number in candidates.rules.iter() {
            let Some(rule) = self.rules.get(number) else { continue };
            let named =
                rule.headers.is_empty() || rule.headers.iter().any(|name| name.eq_ignore_ascii_case(header));
            if named
                && rule.forms.overlaps(*forms)
                && let Some(range) = rule.find(text)
            {
                hit(rule, range);
            }
        }
    }
}

/// What literals in a text say.
#[derive(Default)]
struct Found {
    /// The rules that own them.
    rules: Bits,
    /// Whether one of the [`Forms::TELLING_PAIRS`] is there.
    has_pair: bool,
}

/// What is worth a try on a text. It is the same for texts that differ in nothing but the case of letters.
pub(super) struct Candidates {
    /// The rules whose literals and bytes are there.
    rules: Bits,
    /// What bytes the text has.
    pub(super) kinds: Kinds,
}

impl Candidates {
    /// Whether no rule can match the text as it is.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

/// Rules that run at the same time.
const MAX_RULES: usize = 4096;
