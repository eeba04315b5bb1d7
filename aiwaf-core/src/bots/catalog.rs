//! The well-known agents, read from `agents.txt` into one automaton.

use std::sync::LazyLock;

use aho_corasick::automaton::{Automaton, OverlappingState};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, Input};

use super::BotClass;

/// The agents of the data file. `None` only if the automaton cannot be built, which a test rules out.
pub(super) static CATALOG: LazyLock<Option<Catalog>> = LazyLock::new(|| Catalog::parse(AGENTS));

const AGENTS: &str = include_str!("agents.txt");

/// A contiguous automaton: a tenth of the memory of a table of all transitions. It is slower a byte, but callers
/// remember the agents that they have seen.
pub(super) struct Catalog {
    /// In the order of the automaton's patterns.
    agents: Box<[Agent]>,
    names: NFA,
}

/// One line of the data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Agent {
    pub(super) class: BotClass,
    pub(super) name: &'static str,
    pub(super) is_app_runtime: bool,
    place: Place,
}

/// Where in a user agent a name counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// As a word.
    Word,
    /// As the first word.
    Beginning,
    /// Also within a longer word.
    Anywhere,
}

impl Catalog {
    fn parse(text: &'static str) -> Option<Self> {
        let (agents, patterns): (Vec<_>, Vec<_>) = agents(text).into_iter().unzip();
        let names = NFA::builder().ascii_case_insensitive(true).build(patterns).ok()?;
        Some(Self { agents: agents.into(), names })
    }

    /// Calls `visit` with each agent that `user_agent` names, and with the offsets of its name.
    pub(super) fn visit(&self, user_agent: &[u8], visit: &mut impl FnMut(Agent, usize, usize)) {
        let input = Input::new(user_agent).anchored(Anchored::No);
        let mut state = OverlappingState::start();
        // The search fails only for an anchored input, and this one is not.
        while self.names.try_find_overlapping(&input, &mut state).is_ok() {
            let Some(found) = state.get_match() else { break };
            let Some(agent) = self.agents.get(found.pattern().as_usize()) else { continue };
            // Of a name with a slash behind it, the slash belongs to the pattern only.
            let end = found.start() + agent.name.len();
            if agent.counts_at(user_agent, found.start(), end) {
                visit(*agent, found.start(), end);
            }
        }
    }
}

impl Agent {
    fn counts_at(&self, user_agent: &[u8], start: usize, end: usize) -> bool {
        match self.place {
            Place::Anywhere => true,
            Place::Beginning => start == 0 && ends_word(user_agent, end),
            Place::Word => {
                begins_word(user_agent, start)
                    && ends_word(user_agent, end)
                    && !is_comparison(user_agent, start)
            }
        }
    }
}

/// Reports whether no letter or digit joins the byte at `start` to the one before it.
fn begins_word(text: &[u8], start: usize) -> bool {
    let Some((before, name)) = text.split_at_checked(start) else { return false };
    !(before.last().is_some_and(|byte| is_word_byte(*byte))
        && name.first().is_some_and(|byte| is_word_byte(*byte)))
}

/// Reports whether a word ends at `end`. A number may follow a name: `okhttp3`, `python3.11`.
fn ends_word(text: &[u8], end: usize) -> bool {
    let Some((name, behind)) = text.split_at_checked(end) else { return false };
    match (name.last(), behind.first()) {
        (Some(last), Some(next)) if last.is_ascii_digit() => !is_word_byte(*next),
        (Some(last), Some(next)) if is_word_byte(*last) => next.is_ascii_digit() || !is_word_byte(*next),
        _ => true,
    }
}

/// Letters of other scripts count as letters.
fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

/// Reports whether the name at `start` is one that the sender compares itself with: `like Googlebot`.
fn is_comparison(text: &[u8], start: usize) -> bool {
    [&b"like "[..], b"with "].into_iter().any(|word| {
        start
            .checked_sub(word.len())
            .and_then(|from| text.get(from..start))
            .is_some_and(|before| before.eq_ignore_ascii_case(word))
    })
}

/// Reads the lines of the data file: agents, and the patterns to search for. The head of the file describes the format.
fn agents(text: &'static str) -> Vec<(Agent, &'static str)> {
    let mut agents = Vec::new();
    let mut section = None;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = section_of(name);
        } else if let Some((class, is_app_runtime)) = section {
            let (place, pattern) = if let Some(name) = line.strip_prefix('^') {
                (Place::Beginning, name)
            } else if let Some(name) = line.strip_prefix('~') {
                (Place::Anywhere, name)
            } else {
                (Place::Word, line)
            };
            let name = pattern.trim_end_matches('/');
            agents.push((Agent { class, name, is_app_runtime, place }, pattern));
        }
    }
    agents
}

/// The class that a section lists, and whether its agents are runtimes of apps.
fn section_of(name: &str) -> Option<(BotClass, bool)> {
    if name == "app_library" {
        return Some((BotClass::Library, true));
    }
    BotClass::ALL.into_iter().find(|class| class.name() == name).map(|class| (class, false))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn data_file_is_valid() {
        assert!(CATALOG.is_some());
        let sections: Vec<_> =
            AGENTS.lines().filter_map(|line| line.strip_prefix('[')?.strip_suffix(']')).collect();
        assert_eq!(sections.len(), BotClass::ALL.len() + 1);
        assert!(sections.iter().all(|section| section_of(section).is_some()), "{sections:?}");
        let all = agents(AGENTS);
        assert!(all.len() > 1_000, "{}", all.len());
        let mut seen = HashSet::new();
        for (agent, pattern) in &all {
            assert!(seen.insert(pattern.to_ascii_lowercase()), "{pattern} is listed twice");
            assert!(agent.name.is_ascii() && agent.name.len() > 1, "{}", agent.name);
            assert!(agent.place != Place::Anywhere || agent.name.len() > 3, "{}", agent.name);
        }
    }

    #[test]
    fn every_agent_matches_itself() {
        for (agent, pattern) in &agents(AGENTS) {
            let found = super::super::classify(pattern.as_bytes());
            assert_eq!(found.map(|found| found.class), Some(agent.class), "{}", agent.name);
        }
    }

    #[test]
    fn words_end_where_letters_end() {
        assert!(ends_word(b"okhttp3", 6) && ends_word(b"curl/8", 5) && ends_word(b"node", 4));
        assert!(!ends_word(b"Javascript", 4) && !ends_word(b"Java1.80", 7) && !ends_word(b"node\xc3\xa4", 4));
        assert!(begins_word(b"x (curl", 3) && !begins_word(b"Cubot", 2) && !begins_word(b"\xc3\xa4curl", 2));
    }
}
