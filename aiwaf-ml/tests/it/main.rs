//! The forest and the model file through the public API.
#![allow(clippy::unwrap_used)] // helpers of tests may, as tests may

mod forest;
mod model_file;
mod support;
mod watch;
