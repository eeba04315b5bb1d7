//! The training itself: one pass over the logs.

use std::path::Path;

use aiwaf_core::{
    AnomalyModel, Engine, FEATURE_COUNT, Mode, Protection, RecordBuffers, RoutePolicy, Timestamp, features,
};
use aiwaf_ml::RequestModel;

use crate::bans::{Judgement, judge, name_of};
use crate::clients::{Clients, shown};
use crate::error::TrainingError;
use crate::evaluate::{Evaluation, WARM_UP};
use crate::keywords::KeywordCollector;
use crate::model::{Fitted, ModelPlan, ModelReport, StrangeClient, fit, histogram};
use crate::options::TrainingOptions;
use crate::own_site::OwnSite;
use crate::progress::Progress;
use crate::report::TrainingReport;
use crate::sample::{Reservoir, SampledRow};
use crate::sources::{LogLine, ReadSummary, Sources};
use crate::traffic::TrafficCounter;
use crate::whitelist::Whitelist;

/// Learns from logs: which words and which clients mean an attack, and a model of ordinary requests.
///
/// One pass over the lines, after their number was counted. Memory does not grow with it: each client is a
/// fixed amount of state, and of clients, words, hosts and rows only so many are kept; see [`TrainingOptions`].
///
/// ```
/// use aiwaf_trainer::{Sources, Training, TrainingOptions};
///
/// let mut log = String::new();
/// for (number, path) in ["/.env", "/wp-login.php", "/.git/config", "/phpmyadmin/", "/backup.sql", "/cgi-bin/x"].iter().enumerate() {
///     log += &format!("203.0.113.9 - - [14/Sep/2025:15:02:{number:02} +0000] \"GET {path} HTTP/1.1\" 404 9 \"-\" \"x\"\n");
/// }
/// let mut sources = Sources::new();
/// sources.add_reader("access.log", std::io::Cursor::new(log));
/// let options = TrainingOptions { min_lines: 5, ..TrainingOptions::default() };
/// let report = Training::new(options).run(sources, &mut ())?;
/// assert_eq!(report.bans[0].client, "203.0.113.9");
/// assert!(report.bans[0].reason.starts_with("Scanning"));
/// # Ok::<(), aiwaf_trainer::TrainingError>(())
/// ```
pub struct Training {
    options: TrainingOptions,
}

impl Training {
    /// With these options.
    pub fn new(options: TrainingOptions) -> Self {
        Self { options }
    }

    /// Reads the logs and learns from them. Nothing is changed anywhere: that is for
    /// [`TrainingReport::apply`].
    ///
    /// # Errors
    /// [`TrainingError`] if there is nothing to read, no line can be read, an option is out of its range, or the
    /// settings make no sense. Lines and files that can't be read are no errors; the report has them.
    pub fn run(self, sources: Sources, progress: &mut dyn Progress) -> Result<TrainingReport, TrainingError> {
        self.check()?;
        let names: Vec<String> = sources.files().map(|file| file_name(&file.path)).collect();
        let held_from = self.held_from(&sources, progress);
        let mut run = Run::new(&self.options, held_from)?;
        progress.begin("reading");
        let mut failure = None;
        let summary = sources.read(progress, |line| {
            if failure.is_none() {
                failure = run.line(&line).err();
            }
        })?;
        if let Some(error) = failure {
            return Err(error);
        }
        if summary.parsed == 0 {
            let sample = summary.unparsed.samples.first().map(|sample| sample.text.clone());
            return Err(TrainingError::NothingRead {
                lines: summary.lines,
                sample: sample.unwrap_or_default(),
            });
        }
        progress.begin("learning");
        run.finish(summary, names)
    }

    fn check(&self) -> Result<(), TrainingError> {
        let TrainingOptions { hold_out, max_rows, max_clients, .. } = self.options;
        let wrong = |name, value, allowed| Err(TrainingError::Option { name, value, allowed });
        if !(0.0..=0.5).contains(&hold_out) {
            return wrong("hold_out", hold_out.to_string(), "from 0 to 0.5");
        }
        if !(256..=10_000_000).contains(&max_rows) {
            return wrong("max_rows", max_rows.to_string(), "from 256 to 10,000,000");
        }
        if !(64..=10_000_000).contains(&max_clients) {
            return wrong("max_clients", max_clients.to_string(), "from 64 to 10,000,000");
        }
        Ok(())
    }

    /// The number of the line, from 0, with which the held-back part begins, and of the one with which the engine that
    /// judges it begins to look on. `None` if nothing is held back, or nobody knows how many lines there are.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of a count
    fn held_from(&self, sources: &Sources, progress: &mut dyn Progress) -> Option<(u64, u64)> {
        if self.options.hold_out <= 0.0 {
            return None;
        }
        progress.begin("counting");
        let lines = sources.count_lines().filter(|lines| *lines >= self.options.min_lines)? as f64;
        let share = 1.0 - self.options.hold_out;
        Some(((lines * (share - WARM_UP)) as u64, (lines * share) as u64))
    }
}

/// Names of directories say more of a machine than a model should.
fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// All state of a training.
struct Run<'o> {
    options: &'o TrainingOptions,
    engine: Engine,
    buffers: RecordBuffers,
    clients: Clients,
    keywords: KeywordCollector,
    own_site: OwnSite,
    sample: Reservoir,
    traffic: TrafficCounter,
    whitelist: Whitelist,
    held_from: Option<(u64, u64)>,
    evaluation: Option<Evaluation>,
    requests: u64,
    denied: u64,
    newest: Timestamp,
}

impl<'o> Run<'o> {
    fn new(options: &'o TrainingOptions, held_from: Option<(u64, u64)>) -> Result<Self, TrainingError> {
        let mut settings = options.settings.clone();
        settings.ai_anomaly.mode = Mode::Enforce;
        settings.ip_keyword_block.mode = Mode::Enforce;
        let mut builder = Engine::builder()
            .settings(settings)
            .only([Protection::IpKeywordBlock, Protection::AiAnomaly])
            .lists(options.lists.clone());
        for route in &options.routes {
            builder = builder.route(route.clone(), RoutePolicy::default());
        }
        let settings = &options.settings;
        Ok(Self {
            engine: builder.build()?,
            buffers: RecordBuffers::default(),
            clients: Clients::new(options.max_clients, settings.ai_anomaly.window),
            keywords: KeywordCollector::new(settings, &options.routes),
            own_site: OwnSite::new(),
            sample: Reservoir::new(options.max_rows, options.seed),
            traffic: TrafficCounter::new(),
            whitelist: Whitelist::new(&options.lists),
            held_from,
            evaluation: None,
            requests: 0,
            denied: 0,
            newest: Timestamp::from_unix_micros(i64::MIN),
            options,
        })
    }

    /// Takes a request.
    fn line(&mut self, line: &LogLine<'_>) -> Result<(), TrainingError> {
        let record = &line.record;
        self.move_on(record.time, line.lines_before)?;
        let mut recorded = self.engine.recorded(record, &mut self.buffers);
        let is_error = record.status >= 400;
        let referer = record.referer.as_deref();
        if is_error {
            recorded.event.from_own_site = referer.is_some_and(|referer| self.own_site.is_own(referer));
        } else if (200..400).contains(&record.status) {
            self.own_site.answered(&record.target, referer);
            self.keywords.answered(recorded.event.path);
        }
        let is_scanning =
            is_error && !recorded.event.known_path && aiwaf_core::is_scanning_path(recorded.event.path);
        self.traffic.add(record.time, is_error, is_scanning);
        self.denied += u64::from(record.block.as_ref().is_some_and(|mark| !mark.monitored));

        let is_new = self.evaluation.is_some() && self.clients.find(recorded.client).is_none();
        let client = self.clients.get(recorded.client, record);
        let mut row = None;
        if recorded.is_observed && !recorded.is_whitelisted {
            let features = features(&recorded.event, &client.history);
            client.history.record(&recorded.event);
            client.judge(record, &recorded, &features);
            row = Some(features);
            let is_confirmed = client.suspect.as_ref().is_some_and(|suspect| suspect.is_confirmed_scanner());
            let event = &recorded.event;
            // Refused for lack of a password, or for asking too often, says nothing about what was asked for.
            let is_failure = is_error && !matches!(event.status, 401 | 429) && !event.known_path;
            if is_failure
                && client.crawler.is_none()
                && (event.keyword_hits > 0 || is_scanning || is_confirmed)
            {
                self.keywords.probed(recorded.client, event.path, event.keyword_hits > 0, &self.engine);
            }
            let (key, has_time) = (recorded.client, record.response_time.is_some());
            self.sample.offer(|| SampledRow {
                features: with_missing_time(features, has_time),
                client: key,
                target: shown(&record.target, 96),
            });
        }
        if let Some(evaluation) = &mut self.evaluation {
            let ipv6_prefix = self.options.settings.client.ipv6_prefix;
            let (clients, key) = (&self.clients, recorded.client);
            let name = || name_of(key, clients.find(key), ipv6_prefix);
            evaluation.play(record, &recorded, row.as_ref(), name, || is_new);
        }
        Ok(())
    }

    /// Counts a request, and begins the held-back part when its time has come.
    fn move_on(&mut self, time: Timestamp, lines: u64) -> Result<(), TrainingError> {
        if let Some((warm_up, judge_from)) = self.held_from {
            if lines >= warm_up && self.evaluation.is_none() {
                self.evaluation = Some(Evaluation::new(self.options)?);
            }
            if lines >= judge_from {
                self.held_from = None;
                // This part is as much smaller as what is held back of the whole.
                let min_lines = min_ai_lines(self.options, 1.0 - self.options.hold_out);
                let fitted = self.model(min_lines, self.requests, Vec::new())?;
                let model = fitted.ok().map(|fitted| fitted.model);
                let judgement = self.judgement(model.as_ref());
                let keywords = self.keywords.learned(&self.engine);
                if let Some(evaluation) = &mut self.evaluation {
                    evaluation.begin(self.options, &judgement.bans, &keywords, model, time);
                }
            }
        }
        self.requests += 1;
        self.newest = self.newest.max(time);
        Ok(())
    }

    fn judgement(&self, model: Option<&RequestModel>) -> Judgement {
        let model = model.map(|model| model as &dyn AnomalyModel);
        let ipv6_prefix = self.options.settings.client.ipv6_prefix;
        judge(&self.clients, model, &self.whitelist, ipv6_prefix, self.options.ban_private)
    }

    /// A model of the `lines` that were read so far, or why there is none.
    fn model(
        &self,
        min_lines: u64,
        lines: u64,
        log_sources: Vec<String>,
    ) -> Result<Result<Fitted, String>, TrainingError> {
        let settings = &self.options.settings.ai_anomaly;
        if self.options.disable_ai {
            return Ok(Err("switched off".to_owned()));
        }
        if lines < min_lines && !settings.force_ai {
            return Ok(Err(format!("{lines} requests are fewer than the {min_lines} of AIWAF_MIN_AI_LOGS")));
        }
        if self.sample.rows().is_empty() {
            return Ok(Err("no request is one that the model would see".to_owned()));
        }
        let plan = ModelPlan {
            contamination: settings.contamination,
            seed: self.options.seed,
            trained_at: self.options.trained_at.unwrap_or(self.newest),
            log_lines: lines,
            log_sources,
        };
        fit(&self.sample, &plan).map(Ok)
    }

    fn finish(mut self, summary: ReadSummary, names: Vec<String>) -> Result<TrainingReport, TrainingError> {
        let held_out = self.evaluation.take().and_then(Evaluation::finish);
        let enough = summary.parsed >= self.options.min_lines;
        let fitted = if enough {
            self.model(min_ai_lines(self.options, 1.0), summary.parsed, names)?
        } else {
            Err(format!("{} requests are fewer than {}", summary.parsed, self.options.min_lines))
        };
        let (model, model_report) = match fitted {
            Ok(fitted) => {
                let report = self.model_report(&fitted);
                (Some(fitted.model), report)
            }
            Err(reason) => (None, ModelReport { reason: Some(reason), ..ModelReport::default() }),
        };
        let (judgement, keywords) = if enough {
            (self.judgement(model.as_ref()), self.keywords.learned(&self.engine))
        } else {
            (Judgement::default(), Vec::new())
        };
        let pointless: Vec<_> =
            self.whitelist.pointless_bans(&self.options.lists).into_iter().cloned().collect();
        Ok(TrainingReport {
            enough,
            min_lines: self.options.min_lines,
            clients: self.clients.count(),
            denied: self.denied,
            whitelisted: self.options.lists.whitelist.len() as u64,
            traffic: self.traffic.finish(),
            bans: judgement.bans,
            spared: judgement.spared,
            keywords,
            model: model_report,
            held_out,
            ..TrainingReport::new(summary, model, pointless, self.options.settings.bans.duration)
        })
    }

    fn model_report(&self, fitted: &Fitted) -> ModelReport {
        let trained = fitted.model.trained();
        let forest = trained.forest();
        let threshold = forest.threshold();
        ModelReport {
            trained: true,
            reason: None,
            features: trained.feature_names().to_vec(),
            rows: self.sample.rows().len() as u64,
            sampled_from: self.sample.seen(),
            rows_with_response_time: fitted.with_response_time,
            contamination: match forest.contamination() {
                aiwaf_ml::Contamination::Auto => None,
                aiwaf_ml::Contamination::Fraction(fraction) => Some(fraction),
            },
            threshold,
            anomalous_rows: fitted.scores.iter().filter(|score| **score > threshold).count() as u64,
            seed: forest.seed(),
            trees: forest.trees() as u64,
            sample_size: u64::from(forest.sample_size()),
            trained_at: trained.training().trained_at.to_string(),
            histogram: histogram(&fitted.scores),
            strangest: self.strangest(fitted, threshold),
        }
    }

    /// The clients of the sample with the strangest requests.
    fn strangest(&self, fitted: &Fitted, threshold: f64) -> Vec<StrangeClient> {
        let mut by_client = std::collections::BTreeMap::<_, (f64, usize, u64, u64)>::new();
        for (index, (row, &score)) in self.sample.rows().iter().zip(&fitted.scores).enumerate() {
            let seen = by_client.entry(row.client).or_insert((score, index, 0, 0));
            if score > seen.0 {
                (seen.0, seen.1) = (score, index);
            }
            seen.2 += u64::from(score > threshold);
            seen.3 += 1;
        }
        let mut order: Vec<_> = by_client.into_iter().collect();
        order.sort_by(|(key, one), (other_key, other)| {
            (other.0.total_cmp(&one.0)).then(other.2.cmp(&one.2)).then(key.cmp(other_key))
        });
        let prefix = self.options.settings.client.ipv6_prefix;
        order
            .into_iter()
            .take(MAX_STRANGEST)
            .filter_map(|(key, (score, index, anomalous_rows, rows))| {
                let values = fitted.rows.row(index).to_vec();
                Some(StrangeClient {
                    client: name_of(key, self.clients.find(key), prefix),
                    score,
                    anomalous_rows,
                    rows,
                    example: self.sample.rows().get(index)?.target.to_string(),
                    features: aiwaf_core::FEATURE_NAMES.map(str::to_owned).into_iter().zip(values).collect(),
                })
            })
            .collect()
    }
}

/// The fewest requests from which a model is fitted, if only this share of all is there.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of a count
fn min_ai_lines(options: &TrainingOptions, share: f64) -> u64 {
    (options.settings.ai_anomaly.min_ai_logs as f64 * share) as u64
}

const MAX_STRANGEST: usize = 10;

/// A response time that the log does not have is not zero.
fn with_missing_time(mut features: [f64; FEATURE_COUNT], has_time: bool) -> [f64; FEATURE_COUNT] {
    if !has_time
        && let Some(index) = aiwaf_core::FEATURE_NAMES.iter().position(|name| *name == "response_time")
        && let Some(slot) = features.get_mut(index)
    {
        *slot = f64::NAN;
    }
    features
}
