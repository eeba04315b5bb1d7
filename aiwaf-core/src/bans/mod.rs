//! When matches become a ban, how long it lasts, and how it escalates.
//!
//! A match blocks its request; whether it also bans is decided here, by the evidence [`ledger`] of the client, or by the
//! `ban_after` of a protection where a person has set one.

pub(crate) mod ban_after;
pub(crate) mod ledger;
mod settings;

pub use settings::BanSettings;
pub(crate) use settings::MAX_AUTOMATIC_BANS;

use std::time::Duration;

use crate::client::ClientKey;
use crate::lists::{BanRecord, BanSource, BlacklistEntry};
use crate::protection::Protection;
use crate::timestamp::Timestamp;
use crate::verdict::{Action, Finding, Reason};
use ledger::{Cause, Evidence, EvidenceReport, Ledger, Rules};

/// The ban that a client had before, as far as it is still known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EarlierBan {
    pub(crate) offences: u32,
    pub(crate) end: Timestamp,
}

impl From<&BanRecord> for EarlierBan {
    fn from(ban: &BanRecord) -> Self {
        Self { offences: ban.offences, end: ban.end }
    }
}

/// Turns matches into bans.
pub(crate) struct Bans {
    settings: BanSettings,
    rules: Rules,
    ipv6_prefix: u8,
}

/// What is remembered of a client that was flagged.
#[derive(Debug, Default)]
pub(crate) struct Offenses {
    pub(crate) ledger: Ledger,
    /// The times of the latest matches of protections whose `ban_after` is set, oldest first; of each protection never
    /// more than its `ban_after`.
    hits: Vec<(Protection, Timestamp)>,
    /// Bans that were swept from the lists are still remembered here.
    latest: Option<LatestBan>,
}

/// The latest ban of a client.
#[derive(Debug, Clone, Copy)]
struct LatestBan {
    offences: u32,
    begun: Timestamp,
    expires: Option<Timestamp>,
}

/// A match that may ban.
#[derive(Clone, Copy)]
pub(crate) struct Matched<'m> {
    pub(crate) finding: &'m Finding,
    /// Hash of what matched: the same again adds nothing.
    pub(crate) key: u64,
    pub(crate) cause: Cause,
    /// A person's number of matches that ban; `None` is by evidence.
    pub(crate) ban_after: Option<u32>,
    pub(crate) time: Timestamp,
}

/// What a match led to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Consequence {
    /// Points that it added.
    pub(crate) added: Evidence,
    /// Points of the client, this match included.
    pub(crate) total: Evidence,
    pub(crate) ban: Option<BlacklistEntry>,
}

/// Matches this close to a ban's beginning belong to it: threads judge requests of one client at the same time.
const CONCURRENT_HIT_WINDOW: Duration = Duration::from_secs(1);

/// Factor by which each repeated ban lasts longer.
const ESCALATION: u32 = 4;

impl Offenses {
    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.ledger.heap_bytes() + self.hits.capacity() * size_of::<(Protection, Timestamp)>()
    }

    /// Forgets everything: points, matches and earlier bans.
    pub(crate) fn forgive(&mut self) {
        *self = Self::default();
    }
}

impl Bans {
    pub(crate) fn new(settings: BanSettings, ipv6_prefix: u8) -> Self {
        #[allow(clippy::cast_possible_truncation)] // 1 to 1,000
        let rules = Rules { half_life: settings.half_life, threshold: settings.threshold as f32 };
        Self { settings, rules, ipv6_prefix }
    }

    /// Adds a match, and returns the ban if the client has reached the threshold. A client that is banned already, by
    /// `listed`, is not banned again: a flood that goes on must not fill the lists' queue, nor lengthen the ban with every
    /// request.
    ///
    /// A ban that should still be in force and is on no list was removed by a person: that forgives the client.
    pub(crate) fn register(
        &self,
        offenses: &mut Offenses,
        client: ClientKey,
        matched: Matched<'_>,
        listed: Option<EarlierBan>,
    ) -> Consequence {
        let Matched { finding, time, ban_after, cause, .. } = matched;
        if listed.is_some_and(|ban| time < ban.end) {
            return Consequence::default();
        }
        if offenses.latest.is_some_and(|latest| latest.is_active(time) && !latest.is_concurrent(time)) {
            offenses.forgive();
        }
        let is_short = |offenses: &Offenses| {
            if offenses.ledger.is_mostly_caused() {
                Some(Length::Caused)
            } else {
                (finding.reason == Reason::Flood).then_some(Length::Flood)
            }
        };
        match ban_after {
            // A page of another site must not add up to what a person has set for clients.
            Some(limit) if cause != Cause::Page || limit == 0 => {
                let counts = limit > 0 && finding.action == Action::Block;
                let reached = counts
                    && (limit == 1 || self.reaches_ban_threshold(offenses, finding.protection, limit, time));
                let length = if finding.reason == Reason::Flood { Length::Flood } else { Length::Full };
                let ban = reached.then(|| self.ban(offenses, client, finding, time, listed, length));
                Consequence { ban, total: self.total(offenses, time), ..Consequence::default() }
            }
            _ => {
                let ledger = &mut offenses.ledger;
                let added =
                    ledger.add(finding.protection, finding.evidence, cause, matched.key, time, self.rules);
                let total = self.total(offenses, time);
                if added.is_none() || !offenses.ledger.reaches(self.rules.threshold) {
                    return Consequence { added, total, ban: None };
                }
                let length = is_short(offenses).unwrap_or(Length::Full);
                offenses.ledger.clear();
                Consequence {
                    added,
                    total,
                    ban: Some(self.ban(offenses, client, finding, time, listed, length)),
                }
            }
        }
    }

    /// What is known of a client at `time`.
    pub(crate) fn report(&self, offenses: &Offenses, time: Timestamp) -> EvidenceReport {
        let latest = offenses.latest.filter(|latest| {
            time.since(latest.expires.unwrap_or(latest.begun)) < self.settings.forgive_after
        });
        EvidenceReport {
            points: offenses.ledger.points(time, self.rules.half_life),
            threshold: self.rules.threshold,
            offences: latest.map_or(0, |latest| latest.offences),
            matches: offenses.ledger.matches(),
        }
    }

    fn total(&self, offenses: &Offenses, time: Timestamp) -> Evidence {
        Evidence::from_points(offenses.ledger.points(time, self.rules.half_life))
    }

    fn reaches_ban_threshold(
        &self,
        offenses: &mut Offenses,
        protection: Protection,
        needed: u32,
        time: Timestamp,
    ) -> bool {
        let hits = &mut offenses.hits;
        hits.retain(|(_, hit)| time.since(*hit) < self.settings.window);
        hits.push((protection, time));
        let own = hits.iter().filter(|(other, _)| *other == protection).count();
        let reached = own >= needed as usize;
        if reached {
            hits.retain(|(other, _)| *other != protection);
        }
        reached
    }

    fn ban(
        &self,
        offenses: &mut Offenses,
        client: ClientKey,
        finding: &Finding,
        time: Timestamp,
        listed: Option<EarlierBan>,
        length: Length,
    ) -> BlacklistEntry {
        let LatestBan { offences, expires, .. } = match offenses.latest {
            Some(latest) if latest.is_concurrent(time) => latest,
            remembered => *offenses.latest.insert(self.next_ban(time, listed, remembered, length)),
        };
        BlacklistEntry {
            network: client.network(self.ipv6_prefix),
            reason: finding.reason.to_string(),
            source: BanSource::Protection(finding.protection),
            added: Some(time),
            expires,
            offences,
            extended_request_info: None,
        }
    }

    fn next_ban(
        &self,
        time: Timestamp,
        listed: Option<EarlierBan>,
        remembered: Option<LatestBan>,
        length: Length,
    ) -> LatestBan {
        let remembered = remembered.map(|latest| EarlierBan {
            offences: latest.offences,
            end: latest.expires.unwrap_or(latest.begun),
        });
        let unforgiven = [listed, remembered]
            .into_iter()
            .flatten()
            .filter(|earlier| time.since(earlier.end) < self.settings.forgive_after);
        let earlier = unforgiven.map(|earlier| earlier.offences).max().unwrap_or(0);
        // What a page could have caused makes no later ban longer.
        let offences = if length == Length::Caused { earlier.max(1) } else { earlier.saturating_add(1) };
        let expires = self.length(offences, length).map(|length| time + length);
        LatestBan { offences, begun: time, expires }
    }

    /// How long the ban for the nth offence lasts; `None` bans until it is removed.
    fn length(&self, offences: u32, length: Length) -> Option<Duration> {
        let BanSettings { duration, short_duration, max_duration, .. } = self.settings;
        let first = match length {
            Length::Caused if duration.is_zero() => return Some(short_duration),
            Length::Caused => return Some(short_duration.min(duration)),
            Length::Flood if !duration.is_zero() => short_duration.min(duration),
            Length::Flood | Length::Full => duration,
        };
        if first.is_zero() {
            return None;
        }
        let factor = ESCALATION.saturating_pow(offences.saturating_sub(1));
        Some(first.saturating_mul(factor).min(max_duration))
    }
}

/// Which kind of length a ban has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Full,
    Flood,
    /// A page could have caused most of the evidence.
    Caused,
}

impl LatestBan {
    fn is_active(&self, time: Timestamp) -> bool {
        self.begun <= time && self.expires.is_none_or(|end| time < end)
    }

    /// Reports whether a match at `time` belongs to the same offence.
    fn is_concurrent(&self, time: Timestamp) -> bool {
        time.since(self.begun).max(self.begun.since(time)) < CONCURRENT_HIT_WINDOW
    }
}

#[cfg(test)]
mod tests;
