//! An engine that judges by the settings of this machine.

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use aiwaf_core::{CountryCode, CountryLookup, Engine, EngineBuilder, MaxMindCountries, Protection, Settings};
use aiwaf_ml::RequestModel;
use anyhow::Context;

use crate::failure::usage_error;

/// Which of the protections that the settings select are to run.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Selection {
    /// Run only these protections, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<Protection>,

    /// Run all but these protections, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    disable: Vec<Protection>,
}

impl Selection {
    /// Puts the choice into the settings. What `--only` names runs, even where `protections.disabled` names it, too.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        let protections = &mut settings.protections;
        if !self.only.is_empty() {
            protections.enabled.clone_from(&self.only);
            protections.disabled.retain(|protection| !self.only.contains(protection));
        }
        protections.disabled.extend(&self.disable);
    }
}

/// Builds the engine on `settings`, with the rule files that they name; a choice that leaves nothing to ask is a slip.
pub(crate) fn build(builder: EngineBuilder, settings: Settings) -> anyhow::Result<Engine> {
    let engine = with_rules(builder, &settings)?.settings(settings).build()?;
    if engine.enabled_protections().without(Protection::Logging).is_empty() {
        return Err(usage_error(
            "no protection is left to ask: name others by --only or --disable, or set their mode in the settings",
        ));
    }
    Ok(engine)
}

/// Gives the builder the rule files that the settings name.
pub(crate) fn with_rules(mut builder: EngineBuilder, settings: &Settings) -> anyhow::Result<EngineBuilder> {
    for file in &settings.attack_signatures.rule_files {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("reading the rules {file} (attack_signatures.rule_files)"))?;
        builder = builder.signature_rules(file, text);
    }
    Ok(builder)
}

/// The country database that the settings name, if `geo_block` runs.
pub(crate) fn countries(settings: &Settings) -> anyhow::Result<Option<MaxMindCountries>> {
    let path = Path::new(&settings.geo_block.database_path);
    if path.as_os_str().is_empty() || !settings.enabled_protections().contains(Protection::GeoBlock) {
        return Ok(None);
    }
    read_countries(path).map(Some).context("geo_block.database_path")
}

/// Reads a country database.
pub(crate) fn read_countries(path: &Path) -> anyhow::Result<MaxMindCountries> {
    let place = || format!("reading the country database {}", path.display());
    let bytes = std::fs::read(path).with_context(place)?;
    MaxMindCountries::from_bytes(bytes).with_context(place)
}

/// The model that the settings name, if `ai_anomaly` runs and there is one.
pub(crate) fn model(settings: &Settings) -> anyhow::Result<Option<RequestModel>> {
    let is_on = settings.enabled_protections().contains(Protection::AiAnomaly);
    match settings.model_path().filter(|path| is_on && path.exists()) {
        Some(path) => Ok(Some(RequestModel::load(&path).with_context(|| path.display().to_string())?)),
        None => Ok(None),
    }
}

/// The countries of clients that ask under an address that is not theirs.
pub(crate) struct CountryBehind {
    countries: MaxMindCountries,
    client: Mutex<Option<IpAddr>>,
}

impl CountryBehind {
    /// Looks up in `countries`.
    pub(crate) fn new(countries: MaxMindCountries) -> Arc<Self> {
        Arc::new(Self { countries, client: Mutex::new(None) })
    }

    /// From now on the client that asks is really this one.
    pub(crate) fn set_client(&self, client: Option<IpAddr>) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = client;
    }
}

impl CountryLookup for CountryBehind {
    fn country(&self, _: IpAddr) -> Option<CountryCode> {
        let client = *self.client.lock().unwrap_or_else(PoisonError::into_inner);
        self.countries.country(client?)
    }
}
