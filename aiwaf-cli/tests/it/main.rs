//! The command as a person or a script calls it.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests may, as tests may

mod inspect;
mod support;
