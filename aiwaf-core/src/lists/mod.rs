//! The five lists: what stands on them, how they change, and the immutable snapshots that requests are judged by.

mod apply;
mod entry;
mod port;

pub use entry::{
    BanSource, BlacklistEntry, CountryEntry, KeywordEntry, KeywordSource, ListChange, ListName, Lists,
    PathExemptionEntry, WhitelistEntry,
};
pub use port::ChangeSink;
