//! `rate_limit`: how many requests a client may make in a window.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Inspection;
use crate::client::ClientKey;
use crate::protection::{Mode, Protection};
use crate::settings::seconds;
use crate::state::{Arrival, BoundedMap, SlidingWindow};
use crate::verdict::{Action, BanWeight, Finding, Reason};

/// `[rate_limit]`: how many requests a client may make in a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimitSettings {
    /// How strict it is. Default: enforce.
    pub mode: Mode,
    /// How many floods within `bans.window` ban the client; 0 is never. Merely exceeding `max` never bans. Default: 1.
    pub ban_after: u32,
    /// The window, in seconds, 1 to 86,400 (`AIWAF_RATE_WINDOW`). Default: 60.
    #[serde(with = "seconds")]
    pub window: Duration,
    /// Requests that a client may make in any window, at least 1 (`AIWAF_RATE_MAX`). Default: 100.
    pub max: u32,
    /// Requests in a window, denied ones included, from which on it is a flood; at least `max` and at most 100,000
    /// (`AIWAF_RATE_FLOOD`). Default: 200.
    pub flood: u32,
    /// Most clients that are counted at the same time; beyond that the one seen longest ago is forgotten.
    /// About 90 bytes each, and 4 bytes for every further request in the window. Default: 1,000,000.
    pub max_clients: usize,
}

impl Default for RateLimitSettings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            ban_after: 1,
            window: Duration::from_mins(1),
            max: 100,
            flood: 200,
            max_clients: 1_000_000,
        }
    }
}

/// Counts requests: an exact sliding window for each client and path rule.
///
/// Not for each path, for a scanner never asks for the same path twice.
pub(crate) struct RateLimit {
    windows: BoundedMap<(ClientKey, u16), SlidingWindow>,
}

/// The limits that apply to a request, and which requests they are shared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateScope {
    /// Which path rule the limits are from; requests of one client with the same index are counted together.
    pub(crate) index: u16,
    /// The window, at most a day.
    pub(crate) window: Duration,
    /// Requests that may pass in any window.
    pub(crate) max: u32,
    /// Requests in a window, denied ones included, from which on it is a flood.
    pub(crate) flood: u32,
}

impl RateLimit {
    pub(crate) fn new(settings: &RateLimitSettings) -> Self {
        Self { windows: BoundedMap::new(settings.max_clients) }
    }

    /// Counts the request. One that exceeds the limit is throttled and takes no room of those that may pass, but
    /// counts for the flood: who does not slow down when told to is blocked.
    pub(crate) fn inspect(&self, inspection: &Inspection<'_>, scope: &RateScope) -> Option<Finding> {
        let RateScope { index, window, max, flood } = *scope;
        let now = inspection.request.time;
        let arrival = self.windows.update((inspection.client, index), SlidingWindow::new, |log| {
            log.arrive(now, window, max, flood)
        });
        match arrival {
            Arrival::Pass => None,
            Arrival::Full(retry_after) => Some(Finding {
                action: Action::Throttle { retry_after },
                weight: BanWeight::Nothing,
                ..Finding::block(Protection::RateLimit, Reason::RateLimit { max, window })
            }),
            Arrival::Flood => Some(Finding::block(Protection::RateLimit, Reason::Flood)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::tests::Exchange;

    const SCOPE: RateScope = RateScope { index: 0, window: Duration::from_mins(1), max: 100, flood: 200 };

    fn limiter() -> RateLimit {
        RateLimit::new(&RateLimitSettings::default())
    }

    fn ask(limiter: &RateLimit, exchange: &Exchange, scope: &RateScope) -> Option<Finding> {
        exchange.inspect(|inspection| limiter.inspect(inspection, scope))
    }

    #[test]
    fn original_defect_14_a_scanner_that_never_repeats_a_path_is_limited() {
        let limiter = limiter();
        let passed = (0..500)
            .filter(|number| {
                let exchange = Exchange::get(&format!("/catalog/x{number}")).at(f64::from(*number) * 0.1);
                ask(&limiter, &exchange, &SCOPE).is_none()
            })
            .count();
        assert_eq!(passed, 100);
    }

    #[test]
    fn original_defect_14_memory_stays_within_its_bound() {
        let limiter =
            RateLimit::new(&RateLimitSettings { max_clients: 1000, ..RateLimitSettings::default() });
        for number in 0..50_000 {
            ask(&limiter, &Exchange::get("/").from(number), &SCOPE);
        }
        assert!(limiter.windows.len() <= 1024);
        // What an entry of the map takes: a hash, a slot in the table at its emptiest, the key, the state.
        let entry = 8 + 2 * 9 + size_of::<((ClientKey, u16), SlidingWindow, bool)>().next_multiple_of(8) + 8;
        assert!(entry < 100, "{entry}");
    }

    #[test]
    fn original_defect_15_says_when_to_come_back_and_means_it() {
        let limiter = limiter();
        for request in 0..100 {
            assert_eq!(ask(&limiter, &Exchange::get("/").at(f64::from(request) * 0.25), &SCOPE), None);
        }
        let finding = ask(&limiter, &Exchange::get("/").at(30.0), &SCOPE).unwrap();
        assert_eq!(finding.reason, Reason::RateLimit { max: 100, window: SCOPE.window });
        assert_eq!(finding.action, Action::Throttle { retry_after: Duration::from_secs(30) });
        let early = ask(&limiter, &Exchange::get("/").at(59.75), &SCOPE).unwrap();
        assert_eq!(early.action, Action::Throttle { retry_after: Duration::from_millis(250) });
        assert_eq!(ask(&limiter, &Exchange::get("/").at(60.0), &SCOPE), None);
    }

    #[test]
    fn original_defect_15_exactly_the_limit_passes_under_concurrency() {
        let limiter = limiter();
        let scope = RateScope { flood: 10_000, ..SCOPE };
        let exchange = Exchange::get("/");
        let passed: usize = std::thread::scope(|threads| {
            let ask = || (0..20).filter(|_| ask(&limiter, &exchange, &scope).is_none()).count();
            let threads: Vec<_> = (0..64).map(|_| threads.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 100);
    }

    #[test]
    fn a_flood_is_blocked() {
        let limiter = limiter();
        let findings: Vec<_> = (0..250).map(|_| ask(&limiter, &Exchange::get("/"), &SCOPE)).collect();
        assert!(findings[..100].iter().all(Option::is_none));
        assert!(findings[100..199].iter().flatten().all(|finding| finding.action != Action::Block));
        assert_eq!(findings[199], Some(Finding::block(Protection::RateLimit, Reason::Flood)));
        assert_eq!(findings[249], findings[199]);
    }

    #[test]
    fn clients_and_path_rules_are_counted_apart() {
        let limiter = limiter();
        let scope = RateScope { max: 1, ..SCOPE };
        let other = RateScope { index: 1, ..scope };
        assert_eq!(ask(&limiter, &Exchange::get("/"), &scope), None);
        assert!(ask(&limiter, &Exchange::get("/"), &scope).is_some());
        assert_eq!(ask(&limiter, &Exchange::get("/"), &other), None);
        assert_eq!(ask(&limiter, &Exchange::get("/").from(2), &scope), None);
    }
}
