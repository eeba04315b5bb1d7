//! What every home of the lists must do, and what each does beyond that.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests may, as tests may

mod backup;
mod ban_lifecycle;
mod csv_files;
mod keeper;
mod manager;
mod plain_lists;
mod postgres_database;
mod postgres_server;
mod processes;
mod released_schemas;
mod same_everywhere;
mod sqlite_file;
mod support;
