//! When hits become bans, and how long those last.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aiwaf_core::{BanSource, ChangeSink, Engine, ListChange, Protection, Settings};

use crate::visit::{Visit, client, second, standard, strict, strict_settings};

/// After how many of these hits in a row, a second apart, the client is banned; `None` if not after twenty.
fn hits_until_ban(engine: &Engine, offence: impl Fn(f64) -> Visit) -> Option<u32> {
    (1..=20).find(|hit| {
        let verdict = offence(f64::from(*hit)).exchange(engine, 404);
        assert!(!verdict.is_allowed(), "hit {hit} is none");
        verdict.ban.is_some()
    })
}

#[test]
fn same_match_again_and_again_never_bans() {
    type Offence = fn(f64) -> Visit;
    let cases: [(&str, Offence); 4] = [
        ("a keyword", |time| Visit::get("/.env").at(time)),
        ("a form that was not loaded", |time| Visit::form("/login").at(time)),
        ("a tool", |time| Visit::get("/").header("user-agent", "sqlmap/1.8").at(time)),
        ("a keyword that a page asks for", |time| {
            Visit::get("/.env").header("sec-fetch-site", "cross-site").at(time)
        }),
    ];
    for (name, offence) in cases {
        assert_eq!(hits_until_ban(&standard(), offence), None, "{name}");
    }
}

#[test]
fn single_fast_form_is_blocked_and_exceeding_the_limit_bans_nobody() {
    let engine = standard();
    assert!(Visit::get("/login").exchange(&engine, 200).is_allowed());
    let verdict = Visit::form("/login").at(0.4).inspect(&engine);
    assert!(!verdict.is_allowed() && verdict.ban.is_none());
    assert!((verdict.points.points() - 1.5).abs() < 0.01, "{:?}", verdict.points);
    assert!(Visit::get("/").at(10.0).inspect(&engine).is_allowed());

    let visit = |number: u32| Visit::get("/").from(client(2)).at(f64::from(number) * 0.1);
    let verdicts: Vec<_> = (0..200).map(|number| visit(number).inspect(&engine)).collect();
    assert!(verdicts[..199].iter().all(|verdict| verdict.ban.is_none()));
    let ban = verdicts[199].ban.as_ref().unwrap();
    assert_eq!(ban.reason, "Flood pattern");
    assert_eq!(ban.source, BanSource::Protection(Protection::RateLimit));
    assert_eq!(ban.expires, Some(second(19.9 + 600.0)));
}

#[test]
fn ban_after_can_be_set_for_each_protection() {
    for (ban_after, expected) in [(0, None), (1, Some(1)), (3, Some(3)), (20, Some(20))] {
        let mut settings = Settings::default();
        settings.uuid_tamper.ban_after = Some(ban_after);
        settings.uuid_tamper.parameters = vec!["uuid".into()];
        let engine = Engine::builder().settings(settings).build().unwrap();
        assert_eq!(hits_until_ban(&engine, |time| Visit::get("/x?uuid=7").at(time)), expected, "{ban_after}");
    }
}

#[test]
fn hits_add_up_per_client_and_protection_and_within_the_window() {
    let mut settings = Settings::default();
    settings.uuid_tamper.ban_after = Some(2);
    settings.uuid_tamper.parameters = vec!["uuid".into()];
    settings.header_validation.ban_after = Some(2);
    let engine = Engine::builder().settings(settings).build().unwrap();
    let tamper = |time| Visit::get("/x?uuid=7").at(time);
    assert!(tamper(0.0).inspect(&engine).ban.is_none());
    assert!(tamper(0.0).from(client(2)).inspect(&engine).ban.is_none(), "another client");
    let tool = Visit::get("/").header("user-agent", "sqlmap/1.8").at(1.0);
    assert!(tool.inspect(&engine).ban.is_none(), "another protection");
    assert!(tamper(600.0).inspect(&engine).ban.is_none(), "the first is forgotten");
    assert!(tamper(1199.9).inspect(&engine).ban.is_some());
}

#[test]
fn repeated_offences_ban_four_times_as_long_up_to_the_longest() {
    let mut settings = Settings::default();
    settings.ip_keyword_block.ban_after = Some(1);
    let engine = Engine::builder().settings(settings).build().unwrap();
    let mut time = 0.0;
    for (offences, hours) in [(1, 1), (2, 4), (3, 16), (4, 64), (5, 256), (6, 720), (7, 720)] {
        let ban = Visit::get("/.env").at(time).inspect(&engine).ban.unwrap();
        let length = f64::from(hours) * 3600.0;
        assert_eq!((ban.offences, ban.expires), (offences, Some(second(time + length))));
        time += length + 3600.0;
    }
    let ban = Visit::get("/.env").at(time + 40.0 * 86_400.0).inspect(&engine).ban.unwrap();
    assert_eq!(ban.offences, 1, "a week after the last ban's end a client is new");
}

#[derive(Default)]
struct Counter(AtomicU64);

impl ChangeSink for Counter {
    fn submit(&self, _: ListChange) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

#[test]
fn who_is_banned_already_is_not_banned_anew_with_every_request() {
    // Without the protection that asks the blacklist, a flood goes on being one.
    let sink = Arc::new(Counter::default());
    let engine =
        Engine::builder().only([Protection::RateLimit]).sink(Arc::clone(&sink) as _).build().unwrap();
    let bans: Vec<_> = (0..1000)
        .filter_map(|number| Visit::get("/").at(f64::from(number) * 0.01).inspect(&engine).ban)
        .collect();
    assert_eq!(bans.len(), 1);
    assert_eq!((bans[0].offences, sink.0.load(Ordering::Relaxed)), (1, 1));
    let later = 2.0 * 86_400.0;
    let again: Vec<_> = (0..1000)
        .filter_map(|number| Visit::get("/").at(later + f64::from(number) * 0.01).inspect(&engine).ban)
        .collect();
    assert_eq!((again.len(), again[0].offences), (1, 2));
}

#[test]
fn hits_that_were_under_way_together_are_one_offence() {
    let engine = strict();
    let start = std::sync::Barrier::new(16);
    std::thread::scope(|threads| {
        for _ in 0..16 {
            threads.spawn(|| {
                start.wait();
                Visit::get("/.env").inspect(&engine)
            });
        }
    });
    let ban = Visit::get("/.env").at(25.0 * 3600.0).inspect(&engine).ban.unwrap();
    assert_eq!(ban.offences, 2);
}

#[test]
fn bans_count_in_the_statistics() {
    let settings = strict_settings();
    let engine = Engine::builder().settings(settings).only([Protection::IpKeywordBlock]).build().unwrap();
    for number in 1..=5 {
        Visit::get("/.env").from(client(number)).inspect(&engine);
        Visit::get("/").from(client(number)).at(1.0).inspect(&engine);
    }
    let statistics = engine.statistics();
    assert_eq!((statistics.requests, statistics.blocked, statistics.bans), (10, 10, 5));
    assert_eq!(statistics.enforced[0], 10);
}

#[test]
fn a_page_of_another_site_gets_nobody_banned() {
    let engine = Engine::builder().build().unwrap();
    for number in 0..300 {
        let visit =
            Visit::get("/items?uuid=7").header("sec-fetch-site", "cross-site").at(f64::from(number) / 100.0);
        assert!(visit.inspect(&engine).ban.is_none(), "{number}");
    }
    assert!(Visit::get("/").at(4000.0).inspect(&engine).is_allowed());
}
