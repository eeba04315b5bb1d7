//! The homes of AIWAF's lists, and the way between them and the engine.

mod csv;
mod error;
mod fit;
mod keeper;
mod memory;
mod store;

pub use crate::csv::CsvStore;
pub use error::StoreError;
pub use fit::{MAX_EXTENDED_REQUEST_INFO, MAX_KEYWORD, MAX_PATH, MAX_REASON, fit};
pub use keeper::{KeeperOptions, ListKeeper, NotStored, Published, StoreEvent, system_clock};
pub use memory::MemoryStore;
pub use store::{Loaded, Revision, RowProblem, Store};
