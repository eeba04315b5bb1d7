//! What the engine works out of a request before any detector runs.

use std::net::IpAddr;

use smallvec::SmallVec;

use super::Facts;
use crate::client::{ClientKey, Identity};
use crate::policy::Applicable;
use crate::timestamp::Timestamp;

/// What applies to a request, by policy.
pub(crate) type Applied = Applicable;

/// Worked out once, and carried with the request until the response is there.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// Key under which the client is counted.
    pub(crate) client: ClientKey,
    /// The client's address.
    pub(crate) address: IpAddr,
    /// The peer whose clients share a budget, if they can't be told apart for certain; `client` itself if they can't be
    /// told apart at all.
    pub(crate) peer: Option<ClientKey>,
    /// Confidence in the address.
    pub(crate) identity: Identity,
    /// When the request arrived.
    pub(crate) time: Timestamp,
    /// The normalized path; on the heap only if it is long.
    pub(crate) path: SmallVec<[u8; INLINE_PATH]>,
    /// Hash of the normalized path.
    pub(crate) path_hash: u64,
    /// Number of the path rule that applies; 0 is none.
    pub(crate) rule: u16,
    /// Index of the registered route that will answer.
    pub(crate) route: Option<u32>,
    pub(crate) applied: Applied,
    pub(crate) facts: Facts,
}

/// Longest path that takes no allocation: nearly all of real browsing.
pub(crate) const INLINE_PATH: usize = 128;
