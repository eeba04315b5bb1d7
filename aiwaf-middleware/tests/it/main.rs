//! The layer as a service sees it: through its public API, on axum, on plain tower services, and over sockets.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests may, as tests may

mod bodies;
mod end_to_end;
mod failing;
mod hostile;
mod identity;
mod judging;
mod logs;
#[cfg(feature = "ml")]
mod model;
mod routers;
mod shared_lists;
mod support;
