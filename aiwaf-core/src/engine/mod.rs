//! The engine: asks the protections that apply, in order, and turns the first objection into a verdict.

mod builder;
mod recorded;
mod statistics;
mod would_be;

pub use builder::{BuildError, EngineBuilder};
pub use recorded::{RecordBuffers, RecordedRequest};
pub use statistics::Statistics;

use std::net::IpAddr;

use self::would_be::WouldBe;
use crate::bans::{Bans, EarlierBan};
use crate::client::ClientKey;
use crate::decode::{Buffer, normalize_path};
use crate::detect::ai_anomaly::{AiAnomaly, AnomalyModel};
use crate::detect::attack_signatures::AttackSignatures;
use crate::detect::geo_block::GeoBlock;
use crate::detect::header_validation::HeaderValidation;
use crate::detect::honeypot::Honeypot;
use crate::detect::ip_keyword_block::IpKeywordBlock;
use crate::detect::rate_limit::{RateLimit, RateScope};
use crate::detect::uuid_tamper::UuidTamper;
use crate::detect::{Inspection, Observation, asked_by_another_site};
use crate::lists::{BanRecord, BlacklistEntry, ListChange, Lists, LiveLists, Snapshot};
use crate::policy::{self, Applicable, CompiledRule, Exemption, PathRules, Route, Routes};
use crate::protection::{Protection, ProtectionSet};
use crate::request::{Outcome, Request};
use crate::request_info;
use crate::settings::Settings;
use crate::state::KnownPaths;
use crate::verdict::{BanWeight, CountryCode, Finding, Reason, Verdict};

/// Decides about requests, and learns from how they end.
///
/// `inspect` before the service answers, `observe` after. Both take `&self`, hold no lock but that of one shard of one
/// map at a time, and do no I/O; share the engine between threads in an `Arc`.
///
/// ```
/// use aiwaf_core::{Engine, Outcome, Request, Timestamp};
/// use std::time::Duration;
///
/// let engine = Engine::builder().build()?;
/// let headers = [("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"), ("accept", "text/html"),
///     ("accept-language", "en"), ("accept-encoding", "gzip")];
/// let request = Request::new("203.0.113.9".parse()?, Timestamp::from_unix_seconds(1.7e9))
///     .with_method("GET").with_uri("/").with_protocol("HTTP/1.1").with_headers(&headers);
///
/// assert!(engine.inspect(&request).is_allowed());
/// engine.observe(&request, &Outcome::new(200, Duration::from_millis(3)));
///
/// let probe = request.with_uri("/.env");
/// let verdict = engine.inspect(&probe);
/// assert_eq!(verdict.finding.unwrap().reason.to_string(), "Keyword block: .env");
/// assert!(!engine.inspect(&request).is_allowed(), "whoever probes is banned");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Engine {
    settings: Settings,
    enabled: ProtectionSet,
    monitored: ProtectionSet,
    ip_keyword_block: IpKeywordBlock,
    rate_limit: RateLimit,
    geo_block: GeoBlock,
    header_validation: HeaderValidation,
    uuid_tamper: UuidTamper,
    honeypot: Honeypot,
    ai_anomaly: AiAnomaly,
    /// Only if it is enabled, for its rules take some megabytes.
    attack_signatures: Option<AttackSignatures>,
    known_paths: KnownPaths,
    lists: LiveLists,
    bans: Bans,
    would_be: WouldBe,
    path_rules: PathRules,
    routes: Routes,
    counters: statistics::Counters,
}

/// What was worked out about a request before anybody judges it.
struct Context<'c> {
    inspection: Inspection<'c>,
    applicable: Applicable,
    rule: Option<&'c CompiledRule>,
}

impl Engine {
    /// The headers, in lower case, that [`observe`](Self::observe) and
    /// [`AccessRecord::from_request`](crate::AccessRecord::from_request) read: an adapter that can't keep the whole head
    /// of a request until the answer is there keeps these.
    pub const OBSERVED_HEADERS: [&str; 10] = [
        "accept",
        "content-type",
        "host",
        "origin",
        "referer",
        "sec-fetch-dest",
        "sec-fetch-mode",
        "sec-fetch-site",
        "user-agent",
        "x-requested-with",
    ];

    /// All protections with their defaults, until the builder is told otherwise.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// Judges a request before the service answers it.
    ///
    /// Costs about a microsecond, and no heap allocation if nothing objects and the client is known. A client that is
    /// banned by this call is turned away from its next request on.
    pub fn inspect(&self, request: &Request<'_>) -> Verdict {
        let verdict = self.judge(request);
        self.counters.count(&verdict);
        verdict
    }

    /// Whether a protection that runs looks at bodies at all.
    pub fn reads_bodies(&self) -> bool {
        self.enabled.iter().any(|protection| self.settings.body_bytes(protection) > 0)
    }

    /// How many bytes of this request's body, counted from its beginning, are worth waiting for before
    /// [`inspect`](Self::inspect) is asked; 0 if no protection that applies looks at bodies, or if the client is denied
    /// whatever it sends. `request` needs no body. Costs less than half of `inspect`, and changes nothing.
    pub fn wanted_body_bytes(&self, request: &Request<'_>) -> usize {
        let snapshot = self.lists.snapshot();
        if !self.reads_bodies() || snapshot.is_whitelisted(request.client) {
            return 0;
        }
        let mut path = Buffer::new();
        let route = self.routes.find(request.path);
        let request = request.with_route(request.route.or(route.map(|route| &*route.pattern)));
        let context = self.context(&request, route, &snapshot, &mut path);
        let applicable = context.applicable.protections;
        let enforced = applicable.difference(self.monitored);
        if enforced.contains(Protection::IpKeywordBlock)
            && self.blacklisted(&context.inspection, &snapshot).is_some()
        {
            return 0;
        }
        applicable.iter().map(|protection| self.settings.body_bytes(protection)).max().unwrap_or(0)
    }

    fn judge(&self, request: &Request<'_>) -> Verdict {
        let snapshot = self.lists.snapshot();
        if snapshot.is_whitelisted(request.client) {
            let log = ProtectionSet::EMPTY.with(Protection::Logging);
            return Verdict::allow(self.enabled.intersection(log));
        }
        let mut path = Buffer::new();
        let route = self.routes.find(request.path);
        let request = request.with_route(request.route.or(route.map(|route| &*route.pattern)));
        let context = self.context(&request, route, &snapshot, &mut path);
        let mut verdict = Verdict::allow(context.applicable.protections);
        verdict.monitored.extend(self.would_be_blacklisted(&context));
        for protection in context.applicable.protections.iter() {
            let is_monitored = self.monitored.contains(protection);
            // Enforcing would have stopped at the first objection: what is monitored stops there, too.
            if is_monitored && !verdict.monitored.is_empty() {
                continue;
            }
            let Some(mut finding) = self.ask(protection, &context, &snapshot) else { continue };
            // Any page can make its readers ask for anything, and must not get them banned by it.
            if asked_by_another_site(&request) {
                finding.weight = BanWeight::Nothing;
            }
            if is_monitored {
                self.remember_would_be_ban(&context.inspection, &finding, &snapshot);
                verdict.monitored.push(finding);
            } else {
                verdict.ban = self.ban_for(&context.inspection, &finding, &snapshot);
                verdict.action = finding.action;
                verdict.finding = Some(Box::new(finding));
                break;
            }
        }
        if verdict.is_allowed() && !verdict.monitored.is_empty() {
            self.would_be.deny(&request, context.inspection.client);
        }
        verdict
    }

    /// What is to be known about a request before anybody judges it. The path's normal form is written into `path`.
    fn context<'c>(
        &'c self,
        request: &'c Request<'_>,
        route: Option<&Route>,
        snapshot: &Snapshot,
        path: &'c mut Buffer,
    ) -> Context<'c> {
        let repaired = normalize_path(request.path, path);
        let exemption = snapshot
            .exempt_paths
            .find(path)
            .filter(|exemption| *exemption == Exemption::Full || may_be_asset(request));
        let rule = self.path_rules.find(path);
        let policy = route.map(|route| route.policy(repaired));
        let applicable = policy::resolve(self.enabled, exemption, policy, rule, repaired);
        let client = ClientKey::new(request.client, self.settings.client.ipv6_prefix);
        Context { inspection: Inspection { request, client, path }, applicable, rule }
    }

    /// Whether the site is known to answer this path: a route is registered for it, or several clients got an answer.
    fn is_known_path(&self, inspection: &Inspection<'_>) -> bool {
        // A route that takes any path says nothing about this one.
        inspection.request.route.is_some_and(|pattern| !pattern.contains("{*"))
            || self.known_paths.is_known(inspection.path)
    }

    fn ask(&self, protection: Protection, context: &Context<'_>, snapshot: &Snapshot) -> Option<Finding> {
        let inspection = &context.inspection;
        match protection {
            Protection::IpKeywordBlock => {
                let applicable = &context.applicable;
                self.blacklisted(inspection, snapshot).or_else(|| {
                    let keywords = (!applicable.blacklist_only).then_some(&snapshot.keywords)?;
                    let is_known_path = || self.is_known_path(inspection);
                    self.ip_keyword_block.inspect(inspection, keywords, applicable.asset, is_known_path)
                })
            }
            Protection::RateLimit => self.rate_limit.inspect(inspection, &self.rate_scope(context.rule)),
            Protection::GeoBlock => self.geo_block.inspect(inspection, &snapshot.countries),
            Protection::HeaderValidation => self.header_validation.inspect(inspection),
            Protection::UuidTamper => self.uuid_tamper.inspect(inspection),
            Protection::Honeypot => self.honeypot.inspect(inspection),
            Protection::AiAnomaly => self.ai_anomaly.inspect(inspection),
            Protection::AttackSignatures => {
                self.attack_signatures.as_ref()?.inspect(inspection, context.applicable.asset)
            }
            Protection::Logging => None,
        }
    }

    fn blacklisted(&self, inspection: &Inspection<'_>, snapshot: &Snapshot) -> Option<Finding> {
        let time = inspection.request.time;
        let active = |ban: &BanRecord| ban.is_active(time).then(|| Box::<str>::from(&*ban.reason));
        let reason = self
            .lists
            .find_ban(snapshot, inspection.client, inspection.request.client, time, active)
            .flatten()?;
        Some(already_banned(reason))
    }

    /// What the blacklist would say if monitored protections had banned whom they would have.
    fn would_be_blacklisted(&self, context: &Context<'_>) -> Option<Finding> {
        if self.monitored.is_empty() || !context.applicable.protections.contains(Protection::IpKeywordBlock) {
            return None;
        }
        let Inspection { request, client, .. } = context.inspection;
        self.would_be.banned(client, request.time).map(already_banned)
    }

    fn rate_scope(&self, rule: Option<&CompiledRule>) -> RateScope {
        let limits = &self.settings.rate_limit;
        let overrides = rule.and_then(|rule| Some((rule.number, rule.rate_limit?)));
        let Some((index, overrides)) = overrides else {
            return RateScope { index: 0, window: limits.window, max: limits.max, flood: limits.flood };
        };
        let max = overrides.max.unwrap_or(limits.max);
        // Without a flood of its own, a rule keeps the proportion between flood and limit.
        let scaled = || u64::from(max) * u64::from(limits.flood) / u64::from(limits.max.max(1));
        let flood = overrides.flood.unwrap_or_else(|| u32::try_from(scaled()).unwrap_or(u32::MAX));
        RateScope {
            index,
            window: overrides.window.unwrap_or(limits.window),
            max,
            flood: flood.clamp(max, 200_000),
        }
    }

    /// Bans the client if this hit makes enough of them.
    fn ban_for(
        &self,
        inspection: &Inspection<'_>,
        finding: &Finding,
        snapshot: &Snapshot,
    ) -> Option<Box<BlacklistEntry>> {
        let (client, time) = (inspection.client, inspection.request.time);
        let settings = &self.settings.bans;
        let ban_after = self.settings.ban_after(finding.protection);
        let listed = self.listed_ban(inspection, snapshot);
        let mut entry = self.bans.register(client, finding, ban_after, time, listed)?;
        if settings.capture_extended_request_info {
            entry.extended_request_info = Some(request_info::describe(inspection.request, settings));
        }
        self.lists.ban(client, entry.clone());
        Some(Box::new(entry))
    }

    fn remember_would_be_ban(&self, inspection: &Inspection<'_>, finding: &Finding, snapshot: &Snapshot) {
        let ban_after = self.settings.ban_after(finding.protection);
        let listed = self.listed_ban(inspection, snapshot);
        self.would_be.register(inspection.client, finding, ban_after, inspection.request.time, listed);
    }

    fn listed_ban(&self, inspection: &Inspection<'_>, snapshot: &Snapshot) -> Option<EarlierBan> {
        let request = inspection.request;
        self.lists
            .find_ban(snapshot, inspection.client, request.client, request.time, |ban| EarlierBan::from(ban))
    }

    /// Learns from how a request ended that was allowed. Costs about as much as `inspect`.
    ///
    /// Don't call it for requests that the engine denied: what they asked for is no sign of what the site has. Call it
    /// with the client, time and path that `inspect` saw: by these the engine knows again what protections in monitor
    /// mode would have denied. Those learn nothing from such a request, as if they had; one thing can't be told in
    /// monitor mode: what the keywords would do that `ai_anomaly` would learn, for those are put on no list.
    pub fn observe(&self, request: &Request<'_>, outcome: &Outcome) {
        let snapshot = self.lists.snapshot();
        if snapshot.is_whitelisted(request.client) {
            return;
        }
        let mut path = Buffer::new();
        let route = self.routes.find(request.path);
        let request = request.with_route(request.route.or(route.map(|route| &*route.pattern)));
        let context = self.context(&request, route, &snapshot, &mut path);
        let mut applied = context.applicable.protections;
        let inspection = context.inspection;
        let mut paths_are_known = true;
        if !self.monitored.is_empty() && self.would_be.was_denied(&request, inspection.client) {
            // Enforced, what is monitored would never have seen this answer. What is enforced learns from it, as ever.
            applied = applied.difference(self.monitored);
            let asking = ProtectionSet::EMPTY.with(Protection::IpKeywordBlock).with(Protection::AiAnomaly);
            paths_are_known = !asking.intersection(self.enabled).difference(self.monitored).is_empty();
        }
        let keyword_hits = if applied.contains(Protection::AiAnomaly) {
            snapshot.keywords.count(inspection.path, request.query)
        } else {
            0
        };
        let known_path = self.is_known_path(&inspection);
        let observation = Observation { inspection, known_path, outcome: *outcome, keyword_hits };
        if paths_are_known {
            self.known_paths.observe(&observation);
        }
        if applied.contains(Protection::UuidTamper) {
            self.uuid_tamper.observe(&observation);
        }
        if applied.contains(Protection::Honeypot) {
            self.honeypot.observe(&observation);
        }
        if applied.contains(Protection::AiAnomaly) {
            let learned = self.ai_anomaly.observe(&observation, |word| snapshot.keywords.contains(word));
            if !self.monitored.contains(Protection::AiAnomaly) {
                for keyword in learned {
                    self.lists.record(ListChange::AddKeyword(keyword));
                }
            }
        }
    }

    /// Puts `lists` in force for the next request. `contained` is the highest number that the sink gave to a change
    /// that they contain; bans up to that number are no longer kept beside them. 0 keeps all of those.
    ///
    /// Costs time linear in the lists' size, none of it at the expense of requests.
    pub fn publish(&self, lists: &Lists, contained: u64) {
        self.lists.publish(lists, contained);
    }

    /// Puts more bans in force for the next request, beside the lists that were published last. `contained` is as in
    /// [`Engine::publish`], of the lists together with these bans.
    ///
    /// Costs time in proportion to the bans that were added in this way since the last [`Engine::publish`], however long
    /// the lists are; a network that stands on the blacklist already keeps the ban that ends last.
    pub fn publish_additions(&self, bans: &[BlacklistEntry], contained: u64) {
        self.lists.publish_additions(bans, contained);
    }

    /// Judges behaviour by `model` from now on, or without any.
    pub fn set_model(&self, model: Option<Box<dyn AnomalyModel>>) {
        self.ai_anomaly.set_model(model);
    }

    /// Compiles the patterns of all rules now: about a second of work. Each is compiled when it is first asked for
    /// otherwise, which makes that one request wait for some milliseconds.
    pub fn warm_up(&self) {
        if let Some(signatures) = &self.attack_signatures {
            signatures.compile();
        }
    }

    /// The settings that it runs on.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The protections that run.
    pub fn enabled_protections(&self) -> ProtectionSet {
        self.enabled
    }

    /// Whether a protection runs, in whatever mode.
    pub fn is_enabled(&self, protection: Protection) -> bool {
        self.enabled.contains(protection)
    }

    /// What it has decided since it was built.
    pub fn statistics(&self) -> Statistics {
        self.counters.read()
    }

    /// The country of an address, if a country database is there and knows it.
    pub fn country_of(&self, address: IpAddr) -> Option<CountryCode> {
        self.geo_block.country_of(ClientKey::new(address, self.settings.client.ipv6_prefix), address)
    }
}

fn already_banned(reason: Box<str>) -> Finding {
    Finding::block(Protection::IpKeywordBlock, Reason::Blacklisted(reason)).with_weight(BanWeight::Nothing)
}

/// Whether it can be a file that merely looks like one by its path: it is fetched, and not made by a route that takes
/// anything for its parameter (`/items/{id}` for `/items/7.css`).
fn may_be_asset(request: &Request<'_>) -> bool {
    let is_made = request.route.is_some_and(|pattern| pattern.contains('{') && !pattern.contains("{*"));
    matches!(request.method, "GET" | "HEAD" | "") && !is_made
}
