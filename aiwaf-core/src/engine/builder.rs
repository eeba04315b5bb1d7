//! Building an engine: what it runs on, checked.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use super::statistics::Counters;
use super::{Detectors, Engine};
use crate::bans::Bans;
use crate::client::ClientTable;
use crate::detect::ai_anomaly::AnomalyModel;
use crate::detect::attack_signatures::SignatureError;
use crate::detect::geo_block::CountryLookup;
use crate::detect::{CustomDetectors, Detector, DetectorError, Inputs};
use crate::lists::{ChangeSink, Lists, LiveLists, SnapshotSettings, fold};
use crate::policy::{InvalidRoute, PathRules, RoutePolicy, Routes};
use crate::protection::{Mode, Preset, Protection, ProtectionSet};
use crate::settings::{Settings, SettingsError};
use crate::site_paths::SitePaths;

/// Collects what an [`Engine`] runs on. Without any call, all protections run with their defaults, in memory.
///
/// ```
/// use aiwaf_core::{Engine, Preset, Protection};
///
/// let engine = Engine::builder()
///     .preset(Preset::Standard)
///     .disable([Protection::AiAnomaly])
///     .build()?;
/// assert!(!engine.is_enabled(Protection::AiAnomaly));
/// # Ok::<(), aiwaf_core::BuildError>(())
/// ```
#[derive(Default)]
#[must_use]
pub struct EngineBuilder {
    settings: Settings,
    lists: Lists,
    sink: Option<Arc<dyn ChangeSink>>,
    countries: Option<Arc<dyn CountryLookup>>,
    model: Option<Box<dyn AnomalyModel>>,
    routes: Vec<(String, RoutePolicy)>,
    rule_texts: Vec<(String, String)>,
    detectors: CustomDetectors,
}

/// Why an engine can't be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A setting that can't be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A route that can't be used.
    #[error(transparent)]
    Route(#[from] InvalidRoute),
    /// Rules that can't be used.
    #[error(transparent)]
    Signatures(#[from] SignatureError),
    /// The configured user agents make more than an automaton can hold.
    #[error("header_validation: the configured agents can't be compiled: {0}")]
    Agents(String),
    /// Two detectors for one protection.
    #[error("{0} has two detectors; add each once")]
    DuplicateDetector(Protection),
    /// A detector for a protection that has a built-in one.
    #[error("{0} has a detector already; give yours a name with Protection::custom")]
    BuiltInDetector(Protection),
}

impl From<DetectorError> for BuildError {
    fn from(error: DetectorError) -> Self {
        match error {
            DetectorError::Signatures(error) => Self::Signatures(error),
            DetectorError::Agents(error) => Self::Agents(error),
        }
    }
}

impl EngineBuilder {
    /// Runs on `settings`; replaces what was chosen before.
    pub fn settings(self, settings: Settings) -> Self {
        Self { settings, ..self }
    }

    /// Runs only these protections.
    pub fn only(mut self, protections: impl IntoIterator<Item = Protection>) -> Self {
        self.settings.protections.enabled = protections.into_iter().collect();
        self
    }

    /// Runs all but these protections.
    pub fn disable(mut self, protections: impl IntoIterator<Item = Protection>) -> Self {
        self.settings.protections.disabled.extend(protections);
        self
    }

    /// Runs a ready-made selection.
    pub fn preset(mut self, preset: Preset) -> Self {
        self.settings.protections.preset = Some(preset);
        self
    }

    /// Sets how strict one protection is. `logging` can only be on or off: `monitor` leaves it on.
    pub fn mode(mut self, protection: Protection, mode: Mode) -> Self {
        self.settings.set_mode(protection, mode);
        self
    }

    /// Adds the service's own detector for `protection`, which [`Protection::custom`] makes. It runs after the built-in
    /// ones that are quick, before `attack_signatures`; settings and policies select it by its name.
    pub fn detector(mut self, protection: Protection, detector: impl Detector) -> Self {
        self.detectors.push(protection, detector);
        self
    }

    /// Starts with these lists.
    pub fn lists(self, lists: Lists) -> Self {
        Self { lists, ..self }
    }

    /// Sends bans and learned keywords to `sink`, whose owner calls [`Engine::publish`] with what becomes of them.
    /// Without a sink, the engine keeps them in memory.
    pub fn sink(self, sink: Arc<dyn ChangeSink>) -> Self {
        Self { sink: Some(sink), ..self }
    }

    /// Looks clients' countries up here. Without it, nobody is blocked by country.
    pub fn countries(self, countries: Arc<dyn CountryLookup>) -> Self {
        Self { countries: Some(countries), ..self }
    }

    /// Judges behaviour by this model, too. Without it, keywords and behaviour alone decide.
    pub fn model(self, model: Box<dyn AnomalyModel>) -> Self {
        Self { model: Some(model), ..self }
    }

    /// Registers a route of the service, by its pattern in axum's syntax (`/items/{id}`): its path is known, and
    /// `policy` says what applies to it.
    pub fn route(mut self, pattern: impl Into<String>, policy: RoutePolicy) -> Self {
        self.routes.push((pattern.into(), policy));
        self
    }

    /// Adds the rules in the text of a rule file to those that `attack_signatures` comes with; `file` is its name, for
    /// messages. Reading the files that `attack_signatures.rule_files` names is the business of whoever builds the engine.
    pub fn signature_rules(mut self, file: impl Into<String>, text: impl Into<String>) -> Self {
        self.rule_texts.push((file.into(), text.into()));
        self
    }

    /// Checks everything and builds the engine.
    ///
    /// # Errors
    /// [`BuildError`], naming the setting or the route.
    pub fn build(self) -> Result<Engine, BuildError> {
        let settings = self.settings;
        settings.check()?;
        let mut routes = Routes::default();
        for (pattern, policy) in &self.routes {
            routes.insert(pattern, *policy)?;
        }
        let snapshot_settings = SnapshotSettings {
            exempt_keywords: settings.ip_keyword_block.exempt_keywords.clone(),
            learned_ttl: Some(settings.ip_keyword_block.learned_ttl),
            exempt_paths: settings.exemptions.exempt_paths.clone(),
            nat64_prefixes: settings.client.nat64_prefixes.clone(),
        };
        let mut custom = ProtectionSet::EMPTY;
        for protection in self.detectors.protections() {
            if !matches!(protection, Protection::Custom(_)) {
                return Err(BuildError::BuiltInDetector(protection));
            }
            if custom.contains(protection) {
                return Err(BuildError::DuplicateDetector(protection));
            }
            custom = custom.with(protection);
        }
        let available = ProtectionSet::ALL.union(custom);
        let enabled = settings.enabled_protections().intersection(available);
        let monitored: ProtectionSet =
            enabled.iter().filter(|protection| settings.mode(*protection) == Mode::Monitor).collect();
        let own_words = &settings.ip_keyword_block;
        let never_learned: Vec<String> = own_words
            .exempt_keywords
            .iter()
            .chain(&own_words.allowed_path_keywords)
            .map(|word| fold(word))
            .collect();
        let inputs = Inputs {
            ban_window: settings.bans.window,
            path_rules: &settings.path_rules,
            has_countries: self.countries.is_some(),
            rule_texts: &self.rule_texts,
            never_learned: &never_learned,
            bots: &settings.bots,
        };
        let mut detectors = Detectors::build(&settings, enabled, &inputs)?;
        detectors.custom = self.detectors;
        if let Some(anomaly) = &detectors.ai_anomaly {
            anomaly.set_model(self.model);
        }
        let max_clients = settings.client.max_clients.unwrap_or(settings.rate_limit.max_clients);
        Ok(Engine {
            enabled,
            monitored,
            detectors,
            countries: self.countries,
            clients: ClientTable::new(max_clients, settings.client.max_memory_mib << 20),
            site: SitePaths::new(SITE_PATHS),
            lists: LiveLists::new(self.lists, snapshot_settings, settings.bans.max_automatic, self.sink),
            bans: Bans::new(settings.bans.clone(), settings.client.ipv6_prefix),
            path_rules: PathRules::new(&settings.path_rules),
            routes,
            counters: Counters::default(),
            keyword_refreshed: AtomicI64::new(i64::MIN),
            settings,
        })
    }
}

/// Paths that are remembered as answered; about 50 bytes each.
const SITE_PATHS: usize = 100_000;
