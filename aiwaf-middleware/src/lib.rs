//! AIWAF as a tower layer: one line protects a service.
//!
//! ```
//! use aiwaf_middleware::{Aiwaf, ProtectedRouter, RoutePolicy};
//! use axum::routing::get;
//!
//! # let folder = tempfile::tempdir()?;
//! # let at = |name: &str| folder.path().join(name).display().to_string();
//! let builder = Aiwaf::builder().configure(|settings| {
//!     settings.storage.data_dir = at("aiwaf_data");
//!     settings.logging.dir = at("aiwaf_logs");
//! });
//! let (app, waf) = ProtectedRouter::new()
//!     .route("/", get(|| async { "hello" }))
//!     .route_with("/health", get(|| async { "ok" }), RoutePolicy::exempt())
//!     .protect(builder)?;
//! // axum::serve(listener, app.into_make_service_with_connect_info::<std::net::SocketAddr>()) ...
//! # let _: axum::Router = app;
//! waf.shutdown()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Any other tower stack takes [`Aiwaf::layer`] and tells the peer's address by [`PeerAddress`].
//!
//! # What happens to a request
//!
//! 1. [`ClientAddress`] finds the client. Forwarding headers count only from trusted proxies.
//! 2. The engine of `aiwaf-core` judges. If that panics the request passes, or is denied if
//!    [`AiwafBuilder::fail_closed`] says so, and the panic is reported once.
//! 3. A denied request is answered by [`DenyResponse`]: 403 or 429 in JSON, unless it is replaced. The
//!    [`Verdict`] lies in the response's extensions for layers further out.
//! 4. An allowed request goes on untouched. If a protection reads bodies, the first bytes are judged before the service
//!    gets the request, and the rest in flight, chunk by chunk, however long it is ([`InspectedBody`]).
//! 5. When the head of the response is there, the engine learns from it and the request is logged.
//!
//! Nothing of this waits for a disk: lists, logs and the model are looked after by threads of their own.
//! [`Aiwaf::shutdown`], or dropping the last handle, writes what waits.
//!
//! # Settings
//!
//! [`Aiwaf::from_env`] reads `aiwaf.toml` (explained in full in [`SETTINGS_FILE`]) and the variables `AIWAF_*`.
//!
//! # The model
//!
//! With the feature `ml`, `ai_anomaly` asks the model in [`Settings::model_path`], `aiwaf_data/model.aiwaf` by default. A
//! thread looks at the file every two seconds, so a model that training has just written is in force within seconds, and
//! [`Aiwaf::check_model`] looks at once. Missing, damaged, made for other features, or trained from fewer lines than
//! `ai_anomaly.min_ai_logs`: that is said once, the model before it stays in force, and without one keywords and
//! behaviour decide. Every `ai_anomaly.check_interval` the file is read again even if it looks as before.
//!
//! # Logs
//!
//! In `logging.dir`: `access.log` has every request, in the format of `logging.format`; a request whose client went
//! away before the answer has status 0. `error.log` has requests that were answered with an error. `aiwaf.log` says who
//! was denied and why, what protections in monitor mode would have done, which keywords were learned, and how storage
//! and logs fare. A route that is exempt from `logging` appears in none of them. Targets are logged as sent; headers
//! that hold secrets are never logged.
//!
//! # Deployment caveats
//!
//! - Put the layer outermost, and serve with `into_make_service_with_connect_info::<SocketAddr>()`: otherwise all
//!   clients look like one, which is said once in `aiwaf.log` and on standard error.
//! - Behind a proxy, name it in `client.trusted_proxies`: otherwise all clients look like the proxy.

#[cfg(feature = "axum")]
mod axum;
mod body;
mod client_address;
mod decompression;
mod future;
mod headers;
mod layer;
mod request_log;
mod response;
mod service;
mod settings;
mod waf;

#[cfg(feature = "axum")]
pub use crate::axum::ProtectedRouter;
pub use aiwaf_core::{Mode, Preset, Protection, RoutePolicy, Settings, Timestamp, Verdict};
pub use body::{BodyError, InspectedBody};
pub use client_address::{Client, ClientAddress, PeerAddress};
pub use future::{AiwafFuture, ResponseFuture};
pub use layer::{AiwafLayer, HeadOnlyLayer};
pub use response::{DenyResponse, JsonDenyResponse, ResponseBody, retry_after_seconds};
pub use service::{AiwafService, HeadOnlyService};
pub use settings::{SETTINGS_FILE, load_settings};
pub use waf::{Aiwaf, AiwafBuilder, Error, NotFlushed};
