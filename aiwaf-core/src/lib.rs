//! The decisions of AIWAF, a web application firewall that learns and lives inside the service that it protects.
//!
//! This crate knows no file, socket, clock, async runtime or HTTP framework: time comes in with each request, lists come
//! in as values, and what it wants from outside it asks through small ports. So it guards any kind of service; the crate
//! `aiwaf-middleware` puts it around tower services, and `examples/tcp_service.rs` around a plain TCP one.
//!
//! ```
//! use aiwaf_core::{Action, Engine, Protection, Request, Timestamp};
//!
//! let engine = Engine::builder().only([Protection::IpKeywordBlock, Protection::RateLimit]).build()?;
//! let now = Timestamp::from_unix_seconds(1.7e9);
//! let verdict = engine.inspect(&Request::new("203.0.113.9".parse()?, now));
//! assert_eq!(verdict.action, Action::Allow);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The way of a request
//!
//! 1. The adapter makes a [`Request`]: a borrowed view, of which only the client and the time are required.
//! 2. [`Engine::begin`] works out, once, which protections apply (required > path rule > route policy > exempt path >
//!    default), and gives a [`Transaction`], which the adapter keeps until the response is there.
//! 3. [`Engine::request_head`] and [`Engine::request_body`] run the [`Detector`]s until one of them has a finding. The
//!    [`Verdict`] says allow, throttle or block; why ([`Reason`]); which field matched and where ([`Match`]); and whether the
//!    client is banned from now on.
//! 4. [`Engine::response`] learns from the response: known paths, page loads of forms, behavior, keywords.
//!
//! [`Engine::inspect`] is the short form for services without phases.
//!
//! # Where things are
//!
//! | module | what | state |
//! |---|---|---|
//! | `request`, `verdict`, `protection`, `timestamp`, `country` | the vocabulary | none |
//! | `client` | who counts as one client; the table of client records | one bounded table |
//! | `settings`, `check` | settings as a person types them, their defaults and checks | none |
//! | `engine`, `transaction` | the phases of a request; from findings to verdicts and bans | counters |
//! | `policy` | exempt paths, path rules, route policies | none |
//! | `bots` | well-known automatic clients by user agent, and what each class may do | none |
//! | `detect` | the [`Detector`] trait, the registration table, one file or folder for each protection | in the client record |
//! | `lists` | entries, changes, compiled snapshots, bans newer than the snapshot | one snapshot, swapped atomically |
//! | `decode` | normalized paths and queries; the decoded forms of a value, one file for each decoder | none |
//! | `body` | bodies, read chunk by chunk | bounded, in the transaction |
//! | `bans` | the evidence ledger: when evidence becomes a ban, how long it lasts | in the client record |
//! | `site_paths`, `behavior`, `features`, `keyword_learning` | what the site answers, what a client did lately, what is learned | bounded |
//! | `request_line` | a request as data: one line of JSON | none |
//! | `access_log` | the log record: writers and parsers side by side | none |
//! | `state` | bounded maps, sliding windows | |
//!
//! Invariants: no I/O; no clock; detectors and the anomaly model run under the lock of one shard of the client table, and no
//! other lock is held across a call into a port; every map is bounded; time and memory for a request are linear in its size;
//! nothing that a client sends can panic.
//!
//! # Ports
//!
//! | port | who asks for it | who fills it |
//! |---|---|---|
//! | [`Headers`] | all detectors | the adapter, over its own header type |
//! | [`ChangeSink`] and [`Engine::publish`] | bans, learned keywords | `aiwaf-storage` |
//! | [`CountryLookup`] | `geo_block` | `MaxMindCountries` (feature `geo`), or anything else |
//! | [`AnomalyModel`] | `ai_anomaly` | whoever has a model |

// First, for what is generated from its registration table elsewhere.
#[macro_use]
mod detect;

mod access_log;
mod bans;
mod behavior;
mod body;
mod bots;
mod check;
mod client;
mod country;
mod decode;
mod engine;
mod features;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;
mod keyword_learning;
mod lists;
mod policy;
mod protection;
mod request;
mod request_info;
mod request_line;
mod scanning_paths;
mod seconds;
mod secret_names;
mod settings;
mod site_paths;
mod state;
mod suggest;
mod timestamp;
mod transaction;
mod verdict;

pub use access_log::{
    AccessRecord, BlockAction, BlockMark, InvalidPattern, LineError, LineFormat, LineParser, LineWriter,
    LogEntry, LogFormat, LogPattern, LoggedBlock, LoggedClient, UnknownLogFormat,
};
pub use bans::BanSettings;
pub use bans::ledger::{Evidence, EvidenceReport};
pub use behavior::{ClientEvent, ClientHistory, SCANNER_THRESHOLD, Suspicion, is_part_of_attack};
pub use bots::{BotClass, BotMatch, BotPolicy, BotSettings, classify as classify_bot};
pub use client::{
    ClientKey, Identity, InvalidNat64Prefix, InvalidNetwork, Nat64Prefix, ReportedClient, UNKNOWN_CLIENT,
    canonical_address, canonical_network, display_network, parse_network,
};
pub use country::{CountryCode, InvalidCountryCode};
pub use detect::ai_anomaly::AnomalyModel;
pub use detect::attack_signatures::{
    AttackCategory, BodyOverflow, RuleFileError, Severity, SignatureError, SignatureExclusion, SignatureHit,
    TooManyRules,
};
pub use detect::geo_block::CountryLookup;
#[cfg(feature = "geo")]
pub use detect::geo_block::{GeoDatabaseError, MaxMindCountries};
pub use detect::settings::*;
pub use detect::{Body, BodyStream, ClientMemory, Detector, Head, Response};
pub use engine::{BuildError, Engine, EngineBuilder, RecordBuffers, RecordedRequest, Statistics};
pub use features::{FEATURE_COUNT, FEATURE_NAMES, features};
pub use keyword_learning::{KeywordLearner, learnable_words};
pub use lists::{
    BanSource, BlacklistEntry, ChangeSink, CountryEntry, CountrySet, KeywordEntry, KeywordSource, ListChange,
    ListName, Lists, MAX_KEYWORD, PathExemptionEntry, WhitelistEntry,
};
pub use policy::{InvalidRoute, MAX_PATTERN, PathRule, RateLimitOverride, RoutePolicy};
pub use protection::{
    CustomProtection, InvalidProtection, Mode, Preset, Protection, ProtectionSet, UnknownProtection,
};
pub use request::{Headers, Outcome, Request};
pub use request_line::{RequestLine, RequestLineError};
pub use scanning_paths::is_scanning_path;
pub use secret_names::SecretNames;
pub use settings::{
    ClientSettings, ExemptionSettings, LoggingSettings, ProtectionSettings, Settings, SettingsError,
    StorageSettings, TrustedProxy,
};
pub use suggest::closest;
pub use timestamp::Timestamp;
pub use transaction::Transaction;
pub use verdict::{Action, AnomalyEvidence, Field, Finding, Match, Reason, Verdict};
