//! When matches become a ban, how long it lasts, and how it escalates.
//!
//! A match blocks its request; whether it also bans is decided here, by the evidence [`ledger`] of the client, or by the
//! `ban_after` of a protection where a person has set one.

pub(crate) mod ban_after;
pub(crate) mod ledger;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::client::ClientKey;
use crate::lists::{BanRecord, BanSource, BlacklistEntry};
use crate::protection::Protection;
use crate::seconds;
use crate::timestamp::Timestamp;
use crate::verdict::{Action, Finding, Reason};
use ledger::{Cause, Evidence, EvidenceReport, Ledger, Rules};

/// `[bans]`: how evidence adds up to bans, and how long those last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BanSettings {
    /// Points of evidence that ban a client, 1 to 1,000. Default: 10.
    pub threshold: f64,
    /// Time in which points of evidence halve, in seconds, 1 to 86,400. Default: 600.
    #[serde(with = "seconds")]
    pub half_life: Duration,
    /// Time within which a protection's matches add up to its `ban_after`, where that is set, in seconds, 1 to 86,400.
    /// Default: 600.
    #[serde(with = "seconds")]
    pub window: Duration,
    /// Length of the first automatic ban of a client, in seconds; 0 bans until the ban is removed. Each repeat within
    /// `forgive_after` lasts 4 times as long. Default: 3,600 (an hour).
    #[serde(with = "seconds")]
    pub duration: Duration,
    /// Length of a ban for a flood, and of one whose evidence a web page could have caused, in seconds, 1 to 86,400.
    /// The former escalate, the latter don't. Default: 600.
    #[serde(with = "seconds")]
    pub short_duration: Duration,
    /// The longest automatic ban, in seconds, at least `duration`. Default: 2,592,000 (30 days).
    #[serde(with = "seconds")]
    pub max_duration: Duration,
    /// How long after its last ban's end a client counts as new, in seconds. Default: 604,800 (a week).
    #[serde(with = "seconds")]
    pub forgive_after: Duration,
    /// Maximum number of automatic bans on the blacklist, 100 to 10,000,000; beyond that the least valuable are removed:
    /// those of the fewest offences that end first. Default: 200,000.
    pub max_automatic: usize,
    /// Whether a ban keeps what is known of the request that caused it (`AIWAF_CAPTURE_EXTENDED_REQUEST_INFO`): as JSON
    /// its method, path, query, host and some headers. They may hold personal data. Default: false.
    pub capture_extended_request_info: bool,
    /// The headers that are kept (`AIWAF_EXTENDED_REQUEST_INFO_HEADERS`). Default: user-agent, referer, host, accept.
    pub extended_request_info_headers: Vec<String>,
    /// The headers of which only `[REDACTED]` is kept, if at all (`AIWAF_EXTENDED_REQUEST_INFO_REDACT_HEADERS`).
    /// Default: what usually holds credentials: authorization, cookie, x-api-key and the like.
    pub extended_request_info_redact_headers: Vec<String>,
    /// The most bytes that are kept of a request, 256 to 16,384; what is longer is cut
    /// (`AIWAF_EXTENDED_REQUEST_INFO_MAX_BYTES`). Default: 8,192.
    pub extended_request_info_max_bytes: u32,
}

impl Default for BanSettings {
    fn default() -> Self {
        Self {
            threshold: 10.0,
            half_life: Duration::from_mins(10),
            window: Duration::from_mins(10),
            duration: Duration::from_hours(1),
            short_duration: Duration::from_mins(10),
            max_duration: Duration::from_hours(30 * 24),
            forgive_after: Duration::from_hours(7 * 24),
            max_automatic: MAX_AUTOMATIC_BANS,
            capture_extended_request_info: false,
            extended_request_info_headers: HEADERS.map(str::to_owned).into(),
            extended_request_info_redact_headers: SECRET_HEADERS.map(str::to_owned).into(),
            extended_request_info_max_bytes: 8192,
        }
    }
}

const HEADERS: [&str; 4] = ["user-agent", "referer", "host", "accept"];

const SECRET_HEADERS: [&str; 10] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "x-auth-token",
    "x-access-token",
    "x-csrf-token",
    "x-xsrf-token",
    "x-amz-security-token",
];

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

/// Default of [`BanSettings::max_automatic`].
pub(crate) const MAX_AUTOMATIC_BANS: usize = 200_000;

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
mod tests {
    use super::*;
    use crate::verdict::Reason;

    const HOUR: Duration = Duration::from_hours(1);

    fn client() -> ClientKey {
        ClientKey::new("192.0.2.1".parse().unwrap(), 64)
    }

    fn at(seconds: u32) -> Timestamp {
        Timestamp::from_unix_seconds(1.7e9 + f64::from(seconds))
    }

    /// Bans one client.
    struct Judge {
        bans: Bans,
        offenses: Offenses,
        matches: u64,
    }

    impl Judge {
        fn new(settings: BanSettings) -> Self {
            Self { bans: Bans::new(settings, 64), offenses: Offenses::default(), matches: 0 }
        }

        /// One more different match.
        fn add(
            &mut self,
            finding: &Finding,
            ban_after: Option<u32>,
            cause: Cause,
            time: Timestamp,
            listed: Option<EarlierBan>,
        ) -> Option<BlacklistEntry> {
            self.matches += 1;
            let matched = Matched { finding, key: self.matches << 32, cause, ban_after, time };
            self.bans.register(&mut self.offenses, client(), matched, listed).ban
        }

        fn register(
            &mut self,
            finding: &Finding,
            ban_after: u32,
            time: Timestamp,
            listed: Option<EarlierBan>,
        ) -> Option<BlacklistEntry> {
            self.add(finding, Some(ban_after), Cause::Client, time, listed)
        }
    }

    fn hit(reason: Reason) -> Finding {
        Finding::block(Protection::Honeypot, reason)
    }

    #[test]
    fn matches_add_up_within_the_window_where_ban_after_is_set() {
        let mut bans = Judge::new(BanSettings::default());
        let mut register = |second| bans.register(&hit(Reason::UuidTampering), 3, at(second), None).is_some();
        assert!(!register(0) && !register(599));
        assert!(!register(600), "the first match is ten minutes old");
        assert!(register(601));
    }

    #[test]
    fn bans_end_and_escalate() {
        let mut bans = Judge::new(BanSettings::default());
        let finding = hit(Reason::FormTooFast(Duration::from_millis(420)));
        let mut time = at(0);
        for (offence, hours) in [(1, 1), (2, 4), (3, 16), (4, 64), (5, 256), (6, 720), (7, 720)] {
            let ban = bans.register(&finding, 1, time, None).unwrap();
            assert_eq!(ban.offences, offence);
            assert_eq!(ban.expires, Some(time + HOUR * hours));
            assert_eq!(ban.reason, "Form submitted too quickly (0.42s)");
            assert_eq!(ban.network.to_string(), "192.0.2.1/32");
            time = ban.expires.unwrap() + HOUR;
        }
        let much_later = time + HOUR * 24 * 60;
        assert_eq!(bans.register(&finding, 1, much_later, None).unwrap().offences, 1);
        let listed = EarlierBan { offences: 4, end: much_later };
        let next = much_later + HOUR;
        assert_eq!(bans.register(&finding, 1, next, Some(listed)).unwrap().offences, 5);
    }

    #[test]
    fn floods_ban_for_minutes_and_escalate() {
        let mut bans = Judge::new(BanSettings::default());
        let flood = hit(Reason::Flood).with_evidence(Evidence::FLOOD);
        let first = bans.add(&flood, None, Cause::Client, at(0), None).unwrap();
        assert_eq!(first.expires, Some(at(600)));
        let second = bans.add(&flood, None, Cause::Client, at(700), None).unwrap();
        assert_eq!((second.offences, second.expires), (2, Some(at(700 + 2400))));
    }

    #[test]
    fn ban_that_a_page_could_have_caused_is_short_and_makes_no_other_longer() {
        let mut bans = Judge::new(BanSettings::default());
        let probe = hit(Reason::UuidTampering).with_evidence(Evidence::MEDIUM);
        let mut time = 0;
        for _ in 0..3 {
            let ban = (0..20).find_map(|_| bans.add(&probe, None, Cause::Page, at(time), None)).unwrap();
            assert_eq!((ban.offences, ban.expires), (1, Some(at(time + 600))));
            time += 700;
        }
    }

    #[test]
    fn original_defect_13_no_ban_without_end_unless_asked_for() {
        let endless = BanSettings { duration: Duration::ZERO, ..BanSettings::default() };
        let finding = hit(Reason::UuidTampering);
        let ban = |settings| Judge::new(settings).register(&finding, 1, at(0), None).unwrap().expires;
        assert!(ban(BanSettings::default()).is_some());
        assert_eq!(ban(endless), None);
    }

    #[test]
    fn concurrent_matches_are_one_offence() {
        let mut bans = Judge::new(BanSettings::default());
        let finding = hit(Reason::UuidTampering);
        let mut ban = |second, listed| bans.register(&finding, 1, at(second), listed);
        let first = ban(0, None).unwrap();
        let same = ban(0, None).unwrap();
        assert_eq!((same.offences, same.expires), (1, first.expires));
        let listed = EarlierBan { offences: 1, end: first.expires.unwrap() };
        assert_eq!(ban(60, Some(listed)), None, "banned already");
        assert_eq!(ban(3600, Some(listed)).unwrap().offences, 2);
    }

    #[test]
    fn removed_ban_forgives_its_client() {
        let mut bans = Judge::new(BanSettings::default());
        let finding = hit(Reason::UuidTampering).with_evidence(Evidence::HIGH);
        let ban = |bans: &mut Judge, second| {
            (0..3).find_map(|_| bans.add(&finding, None, Cause::Client, at(second), None))
        };
        assert_eq!(ban(&mut bans, 0).unwrap().offences, 1);
        assert_eq!(ban(&mut bans, 60).unwrap().offences, 1, "a person has removed the first");
        assert_eq!(ban(&mut bans, 60 + 3600).unwrap().offences, 2, "the second has expired");
    }

    #[test]
    fn what_is_set_to_never_never_bans() {
        let mut bans = Judge::new(BanSettings::default());
        let finding = hit(Reason::UuidTampering).with_evidence(Evidence::HIGH);
        for second in 0..100 {
            assert_eq!(bans.add(&finding, Some(0), Cause::Client, at(second), None), None);
        }
        assert_eq!(bans.offenses.ledger.matches().len(), 0);
    }

    #[test]
    fn weak_evidence_alone_never_bans() {
        let mut bans = Judge::new(BanSettings::default());
        let weak = hit(Reason::FormNotLoaded).with_evidence(Evidence::LOW);
        for second in 0..1000 {
            assert_eq!(bans.add(&weak, None, Cause::Client, at(second), None), None);
        }
        let sure = hit(Reason::UuidTampering).with_evidence(Evidence::MEDIUM);
        assert_eq!(bans.add(&sure, None, Cause::Client, at(1000), None), None);
        assert!(bans.add(&sure, None, Cause::Client, at(1001), None).is_some());
    }
}
