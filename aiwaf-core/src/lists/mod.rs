//! The five lists: what stands on them, how they change, and the immutable snapshots that requests are judged by.

mod apply;
mod cap;
mod country_set;
mod entry;
mod keyword_set;
mod live;
mod port;
mod prefix_map;
mod snapshot;

pub use country_set::CountrySet;
pub use entry::{
    BanSource, BlacklistEntry, CountryEntry, KeywordEntry, KeywordSource, ListChange, ListName, Lists,
    PathExemptionEntry, WhitelistEntry,
};
pub use keyword_set::MAX_KEYWORD;
pub use port::ChangeSink;

pub(crate) use keyword_set::{KeywordClass, KeywordHit, fold};
pub(crate) use live::LiveLists;
pub(crate) use snapshot::{BanRecord, Snapshot, SnapshotSettings};
