//! `ai_anomaly`: behaviour that differs from that of the others, judged over minutes and by a model.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use serde::{Deserialize, Serialize};

use super::{Inspection, Observation};
use crate::behavior::{ClientEvent, ClientHistory, Suspicion};
use crate::client::ClientKey;
use crate::features::{FEATURE_COUNT, features};
use crate::keyword_learning::KeywordLearner;
use crate::lists::KeywordEntry;
use crate::protection::{Mode, Protection};
use crate::request::Request;
use crate::settings::seconds;
use crate::state::BoundedMap;
use crate::timestamp::Timestamp;
use crate::verdict::{AnomalyEvidence, Finding, Reason};

/// `[ai_anomaly]`: how behaviour is judged and what is learned from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AiAnomalySettings {
    /// How strict it is. Default: enforce.
    pub mode: Mode,
    /// How many hits within `bans.window` ban the client; 0 is never. Default: 1.
    pub ban_after: u32,
    /// How long behaviour is remembered, in seconds, 10 to 3,600 (`AIWAF_WINDOW_SECONDS`). Default: 300.
    #[serde(with = "seconds")]
    pub window: Duration,
    /// The model file (`AIWAF_MODEL_PATH`); empty is `model.aiwaf` beside the lists, see
    /// [`Settings::model_path`](crate::Settings::model_path), and `none` is no model: then, and while there is no file,
    /// keywords and behaviour alone decide. Default: empty.
    pub model_path: String,
    /// How often the model is judged anew even if its file has not changed, in seconds, 1 to 86,400
    /// (`AIWAF_AI_CHECK_INTERVAL`). Default: 3,600.
    #[serde(with = "seconds")]
    pub check_interval: Duration,
    /// Whether keywords are learned from what attackers ask for. Default: true.
    pub learn_keywords: bool,
    /// Most keywords that are learned in an hour (`AIWAF_DYNAMIC_TOP_N`). Default: 10.
    pub dynamic_top_n: u32,
    /// How many different clients must have asked for a word, in paths that look like an attack and were not found,
    /// before it is learned, 2 to 16. Default: 3.
    pub learn_min_clients: u32,
    /// The fewest log lines that a model is trained from; one that was trained from fewer is not used
    /// (`AIWAF_MIN_AI_LOGS`). Default: 10,000.
    pub min_ai_logs: u64,
    /// Train and use a model whatever the number of log lines (`AIWAF_FORCE_AI`). Default: false.
    pub force_ai: bool,
    /// The share of the training data that is taken for anomalous, 0 to 0.5 (`AIWAF_AI_CONTAMINATION`). Default: 0.05.
    pub contamination: f64,
    /// Most clients whose behaviour is remembered at the same time; up to 1,200 bytes each, about 130 for a client seen
    /// once. Default: 100,000.
    pub max_clients: usize,
}

impl Default for AiAnomalySettings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            ban_after: 1,
            window: Duration::from_mins(5),
            model_path: String::new(),
            check_interval: Duration::from_hours(1),
            learn_keywords: true,
            dynamic_top_n: 10,
            learn_min_clients: 3,
            min_ai_logs: 10_000,
            force_ai: false,
            contamination: 0.05,
            max_clients: 100_000,
        }
    }
}

/// A port: a model that says how strange a request is, given what its client did before.
pub trait AnomalyModel: Send + Sync {
    /// How strange it is, from 0 to 1. What the numbers mean, [`features`](crate::features) tells.
    fn score(&self, features: &[f64; FEATURE_COUNT]) -> f64;

    /// The score from which on a request is anomalous.
    fn threshold(&self) -> f64;
}

/// Remembers what clients did lately and flags those who behave like attackers.
///
/// Nobody is flagged for a single request. Behaviour alone is enough if it is **proof**; a request that the model finds
/// anomalous needs one **indicator** besides, in at least five requests:
///
/// | in the window | indicator | proof |
/// |---|---|---|
/// | different paths that only scanners ask for, not found | 2 | 5 |
/// | different other unknown paths, not found and not caused by a page | 10, half of all requests | 30, three quarters |
/// | keyword hits per request | 1 | 2 |
/// | burst, with at least half of the requests refused (4xx) and not caused by a page | 25 | never |
///
/// Paths that the site knows, and what it answers with less than 400, are no probing, however much of it there is: many
/// quick requests are the rate limit's business. A flagged client is denied for one window.
///
/// Keywords are learned from requests that were not found and are part of an attack: on a scanner's path, with a keyword,
/// or by a client that has asked for three of the scanners' paths.
pub(crate) struct AiAnomaly {
    clients: BoundedMap<ClientKey, Client>,
    model: ArcSwapOption<Box<dyn AnomalyModel>>,
    learner: Option<KeywordLearner>,
    window: Duration,
}

struct Client {
    history: ClientHistory,
    /// Boxed, for hardly any client has one.
    flag: Option<Box<Flag>>,
}

struct Flag {
    since: Timestamp,
    evidence: AnomalyEvidence,
}

impl AiAnomaly {
    /// `exempt` are words in lower case that are never learned.
    pub(crate) fn new(settings: &AiAnomalySettings, exempt: impl IntoIterator<Item = String>) -> Self {
        let learner = settings
            .learn_keywords
            .then(|| KeywordLearner::new(settings.learn_min_clients, settings.dynamic_top_n, exempt));
        Self {
            clients: BoundedMap::new(settings.max_clients),
            model: ArcSwapOption::empty(),
            learner,
            window: settings.window,
        }
    }

    /// From now on `model` is asked; requests don't wait for that.
    pub(crate) fn set_model(&self, model: Option<Box<dyn AnomalyModel>>) {
        self.model.store(model.map(Arc::new));
    }

    /// Denies a client that is flagged.
    pub(crate) fn inspect(&self, inspection: &Inspection<'_>) -> Option<Finding> {
        let now = inspection.request.time;
        let evidence =
            self.clients.get(&inspection.client, |client| client.flagged(now, self.window)).flatten()?;
        Some(Finding::block(Protection::AiAnomaly, Reason::Anomaly(evidence)))
    }

    /// Takes note of an answer, flags its client if need be, and returns what was learned, usually nothing.
    /// `is_keyword` says which words are blocked already.
    pub(crate) fn observe(
        &self,
        observation: &Observation<'_>,
        is_keyword: impl Fn(&str) -> bool,
    ) -> Vec<KeywordEntry> {
        let event = event(observation);
        let key = observation.inspection.client;
        let ordinary = event.status < 400;
        let (row, judged) = self.clients.update(
            key,
            || Client { history: ClientHistory::new(self.window), flag: None },
            |client| {
                let row = features(&event, &client.history);
                client.history.record(&event);
                let judged = (!ordinary).then(|| {
                    let evidence = client.history.evidence();
                    (evidence, suspicion(&evidence, client.history.refused()))
                });
                (row, judged)
            },
        );
        let Some((evidence, suspicion)) = judged else {
            if let Some(learner) = &self.learner
                && (200..400).contains(&event.status)
            {
                learner.answered(event.path);
            }
            return Vec::new();
        };
        if let Some(evidence) = self.confirm(&row, evidence, suspicion) {
            self.clients.get(&key, |client| {
                if client.flagged(event.time, self.window).is_none() {
                    client.flag = Some(Box::new(Flag { since: event.time, evidence }));
                }
            });
        }
        let attack = event.is_miss()
            && !event.embedded
            && (event.keyword_hits > 0 || evidence.scanning >= CONFIRMED_SCANNER || event.is_scanning());
        match &self.learner {
            Some(learner) if attack => learner.probed(key, event.time, event.path, is_keyword),
            _ => Vec::new(),
        }
    }

    /// The evidence, with the model's score if that was asked, if the client is to be flagged. Asked outside of all
    /// locks, and only about clients that are suspicious anyway.
    fn confirm(
        &self,
        row: &[f64; FEATURE_COUNT],
        evidence: AnomalyEvidence,
        suspicion: Suspicion,
    ) -> Option<AnomalyEvidence> {
        match suspicion {
            Suspicion::None => None,
            Suspicion::Proof => Some(evidence),
            Suspicion::Indicator => {
                let model = self.model.load();
                let model = model.as_deref()?;
                let score = model.score(row);
                #[allow(clippy::cast_possible_truncation)] // from 0 to 1, for people
                (score >= model.threshold())
                    .then_some(AnomalyEvidence { score: Some(score as f32), ..evidence })
            }
        }
    }
}

impl Client {
    /// The evidence, if the client is flagged. A flag from the future is one from before the clock was set back.
    fn flagged(&mut self, now: Timestamp, window: Duration) -> Option<AnomalyEvidence> {
        let flag = self.flag.as_deref()?;
        if now < flag.since + window && flag.since <= now + CLOCK_TOLERANCE {
            return Some(flag.evidence);
        }
        self.flag = None;
        None
    }
}

const CLOCK_TOLERANCE: Duration = Duration::from_mins(1);

/// Whose other misses may teach keywords.
const CONFIRMED_SCANNER: u32 = 3;

/// The table at [`AiAnomaly`].
pub(crate) fn suspicion(evidence: &AnomalyEvidence, refused: u32) -> Suspicion {
    let AnomalyEvidence { total, scanning, not_found, keyword_hits, burst, .. } = *evidence;
    if total < 5 {
        return Suspicion::None;
    }
    if scanning >= 5 || (not_found >= 30 && not_found * 4 >= total * 3) || keyword_hits >= 2.0 {
        Suspicion::Proof
    } else if scanning >= 2
        || (not_found >= 10 && not_found * 2 >= total)
        || keyword_hits >= 1.0
        || (burst >= 25.0 && refused * 2 >= total)
    {
        Suspicion::Indicator
    } else {
        Suspicion::None
    }
}

fn event<'r>(observation: &Observation<'r>) -> ClientEvent<'r> {
    let inspection = &observation.inspection;
    let request = inspection.request;
    ClientEvent {
        time: request.time,
        path: inspection.path,
        status: observation.outcome.status,
        response_time: observation.outcome.response_time,
        keyword_hits: observation.keyword_hits,
        known_path: observation.known_path,
        from_own_site: comes_from_own_site(request),
        embedded: request
            .header("sec-fetch-dest")
            .is_some_and(|destination| !matches!(destination, b"document" | b"empty" | b"")),
    }
}

/// Whether a page of this site sent the client here, as far as one can believe it: the browser says so, or the
/// referer's host is ours.
fn comes_from_own_site(request: &Request<'_>) -> bool {
    if let Some(site) = request.header("sec-fetch-site") {
        return matches!(site, b"same-origin" | b"same-site");
    }
    request.referer_is_own_site() == Some(true)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::detect::tests::Exchange;

    const SCANS: [&str; 6] =
        ["/wp-admin", "/.env", "/.git/config", "/phpmyadmin", "/backup.sql", "/cgi-bin/x"];

    fn anomaly() -> AiAnomaly {
        AiAnomaly::new(&AiAnomalySettings::default(), [])
    }

    impl AiAnomaly {
        fn answer(&self, exchange: &Exchange, status: u16) -> Vec<String> {
            let learned = exchange.observe(status, |observation| self.observe(observation, |_| false));
            learned.into_iter().map(|entry| entry.keyword).collect()
        }

        fn judge(&self, exchange: &Exchange) -> Option<AnomalyEvidence> {
            exchange.inspect(|inspection| self.inspect(inspection)).map(|finding| match finding.reason {
                Reason::Anomaly(evidence) => evidence,
                other => panic!("{other:?}"),
            })
        }
    }

    /// Says `score` of everything, and counts how often it was asked.
    struct Oracle {
        score: f64,
        asked: Arc<AtomicU32>,
    }

    impl AnomalyModel for Oracle {
        fn score(&self, _: &[f64; FEATURE_COUNT]) -> f64 {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.score
        }

        fn threshold(&self) -> f64 {
            0.6
        }
    }

    #[test]
    fn a_scanner_is_flagged_for_one_window() {
        let anomaly = anomaly();
        for (number, path) in SCANS.iter().enumerate().take(4) {
            anomaly.answer(&Exchange::get(path).at(f64::from(u8::try_from(number).unwrap())), 404);
        }
        assert_eq!(anomaly.judge(&Exchange::get("/").at(5.0)), None);
        anomaly.answer(&Exchange::get(SCANS[4]).at(5.0), 404);
        let evidence = anomaly.judge(&Exchange::get("/").at(6.0)).unwrap();
        assert_eq!((evidence.scanning, evidence.total, evidence.score), (5, 5, None));
        assert_eq!(anomaly.judge(&Exchange::get("/").from(2).at(6.0)), None);
        assert!(anomaly.judge(&Exchange::get("/").at(304.9)).is_some());
        assert_eq!(anomaly.judge(&Exchange::get("/").at(305.0)), None);
    }

    #[test]
    fn a_clock_that_is_set_back_ends_a_flag() {
        let anomaly = anomaly();
        for path in SCANS {
            anomaly.answer(&Exchange::get(path), 404);
        }
        assert!(anomaly.judge(&Exchange::get("/")).is_some());
        assert_eq!(anomaly.judge(&Exchange::get("/").at(-3600.0)), None);
    }

    #[test]
    fn one_request_over_and_over_is_no_proof() {
        let anomaly = anomaly();
        for request in 0..100 {
            anomaly.answer(&Exchange::get("/wp-admin").at(f64::from(request)), 404);
        }
        assert_eq!(anomaly.judge(&Exchange::get("/").at(100.0)), None);
    }

    #[test]
    fn guessing_paths_is_flagged_and_a_broken_page_is_not() {
        let guess = |caused: bool| {
            let anomaly = anomaly();
            for number in 0..40 {
                let request = Exchange::get(&format!("/guess{number}")).at(f64::from(number));
                let request = if caused {
                    request.header("host", "shop.example").header("referer", "https://shop.example/gallery")
                } else {
                    request
                };
                anomaly.answer(&request, 404);
            }
            anomaly.judge(&Exchange::get("/").at(41.0)).is_some()
        };
        assert!(guess(false));
        assert!(!guess(true));
    }

    #[test]
    fn readers_whose_page_embeds_a_scanners_paths_are_left_alone() {
        let anomaly = anomaly();
        for path in SCANS {
            anomaly.answer(&Exchange::get(path).header("sec-fetch-dest", "image"), 404);
        }
        assert_eq!(anomaly.judge(&Exchange::get("/")), None);
    }

    #[test]
    fn what_the_site_answers_or_knows_is_no_probing() {
        let anomaly = anomaly();
        anomaly.set_model(Some(Box::new(Oracle { score: 1.0, asked: Arc::default() })));
        for request in 0..200 {
            let path = format!("/catalog/{request}");
            let exchange = Exchange::get(&path).at(f64::from(request) * 0.05).keyword_hits(3);
            anomaly.answer(&exchange, 200);
            anomaly.answer(&exchange.known(), 404);
        }
        assert_eq!(anomaly.judge(&Exchange::get("/").at(10.0)), None);
    }

    #[test]
    fn keyword_hits_are_proof_after_five_requests() {
        let anomaly = anomaly();
        for request in 0..5 {
            assert_eq!(anomaly.judge(&Exchange::get("/")), None, "{request}");
            anomaly.answer(&Exchange::get("/nowhere").keyword_hits(2), 404);
        }
        assert_eq!(anomaly.judge(&Exchange::get("/")).unwrap().keyword_hits.to_bits(), 2f32.to_bits());
    }

    #[test]
    fn a_model_needs_an_indicator_and_an_indicator_a_model() {
        let asked = Arc::new(AtomicU32::new(0));
        let flagged = |score: f64, scans: usize| {
            let anomaly = anomaly();
            anomaly.set_model(Some(Box::new(Oracle { score, asked: Arc::clone(&asked) })));
            (0..10).for_each(|_| drop(anomaly.answer(&Exchange::get("/gone"), 404)));
            SCANS.iter().take(scans).for_each(|path| drop(anomaly.answer(&Exchange::get(path), 404)));
            anomaly.judge(&Exchange::get("/"))
        };
        assert_eq!(flagged(0.9, 1), None);
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        assert_eq!(flagged(0.9, 2).unwrap().score, Some(0.9));
        assert_eq!(flagged(0.5, 2), None);
        assert_eq!(flagged(f64::NAN, 2), None);
        assert_eq!(asked.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn original_defect_06_poisoning_closes_no_route() {
        let anomaly = anomaly();
        // One 404 on an ordinary path, from however many clients, teaches nothing.
        for number in 0..50 {
            assert!(anomaly.answer(&Exchange::get("/admin/evilshell").from(number), 404).is_empty());
        }
        // Nor does a real route become a keyword that attackers mix into what they ask for.
        anomaly.answer(&Exchange::get("/gadgetry").from(99), 200);
        for number in 100..150 {
            let learned = anomaly.answer(&Exchange::get("/.env/gadgetry/products").from(number), 404);
            assert!(learned.iter().all(|word| word == ".env"), "{learned:?}");
        }
    }

    #[test]
    fn attacks_teach_keywords() {
        let anomaly = anomaly();
        assert!(anomaly.answer(&Exchange::get("/phpmyadmin/evilshell").from(1), 404).is_empty());
        assert!(anomaly.answer(&Exchange::get("/phpmyadmin/evilshell").from(2), 404).is_empty());
        let learned = anomaly.answer(&Exchange::get("/x/evilshell").keyword_hits(1).from(3), 404);
        assert_eq!(learned, ["evilshell"]);
        // A page that embeds such a path makes no teachers of its readers.
        for number in 4..10 {
            let embedded =
                Exchange::get("/phpmyadmin/victimword").header("sec-fetch-dest", "image").from(number);
            assert!(anomaly.answer(&embedded, 404).is_empty());
        }
        let off = AiAnomalySettings { learn_keywords: false, ..AiAnomalySettings::default() };
        let anomaly = AiAnomaly::new(&off, []);
        for number in 0..10 {
            assert!(anomaly.answer(&Exchange::get("/phpmyadmin/evilshell").from(number), 404).is_empty());
        }
    }

    #[test]
    fn memory_stays_within_its_bound() {
        let settings = AiAnomalySettings { max_clients: 1000, ..AiAnomalySettings::default() };
        let anomaly = AiAnomaly::new(&settings, []);
        (0..20_000).for_each(|number| drop(anomaly.answer(&Exchange::get("/").from(number), 200)));
        assert!(anomaly.clients.len() <= 1024);
        assert!(size_of::<(ClientKey, Client)>() <= 96, "{}", size_of::<(ClientKey, Client)>());
    }
}
