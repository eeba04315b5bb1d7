//! When a hit becomes a ban, how long it lasts, and how it escalates.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::client::ClientKey;
use crate::lists::{BanRecord, BanSource, BlacklistEntry};
use crate::protection::Protection;
use crate::seconds;
use crate::timestamp::Timestamp;
use crate::verdict::{BanWeight, Finding};

/// `[bans]`: how hits add up to bans.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BanSettings {
    /// The time within which a protection's hits add up to its `ban_after`, in seconds, 1 to 86,400. Default: 600.
    #[serde(with = "seconds")]
    pub window: Duration,
    /// How long the first automatic ban of a client lasts, in seconds; 0 is until somebody ends it. Each repeat doubles
    /// it. Default: 86,400 (a day).
    #[serde(with = "seconds")]
    pub duration: Duration,
    /// The longest automatic ban, in seconds, at least `duration`. Default: 2,592,000 (30 days).
    #[serde(with = "seconds")]
    pub max_duration: Duration,
    /// How long after its last ban's end a client counts as new, in seconds. Default: 604,800 (a week).
    #[serde(with = "seconds")]
    pub forgive_after: Duration,
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
            window: Duration::from_mins(10),
            duration: Duration::from_hours(24),
            max_duration: Duration::from_hours(30 * 24),
            forgive_after: Duration::from_hours(7 * 24),
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

/// Turns hits into bans.
pub(crate) struct Bans {
    settings: BanSettings,
    ipv6_prefix: u8,
}

/// What is remembered of a client that was flagged.
#[derive(Debug, Default)]
pub(crate) struct Offenses {
    /// The times of the latest hits, oldest first; of each protection never more than its `ban_after`.
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

/// Hits this close to a ban's beginning belong to it: threads judge requests of one client at the same time.
const CONCURRENT_HIT_WINDOW: Duration = Duration::from_secs(1);

/// Minimum number of hits of [`BanWeight::Light`] that ban.
const MIN_LIGHT_HITS: u32 = 3;

impl Offenses {
    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.hits.capacity() * size_of::<(Protection, Timestamp)>()
    }
}

impl Bans {
    pub(crate) fn new(settings: BanSettings, ipv6_prefix: u8) -> Self {
        Self { settings, ipv6_prefix }
    }

    /// Counts a hit, and returns the ban if that makes `ban_after` within the window. A client that is already banned, by
    /// `listed`, is not banned again: a flood that goes on must not fill the lists' queue, nor lengthen the ban with every
    /// request.
    pub(crate) fn register(
        &self,
        offenses: &mut Offenses,
        client: ClientKey,
        finding: &Finding,
        ban_after: u32,
        time: Timestamp,
        listed: Option<EarlierBan>,
    ) -> Option<BlacklistEntry> {
        let needed = match finding.weight {
            BanWeight::Full => ban_after,
            BanWeight::Light => ban_after.max(MIN_LIGHT_HITS),
            BanWeight::Nothing => return None,
        };
        if ban_after == 0 || listed.is_some_and(|ban| time < ban.end) {
            return None;
        }
        if needed > 1 && !self.reaches_ban_threshold(offenses, finding.protection, needed, time) {
            return None;
        }
        Some(self.ban(offenses, client, finding, time, listed))
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
    ) -> BlacklistEntry {
        let is_same = |latest: &LatestBan| {
            time.since(latest.begun).max(latest.begun.since(time)) < CONCURRENT_HIT_WINDOW
        };
        let LatestBan { offences, expires, .. } = match offenses.latest {
            Some(latest) if is_same(&latest) => latest,
            remembered => *offenses.latest.insert(self.next_ban(time, listed, remembered)),
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
    ) -> LatestBan {
        let remembered = remembered.map(|latest| EarlierBan {
            offences: latest.offences,
            end: latest.expires.unwrap_or(latest.begun),
        });
        let unforgiven = [listed, remembered]
            .into_iter()
            .flatten()
            .filter(|earlier| time.since(earlier.end) < self.settings.forgive_after);
        let offences = unforgiven.map(|earlier| earlier.offences).max().unwrap_or(0).saturating_add(1);
        LatestBan { offences, begun: time, expires: self.length(offences).map(|length| time + length) }
    }

    /// How long the ban for the nth offence lasts; `None` is without an end.
    fn length(&self, offences: u32) -> Option<Duration> {
        if self.settings.duration.is_zero() {
            return None;
        }
        let doublings = 2u32.saturating_pow(offences.saturating_sub(1));
        Some(self.settings.duration.saturating_mul(doublings).min(self.settings.max_duration))
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
    }

    impl Judge {
        fn new(settings: BanSettings) -> Self {
            Self { bans: Bans::new(settings, 64), offenses: Offenses::default() }
        }

        fn register(
            &mut self,
            finding: &Finding,
            ban_after: u32,
            time: Timestamp,
            listed: Option<EarlierBan>,
        ) -> Option<BlacklistEntry> {
            self.bans.register(&mut self.offenses, client(), finding, ban_after, time, listed)
        }
    }

    fn hit(reason: Reason) -> Finding {
        Finding::block(Protection::Honeypot, reason)
    }

    #[test]
    fn hits_add_up_within_the_window() {
        let mut bans = Judge::new(BanSettings::default());
        let mut register = |second| bans.register(&hit(Reason::UuidTampering), 3, at(second), None).is_some();
        assert!(!register(0) && !register(599));
        assert!(!register(600), "the first hit is ten minutes old");
        assert!(register(601));
        assert!(!register(602), "counting starts anew");
    }

    #[test]
    fn bans_end_and_double() {
        let mut bans = Judge::new(BanSettings::default());
        let finding = hit(Reason::FormTooFast(Duration::from_millis(420)));
        let mut time = at(0);
        for (offence, days) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 30), (7, 30)] {
            let ban = bans.register(&finding, 1, time, None).unwrap();
            assert_eq!(ban.offences, offence);
            assert_eq!(ban.expires, Some(time + HOUR * 24 * days));
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
    fn original_defect_13_no_ban_without_end_unless_asked_for() {
        let endless = BanSettings { duration: Duration::ZERO, ..BanSettings::default() };
        let finding = hit(Reason::UuidTampering);
        let ban = |settings| Judge::new(settings).register(&finding, 1, at(0), None).unwrap().expires;
        assert!(ban(BanSettings::default()).is_some());
        assert_eq!(ban(endless), None);
    }

    #[test]
    fn hits_under_way_together_are_one_offence_and_the_banned_are_not_banned_anew() {
        let mut bans = Judge::new(BanSettings::default());
        let finding = hit(Reason::UuidTampering);
        let mut ban = |second, listed| bans.register(&finding, 1, at(second), listed);
        let first = ban(0, None).unwrap();
        let same = ban(0, None).unwrap();
        assert_eq!((same.offences, same.expires), (1, first.expires));
        let listed = EarlierBan { offences: 1, end: first.expires.unwrap() };
        assert_eq!(ban(60, Some(listed)), None);
        assert_eq!(ban(60, None).unwrap().offences, 2, "somebody had lifted the first");
        assert_eq!(ban(86_400, Some(listed)).unwrap().offences, 3);
    }

    #[test]
    fn weak_proof_and_mere_limits_do_not_ban_at_once() {
        let mut bans = Judge::new(BanSettings::default());
        let mut register = |weight, after| {
            let finding = hit(Reason::UuidTampering).with_weight(weight);
            bans.register(&finding, after, at(0), None).is_some()
        };
        assert!(!register(BanWeight::Nothing, 1));
        assert!(!register(BanWeight::Full, 0) && !register(BanWeight::Light, 0));
        assert!(!register(BanWeight::Light, 1) && !register(BanWeight::Light, 1));
        assert!(register(BanWeight::Light, 1));
    }
}
