//! The detectors: one file per protection, each with its settings, its state and its tests.

pub(crate) mod ai_anomaly;
pub(crate) mod geo_block;
pub(crate) mod header_validation;
pub(crate) mod honeypot;
pub(crate) mod ip_keyword_block;
pub(crate) mod rate_limit;
pub(crate) mod uuid_tamper;

use crate::client::ClientKey;
use crate::request::{Outcome, Request};

/// What every detector may look at: the request, and what the engine worked out about it once for all of them.
pub(crate) struct Inspection<'r> {
    /// The request as received.
    pub(crate) request: &'r Request<'r>,
    /// Whom it counts for.
    pub(crate) client: ClientKey,
    /// The path in normal form: decoded, without tricks, in lower case.
    pub(crate) path: &'r [u8],
    /// The query in normal form.
    pub(crate) query: &'r [u8],
    /// Whether the site is known to answer this path: a route is registered for it, or several clients got it.
    pub(crate) known_path: bool,
}

/// What every detector may look at after the service has answered.
pub(crate) struct Observation<'r> {
    /// What was known when the request came in.
    pub(crate) inspection: Inspection<'r>,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// How many different blocked keywords stand in path and query.
    pub(crate) keyword_hits: u32,
}
