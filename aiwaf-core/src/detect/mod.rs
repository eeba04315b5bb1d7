//! The detectors: one file or folder for each protection, with its settings, its memory of clients, its phases and tests.

pub(crate) mod ai_anomaly;
pub(crate) mod attack_signatures;
mod context;
mod custom;
mod facts;
pub(crate) mod geo_block;
pub(crate) mod header_validation;
pub(crate) mod honeypot;
pub(crate) mod ip_keyword_block;
pub(crate) mod rate_limit;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod uuid_tamper;

pub(crate) use context::{Applied, Context, INLINE_PATH};
pub(crate) use custom::{CustomDetectors, CustomMemory, CustomRequests};
pub(crate) use facts::{Facts, KnownHeaders};

use std::cell::RefCell;
use std::net::IpAddr;
use std::time::Duration;

use crate::bots::BotSettings;
use crate::client::ClientKey;
use crate::country::CountryCode;
use crate::lists::{KeywordEntry, Snapshot};
use crate::policy::PathRule;
use crate::request::{Outcome, Request};
use crate::site_paths::SitePaths;
use crate::timestamp::Timestamp;
use crate::verdict::Finding;

/// The registration table: one row for each protection, in the order in which they run, cheapest first.
///
/// A row is the variant of [`Protection`](crate::Protection), the name in settings, commands and logs (also that of the
/// detector's module and of its section in [`Settings`](crate::Settings)), the detector, its settings, the presets that
/// select it beside `maximum`, the names that the original had for it, and a description of one line. `logging` has no
/// detector: it is listed where the protections are.
macro_rules! for_each_detector {
    ($callback:ident) => {
        $callback! {
            IpKeywordBlock ip_keyword_block (IpKeywordBlock, IpKeywordBlockSettings)
                presets [Minimal Standard Api]
                aliases ["IPAndKeywordBlockMiddleware" "IpAndKeywordBlockMiddleware"]
                "Blocks malicious IPs and detects attack keywords";
            RateLimit rate_limit (RateLimit, RateLimitSettings)
                presets [Minimal Standard AiFocused Api]
                aliases ["RateLimitMiddleware"]
                "Protects against brute force and denial of service";
            GeoBlock geo_block (GeoBlock, GeoBlockSettings)
                presets [Api]
                aliases ["GeoBlockMiddleware"]
                "Blocks requests by country code";
            HeaderValidation header_validation (HeaderValidation, HeaderValidationSettings)
                presets [Standard AiFocused]
                aliases ["HeaderValidationMiddleware"]
                "Validates HTTP headers for signs of automation";
            UuidTamper uuid_tamper (UuidTamper, UuidTamperSettings)
                presets [Api]
                aliases ["UUIDTamperMiddleware" "UuidTamperMiddleware"]
                "Protects against manipulated and guessed UUIDs";
            Honeypot honeypot (Honeypot, HoneypotSettings)
                presets []
                aliases ["HoneypotTimingMiddleware" "HoneypotMiddleware"]
                "Detects automated form submissions";
            AiAnomaly ai_anomaly (AiAnomaly, AiAnomalySettings)
                presets [Standard AiFocused Api]
                aliases ["AIAnomalyMiddleware" "AiAnomalyMiddleware"]
                "Analyzes behavior with a model and thresholds";
            AttackSignatures attack_signatures (AttackSignatures, AttackSignaturesSettings)
                presets [Api]
                aliases []
                "Inspects requests for injection, scripting, traversal and other attacks";
        }
    };
}

/// Generates one place where all settings of detectors are found.
macro_rules! define_settings_module {
    ($($variant:ident $name:ident ($detector:ident, $settings:ident)
        presets [$($preset:ident)*] aliases [$($alias:literal)*] $description:literal;)*) => {
        /// The settings of all detectors.
        pub(crate) mod settings {
            $(pub use super::$name::$settings;)*
        }
    };
}

for_each_detector!(define_settings_module);

/// A component that runs one protection, built in or a service's own ([`EngineBuilder::detector`]).
///
/// [`EngineBuilder::detector`]: crate::EngineBuilder::detector
///
/// The engine calls a detector in three phases: for the head of a request, for each chunk of its body, and when the status
/// of the response is known. All are called on the path of a request: they must not block, and must bound what they
/// remember. `client` is what the detector
/// remembers of the request's client: a value in the client's record, empty at first, and dropped when the client was not
/// seen for long. While it is borrowed, other requests of the same client wait.
///
/// ```
/// use aiwaf_core::{Detector, Engine, Finding, Head, Protection, Reason, Request, Timestamp};
///
/// /// Blocks clients that request a path that no page shows.
/// struct HiddenPath(Protection);
///
/// impl Detector for HiddenPath {
///     type Client = ();
///     type Request = ();
///
///     fn head(&self, head: &Head<'_>, _: &mut (), _: &mut ()) -> Option<Finding> {
///         (head.path() == b"/hidden").then(|| Finding::block(self.0, Reason::Custom("hidden path".into())))
///     }
/// }
///
/// let hidden_path = Protection::custom("hidden_path", "Blocks requests for a path that no page shows")?;
/// let engine = Engine::builder().detector(hidden_path, HiddenPath(hidden_path)).build()?;
/// let now = Timestamp::from_unix_seconds(1.7e9);
/// let request = Request::new("203.0.113.9".parse()?, now).with_method("GET").with_uri("/hidden");
/// assert_eq!(engine.inspect(&request).finding.unwrap().protection, hidden_path);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Detector: Send + Sync + 'static {
    /// Memory that the detector keeps of each client; `()` for none. Small values, or a box that is empty at first: there
    /// is one for every client that was seen.
    type Client: ClientMemory;

    /// Memory that the detector keeps of one request, from its head to the end of its body; `()` for none.
    type Request: Default + Send + 'static;

    /// Judges the head of a request: `None`, or why it is to be blocked or throttled. The first finding of an enforced
    /// protection ends the inspection.
    fn head(
        &self,
        head: &Head<'_>,
        client: &mut Self::Client,
        request: &mut Self::Request,
    ) -> Option<Finding>;

    /// Judges the next chunk of a request's body, as [`head`](Self::head) does. It has to bound what it keeps of a body,
    /// whose length is not bounded.
    fn body(&self, body: &Body<'_>, request: &mut Self::Request) -> Option<Finding> {
        let _ = (body, request);
        None
    }

    /// Learns from the response to a request that was allowed.
    fn response(&self, response: &Response<'_>, client: &mut Self::Client) {
        let _ = (response, client);
    }
}

/// A detector of the registration table: how it is built, beside what it does.
pub(crate) trait BuiltIn: Detector + Sized {
    /// Its section of the settings.
    type Settings;

    /// Builds it from its settings, which are checked.
    fn build(settings: &Self::Settings, inputs: &Inputs<'_>) -> Result<Self, DetectorError>;
}

/// What detectors are built from beside their own settings.
pub(crate) struct Inputs<'i> {
    /// Time within which hits add up.
    pub(crate) ban_window: Duration,
    pub(crate) path_rules: &'i [PathRule],
    /// Whether there is a country database.
    pub(crate) has_countries: bool,
    /// Names and texts of rule files.
    pub(crate) rule_texts: &'i [(String, String)],
    /// Words in lower case that are never learned.
    pub(crate) never_learned: &'i [String],
    /// What each class of bots may do.
    pub(crate) bots: &'i BotSettings,
}

/// A detector that can't be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DetectorError {
    /// Unusable rules.
    #[error(transparent)]
    Signatures(#[from] attack_signatures::SignatureError),
    /// More user agents in the settings than an automaton can hold.
    #[error("header_validation: the configured agents can't be compiled: {0}")]
    Agents(String),
}

/// What a detector remembers of one client.
pub trait ClientMemory: Default + Send + 'static {
    /// Bytes that it holds on the heap, beside its own size: they count toward the bound on the memory of all clients.
    /// Called before and after each change, so it has to be cheap. Default: 0.
    fn heap_bytes(&self) -> usize {
        0
    }
}

impl ClientMemory for () {}

/// The head of a request, as detectors see it: the request, and what the engine has worked out of it once for all.
pub struct Head<'r> {
    /// The request as received.
    pub(crate) request: &'r Request<'r>,
    /// Key under which the client is counted.
    pub(crate) client: ClientKey,
    /// The normalized path: decoded, without tricks, in lower case.
    pub(crate) path: &'r [u8],
    pub(crate) context: &'r Context,
    pub(crate) headers: KnownHeaders<'r>,
    pub(crate) facts: Facts,
    /// Pattern of the route that will answer, if it is registered or the adapter knows it.
    pub(crate) route: Option<&'r str>,
    /// The client's country, if a country database is there and any country is blocked or allowed.
    pub(crate) country: Option<CountryCode>,
    pub(crate) lists: &'r Snapshot,
    pub(crate) site: &'r SitePaths,
}

impl Head<'_> {
    /// The request as received.
    pub fn request(&self) -> &Request<'_> {
        self.request
    }

    /// The key under which the client is counted: its IPv4 address, or its IPv6 network.
    pub fn client(&self) -> ClientKey {
        self.client
    }

    /// The normalized path: percent-decoded, without `.` and `..` segments, in lower case.
    pub fn path(&self) -> &[u8] {
        self.path
    }

    /// The first value of a header, in any case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.request.header(name)
    }

    /// The pattern of the route that will answer (`/items/{id}`), if it is registered.
    pub fn route(&self) -> Option<&str> {
        self.route
    }

    /// Reports whether the site is known to answer this path: a route is registered for it, or several clients got an
    /// answer. Costs a look-up.
    pub fn is_known_path(&self) -> bool {
        is_known_path(self.route, self.site, self.context)
    }

    /// Reports whether the path is exempt as an asset.
    pub(crate) fn is_asset(&self) -> bool {
        self.context.applied.asset
    }
}

/// Reports whether a route is registered for the path, or several clients got an answer for it.
pub(crate) fn is_known_path(route: Option<&str>, site: &SitePaths, context: &Context) -> bool {
    // A route that takes any path says nothing about this one.
    route.is_some_and(|pattern| !pattern.contains("{*")) || site.is_known(context.path_hash)
}

/// The form of a body that a chunk belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyStream {
    /// As it was sent.
    Sent,
    /// Without its `Content-Encoding`.
    Decoded,
}

/// A chunk of a request's body, as detectors see it.
pub struct Body<'r> {
    /// The request as received.
    pub(crate) request: &'r Request<'r>,
    pub(crate) context: &'r Context,
    /// The next bytes of the body.
    pub(crate) chunk: &'r [u8],
    pub(crate) stream: BodyStream,
    /// Whether the body ends with this chunk.
    pub(crate) is_end: bool,
}

impl Body<'_> {
    /// The request as received, without its body.
    pub fn request(&self) -> &Request<'_> {
        self.request
    }

    /// The normalized path.
    pub fn path(&self) -> &[u8] {
        &self.context.path
    }

    /// The next bytes of the body; how it is cut into chunks means nothing.
    pub fn chunk(&self) -> &[u8] {
        self.chunk
    }

    /// The form of the body that the chunk belongs to: a body with a `Content-Encoding` comes as it was sent, and decoded.
    pub fn stream(&self) -> BodyStream {
        self.stream
    }

    /// Reports whether the body ends with this chunk.
    pub fn is_end(&self) -> bool {
        self.is_end
    }
}

/// The response to a request that was allowed, as detectors see it.
pub struct Response<'r> {
    /// The request as received; its headers may be gone.
    pub(crate) request: &'r Request<'r>,
    pub(crate) context: &'r Context,
    pub(crate) outcome: Outcome,
    pub(crate) route: Option<&'r str>,
    pub(crate) lists: &'r Snapshot,
    pub(crate) site: &'r SitePaths,
    /// Whether this response is the first from which the site's path was learned.
    pub(crate) is_new_path: bool,
    /// Keywords that detectors have learned from it.
    pub(crate) learned: RefCell<Vec<KeywordEntry>>,
    /// What the response has shown of its client: evidence, too late to refuse anything.
    pub(crate) finding: RefCell<Option<Finding>>,
}

impl Response<'_> {
    /// The request as received. Adapters need not keep its headers until the response is there.
    pub fn request(&self) -> &Request<'_> {
        self.request
    }

    /// The key under which the client is counted.
    pub fn client(&self) -> ClientKey {
        self.context.client
    }

    /// The client's address.
    pub fn address(&self) -> IpAddr {
        self.context.address
    }

    /// When the request arrived.
    pub fn time(&self) -> Timestamp {
        self.context.time
    }

    /// The normalized path.
    pub fn path(&self) -> &[u8] {
        &self.context.path
    }

    /// Status, time and size of the response.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Reports whether the site is known to answer this path, as [`Head::is_known_path`] does.
    pub fn is_known_path(&self) -> bool {
        is_known_path(self.route, self.site, self.context)
    }

    /// Adds keywords to the list, when the lock on the client's record is gone.
    pub(crate) fn learn(&self, keywords: Vec<KeywordEntry>) {
        if !keywords.is_empty() {
            self.learned.borrow_mut().extend(keywords);
        }
    }

    /// Adds the evidence of a finding to the client's points.
    pub(crate) fn note(&self, finding: Finding) {
        *self.finding.borrow_mut() = Some(finding);
    }

    /// Number of different blocked keywords in path and query.
    pub(crate) fn keyword_hits(&self) -> u32 {
        self.lists.keywords.count(&self.context.path, self.request.query)
    }
}
