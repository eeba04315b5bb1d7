//! Learning words that only attackers ask for.

use std::collections::{BTreeSet, HashSet};

use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::client::ClientKey;
use crate::lists::{KeywordEntry, KeywordSource};
use crate::state::{BoundedMap, hash_text};
use crate::timestamp::Timestamp;

/// Learns keywords from paths that look like an attack and that were not found.
///
/// A word is learned when several different clients asked for it within an hour, in such paths, and if it is none of
/// the ordinary words, not exempt, and in no path that the site has answered. So neither one client, nor one request,
/// nor any number of requests for `/admin/products` on a site that has `/products` can make a word a keyword.
/// Somebody who has several addresses can; what is learned therefore counts only in paths that the site does not
/// know, and at most a few words are learned in an hour.
///
/// All state is bounded. The same requests in the same order teach the same words.
///
/// ```
/// use aiwaf_core::{ClientKey, KeywordLearner, Timestamp};
///
/// let learner = KeywordLearner::new(3, 10, ["metrics".to_owned()]);
/// learner.answered(b"/products/42");
/// let now = Timestamp::from_unix_seconds(1.7e9);
/// let mut learned = Vec::new();
/// for last in 1..=3 {
///     let client = ClientKey::new([203, 0, 113, last].into(), 64);
///     learned.extend(learner.probed(client, now, b"/wp-admin/evilshell/products/metrics", |_| false));
/// }
/// let words: Vec<_> = learned.iter().map(|entry| entry.keyword.as_str()).collect();
/// assert_eq!(words, ["wp-admin", "evilshell"]);
/// ```
pub struct KeywordLearner {
    candidates: BoundedMap<u64, Candidate>,
    /// The words of the paths that the site has answered.
    known_words: BoundedMap<u64, ()>,
    exempt: HashSet<String>,
    min_clients: usize,
    max_per_hour: u32,
    learned: Mutex<Learned>,
}

/// How many words were learned in which hour.
struct Learned {
    hour: i64,
    words: u32,
}

/// Who asked for a word, and when last.
#[derive(Default)]
struct Candidate {
    clients: SmallVec<[(ClientKey, Timestamp); 3]>,
    requests: u64,
}

impl KeywordLearner {
    /// Learns what `min_clients` (2 to 16; others are taken for the nearest) different clients asked for, at most
    /// `max_per_hour` words an hour, and never one of `exempt` (in lower case).
    pub fn new(min_clients: u32, max_per_hour: u32, exempt: impl IntoIterator<Item = String>) -> Self {
        Self {
            candidates: BoundedMap::new(MAX_CANDIDATES),
            known_words: BoundedMap::new(MAX_KNOWN_WORDS),
            exempt: exempt.into_iter().collect(),
            min_clients: usize::try_from(min_clients).unwrap_or(usize::MAX).clamp(2, MAX_CLIENTS),
            max_per_hour,
            learned: Mutex::new(Learned { hour: i64::MIN, words: 0 }),
        }
    }

    /// Notes that the site has answered `path` (in normal form) with 2xx or 3xx: its words are ordinary ones here. Once
    /// for each path is enough. Costs a hash and an update for each word.
    pub fn answered(&self, path: &[u8]) {
        for word in learnable_words(path) {
            self.known_words.update(hash_text(word.as_bytes()), || (), |()| ());
        }
    }

    /// Takes note that `client` asked for `path` (in normal form), which looks like an attack and was not found, and
    /// returns what was learned from that: usually nothing, without an allocation. Words for which `is_keyword` is true
    /// are blocked already.
    pub fn probed(
        &self,
        client: ClientKey,
        time: Timestamp,
        path: &[u8],
        is_keyword: impl Fn(&str) -> bool,
    ) -> Vec<KeywordEntry> {
        let mut learned = Vec::new();
        for word in learnable_words(path) {
            let hash = hash_text(word.as_bytes());
            if self.exempt.contains(word)
                || self.known_words.get(&hash, |()| ()).is_some()
                || is_keyword(word)
            {
                continue;
            }
            let wanted = self.candidates.update(hash, Candidate::default, |candidate| {
                candidate.ask(client, time);
                (candidate.clients.len() >= self.min_clients).then_some(candidate.requests)
            });
            if let Some(count) = wanted
                && self.may_learn(time)
            {
                self.candidates.remove(&hash);
                learned.push(KeywordEntry {
                    keyword: word.to_owned(),
                    count,
                    source: KeywordSource::Learned,
                    added: Some(time),
                });
            }
        }
        learned
    }

    /// Whether this hour has a place left; takes it.
    fn may_learn(&self, time: Timestamp) -> bool {
        let hour = time.as_unix_micros().div_euclid(HOUR_MICROS);
        let mut learned = self.learned.lock();
        if learned.hour != hour {
            *learned = Learned { hour, words: 0 };
        }
        let free = learned.words < self.max_per_hour;
        learned.words += u32::from(free);
        free
    }
}

impl Candidate {
    fn ask(&mut self, client: ClientKey, time: Timestamp) {
        self.requests = self.requests.saturating_add(1);
        self.clients.retain(|(_, last)| {
            last.as_unix_micros().abs_diff(time.as_unix_micros()) <= HOUR_MICROS.unsigned_abs()
        });
        if let Some((_, last)) = self.clients.iter_mut().find(|(known, _)| *known == client) {
            *last = time;
        } else if self.clients.len() < MAX_CLIENTS {
            self.clients.push((client, time));
        }
    }
}

const HOUR_MICROS: i64 = 3_600_000_000;
const MAX_CANDIDATES: usize = 10_000;
const MAX_KNOWN_WORDS: usize = 65_536;
const MAX_CLIENTS: usize = 16;

/// So many words of one path are looked at; what real paths have more of is not worth learning.
const MAX_WORDS: usize = 32;

/// The words of `path` (in normal form) that could become keywords: at most 32, in their order.
///
/// A word is 4 to 64 letters, digits and `- _ .`, is not mainly digits, no hexadecimal number and no UUID, no title of
/// several words (`black-friday`), and none of the words that ordinary sites have in their paths.
pub fn learnable_words(path: &[u8]) -> impl Iterator<Item = &str> {
    path.split(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_' | b'.'))
        .filter_map(|word| std::str::from_utf8(word).ok())
        .map(|word| word.trim_start_matches(['-', '_']).trim_end_matches(['-', '_', '.']))
        .filter(|word| (4..=64).contains(&word.len()) && !is_number_or_id(word) && !is_title(word))
        .filter(|word| !STOP_WORDS.contains(word))
        .take(MAX_WORDS)
}

fn is_number_or_id(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let hexadecimal = word.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'-' | b'_' | b'.'));
    digits * 2 >= word.len() || (hexadecimal && (digits > 0 || word.len() >= 16))
}

/// Reports whether a word is what articles and products are called: several words of four letters or more (`black-friday`).
/// Learned, it would block readers of the next article about it.
fn is_title(word: &str) -> bool {
    let mut parts = word.split(['-', '_']);
    let is_word = |part: &str| part.len() >= 4 && part.bytes().all(|byte| byte.is_ascii_lowercase());
    word.contains(['-', '_']) && parts.all(is_word)
}

/// Words that any site may have in its paths one day, with what a browser or a crawler asks for unasked. None of them
/// proves an attack.
static STOP_WORDS: std::sync::LazyLock<BTreeSet<&str>> = std::sync::LazyLock::new(|| {
    "about account accounts activate activity admin administrator ads.txt ajax album albums analytics android announcements answers \
     apidocs apple-app-site-association apple-touch-icon.png apple-touch-icon-precomposed.png application apps archive \
     archives article articles asset assets atom.xml auth author authors authorize avatar avatars backup backups banner basket \
     billing blog blogs board body book booking books bookmarks brand brands browse browserconfig.xml build bundle \
     business calendar callback campaign captcha careers cart catalog categories category cert change channel chart \
     charts chat check checkout city client clients code collection collections comment comments common community \
     company compare config configuration confirm console contact contacts content contents control core country \
     create customer customers dashboard data database date default delete delivery demo deploy desktop detail \
     details developer developers device devices dialog dist docs document documentation documents domain donate \
     download downloads draft drafts edit editor education email embed employees error errors event events example \
     examples explore export external faqs favicon.ico favicon.png favorites feature features feed feedback feeds \
     file files filter find first folder follow followers font fonts footer form forms forum forums free friends \
     front frontend gallery game games general gift global graphql group groups guest guide guides head header health \
     healthz help hidden history home homepage host hosting hotel house html humans.txt icon icons image images import \
     inbox include includes index index.htm index.html info install integration invite invoice invoices item items \
     jobs join json knowledge label labels landing lang language last latest learn legal less library license like \
     line link links list lists live load local locale location locations login login.html logo logo.png logos logout \
     logs mail main manage management manager manifest manifest.json manual maps market marketing master media member \
     members menu message messages meta metrics mobile model modules month more music myaccount name network news \
     newsletter next node note notes notification notifications oauth oauth2 offer offers office online open openapi \
     openapi.json opensearch.xml option options order orders organization overview owner package packages page pages \
     panel partner partners password patch path payment payments people person phone photo photos picture pictures \
     ping plan plans platform play playlist plugin plugins podcast policy poll popular portal portfolio post posts \
     premium press preview price prices pricing print privacy private product products profile profiles program \
     project projects promo property public publish purchase query question questions queue quiz random rate rating \
     readme readme.md readme.txt recent recipe recipes record records redirect refund region register registration \
     release releases remote remove render report reports request requests reset resource resources rest result \
     results resume return review reviews reward robots.txt role roles room root route rules sale sales sample save \
     schedule school science scripts search section security send server service service-worker.js services session \
     sessions setting settings setup share shared shipping shop shopping show sidebar signin signout signup site \
     sitemap sitemap.xml sitemap_index.xml sites skin slider social software solutions source spec special sport \
     sports stage staging start static statistics stats status stock storage store stores stories story stream student \
     style styles submit subscribe subscription support survey swagger swagger.json system table tables tags task tasks \
     team teams template templates term terms test testing tests text theme themes thread thumb thumbnail thumbnails \
     ticket tickets time timeline title today token tokens tool tools topic topics tour track tracking training \
     translate travel trend trending type types unsubscribe update updates upload uploads user username users util \
     utils validate value vendor vendors verification verify version versions video videos view views vote wallet wordpress drupal joomla laravel magento mysql libraries \
     watch weather webhook webhooks webinar website welcome well-known widget widgets wiki window wishlist word work \
     workspace world year zone .well-known security.txt assetlinks.json"
        .split_whitespace()
        .collect()
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::tests::client;

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_unix_seconds(1.7e9 + seconds)
    }

    fn learner() -> KeywordLearner {
        KeywordLearner::new(3, 10, ["dashboard2".to_owned()])
    }

    fn probe(learner: &KeywordLearner, number: u32, seconds: f64, path: &str) -> Vec<String> {
        let words = learner.probed(client(number), at(seconds), path.as_bytes(), |word| word == "blocked");
        words.into_iter().map(|entry| entry.keyword).collect()
    }

    #[test]
    fn original_defect_06_one_client_teaches_nothing() {
        let learner = learner();
        for request in 0..1000 {
            assert!(probe(&learner, 1, f64::from(request), "/wp-admin/evilshell").is_empty());
            assert!(probe(&learner, 2, f64::from(request), "/wp-admin/evilshell").is_empty());
        }
        assert_eq!(probe(&learner, 3, 1000.0, "/wp-admin/evilshell"), ["wp-admin", "evilshell"]);
    }

    #[test]
    fn original_defect_06_what_the_site_answers_is_never_learned() {
        let learner = learner();
        learner.answered(b"/gadgetry/summer-sale");
        for number in 0..20 {
            let words =
                probe(&learner, number, 0.0, "/wp-admin/gadgetry/summer-sale/products/dashboard2/blocked");
            assert!(words.iter().all(|word| word == "wp-admin"), "{words:?}");
        }
    }

    #[test]
    fn clients_must_ask_within_an_hour() {
        let learner = learner();
        for number in 0..20 {
            assert!(probe(&learner, number, f64::from(number) * 1900.0, "/evilshell").is_empty());
        }
        let learner = self::learner();
        assert!(probe(&learner, 1, 0.0, "/evilshell").is_empty());
        assert!(probe(&learner, 2, 1700.0, "/evilshell").is_empty());
        assert_eq!(probe(&learner, 3, 3600.0, "/evilshell"), ["evilshell"]);
    }

    #[test]
    fn at_most_so_many_words_an_hour() {
        let learner = learner();
        let mut words = 0;
        for word in 0..100u8 {
            let path = format!("/evil{}{}", char::from(b'g' + word / 10), char::from(b'g' + word % 10));
            words += (1..=3).map(|number| probe(&learner, number, 0.0, &path).len()).sum::<usize>();
        }
        assert_eq!(words, 10);
        // The candidates are still there when the next hour begins.
        assert_eq!(probe(&learner, 4, 3600.0, "/evilpp"), ["evilpp"]);
    }

    #[test]
    fn ids_numbers_and_ordinary_words_are_not_learnable() {
        let none = "/users/login/images/123456/2024-01-15/3f2504e0-4f89-11d3-9a0c-0305e82cdc62/deadbeefdeadbeef/a1b2c3d4/\
                    v1.2.3/php/.well-known/favicon.ico/%zz/\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}";
        assert_eq!(learnable_words(none.as_bytes()).collect::<Vec<_>>(), Vec::<&str>::new());
        let some: Vec<_> =
            learnable_words(b"/.env/__c99shell_/alfa.php;x=1/\xff\xfewso2.php./facade").collect();
        assert_eq!(some, [".env", "c99shell", "alfa.php", "wso2.php", "facade"]);
        let long = "/evilword".repeat(1000);
        assert_eq!(learnable_words(long.as_bytes()).count(), MAX_WORDS);
        let endless = "a".repeat(65);
        assert_eq!(learnable_words(endless.as_bytes()).count(), 0);
    }

    #[test]
    fn memory_stays_within_its_bounds() {
        let learner = learner();
        for number in 0..40_000u32 {
            let path = format!("/evil{number}x/word{number}y").into_bytes();
            learner.probed(client(number % 2), at(0.0), &path, |_| false);
            learner.answered(&path);
        }
        assert!(learner.candidates.len() <= MAX_CANDIDATES + 64);
        assert!(learner.known_words.len() <= MAX_KNOWN_WORDS);
    }

    proptest::proptest! {
        #[test]
        fn any_path_is_split_within_bounds(path: Vec<u8>, time: i64) {
            let time = Timestamp::from_unix_micros(time);
            for number in 0..3 {
                for entry in learner().probed(client(number), time, &path, |_| false) {
                    proptest::prop_assert!((4..=64).contains(&entry.keyword.len()));
                }
            }
        }
    }
}
