//! The homes of AIWAF's lists, and the way between them and the engine.
//!
//! A [`Store`] holds the five lists: in memory ([`MemoryStore`]), in CSV files ([`CsvStore`]) that people edit and
//! several processes share, in an SQLite file (`SqliteStore`, feature `sqlite`), or in a PostgreSQL database that many
//! machines share (`PostgresStore`, feature `postgres`). A [`ListKeeper`] runs inside a service: it stores what the engine decides without making a
//! request wait, and publishes what others change. A [`Manager`] is for programs and commands that edit the lists.
//! All of it works with threads and files alone, without an async runtime.
//!
//! ```
//! use std::sync::Arc;
//! use aiwaf_core::Timestamp;
//! use aiwaf_storage::{CsvStore, KeeperOptions, ListKeeper, Manager, Store};
//!
//! let directory = tempfile::tempdir()?;
//! let store: Arc<dyn Store> = Arc::new(CsvStore::open(directory.path())?);
//! let (publish, published) = std::sync::mpsc::channel();
//! let keeper = ListKeeper::start(
//!     Arc::clone(&store),
//!     KeeperOptions::default(),
//!     Box::new(move |lists| drop(publish.send(lists))),
//!     Box::new(|event| eprintln!("{event}")),
//! )?;
//! assert!(published.recv()?.lists.blacklist.is_empty());
//!
//! Manager::new(store).add_to_blacklist("203.0.113.9", "scanner", Timestamp::UNIX_EPOCH)?;
//! assert_eq!(published.recv()?.lists.blacklist[0].reason, "scanner");
//! keeper.shutdown()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backup;
mod both;
mod csv;
mod error;
mod fit;
mod keeper;
mod late_store;
mod manager;
mod memory;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
mod store;
mod url;

pub use crate::csv::CsvStore;
pub use backup::{
    Backup, BackupError, Difference, ExportedList, ImportMode, ImportOptions, ImportReport, Invalid,
    PlainList, Sample, export_ipset, export_json, export_nginx_deny, export_plain_list,
};
pub use both::both;
pub use error::StoreError;
pub use fit::{MAX_EXTENDED_REQUEST_INFO, MAX_KEYWORD, MAX_PATH, MAX_REASON, fit};
pub use keeper::{
    KeeperOptions, ListKeeper, NotStored, Published, PublishedAdditions, StoreEvent, system_clock,
};
pub use late_store::LateStore;
pub use manager::{Manager, ManagerError, Stats};
pub use memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use sql::PostgresStore;
#[cfg(feature = "sqlite")]
pub use sql::SqliteStore;
pub use store::{Additions, ListFailure, Loaded, Revision, RowProblem, Store};
pub use url::{check_url, open};
