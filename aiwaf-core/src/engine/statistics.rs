//! How often each protection objected.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::protection::Protection;
use crate::verdict::{Action, Finding};

/// What an engine has decided since it was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Requests that were judged.
    pub requests: u64,
    /// Requests that were answered 403.
    pub blocked: u64,
    /// Requests that were answered 429.
    pub throttled: u64,
    /// Clients that were banned.
    pub bans: u64,
    /// Objections that denied a request, by protection, in the order of [`Protection::ALL`].
    pub enforced: [u64; Protection::ALL.len()],
    /// Objections of protections in monitor mode, likewise.
    pub monitored: [u64; Protection::ALL.len()],
}

#[derive(Default)]
pub(super) struct Counters {
    requests: AtomicU64,
    blocked: AtomicU64,
    throttled: AtomicU64,
    bans: AtomicU64,
    enforced: [AtomicU64; Protection::ALL.len()],
    monitored: [AtomicU64; Protection::ALL.len()],
}

impl Counters {
    pub(super) fn count_request(&self) {
        add(&self.requests);
    }

    /// Counts a finding that refuses a request.
    pub(super) fn count_enforced(&self, finding: &Finding, is_ban: bool) {
        match finding.action {
            Action::Allow => {}
            Action::Block => add(&self.blocked),
            Action::Throttle { .. } => add(&self.throttled),
        }
        if is_ban {
            add(&self.bans);
        }
        self.enforced.get(finding.protection.index()).map(add);
    }

    /// Counts bans that responses caused.
    pub(super) fn count_bans(&self, bans: u64) {
        self.bans.fetch_add(bans, Ordering::Relaxed);
    }

    /// Counts a finding of a protection in monitor mode.
    pub(super) fn count_monitored(&self, finding: &Finding) {
        self.monitored.get(finding.protection.index()).map(add);
    }

    pub(super) fn read(&self) -> Statistics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let read_all = |counters: &[AtomicU64; Protection::ALL.len()]| {
            std::array::from_fn(|index| read(&counters[index]))
        };
        Statistics {
            requests: read(&self.requests),
            blocked: read(&self.blocked),
            throttled: read(&self.throttled),
            bans: read(&self.bans),
            enforced: read_all(&self.enforced),
            monitored: read_all(&self.monitored),
        }
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
