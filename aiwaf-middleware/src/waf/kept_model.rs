//! The model of an engine, kept as its file is.

use std::fmt::Display;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use aiwaf_core::{AiAnomalySettings, Engine, Timestamp};
use aiwaf_ml::{ModelChange, ModelWatch, RequestModel};
use parking_lot::Mutex;

use super::Clock;
use crate::request_log::{Event, RequestLog};

/// Looks after the model file in a thread of its own, every two seconds. A model that is new is in force for the next
/// request; requests never wait for it.
pub(super) struct KeptModel {
    state: Arc<Mutex<State>>,
    thread: Mutex<Option<(mpsc::Sender<()>, JoinHandle<()>)>>,
}

struct State {
    watch: ModelWatch,
    engine: Weak<Engine>,
    log: Option<Arc<RequestLog>>,
    clock: Clock,
    /// When the file was last read although it looked as before.
    looked_closely: Timestamp,
    /// Whether a model of this file judges.
    is_used: bool,
    /// What was last said to be wrong; the same is not said again.
    said: Option<String>,
}

impl KeptModel {
    /// Starts the thread.
    pub(super) fn start(
        watch: ModelWatch,
        engine: &Arc<Engine>,
        log: Option<Arc<RequestLog>>,
        clock: &Clock,
    ) -> io::Result<Self> {
        let state = State {
            watch,
            engine: Arc::downgrade(engine),
            log,
            clock: Arc::clone(clock),
            looked_closely: clock(),
            is_used: false,
            said: None,
        };
        let state = Arc::new(Mutex::new(state));
        let (stop, stopped) = mpsc::channel();
        let watched = Arc::clone(&state);
        let thread = thread::Builder::new().name("aiwaf-model".into()).spawn(move || {
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                watched.lock().look();
            }
        })?;
        Ok(Self { state, thread: Mutex::new(Some((stop, thread))) })
    }

    /// Loads the model, if there is one. One that is missing or can't be used is no error: keywords and behaviour alone
    /// decide then.
    pub(super) fn first_look(&self) {
        let mut state = self.state.lock();
        if !state.look() {
            let path = state.watch.path().display();
            state.say("model_missing", &[("path", &path), ("message", &"it is used as soon as it is there")]);
        }
    }

    /// Looks at the file now.
    pub(super) fn look(&self) {
        self.state.lock().look();
    }

    /// Ends the thread; safe to call twice.
    pub(super) fn shutdown(&self) {
        let Some((stop, thread)) = self.thread.lock().take() else { return };
        drop(stop);
        if thread.join().is_err() {
            eprintln!("aiwaf: the thread that looks after the model has panicked");
        }
    }
}

/// How soon a new model is noticed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl State {
    /// Takes up what has changed; whether anything was there to speak of.
    fn look(&mut self) -> bool {
        let Some(engine) = self.engine.upgrade() else { return true };
        let settings = &engine.settings().ai_anomaly;
        let now = (self.clock)();
        // A clock that was set back counts as well.
        let is_due =
            now.since(self.looked_closely).max(self.looked_closely.since(now)) >= settings.check_interval;
        let change = if is_due {
            self.looked_closely = now;
            self.watch.look_closely()
        } else {
            self.watch.look()
        };
        match change {
            None => return false,
            Some(ModelChange::Loaded(model)) => self.take(model, &engine, settings),
            Some(ModelChange::Gone) => {
                self.said = None;
                if std::mem::take(&mut self.is_used) {
                    engine.set_model(None);
                    self.say(
                        "model_gone",
                        &[
                            ("path", &self.watch.path().display()),
                            ("message", &"keywords and behaviour alone decide until it is back"),
                        ],
                    );
                }
            }
            Some(ModelChange::Unusable(error)) => self.report(&error),
        }
        true
    }

    fn take(&mut self, model: RequestModel, engine: &Engine, settings: &AiAnomalySettings) {
        let trained = model.trained();
        let lines = trained.training().log_lines;
        if lines < settings.min_ai_logs && !settings.force_ai {
            self.report(&format!(
                "it was trained from {lines} log lines, fewer than the {} of ai_anomaly.min_ai_logs: train it from more, \
                 or set ai_anomaly.force_ai (AIWAF_FORCE_AI)",
                settings.min_ai_logs
            ));
            return;
        }
        let (training, forest) = (trained.training().clone(), trained.forest());
        let (trees, threshold) = (forest.trees(), forest.threshold());
        engine.set_model(Some(Box::new(model)));
        self.is_used = true;
        self.said = None;
        self.say(
            "model_loaded",
            &[
                ("path", &self.watch.path().display()),
                ("trained_at", &training.trained_at),
                ("log_lines", &training.log_lines),
                ("trees", &trees),
                ("threshold", &threshold),
            ],
        );
    }

    /// Says once that the file can't be used.
    fn report(&mut self, problem: &dyn Display) {
        let meanwhile = if self.is_used { "the model before it stays in force" } else { "no model is used" };
        let message =
            format!("the model {} can't be used, so {meanwhile}: {problem}", self.watch.path().display());
        if self.said.as_ref() == Some(&message) {
            return;
        }
        eprintln!("aiwaf: {message}");
        self.say("model_unusable", &[("message", &message)]);
        self.said = Some(message);
    }

    fn say(&self, name: &'static str, details: &[(&'static str, &dyn Display)]) {
        if let Some(log) = &self.log {
            log.event((self.clock)(), &Event::Other { name, details });
        }
    }
}
