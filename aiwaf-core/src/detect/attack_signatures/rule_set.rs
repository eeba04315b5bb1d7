//! Rules compiled together: one automaton over all literals, which says whose pattern is worth a try.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use aho_corasick::automaton::Automaton;
use aho_corasick::{Anchored, MatchKind, dfa};
use smallvec::SmallVec;

use super::rule::Rule;
use super::target::{Target, TargetSet};
use crate::body::BodyMark;
use crate::decode::FormSet;

/// The rules that run, ready to judge.
pub(super) struct RuleSet {
    rules: Vec<Arc<Rule>>,
    /// The literals of rules that need nothing else: all that most texts are searched for.
    alone: Literals,
    /// All literals, also those of rules that need a byte as well: for the texts that have one.
    all: Literals,
    /// For each byte, which of the byte sets below it is in.
    byte_sets: Box<[u32; 256]>,
    /// The rules that bytes alone make worth a try, with their bit in `byte_sets`.
    by_bytes: Vec<(u16, u32)>,
    /// For each rule, the byte sets of which it needs one, besides a literal; 0 is no condition.
    needed_bytes: Vec<u32>,
    /// All of them together.
    any_needed: u32,
    /// What each rule looks at, together: what no rule looks at costs nothing.
    targets: TargetSet,
    /// What forms they look at.
    forms: FormSet,
}

/// Literals, and the rules that each may belong to.
struct Literals {
    automaton: dfa::DFA,
    owners: Vec<SmallVec<[u16; 2]>>,
}

impl Literals {
    fn new(owners_of: BTreeMap<&str, SmallVec<[u16; 2]>>) -> Result<Self, TooManyRules> {
        let literals: Vec<&str> = owners_of.keys().copied().collect();
        let automaton = dfa::DFA::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .start_kind(aho_corasick::StartKind::Unanchored)
            .build(&literals)
            .map_err(|error| TooManyRules(error.to_string()))?;
        Ok(Self { automaton, owners: owners_of.into_values().collect() })
    }

    /// Calls `found` with every rule that owns a literal in `text`, perhaps repeatedly.
    fn find(&self, text: &[u8], mut found: impl FnMut(u16)) {
        let automaton = &self.automaton;
        let Ok(mut state) = automaton.start_state(Anchored::No) else { return };
        for byte in text {
            state = automaton.next_state(Anchored::No, state, *byte);
            if automaton.is_special(state) && automaton.is_match(state) {
                for index in 0..automaton.match_len(state) {
                    let literal = automaton.match_pattern(state, index).as_usize();
                    self.owners.get(literal).into_iter().flatten().copied().for_each(&mut found);
                }
            }
        }
    }
}

/// Rules that are too many or too long for an automaton.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the rules can't be compiled: {0}")]
pub struct TooManyRules(String);

/// A set of small numbers.
struct Bits(SmallVec<[u64; 4]>);

impl Bits {
    /// The empty set, of numbers below `count`.
    fn new(count: usize) -> Self {
        Self(SmallVec::from_elem(0, count.div_ceil(64)))
    }

    fn set(&mut self, number: usize) {
        if let Some(word) = self.0.get_mut(number / 64) {
            *word |= 1 << (number % 64);
        }
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(index, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                (left != 0).then(|| {
                    left &= left - 1;
                    index * 64 + bit
                })
            })
        })
    }
}

impl RuleSet {
    /// # Errors
    /// If there are more rules or literals than an automaton takes.
    pub(super) fn new(rules: Vec<Arc<Rule>>) -> Result<Self, TooManyRules> {
        if rules.len() > MAX_RULES {
            return Err(TooManyRules(format!("{} rules are more than {MAX_RULES}", rules.len())));
        }
        let mut alone: BTreeMap<&str, SmallVec<[u16; 2]>> = BTreeMap::new();
        let mut all = alone.clone();
        let mut byte_sets = Box::new([0u32; 256]);
        let mut sets: Vec<&str> = Vec::new();
        let mut by_bytes = Vec::new();
        let mut needed_bytes = vec![0; rules.len()];
        let mut targets = TargetSet::default();
        let mut forms = FormSet::EMPTY;
        for (number, rule) in (0u16..).zip(&rules) {
            targets = targets.union(rule.targets);
            forms = forms.union(rule.forms);
            for literal in &rule.literals {
                all.entry(literal).or_default().push(number);
                if rule.bytes.is_empty() {
                    alone.entry(literal).or_default().push(number);
                }
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
                by_bytes.push((number, bit));
            } else if let Some(needed) = needed_bytes.get_mut(usize::from(number)) {
                *needed = bit;
            }
        }
        let any_needed = needed_bytes.iter().fold(0, |any, needed| any | needed);
        let (alone, all) = (Literals::new(alone)?, Literals::new(all)?);
        Ok(Self { rules, alone, all, byte_sets, by_bytes, needed_bytes, any_needed, targets, forms })
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

    /// Calls `hit` with every rule that matches `text`, of a field of the kind `target`, and where.
    /// `forms` says which forms of the field the text is. The answer is whether any rule was worth a try. `header` is the name of a header, and empty for anything else.
    pub(super) fn judge(
        &self,
        text: &[u8],
        forms: impl FnOnce() -> FormSet,
        target: Target,
        header: &str,
        mut hit: impl FnMut(&Rule, std::ops::Range<usize>),
    ) -> bool {
        let Some(candidates) = self.candidates(text) else { return false };
        let forms = LazyCell::new(forms);
        for number in candidates.iter() {
            let Some(rule) = self.rules.get(number) else { continue };
            let named =
                rule.headers.is_empty() || rule.headers.iter().any(|name| name.eq_ignore_ascii_case(header));
            if rule.targets.contains(target)
                && named
                && rule.forms.overlaps(*forms)
                && let Some(range) = rule.find(text)
            {
                hit(rule, range);
            }
        }
        true
    }

    /// Whether the literals and bytes of any rule are there.
    #[cfg(test)]
    pub(super) fn proposes_any(&self, text: &[u8]) -> bool {
        self.candidates(text).is_some()
    }

    /// The rules whose literals and bytes are there; `None` for none, as for nearly every honest value.
    fn candidates(&self, text: &[u8]) -> Option<Bits> {
        let sets = text.iter().fold(0, |sets, byte| sets | self.byte_sets[usize::from(*byte)]);
        let mut candidates: Option<Bits> = None;
        let mut add = |number: u16| {
            candidates.get_or_insert_with(|| Bits::new(self.rules.len())).set(usize::from(number));
        };
        if sets & self.any_needed == 0 {
            self.alone.find(text, &mut add);
        } else {
            self.all.find(text, |number| {
                let needed = self.needed_bytes.get(usize::from(number)).copied().unwrap_or_default();
                if needed == 0 || needed & sets != 0 {
                    add(number);
                }
            });
        }
        if sets != 0 {
            for (number, bit) in &self.by_bytes {
                if sets & bit != 0 {
                    add(*number);
                }
            }
        }
        candidates
    }
}

/// Rules that run at the same time.
const MAX_RULES: usize = 4096;
