//! The record of one client: everything that the engine and the detectors remember of it.

use crate::bans::Offenses;
use crate::client::Record;
use crate::detect::{ClientMemory, CustomMemory, Detector};
use crate::lists::BanRecord;

/// Generates the record from the registration table of the detectors.
macro_rules! define_record {
    ($($variant:ident $name:ident ($detector:ident, $settings:ident)
        presets [$($preset:ident)*] aliases [$($alias:literal)*] $description:literal;)*) => {
        /// What is remembered of one client: one entry of one bounded table, found once in each phase.
        #[derive(Default)]
        pub(super) struct ClientRecord {
            $(pub(super) $name: <crate::detect::$name::$detector as Detector>::Client,)*
            /// Of clients that were flagged, and for a service's own detectors.
            pub(super) rare: Option<Box<Rare>>,
            touched: bool,
        }

        impl Record for ClientRecord {
            fn heap_bytes(&self) -> usize {
                let mut bytes = 0;
                $(bytes += self.$name.heap_bytes();)*
                bytes + self.rare.as_ref().map_or(0, |rare| rare.heap_bytes())
            }

            fn touched(&mut self) -> &mut bool {
                &mut self.touched
            }
        }
    };
}

for_each_detector!(define_record);

/// What is remembered of few clients.
#[derive(Default)]
pub(super) struct Rare {
    pub(super) offenses: Offenses,
    pub(super) shadow: Shadow,
    pub(super) custom: CustomMemory,
}

/// What the protections in monitor mode would have done to a client, so that their counts are those of enforcing.
#[derive(Default)]
pub(super) struct Shadow {
    pub(super) offenses: Offenses,
    pub(super) ban: Option<BanRecord>,
}

impl Rare {
    fn heap_bytes(&self) -> usize {
        let offenses = self.offenses.heap_bytes() + self.shadow.offenses.heap_bytes();
        size_of::<Self>() + offenses + self.custom.heap_bytes()
    }
}

impl ClientRecord {
    pub(super) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a million clients that were seen once, each takes this, 16 bytes of key, and some 10 of the index.
    #[test]
    fn record_of_a_new_client_is_small() {
        assert!(size_of::<ClientRecord>() <= 136, "{}", size_of::<ClientRecord>());
        assert_eq!(ClientRecord::default().heap_bytes(), 0);
    }
}
