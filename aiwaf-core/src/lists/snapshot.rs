//! The lists as requests are judged by them: immutable, compiled, swapped as a whole.

use std::collections::HashSet;
use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::client::{Nat64Prefix, canonical_network_by};
use crate::lists::country_set::CountrySet;
use crate::lists::entry::{BlacklistEntry, Lists};
use crate::lists::keyword_set::KeywordSet;
use crate::lists::prefix_map::PrefixMap;
use crate::policy::ExemptPaths;
use crate::timestamp::Timestamp;

/// What the engine needs to know of a ban.
#[derive(Debug, Clone)]
pub(crate) struct BanRecord {
    /// Until when; the end of time for a ban without an end.
    pub(crate) end: Timestamp,
    pub(crate) reason: Arc<str>,
    pub(crate) offences: u32,
}

/// The end of a ban without an end.
const NEVER: Timestamp = Timestamp::from_unix_micros(i64::MAX);

impl BanRecord {
    pub(crate) fn new(entry: &BlacklistEntry, reason: Arc<str>) -> Self {
        Self { end: entry.expires.unwrap_or(NEVER), reason, offences: entry.offences }
    }

    /// Whether the ban is in force at `time`.
    pub(crate) fn is_active(&self, time: Timestamp) -> bool {
        time < self.end
    }
}

/// All five lists, compiled, and bans that came after that.
#[derive(Debug)]
pub(crate) struct Snapshot {
    compiled: Arc<Compiled>,
    /// For most requests empty, or small: a long blacklist is not compiled again for a few bans.
    added: PrefixMap<BanRecord>,
    /// What `added` is made of.
    added_bans: Vec<(IpNet, BanRecord)>,
}

/// All five lists, compiled.
#[derive(Debug)]
pub(crate) struct Compiled {
    whitelist: PrefixMap<()>,
    blacklist: PrefixMap<BanRecord>,
    pub(crate) keywords: KeywordSet,
    pub(crate) countries: CountrySet,
    pub(crate) exempt_paths: ExemptPaths,
    nat64_prefixes: Vec<Nat64Prefix>,
}

/// What of the settings goes into a snapshot.
#[derive(Debug, Clone, Default)]
pub(crate) struct SnapshotSettings {
    /// Keywords that never count.
    pub(crate) exempt_keywords: Vec<String>,
    /// How long learned keywords count; `None` is for good.
    pub(crate) learned_ttl: Option<Duration>,
    /// Exempt paths; `None` takes the defaults.
    pub(crate) exempt_paths: Option<Vec<String>>,
    /// Prefixes of NAT64 beside the well-known one.
    pub(crate) nat64_prefixes: Vec<Nat64Prefix>,
}

impl Snapshot {
    /// Compiles `lists`; costs time and memory linear in their size (times a logarithm for the networks).
    pub(crate) fn new(lists: &Lists, settings: &SnapshotSettings) -> Self {
        let canonical = |network| canonical_network_by(network, &settings.nat64_prefixes);
        // Many bans share few reasons: keep each text once.
        let mut reasons: HashSet<Arc<str>> = HashSet::new();
        let blacklist = lists.blacklist.iter().map(|entry| {
            let reason = if let Some(known) = reasons.get(entry.reason.as_str()) {
                Arc::clone(known)
            } else {
                let new: Arc<str> = entry.reason.as_str().into();
                reasons.insert(Arc::clone(&new));
                new
            };
            (canonical(entry.network), BanRecord::new(entry, reason))
        });
        let exempted = lists.path_exemptions.iter().map(|entry| entry.path.as_str());
        let compiled = Compiled {
            blacklist: PrefixMap::new(blacklist, |ban| ban.end),
            whitelist: PrefixMap::new(
                lists.whitelist.iter().map(|entry| (canonical(entry.network), ())),
                |()| 0,
            ),
            keywords: KeywordSet::new(&lists.keywords, &settings.exempt_keywords, settings.learned_ttl),
            countries: lists.geo_blocked_countries.iter().map(|entry| entry.country).collect(),
            exempt_paths: ExemptPaths::new(settings.exempt_paths.as_deref(), exempted),
            nat64_prefixes: settings.nat64_prefixes.clone(),
        };
        Self { compiled: Arc::new(compiled), added: compile_bans(&[]), added_bans: Vec::new() }
    }

    /// The same lists with more bans; costs time in proportion to those that were added since they were compiled.
    pub(crate) fn with(&self, bans: &[BlacklistEntry]) -> Self {
        let mut added_bans = self.added_bans.clone();
        let canonical = |network| canonical_network_by(network, &self.nat64_prefixes);
        let bans =
            bans.iter().map(|ban| (canonical(ban.network), BanRecord::new(ban, ban.reason.as_str().into())));
        added_bans.extend(bans);
        Self { compiled: Arc::clone(&self.compiled), added: compile_bans(&added_bans), added_bans }
    }

    /// Whether `address` bypasses every protection.
    pub(crate) fn is_whitelisted(&self, address: IpAddr) -> bool {
        self.whitelist.get(address).is_some()
    }

    /// The ban of `address` that ends last; it may have ended already.
    pub(crate) fn ban(&self, address: IpAddr) -> Option<&BanRecord> {
        match (self.blacklist.get(address), self.added.get(address)) {
            (Some(old), Some(new)) => Some(if new.end >= old.end { new } else { old }),
            (old, new) => new.or(old),
        }
    }
}

impl Deref for Snapshot {
    type Target = Compiled;

    fn deref(&self) -> &Compiled {
        &self.compiled
    }
}

fn compile_bans(bans: &[(IpNet, BanRecord)]) -> PrefixMap<BanRecord> {
    PrefixMap::new(bans.iter().cloned(), |ban| ban.end)
}
