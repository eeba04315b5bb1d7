//! The lists in the tables of a database.

mod lists;
mod migrate;
mod row;
#[cfg(feature = "sqlite")]
mod sqlite;
mod tables;

#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
