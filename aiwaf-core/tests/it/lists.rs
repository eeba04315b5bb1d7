//! The lists: what is published, what is decided here, and which of the two is in force.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aiwaf_core::{
    BlacklistEntry, ChangeSink, Engine, KeywordEntry, KeywordSource, ListChange, Lists, Protection,
    Timestamp, WhitelistEntry, parse_network,
};

use crate::visit::{Visit, client, second, standard, strict, strict_settings};

/// Numbers changes as a store does, and keeps them.
#[derive(Default)]
struct Recorder(Mutex<Vec<ListChange>>);

impl ChangeSink for Recorder {
    fn submit(&self, change: ListChange) -> u64 {
        let mut changes = self.0.lock().unwrap();
        changes.push(change);
        changes.len() as u64
    }
}

impl Recorder {
    fn changes(&self) -> Vec<ListChange> {
        self.0.lock().unwrap().clone()
    }
}

fn recorded() -> (Engine, Arc<Recorder>) {
    let sink = Arc::new(Recorder::default());
    (Engine::builder().settings(strict_settings()).sink(Arc::clone(&sink) as _).build().unwrap(), sink)
}

fn whitelisting(networks: &[&str]) -> Lists {
    let entry = |network: &&str| WhitelistEntry {
        network: parse_network(network).unwrap(),
        reason: String::new(),
        added: None,
    };
    Lists { whitelist: networks.iter().map(entry).collect(), ..Lists::default() }
}

fn banning(network: &str, expires: Option<Timestamp>) -> Lists {
    let ban = BlacklistEntry {
        expires,
        ..BlacklistEntry::manual(parse_network(network).unwrap(), "scanner", second(0.0))
    };
    Lists { blacklist: vec![ban], ..Lists::default() }
}

fn may_pass(engine: &Engine, address: &str, time: f64) -> bool {
    Visit::get("/").from(address.parse().unwrap()).at(time).inspect(engine).is_allowed()
}

#[test]
fn a_ban_is_in_force_for_the_very_next_request() {
    for engine in [strict(), recorded().0] {
        let ban = Visit::get("/.env").inspect(&engine).ban.unwrap();
        assert_eq!(ban.network, parse_network("203.0.113.1").unwrap());
        let next = Visit::get("/").at_time(second(0.0) + Duration::from_micros(1));
        assert_eq!(next.objection(&engine).as_deref(), Some("IP blacklisted: Keyword block: .env"));
        assert!(may_pass(&engine, "203.0.113.2", 0.1));
    }
}

#[test]
fn a_ban_stays_until_lists_that_contain_it_say_otherwise() {
    let (engine, sink) = recorded();
    Visit::get("/.env").inspect(&engine);
    Visit::get("/.git/x").from(client(2)).inspect(&engine);
    let networks: Vec<_> = sink
        .changes()
        .into_iter()
        .map(|change| match change {
            ListChange::AddBlacklist(entry) => entry.network.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(networks, ["203.0.113.1/32", "203.0.113.2/32"]);
    let in_force = |time| (!may_pass(&engine, "203.0.113.1", time), !may_pass(&engine, "203.0.113.2", time));
    engine.publish(&Lists::default(), 0);
    assert_eq!(in_force(1.0), (true, true), "older lists don't lift a ban");
    engine.publish(&Lists::default(), 1);
    assert_eq!(in_force(2.0), (false, true), "somebody lifted the first");
    engine.publish(&banning("203.0.113.2", None), 2);
    assert_eq!(in_force(3.0), (false, true), "published");
    engine.publish(&Lists::default(), 3);
    assert_eq!(in_force(4.0), (false, false));
}

#[test]
fn additions_are_in_force_beside_the_lists_until_those_are_published_again() {
    let (engine, _) = recorded();
    let whitelist = whitelisting(&["203.0.113.4"]).whitelist;
    engine.publish(&Lists { whitelist, ..banning("203.0.113.1", Some(second(50.0))) }, 0);
    Visit::get("/.env").from(client(5)).inspect(&engine);
    let added = |network: &str, end| banning(network, end).blacklist;
    engine.publish_additions(&added("203.0.113.2", None), 0);
    engine.publish_additions(&added("203.0.113.0/30", Some(second(100.0))), 0);
    engine.publish_additions(&added("203.0.113.4", None), 0);
    let denied = |time| [1, 2, 3, 4, 5].map(|last| !may_pass(&engine, &format!("203.0.113.{last}"), time));
    assert_eq!(denied(1.0), [true, true, true, false, true], "the whitelist wins");
    assert_eq!(denied(60.0), [true, true, true, false, true], "the ban that ends last counts");
    assert_eq!(denied(101.0), [false, true, false, false, true]);
    engine.publish_additions(&[], 1);
    assert_eq!(denied(102.0), [false, true, false, false, false], "what is contained is kept no longer");
    engine.publish(&banning("203.0.113.1", None), 1);
    assert_eq!(denied(103.0), [true, false, false, false, false]);
}

#[test]
fn who_was_pardoned_can_be_banned_again() {
    let (engine, sink) = recorded();
    for (contained, number) in [(1, 1), (2, 2), (3, 3)] {
        let time = 100.0 * f64::from(number);
        let ban = Visit::get("/.env").at(time).inspect(&engine).ban.unwrap();
        assert_eq!(ban.offences, 1, "who removes a ban forgives its client");
        assert!(!may_pass(&engine, "203.0.113.1", time + 1.0));
        engine.publish(&Lists::default(), contained);
        assert!(may_pass(&engine, "203.0.113.1", time + 2.0));
    }
    assert_eq!(sink.changes().len(), 3);
}

#[test]
fn a_change_that_had_to_be_dropped_stays_in_force_here() {
    struct Full;
    impl ChangeSink for Full {
        fn submit(&self, _: ListChange) -> u64 {
            u64::MAX
        }
    }
    let engine = Engine::builder().settings(strict_settings()).sink(Arc::new(Full)).build().unwrap();
    Visit::get("/.env").inspect(&engine);
    engine.publish(&Lists::default(), 1_000_000);
    assert!(!may_pass(&engine, "203.0.113.1", 1.0));
    assert!(may_pass(&engine, "203.0.113.1", 86_401.0));
}

#[test]
fn bans_end_to_the_microsecond() {
    let end = second(60.0);
    let engine = Engine::builder().lists(banning("203.0.113.0/24", Some(end))).build().unwrap();
    let at = |time| Visit::get("/").at_time(time).inspect(&engine).is_allowed();
    assert!(!at(end - Duration::from_micros(1)));
    assert!(at(end));
    let automatic = strict();
    let end = Visit::get("/.env").inspect(&automatic).ban.unwrap().expires.unwrap();
    let at = |time| Visit::get("/").at_time(time).inspect(&automatic).is_allowed();
    assert!(!at(end - Duration::from_micros(1)));
    assert!(at(end));
}

#[test]
fn networks_hold_their_addresses() {
    for (network, inside, outside) in [
        ("203.0.113.0/24", "203.0.113.255", "203.0.114.0"),
        ("203.0.113.7", "203.0.113.7", "203.0.113.6"),
        ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.8"),
        ("203.0.113.7", "::ffff:203.0.113.7", "::ffff:203.0.113.8"),
        ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
        ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
    ] {
        let engine = Engine::builder().lists(banning(network, None)).build().unwrap();
        assert!(!may_pass(&engine, inside, 0.0), "{network} {inside}");
        assert!(may_pass(&engine, outside, 0.0), "{network} {outside}");
    }
}

#[test]
fn an_ipv6_client_is_banned_with_its_network() {
    let engine = strict();
    let from = |address: &str, path: &str| Visit::get(path).from(address.parse().unwrap()).inspect(&engine);
    assert_eq!(from("2001:db8::1", "/.env").ban.unwrap().network.to_string(), "2001:db8::/64");
    assert!(!from("2001:db8::ffff:2", "/").is_allowed());
    assert!(from("2001:db8:0:1::1", "/").is_allowed());
}

#[test]
fn the_whitelist_always_wins() {
    let mut lists = whitelisting(&["203.0.113.0/24"]);
    lists.blacklist = banning("203.0.113.0/24", None).blacklist;
    let engine = Engine::builder().lists(lists).build().unwrap();
    for number in 0..300 {
        let visit = Visit::get("/.env?uuid=7").bare().at(f64::from(number) * 0.01);
        let verdict = visit.exchange(&engine, 404);
        assert!(verdict.is_allowed() && verdict.ban.is_none());
        assert_eq!(verdict.applied.iter().collect::<Vec<_>>(), [Protection::Logging]);
    }
    let (engine, _) = recorded();
    Visit::get("/.env").inspect(&engine);
    engine.publish(&whitelisting(&["203.0.113.1"]), 0);
    assert!(may_pass(&engine, "203.0.113.1", 1.0), "whitelisting frees who is banned here");
}

#[test]
fn published_keywords_countries_and_exemptions_are_in_force_at_once() {
    let engine = standard();
    let keyword = |keyword: &str| KeywordEntry {
        keyword: keyword.into(),
        count: 1,
        source: KeywordSource::Manual,
        added: None,
    };
    let visit = |path: &str, number| Visit::get(path).from(client(number));
    assert!(visit("/a/evil/b", 1).inspect(&engine).is_allowed());
    engine
        .publish(&Lists { keywords: vec![keyword("Evil"), keyword("union  select")], ..Lists::default() }, 0);
    assert_eq!(visit("/a/EVIL/b", 1).objection(&engine).as_deref(), Some("Keyword block: evil"));
    let query = visit("/search?q=1+UNION%0a%0dSELECT+2", 2);
    assert_eq!(query.objection(&engine).as_deref(), Some("Keyword block: union select"));
    engine.publish(&Lists::default(), 0);
    assert!(visit("/a/evil/b", 3).inspect(&engine).is_allowed());
}

#[test]
fn without_a_store_publishing_is_not_undone_by_what_is_learned() {
    // Both rewrite the lists that are in force; whoever comes second must build upon the first.
    for _ in 0..20 {
        let engine = standard();
        let lists = banning("198.51.100.7", None);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                (1..=3).for_each(|number| {
                    Visit::get("/cgi-bin/evilshell").from(client(number)).exchange(&engine, 404);
                });
            });
            threads.spawn(|| {
                engine.publish(&lists, 0);
                engine.publish_additions(&banning("198.51.100.8", None).blacklist, 0);
            });
        });
        assert!(!may_pass(&engine, "198.51.100.7", 1.0));
        assert!(!may_pass(&engine, "198.51.100.8", 1.0));
    }
}
