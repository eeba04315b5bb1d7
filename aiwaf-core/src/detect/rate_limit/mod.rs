//! `rate_limit`: how many requests a client may make in a window.

mod groups;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::groups::{GroupCounters, WindowTime};
use super::{BuiltIn, ClientMemory, Context, Detector, DetectorError, Head, Inputs};
use crate::bans::ledger::Evidence;
use crate::check::{SettingsError, seconds_within, within};
use crate::client::ClientKey;
use crate::policy::{PathRule, RateLimitOverride};
use crate::protection::{Mode, Protection};
use crate::seconds;
use crate::state::{Arrival, SlidingWindow};
use crate::verdict::{Action, Finding, Reason};

/// `[rate_limit]`: how many requests a client may make in a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimitSettings {
    /// How strict it is. Default: enforce.
    pub mode: Mode,
    /// Number of matches within `bans.window` that ban the client, whatever their evidence; 0 never bans. Default: not
    /// set, which is by evidence.
    #[serde(with = "crate::bans::ban_after")]
    pub ban_after: Option<u32>,
    /// The window, in seconds, 1 to 86,400 (`AIWAF_RATE_WINDOW`). Default: 60.
    #[serde(with = "seconds")]
    pub window: Duration,
    /// Requests that a client may make in any window, at least 1 (`AIWAF_RATE_MAX`). Default: 100.
    pub max: u32,
    /// Requests in a window, refused ones included, from which on it is a flood; at least `max` and at most 200,000
    /// (`AIWAF_RATE_FLOOD`). Left at its default it follows `max`. Default: 200, or twice `max` if that is more.
    pub flood: u32,
    /// Maximum number of clients that are remembered, unless `client.max_clients` says otherwise, 1,000 to 100,000,000.
    /// Default: 1,000,000.
    pub max_clients: usize,
    /// Whether IPv6 networks are limited beside their clients: a /56 to 4 times `max`, a /48 to 16 times, so that it does not
    /// help to change addresses within them. Exceeding that throttles and never bans. Default: true.
    pub limit_ipv6_networks: bool,
}

/// The flood threshold by default, which gives way to a greater `max`.
const DEFAULT_FLOOD: u32 = 200;

impl RateLimitSettings {
    /// The flood threshold in effect.
    fn flood_threshold(&self) -> u32 {
        if self.flood == DEFAULT_FLOOD { self.max.saturating_mul(2).max(DEFAULT_FLOOD) } else { self.flood }
    }

    /// Checks every value's range.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        seconds_within("rate_limit.window", self.window, 1..=86_400)?;
        within("rate_limit.max", self.max, 1..=100_000)?;
        within("rate_limit.flood", self.flood_threshold(), self.max..=200_000)?;
        within("rate_limit.max_clients", self.max_clients, 1_000..=100_000_000)
    }
}

impl Default for RateLimitSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            ban_after: None,
            window: Duration::from_mins(1),
            max: 100,
            flood: DEFAULT_FLOOD,
            max_clients: 1_000_000,
            limit_ipv6_networks: true,
        }
    }
}

/// Counts requests: an exact sliding window for each client and path rule.
///
/// Not for each path: a scanner never requests the same path twice. Groups of clients have looser limits beside: IPv6
/// networks, and all unidentified clients of a peer.
pub(crate) struct RateLimit {
    groups: GroupCounters,
    limits_networks: bool,
    /// The limits without a path rule, then those of each path rule by its number.
    limits: Box<[Limits]>,
}

/// Limited IPv6 networks: length of the prefix, and their limit as a multiple of the limit of one client. The smaller network
/// comes first: a request that it refuses does not count for the larger one.
const NETWORKS: [(u32, u32); 2] = [(56, 4), (48, 16)];

/// Limit of all unidentified clients of a peer together, as a multiple of the limit of one client. Large enough that a site
/// works on when its proxy is missing in the settings.
const PEER_FACTOR: u32 = 20;

/// The limits that apply to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limits {
    /// Whether requests are counted apart from those without a path rule.
    is_separate: bool,
    /// The window, at most a day.
    window: Duration,
    /// Maximum number of requests that pass in any window.
    max: u32,
    /// Number of requests in a window, refused ones included, from which on it is a flood.
    flood: u32,
}

/// Requests of one client.
#[derive(Debug, Default)]
pub(crate) struct ClientWindows {
    common: SlidingWindow,
    /// Windows of path rules that have limits of their own, by the rule's number; few clients have any.
    #[expect(clippy::box_collection, reason = "8 bytes in the record of every client instead of 24")]
    by_rule: Option<Box<Vec<(u16, SlidingWindow)>>>,
}

impl RateLimit {
    /// Limits by `settings`, and by those of `rules` that have limits of their own.
    pub(crate) fn new(settings: &RateLimitSettings, rules: &[PathRule]) -> Self {
        let common = Limits {
            is_separate: false,
            window: settings.window,
            max: settings.max,
            flood: settings.flood_threshold(),
        };
        let of_rule = |rule: &PathRule| rule.rate_limit.map_or(common, |differs| common.overridden(&differs));
        Self {
            groups: GroupCounters::default(),
            limits_networks: settings.limit_ipv6_networks,
            limits: std::iter::once(common).chain(rules.iter().map(of_rule)).collect(),
        }
    }

    /// Counts a request for the groups that the client is in: throttles if all clients of one together exceed a multiple of
    /// the limit of one client. Neither floods nor bans: one client of the group could do that to the others.
    #[inline]
    fn limit_groups(&self, context: &Context, limits: &Limits) -> Option<Finding> {
        if let Some(peer) = context.peer {
            return self.limit_peer(peer, context, limits);
        }
        match context.client.public_ipv6_prefix() {
            Some(prefix) if self.limits_networks => self.limit_networks(prefix, context, limits),
            _ => None,
        }
    }

    fn limit_peer(&self, peer: ClientKey, context: &Context, limits: &Limits) -> Option<Finding> {
        let now = WindowTime::new(context.time, limits.window);
        let [high, low] = peer.into_halves();
        let max = limits.max.saturating_mul(PEER_FACTOR);
        let retry_after = self.groups.admit([high, low ^ limits.scope(context)], now, max).err()?;
        Some(throttle(retry_after, max, limits.window))
    }

    /// Limits the networks of a client whose address begins with `prefix`.
    fn limit_networks(&self, prefix: u64, context: &Context, limits: &Limits) -> Option<Finding> {
        let now = WindowTime::new(context.time, limits.window);
        for (length, factor) in NETWORKS {
            let network = prefix & (u64::MAX << (64 - length));
            let max = limits.max.saturating_mul(factor);
            let group = [network, u64::from(length) << 32 ^ limits.scope(context)];
            if let Err(retry_after) = self.groups.admit(group, now, max) {
                return Some(throttle(retry_after, max, limits.window));
            }
        }
        None
    }
}

impl Limits {
    /// Number of the path rule whose requests are counted apart; 0 for the common limits.
    fn scope(&self, context: &Context) -> u64 {
        if self.is_separate { u64::from(context.rule) } else { 0 }
    }

    fn overridden(self, differs: &RateLimitOverride) -> Self {
        let max = differs.max.unwrap_or(self.max);
        // Without a flood of its own, a rule keeps the proportion between flood and limit.
        let scaled = || u64::from(max) * u64::from(self.flood) / u64::from(self.max.max(1));
        let flood = differs.flood.unwrap_or_else(|| u32::try_from(scaled()).unwrap_or(u32::MAX));
        Self {
            is_separate: true,
            window: differs.window.unwrap_or(self.window),
            max,
            flood: flood.clamp(max, 200_000),
        }
    }
}

impl ClientWindows {
    fn of_rule(&mut self, rule: u16) -> &mut SlidingWindow {
        let windows = self.by_rule.get_or_insert_default();
        let position = windows.iter().position(|(known, _)| *known == rule).unwrap_or_else(|| {
            windows.push((rule, SlidingWindow::default()));
            windows.len() - 1
        });
        &mut windows[position].1
    }
}

impl BuiltIn for RateLimit {
    type Settings = RateLimitSettings;

    fn build(settings: &RateLimitSettings, inputs: &Inputs<'_>) -> Result<Self, DetectorError> {
        Ok(Self::new(settings, inputs.path_rules))
    }
}

impl Detector for RateLimit {
    type Client = ClientWindows;
    type Request = ();

    /// Counts the request. One that exceeds the limit is throttled and takes no room of those that may pass, but
    /// counts toward the flood: a client that does not slow down when told to is blocked.
    fn head(&self, head: &Head<'_>, client: &mut ClientWindows, (): &mut ()) -> Option<Finding> {
        let context = head.context;
        let rule = context.rule;
        let limits = self.limits.get(usize::from(rule)).or_else(|| self.limits.first())?;
        if context.peer == Some(context.client) {
            // Nothing tells the clients of this peer apart.
            return self.limit_groups(context, limits);
        }
        let Limits { is_separate, window, max, flood } = *limits;
        let log = if is_separate { client.of_rule(rule) } else { &mut client.common };
        match log.arrive(context.time, window, max, flood) {
            Arrival::Pass => self.limit_groups(context, limits),
            Arrival::Full(retry_after) => Some(throttle(retry_after, max, window)),
            Arrival::Flood => {
                Some(Finding::block(Protection::RateLimit, Reason::Flood).with_evidence(Evidence::FLOOD))
            }
        }
    }
}

fn throttle(retry_after: Duration, max: u32, window: Duration) -> Finding {
    Finding {
        action: Action::Throttle { retry_after },
        ..Finding::block(Protection::RateLimit, Reason::RateLimit { max, window })
    }
}

impl ClientMemory for ClientWindows {
    fn heap_bytes(&self) -> usize {
        let of_rules = self.by_rule.as_ref().map_or(0, |windows| {
            let each = size_of::<(u16, SlidingWindow)>();
            windows.capacity() * each + windows.iter().map(|(_, window)| window.heap_bytes()).sum::<usize>()
        });
        self.common.heap_bytes() + of_rules
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{ClientTable, Identity, ReportedClient};
    use crate::detect::tests::{Exchange, Kept, client};
    use crate::engine::Engine;
    use crate::request::Request;
    use crate::settings::Settings;
    use crate::timestamp::Timestamp;

    const WINDOW: Duration = Duration::from_mins(1);

    fn limiter(settings: &RateLimitSettings) -> Kept<RateLimit> {
        Kept::new(RateLimit::new(settings, &[]))
    }

    #[test]
    fn original_defect_14_a_scanner_that_never_repeats_a_path_is_limited() {
        let mut limiter = limiter(&RateLimitSettings::default());
        let passed = (0..500)
            .filter(|number| {
                let exchange = Exchange::get(format!("/catalog/x{number}")).at(f64::from(*number) * 0.1);
                limiter.head(&exchange).is_none()
            })
            .count();
        assert_eq!(passed, 100);
    }

    #[test]
    fn original_defect_15_says_when_to_come_back_and_means_it() {
        let mut limiter = limiter(&RateLimitSettings::default());
        for request in 0..100 {
            assert_eq!(limiter.head(&Exchange::get("/").at(f64::from(request) * 0.25)), None);
        }
        let finding = limiter.head(&Exchange::get("/").at(30.0)).unwrap();
        assert_eq!(finding.reason, Reason::RateLimit { max: 100, window: WINDOW });
        assert_eq!(finding.action, Action::Throttle { retry_after: Duration::from_secs(30) });
        let early = limiter.head(&Exchange::get("/").at(59.75)).unwrap();
        assert_eq!(early.action, Action::Throttle { retry_after: Duration::from_millis(250) });
        assert_eq!(limiter.head(&Exchange::get("/").at(60.0)), None);
    }

    #[test]
    fn original_defect_15_exactly_the_limit_passes_under_concurrency() {
        #[derive(Default)]
        struct Record(ClientWindows, bool);
        impl crate::client::Record for Record {
            fn heap_bytes(&self) -> usize {
                0
            }

            fn touched(&mut self) -> &mut bool {
                &mut self.1
            }
        }
        let limiter =
            RateLimit::new(&RateLimitSettings { flood: 10_000, ..RateLimitSettings::default() }, &[]);
        let clients: ClientTable<Record> = ClientTable::new(1000, usize::MAX);
        let exchange = Exchange::get("/");
        let ask = || {
            exchange
                .head(|head| clients.update(client(1), |record| limiter.head(head, &mut record.0, &mut ())))
        };
        let passed: usize = std::thread::scope(|threads| {
            let threads: Vec<_> =
                (0..64).map(|_| threads.spawn(|| (0..20).filter(|_| ask().is_none()).count())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 100);
    }

    #[test]
    fn flood_is_blocked() {
        let mut limiter = limiter(&RateLimitSettings::default());
        let findings: Vec<_> = (0..250).map(|_| limiter.head(&Exchange::get("/"))).collect();
        assert!(findings[..100].iter().all(Option::is_none));
        assert!(findings[100..199].iter().flatten().all(|finding| finding.action != Action::Block));
        let flood = Finding::block(Protection::RateLimit, Reason::Flood).with_evidence(Evidence::FLOOD);
        assert_eq!(findings[199], Some(flood));
        assert_eq!(findings[249], findings[199]);
    }

    #[test]
    fn clients_and_path_rules_are_counted_apart() {
        let rule = |max: Option<u32>| PathRule {
            prefix: "/".into(),
            disable: Vec::new(),
            rate_limit: max.map(|max| RateLimitOverride { max: Some(max), ..RateLimitOverride::default() }),
        };
        let settings = RateLimitSettings { max: 1, flood: 3, ..RateLimitSettings::default() };
        let mut limiter = Kept::new(RateLimit::new(&settings, &[rule(Some(1)), rule(None)]));
        assert_eq!(limiter.head(&Exchange::get("/")), None);
        assert!(limiter.head(&Exchange::get("/")).is_some());
        assert_eq!(limiter.head(&Exchange::get("/").rule(1)), None);
        assert_eq!(limiter.head(&Exchange::get("/").rule(1)).unwrap().action.name(), "throttle");
        // A rule without limits of its own counts with everything else.
        assert!(limiter.head(&Exchange::get("/").rule(2)).is_some());
        assert_eq!(limiter.head(&Exchange::get("/").from(2)), None);
    }

    /// An engine that only limits rates, and a request of a client at a second.
    fn engine() -> Engine {
        Engine::builder().only([Protection::RateLimit]).build().unwrap()
    }

    fn request(client: &str, seconds: f64) -> Request<'static> {
        let time = Timestamp::from_unix_seconds(1.7e9 + seconds);
        Request::new(client.parse().unwrap(), time).with_method("GET").with_uri("/")
    }

    #[test]
    fn rotation_within_ipv6_networks_is_limited() {
        let engine = engine();
        let passed = |address: &dyn Fn(u32) -> String| {
            (0..5000).filter(|number| engine.inspect(&request(&address(*number), 1.0)).is_allowed()).count()
        };
        assert_eq!(passed(&|number| format!("2001:db8:1:{:x}::1", number & 0xff)), 400, "a /56");
        assert_eq!(passed(&|number| format!("2001:db8:2:{number:x}::1")), 1600, "a /48");
        assert_eq!(passed(&|number| format!("2001:db8:{:x}::1", number + 16)), 5000, "many /48");
        assert_eq!(engine.statistics().bans, 0);
    }

    #[test]
    fn network_limits_can_be_switched_off() {
        let mut settings = Settings::default();
        settings.rate_limit.limit_ipv6_networks = false;
        let engine = Engine::builder().settings(settings).only([Protection::RateLimit]).build().unwrap();
        let passed = (0..5000_u32).filter(|number| {
            engine.inspect(&request(&format!("2001:db8:1:{number:x}::1"), 1.0)).is_allowed()
        });
        assert_eq!(passed.count(), 5000);
    }

    #[test]
    fn unidentified_clients_share_twenty_budgets_and_are_never_banned() {
        let engine = engine();
        let unidentified = request("127.0.0.1", 1.0).with_identity(Identity::Unidentified);
        let passed = (0..5000).filter(|_| engine.inspect(&unidentified).is_allowed()).count();
        assert_eq!(passed, 2000);
        let unknown = request("0.0.0.0", 1.0);
        assert_eq!((0..5000).filter(|_| engine.inspect(&unknown).is_allowed()).count(), 2000);
        assert_eq!(engine.statistics().bans, 0);
    }

    #[test]
    fn reported_clients_have_their_own_budgets() {
        let engine = engine();
        let proxy = "10.0.0.1".parse().unwrap();
        let passed = |name: u32, is_trusted: bool, count: u32| {
            let reported = ReportedClient::new(proxy, &name.to_be_bytes(), is_trusted);
            let request = request("10.0.0.1", 1.0)
                .with_identity(Identity::Unidentified)
                .with_reported_client(Some(reported));
            (0..count).filter(|_| engine.inspect(&request).is_allowed()).count()
        };
        assert_eq!(passed(0, false, 500), 100);
        assert_eq!((1..100).map(|name| passed(name, false, 50)).sum::<usize>(), 1900);
        assert_eq!((100..200).map(|name| passed(name, true, 50)).sum::<usize>(), 5000);
        assert_eq!(engine.statistics().bans, 0);
    }

    #[test]
    fn flood_follows_a_greater_limit_unless_it_is_set() {
        let of = |max, flood| RateLimitSettings { max, flood, ..RateLimitSettings::default() };
        for (max, flood, expected) in [(100, 200, 200), (500, 200, 1000), (50, 200, 200), (500, 600, 600)] {
            let settings = of(max, flood);
            assert_eq!((settings.check(), settings.flood_threshold()), (Ok(()), expected));
        }
        assert!(of(500, 300).check().is_err());
    }

    #[test]
    fn rule_keeps_the_proportion_of_flood_to_limit() {
        let rule = PathRule {
            prefix: "/".into(),
            disable: Vec::new(),
            rate_limit: Some(RateLimitOverride { max: Some(7), ..RateLimitOverride::default() }),
        };
        let limiter = RateLimit::new(&RateLimitSettings::default(), &[rule]);
        assert_eq!((limiter.limits[1].max, limiter.limits[1].flood), (7, 14));
    }
}
