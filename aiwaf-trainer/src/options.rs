//! What may be chosen about a training.

use aiwaf_core::{Lists, Settings, Timestamp};

/// What may be chosen about a training.
#[derive(Debug, Clone)]
pub struct TrainingOptions {
    /// The settings of the service, of which count: the window, keywords, contamination and the fewest lines of
    /// `ai_anomaly`, the exempt and allowed words of `ip_keyword_block`, exempt paths and path rules, how long bans last,
    /// and how IPv6 clients are counted. Default: those of a service without a settings file.
    pub settings: Settings,
    /// The lists as they are: who is whitelisted or banned, and which keywords are blocked already. Default: empty.
    pub lists: Lists,
    /// The routes of the service, in axum's syntax (`/items/{id}`): what they match is known to the site. Routes are
    /// also learned: a path is known once it was answered 2xx or 3xx for two clients. Default: none.
    pub routes: Vec<String>,
    /// Learns keywords and bans, but no model. Default: false.
    pub disable_ai: bool,
    /// The fewest requests from which anything is learned. Default: 50.
    pub min_lines: u64,
    /// The share of the lines, the latest, that is held back to see what would have been caught by what is learned from
    /// the rest, 0 to 0.5. The result is then learned from all. Default: 0.2.
    pub hold_out: f64,
    /// Where randomness starts: the same logs and options give the same model, bit for bit. Default: 0.
    pub seed: u64,
    /// Most requests from which the model is fitted: a random sample of all. About 200 bytes each. Default: 50,000.
    pub max_rows: usize,
    /// Most clients that are remembered at the same time; of those that did nothing suspicious the ones that were not
    /// seen for longest are forgotten first. Up to 3 kilobytes each, 300 bytes for a quiet one. Default: 100,000.
    pub max_clients: usize,
    /// Whether private addresses are banned. In the log of a service behind a proxy that passes no addresses on, one of
    /// them is everybody. Default: false.
    pub ban_private: bool,
    /// What the model says of when it was trained. Default: the time of the latest request, so that the same logs make
    /// the same model.
    pub trained_at: Option<Timestamp>,
}

impl Default for TrainingOptions {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            lists: Lists::default(),
            routes: Vec::new(),
            disable_ai: false,
            min_lines: 50,
            hold_out: 0.2,
            seed: 0,
            max_rows: 50_000,
            max_clients: 100_000,
            ban_private: false,
            trained_at: None,
        }
    }
}
