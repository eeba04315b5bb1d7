//! The command as a person or a script calls it.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests may, as tests may

mod conventions;
mod explain;
mod geo_database;
mod inspect;
mod lists;
mod log_statistics;
mod logs;
mod originals;
mod running_service;
mod scripts;
mod setup;
mod support;
mod tours;
mod whois;
