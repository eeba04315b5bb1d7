//! Learning keywords from a whole log.

use std::collections::{HashMap, HashSet};

use aiwaf_core::{ClientKey, Engine, Settings, learnable_words};
use foldhash::quality::RandomState;
use serde::Serialize;

use crate::bloom::TextSet;
use crate::clients::shown;

/// A word that was learned, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LearnedKeyword {
    /// The word, in lower case.
    pub keyword: String,
    /// In how many requests that looked like an attack and failed it was.
    pub count: u64,
    /// How many clients sent these, at most 16.
    pub clients: u64,
    /// Some of the paths, in ASCII with escapes.
    pub paths: Vec<String>,
}

/// Collects words from requests that look like an attack and fail.
///
/// The rules are those of [`KeywordLearner`](aiwaf_core::KeywordLearner), which learns from requests as they come, but
/// for time: a log is all there, so clients need not ask within an hour. A word becomes a keyword if
///
/// - it stands in requests that failed, on paths that the site does not know, and that are part of an attack: for a path
///   that only scanners ask for, with a keyword in it, or by a client that asked for three of the scanners' paths. What
///   stands beside a keyword (`/some-page/x.php`) is blocked already and may be innocent, so of such a path only
///   words that hold the keyword count;
/// - several different clients asked for it (`ai_anomaly.learn_min_clients`), none of them whitelisted or a search
///   engine;
/// - it is none of the words that any site may have in its paths ([`learnable_words`]), not exempt or allowed by the
///   settings, in no route, and in no path that the site answered anybody;
/// - it is no keyword already, and without its ending (`info.php`) no such ordinary word either.
///
/// Of those, the ones that the most clients asked for are taken (`ai_anomaly.dynamic_top_n`), words that would not be
/// blocked already before others.
pub(crate) struct KeywordCollector {
    candidates: HashMap<Box<str>, Candidate, RandomState>,
    answered_paths: TextSet,
    /// The words of paths that the site answers. It never forgets: what it takes for known by mistake is not learned.
    known_words: TextSet,
    never: HashSet<String>,
    min_clients: usize,
    top: usize,
}

#[derive(Default)]
struct Candidate {
    clients: Vec<ClientKey>,
    requests: u64,
    paths: Vec<Box<str>>,
}

const MAX_CANDIDATES: usize = 50_000;
const MAX_CLIENTS: usize = 16;
const MAX_PATHS: usize = 3;
const MAX_PATH_SHOWN: usize = 120;

impl KeywordCollector {
    pub(crate) fn new(settings: &Settings, routes: &[String]) -> Self {
        let own = &settings.ip_keyword_block;
        let never = own.exempt_keywords.iter().chain(&own.allowed_path_keywords);
        let min_clients = usize::try_from(settings.ai_anomaly.learn_min_clients).unwrap_or(usize::MAX);
        let mut known_words = TextSet::new();
        for route in routes {
            let route = route.to_ascii_lowercase();
            for word in learnable_words(route.as_bytes()) {
                known_words.insert(word.as_bytes());
            }
        }
        Self {
            candidates: HashMap::default(),
            answered_paths: TextSet::new(),
            known_words,
            never: never.map(|word| word.trim().to_lowercase()).collect(),
            min_clients: min_clients.clamp(2, MAX_CLIENTS),
            top: usize::try_from(settings.ai_anomaly.dynamic_top_n).unwrap_or(usize::MAX),
        }
    }

    /// Takes note that the site answered `path`, in normal form.
    pub(crate) fn answered(&mut self, path: &[u8]) {
        if self.answered_paths.insert(path) {
            for word in learnable_words(path) {
                self.known_words.insert(word.as_bytes());
            }
        }
    }

    /// Takes note that `client` asked for `path`, in normal form, in vain and as part of an attack. `is_blocked` says
    /// that there is a keyword in it, `engine` which words hold one.
    pub(crate) fn probed(&mut self, client: ClientKey, path: &[u8], is_blocked: bool, engine: &Engine) {
        for word in learnable_words(path) {
            if self.known_words.contains(word.as_bytes())
                || self.never.contains(word)
                || is_ordinary_file(word)
            {
                continue;
            }
            if is_blocked && !engine.holds_keyword(word) {
                continue;
            }
            if self.candidates.len() >= MAX_CANDIDATES && !self.candidates.contains_key(word) {
                self.forget();
            }
            if !self.candidates.contains_key(word) {
                self.candidates.insert(word.into(), Candidate::default());
            }
            let Some(candidate) = self.candidates.get_mut(word) else { continue };
            candidate.requests += 1;
            if candidate.clients.len() < MAX_CLIENTS && !candidate.clients.contains(&client) {
                candidate.clients.push(client);
                if candidate.paths.len() < MAX_PATHS {
                    candidate.paths.push(shown(path, MAX_PATH_SHOWN));
                }
            }
        }
    }

    /// Forgets half of the candidates: those that the fewest clients asked for.
    fn forget(&mut self) {
        let mut order: Vec<(usize, u64, Box<str>)> = self
            .candidates
            .iter()
            .map(|(word, candidate)| (candidate.clients.len(), candidate.requests, word.clone()))
            .collect();
        let half = order.len() / 2;
        order.select_nth_unstable(half);
        for (_, _, word) in order.into_iter().take(half) {
            self.candidates.remove(&word);
        }
    }

    /// What was learned, the word that the most clients asked for first.
    pub(crate) fn learned(&self, engine: &Engine) -> Vec<LearnedKeyword> {
        let mut learned: Vec<(bool, LearnedKeyword)> = self
            .candidates
            .iter()
            .filter(|(_, candidate)| candidate.clients.len() >= self.min_clients)
            .filter(|(word, _)| !self.known_words.contains(word.as_bytes()) && !engine.has_keyword(word))
            .map(|(word, candidate)| {
                let learned = LearnedKeyword {
                    keyword: word.to_string(),
                    count: candidate.requests,
                    clients: candidate.clients.len() as u64,
                    paths: candidate.paths.iter().map(ToString::to_string).collect(),
                };
                (engine.holds_keyword(word), learned)
            })
            .collect();
        learned.sort_by(|(blocked, one), (other_blocked, other)| {
            (blocked, other.clients, other.count, &one.keyword).cmp(&(
                other_blocked,
                one.clients,
                one.count,
                &other.keyword,
            ))
        });
        learned.truncate(self.top);
        learned.into_iter().map(|(_, learned)| learned).collect()
    }
}

/// Whether a word is a file (`info.php`) that is called by a word any site may have.
fn is_ordinary_file(word: &str) -> bool {
    let Some((stem, _)) = word.split_once('.').filter(|(stem, _)| !stem.is_empty()) else { return false };
    learnable_words(stem.as_bytes()).next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probed(collector: &mut KeywordCollector, client: ClientKey, path: &str) {
        let engine = Engine::builder().build().unwrap();
        collector.probed(client, path.as_bytes(), engine.holds_keyword(path), &engine);
    }

    fn client(number: u32) -> ClientKey {
        ClientKey::new(std::net::Ipv4Addr::from(number).into(), 64)
    }

    fn words(collector: &KeywordCollector) -> Vec<String> {
        let engine = Engine::builder().build().unwrap();
        collector.learned(&engine).into_iter().map(|learned| learned.keyword).collect()
    }

    #[test]
    fn several_clients_teach_a_word_and_one_does_not() {
        let mut collector = KeywordCollector::new(&Settings::default(), &[]);
        for number in 0..100 {
            probed(&mut collector, client(number % 2), "/cgi-bin/oneshell");
            probed(&mut collector, client(number % 5), "/cgi-bin/evilshell");
        }
        assert_eq!(words(&collector), ["cgi-bin", "evilshell"]);
    }

    #[test]
    fn original_defect_06_words_of_the_site_are_never_learned() {
        let mut settings = Settings::default();
        settings.ip_keyword_block.exempt_keywords = vec!["Exempt".to_owned()];
        settings.ip_keyword_block.allowed_path_keywords = vec!["allowed".to_owned()];
        let mut collector = KeywordCollector::new(&settings, &["/gadgets/{id}".to_owned()]);
        for number in 0..10 {
            probed(
                &mut collector,
                client(number),
                "/admin/exempt/allowed/gadgets/catalogue/products/evilshell",
            );
        }
        // Also if the site answers only after that.
        collector.answered(b"/catalogue/7");
        assert_eq!(words(&collector), ["evilshell"]);
    }

    #[test]
    fn what_stands_beside_a_keyword_is_not_learned() {
        let mut collector = KeywordCollector::new(&Settings::default(), &[]);
        for number in 0..10 {
            probed(&mut collector, client(number), "/index.php/en/our-new-tents");
            probed(&mut collector, client(number), "/uploads/evilshell.php");
            probed(&mut collector, client(number), "/info.php");
            probed(&mut collector, client(number % 4), "/phpmyadmin/");
            probed(&mut collector, client(number % 4), "/boaform");
        }
        // What would be blocked without it comes last, though more clients asked for it.
        assert_eq!(words(&collector), ["boaform", "evilshell.php"]);
    }

    #[test]
    fn candidates_are_bounded_and_the_frequent_ones_stay() {
        let mut collector = KeywordCollector::new(&Settings::default(), &[]);
        let engine = Engine::builder().build().unwrap();
        for number in 0..4 {
            collector.probed(client(number), b"/evilshell", false, &engine);
        }
        for number in 0..60_000 {
            let path = format!("/junk{}", to_letters(number));
            collector.probed(client(9), path.as_bytes(), false, &engine);
        }
        assert!(collector.candidates.len() <= MAX_CANDIDATES);
        assert_eq!(words(&collector), ["evilshell"]);
    }

    /// A number without digits.
    fn to_letters(mut number: u32) -> String {
        let mut letters = String::new();
        for _ in 0..6 {
            letters.push(char::from(b'g' + u8::try_from(number % 20).unwrap()));
            number /= 20;
        }
        letters
    }
}
