//! The countries of clients that asked lately.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use aiwaf_core::{ClientKey, CountryCode};

/// Remembers the countries of clients that asked lately, because asking a database costs as much as all the rest.
#[derive(Debug, Clone, Default)]
pub(super) struct CountryMemory {
    slots: Vec<Option<(ClientKey, Option<CountryCode>)>>,
    hasher: RandomState,
}

impl CountryMemory {
    /// A power of two; 80 KiB.
    const SLOTS: usize = 1 << 12;

    pub(super) fn get_or_ask(
        &mut self,
        client: ClientKey,
        ask: impl FnOnce() -> Option<CountryCode>,
    ) -> Option<CountryCode> {
        self.slots.resize(Self::SLOTS, None);
        let index = usize::try_from(self.hasher.hash_one(client) >> 52).unwrap_or_default();
        let slot = self.slots.get_mut(index)?;
        match slot {
            Some((known, country)) if *known == client => *country,
            _ => {
                let country = ask();
                *slot = Some((client, country));
                country
            }
        }
    }
}
