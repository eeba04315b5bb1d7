//! `ai_anomaly`: behaviour that differs from that of the others, judged over minutes and by a model.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::protection::Mode;
use crate::settings::seconds;

/// `[ai_anomaly]`: how behaviour is judged and what is learned from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AiAnomalySettings {
    /// How strict it is. Default: enforce.
    pub mode: Mode,
    /// How many hits within `bans.window` ban the client; 0 is never. Default: 1.
    pub ban_after: u32,
    /// How long behaviour is remembered, in seconds, 10 to 3,600 (`AIWAF_WINDOW_SECONDS`). Default: 300.
    #[serde(with = "seconds")]
    pub window: Duration,
    /// The model file (`AIWAF_MODEL_PATH`); empty is none, and then keywords and behaviour alone decide. Default: none.
    pub model_path: String,
    /// Whether keywords are learned from what attackers ask for. Default: true.
    pub learn_keywords: bool,
    /// Most keywords that are learned in an hour (`AIWAF_DYNAMIC_TOP_N`). Default: 10.
    pub dynamic_top_n: u32,
    /// How many different clients must have asked for a word, in paths that look like an attack and were not found,
    /// before it is learned. Default: 3.
    pub learn_min_clients: u32,
    /// The fewest log lines that a model is trained from (`AIWAF_MIN_AI_LOGS`). Default: 10,000.
    pub min_ai_logs: u64,
    /// Train and use a model whatever the number of log lines (`AIWAF_FORCE_AI`). Default: false.
    pub force_ai: bool,
    /// The share of the training data that is taken for anomalous, 0 to 0.5 (`AIWAF_AI_CONTAMINATION`). Default: 0.05.
    pub contamination: f64,
    /// Most clients whose behaviour is remembered at the same time; up to 1,500 bytes each, about 120 for a client seen
    /// once. Default: 100,000.
    pub max_clients: usize,
}

impl Default for AiAnomalySettings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            ban_after: 1,
            window: Duration::from_secs(300),
            model_path: String::new(),
            learn_keywords: true,
            dynamic_top_n: 10,
            learn_min_clients: 3,
            min_ai_logs: 10_000,
            force_ai: false,
            contamination: 0.05,
            max_clients: 100_000,
        }
    }
}
