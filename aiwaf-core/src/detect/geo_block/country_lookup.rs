//! A port: which country an address belongs to.

use std::net::IpAddr;

use crate::country::CountryCode;

/// A port: tells the country of an address.
///
/// It is asked while a request waits, so it must neither block nor do I/O; answers are remembered per client.
pub trait CountryLookup: Send + Sync {
    /// The country of `address`; `None` if it is not known, as for private addresses.
    fn country(&self, address: IpAddr) -> Option<CountryCode>;
}
