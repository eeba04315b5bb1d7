//! Which requests count.

use std::fmt;
use std::sync::Arc;

use aiwaf_core::{CountryLookup, Timestamp};

/// Which requests count, and how.
#[derive(Clone)]
#[non_exhaustive]
pub struct StatisticsOptions {
    /// Only requests from this moment on; by default from the beginning.
    pub since: Option<Timestamp>,
    /// Only requests before this moment; by default to the end.
    pub until: Option<Timestamp>,
    /// How many bits of an IPv6 address make a client: 64 by default, as in the protections.
    pub ipv6_prefix: u8,
    /// Tells the countries of clients; by default nobody does.
    pub countries: Option<Arc<dyn CountryLookup>>,
}

impl Default for StatisticsOptions {
    fn default() -> Self {
        Self { since: None, until: None, ipv6_prefix: 64, countries: None }
    }
}

impl fmt::Debug for StatisticsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatisticsOptions")
            .field("since", &self.since)
            .field("until", &self.until)
            .field("ipv6_prefix", &self.ipv6_prefix)
            .field("countries", &self.countries.is_some())
            .finish()
    }
}
