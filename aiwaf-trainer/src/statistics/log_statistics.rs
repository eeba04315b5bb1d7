//! Counts the records of access logs.

use std::collections::HashMap;

use foldhash::quality::RandomState;

use aiwaf_core::{
    AccessRecord, BlockAction, BlockMark, ClientKey, CountryCode, LoggedClient, Protection, Timestamp,
};

use super::country_memory::CountryMemory;
use super::distinct::DistinctCounter;
use super::heavy_hitters::HeavyHitters;
use super::options::StatisticsOptions;
use super::response_times::ResponseTimes;
use super::timeline::{Timeline, Traffic};

/// Counts the records of access logs in bounded memory: at most some 15 MiB, on ordinary logs one or two.
///
/// The module's description has an example and says which figures are exact. One record costs about a third of a
/// microsecond.
#[derive(Debug, Clone)]
pub struct LogStatistics {
    pub(super) options: StatisticsOptions,
    pub(super) requests: u64,
    pub(super) blocked: u64,
    pub(super) throttled: u64,
    pub(super) monitored: u64,
    pub(super) unreadable_lines: u64,
    pub(super) outside_period: u64,
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
    pub(super) bytes_sent: u64,
    pub(super) distinct_clients: DistinctCounter,
    pub(super) response_times: ResponseTimes,
    /// By status; the last for all that are none.
    pub(super) statuses: Box<[u64]>,
    /// By the place in [`Protection::ALL`]; the last for unknown ones.
    pub(super) protections: [ProtectionTally; Protection::ALL.len() + 1],
    pub(super) reasons: HeavyHitters<Box<[u8]>>,
    pub(super) clients: HeavyHitters<Client>,
    pub(super) blocked_clients: HeavyHitters<Client>,
    pub(super) paths: HeavyHitters<Box<[u8]>>,
    pub(super) blocked_paths: HeavyHitters<Box<[u8]>>,
    pub(super) agents: HeavyHitters<Box<[u8]>>,
    pub(super) methods: HeavyHitters<Box<[u8]>>,
    /// At most as many as there are codes of two letters.
    pub(super) countries: HashMap<Option<CountryCode>, Traffic, RandomState>,
    known_countries: CountryMemory,
    pub(super) timeline: Timeline,
    pub(super) hours: [Traffic; 24],
}

/// So many clients, paths and agents are told apart.
pub(super) const MANY: usize = 8192;
/// So many reasons are told apart.
pub(super) const REASONS: usize = 1024;
/// So many methods are told apart; there are nine in HTTP itself.
pub(super) const METHODS: usize = 64;
/// Longer paths, agents and reasons are cut to this length, in bytes.
pub(super) const MAX_NAME: usize = 256;
/// What stands for nothing, as in logs.
const NONE: &[u8] = b"-";

impl LogStatistics {
    /// Nothing counted yet.
    pub fn new(options: StatisticsOptions) -> Self {
        Self {
            options,
            requests: 0,
            blocked: 0,
            throttled: 0,
            monitored: 0,
            unreadable_lines: 0,
            outside_period: 0,
            first: None,
            last: None,
            bytes_sent: 0,
            distinct_clients: DistinctCounter::new(),
            response_times: ResponseTimes::new(),
            statuses: vec![0; 1001].into(),
            protections: Default::default(),
            reasons: HeavyHitters::new(REASONS),
            clients: HeavyHitters::new(MANY),
            blocked_clients: HeavyHitters::new(MANY),
            paths: HeavyHitters::new(MANY),
            blocked_paths: HeavyHitters::new(MANY),
            agents: HeavyHitters::new(MANY),
            methods: HeavyHitters::new(METHODS),
            countries: HashMap::default(),
            known_countries: CountryMemory::default(),
            timeline: Timeline::new(),
            hours: [Traffic::default(); 24],
        }
    }

    /// Counts one request, if it is in the period.
    pub fn note(&mut self, record: &AccessRecord<'_>) {
        let time = record.time;
        if self.options.since.is_some_and(|since| time < since)
            || self.options.until.is_some_and(|until| time >= until)
        {
            self.outside_period += 1;
            return;
        }
        let denied = record.block.as_ref().filter(|mark| !mark.monitored);
        let is_blocked = denied.is_some();
        let traffic = Traffic {
            requests: 1,
            blocked: is_blocked.into(),
            errors: (!is_blocked && record.status >= 400).into(),
        };
        self.requests += 1;
        self.blocked += traffic.blocked;
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
        self.bytes_sent = self.bytes_sent.saturating_add(record.bytes.unwrap_or(0));
        if let Some(taken) = record.response_time {
            self.response_times.note(taken);
        }
        let status = usize::from(record.status).min(self.statuses.len() - 1);
        if let Some(count) = self.statuses.get_mut(status) {
            *count += 1;
        }
        if let Some(mark) = &record.block {
            self.note_block(mark);
        }
        self.note_client(&record.client, traffic);

        let path = memchr::memchr(b'?', &record.target).and_then(|at| record.target.get(..at));
        let path = path.unwrap_or(&record.target);
        note_text(&mut self.paths, path, is_blocked);
        if is_blocked {
            note_text(&mut self.blocked_paths, path, true);
        }
        note_text(&mut self.agents, record.user_agent.as_deref().unwrap_or(NONE), is_blocked);
        let method = if record.method.is_empty() { NONE } else { &record.method };
        note_text(&mut self.methods, method, is_blocked);

        self.timeline.note(time, traffic);
        let hour = time.as_unix_micros().div_euclid(3_600_000_000).rem_euclid(24);
        if let Some(hour) = usize::try_from(hour).ok().and_then(|hour| self.hours.get_mut(hour)) {
            hour.add(traffic);
        }
    }

    /// Counts lines that are no request.
    pub fn note_unreadable(&mut self, lines: u64) {
        self.unreadable_lines += lines;
    }

    /// Adds what `other` counted of other records. Both must have the same options.
    pub fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        self.blocked += other.blocked;
        self.throttled += other.throttled;
        self.monitored += other.monitored;
        self.unreadable_lines += other.unreadable_lines;
        self.outside_period += other.outside_period;
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.max(other.last);
        self.bytes_sent = self.bytes_sent.saturating_add(other.bytes_sent);
        self.distinct_clients.merge(other.distinct_clients);
        self.response_times.merge(&other.response_times);
        self.statuses.iter_mut().zip(other.statuses).for_each(|(ours, theirs)| *ours += theirs);
        self.protections.iter_mut().zip(other.protections).for_each(|(ours, theirs)| ours.add(theirs));
        self.reasons.merge(other.reasons);
        self.clients.merge(other.clients);
        self.blocked_clients.merge(other.blocked_clients);
        self.paths.merge(other.paths);
        self.blocked_paths.merge(other.blocked_paths);
        self.agents.merge(other.agents);
        self.methods.merge(other.methods);
        for (country, traffic) in other.countries {
            self.countries.entry(country).or_default().add(traffic);
        }
        self.timeline.merge(other.timeline);
        self.hours.iter_mut().zip(other.hours).for_each(|(ours, theirs)| ours.add(theirs));
    }
    fn note_block(&mut self, mark: &BlockMark<'_>) {
        let known = mark.protection.and_then(|named| Protection::ALL.iter().position(|one| *one == named));
        let throttled = u64::from(!mark.monitored && mark.action == BlockAction::Throttle);
        if let Some(tally) = self.protections.get_mut(known.unwrap_or(Protection::ALL.len())) {
            tally.add(ProtectionTally {
                blocked: u64::from(!mark.monitored) - throttled,
                throttled,
                monitored: mark.monitored.into(),
            });
        }
        self.throttled += throttled;
        self.monitored += u64::from(mark.monitored);
        let reason = without_figures(&mark.reason);
        note_text(&mut self.reasons, if reason.is_empty() { NONE } else { reason }, !mark.monitored);
    }

    fn note_client(&mut self, client: &LoggedClient<'_>, traffic: Traffic) {
        let is_blocked = traffic.blocked > 0;
        let key = match client {
            LoggedClient::Address(address) => {
                Client::Network(ClientKey::new(*address, self.options.ipv6_prefix))
            }
            LoggedClient::Name(name) => Client::Name(cut(name).into()),
        };
        self.distinct_clients.note(&key);
        self.clients.note(&key, is_blocked, Client::clone);
        if is_blocked {
            self.blocked_clients.note(&key, true, Client::clone);
        }
        if let Some(lookup) = &self.options.countries {
            let country = match (&key, client) {
                (Client::Network(key), LoggedClient::Address(address)) => {
                    self.known_countries.get_or_ask(*key, || lookup.country(*address))
                }
                _ => None,
            };
            self.countries.entry(country).or_default().add(traffic);
        }
    }
}

/// Who asked: a network that counts as one client, or the name that the log has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Client {
    Network(ClientKey),
    Name(Box<[u8]>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ProtectionTally {
    pub(super) blocked: u64,
    pub(super) throttled: u64,
    pub(super) monitored: u64,
}

impl ProtectionTally {
    fn add(&mut self, other: Self) {
        self.blocked += other.blocked;
        self.throttled += other.throttled;
        self.monitored += other.monitored;
    }
}

fn note_text(counts: &mut HeavyHitters<Box<[u8]>>, text: &[u8], is_blocked: bool) {
    counts.note(cut(text), is_blocked, |text| text.into());
}

fn cut(text: &[u8]) -> &[u8] {
    text.get(..MAX_NAME).unwrap_or(text)
}

/// `reason` without a bracket behind a blank at its end that holds figures: `Form submitted too quickly (0.42s)` is one
/// reason, whatever the time. A keyword that ends in a bracket, as `alert(1)`, keeps it.
fn without_figures(reason: &[u8]) -> &[u8] {
    let Some(inside) = reason.strip_suffix(b")") else { return reason };
    let before = memchr::memrchr(b'(', inside).and_then(|at| inside.split_at_checked(at));
    match before {
        Some((before, bracket)) if bracket.iter().any(u8::is_ascii_digit) => {
            before.strip_suffix(b" ").unwrap_or(reason)
        }
        _ => reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_figures_are_cut_off_a_reason() {
        let cases = [
            ("Form submitted too quickly (0.42s)", "Form submitted too quickly"),
            ("UUID guessing (20 unknown identifiers)", "UUID guessing"),
            ("Keyword block: alert(1)", "Keyword block: alert(1)"),
            ("banned by hand (office)", "banned by hand (office)"),
            ("(1)", "(1)"),
            (")", ")"),
            ("", ""),
        ];
        for (reason, kept) in cases {
            assert_eq!(without_figures(reason.as_bytes()), kept.as_bytes(), "{reason}");
        }
    }
}
