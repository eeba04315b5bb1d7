//! The words of the operator about user agents: suspicious ones, and names that are allowed.

use aho_corasick::automaton::{Automaton, OverlappingState};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, Input};

use super::agent::Refusal;

/// The words of the operator, in one automaton.
pub(super) struct OwnWords {
    words: Box<[Box<str>]>,
    /// Words from this one on are allowed names.
    first_allowed: usize,
    automaton: NFA,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Own {
    Nothing,
    Suspicious(Refusal),
    Allowed,
}

impl OwnWords {
    pub(super) fn new(
        suspicious: &[String],
        allowed: &[String],
    ) -> Result<Option<Self>, aho_corasick::BuildError> {
        // An empty word would match every agent.
        let words_of = |list: &[String]| -> Vec<Box<str>> {
            list.iter().map(|word| word.trim()).filter(|word| !word.is_empty()).map(Into::into).collect()
        };
        let mut words = words_of(suspicious);
        let first_allowed = words.len();
        words.extend(words_of(allowed));
        if words.is_empty() {
            return Ok(None);
        }
        let automaton =
            NFA::builder().ascii_case_insensitive(true).build(words.iter().map(|word| word.as_bytes()))?;
        Ok(Some(Self { words: words.into(), first_allowed, automaton }))
    }

    /// An allowed name wins over suspicious words, of which the first counts.
    pub(super) fn find(&self, agent: &[u8]) -> Own {
        let mut own = Own::Nothing;
        let input = Input::new(agent).anchored(Anchored::No);
        let mut state = OverlappingState::start();
        // The search fails only for an anchored input, and this one is not.
        while self.automaton.try_find_overlapping(&input, &mut state).is_ok() {
            let Some(found) = state.get_match() else { break };
            let number = found.pattern().as_usize();
            if number >= self.first_allowed {
                if is_product(agent, found.start(), found.end()) {
                    return Own::Allowed;
                }
            } else if own == Own::Nothing
                && let Some(word) = self.words.get(number)
            {
                own = Own::Suspicious(Refusal::pattern(word, found.start(), found.end()));
            }
        }
        own
    }
}

/// Reports whether the word at `start..end` names the sender as RFC 9110 wants it: as the first product
/// (`OurMonitor/1.0`), or, in an agent that begins as a browser's, as a part of a comment
/// (`(compatible; OurMonitor/2.1; ...)`) or as a product with its version.
fn is_product(agent: &[u8], start: usize, end: usize) -> bool {
    let (Some(before), Some(behind)) = (agent.get(..start), agent.get(end..)) else { return false };
    if behind.first().is_some_and(u8::is_ascii_alphanumeric) {
        return false;
    }
    if before.is_empty() {
        return true;
    }
    if !agent.get(..8).is_some_and(|beginning| beginning.eq_ignore_ascii_case(b"mozilla/")) {
        return false;
    }
    match before.iter().rposition(|byte| *byte != b' ' && *byte != b'+') {
        Some(at) if matches!(before.get(at), Some(b'(' | b';')) => true,
        Some(at) => at + 1 < before.len() && behind.first() == Some(&b'/'),
        None => false,
    }
}
