//! The trainer through its public interface.

#![allow(clippy::unwrap_used)] // a test that can't go on fails

mod learning;
mod sources;
