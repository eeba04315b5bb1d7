//! What is remembered of each client while a log is read.

use std::collections::HashMap;
use std::time::Duration;

use aiwaf_core::{
    AccessRecord, AnomalyEvidence, ClientHistory, ClientKey, FEATURE_COUNT, LoggedClient, RecordedRequest,
    Suspicion, Timestamp,
};
use foldhash::quality::RandomState;

use crate::crawlers::crawler;

/// Everybody who is in the log, as far as memory goes.
pub(crate) struct Clients {
    known: HashMap<ClientKey, Client, RandomState>,
    capacity: usize,
    window: Duration,
    forgotten: u64,
}

/// One client: a fixed amount of memory, however many requests it sends.
pub(crate) struct Client {
    /// The name, if the log has names instead of addresses.
    pub(crate) name: Option<Box<str>>,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) requests: u64,
    /// Requests that were answered 1xx to 3xx.
    pub(crate) answered: u64,
    /// Requests that a protection denied.
    pub(crate) denied: u64,
    /// The search engine that it says it is, in every request; none if its agents differ.
    pub(crate) crawler: Option<&'static str>,
    /// A hash of the agent in which it said so last.
    crawler_agent: u64,
    pub(crate) history: ClientHistory,
    /// What is only kept of clients that were refused something.
    pub(crate) suspect: Option<Box<Suspect>>,
}

/// What speaks against a client.
#[derive(Default)]
pub(crate) struct Suspect {
    /// Requests that were not found on paths that the site does not know, and not led to by its own pages.
    pub(crate) misses: u64,
    /// Requests that were answered 4xx or 5xx.
    pub(crate) refused: u64,
    /// Requests with blocked keywords that were not answered.
    pub(crate) keyword_misses: u64,
    /// Failed log-ins at the addresses that every bot knows.
    pub(crate) failed_logins: u64,
    /// Hashes of different paths.
    pub(crate) scanning: Distinct<MAX_SCANNING>,
    pub(crate) probed: Distinct<MAX_PROBED>,
    /// What its behaviour looked like when it was proof for the first time.
    pub(crate) proof: Option<AnomalyEvidence>,
    /// Requests at which behaviour was an indicator, for the model to judge.
    pub(crate) indicators: Vec<Indicated>,
    pub(crate) examples: Vec<Example>,
}

/// A request at which the model would have been asked.
pub(crate) struct Indicated {
    pub(crate) evidence: AnomalyEvidence,
    pub(crate) features: [f64; FEATURE_COUNT],
}

/// A request that shows what a client was after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Example {
    pub(crate) is_scanning: bool,
    pub(crate) status: u16,
    pub(crate) target: Box<str>,
}

const MAX_SCANNING: usize = 32;
const MAX_PROBED: usize = 64;
const MAX_INDICATORS: usize = 8;
const MAX_EXAMPLES: usize = 5;
const MAX_TARGET: usize = 120;
const MAX_NAME: usize = 100;

/// Different values, as far as there is room.
#[derive(Default)]
pub(crate) struct Distinct<const N: usize>(Vec<u64>);

impl<const N: usize> Distinct<N> {
    /// True if it is new.
    fn insert(&mut self, value: u64) -> bool {
        if self.0.len() >= N || self.0.contains(&value) {
            return false;
        }
        self.0.push(value);
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Clients {
    pub(crate) fn new(capacity: usize, window: Duration) -> Self {
        Self { known: HashMap::default(), capacity: capacity.max(64), window, forgotten: 0 }
    }

    /// The client of a request; makes room first if there is none.
    pub(crate) fn get(&mut self, key: ClientKey, record: &AccessRecord<'_>) -> &mut Client {
        if self.known.len() >= self.capacity && !self.known.contains_key(&key) {
            self.forget();
        }
        let window = self.window;
        let client = self.known.entry(key).or_insert_with(|| Client::new(record, window));
        client.seen(record);
        client
    }

    /// Forgets a quarter: those of whom nothing is suspected, those seen longest ago first.
    fn forget(&mut self) {
        let mut order: Vec<(bool, Timestamp, ClientKey)> =
            self.known.iter().map(|(key, client)| (client.suspect.is_some(), client.last, *key)).collect();
        let quarter = (order.len() / 4).max(1);
        if quarter < order.len() {
            order.select_nth_unstable(quarter);
        }
        for (_, _, key) in order.into_iter().take(quarter) {
            self.known.remove(&key);
            self.forgotten += 1;
        }
    }

    /// All that are remembered, in the order of their keys.
    pub(crate) fn sorted(&self) -> Vec<(ClientKey, &Client)> {
        let mut clients: Vec<_> = self.known.iter().map(|(key, client)| (*key, client)).collect();
        clients.sort_unstable_by_key(|(key, _)| *key);
        clients
    }

    pub(crate) fn find(&self, key: ClientKey) -> Option<&Client> {
        self.known.get(&key)
    }

    /// How many there were. Who was forgotten and came back counts twice.
    pub(crate) fn count(&self) -> u64 {
        self.known.len() as u64 + self.forgotten
    }
}

impl Client {
    fn new(record: &AccessRecord<'_>, window: Duration) -> Self {
        let name = match &record.client {
            LoggedClient::Address(_) => None,
            LoggedClient::Name(name) => Some(shown(name, MAX_NAME)),
        };
        Self {
            name,
            first: record.time,
            last: record.time,
            requests: 0,
            answered: 0,
            denied: 0,
            crawler: record.user_agent.as_deref().and_then(crawler),
            crawler_agent: record.user_agent.as_deref().map_or(0, hash),
            history: ClientHistory::new(window),
            suspect: None,
        }
    }

    fn seen(&mut self, record: &AccessRecord<'_>) {
        self.first = self.first.min(record.time);
        self.last = self.last.max(record.time);
        self.requests += 1;
        self.answered += u64::from((100..400).contains(&record.status));
        self.denied += u64::from(record.block.as_ref().is_some_and(|mark| !mark.monitored));
        if self.crawler.is_some() {
            let agent = record.user_agent.as_deref().unwrap_or_default();
            let agent_hash = hash(agent);
            if agent_hash != self.crawler_agent && crawler(agent) != self.crawler {
                self.crawler = None;
            }
            self.crawler_agent = agent_hash;
        }
    }

    /// Takes note of an answer that the model sees as `features`, and of which `recorded` was already added to the
    /// history.
    pub(crate) fn judge(
        &mut self,
        record: &AccessRecord<'_>,
        recorded: &RecordedRequest<'_>,
        features: &[f64; FEATURE_COUNT],
    ) {
        let event = &recorded.event;
        let failed_login = is_failed_login(record, event.path);
        if event.status < 400 && !failed_login {
            return;
        }
        let is_scanning =
            event.status >= 400 && !event.known_path && aiwaf_core::is_scanning_path(event.path);
        let is_probe = event.is_miss() && !event.from_own_site;
        let has_keyword = event.keyword_hits > 0 && !event.known_path && event.status >= 400;
        let suspect = self.suspect.get_or_insert_default();
        suspect.misses += u64::from(is_probe);
        suspect.refused += u64::from(event.status >= 400);
        suspect.keyword_misses += u64::from(has_keyword);
        suspect.failed_logins += u64::from(failed_login);
        let mut is_telling = failed_login && suspect.failed_logins == 1;
        if is_scanning || is_probe {
            let hash = hash(event.path);
            is_telling |= is_scanning && suspect.scanning.insert(hash);
            is_telling |= suspect.probed.insert(hash);
        }
        // Something must be there to show, should it be banned for its haste.
        if is_telling || has_keyword || suspect.examples.is_empty() {
            suspect.show(Example {
                is_scanning: is_scanning || has_keyword || failed_login,
                status: event.status,
                target: shown(&record.target, MAX_TARGET),
            });
        }
        if suspect.proof.is_some() {
            return;
        }
        match self.history.suspicion() {
            Suspicion::None => {}
            Suspicion::Indicator if suspect.indicators.len() >= MAX_INDICATORS => {}
            Suspicion::Indicator => {
                suspect.indicators.push(Indicated { evidence: self.history.evidence(), features: *features });
            }
            Suspicion::Proof => suspect.proof = Some(self.history.evidence()),
        }
    }
}

impl Suspect {
    /// Keeps the first examples; one of scanning takes the place of another.
    fn show(&mut self, example: Example) {
        if self.examples.iter().any(|known| known.target == example.target) {
            return;
        }
        if self.examples.len() < MAX_EXAMPLES {
            self.examples.push(example);
        } else if example.is_scanning
            && let Some(other) = self.examples.iter_mut().find(|known| !known.is_scanning)
        {
            *other = example;
        }
    }

    /// Whether it asked for so many paths that only scanners ask for that its other misses teach keywords.
    pub(crate) fn is_confirmed_scanner(&self) -> bool {
        self.scanning.len() >= aiwaf_core::SCANNER_THRESHOLD as usize
    }
}

/// Whether this is a guess at a password, and not the right one, where bots guess: at the log-ins of WordPress, its XML
/// interface, phpMyAdmin and the like. A log-in that succeeds is answered with a redirection; what is posted to other
/// pages of these, as an author's work is, does not count.
fn is_failed_login(record: &AccessRecord<'_>, path: &[u8]) -> bool {
    if *record.method != *b"POST" || (300..400).contains(&record.status) {
        return false;
    }
    let page = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    matches!(page, b"wp-login.php" | b"xmlrpc.php")
        || (matches!(page, b"" | b"index.php") && aiwaf_core::is_scanning_path(path))
}

fn hash(text: &[u8]) -> u64 {
    use std::hash::BuildHasher;
    use std::sync::LazyLock;

    static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);
    HASHER.hash_one(text)
}

/// The beginning of a text of a client's, in ASCII, with escapes for everything that could do harm where it is shown.
pub(crate) fn shown(text: &[u8], length: usize) -> Box<str> {
    let cut = text.get(..length);
    let mut shown = cut.unwrap_or(text).escape_ascii().to_string();
    if cut.is_some() && text.len() > length {
        shown.push_str("...");
    }
    shown.into_boxed_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> ClientKey {
        ClientKey::new(std::net::Ipv4Addr::from(number).into(), 64)
    }

    fn record(second: f64) -> AccessRecord<'static> {
        AccessRecord::new(Timestamp::from_unix_seconds(second), [192, 0, 2, 7].into())
    }

    #[test]
    fn the_number_of_clients_is_bounded_and_suspects_stay() {
        let mut clients = Clients::new(1000, Duration::from_mins(5));
        for number in 0..10_000 {
            let client = clients.get(key(number), &record(f64::from(number)));
            if number < 100 {
                client.suspect = Some(Box::default());
            }
        }
        assert!(clients.sorted().len() <= 1000);
        assert_eq!(clients.count(), 10_000);
        assert!((0..100).all(|number| clients.find(key(number)).is_some()));
        assert!(clients.find(key(9_999)).is_some() && clients.find(key(200)).is_none());
    }

    /// The original's cost for a client grew with the square of its requests.
    #[test]
    fn original_defect_27_what_is_kept_of_a_client_does_not_grow_with_its_requests() {
        let engine = aiwaf_core::Engine::builder().build().unwrap();
        let mut buffers = aiwaf_core::RecordBuffers::default();
        let mut clients = Clients::new(1000, Duration::from_mins(5));
        let mut record = record(1.0);
        record.status = 404;
        for number in 0..5000u32 {
            let scanning = if number % 2 == 0 { "/.env" } else { "/page" };
            record.target = format!("{scanning}.{number}").into_bytes().into();
            let recorded = engine.recorded(&record, &mut buffers);
            let client = clients.get(recorded.client, &record);
            let row = aiwaf_core::features(&recorded.event, &client.history);
            client.history.record(&recorded.event);
            client.judge(&record, &recorded, &row);
        }
        let client = clients.find(ClientKey::new([192, 0, 2, 7].into(), 64)).unwrap();
        let suspect = client.suspect.as_ref().unwrap();
        assert_eq!((client.requests, suspect.misses), (5000, 5000));
        assert_eq!((suspect.scanning.len(), suspect.probed.len()), (MAX_SCANNING, MAX_PROBED));
        assert_eq!(suspect.examples.len(), MAX_EXAMPLES);
        assert!((1..=MAX_INDICATORS).contains(&suspect.indicators.len()));
        assert!(suspect.proof.is_some() && client.history.evidence().total <= 64);
    }

    #[test]
    fn a_crawler_must_say_so_each_time() {
        let mut clients = Clients::new(1000, Duration::from_mins(5));
        let mut google = record(1.0);
        google.user_agent = Some(b"Googlebot/2.1".into());
        assert_eq!(clients.get(key(1), &google).crawler, Some("Google"));
        assert_eq!(clients.get(key(1), &google).crawler, Some("Google"));
        assert_eq!(clients.get(key(1), &record(2.0)).crawler, None);
        assert_eq!(clients.get(key(1), &google).crawler, None);
    }
}
