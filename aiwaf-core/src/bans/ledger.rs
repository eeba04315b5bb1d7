//! The evidence ledger of one client: points that decay, and the matches that they came from.

use std::time::Duration;

use crate::protection::Protection;
use crate::timestamp::Timestamp;

/// Points toward a ban that one match is worth, in hundredths of a point: 0 to 655.
///
/// How sure the match is decides. The points of a client add up in its ledger, decay with a half-life
/// (`bans.half_life`), and ban it at a threshold (`bans.threshold`, 10 points).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Evidence(u16);

impl Evidence {
    /// The request is refused and nothing else: an odd header, a country, a rate.
    pub const NONE: Self = Self(0);
    /// Weak: a script that is gone, a form that was not loaded, a malformed identifier. All evidence of this grade
    /// together adds up to half of the threshold at most, so that it never bans by itself.
    pub const LOW: Self = Self(100);
    /// A form that comes back faster than a person types. Password managers do that once; machines keep a rhythm.
    pub const FAST_FORM: Self = Self(150);
    /// A secret or a probe path: four different ones ban.
    pub const MEDIUM: Self = Self(250);
    /// An injection that parses: three different ones ban.
    pub const HIGH: Self = Self(400);
    /// A flood: it bans at once.
    pub const FLOOD: Self = Self(1000);

    /// Evidence of so many points; rounded to hundredths, and 0 to 655.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped to the range of the type
    pub fn from_points(points: f32) -> Self {
        // `as` takes NaN for 0.
        Self((points * 100.0).round().clamp(0.0, 65_535.0) as u16)
    }

    /// The points.
    pub fn points(self) -> f32 {
        f32::from(self.0) / 100.0
    }

    /// Reports whether it adds nothing.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// Who could have made the client send a request, which decides how much of its evidence counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nothing but the client itself: no page can make a browser send it.
    Client,
    /// A link, a mail or a page without a trace could have made a person's browser send it.
    Link,
    /// A page of another site made the browser send it, or a page embeds it, as the browser says.
    Page,
}

impl Cause {
    /// What is left of `evidence`.
    fn discount(self, evidence: Evidence) -> f32 {
        let points = evidence.points();
        let share = match self {
            Self::Client => return points,
            Self::Link => 0.5,
            Self::Page => 0.15,
        };
        // A client that keeps attacking is banned whatever it claims.
        (points * share).max(MIN_POINTS).min(points)
    }
}

/// What a match adds at least, in points: 17 different ones ban.
const MIN_POINTS: f32 = 0.6;

/// Matches that are remembered of one client, to tell new ones from old ones. More than ban at [`MIN_POINTS`] each.
const MAX_MATCHES: usize = 20;

/// A match that is older is forgotten: of its points a 64th is left.
const MATCH_MEMORY_SECONDS: u32 = 3600;

/// Points of one client. 48 bytes, and 12 for each match that is remembered, of clients that were flagged.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    points: f32,
    /// The part of `points` that a page could have caused.
    caused: f32,
    /// The part of `points` that is of the lowest grade.
    weak: f32,
    /// When the points were worked out last, in seconds since 1970.
    updated: u32,
    matches: Vec<Noted>,
}

/// A match that is remembered.
#[derive(Debug, Clone, Copy)]
struct Noted {
    /// Half of a hash of what matched.
    key: u32,
    second: u32,
    points: Evidence,
    protection: Protection,
}

/// What the ledger knows of a client, for people.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EvidenceReport {
    /// Points now.
    pub points: f32,
    /// Points that ban.
    pub threshold: f32,
    /// Number of automatic bans within `bans.forgive_after`, the latest included.
    pub offences: u32,
    /// The latest different matches, oldest first, at most 20: protection, points when they were added, and time.
    pub matches: Vec<(Protection, Evidence, Timestamp)>,
}

/// How points decay and add up.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) half_life: Duration,
    pub(crate) threshold: f32,
}

impl Ledger {
    /// Adds a match, and returns the points that it added: none if the same match (by `key`) is in the ledger already.
    pub(crate) fn add(
        &mut self,
        protection: Protection,
        evidence: Evidence,
        cause: Cause,
        key: u64,
        time: Timestamp,
        rules: Rules,
    ) -> Evidence {
        let now = seconds(time);
        self.decay(now, rules.half_life);
        self.matches.retain(|noted| now.abs_diff(noted.second) < MATCH_MEMORY_SECONDS);
        let key = (key >> 32) as u32;
        if evidence.is_none()
            || self.matches.iter().any(|noted| noted.key == key && noted.protection == protection)
        {
            return Evidence::NONE;
        }
        let mut points = cause.discount(evidence);
        if evidence <= Evidence::LOW {
            points = points.min((rules.threshold / 2.0 - self.weak).max(0.0));
            self.weak += points;
        }
        if cause != Cause::Client {
            self.caused += points;
        }
        self.points = (self.points + points).min(MAX_POINTS);
        if self.matches.len() >= MAX_MATCHES {
            self.matches.remove(0);
        }
        let added = Evidence::from_points(points);
        self.matches.push(Noted { key, second: now, points: added, protection });
        added
    }

    /// Points at `time`.
    pub(crate) fn points(&self, time: Timestamp, half_life: Duration) -> f32 {
        self.points * remaining(self.updated, seconds(time), half_life)
    }

    /// Reports whether the points ban. A tenth is what ten points lose in nine seconds: matches that come one after the
    /// other are as good as matches at once.
    pub(crate) fn reaches(&self, threshold: f32) -> bool {
        self.points + 0.1 >= threshold
    }

    /// Reports whether a page could have caused most of the points.
    pub(crate) fn is_mostly_caused(&self) -> bool {
        self.caused * 2.0 > self.points
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.matches.capacity() * size_of::<Noted>()
    }

    /// The matches that are remembered, oldest first.
    pub(crate) fn matches(&self) -> Vec<(Protection, Evidence, Timestamp)> {
        let time = |second: u32| Timestamp::from_unix_micros(i64::from(second) * 1_000_000);
        self.matches.iter().map(|noted| (noted.protection, noted.points, time(noted.second))).collect()
    }

    fn decay(&mut self, now: u32, half_life: Duration) {
        let remaining = remaining(self.updated, now, half_life);
        self.points *= remaining;
        self.caused *= remaining;
        self.weak *= remaining;
        // A clock that is set back neither adds nor removes points.
        self.updated = now;
    }
}

/// Points are bounded, so that a flood of matches is forgotten as soon as any others.
const MAX_POINTS: f32 = 500.0;

/// The share of points that is left after the time from `then` to `now`.
#[allow(clippy::cast_precision_loss)] // seconds, for a decay
fn remaining(then: u32, now: u32, half_life: Duration) -> f32 {
    let elapsed = now.saturating_sub(then) as f32;
    (-elapsed / half_life.as_secs_f32().max(1.0)).exp2()
}

/// Whole seconds since 1970, until 2106.
fn seconds(time: Timestamp) -> u32 {
    let seconds = time.as_unix_micros() / 1_000_000;
    u32::try_from(seconds).unwrap_or(if seconds < 0 { 0 } else { u32::MAX })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: Rules = Rules { half_life: Duration::from_mins(10), threshold: 10.0 };

    fn at(seconds: u32) -> Timestamp {
        Timestamp::from_unix_seconds(1.7e9 + f64::from(seconds))
    }

    fn add(ledger: &mut Ledger, evidence: Evidence, cause: Cause, key: u32, second: u32) -> f32 {
        let key = u64::from(key) << 32;
        ledger.add(Protection::IpKeywordBlock, evidence, cause, key, at(second), RULES).points()
    }

    /// Number of different matches, a second apart, that ban.
    fn matches_until_ban(evidence: Evidence, cause: Cause) -> Option<u32> {
        let mut ledger = Ledger::default();
        (1..=100).find(|&number| {
            add(&mut ledger, evidence, cause, number, number);
            ledger.reaches(RULES.threshold)
        })
    }

    #[test]
    fn sure_matches_ban_sooner() {
        assert_eq!(matches_until_ban(Evidence::HIGH, Cause::Client), Some(3));
        assert_eq!(matches_until_ban(Evidence::MEDIUM, Cause::Client), Some(4));
        assert_eq!(matches_until_ban(Evidence::LOW, Cause::Client), None);
        assert_eq!(matches_until_ban(Evidence::NONE, Cause::Client), None);
        assert_eq!(matches_until_ban(Evidence::MEDIUM, Cause::Link), Some(8));
        for evidence in [Evidence::MEDIUM, Evidence::HIGH] {
            assert!(matches_until_ban(evidence, Cause::Page).is_some_and(|number| number <= 20));
        }
    }

    #[test]
    fn same_match_again_adds_nothing() {
        let mut ledger = Ledger::default();
        assert!((add(&mut ledger, Evidence::HIGH, Cause::Client, 7, 0) - 4.0).abs() < 0.01);
        for second in 1..1000 {
            assert!(add(&mut ledger, Evidence::HIGH, Cause::Client, 7, second) < 0.01);
        }
    }

    #[test]
    fn points_halve_in_a_half_life() {
        let mut ledger = Ledger::default();
        add(&mut ledger, Evidence::HIGH, Cause::Client, 1, 0);
        assert!((ledger.points(at(600), RULES.half_life) - 2.0).abs() < 0.01);
        assert!((ledger.points(at(1200), RULES.half_life) - 1.0).abs() < 0.01);
        let before = ledger.points(at(0), RULES.half_life);
        assert!((ledger.points(Timestamp::UNIX_EPOCH, RULES.half_life) - before).abs() < 0.01, "set back");
    }

    fn evidence() -> impl Strategy<Value = Evidence> {
        prop::sample::select(vec![Evidence::NONE, Evidence::LOW, Evidence::MEDIUM, Evidence::HIGH])
    }

    fn cause() -> impl Strategy<Value = Cause> {
        prop::sample::select(vec![Cause::Client, Cause::Link, Cause::Page])
    }

    proptest! {
        /// Of matches in the same second, the order means nothing.
        #[test]
        fn order_means_nothing(matches in prop::collection::vec((evidence(), cause()), 0..12)) {
            let total = |numbers: &mut dyn Iterator<Item = usize>| {
                let mut ledger = Ledger::default();
                for number in numbers {
                    let (evidence, cause) = matches[number];
                    add(&mut ledger, evidence, cause, u32::try_from(number).unwrap(), 0);
                }
                ledger.points
            };
            let forward = total(&mut (0..matches.len()));
            let backward = total(&mut (0..matches.len()).rev());
            prop_assert!((forward - backward).abs() < 0.05, "{} {}", forward, backward);
        }

        #[test]
        fn points_and_memory_stay_within_bounds(
            matches in prop::collection::vec((evidence(), cause(), any::<u32>(), any::<i64>()), 0..200),
        ) {
            let mut ledger = Ledger::default();
            for (evidence, cause, key, micros) in matches {
                let time = Timestamp::from_unix_micros(micros);
                let added = ledger.add(Protection::UuidTamper, evidence, cause, u64::from(key) << 32, time, RULES);
                prop_assert!(added <= evidence);
                prop_assert!((0.0..=MAX_POINTS).contains(&ledger.points));
                prop_assert!(ledger.caused <= ledger.points + 0.01 && ledger.weak <= RULES.threshold / 2.0 + 0.01);
                prop_assert!(ledger.matches.len() <= MAX_MATCHES);
            }
        }

        #[test]
        fn points_only_fall_with_time(evidence in evidence(), cause in cause(), first: u16, gap: u16) {
            let mut ledger = Ledger::default();
            add(&mut ledger, evidence, cause, 1, u32::from(first));
            let start = ledger.points(at(u32::from(first)), RULES.half_life);
            let end = ledger.points(at(u32::from(first) + u32::from(gap)), RULES.half_life);
            prop_assert!(end <= start && end >= 0.0);
        }

        #[test]
        fn any_number_of_points_is_evidence(points: f32) {
            let evidence = Evidence::from_points(points);
            prop_assert!((0.0..=656.0).contains(&evidence.points()));
        }
    }
}
