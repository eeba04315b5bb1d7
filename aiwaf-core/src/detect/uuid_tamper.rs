//! `uuid_tamper`: identifiers that are no UUIDs, or that are being guessed.

use serde::{Deserialize, Serialize};

use crate::protection::Mode;

/// `[uuid_tamper]`: where UUIDs are expected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UuidTamperSettings {
    /// How strict it is. Default: enforce.
    pub mode: Mode,
    /// How many hits within `bans.window` ban the client; 0 is never. Default: 1.
    pub ban_after: u32,
    /// Query parameters and route segments (`/items/{uuid}`) that must hold a UUID, by name, in any case.
    /// Default: uuid.
    pub parameters: Vec<String>,
    /// How many different well-formed identifiers that were not found, within `bans.window`, count as guessing; 0 is
    /// never. Default: 20.
    pub guess_limit: u32,
    /// Most clients whose guesses are counted at the same time; about 100 bytes each and 8 bytes a guess.
    /// Default: 50,000.
    pub max_clients: usize,
}

impl Default for UuidTamperSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            ban_after: 1,
            parameters: vec!["uuid".into()],
            guess_limit: 20,
            max_clients: 50_000,
        }
    }
}
