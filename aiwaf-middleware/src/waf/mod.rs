//! The firewall of one service: settings, engine, lists and logs put together.

mod builder;
mod http_transaction;
mod in_flight;
#[cfg(feature = "storage")]
mod kept_lists;
#[cfg(feature = "ml")]
mod kept_model;

pub use builder::AiwafBuilder;
pub(crate) use http_transaction::{Head, HttpTransaction};
pub(crate) use in_flight::InFlight;

use std::any::Any;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aiwaf_core::{BuildError, Engine, Identity, ProtectionSet, Settings, SettingsError, Timestamp};
#[cfg(feature = "storage")]
use aiwaf_storage::{ListKeeper, StoreError};

#[cfg(feature = "ml")]
use self::kept_model::KeptModel;
use crate::client_address::{Client, ClientAddress};
use crate::layer::AiwafLayer;
use crate::request_log::{Event, RequestLog};
use crate::response::DenyResponse;
use crate::settings::load_settings;

/// The firewall of one service. Cloning it gives another handle to the same one.
///
/// ```
/// use aiwaf_middleware::{Aiwaf, InspectedBody};
/// use tower::ServiceBuilder;
///
/// # let folder = tempfile::tempdir()?;
/// let waf = Aiwaf::builder()
///     .configure(|settings| {
///         settings.storage.store = "memory:".into();
///         settings.logging.dir = folder.path().display().to_string();
///     })
///     .build()?;
/// let service = ServiceBuilder::new().layer(waf.layer()).service_fn(|_: http::Request<InspectedBody<String>>| async {
///     Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Full::<bytes::Bytes>::default()))
/// });
/// # let _ = service;
/// waf.shutdown()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Aiwaf {
    shared: Arc<Shared>,
}

/// What time it is.
pub(crate) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

struct Shared {
    engine: Arc<Engine>,
    address: ClientAddress,
    // Before the log, so that it is dropped first and can tell how the stop went.
    #[cfg(feature = "storage")]
    keeper: Arc<ListKeeper>,
    /// `None` if there is to be no model.
    #[cfg(feature = "ml")]
    model: Option<KeptModel>,
    place: String,
    log: Option<Arc<RequestLog>>,
    clock: Clock,
    deny_response: Box<dyn DenyResponse>,
    fail_closed: bool,
    warned_unknown_peer: AtomicBool,
    warned_unknown_proxy: AtomicBool,
    said_panic: AtomicBool,
    said_shutdown: AtomicBool,
}

/// Why the firewall can't be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting or variable that can't be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A settings file that can't be read.
    #[error(
        "reading the settings {path:?} failed: {source}; name one that can be read where this one was named (`AIWAF_CONFIG`, or an option), or none"
    )]
    SettingsFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file with rules that can't be read.
    #[error("reading the rules {path:?} failed: {source}; correct attack_signatures.rule_files")]
    RuleFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A setting or route that the engine can't use.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Lists that can't be opened: their URL means nothing, or the firewall is to fail closed.
    #[cfg(feature = "storage")]
    #[error("opening the lists failed: {0}")]
    Store(#[from] StoreError),
    /// The thread of the logs, or of the model, can't be started.
    #[error("starting a thread failed: {0}; let this user start more threads")]
    Thread(io::Error),
}

impl Error {
    /// Whether a setting, variable or route is at fault, so that trying again as things are is in vain; else the
    /// disk or the machine is.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Settings(_) | Self::SettingsFile { .. } | Self::RuleFile { .. } | Self::Build(_) => true,
            #[cfg(feature = "storage")]
            Self::Store(error) => {
                matches!(error, StoreError::UnknownUrl { .. } | StoreError::IncompleteUrl(_))
            }
            Self::Thread(_) => false,
        }
    }
}

/// What could not be written in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct NotFlushed {
    what: String,
}

impl Aiwaf {
    /// With default settings, until the builder is told otherwise; reads neither file nor environment.
    pub fn builder() -> AiwafBuilder {
        AiwafBuilder::default()
    }

    /// With the settings that [`load_settings`] finds.
    ///
    /// # Errors
    /// [`Error`], for settings, lists or databases that can't be used.
    pub fn from_env() -> Result<Self, Error> {
        Self::builder().settings(load_settings(None)?).build()
    }

    /// The layer that puts it around a service.
    pub fn layer(&self) -> AiwafLayer {
        AiwafLayer::new(self.clone())
    }

    /// The engine, for statistics and for questions outside of requests.
    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// The settings that it runs on.
    pub fn settings(&self) -> &Settings {
        self.shared.engine.settings()
    }

    /// The protections that run.
    pub fn enabled_protections(&self) -> ProtectionSet {
        self.shared.engine.enabled_protections()
    }

    /// Where the lists are, for people: `CSV in aiwaf_data`.
    pub fn lists_place(&self) -> &str {
        &self.shared.place
    }

    /// The directory of the logs; `None` if there are none.
    pub fn log_dir(&self) -> Option<&str> {
        self.shared.log.is_some().then(|| self.settings().logging.dir.as_str())
    }

    /// The time by its clock.
    pub fn now(&self) -> Timestamp {
        (self.shared.clock)()
    }

    /// Looks at the model file now, on this thread, instead of within two seconds: for programs that have just trained
    /// one. What is found is in force for the next request.
    #[cfg(feature = "ml")]
    pub fn check_model(&self) {
        if let Some(model) = &self.shared.model {
            model.look();
        }
    }

    /// Waits, on this thread, until all bans, learned keywords and log lines so far are written.
    ///
    /// # Errors
    /// [`NotFlushed`] if that takes longer than `timeout`.
    pub fn flush(&self, timeout: Duration) -> Result<(), NotFlushed> {
        #[cfg(feature = "storage")]
        self.shared.keeper.flush(timeout).map_err(|error| NotFlushed { what: error.to_string() })?;
        if let Some(log) = &self.shared.log
            && !log.flush(timeout)
        {
            return Err(NotFlushed {
                what: "the logs are not written yet: the disk is slow; wait longer".into(),
            });
        }
        Ok(())
    }

    /// Writes what waits, lists first, and stops writing, whatever handles there are. Call it when the server has
    /// stopped; requests that are judged later are logged no more. Safe to call twice; dropping the last handle does
    /// it, too.
    ///
    /// # Errors
    /// [`NotFlushed`] if lists could not be stored. Logs that could not be written are reported on standard error.
    pub fn shutdown(&self) -> Result<(), NotFlushed> {
        self.shared.shutdown()
    }

    /// Judges the head of a request.
    pub(crate) fn begin(&self, head: &Head<'_>) -> HttpTransaction {
        HttpTransaction::begin(self.clone(), head)
    }

    /// Number of bytes of the body to read before the service gets the request: `always`, or the engine's bound if a
    /// detector wants to see the body.
    pub(crate) fn read_ahead(
        &self,
        head: &Head<'_>,
        transaction: &HttpTransaction,
        always: Option<usize>,
    ) -> usize {
        if head.is_conversation() {
            return 0;
        }
        let wanted = || if transaction.wants_body() { self.shared.engine.body_read_ahead() } else { 0 };
        always.unwrap_or_else(wanted)
    }

    /// The client of a request; warns once about each setting that is missing to tell clients apart.
    fn client(&self, head: &Head<'_>) -> Client {
        let peer = head.peer().filter(|peer| !peer.is_unspecified());
        let client = self.shared.address.identify(peer, head.headers);
        if client.identity == Identity::Unidentified {
            self.warn_unidentified(peer, &client);
        }
        client
    }

    #[cold]
    fn warn_unidentified(&self, peer: Option<IpAddr>, client: &Client) {
        if peer.is_none()
            && client.address.is_unspecified()
            && !self.shared.warned_unknown_peer.swap(true, Ordering::Relaxed)
        {
            self.shared.report(
                "unknown_peer",
                "requests come without the address of their peer, so no client can be identified or banned: serve with \
                 into_make_service_with_connect_info::<SocketAddr>(), or insert a PeerAddress into each request",
            );
        }
        if let Some(proxy) = client.unknown_proxy
            && !self.shared.warned_unknown_proxy.swap(true, Ordering::Relaxed)
        {
            let message = format!(
                "{proxy} forwards requests of others and is not in client.trusted_proxies, so the clients behind it can't be \
                 identified or banned, and share a rate limit: if it is your proxy, add it \
                 (AIWAF_TRUSTED_PROXIES={proxy})"
            );
            eprintln!("aiwaf: {message}");
            // `aiwaf doctor` reads the address.
            self.shared.say("unknown_proxy", &[("proxy", &proxy), ("message", &message)]);
        }
    }

    /// Runs what may panic; a panic is reported once.
    fn guard<T>(&self, what: &'static str, run: impl FnOnce() -> T) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(value) => Some(value),
            Err(panic) => {
                if !self.shared.said_panic.swap(true, Ordering::Relaxed) {
                    let then = if self.shared.fail_closed { "denied" } else { "let pass" };
                    let message = panic_message(&*panic);
                    self.shared.report(
                        "panic",
                        &format!(
                            "{what} panicked ({message}); such requests are {then}; this is not repeated"
                        ),
                    );
                }
                None
            }
        }
    }

    fn log(&self) -> Option<&RequestLog> {
        self.shared.log.as_deref()
    }
}

impl Shared {
    /// Says something once to operators.
    fn report(&self, name: &'static str, message: &str) {
        eprintln!("aiwaf: {message}");
        self.say(name, &[("message", &message)]);
    }

    fn say(&self, name: &'static str, details: &[(&'static str, &dyn fmt::Display)]) {
        if let Some(log) = &self.log {
            log.event((self.clock)(), &Event::Other { name, details });
        }
    }

    fn shutdown(&self) -> Result<(), NotFlushed> {
        #[cfg(feature = "ml")]
        if let Some(model) = &self.model {
            model.shutdown();
        }
        #[cfg(feature = "storage")]
        let stored = self.keeper.shutdown().map_err(|error| NotFlushed { what: error.to_string() });
        #[cfg(not(feature = "storage"))]
        let stored = Ok(());
        if !self.said_shutdown.swap(true, Ordering::Relaxed) {
            let statistics = self.engine.statistics();
            self.say(
                "shutdown",
                &[
                    ("requests", &statistics.requests),
                    ("blocked", &statistics.blocked),
                    ("throttled", &statistics.throttled),
                    ("bans", &statistics.bans),
                ],
            );
        }
        if let Some(log) = &self.log {
            log.shutdown();
        }
        stored
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let was_told = self.said_shutdown.load(Ordering::Relaxed);
        if let Err(error) = self.shutdown()
            && !was_told
        {
            eprintln!("aiwaf: {error}");
        }
    }
}

impl fmt::Debug for Aiwaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aiwaf")
            .field("protections", &self.enabled_protections())
            .field("lists", &self.shared.place)
            .field("logs", &self.log_dir())
            .finish_non_exhaustive()
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}
