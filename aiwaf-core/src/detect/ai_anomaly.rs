//! `ai_anomaly`: behaviour that differs from that of the others, judged over minutes and by a model.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use serde::{Deserialize, Serialize};

use super::{BuiltIn, ClientMemory, Detector, DetectorError, Facts, Head, Inputs, Response};
use crate::bans::ledger::Evidence;
use crate::behavior::{ClientEvent, ClientHistory, Suspicion, is_part_of_attack, suspicion};
use crate::check::{SettingsError, seconds_within, within};
use crate::features::{FEATURE_COUNT, features};
use crate::keyword_learning::KeywordLearner;
use crate::protection::{Mode, Protection};
use crate::seconds;
use crate::timestamp::Timestamp;
use crate::verdict::{AnomalyEvidence, Finding, Reason};

/// `[ai_anomaly]`: how behaviour is judged and what is learned from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AiAnomalySettings {
    /// How strict it is. Default: enforce.
    pub mode: Mode,
    /// Number of matches within `bans.window` that ban the client, whatever their evidence; 0 never bans. Default: not
    /// set, which is by evidence.
    #[serde(with = "crate::bans::ban_after")]
    pub ban_after: Option<u32>,
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
    /// Has no effect any more: behavior is part of the client's record, see `client.max_clients`. Default: 100,000.
    pub max_clients: usize,
}

impl AiAnomalySettings {
    /// Checks every value's range.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        seconds_within("ai_anomaly.window", self.window, 10..=3600)?;
        seconds_within("ai_anomaly.check_interval", self.check_interval, 1..=86_400)?;
        within("ai_anomaly.dynamic_top_n", self.dynamic_top_n, 0..=1000)?;
        within("ai_anomaly.learn_min_clients", self.learn_min_clients, 2..=16)?;
        within("ai_anomaly.max_clients", self.max_clients, 1_000..=100_000_000)?;
        within("ai_anomaly.contamination", self.contamination, 0.0..=0.5)
    }
}

impl Default for AiAnomalySettings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            ban_after: None,
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
/// | different other unknown paths, not found and not caused by a page | 10, half of all requests | never |
/// | keyword hits per request | 1 | 2 |
/// | burst, with at least half of the requests refused (4xx) and not caused by a page | 25 | never |
///
/// Paths that the site knows, and what it answers with less than 400, are no probing, however much of it there is: many
/// quick requests are the rate limit's business, and whatever is not found is no proof: search engines, link checkers,
/// registries and build tools meet thousands of 404s. A flagged client is blocked for one window.
///
/// Each different probe path that is not found adds evidence to the client's ledger, flagged or not.
///
/// Keywords are learned from requests that were not found and are part of an attack: on a scanner's path, with a keyword,
/// or by a client that has asked for three of the scanners' paths.
pub(crate) struct AiAnomaly {
    model: ArcSwapOption<Box<dyn AnomalyModel>>,
    learner: Option<KeywordLearner>,
    window: Duration,
}

/// What is remembered of one client.
#[derive(Debug, Default)]
pub(crate) struct ClientBehavior {
    /// `None` until the first response.
    history: Option<ClientHistory>,
    /// Boxed, for hardly any client has one.
    flag: Option<Box<Flag>>,
}

#[derive(Debug)]
struct Flag {
    since: Timestamp,
    evidence: AnomalyEvidence,
}

impl BuiltIn for AiAnomaly {
    type Settings = AiAnomalySettings;

    fn build(settings: &AiAnomalySettings, inputs: &Inputs<'_>) -> Result<Self, DetectorError> {
        Ok(Self::new(settings, inputs.never_learned.iter().cloned()))
    }
}

impl Detector for AiAnomaly {
    type Client = ClientBehavior;
    type Request = ();

    /// Blocks a client that is flagged.
    fn head(&self, head: &Head<'_>, client: &mut ClientBehavior, (): &mut ()) -> Option<Finding> {
        let evidence = client.flagged(head.context.time, self.window)?;
        Some(finding(evidence))
    }

    /// Notes a response, flags its client if need be, and learns keywords.
    fn response(&self, response: &Response<'_>, client: &mut ClientBehavior) {
        let is_ordinary = response.outcome.status < 400;
        let event = event(response, is_ordinary);
        let history = client.history.get_or_insert_with(|| ClientHistory::new(self.window));
        // Below 400 there is nothing to judge, so nothing that only a judgement needs is worked out.
        let row = (!is_ordinary).then(|| features(&event, history));
        history.record_hashed(&event, response.context.path_hash);
        let Some(row) = row else {
            if let Some(learner) = &self.learner
                && response.is_new_path
            {
                learner.answered(event.path);
            }
            return;
        };
        let evidence = history.evidence();
        let suspicion = suspicion(&evidence, history.refused());
        if let Some(evidence) = self.confirm(&row, evidence, suspicion)
            && client.flagged(event.time, self.window).is_none()
        {
            client.flag = Some(Box::new(Flag { since: event.time, evidence }));
        }
        if event.is_scanning() {
            response.note(finding(evidence).with_evidence(Evidence::MEDIUM));
        }
        // A route that takes any path says nothing about this one, nor do its misses.
        let is_catch_all = response.route.is_some_and(|pattern| pattern.contains("{*"));
        if let Some(learner) = &self.learner
            && !is_catch_all
            && is_part_of_attack(&event, evidence.scanning)
        {
            let is_keyword = |word: &str| response.lists.keywords.is_in_force(word, event.time);
            let learned = learner.probed(response.client(), event.time, event.path, is_keyword);
            response.learn(learned);
        }
    }
}

impl ClientMemory for ClientBehavior {
    fn heap_bytes(&self) -> usize {
        let flag = if self.flag.is_some() { size_of::<Flag>() } else { 0 };
        self.history.as_ref().map_or(0, ClientHistory::heap_bytes) + flag
    }
}

impl AiAnomaly {
    /// `exempt` are words in lower case that are never learned.
    pub(crate) fn new(settings: &AiAnomalySettings, exempt: impl IntoIterator<Item = String>) -> Self {
        let learner = settings
            .learn_keywords
            .then(|| KeywordLearner::new(settings.learn_min_clients, settings.dynamic_top_n, exempt));
        Self { model: ArcSwapOption::empty(), learner, window: settings.window }
    }

    /// Replaces the model, from the next response on.
    pub(crate) fn set_model(&self, model: Option<Box<dyn AnomalyModel>>) {
        self.model.store(model.map(Arc::new));
    }

    /// The evidence, with the model's score if that was asked, if the client is to be flagged. Only clients that
    /// are suspicious anyway are scored.
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

impl ClientBehavior {
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

fn finding(evidence: AnomalyEvidence) -> Finding {
    Finding::block(Protection::AiAnomaly, Reason::Anomaly(evidence))
}

const CLOCK_TOLERANCE: Duration = Duration::from_mins(1);

/// The part of a response that behavior consists of. Of an ordinary one, what only a judgement needs is left out.
fn event<'r>(response: &'r Response<'_>, is_ordinary: bool) -> ClientEvent<'r> {
    let facts = response.context.facts;
    ClientEvent {
        time: response.time(),
        path: response.path(),
        status: response.outcome.status,
        response_time: response.outcome.response_time,
        keyword_hits: if is_ordinary { 0 } else { response.keyword_hits() },
        known_path: !is_ordinary && response.is_known_path(),
        from_own_site: facts.has(Facts::FROM_OWN_SITE),
        embedded: facts.has(Facts::EMBEDDED),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::detect::tests::{Exchange, Kept};
    use crate::lists::{KeywordEntry, KeywordSource, Lists, Snapshot, SnapshotSettings};

    const SCANS: [&str; 6] =
        ["/wp-admin", "/.env", "/.git/config", "/phpmyadmin", "/backup.sql", "/cgi-bin/x"];

    /// Three words that a person has added.
    static KEYWORDS: LazyLock<Snapshot> = LazyLock::new(|| {
        let keyword = |keyword: &str| KeywordEntry {
            keyword: keyword.into(),
            count: 0,
            source: KeywordSource::Manual,
            added: None,
        };
        let lists = Lists { keywords: ["zig", "zag", "zog"].map(keyword).into(), ..Lists::default() };
        Snapshot::new(&lists, &SnapshotSettings::default())
    });

    fn anomaly() -> Kept<AiAnomaly> {
        Kept::new(AiAnomaly::new(&AiAnomalySettings::default(), []))
    }

    impl Kept<AiAnomaly> {
        fn answer(&mut self, exchange: &Exchange, status: u16) -> Vec<String> {
            self.response(exchange, status).into_iter().map(|entry| entry.keyword).collect()
        }

        fn judge(&mut self, exchange: &Exchange) -> Option<AnomalyEvidence> {
            self.head(exchange).map(|finding| match finding.reason {
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
        let mut anomaly = anomaly();
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
        let mut anomaly = anomaly();
        for path in SCANS {
            anomaly.answer(&Exchange::get(path), 404);
        }
        assert!(anomaly.judge(&Exchange::get("/")).is_some());
        assert_eq!(anomaly.judge(&Exchange::get("/").at(-3600.0)), None);
    }

    #[test]
    fn one_request_over_and_over_is_no_proof() {
        let mut anomaly = anomaly();
        for request in 0..100 {
            anomaly.answer(&Exchange::get("/wp-admin").at(f64::from(request)), 404);
        }
        assert_eq!(anomaly.judge(&Exchange::get("/").at(100.0)), None);
    }

    #[test]
    fn misses_alone_are_no_proof() {
        let guess = |caused: bool| {
            let mut anomaly = anomaly();
            for number in 0..400 {
                let request = Exchange::get(format!("/guess{number}")).at(f64::from(number));
                let request = if caused {
                    request.header("host", "shop.example").header("referer", "https://shop.example/gallery")
                } else {
                    request
                };
                anomaly.answer(&request, 404);
            }
            anomaly.judge(&Exchange::get("/").at(401.0)).is_some()
        };
        assert!(!guess(false));
        assert!(!guess(true));
    }

    #[test]
    fn readers_whose_page_embeds_a_scanners_paths_are_left_alone() {
        let mut anomaly = anomaly();
        for path in SCANS {
            anomaly.answer(&Exchange::get(path).header("sec-fetch-dest", "image"), 404);
        }
        assert_eq!(anomaly.judge(&Exchange::get("/")), None);
    }

    #[test]
    fn what_the_site_answers_or_knows_is_no_probing() {
        let mut anomaly = anomaly();
        anomaly.detector.set_model(Some(Box::new(Oracle { score: 1.0, asked: Arc::default() })));
        for request in 0..200 {
            let path = format!("/catalog/{request}/zig/zag/zog");
            let exchange = Exchange::get(&path).at(f64::from(request) * 0.05).lists(&KEYWORDS);
            anomaly.answer(&exchange, 200);
            anomaly.answer(&exchange.known(), 404);
        }
        assert_eq!(anomaly.judge(&Exchange::get("/").at(10.0)), None);
    }

    #[test]
    fn keyword_hits_are_proof_after_five_requests() {
        let mut anomaly = anomaly();
        for request in 0..5 {
            assert_eq!(anomaly.judge(&Exchange::get("/")), None, "{request}");
            anomaly.answer(&Exchange::get("/nowhere/zig/zag").lists(&KEYWORDS), 404);
        }
        assert_eq!(anomaly.judge(&Exchange::get("/")).unwrap().keyword_hits.to_bits(), 2f32.to_bits());
    }

    #[test]
    fn a_model_needs_an_indicator_and_an_indicator_a_model() {
        let asked = Arc::new(AtomicU32::new(0));
        let flagged = |score: f64, scans: usize| {
            let mut anomaly = anomaly();
            anomaly.detector.set_model(Some(Box::new(Oracle { score, asked: Arc::clone(&asked) })));
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
        let mut anomaly = anomaly();
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
        let mut anomaly = anomaly();
        assert!(anomaly.answer(&Exchange::get("/phpmyadmin/evilshell").from(1), 404).is_empty());
        assert!(anomaly.answer(&Exchange::get("/phpmyadmin/evilshell").from(2), 404).is_empty());
        let learned = anomaly.answer(&Exchange::get("/x/evilshell?zig").lists(&KEYWORDS).from(3), 404);
        assert_eq!(learned, ["evilshell"]);
        // A page that embeds such a path makes no teachers of its readers.
        for number in 4..10 {
            let embedded =
                Exchange::get("/phpmyadmin/victimword").header("sec-fetch-dest", "image").from(number);
            assert!(anomaly.answer(&embedded, 404).is_empty());
        }
        let off = AiAnomalySettings { learn_keywords: false, ..AiAnomalySettings::default() };
        let mut anomaly = Kept::new(AiAnomaly::new(&off, []));
        for number in 0..10 {
            assert!(anomaly.answer(&Exchange::get("/phpmyadmin/evilshell").from(number), 404).is_empty());
        }
    }
}
