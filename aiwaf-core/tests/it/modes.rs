//! Monitor mode: what it counts is what enforcing would have done, and no client notices.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aiwaf_core::{CountryCode, CountryLookup, Engine, Mode, Protection, Settings, Verdict};
use proptest::prelude::*;

use crate::visit::{Visit, client};

/// One kind of request, with the status that the site answers it with.
#[derive(Debug, Clone)]
struct Step {
    client: u8,
    gap: f64,
    kind: u8,
    number: u8,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let gap = prop_oneof![6 => Just(0.1), 3 => Just(1.5), 1 => Just(30.0), 1 => Just(90.0)];
    let step = (0u8..4, gap, 0u8..12, 0u8..12).prop_map(|(client, gap, kind, number)| Step {
        client,
        gap,
        kind,
        number,
    });
    prop::collection::vec(step, 1..300)
}

impl Step {
    fn visit(&self) -> (Visit, u16) {
        let number = self.number;
        match self.kind {
            0..=2 => (Visit::get(format!("/page/{number}")), 200),
            3 => (Visit::get("/contact"), 200),
            4 => (Visit::form("/contact"), 200),
            5 => (Visit::get(format!("/missing/{number}")), 404),
            6 => (Visit::get(SCANS[usize::from(number) % SCANS.len()]), 404),
            7 => (Visit::get(format!("/items/00000000-0000-4000-8000-{number:012}")), 404),
            8 => (Visit::get("/x?uuid=banana"), 200),
            9 => (Visit::get("/").header("user-agent", "curl/8.5"), 200),
            10 => (Visit::get("/x.php"), 404),
            _ => (Visit::get("/search?q=1'+or+'1'='1"), 200),
        }
    }
}

const SCANS: [&str; 6] =
    ["/cgi-bin/luci", "/actuator/env", "/vendor/phpunit", "/solr/admin", "/boaform/admin", "/manager/html"];

/// One of the clients is in XX.
struct One;

impl CountryLookup for One {
    fn country(&self, address: IpAddr) -> Option<CountryCode> {
        match address {
            IpAddr::V4(v4) if v4.octets()[3] == 2 => "XX".parse().ok(),
            _ => None,
        }
    }
}

/// Strict enough that a few hundred requests meet everything. Keywords are not learned: what is learned while watching
/// is put on no list, for a list changes what others see.
fn engine(mode: Mode) -> Engine {
    let mut settings = Settings::default();
    settings.rate_limit.window = Duration::from_secs(10);
    settings.rate_limit.max = 8;
    settings.rate_limit.flood = 14;
    settings.bans.duration = Duration::from_mins(1);
    settings.bans.max_duration = Duration::from_secs(200);
    settings.bans.forgive_after = Duration::from_mins(5);
    settings.ip_keyword_block.ban_after = Some(3);
    settings.uuid_tamper.parameters = vec!["uuid".into()];
    settings.uuid_tamper.ban_after = Some(2);
    settings.uuid_tamper.guess_limit = 4;
    settings.header_validation.ban_after = Some(5);
    settings.geo_block.ban_after = Some(7);
    settings.attack_signatures.ban_after = Some(4);
    settings.geo_block.blocked_countries = vec!["XX".parse().unwrap()];
    settings.ai_anomaly.window = Duration::from_secs(30);
    settings.ai_anomaly.learn_keywords = false;
    let builder = Engine::builder().settings(settings).countries(Arc::new(One));
    Protection::ALL
        .into_iter()
        .fold(builder, |builder, protection| builder.mode(protection, mode))
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn monitoring_counts_exactly_what_enforcing_would_have_denied(steps in steps()) {
        let (enforcing, monitoring) = (engine(Mode::Enforce), engine(Mode::Monitor));
        let mut time = 0.0;
        for step in &steps {
            time += step.gap;
            let (visit, status) = step.visit();
            let visit = visit.at(time).from(client(step.client));
            let denied = visit.exchange(&enforcing, status);
            let watched = visit.exchange(&monitoring, status);
            prop_assert!(watched.is_allowed() && watched.finding.is_none() && watched.ban.is_none());
            prop_assert_eq!(denied.finding.as_ref(), watched.monitored.first(), "{:?} at {}", step, time);
            prop_assert!(watched.monitored.len() <= 1 && denied.monitored.is_empty());
        }
        let (denied, watched) = (enforcing.statistics(), monitoring.statistics());
        prop_assert_eq!(denied.enforced, watched.monitored);
        prop_assert_eq!((watched.blocked, watched.throttled, watched.bans), (0, 0, 0));
        prop_assert_eq!(watched.enforced, [0; Protection::ALL.len()]);
        prop_assert_eq!(denied.requests, watched.requests);
    }
}

#[test]
fn the_traffic_of_the_comparison_meets_every_protection() {
    // The property above would prove nothing about protections that never object.
    let engine = engine(Mode::Enforce);
    let mut time = 0.0;
    for round in 0..6u8 {
        for kind in 0..12 {
            for number in 0..12 {
                time += if kind > 2 { 3.0 } else { 0.1 };
                let step = Step { client: 10 * kind + round, gap: 0.0, kind, number };
                let (visit, status) = step.visit();
                visit.at(time).from(client(step.client)).exchange(&engine, status);
            }
        }
    }
    let counts = engine.statistics().enforced;
    for (protection, count) in Protection::ALL.into_iter().zip(counts) {
        assert_eq!(count > 0, protection != Protection::Logging, "{protection}: {counts:?}");
    }
}

#[test]
fn one_monitored_protection_leaves_the_others_in_force() {
    for monitored in [Protection::HeaderValidation, Protection::UuidTamper, Protection::GeoBlock] {
        let engine = Engine::builder().mode(monitored, Mode::Monitor).build().unwrap();
        let visit = Visit::get("/x.php?uuid=banana").header("user-agent", "curl/8.5");
        assert_eq!(visit.objection(&engine).as_deref(), Some("Keyword block: .php"));
    }
}

#[test]
fn what_is_only_watched_does_not_make_a_real_ban_longer() {
    let mut settings = Settings::default();
    settings.header_validation.mode = Mode::Monitor;
    settings.ip_keyword_block.ban_after = Some(1);
    settings.header_validation.ban_after = Some(1);
    let engine = Engine::builder().settings(settings).build().unwrap();
    for second in 0..5 {
        let visit = Visit::get("/").header("user-agent", "curl/8.5").at(f64::from(second));
        assert!(visit.exchange(&engine, 200).is_allowed());
    }
    let ban = Visit::get("/x.php").at(10.0).inspect(&engine).ban.unwrap();
    assert_eq!((ban.offences, ban.expires), (1, Some(crate::visit::second(3_610.0))));
}

#[test]
fn what_is_only_watched_still_feeds_what_is_enforced() {
    // A person whose headers are odd loads a form: with header_validation only watching, the form may be sent.
    let engine = Engine::builder().mode(Protection::HeaderValidation, Mode::Monitor).build().unwrap();
    let odd = |visit: Visit| visit.header("user-agent", "Mozilla/4.0");
    let status = |verdict: Verdict| (verdict.is_allowed(), verdict.monitored.len());
    assert_eq!(status(odd(Visit::get("/contact")).exchange(&engine, 200)), (true, 1));
    assert_eq!(status(odd(Visit::form("/contact").at(5.0)).exchange(&engine, 200)), (true, 1));
}
