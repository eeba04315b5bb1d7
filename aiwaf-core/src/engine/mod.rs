//! The engine: carries transactions through their phases, and turns findings into verdicts and bans.

mod builder;
mod judging;
mod record;
mod recorded;
mod statistics;

pub use builder::{BuildError, EngineBuilder};
pub use recorded::{RecordBuffers, RecordedRequest};
pub use statistics::Statistics;

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use ipnet::IpNet;
use smallvec::SmallVec;

use self::judging::Subject;
use self::record::ClientRecord;
use crate::bans::Bans;
use crate::bans::ledger::EvidenceReport;
use crate::client::{ClientKey, ClientTable, Identity, canonical_network};
use crate::country::CountryCode;
use crate::decode::{Buffer, normalize_path};
use crate::detect::ai_anomaly::AnomalyModel;
use crate::detect::attack_signatures::CleanCookie;
use crate::detect::geo_block::{ClientCountry, CountryLookup};
use crate::detect::honeypot::shows_page;
use crate::detect::{
    Applied, Body, BodyStream, Context, CustomDetectors, Detector, Facts, Head, KnownHeaders, Response,
};
use crate::lists::{BlacklistEntry, ListChange, Lists, LiveLists, Snapshot};
use crate::policy::{self, Exemption, PathRules, Routes};
use crate::protection::{Protection, ProtectionSet};
use crate::request::{Outcome, Request};
use crate::settings::Settings;
use crate::site_paths::SitePaths;
use crate::state::hash_text;
use crate::timestamp::Timestamp;
use crate::transaction::{Judgement, RequestMemory, Transaction};
use crate::verdict::{Finding, Reason, Verdict};

/// Decides about requests, and learns from their responses.
///
/// All methods take `&self`, hold no lock but that of one shard of one map at a time, and do no I/O; share the engine
/// between threads in an `Arc`. [`inspect`](Self::inspect) is the short form for services without phases;
/// [`Transaction`] says which phases there are.
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
/// let mut transaction = engine.begin(&request);
/// engine.request_head(&mut transaction, &request);
/// assert!(transaction.is_allowed());
/// engine.response(&mut transaction, &request, &Outcome::new(200, Duration::from_millis(3)));
///
/// let verdict = engine.inspect(&request.with_uri("/.env"));
/// assert_eq!(verdict.finding.unwrap().reason.to_string(), "Keyword block: .env");
/// assert!(engine.inspect(&request).is_allowed(), "one request that a link can cause bans nobody");
/// let probes: Vec<_> = (0..10).map(|number| engine.inspect(&request.with_uri(&format!("/{number}/.env")))).collect();
/// assert!(probes.iter().any(|verdict| verdict.ban.is_some()), "a client that keeps probing is banned");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Engine {
    settings: Settings,
    enabled: ProtectionSet,
    monitored: ProtectionSet,
    detectors: Detectors,
    countries: Option<Arc<dyn CountryLookup>>,
    clients: ClientTable<ClientRecord>,
    site: SitePaths,
    lists: LiveLists,
    bans: Bans,
    path_rules: PathRules,
    routes: Routes,
    counters: statistics::Counters,
    /// When the last sighting of a learned keyword was noted, in seconds since 1970.
    keyword_refreshed: AtomicI64,
}

/// Generates the set of detectors, and the phases, from the registration table.
macro_rules! define_detectors {
    ($($variant:ident $name:ident ($detector:ident, $settings:ident)
        presets [$($preset:ident)*] aliases [$($alias:literal)*] $description:literal;)*) => {
        /// The detectors; of protections that are not enabled there are none, for some take megabytes.
        struct Detectors {
            $($name: Option<crate::detect::$name::$detector>,)*
            custom: CustomDetectors,
        }

        impl Detectors {
            fn build(
                settings: &Settings,
                enabled: ProtectionSet,
                inputs: &crate::detect::Inputs<'_>,
            ) -> Result<Self, crate::detect::DetectorError> {
                Ok(Self {
                    $($name: enabled
                        .contains(Protection::$variant)
                        .then(|| crate::detect::BuiltIn::build(&settings.$name, inputs))
                        .transpose()?,)*
                    custom: CustomDetectors::default(),
                })
            }
        }

        impl Engine {
            /// Asks all detectors but `attack_signatures` about the head of a request, in the table's order, then the
            /// service's own, until an enforced one has a finding. Runs under the lock of the client's record, so each
            /// has to be quick.
            fn judge_head(&self, subject: &Subject<'_>, head: &Head<'_>, record: &mut ClientRecord, judgement: &mut Judgement) {
                $(if !matches!(Protection::$variant, Protection::AttackSignatures)
                    && self.is_due(Protection::$variant, subject, judgement)
                    && let Some(detector) = &self.detectors.$name
                    && let Some(finding) = detector.head(head, &mut record.$name, &mut judgement.memory.$name)
                    && self.note(subject, record, judgement, finding)
                {
                    return;
                })*
                for (index, protection) in self.detectors.custom.protections().enumerate() {
                    if self.is_due(protection, subject, judgement)
                        && let Some(finding) = self.detectors.custom.head(
                            index,
                            head,
                            &mut record.rare().custom,
                            &mut judgement.memory.custom,
                        )
                        && self.note(subject, record, judgement, finding)
                    {
                        return;
                    }
                }
            }

            /// Asks all detectors about a chunk of the body, until an enforced one has a finding.
            fn judge_body(&self, subject: &Subject<'_>, body: &Body<'_>, judgement: &mut Judgement) {
                $(if self.is_due(Protection::$variant, subject, judgement)
                    && let Some(detector) = &self.detectors.$name
                    && let Some(finding) = detector.body(body, &mut judgement.memory.$name)
                    && self.note_unlocked(subject, judgement, finding)
                {
                    return;
                })*
                for (index, protection) in self.detectors.custom.protections().enumerate() {
                    if self.is_due(protection, subject, judgement)
                        && let Some(finding) = self.detectors.custom.body(index, body, &mut judgement.memory.custom)
                        && self.note_unlocked(subject, judgement, finding)
                    {
                        return;
                    }
                }
            }

            /// Shows a response to the detectors of `applied`.
            fn show_response(&self, applied: ProtectionSet, response: &Response<'_>, record: &mut ClientRecord) {
                $(if applied.contains(Protection::$variant)
                    && let Some(detector) = &self.detectors.$name
                {
                    detector.response(response, &mut record.$name);
                })*
                for (index, protection) in self.detectors.custom.protections().enumerate() {
                    if applied.contains(protection) {
                        self.detectors.custom.response(index, response, &mut record.rare().custom);
                    }
                }
            }
        }
    };
}

for_each_detector!(define_detectors);

impl Engine {
    /// A builder with all protections at their defaults.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// Judges a request and its body, if it has one, before the service answers: the short form of a transaction whose
    /// response teaches nothing.
    ///
    /// Costs about a microsecond, and no heap allocation if nothing is found and the client is known. A client that is
    /// banned by this call is blocked from its next request on.
    pub fn inspect(&self, request: &Request<'_>) -> Verdict {
        let mut transaction = self.begin(request);
        self.request_head(&mut transaction, request);
        if transaction.wants_body() && !request.body.is_empty() {
            self.request_body(&mut transaction, request, BodyStream::Sent, request.body, true);
        }
        transaction.into_verdict()
    }

    /// Begins a transaction: works out, once, which protections apply to the request. Costs some hundred instructions,
    /// and changes nothing.
    pub fn begin(&self, request: &Request<'_>) -> Transaction {
        let snapshot = self.lists.snapshot();
        let context = self.context(request, &snapshot);
        let is_whitelisted = snapshot.is_whitelisted(context.address);
        let applied = if is_whitelisted {
            self.enabled.intersection(ProtectionSet::EMPTY.with(Protection::Logging))
        } else {
            context.applied.protections
        };
        let judgement = Judgement {
            verdict: Verdict::allow(applied),
            is_whitelisted,
            wants_body: false,
            is_shadow_blocked: false,
            memory: RequestMemory::default(),
        };
        Transaction { context, judgement }
    }

    /// The first phase: judges the head of the request with which `transaction` was begun. A client that is banned
    /// already costs a look-up and nothing else.
    pub fn request_head(&self, transaction: &mut Transaction, request: &Request<'_>) {
        self.counters.count_request();
        let Transaction { context, judgement } = transaction;
        if judgement.is_whitelisted {
            return;
        }
        let snapshot = &self.lists.snapshot();
        let ban = if context.applied.protections.contains(Protection::IpKeywordBlock) {
            self.active_ban(context, snapshot)
        } else {
            None
        };
        if let Some(finding) = &ban
            && !self.monitored.contains(Protection::IpKeywordBlock)
        {
            self.enforce(judgement, finding.clone());
            return;
        }
        let headers = request.headers.map(KnownHeaders::read).unwrap_or_default();
        context.facts = Facts::of(request, &headers);
        let subject = Subject { context, request, snapshot };
        let head = Head {
            request,
            client: context.client,
            path: &context.path,
            context,
            headers,
            facts: context.facts,
            route: self.route_of(context, request),
            country: self.needed_country(&subject),
            lists: snapshot,
            site: &self.site,
        };
        let mut cookie = CleanCookie::default();
        self.clients.update(context.client, |record| {
            cookie = record.attack_signatures.as_deref().copied().unwrap_or_default();
            self.note_shadow_ban(&subject, record, judgement);
            if let Some(finding) = ban
                && self.is_due(Protection::IpKeywordBlock, &subject, judgement)
            {
                self.note(&subject, record, judgement, finding);
            }
            self.judge_head(&subject, &head, record, judgement);
        });
        if judgement.verdict.is_allowed()
            && self.is_due(Protection::AttackSignatures, &subject, judgement)
            && let Some(signatures) = &self.detectors.attack_signatures
        {
            // Without the lock, for it may take long; what it remembers of the client is copied.
            let known = cookie;
            let finding = signatures.judge_head(&head, &mut cookie, &mut judgement.memory.attack_signatures);
            if cookie != known {
                self.clients.update(context.client, |record| {
                    **record.attack_signatures.get_or_insert_default() = cookie;
                });
            }
            if let Some(finding) = finding {
                self.note_unlocked(&subject, judgement, finding);
            }
        }
        self.put_in_force(context.client, judgement);
        self.refresh_keyword(&subject, judgement);
        judgement.is_shadow_blocked = judgement.verdict.is_shadow_blocked();
        judgement.wants_body = judgement.verdict.is_allowed() && self.reads_body(context.applied.protections);
    }

    /// The second phase: judges the next bytes of the request's body, of which `is_end` says whether they are the last.
    /// `request` needs its headers and no body. Does nothing if [`Transaction::wants_body`] is false.
    ///
    /// A body with a `Content-Encoding` comes twice, in any order of chunks: as sent, and decoded by the adapter. The body as
    /// sent has to end last.
    pub fn request_body(
        &self,
        transaction: &mut Transaction,
        request: &Request<'_>,
        stream: BodyStream,
        chunk: &[u8],
        is_end: bool,
    ) {
        let Transaction { context, judgement } = transaction;
        if !judgement.wants_body {
            return;
        }
        let subject = Subject { context, request, snapshot: &self.lists.snapshot() };
        self.judge_body(&subject, &Body { request, context, chunk, stream, is_end }, judgement);
        self.put_in_force(context.client, judgement);
        judgement.is_shadow_blocked = judgement.verdict.is_shadow_blocked();
        let is_last = is_end && stream == BodyStream::Sent;
        judgement.wants_body = judgement.verdict.is_allowed() && !is_last;
    }

    /// Notes that the adapter can't decode a body: `problem` says why, such as `unknown content encoding`. It is a finding of
    /// `attack_signatures` that blocks: an application may read what was not judged. Does nothing if
    /// [`Transaction::wants_body`] is false.
    pub fn undecodable_body(
        &self,
        transaction: &mut Transaction,
        request: &Request<'_>,
        problem: &'static str,
    ) {
        let Transaction { context, judgement } = transaction;
        let subject = Subject { context, request, snapshot: &self.lists.snapshot() };
        if judgement.wants_body && self.is_due(Protection::AttackSignatures, &subject, judgement) {
            let finding = Finding::block(Protection::AttackSignatures, Reason::UndecodableBody(problem));
            self.note_unlocked(&subject, judgement, finding);
            judgement.wants_body = judgement.verdict.is_allowed();
        }
    }

    /// The last phase: learns from the response. Does nothing for a request that was refused: what it asked for does not
    /// tell what the site has. `request` needs method, path and query, and no headers.
    ///
    /// Protections in monitor mode learn nothing from a request that they would have blocked, as if they had. What can't
    /// be told in monitor mode is the effect of the keywords that `ai_anomaly` would learn, for those are put on no list.
    pub fn response(&self, transaction: &mut Transaction, request: &Request<'_>, outcome: &Outcome) {
        let Transaction { context, judgement } = transaction;
        if judgement.is_whitelisted || !judgement.verdict.is_allowed() {
            return;
        }
        let snapshot = &self.lists.snapshot();
        let mut applied = context.applied.protections;
        let mut paths_are_learned = true;
        if judgement.is_shadow_blocked {
            // Enforced, what is monitored would never have seen this answer. What is enforced learns from it, as ever.
            applied = applied.difference(self.monitored);
            let asking = ProtectionSet::EMPTY.with(Protection::IpKeywordBlock).with(Protection::AiAnomaly);
            paths_are_learned = !asking.intersection(self.enabled).difference(self.monitored).is_empty();
        }
        let is_get = context.facts.has(Facts::GET);
        let mut response = Response {
            request,
            context,
            outcome: *outcome,
            route: self.route_of(context, request),
            lists: snapshot,
            site: &self.site,
            is_new_path: false,
            learned: RefCell::default(),
            finding: RefCell::default(),
        };
        let subject = Subject { context, request, snapshot };
        self.clients.update(context.client, |record| {
            if paths_are_learned {
                let is_success = is_get && (200..400).contains(&outcome.status);
                let shows_page = is_get && shows_page(context.facts, outcome.status);
                response.is_new_path =
                    self.site.note(context.path_hash, context.client, is_success, shows_page);
            }
            self.show_response(applied, &response, record);
            if let Some(finding) = response.finding.take() {
                self.note_response(&subject, record, judgement, finding);
            }
        });
        self.put_in_force(context.client, judgement);
        if !self.monitored.contains(Protection::AiAnomaly) {
            for keyword in response.learned.take() {
                self.lists.record(ListChange::AddKeyword(keyword));
            }
        }
    }

    /// Learns from a request that is not judged and its response, such as those of a log: the short form of a transaction
    /// without the request's phases.
    pub fn observe(&self, request: &Request<'_>, outcome: &Outcome) {
        let mut transaction = self.begin(request);
        let headers = request.headers.map(KnownHeaders::read).unwrap_or_default();
        transaction.context.facts = Facts::of(request, &headers);
        self.response(&mut transaction, request, outcome);
    }

    /// Works out what is to be known about a request before any detector runs.
    fn context(&self, request: &Request<'_>, snapshot: &Snapshot) -> Context {
        let mut path = Buffer::new();
        let repaired = normalize_path(request.path, &mut path);
        let route = self.routes.find(request.path);
        let registered = route.and_then(|number| self.routes.get(number));
        let pattern = request.route.or(registered.map(|route| &*route.pattern));
        let exemption = snapshot
            .exempt_paths
            .find(&path)
            .filter(|exemption| *exemption == Exemption::Full || may_be_asset(request, pattern));
        let rule = self.path_rules.find(&path);
        let policy = registered.map(|route| route.policy(repaired));
        let applied: Applied = policy::resolve(self.enabled, exemption, policy, rule, repaired);
        let address = self.settings.client.canonical_address(request.client);
        // All visitors may come through a proxy on this machine that no setting names.
        let is_anybody = address.is_unspecified() || address.is_loopback();
        let identity = if is_anybody { Identity::Unidentified } else { request.identity };
        let own_key = ClientKey::of_canonical(address, self.settings.client.ipv6_prefix);
        let (client, peer) = match request.reported {
            _ if identity != Identity::Unidentified => (own_key, None),
            Some(reported) => (reported.key, (!reported.is_trusted).then_some(own_key)),
            None => (own_key, Some(own_key)),
        };
        Context {
            client,
            peer,
            address,
            identity,
            time: request.time,
            path_hash: hash_text(&path),
            path: SmallVec::from_slice(&path),
            rule: rule.map_or(0, |rule| rule.number),
            route,
            applied,
            facts: Facts::default(),
        }
    }

    /// The pattern of the route that will answer: the adapter's, or the registered one.
    fn route_of<'r>(&'r self, context: &Context, request: &Request<'r>) -> Option<&'r str> {
        let registered = || context.route.and_then(|number| self.routes.get(number));
        request.route.or_else(|| registered().map(|route| &*route.pattern))
    }

    /// Reports whether a detector of these protections reads bodies.
    fn reads_body(&self, applied: ProtectionSet) -> bool {
        let bodies = ProtectionSet::CUSTOM.with(Protection::AttackSignatures);
        !applied.intersection(bodies).intersection(self.enabled).is_empty()
    }

    /// Reports whether a protection that runs reads bodies at all.
    pub fn reads_bodies(&self) -> bool {
        self.reads_body(self.enabled)
    }

    /// Maximum number of bytes of a body that adapters read before they let the service answer; 0 if no detector reads
    /// bodies.
    pub fn body_read_ahead(&self) -> usize {
        if self.reads_bodies() { self.settings.attack_signatures.max_body_bytes } else { 0 }
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

    /// What is known of a client at `time`, for people: points toward a ban, and what they came from. `None` if it was
    /// never flagged. Costs a look-up.
    pub fn evidence_of(&self, address: IpAddr, time: Timestamp) -> Option<EvidenceReport> {
        let client = ClientKey::new(address, self.settings.client.ipv6_prefix);
        self.clients
            .get(client, |record| record.rare.as_ref().map(|rare| self.bans.report(&rare.offenses, time)))
            .flatten()
    }

    /// Forgives the clients of a network: their points and earlier bans are forgotten, and bans of theirs that are not on
    /// the published lists yet are lifted. Costs a pass over all clients unless the network is that of one client.
    ///
    /// A client whose ban was removed from the lists is forgiven without this, when it is flagged again.
    pub fn forgive(&self, network: IpNet) {
        let network = canonical_network(network);
        let prefix = self.settings.client.ipv6_prefix;
        let forgive = |record: &mut ClientRecord| {
            if let Some(rare) = &mut record.rare {
                rare.offenses.forgive();
                rare.shadow = record::Shadow::default();
            }
        };
        let client = ClientKey::new(network.addr(), prefix);
        if client.network(prefix).contains(&network) {
            self.clients.get(client, forgive);
        } else {
            self.clients.for_each(|client, record| {
                if network.contains(&client.network(prefix)) {
                    forgive(record);
                }
            });
        }
        self.lists.lift_recent(|client| {
            let banned = client.network(prefix);
            network.contains(&banned) || banned.contains(&network)
        });
    }

    /// Replaces the model that `ai_anomaly` scores with; `None` scores without one.
    pub fn set_model(&self, model: Option<Box<dyn AnomalyModel>>) {
        if let Some(detector) = &self.detectors.ai_anomaly {
            detector.set_model(model);
        }
    }

    /// Compiles the patterns of all rules now: about a second of work. Each is compiled when it is first needed
    /// otherwise, which makes that one request wait for some milliseconds.
    pub fn warm_up(&self) {
        if let Some(signatures) = &self.detectors.attack_signatures {
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

    /// Reports whether a protection runs, in whatever mode.
    pub fn is_enabled(&self, protection: Protection) -> bool {
        self.enabled.contains(protection)
    }

    /// Counts of its decisions since it was built.
    pub fn statistics(&self) -> Statistics {
        self.counters.read()
    }

    /// The country of an address, if a country database is there and knows it.
    pub fn country_of(&self, address: IpAddr) -> Option<CountryCode> {
        let address = self.settings.client.canonical_address(address);
        self.look_up_country(self.settings.client.key_of(address), address)
    }

    /// The country, if a detector needs it.
    fn needed_country(&self, subject: &Subject<'_>) -> Option<CountryCode> {
        let Subject { context, snapshot, .. } = subject;
        let is_needed = context.applied.protections.contains(Protection::GeoBlock)
            && self.detectors.geo_block.as_ref().is_some_and(|geo| geo.needs_country(&snapshot.countries));
        if is_needed { self.look_up_country(context.client, context.address) } else { None }
    }

    fn look_up_country(&self, client: ClientKey, address: IpAddr) -> Option<CountryCode> {
        let countries = self.countries.as_deref()?;
        let known = self.clients.get(client, |record| record.geo_block);
        if let Some(ClientCountry::Known(country)) = known {
            return country;
        }
        // Outside of the lock: a look-up that another thread repeats costs less than one that it waits for.
        let country = countries.country(address);
        self.clients.update(client, |record| record.geo_block = ClientCountry::Known(country));
        country
    }
}

/// Reports whether a path that looks like a file can be one: it is fetched, and not made by a route that takes anything
/// for its parameter (`/items/{id}` for `/items/7.css`).
fn may_be_asset(request: &Request<'_>, route: Option<&str>) -> bool {
    let is_made = route.is_some_and(|pattern| pattern.contains('{') && !pattern.contains("{*"));
    matches!(request.method, "GET" | "HEAD" | "") && !is_made
}
