//! Learning from access logs.
//!
//! [`Sources`] finds logs and reads them as one, in the order of time: files and directories, rotated and compressed, in
//! whatever format each is. [`Training`] learns from them: words that mean attack, clients that behaved like attackers,
//! and a model of ordinary requests. [`TrainingReport`] says what was learned and why, and carries it out.

mod bans;
mod bloom;
mod clients;
mod crawlers;
mod error;
mod evaluate;
mod keywords;
mod model;
mod options;
mod own_site;
mod progress;
pub mod report;
mod routes;
mod sample;
mod sources;
mod traffic;
mod training;
mod whitelist;

pub use bans::{BanEvidence, BanRule, SparedClient, TrainedBan};
pub use error::TrainingError;
pub use evaluate::{HeldOut, HitClient};
pub use keywords::LearnedKeyword;
pub use model::{HISTOGRAM_BINS, ModelReport, StrangeClient};
pub use options::TrainingOptions;
pub use progress::{Progress, ProgressUpdate};
pub use report::{Applied, TrainingReport};
pub use routes::{RoutesError, parse_routes, read_routes};
pub use sources::{
    FormatCount, LogLine, LogSource, ReadSummary, SourceError, SourceProblem, Sources, Unparsed,
    UnparsedSample,
};
pub use traffic::{Traffic, TrafficSpan};
pub use training::Training;
