//! Many threads, one engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aiwaf_core::{
    BlacklistEntry, ChangeSink, Engine, ListChange, Lists, Protection, Settings, WhitelistEntry,
    parse_network,
};

use crate::visit::{Visit, client, second, strict_settings};

#[test]
fn of_one_client_on_64_threads_exactly_the_limit_passes() {
    let mut settings = Settings::default();
    settings.rate_limit.flood = 100_000;
    let engine = Engine::builder().settings(settings).build().unwrap();
    let passed: usize = std::thread::scope(|threads| {
        let ask = || (0..10).filter(|_| Visit::get("/").exchange(&engine, 200).is_allowed()).count();
        let asking: Vec<_> = (0..64).map(|_| threads.spawn(ask)).collect();
        asking.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(passed, 100);
    let statistics = engine.statistics();
    assert_eq!((statistics.requests, statistics.throttled), (640, 540));
}

#[test]
fn publishing_while_requests_are_judged_is_seen_whole() {
    // Every list that is published blocks 198.51.100.1 and whitelists 198.51.100.2; never is one without the other.
    let network = |text| parse_network(text).unwrap();
    let lists = Lists {
        blacklist: vec![BlacklistEntry::manual(network("198.51.100.0/24"), "", second(0.0))],
        whitelist: vec![WhitelistEntry {
            network: network("198.51.100.2"),
            reason: String::new(),
            added: None,
        }],
        ..Lists::default()
    };
    let engine = Engine::builder().lists(lists.clone()).only([Protection::IpKeywordBlock]).build().unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let publishing = threads.spawn(|| {
            for _ in 0..40 {
                engine.publish(&lists, 0);
            }
            stop.store(true, Ordering::Relaxed);
        });
        threads.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                assert!(!Visit::get("/").from([198, 51, 100, 1].into()).inspect(&engine).is_allowed());
                assert!(Visit::get("/").from([198, 51, 100, 2].into()).inspect(&engine).is_allowed());
            }
        });
        publishing.join().unwrap();
    });
}

#[derive(Default)]
struct Numbering(AtomicU64);

impl ChangeSink for Numbering {
    fn submit(&self, _: ListChange) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

#[test]
fn bans_survive_publishing_that_does_not_contain_them() {
    let engine =
        Engine::builder().settings(strict_settings()).sink(Arc::new(Numbering::default())).build().unwrap();
    std::thread::scope(|threads| {
        threads.spawn(|| (0..50).for_each(|_| engine.publish(&Lists::default(), 0)));
        for thread in 0..4u8 {
            let engine = &engine;
            threads.spawn(move || {
                for number in 0..50 {
                    let attacker = client(thread * 50 + number);
                    assert!(Visit::get("/.env").from(attacker).inspect(engine).ban.is_some());
                    assert!(!Visit::get("/").from(attacker).at(1.0).inspect(engine).is_allowed());
                }
            });
        }
    });
}
