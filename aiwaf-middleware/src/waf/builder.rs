//! Building the firewall: settings to engine, lists and logs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use aiwaf_core::{
    CountryLookup, Engine, EngineBuilder, MaxMindCountries, Protection, RoutePolicy, Settings, Timestamp,
};
#[cfg(feature = "ml")]
use aiwaf_ml::ModelWatch;
#[cfg(feature = "storage")]
use aiwaf_storage::{LateStore, Store, StoreError};

#[cfg(feature = "storage")]
use super::kept_lists::KeptLists;
#[cfg(feature = "ml")]
use super::kept_model::KeptModel;
use super::{Aiwaf, Clock, Error, Shared};
use crate::client_address::ClientAddress;
use crate::request_log::RequestLog;
use crate::response::{DenyResponse, JsonDenyResponse};

/// Collects what an [`Aiwaf`] runs on.
///
/// ```
/// use aiwaf_middleware::{Aiwaf, Mode, Preset, Protection, RoutePolicy};
///
/// let builder = Aiwaf::builder()
///     .configure(|settings| {
///         settings.protections.preset = Some(Preset::Standard);
///         settings.header_validation.mode = Mode::Monitor;
///     })
///     .route("/metrics", RoutePolicy::exempt_from([Protection::RateLimit]));
/// # let _ = builder;
/// ```
#[must_use]
pub struct AiwafBuilder {
    settings: Settings,
    routes: Vec<(String, RoutePolicy)>,
    engine: Vec<Box<dyn FnOnce(EngineBuilder) -> EngineBuilder + Send>>,
    #[cfg(feature = "storage")]
    store: Option<Arc<dyn Store>>,
    clock: Clock,
    deny_response: Box<dyn DenyResponse>,
    fail_closed: bool,
}

impl Default for AiwafBuilder {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            routes: Vec::new(),
            engine: Vec::new(),
            #[cfg(feature = "storage")]
            store: None,
            clock: Arc::new(system_clock),
            deny_response: Box::new(JsonDenyResponse),
            fail_closed: false,
        }
    }
}

impl AiwafBuilder {
    /// Runs on `settings`, such as [`load_settings`](crate::load_settings) gives; replaces what was chosen before.
    pub fn settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// Changes single settings.
    pub fn configure(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// Registers a route of the service by its pattern in axum's syntax (`/items/{id}`), and what applies to it.
    /// [`ProtectedRouter`](crate::ProtectedRouter) does it for axum.
    pub fn route(mut self, pattern: impl Into<String>, policy: RoutePolicy) -> Self {
        self.routes.push((pattern.into(), policy));
        self
    }

    /// Completes the engine in ways that are no settings: a country look-up or a model of one's own. The lists come
    /// from the store, whatever is said here, and a model file takes the place of a model, unless
    /// `ai_anomaly.model_path` is `none`.
    pub fn engine(mut self, complete: impl FnOnce(EngineBuilder) -> EngineBuilder + Send + 'static) -> Self {
        self.engine.push(Box::new(complete));
        self
    }

    /// Keeps the lists in `store` instead of the one that the settings name.
    #[cfg(feature = "storage")]
    pub fn store(self, store: Arc<dyn Store>) -> Self {
        Self { store: Some(store), ..self }
    }

    /// Takes the time from `clock` instead of the system; for tests.
    pub fn clock(self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// Answers denied requests like this instead of by [`JsonDenyResponse`].
    pub fn deny_response(self, response: impl DenyResponse) -> Self {
        Self { deny_response: Box::new(response), ..self }
    }

    /// Denies requests whose judging panicked, and refuses to start without the lists. By default such requests pass,
    /// and lists that can't be read are reported and read as soon as they can be: a defect or a full disk of the
    /// firewall should not be an outage of the service.
    pub fn fail_closed(self) -> Self {
        Self { fail_closed: true, ..self }
    }

    /// Builds the firewall: checks the settings, opens the lists, and starts the threads of lists and logs.
    ///
    /// # Errors
    /// [`Error`], naming the setting, route, file or store. A log directory that can't be written is no error: the
    /// service goes on without logs until it can.
    pub fn build(self) -> Result<Aiwaf, Error> {
        let mut engine = EngineBuilder::default().settings(self.settings.clone());
        let unreadable_countries = match read_countries(&self.settings) {
            Ok(Some(countries)) => {
                engine = engine.countries(countries);
                None
            }
            Ok(None) => None,
            Err(problem) => Some(problem),
        };
        for file in &self.settings.attack_signatures.rule_files {
            let text = std::fs::read_to_string(file)
                .map_err(|source| Error::RuleFile { path: file.into(), source })?;
            engine = engine.signature_rules(file, text);
        }
        for (pattern, policy) in self.routes {
            engine = engine.route(pattern, policy);
        }
        for complete in self.engine {
            engine = complete(engine);
        }
        #[cfg(feature = "storage")]
        let sink = Arc::new(KeptLists::new(Arc::clone(&self.clock)));
        #[cfg(feature = "storage")]
        let engine = engine.sink(sink.clone());
        let engine = Arc::new(engine.build()?);
        let settings = engine.settings();
        // Before the log, so that a store that fails leaves no log directory behind.
        #[cfg(feature = "storage")]
        let store = match self.store {
            Some(store) => store,
            None => open_store(&settings.storage.url(), self.fail_closed)?,
        };
        let log = if engine.is_enabled(Protection::Logging) {
            let log = RequestLog::start(&settings.logging, Arc::clone(&self.clock)).map_err(Error::Thread)?;
            Some(Arc::new(log))
        } else {
            None
        };
        #[cfg(feature = "storage")]
        let place = match store.location() {
            Some((_, place)) => format!("{} in {place}", store.mode()),
            None => store.mode().to_owned(),
        };
        #[cfg(not(feature = "storage"))]
        let place = "Memory".to_owned();
        #[cfg(feature = "storage")]
        let keeper = sink.start(store, &engine, log.clone(), &self.clock, self.fail_closed)?;
        #[cfg(feature = "ml")]
        let model = match settings.model_path() {
            Some(path) if engine.is_enabled(Protection::AiAnomaly) => {
                let watch = ModelWatch::new(path);
                Some(KeptModel::start(watch, &engine, log.clone(), &self.clock).map_err(Error::Thread)?)
            }
            _ => None,
        };
        warm_up(&engine).map_err(Error::Thread)?;
        let address = ClientAddress::from_settings(&settings.client);
        let shared = Shared {
            address,
            #[cfg(feature = "storage")]
            keeper,
            #[cfg(feature = "ml")]
            model,
            place,
            log,
            clock: self.clock,
            deny_response: self.deny_response,
            fail_closed: self.fail_closed,
            warned_unknown_peer: AtomicBool::new(false),
            warned_unknown_proxy: AtomicBool::new(false),
            said_panic: AtomicBool::new(false),
            said_shutdown: AtomicBool::new(false),
            engine,
        };
        let names: Vec<&str> = shared.engine.enabled_protections().iter().map(Protection::name).collect();
        let version = env!("CARGO_PKG_VERSION");
        shared.say(
            "startup",
            &[("version", &version), ("protections", &names.join(",")), ("lists", &shared.place)],
        );
        if let Some(problem) = unreadable_countries {
            shared.report("country_database", &problem);
        }
        #[cfg(feature = "ml")]
        if let Some(model) = &shared.model {
            model.first_look();
        }
        #[cfg(not(feature = "ml"))]
        if !["", "none"].contains(&shared.engine.settings().ai_anomaly.model_path.as_str())
            && shared.engine.is_enabled(Protection::AiAnomaly)
        {
            shared.report(
                "model_unusable",
                "this build reads no model files, so ai_anomaly goes by keywords and behaviour alone: build it with the \
                 feature `ml` of aiwaf-middleware, or set ai_anomaly.model_path (AIWAF_MODEL_PATH) to none",
            );
        }
        Ok(Aiwaf { shared: Arc::new(shared) })
    }
}

/// Compiles rules on a thread of its own, so that neither the start nor a request waits for it.
fn warm_up(engine: &Arc<Engine>) -> std::io::Result<()> {
    let engine = Arc::clone(engine);
    let thread = std::thread::Builder::new().name("aiwaf-rules".to_owned());
    thread.spawn(move || engine.warm_up()).map(drop)
}

/// The time of the machine; a clock before 1970 counts as 1970.
fn system_clock() -> Timestamp {
    Timestamp::UNIX_EPOCH + SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Opens the lists. Unless told to fail closed, a disk or server that is missing is left to the keeper, which reports
/// it once and tries again; a text that names no store at all is an error in any case.
#[cfg(feature = "storage")]
fn open_store(url: &str, fail_closed: bool) -> Result<Arc<dyn Store>, StoreError> {
    let store = LateStore::new(url);
    match store.open() {
        Err(error)
            if fail_closed
                || matches!(error, StoreError::UnknownUrl { .. } | StoreError::IncompleteUrl(_)) =>
        {
            Err(error)
        }
        _ => Ok(Arc::new(store)),
    }
}

/// The country database, if one is configured and needed; what is wrong with it, if it can't be read. Then nobody is
/// blocked by country, for a file that is missing is no reason to turn people away.
fn read_countries(settings: &Settings) -> Result<Option<Arc<dyn CountryLookup>>, String> {
    let path = Path::new(&settings.geo_block.database_path);
    if path.as_os_str().is_empty() || !settings.enabled_protections().contains(Protection::GeoBlock) {
        return Ok(None);
    }
    let problem = |error: &dyn std::fmt::Display| {
        format!(
            "the country database {} can't be used, so nobody is blocked by country: {error}; correct \
             geo_block.database_path (AIWAF_GEOIP_DB_PATH) and start again",
            path.display()
        )
    };
    let bytes = std::fs::read(path).map_err(|error| problem(&error))?;
    let countries = MaxMindCountries::from_bytes(bytes).map_err(|error| problem(&error))?;
    Ok(Some(Arc::new(countries)))
}
