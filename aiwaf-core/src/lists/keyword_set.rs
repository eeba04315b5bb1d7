//! All keywords in one automaton.

use std::time::Duration;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Match};

use super::entry::{KeywordEntry, KeywordSource};
use crate::decode::{Buffer, normalize_query};
use crate::timestamp::Timestamp;

/// All keywords, those that are built in included, ready to be looked for in normal forms.
///
/// A keyword that a person added counts as a word anywhere in path and query: where it begins or ends with a letter or
/// digit, its neighbor in the text must be none. Built-in and learned ones count as whole segments of the path, or as the
/// extension of one: `.env` is in `/.env.local` and `/prod.env`, and neither in `/docs/.env.example` nor in
/// `/docs/my.environment`; `wp-admin` is in `/wp-admin/x` and not in `/blog/wp-admin-tips`. Searching takes time linear
/// in the text, whatever the number of keywords.
#[derive(Debug)]
pub(crate) struct KeywordSet {
    in_paths: Option<AhoCorasick>,
    path_keywords: Vec<PathKeyword>,
    in_queries: Option<AhoCorasick>,
    query_keywords: Vec<Box<str>>,
    /// How long a learned keyword counts after it was seen last; `None` is for good.
    learned_ttl: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct PathKeyword {
    word: Box<str>,
    class: KeywordClass,
    /// When a learned keyword was seen last, if known.
    seen: Option<Timestamp>,
}

/// What kind of keyword it is, which decides where it blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KeywordClass {
    /// Built in: a file that has no business being asked for, such as `.env`.
    Secret,
    /// Built in: a script of a kind that a Rust service does not run, such as `.php`.
    Script,
    /// Added by a person.
    Manual,
    /// Learned from attacks.
    Learned,
}

/// A keyword in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeywordHit<'s> {
    pub(crate) keyword: &'s str,
    pub(crate) class: KeywordClass,
    /// When a learned keyword was seen last, if known.
    pub(crate) seen: Option<Timestamp>,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Files and folders that only attackers ask a web service for.
const SECRETS: [&str; 17] = [
    ".env",
    ".git",
    ".svn",
    ".hg",
    ".bak",
    ".htaccess",
    ".htpasswd",
    ".aws",
    ".ssh",
    ".ds_store",
    ".sql",
    ".swp",
    "xmlrpc",
    "filemanager",
    "phpmyadmin",
    "phpinfo",
    "web.config",
];

/// Scripts and the best-known package made of them.
const SCRIPTS: [&str; 15] = [
    ".php",
    ".php3",
    ".php4",
    ".php5",
    ".php7",
    ".php8",
    ".phtml",
    ".phar",
    "wp-admin",
    "wp-config",
    "wp-content",
    "wp-cron",
    "wp-includes",
    "wp-json",
    "wp-login",
];

/// Maximum length of a keyword in bytes.
pub const MAX_KEYWORD: usize = 256;

impl KeywordSet {
    /// Entries that are empty or longer than [`MAX_KEYWORD`] are ignored; so are those in `exempt`, built in or not.
    /// Learned ones count for `learned_ttl` after they were seen last.
    pub(crate) fn new(entries: &[KeywordEntry], exempt: &[String], learned_ttl: Option<Duration>) -> Self {
        let built_in = SECRETS
            .iter()
            .map(|word| (*word, KeywordClass::Secret, None))
            .chain(SCRIPTS.iter().map(|word| (*word, KeywordClass::Script, None)));
        let listed = entries.iter().map(|entry| {
            let class = match entry.source {
                KeywordSource::Manual => KeywordClass::Manual,
                KeywordSource::Learned => KeywordClass::Learned,
            };
            (entry.keyword.as_str(), class, entry.added)
        });
        let mut path_keywords: Vec<PathKeyword> = built_in
            .chain(listed)
            .map(|(word, class, seen)| PathKeyword { word: fold(word).into_boxed_str(), class, seen })
            .filter(|keyword| !keyword.word.is_empty() && keyword.word.len() <= MAX_KEYWORD)
            .filter(|keyword| !exempt.iter().any(|exempt| fold(exempt) == *keyword.word))
            .collect();
        path_keywords.sort_unstable();
        path_keywords.dedup();
        let query_keywords: Vec<Box<str>> = path_keywords
            .iter()
            .filter(|keyword| keyword.class == KeywordClass::Manual)
            .map(|keyword| keyword.word.clone())
            .collect();
        Self {
            in_paths: automaton(path_keywords.iter().map(|keyword| &keyword.word)),
            in_queries: automaton(query_keywords.iter()),
            path_keywords,
            query_keywords,
            learned_ttl,
        }
    }

    /// Reports whether a keyword with this class and time of its last sighting counts no longer.
    pub(crate) fn is_expired(&self, hit: &KeywordHit<'_>, now: Timestamp) -> bool {
        hit.class == KeywordClass::Learned && self.is_older(hit.seen, now, 1)
    }

    /// Reports whether `word` is a learned keyword whose last sighting should be noted anew: a seventh of its time is over.
    pub(crate) fn is_stale(&self, word: &str, now: Timestamp) -> bool {
        self.class_of(word)
            .is_some_and(|known| known.class == KeywordClass::Learned && self.is_older(known.seen, now, 7))
    }

    /// Reports whether `word`, in lower case, is a keyword that counts at `now`.
    pub(crate) fn is_in_force(&self, word: &str, now: Timestamp) -> bool {
        self.class_of(word)
            .is_some_and(|known| known.class != KeywordClass::Learned || !self.is_older(known.seen, now, 1))
    }

    fn is_older(&self, seen: Option<Timestamp>, now: Timestamp, share: u32) -> bool {
        self.learned_ttl.zip(seen).is_some_and(|(ttl, seen)| now.since(seen) >= ttl / share)
    }

    fn class_of(&self, word: &str) -> Option<&PathKeyword> {
        let position = self.path_keywords.binary_search_by(|known| (*known.word).cmp(word)).ok()?;
        self.path_keywords.get(position)
    }

    /// Whether `word`, in lower case, is a keyword already, built in or not.
    pub(crate) fn contains(&self, word: &str) -> bool {
        self.class_of(word).is_some()
    }

    /// The first keyword in a normal path for which `counts` says so.
    pub(crate) fn find_in_path<'s>(
        &'s self,
        path: &[u8],
        mut counts: impl FnMut(&KeywordHit<'s>) -> bool,
    ) -> Option<KeywordHit<'s>> {
        self.in_paths
            .as_ref()?
            .find_overlapping_iter(path)
            .filter_map(|found| self.hit(path, found))
            .find(|hit| counts(hit))
    }

    /// The first keyword that a person added in the normal form of a query, which is written into `normal` if there are
    /// such keywords.
    pub(crate) fn find_in_query(&self, query: &[u8], normal: &mut Buffer) -> Option<KeywordHit<'_>> {
        let automaton = self.in_queries.as_ref()?;
        normalize_query(query, normal);
        let found = automaton
            .find_overlapping_iter(&normal)
            .find(|found| is_word(normal, found.start(), found.end()))?;
        Some(KeywordHit {
            keyword: self.query_keywords.get(found.pattern().as_usize())?,
            class: KeywordClass::Manual,
            seen: None,
            start: found.start(),
            end: found.end(),
        })
    }

    /// How many keywords stand in a normal path and in the normal form of a query, each place counted once, up to 255.
    pub(crate) fn count(&self, path: &[u8], query: &[u8]) -> u32 {
        let is_hit = |found: Match| self.hit(path, found).is_some();
        let in_path = self.in_paths.as_ref().map_or(0, |automaton| count(automaton, path, is_hit));
        let in_query = self.in_queries.as_ref().map_or(0, |automaton| {
            let mut normal = Buffer::new();
            normalize_query(query, &mut normal);
            count(automaton, &normal, |found| is_word(&normal, found.start(), found.end()))
        });
        (in_path + in_query).min(MAX_COUNT)
    }

    /// The keyword that was found, if it counts where it is.
    fn hit(&self, path: &[u8], found: Match) -> Option<KeywordHit<'_>> {
        let PathKeyword { word, class, seen } = self.path_keywords.get(found.pattern().as_usize())?;
        let (start, end) = (found.start(), found.end());
        let is_hit = if *class == KeywordClass::Manual {
            is_word(path, start, end)
        } else {
            is_segment_or_extension(path, start, end)
        };
        is_hit.then_some(KeywordHit { keyword: word, class: *class, seen: *seen, start, end })
    }
}

/// How many words stand in `text`, each place counted once, up to [`MAX_COUNT`].
fn count(automaton: &AhoCorasick, text: &[u8], is_hit: impl Fn(Match) -> bool) -> u32 {
    let mut counted_to = 0;
    automaton
        // Overlapping, or the `.php` in `.php5`, which is no word, would hide that.
        .find_overlapping_iter(text)
        .filter(|found| is_hit(*found))
        .filter(|found| {
            let apart = found.start() >= counted_to;
            if apart {
                counted_to = found.end();
            }
            apart
        })
        .zip(0..MAX_COUNT)
        .fold(0, |count, _| count + 1)
}

/// No more keywords are counted.
const MAX_COUNT: u32 = 255;

/// So many bytes of words are searched for by a table.
const MAX_TABLE_WORDS: usize = 64 * 1024;

/// Lower case, surrounding blanks cut, runs of white space as one blank: as a query's normal form has it.
pub(crate) fn fold(keyword: &str) -> String {
    keyword.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase()
}

fn automaton<'k>(words: impl Iterator<Item = &'k Box<str>>) -> Option<AhoCorasick> {
    let words: Vec<&[u8]> = words.map(|word| word.as_bytes()).collect();
    if words.is_empty() {
        return None;
    }
    // A table with a cell for each state and byte is several times as fast as a compact automaton, and 64 times as
    // large as the words at worst: worth it until that is some megabytes.
    let size: usize = words.iter().map(|word| word.len()).sum();
    let kind = (size <= MAX_TABLE_WORDS).then_some(AhoCorasickKind::DFA);
    // Building can only fail on more states than fit into 31 bits; the lists are bounded far below that.
    AhoCorasick::builder().kind(kind).build(words).ok()
}

/// Reports whether `path[start..end]` is a whole segment, a segment without its extension, or an extension of one. One that
/// begins with a dot is an extension, or a file that such names are made of (`.env.local`, `.env_old`).
fn is_segment_or_extension(path: &[u8], start: usize, end: usize) -> bool {
    let begins_segment = start.checked_sub(1).is_none_or(|before| path.get(before) == Some(&b'/'));
    let has_dot = path.get(start) == Some(&b'.');
    let rest = path.get(end..).unwrap_or_default();
    let rest = rest.split(|&byte| byte == b'/').next().unwrap_or_default();
    let Some(&next) = rest.first() else { return begins_segment || has_dot };
    if !has_dot {
        // `wp-login.php`; whatever cuts a name short on some server.
        return begins_segment && !is_part_of_name(next);
    }
    let is_harmless = HARMLESS.iter().any(|ending| rest.ends_with(ending));
    !is_harmless && (!is_part_of_name(next) || (begins_segment && matches!(next, b'-' | b'_')))
}

/// Endings of what examples and articles are called; the keyword itself is what servers would deliver or run.
const HARMLESS: [&[u8]; 8] =
    [b".example", b".sample", b".template", b".dist", b".html", b".htm", b".md", b".txt"];

/// Reports whether a byte goes on with the name before it: letters, digits, and what joins words.
fn is_part_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Whether `text[start..end]` stands alone where it begins or ends with a letter or digit.
fn is_word(text: &[u8], start: usize, end: usize) -> bool {
    let alphanumeric = |at: usize| text.get(at).is_some_and(u8::is_ascii_alphanumeric);
    let free_before = !alphanumeric(start) || start.checked_sub(1).is_none_or(|before| !alphanumeric(before));
    let free_after = end.checked_sub(1).is_none_or(|last| !alphanumeric(last)) || !alphanumeric(end);
    free_before && free_after
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(keyword: &str, source: KeywordSource) -> KeywordEntry {
        KeywordEntry { keyword: keyword.into(), count: 1, source, added: None }
    }

    fn found<'s>(set: &'s KeywordSet, path: &str) -> Option<&'s str> {
        set.find_in_path(path.as_bytes(), |_| true).map(|hit| hit.keyword)
    }

    #[test]
    fn built_in_keywords_are_words() {
        let set = KeywordSet::new(&[], &[], None);
        for (path, keyword) in [
            ("/x.php", ".php"),
            ("/x.php/y.css", ".php"),
            ("/wp-login.php", "wp-login"),
            ("/.env.local", ".env"),
            ("/.git/config", ".git"),
            ("/db.bak", ".bak"),
            ("/xmlrpc.php", "xmlrpc"),
            ("/x.phtml", ".phtml"),
        ] {
            assert_eq!(found(&set, path), Some(keyword), "{path}");
        }
    }

    #[test]
    fn original_defect_07_words_that_merely_contain_a_keyword_pass() {
        let set = KeywordSet::new(&[entry("shell", KeywordSource::Learned)], &[], None);
        for path in [
            "/recipes/shellfish",
            "/docs/my.environment",
            "/about/.gitignored-things",
            "/rwp-admin",
            "/blog/wp-migration",
            "/graphql.sqlite",
            "/phpbook",
        ] {
            assert_eq!(found(&set, path), None, "{path}");
        }
        assert_eq!(found(&set, "/cgi/shell"), Some("shell"));
    }

    #[test]
    fn original_defect_05_every_keyword_counts() {
        let entries: Vec<_> =
            (0..1000).map(|number| entry(&format!("word{number}x"), KeywordSource::Learned)).collect();
        let set = KeywordSet::new(&entries, &[], None);
        for number in 0..1000 {
            assert!(found(&set, &format!("/a/word{number}x/b")).is_some(), "{number}");
        }
    }

    #[test]
    fn only_what_a_person_added_is_looked_for_in_queries() {
        let set = KeywordSet::new(
            &[
                entry("Union  Select", KeywordSource::Manual),
                entry("onload=", KeywordSource::Manual),
                entry("learned", KeywordSource::Learned),
            ],
            &[],
            None,
        );
        let find =
            |query: &str| set.find_in_query(query.as_bytes(), &mut Buffer::new()).map(|hit| hit.keyword);
        assert_eq!(find("q=1+UNION%20%20select 2"), Some("union select"));
        assert_eq!(find("q=x onload=y"), Some("onload="));
        assert_eq!(find("q=xonload=y"), None);
        assert_eq!(find("q=learned"), None);
        assert_eq!(find("next=/index.php"), None);
    }

    #[test]
    fn exempt_keywords_are_gone_even_if_built_in() {
        let set = KeywordSet::new(
            &[entry("backup", KeywordSource::Manual)],
            &[".PHP".into(), "backup".into()],
            None,
        );
        assert_eq!(found(&set, "/backup/x.php"), None);
    }

    #[test]
    fn article_about_a_keyword_is_no_hit() {
        let set = KeywordSet::new(&[entry("badloader", KeywordSource::Learned)], &[], None);
        for path in [
            "/blog/wp-admin-tips",
            "/docs/.env.example",
            "/docs/config.php.md",
            "/what-is-wp-login",
            "/blog/xmlrpc-explained",
            "/upgrading-index.php-files",
            "/badloader-analysis",
            "/a-badloader",
        ] {
            assert_eq!(found(&set, path), None, "{path}");
        }
        for (path, keyword) in [
            ("/wp-admin/", "wp-admin"),
            ("/old/.env", ".env"),
            ("/.env_backup", ".env"),
            ("/prod.env", ".env"),
            ("/index.php", ".php"),
            ("/x.php.", ".php"),
            ("/x.php.jpg", ".php"),
            ("/web.config", "web.config"),
            ("/badloader.php", "badloader"),
            ("/x/badloader", "badloader"),
        ] {
            assert_eq!(found(&set, path), Some(keyword), "{path}");
        }
    }

    #[test]
    fn learned_keyword_expires_and_others_do_not() {
        let at = |hours: u32| Timestamp::from_unix_seconds(1.7e9 + f64::from(hours) * 3600.0);
        let seen = |source| KeywordEntry { added: Some(at(0)), ..entry("word", source) };
        let ttl = Some(Duration::from_hours(7));
        let learned = KeywordSet::new(&[seen(KeywordSource::Learned)], &[], ttl);
        let expired =
            |hours| learned.find_in_path(b"/word", |hit| learned.is_expired(hit, at(hours))).is_some();
        assert!(!expired(6) && expired(7));
        assert!(learned.is_in_force("word", at(6)) && !learned.is_in_force("word", at(7)));
        assert!(!learned.is_stale("word", at(0)) && learned.is_stale("word", at(1)));
        assert!(!learned.is_stale(".env", at(9)) && learned.is_in_force(".env", at(9)));
        let manual = KeywordSet::new(&[seen(KeywordSource::Manual)], &[], ttl);
        assert!(manual.is_in_force("word", at(9)) && !manual.is_stale("word", at(9)));
    }

    #[test]
    fn counts_places() {
        let set = KeywordSet::new(&[], &[], None);
        assert_eq!(set.count(b"/.git/x.php", b""), 2);
        assert_eq!(set.count(b"/x.php5", b""), 1);
        assert_eq!(set.count(b"/", b"next=/x.php"), 0);
        let set = KeywordSet::new(&[entry("or 1", KeywordSource::Manual)], &[], None);
        assert_eq!(set.count(b"/x.php", b"a=or+1&b=OR%201"), 3);
    }
}
