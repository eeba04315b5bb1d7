//! When matches ban, how long bans last, and how they escalate.

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
