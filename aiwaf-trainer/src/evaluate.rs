//! What would have been caught: the held-back part of the log, played to an engine that knows what was learned before.

use std::collections::HashMap;
use std::time::Duration;

use aiwaf_core::{
    AccessRecord, AnomalyModel, BanSource, BlacklistEntry, BuildError, ClientKey, Engine, FEATURE_COUNT,
    KeywordEntry, KeywordSource, Lists, Mode, Outcome, Protection, Reason, RecordedRequest, Request,
    RoutePolicy, Timestamp,
};
use aiwaf_ml::{RequestModel, roc_auc};
use foldhash::quality::RandomState;
use serde::Serialize;

use crate::bans::TrainedBan;
use crate::clients::shown;
use crate::keywords::LearnedKeyword;
use crate::options::TrainingOptions;

/// What would have become of the clients in the part of the log that was held back.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct HeldOut {
    /// Requests that were held back: the latest.
    pub requests: u64,
    /// Clients in them.
    pub clients: u64,
    /// Clients that asked in vain for three different paths that only scanners ask for.
    pub scanners: u64,
    /// Of these, turned away sooner or later.
    pub scanners_caught: u64,
    /// Scanners that the part before does not know.
    pub new_scanners: u64,
    /// Of these, turned away.
    pub new_scanners_caught: u64,
    /// How many requests a caught scanner got through first, on average.
    pub mean_requests_before: f64,
    /// Clients that asked for nothing that only scanners ask for, whatever the answer, sent no keyword to unknown paths in
    /// vain, got answers, and were refused at most a quarter of what they asked for.
    pub ordinary: u64,
    /// Of these, turned away: people who would have been hit.
    pub ordinary_hit: u64,
    /// Who of them, and why: the first ten.
    pub hit: Vec<HitClient>,
    /// Clients that were caught, by what caught them first: `ban`, `learned_keyword`, `keyword`, `behavior`, `other`.
    pub caught_by: std::collections::BTreeMap<String, u64>,
    /// How probable it is that the model finds a scanner's request stranger than an ordinary client's: 1 is always, 0.5 is
    /// no better than chance. None if there was no model or none of a kind.
    pub model_auc: Option<f64>,
}

/// An ordinary client that would have been turned away.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HitClient {
    /// Its address, network or name.
    pub client: String,
    /// Why.
    pub reason: String,
    /// The request at which that happened.
    pub target: String,
}

/// The share of the lines before the held-back part from which the engine learns which paths the site answers.
pub(crate) const WARM_UP: f64 = 0.1;

/// An engine that judges the held-back part.
pub(crate) struct Evaluation {
    engine: Engine,
    model: Option<RequestModel>,
    learned: Vec<String>,
    judging: bool,
    clients: HashMap<ClientKey, Held, RandomState>,
    scored: Vec<(f64, ClientKey)>,
    requests: u64,
}

/// A client of the held-back part.
#[derive(Default)]
struct Held {
    is_new: bool,
    requests: u64,
    answered: u64,
    refused: u64,
    keyword_misses: u64,
    /// Whether it asked for such a path at all.
    has_scanned: bool,
    scanning: Vec<Box<[u8]>>,
    caught: Option<Caught>,
}

struct Caught {
    requests_before: u64,
    by: &'static str,
    reason: String,
    target: Box<str>,
    name: String,
}

const MAX_CLIENTS: usize = 100_000;
const MAX_SCORED: usize = 200_000;
const SCANNER: usize = 3;

impl Evaluation {
    /// An engine as a service would have it, of which only the protections that learn run: what the others turn away is
    /// not the training's merit.
    pub(crate) fn new(options: &TrainingOptions) -> Result<Self, BuildError> {
        let mut settings = options.settings.clone();
        settings.ai_anomaly.learn_keywords = false;
        settings.ai_anomaly.mode = Mode::Enforce;
        settings.ip_keyword_block.mode = Mode::Enforce;
        let mut builder = Engine::builder()
            .settings(settings)
            .only([Protection::IpKeywordBlock, Protection::AiAnomaly])
            .lists(options.lists.clone());
        for route in &options.routes {
            builder = builder.route(route.clone(), RoutePolicy::default());
        }
        Ok(Self {
            engine: builder.build()?,
            model: None,
            learned: Vec::new(),
            judging: false,
            clients: HashMap::default(),
            scored: Vec::new(),
            requests: 0,
        })
    }

    /// From now on what comes is judged by what was learned so far.
    pub(crate) fn begin(
        &mut self,
        options: &TrainingOptions,
        bans: &[TrainedBan],
        keywords: &[LearnedKeyword],
        model: Option<RequestModel>,
        time: Timestamp,
    ) {
        self.judging = true;
        self.learned = keywords.iter().map(|learned| learned.keyword.clone()).collect();
        let lists = with_learned(&options.lists, bans, keywords, time);
        self.engine.publish(&lists, 0);
        self.engine.set_model(model.clone().map(|model| Box::new(model) as Box<dyn AnomalyModel>));
        self.model = model;
    }

    /// Plays a request. `is_new` says that the part before does not know the client.
    pub(crate) fn play(
        &mut self,
        record: &AccessRecord<'_>,
        recorded: &RecordedRequest<'_>,
        features: Option<&[f64; FEATURE_COUNT]>,
        name: impl FnOnce() -> String,
        is_new: impl FnOnce() -> bool,
    ) {
        // A client that the log names gets an address that nobody has.
        let address = record.client.address().unwrap_or_else(|| recorded.client.network(128).addr());
        let method = std::str::from_utf8(&record.method).unwrap_or_default();
        let headers: Vec<(&str, &[u8])> = [("user-agent", &record.user_agent), ("referer", &record.referer)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
            .collect();
        let request = Request::new(address, record.time)
            .with_method(method)
            .with_uri(&*record.target)
            .with_headers(&headers);
        let taken = record.response_time.unwrap_or(Duration::ZERO);
        let outcome = Outcome::new(record.status, taken);
        if !self.judging {
            if recorded.is_observed {
                self.engine.observe(&request, &outcome);
            }
            return;
        }
        self.requests += 1;
        if self.clients.len() >= MAX_CLIENTS && !self.clients.contains_key(&recorded.client) {
            return;
        }
        let held = self
            .clients
            .entry(recorded.client)
            .or_insert_with(|| Held { is_new: is_new(), ..Held::default() });
        held.note(recorded);
        if let (Some(model), Some(features)) = (&self.model, features)
            && self.scored.len() < MAX_SCORED
        {
            self.scored.push((model.score(features), recorded.client));
        }
        let mut transaction = self.engine.begin(&request);
        self.engine.request_head(&mut transaction, &request);
        if transaction.is_allowed() {
            if recorded.is_observed {
                self.engine.response(&mut transaction, &request, &outcome);
            }
            return;
        }
        let verdict = transaction.verdict();
        if held.caught.is_none() {
            let finding = verdict.finding.as_ref();
            let by = finding.map_or("other", |finding| match &finding.reason {
                Reason::Blacklisted(_) => "ban",
                Reason::Keyword(word) if self.learned.iter().any(|learned| *learned == **word) => {
                    "learned_keyword"
                }
                Reason::Keyword(_) => "keyword",
                Reason::Anomaly(_) => "behavior",
                _ => "other",
            });
            held.caught = Some(Caught {
                requests_before: held.requests - 1,
                by,
                reason: finding.map(|finding| finding.reason.to_string()).unwrap_or_default(),
                target: shown(&record.target, 120),
                name: name(),
            });
        }
    }

    /// What became of everybody.
    #[allow(clippy::cast_precision_loss)] // counts
    pub(crate) fn finish(self) -> Option<HeldOut> {
        if !self.judging || self.requests == 0 {
            return None;
        }
        let mut result =
            HeldOut { requests: self.requests, clients: self.clients.len() as u64, ..HeldOut::default() };
        let mut before = 0;
        let mut hit: Vec<HitClient> = Vec::new();
        for held in self.clients.values() {
            if let Some(caught) = &held.caught {
                *result.caught_by.entry(caught.by.to_owned()).or_default() += 1;
            }
            if held.is_scanner() {
                result.scanners += 1;
                result.new_scanners += u64::from(held.is_new);
                if let Some(caught) = &held.caught {
                    result.scanners_caught += 1;
                    result.new_scanners_caught += u64::from(held.is_new);
                    before += caught.requests_before;
                }
            } else if held.is_ordinary() {
                result.ordinary += 1;
                if let Some(caught) = &held.caught {
                    result.ordinary_hit += 1;
                    hit.push(HitClient {
                        client: caught.name.clone(),
                        reason: caught.reason.clone(),
                        target: caught.target.to_string(),
                    });
                }
            }
        }
        hit.sort_by(|one, other| one.client.cmp(&other.client));
        hit.truncate(10);
        result.hit = hit;
        result.mean_requests_before = before as f64 / result.scanners_caught.max(1) as f64;
        let (scores, labels): (Vec<f64>, Vec<bool>) = self
            .scored
            .iter()
            .filter_map(|(score, key)| {
                let held = self.clients.get(key)?;
                (held.is_scanner() || held.is_ordinary()).then(|| (*score, held.is_scanner()))
            })
            .unzip();
        result.model_auc = roc_auc(&scores, &labels);
        Some(result)
    }
}

impl Held {
    fn note(&mut self, recorded: &RecordedRequest<'_>) {
        let event = &recorded.event;
        self.requests += 1;
        self.answered += u64::from(event.status < 400);
        self.refused += u64::from(event.status >= 400);
        let is_scanning = aiwaf_core::is_scanning_path(event.path);
        self.has_scanned |= is_scanning;
        if event.status >= 400 && !event.known_path {
            self.keyword_misses += u64::from(event.keyword_hits > 0);
            if self.scanning.len() < SCANNER
                && is_scanning
                && !self.scanning.iter().any(|path| **path == *event.path)
            {
                self.scanning.push(event.path.into());
            }
        }
    }

    fn is_scanner(&self) -> bool {
        self.scanning.len() >= SCANNER
    }

    fn is_ordinary(&self) -> bool {
        !self.has_scanned
            && self.keyword_misses == 0
            && self.answered > 0
            && self.refused * 4 <= self.requests
    }
}

/// The lists with what was learned.
fn with_learned(lists: &Lists, bans: &[TrainedBan], keywords: &[LearnedKeyword], time: Timestamp) -> Lists {
    let mut lists = lists.clone();
    lists.blacklist.extend(bans.iter().map(|ban| BlacklistEntry {
        source: BanSource::Trainer,
        ..BlacklistEntry::manual(ban.network, ban.reason.clone(), time)
    }));
    lists.keywords.extend(keywords.iter().map(|learned| KeywordEntry {
        keyword: learned.keyword.clone(),
        count: learned.count,
        source: KeywordSource::Learned,
        added: Some(time),
    }));
    lists
}
