//! Building an engine: what it runs on, checked.

use std::sync::Arc;

use super::Engine;
use super::statistics::Counters;
use super::would_be::WouldBe;
use crate::bans::Bans;
use crate::detect::ai_anomaly::{AiAnomaly, AnomalyModel};
use crate::detect::attack_signatures::{AttackSignatures, SignatureError};
use crate::detect::geo_block::{CountryLookup, GeoBlock};
use crate::detect::header_validation::HeaderValidation;
use crate::detect::honeypot::Honeypot;
use crate::detect::ip_keyword_block::IpKeywordBlock;
use crate::detect::rate_limit::RateLimit;
use crate::detect::uuid_tamper::UuidTamper;
use crate::lists::{ChangeSink, Lists, LiveLists, SnapshotSettings, fold};
use crate::policy::{InvalidRoute, PathRules, RoutePolicy, Routes};
use crate::protection::{Mode, Preset, Protection, ProtectionSet};
use crate::settings::{Settings, SettingsError};
use crate::state::KnownPaths;

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
        let settings = &mut self.settings;
        match protection {
            Protection::IpKeywordBlock => settings.ip_keyword_block.mode = mode,
            Protection::RateLimit => settings.rate_limit.mode = mode,
            Protection::Honeypot => settings.honeypot.mode = mode,
            Protection::HeaderValidation => settings.header_validation.mode = mode,
            Protection::GeoBlock => settings.geo_block.mode = mode,
            Protection::AiAnomaly => settings.ai_anomaly.mode = mode,
            Protection::AttackSignatures => settings.attack_signatures.mode = mode,
            Protection::UuidTamper => settings.uuid_tamper.mode = mode,
            Protection::Logging => settings.logging.enabled = mode != Mode::Off,
        }
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
            exempt_paths: settings.exemptions.exempt_paths.clone(),
        };
        let enabled = settings.enabled_protections();
        let monitored: ProtectionSet =
            enabled.iter().filter(|protection| settings.mode(*protection) == Mode::Monitor).collect();
        let own_words = &settings.ip_keyword_block;
        let never_learned =
            own_words.exempt_keywords.iter().chain(&own_words.allowed_path_keywords).map(|word| fold(word));
        let ai_anomaly = AiAnomaly::new(&settings.ai_anomaly, never_learned);
        ai_anomaly.set_model(self.model);
        let agents =
            |error: crate::detect::header_validation::TooManyAgents| BuildError::Agents(error.to_string());
        let ipv6_prefix = settings.client.ipv6_prefix;
        let attack_signatures = enabled
            .contains(Protection::AttackSignatures)
            .then(|| AttackSignatures::new(&settings.attack_signatures, &self.rule_texts))
            .transpose()?;
        Ok(Engine {
            enabled,
            monitored,
            ip_keyword_block: IpKeywordBlock::new(&settings.ip_keyword_block),
            rate_limit: RateLimit::new(&settings.rate_limit),
            geo_block: GeoBlock::new(&settings.geo_block, self.countries),
            header_validation: HeaderValidation::new(&settings.header_validation)
                .map_err(agents)?
                .with_bots(&settings.bots),
            uuid_tamper: UuidTamper::new(&settings.uuid_tamper, settings.bans.window),
            honeypot: Honeypot::new(&settings.honeypot),
            ai_anomaly,
            attack_signatures,
            known_paths: KnownPaths::new(KNOWN_PATHS),
            lists: LiveLists::new(self.lists, snapshot_settings, self.sink),
            bans: Bans::new(settings.bans.clone(), ipv6_prefix),
            would_be: WouldBe::new(settings.bans.clone(), ipv6_prefix),
            path_rules: PathRules::new(&settings.path_rules),
            routes,
            counters: Counters::default(),
            settings,
        })
    }
}

/// Paths that are remembered as answered; about 50 bytes each.
const KNOWN_PATHS: usize = 100_000;
