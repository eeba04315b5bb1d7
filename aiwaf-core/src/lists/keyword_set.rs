//! All keywords in one automaton.

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::entry::{KeywordEntry, KeywordSource};
use crate::decode::{Buffer, normalize_query};

/// All keywords, those that are built in included, ready to be looked for in normal forms.
///
/// A keyword counts as a word: where it begins or ends with a letter or digit, its neighbour in the text must be none,
/// so that `.env` is in `/.env.local` and not in `/docs/my.environment`. Looking takes time linear in the text,
/// whatever the number of keywords.
#[derive(Debug)]
pub(crate) struct KeywordSet {
    in_paths: Option<AhoCorasick>,
    path_keywords: Vec<(Box<str>, KeywordClass)>,
    in_queries: Option<AhoCorasick>,
    query_keywords: Vec<Box<str>>,
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

/// No keyword is longer, in bytes.
pub(crate) const MAX_KEYWORD: usize = 256;

impl KeywordSet {
    /// Entries that are empty or longer than [`MAX_KEYWORD`] are ignored; so are those in `exempt`, built in or not.
    pub(crate) fn new(entries: &[KeywordEntry], exempt: &[String]) -> Self {
        let built_in = SECRETS
            .iter()
            .map(|word| (*word, KeywordClass::Secret))
            .chain(SCRIPTS.iter().map(|word| (*word, KeywordClass::Script)));
        let listed = entries.iter().map(|entry| {
            let class = match entry.source {
                KeywordSource::Manual => KeywordClass::Manual,
                KeywordSource::Learned => KeywordClass::Learned,
            };
            (entry.keyword.as_str(), class)
        });
        let mut path_keywords: Vec<(Box<str>, KeywordClass)> = built_in
            .chain(listed)
            .map(|(word, class)| (fold(word).into_boxed_str(), class))
            .filter(|(word, _)| !word.is_empty() && word.len() <= MAX_KEYWORD)
            .filter(|(word, _)| !exempt.iter().any(|exempt| fold(exempt) == **word))
            .collect();
        path_keywords.sort_unstable();
        path_keywords.dedup();
        let query_keywords: Vec<Box<str>> = path_keywords
            .iter()
            .filter(|(_, class)| *class == KeywordClass::Manual)
            .map(|(word, _)| word.clone())
            .collect();
        Self {
            in_paths: automaton(path_keywords.iter().map(|(word, _)| word)),
            in_queries: automaton(query_keywords.iter()),
            path_keywords,
            query_keywords,
        }
    }

    /// Whether `word`, in lower case, is a keyword already, built in or not.
    pub(crate) fn contains(&self, word: &str) -> bool {
        self.path_keywords.binary_search_by(|(known, _)| (**known).cmp(word)).is_ok()
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
            .filter(|found| is_word(path, found.start(), found.end()))
            .filter_map(|found| {
                let (keyword, class) = self.path_keywords.get(found.pattern().as_usize())?;
                Some(KeywordHit { keyword, class: *class, start: found.start(), end: found.end() })
            })
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
            start: found.start(),
            end: found.end(),
        })
    }

    /// How many keywords stand in a normal path and in the normal form of a query, each place counted once, up to 255.
    pub(crate) fn count(&self, path: &[u8], query: &[u8]) -> u32 {
        let in_path = self.in_paths.as_ref().map_or(0, |automaton| count(automaton, path));
        let in_query = self.in_queries.as_ref().map_or(0, |automaton| {
            let mut normal = Buffer::new();
            normalize_query(query, &mut normal);
            count(automaton, &normal)
        });
        (in_path + in_query).min(MAX_COUNT)
    }
}

/// How many words stand in `text`, each place counted once, up to [`MAX_COUNT`].
fn count(automaton: &AhoCorasick, text: &[u8]) -> u32 {
    let mut counted_to = 0;
    automaton
        // Overlapping, or the `.php` in `.php5`, which is no word, would hide that.
        .find_overlapping_iter(text)
        .filter(|found| is_word(text, found.start(), found.end()))
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
        let set = KeywordSet::new(&[], &[]);
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
        let set = KeywordSet::new(&[entry("shell", KeywordSource::Learned)], &[]);
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
        let set = KeywordSet::new(&entries, &[]);
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
        let set =
            KeywordSet::new(&[entry("backup", KeywordSource::Manual)], &[".PHP".into(), "backup".into()]);
        assert_eq!(found(&set, "/backup/x.php"), None);
    }

    #[test]
    fn counts_places() {
        let set = KeywordSet::new(&[], &[]);
        assert_eq!(set.count(b"/.git/x.php", b""), 2);
        assert_eq!(set.count(b"/x.php5", b""), 1);
        assert_eq!(set.count(b"/", b"next=/x.php"), 0);
        let set = KeywordSet::new(&[entry("or 1", KeywordSource::Manual)], &[]);
        assert_eq!(set.count(b"/x.php", b"a=or+1&b=OR%201"), 3);
    }
}
