//! A million bans in CSV files and in SQLite: opening, memory, one more ban, look-ups, each against its budget.
//!
//! Memory can only be measured in a process that did nothing else, so the opening runs in children of this one.
#![allow(clippy::expect_used, clippy::panic)] // a measurement that can't be taken should stop

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use aiwaf_benches::{START, lists};
use aiwaf_core::{Engine, ListChange, Lists, Protection, Request, Settings};
use aiwaf_storage::{KeeperOptions, ListKeeper, Manager, Published, PublishedAdditions};

const BANS: u32 = 1_000_000;
const RUNS: usize = 5;
/// Set for a child: the store to open.
const CHILD: &str = "AIWAF_BENCH_STORAGE";

fn main() {
    if let Ok(url) = std::env::var(CHILD) {
        open(&url);
        return;
    }
    measure_look_up();
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (scheme, name) in [("csv", "data"), ("sqlite", "aiwaf.db")] {
        let url = format!("{scheme}:{}", directory.path().join(name).display());
        println!("{scheme}:");
        write_bans(&url);
        measure_opening(&url);
        measure_one_more(&url);
    }
}

fn report(what: &str, measured: f64, unit: &str, budget: Option<f64>) {
    let verdict = match budget {
        Some(budget) if measured <= budget => format!("budget {budget} {unit}: kept"),
        Some(budget) => format!("budget {budget} {unit}: MISSED"),
        None => "no budget".to_owned(),
    };
    println!("{what:<58} {measured:>9.3} {unit:<4} {verdict}");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Stores the bans as a service would have stored them: many reasons, times, and ends.
fn write_bans(url: &str) {
    let store = aiwaf_storage::open(url).expect("the directory can be written");
    let mut bans = lists(BANS, 0).blacklist;
    for (ban, number) in bans.iter_mut().zip(0u64..) {
        ban.reason = format!("Keyword block: .env{}", number % 1000);
        ban.added = Some(START + Duration::from_micros(number));
        if number % 2 == 0 {
            ban.source = aiwaf_core::BanSource::Protection(Protection::IpKeywordBlock);
            ban.expires = Some(START + Duration::from_secs(86_400 + number));
        }
    }
    let changes: Vec<ListChange> = bans.into_iter().map(ListChange::AddBlacklist).collect();
    store.apply(&changes).expect("the bans can be stored");
}

fn engine(lists: Lists) -> aiwaf_core::EngineBuilder {
    let mut settings = Settings::default();
    // The ban is what is measured, so that one match has to be enough for it.
    settings.ip_keyword_block.ban_after = Some(1);
    Engine::builder().settings(settings).only([Protection::IpKeywordBlock]).lists(lists)
}

/// In a child: opens the store, builds the snapshot, and says what that cost.
fn open(url: &str) {
    let start = Instant::now();
    let store = aiwaf_storage::open(url).expect("the lists exist");
    let loaded = store.load().expect("the lists can be read");
    let loading = start.elapsed();
    let keeper = Arc::new(Sink);
    let engine = engine(loaded.lists).sink(keeper).build().expect("defaults are valid");
    println!(
        "{} {} {} {}",
        loading.as_secs_f64(),
        start.elapsed().as_secs_f64(),
        memory("VmRSS:"),
        memory("VmHWM:")
    );
    black_box(engine);
}

/// Takes no changes, so that the engine keeps no lists of its own, as in a service.
struct Sink;

impl aiwaf_core::ChangeSink for Sink {
    fn submit(&self, _: ListChange) -> u64 {
        u64::MAX
    }
}

/// A line of Linux' account of this process' memory, in MiB; not a number elsewhere.
fn memory(line: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found =
        status.lines().find_map(|text| text.strip_prefix(line)?.split_whitespace().next()?.parse().ok());
    found.map_or(f64::NAN, |kib: f64| kib / 1024.0)
}

fn measure_opening(url: &str) {
    let program = std::env::current_exe().expect("this program has a path");
    let mut runs: [Vec<f64>; 4] = Default::default();
    for _ in 0..RUNS {
        let child = Command::new(&program).env(CHILD, url).output().expect("the child runs");
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
        let text = String::from_utf8_lossy(&child.stdout).into_owned();
        for (run, number) in runs.iter_mut().zip(text.split_whitespace()) {
            run.push(number.parse().expect("a number"));
        }
    }
    let [loading, opening, resident, peak] = runs.map(median);
    report("read 1,000,000 bans", loading, "s", None);
    report("read 1,000,000 bans and build the snapshot", opening, "s", Some(3.0));
    report("resident with the snapshot in force", resident, "MiB", Some(200.0));
    report("most ever resident while opening", peak, "MiB", None);
}

/// How long one more ban among a million takes until it is in force.
fn measure_one_more(url: &str) {
    let target: Arc<OnceLock<Arc<Engine>>> = Arc::default();
    let engine_of_publish = Arc::clone(&target);
    let (send, published) = std::sync::mpsc::channel();
    let publish = move |published: Published| match engine_of_publish.get() {
        Some(engine) => engine.publish(&published.lists, published.through),
        None => drop(send.send(published.lists)),
    };
    let store = aiwaf_storage::open(url).expect("the lists exist");
    let engine_of_additions = Arc::clone(&target);
    let publish_additions = move |added: PublishedAdditions| {
        if let Some(engine) = engine_of_additions.get() {
            engine.publish_additions(&added.bans, added.through);
        }
    };
    let options = KeeperOptions {
        publish_additions: Some(Arc::new(publish_additions)),
        // Else the bans would have ended long ago, and be swept.
        clock: Arc::new(|| START),
        ..KeeperOptions::default()
    };
    let poll_interval = options.poll_interval;
    let keeper = ListKeeper::start(store, options, Box::new(publish), Box::new(|event| panic!("{event}")));
    let keeper = Arc::new(keeper.expect("the lists can be read"));
    let lists = published.recv().expect("the first lists");
    let engine = Arc::new(engine(lists).sink(keeper.clone()).build().expect("defaults are valid"));
    assert!(target.set(Arc::clone(&engine)).is_ok());
    let is_allowed = |client: IpAddr| engine.inspect(&Request::new(client, START).with_uri("/")).is_allowed();
    let mut free = (0..).map(|number: u32| IpAddr::V4(Ipv4Addr::from(0x0101_0101 + 7919 * number)));
    let mut free = std::iter::from_fn(|| free.find(|client| is_allowed(*client))).take(1000);

    let automatic = (0..101).map(|_| {
        let client = free.next().expect("somebody is not banned");
        let start = Instant::now();
        assert!(engine.inspect(&Request::new(client, START).with_uri("/.env")).ban.is_some());
        assert!(!is_allowed(client));
        start.elapsed().as_secs_f64() * 1000.0
    });
    report(
        "one automatic ban among 1,000,000, until it is in force",
        median(automatic.collect()),
        "ms",
        Some(5.0),
    );
    let start = Instant::now();
    keeper.flush(Duration::from_mins(1)).expect("the bans can be stored");
    report("until all of those are on the disk and published", start.elapsed().as_secs_f64(), "s", None);

    let other = Manager::new(aiwaf_storage::open(url).expect("the lists exist"));
    let (mut storing, mut noticing) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let client = free.next().expect("somebody is not banned");
        let start = Instant::now();
        assert!(other.add_to_blacklist(&client.to_string(), "incident", START).expect("it can be stored"));
        storing.push(start.elapsed().as_secs_f64());
        while is_allowed(client) {
            std::thread::sleep(Duration::from_millis(1));
        }
        noticing.push(start.elapsed().as_secs_f64() - storing.last().copied().unwrap_or_default());
    }
    report("another handle adds one ban", median(storing), "s", None);
    report(
        &format!("after that, until it is in force (polled each {poll_interval:?})"),
        median(noticing),
        "s",
        None,
    );
}

/// A look-up in a million against one in a thousand, in turns, so that what else the machine does slows down both.
fn measure_look_up() {
    let engines = [1_000, BANS].map(|size| engine(lists(size, 0)).build().expect("defaults are valid"));
    let mut runs: [Vec<f64>; 2] = Default::default();
    let mut bits = 1u32;
    for _ in 0..101 {
        for (engine, run) in engines.iter().zip(&mut runs) {
            let start = Instant::now();
            for _ in 0..20_000 {
                bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                black_box(engine.inspect(black_box(&Request::new(IpAddr::V4(Ipv4Addr::from(bits)), START))));
            }
            run.push(start.elapsed().as_secs_f64() * 1e9 / 2e4);
        }
    }
    let [few, many] = runs.map(median);
    report("decision with 1,000 bans", few, "ns", None);
    report("decision with 1,000,000 bans", many, "ns", Some((2.0 * few).round()));
}
