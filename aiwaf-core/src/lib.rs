//! The decisions of AIWAF, a web application firewall that learns and lives inside the service that it protects.
//!
//! This crate knows no file, socket, clock, async runtime or HTTP framework.

mod access_log;
mod bans;
mod behavior;
mod client;
mod decode;
mod detect;
mod engine;
mod features;
mod keyword_learning;
mod lists;
mod policy;
mod protection;
mod request;
mod request_info;
mod scanning_paths;
mod settings;
mod state;
mod suggest;
mod timestamp;
mod verdict;

pub use access_log::{
    AccessRecord, BlockAction, BlockMark, LineError, LineParser, LogFormat, LoggedClient, UnknownLogFormat,
};
pub use bans::BanSettings;
pub use behavior::{ClientEvent, ClientHistory};
pub use client::{
    ClientKey, InvalidNetwork, UNKNOWN_CLIENT, canonical_network, display_network, parse_network,
};
pub use detect::ai_anomaly::{AiAnomalySettings, AnomalyModel};
pub use detect::geo_block::{CountryLookup, CountrySet, GeoBlockSettings};
#[cfg(feature = "geo")]
pub use detect::geo_block::{GeoDatabaseError, MaxMindCountries};
pub use detect::header_validation::HeaderValidationSettings;
pub use detect::honeypot::HoneypotSettings;
pub use detect::ip_keyword_block::IpKeywordBlockSettings;
pub use detect::rate_limit::RateLimitSettings;
pub use detect::uuid_tamper::UuidTamperSettings;
pub use engine::{BuildError, Engine, EngineBuilder, Statistics};
pub use features::{FEATURE_COUNT, FEATURE_NAMES, features};
pub use keyword_learning::{KeywordLearner, learnable_words};
pub use lists::{
    BanSource, BlacklistEntry, ChangeSink, CountryEntry, KeywordEntry, KeywordSource, ListChange, ListName,
    Lists, PathExemptionEntry, WhitelistEntry,
};
pub use policy::{InvalidRoute, PathRule, RateLimitOverride, RoutePolicy};
pub use protection::{Mode, Preset, Protection, ProtectionSet, UnknownProtection};
pub use request::{Headers, Outcome, Request};
pub use scanning_paths::is_scanning_path;
pub use settings::{
    ClientSettings, ExemptionSettings, LoggingSettings, ProtectionSettings, Settings, SettingsError,
    StorageSettings, TrustedProxy,
};
pub use suggest::closest;
pub use timestamp::Timestamp;
pub use verdict::{
    Action, AnomalyEvidence, BanWeight, CountryCode, Field, Finding, InvalidCountryCode, Match, Reason,
    Verdict,
};
