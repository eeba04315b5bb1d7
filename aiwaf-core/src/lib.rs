//! The decisions of AIWAF, a web application firewall that learns and lives inside the service that it protects.
//!
//! This crate knows no file, socket, clock, async runtime or HTTP framework.

mod behavior;
mod client;
mod detect;
mod features;
mod keyword_learning;
mod lists;
mod protection;
mod request;
mod scanning_paths;
mod settings;
mod state;
mod suggest;
mod timestamp;
mod verdict;

pub use behavior::{ClientEvent, ClientHistory};
pub use client::{
    ClientKey, InvalidNetwork, UNKNOWN_CLIENT, canonical_network, display_network, parse_network,
};
pub use detect::ai_anomaly::{AiAnomalySettings, AnomalyModel};
pub use detect::geo_block::GeoBlockSettings;
pub use detect::header_validation::HeaderValidationSettings;
pub use detect::honeypot::HoneypotSettings;
pub use detect::ip_keyword_block::IpKeywordBlockSettings;
pub use detect::rate_limit::RateLimitSettings;
pub use detect::uuid_tamper::UuidTamperSettings;
pub use features::{FEATURE_COUNT, FEATURE_NAMES, features};
pub use keyword_learning::{KeywordLearner, learnable_words};
pub use lists::{
    BanSource, BlacklistEntry, ChangeSink, CountryEntry, KeywordEntry, KeywordSource, ListChange, ListName,
    Lists, PathExemptionEntry, WhitelistEntry,
};
pub use protection::{Mode, Preset, Protection, ProtectionSet, UnknownProtection};
pub use request::{Headers, Outcome, Request};
pub use scanning_paths::is_scanning_path;
pub use suggest::closest;
pub use timestamp::Timestamp;
pub use verdict::{
    Action, AnomalyEvidence, CountryCode, Field, Finding, InvalidCountryCode, Match, Reason, Verdict,
};
