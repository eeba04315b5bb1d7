//! The keeper: nothing waits, nothing gets lost, nobody is let in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use aiwaf_core::{ChangeSink, KeywordSource, ListChange, Lists};
use aiwaf_storage::{
    CsvStore, KeeperOptions, ListKeeper, Loaded, MemoryStore, Published, PublishedAdditions, Revision, Store,
    StoreError, StoreEvent,
};

use crate::support::*;

const SOON: Duration = Duration::from_secs(20);

/// A store that can be switched off.
#[derive(Default)]
struct Fragile {
    store: MemoryStore,
    is_gone: AtomicBool,
    attempts: AtomicUsize,
}

impl Fragile {
    fn check(&self) -> Result<(), StoreError> {
        if self.is_gone.load(Ordering::SeqCst) {
            self.attempts.fetch_add(1, Ordering::SeqCst);
            let source = std::io::Error::other("pulled the plug");
            return Err(StoreError::Io { action: "reaching", path: "store".into(), source });
        }
        Ok(())
    }
}

impl Store for Fragile {
    fn mode(&self) -> &'static str {
        "Fragile"
    }

    fn location(&self) -> Option<(&'static str, String)> {
        None
    }

    fn load(&self) -> Result<Loaded, StoreError> {
        self.check().and_then(|()| self.store.load())
    }

    fn apply(&self, changes: &[ListChange]) -> Result<Vec<bool>, StoreError> {
        self.check().and_then(|()| self.store.apply(changes))
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        self.check().and_then(|()| self.store.revision())
    }
}

struct Kept {
    keeper: ListKeeper,
    published: Receiver<Published>,
    events: Receiver<StoreEvent>,
}

impl Kept {
    /// The lists of the first publication that satisfies `wanted`.
    fn wait_for(&self, wanted: impl Fn(&Lists) -> bool) -> Published {
        loop {
            let published = self.published.recv_timeout(SOON).unwrap();
            if wanted(&published.lists) {
                return published;
            }
        }
    }

    fn event(&self) -> StoreEvent {
        self.events.recv_timeout(SOON).unwrap()
    }
}

fn options() -> KeeperOptions {
    KeeperOptions {
        poll_interval: Duration::from_millis(20),
        clock: Arc::new(|| at(1000)),
        ..KeeperOptions::default()
    }
}

fn start(store: Arc<dyn Store>, options: KeeperOptions) -> Result<Kept, StoreError> {
    let (publish, published) = channel();
    let (report, events) = channel();
    // The test may have stopped listening.
    let publish = Box::new(move |lists| drop(publish.send(lists)));
    let report = Box::new(move |event| drop(report.send(event)));
    Ok(Kept { keeper: ListKeeper::start(store, options, publish, report)?, published, events })
}

#[test]
fn lists_are_published_before_it_starts_and_with_every_change() {
    let store = Arc::new(MemoryStore::default());
    store.apply(&[add_ban("10.0.0.1")]).unwrap();
    let kept = start(store.clone(), options()).unwrap();
    let first = kept.published.try_recv().unwrap();
    assert_eq!((first.lists.blacklist.len(), first.through), (1, 0));
    let number = kept.keeper.submit(add_ban("10.0.0.2"));
    assert_eq!((number, kept.keeper.submitted()), (1, 1));
    let published = kept.wait_for(|lists| lists.blacklist.len() == 2);
    assert_eq!(published.through, number);
    kept.keeper.flush(SOON).unwrap();
    assert_eq!(kept.keeper.published(), number);
    let repeated = kept.keeper.submit(add_ban("10.0.0.2"));
    kept.keeper.flush(SOON).unwrap();
    assert_eq!(kept.published.try_iter().last().unwrap().through, repeated, "even if nothing changed");
}

#[test]
fn changes_of_others_are_noticed() {
    let (directory, _) = csv();
    let kept = start(Arc::new(CsvStore::open(directory.path()).unwrap()), options()).unwrap();
    let other = CsvStore::open(directory.path()).unwrap();
    other.apply(&[add_ban("10.0.0.9")]).unwrap();
    kept.wait_for(|lists| lists.blacklist.len() == 1);
    write(&directory, "keywords.csv", "keyword\n.env\nbad\tword,\n,\n");
    let lists = kept.wait_for(|lists| !lists.keywords.is_empty()).lists;
    assert_eq!(lists.keywords[0].source, KeywordSource::Manual);
    assert!(matches!(kept.event(), StoreEvent::Problems { problems, .. } if problems[0].line == 3));
}

#[test]
fn changes_of_others_are_noticed_in_every_home() {
    for home in homes() {
        let kept = start(home.open(), options()).unwrap();
        kept.wait_for(|lists| lists.blacklist.is_empty());
        let other = home.open();
        let start = std::time::Instant::now();
        other.apply(&[add_ban("10.0.0.9")]).unwrap();
        kept.wait_for(|lists| lists.blacklist.len() == 1);
        assert!(start.elapsed() < Duration::from_secs(1), "{:?} in {}", start.elapsed(), home.url);
        kept.keeper.submit(add_ban("10.0.0.8"));
        kept.keeper.shutdown().unwrap();
        assert_eq!(home.open().load().unwrap().lists.blacklist.len(), 2);
    }
}

#[test]
fn new_bans_are_published_without_the_rest() {
    let (directory, _) = csv();
    let other = CsvStore::open(directory.path()).unwrap();
    other.apply(&[add_ban("10.0.0.1")]).unwrap();
    let (send, additions) = channel();
    let publish = move |added: PublishedAdditions| drop(send.send(added));
    let options = KeeperOptions { publish_additions: Some(Arc::new(publish)), ..options() };
    let store: Arc<dyn Store> = Arc::new(CsvStore::open(directory.path()).unwrap());
    let kept = start(store, options).unwrap();
    assert_eq!(kept.published.try_recv().unwrap().lists.blacklist.len(), 1);
    let next = || {
        let PublishedAdditions { bans, through } = additions.recv_timeout(SOON).unwrap();
        (bans.into_iter().map(|ban| ban.network).collect::<Vec<_>>(), through)
    };
    other.apply(&[add_ban("10.0.0.2"), add_ban("10.0.0.3")]).unwrap();
    assert_eq!(next(), (vec![net("10.0.0.2"), net("10.0.0.3")], 0));
    let number = kept.keeper.submit(add_ban("10.0.0.4"));
    kept.keeper.flush(SOON).unwrap();
    assert_eq!(next(), (vec![net("10.0.0.4")], number));
    let repeated = kept.keeper.submit(add_ban("10.0.0.4"));
    kept.keeper.flush(SOON).unwrap();
    assert_eq!(next(), (vec![], repeated), "stored, for it was there");
    assert!(kept.published.try_recv().is_err(), "nothing else changed");

    other.apply(&[ListChange::RemoveBlacklist(net("10.0.0.2"))]).unwrap();
    kept.wait_for(|lists| lists.blacklist.len() == 3);
    // What was just seen may have been on its way to the ledger; now it is there.
    let repeated = kept.keeper.submit(add_ban("10.0.0.4"));
    kept.keeper.flush(SOON).unwrap();
    additions.try_iter().for_each(drop);
    other.apply(&[add_ban("10.0.0.5")]).unwrap();
    assert_eq!(next(), (vec![net("10.0.0.5")], repeated));
    let many: Vec<_> = (0..10_000u32)
        .map(|number| add_ban(&std::net::Ipv4Addr::from(0x0B00_0000 + number).to_string()))
        .collect();
    other.apply(&many).unwrap();
    kept.wait_for(|lists| lists.blacklist.len() == 10_004);
}

#[test]
fn postgresql_wakes_the_keeper() {
    if crate::postgres_server::new_database().is_none() {
        return;
    }
    let server = crate::postgres_server::Server::start().unwrap();
    let url = server.new_database();
    let slowly = KeeperOptions { poll_interval: Duration::from_secs(1), ..options() };
    let kept = start(aiwaf_storage::open(&url).unwrap(), slowly).unwrap();
    kept.wait_for(|lists| lists.blacklist.is_empty());
    let other = aiwaf_storage::open(&url).unwrap();
    let mut bans = 0;
    let mut add_ten = || {
        let start = std::time::Instant::now();
        for _ in 0..10 {
            bans += 1;
            other.apply(&[add_ban(&format!("10.0.0.{bans}"))]).unwrap();
            kept.wait_for(|lists| lists.blacklist.len() == bans);
        }
        // By polling each takes nearly a second, for it is made right after a poll.
        assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    };
    add_ten();
    server.control("stop");
    assert!(matches!(kept.event(), StoreEvent::Lost { .. }));
    server.control("start");
    assert_eq!(kept.event(), StoreEvent::Back);
    // The first use of a connection that broke makes a new one.
    assert_eq!(other.load().unwrap().lists.blacklist.len(), 10);
    add_ten();
}

#[test]
fn a_locked_store_delays_changes_and_nothing_else() {
    for home in homes() {
        let kept =
            start(home.open(), KeeperOptions { stop_patience: Duration::from_millis(300), ..options() });
        let kept = kept.unwrap();
        let locked = Locked::new(&home.url);
        kept.keeper.submit(add_ban("10.0.0.1"));
        let error = kept.keeper.flush(Duration::from_secs(1)).unwrap_err();
        assert_eq!(error.waiting, 1, "{}", home.url);
        assert_eq!(kept.events.try_iter().collect::<Vec<_>>(), [], "{}", home.url);
        drop(locked);
        kept.keeper.flush(SOON).unwrap();
        let locked = Locked::new(&home.url);
        kept.keeper.submit(add_ban("10.0.0.2"));
        let start = std::time::Instant::now();
        assert_eq!(kept.keeper.shutdown().unwrap_err().waiting, 1, "{}", home.url);
        assert!(start.elapsed() < Duration::from_secs(10), "{:?} {}", start.elapsed(), home.url);
        drop(locked);
        assert_eq!(home.open().load().unwrap().lists.blacklist.len(), 1);
    }
}

/// What another process does that hangs in the middle of a change.
enum Locked {
    File(#[expect(dead_code, reason = "open as long as this lives")] std::fs::File),
    Session(#[expect(dead_code, reason = "open as long as this lives")] Box<dyn std::any::Any>),
}

impl Locked {
    fn new(url: &str) -> Self {
        use diesel::connection::SimpleConnection;
        use diesel::{Connection, PgConnection, SqliteConnection};
        if let Some(directory) = url.strip_prefix("csv:") {
            let file = std::fs::File::open(format!("{directory}/.lock")).unwrap();
            file.lock().unwrap();
            Self::File(file)
        } else if let Some(file) = url.strip_prefix("sqlite:") {
            let mut connection = SqliteConnection::establish(file).unwrap();
            connection.batch_execute("BEGIN IMMEDIATE").unwrap();
            Self::Session(Box::new(connection))
        } else {
            let mut connection = PgConnection::establish(url).unwrap();
            connection.batch_execute("BEGIN; SELECT 1 FROM aiwaf_meta FOR UPDATE").unwrap();
            Self::Session(Box::new(connection))
        }
    }
}

#[test]
fn a_stop_does_not_wait_for_a_store_that_does_not_answer() {
    let (release, wait) = channel::<()>();
    let store = Arc::new(Slow { store: MemoryStore::default(), wait: std::sync::Mutex::new(wait) });
    let kept = start(store, KeeperOptions { stop_patience: Duration::from_millis(30), ..options() }).unwrap();
    kept.keeper.submit(add_ban("10.0.0.1"));
    let error = kept.keeper.shutdown().unwrap_err();
    assert!(error.to_string().contains("does not answer"), "{error}");
    drop(release);
}

#[test]
fn a_list_that_can_not_be_read_keeps_no_other_from_changing() {
    let (directory, other) = csv();
    // At once, as good editors do: one that empties the file first may be caught at that.
    let put = |file: &str, text: &str| {
        write(&directory, "new", text);
        std::fs::rename(directory.path().join("new"), directory.path().join(file)).unwrap();
    };
    other.apply(&[add_ban("10.0.0.1"), keyword("evil", 1, KeywordSource::Manual)]).unwrap();
    let kept = start(Arc::new(CsvStore::open(directory.path()).unwrap()), options()).unwrap();
    kept.wait_for(|lists| lists.keywords.len() == 1);
    put("keywords.csv", "evil,now\n");
    let event = kept.event();
    let StoreEvent::Lost { error } = event else { panic!("{event:?}") };
    assert!(error.contains("keywords.csv") && error.contains("make it `keyword,added_date"), "{error}");
    other.apply(&[add_ban("10.0.0.2")]).unwrap();
    let lists = kept.wait_for(|lists| lists.blacklist.len() == 2).lists;
    assert_eq!(lists.keywords.len(), 1, "as it was");
    put("keywords.csv", "keyword\n");
    kept.wait_for(|lists| lists.keywords.is_empty());
    assert_eq!(kept.event(), StoreEvent::Back);

    // Nobody who is banned comes in because somebody broke the list.
    put("blacklist.csv", "evil,now\n");
    assert!(matches!(kept.event(), StoreEvent::Lost { error } if error.contains("blacklist.csv")));
    other.apply(&[whitelist("10.0.0.9")]).unwrap();
    kept.keeper.flush(Duration::from_millis(200)).ok();
    assert!(kept.published.try_iter().all(|published| published.lists.blacklist.len() == 2));
    put("blacklist.csv", "ip\n10.0.0.3\n");
    let lists = kept.wait_for(|lists| lists.blacklist.len() == 1).lists;
    assert_eq!(lists.whitelist.len(), 1);
}

#[test]
fn with_one_list_broken_a_service_starts_only_if_it_may_start_without_lists() {
    let (directory, other) = csv();
    other.apply(&[add_ban("10.0.0.1")]).unwrap();
    write(&directory, "keywords.csv", "evil,now\n");
    let store = || Arc::new(CsvStore::open(directory.path()).unwrap());
    let error = start(store(), options()).err().unwrap();
    assert!(error.to_string().contains("keywords.csv"), "{error}");
    let kept = start(store(), KeeperOptions { must_load: false, ..options() }).unwrap();
    assert_eq!(kept.published.try_recv().unwrap().lists.blacklist.len(), 1);
    assert!(matches!(kept.event(), StoreEvent::Lost { error } if error.contains("keywords.csv")));
}

#[test]
fn five_rows_that_make_no_sense_are_named() {
    let (directory, _) = csv();
    let rows: Vec<String> = (0..7).map(|number| format!("junk{number},x,\n")).collect();
    write(&directory, "blacklist.csv", format!("ip,reason,added_date\n{}", rows.concat()));
    let kept = start(Arc::new(CsvStore::open(directory.path()).unwrap()), options()).unwrap();
    let text = kept.event().to_string();
    assert!(text.starts_with("7 rows of the lists can't be understood: blacklist.csv, line 2: "), "{text}");
    assert!(text.contains("junk4") && !text.contains("junk5") && text.ends_with("; and 2 more"), "{text}");
}

#[test]
fn a_flood_of_distinct_attackers_is_shed_and_counted_and_blocks_nobody() {
    const ATTACKERS: u32 = 1_000_000;
    const CAPACITY: usize = 1000;
    let (release, wait) = channel::<()>();
    let store = Arc::new(Slow { store: MemoryStore::default(), wait: std::sync::Mutex::new(wait) });
    let kept = start(store.clone(), KeeperOptions { capacity: CAPACITY, ..options() }).unwrap();
    // The store is in the middle of the first change, and stays there until all have been submitted: who waits for it
    // would wait for ever.
    kept.keeper.submit(add_ban("192.0.2.1"));
    let taken: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let keeper = &kept.keeper;
                scope.spawn(move || {
                    let numbers = (thread..ATTACKERS).step_by(4);
                    let bans =
                        numbers.map(|number| std::net::Ipv4Addr::from(0x0A00_0000 + number).to_string());
                    let submit = |ban: String| keeper.submit(ListChange::AddBlacklist(automatic(&ban, 9999)));
                    bans.map(submit).filter(|number| *number != u64::MAX).count() as u64
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(kept.keeper.shed(), u64::from(ATTACKERS) - taken);
    assert!(taken <= 2 * CAPACITY as u64 + 1, "{taken}: one queue and one batch");
    // People still come through, and who is known already is no new attacker.
    assert_ne!(kept.keeper.submit(add_ban("192.0.2.2")), u64::MAX);
    assert_ne!(kept.keeper.submit(add_ban("192.0.2.2")), u64::MAX);
    drop(release);
    kept.keeper.flush(SOON).unwrap();
    assert_eq!(store.store.load().unwrap().lists.blacklist.len() as u64, taken + 2);
    let shed: u64 = kept
        .events
        .try_iter()
        .map(|event| match event {
            StoreEvent::Shed { changes } => changes,
            other => panic!("{other:?}"),
        })
        .sum();
    assert_eq!(shed, kept.keeper.shed());
}

/// A store that changes nothing until it may.
struct Slow {
    store: MemoryStore,
    wait: std::sync::Mutex<Receiver<()>>,
}

impl Store for Slow {
    fn mode(&self) -> &'static str {
        "Slow"
    }

    fn location(&self) -> Option<(&'static str, String)> {
        None
    }

    fn load(&self) -> Result<Loaded, StoreError> {
        self.store.load()
    }

    fn apply(&self, changes: &[ListChange]) -> Result<Vec<bool>, StoreError> {
        // Ends when the other side is dropped.
        self.wait.lock().unwrap().recv().ok();
        self.store.apply(changes)
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        self.store.revision()
    }
}

#[test]
fn original_defect_12_a_lost_store_leaves_the_last_lists_in_force() {
    let store = Arc::new(Fragile::default());
    store.apply(&[add_ban("10.0.0.1")]).unwrap();
    let kept = start(store.clone(), options()).unwrap();
    assert_eq!(kept.wait_for(|_| true).lists.blacklist.len(), 1);
    store.is_gone.store(true, Ordering::SeqCst);
    let error = loop {
        kept.keeper.submit(add_ban("10.0.0.2"));
        if let Err(error) = kept.keeper.flush(Duration::from_millis(50)) {
            break error;
        }
    };
    assert!(error.to_string().contains("pulled the plug"), "{error}");
    while store.attempts.load(Ordering::SeqCst) < 4 {
        assert!(kept.keeper.flush(Duration::from_millis(5)).is_err());
    }
    assert!(kept.published.try_iter().all(|published| !published.lists.blacklist.is_empty()));
    store.is_gone.store(false, Ordering::SeqCst);
    kept.keeper.flush(SOON).unwrap();
    assert_eq!(store.load().unwrap().lists.blacklist.len(), 2);
    kept.keeper.shutdown().unwrap();
    let events: Vec<StoreEvent> = kept.events.try_iter().collect();
    assert!(matches!(events.as_slice(), [StoreEvent::Lost { .. }, StoreEvent::Back]), "{events:?}");
    assert_eq!((kept.keeper.times_lost(), kept.keeper.failure()), (1, None));
}

#[test]
fn a_store_that_is_gone_at_the_start_is_an_error() {
    let store = Fragile { is_gone: true.into(), ..Fragile::default() };
    assert!(start(Arc::new(store), options()).is_err());
}

#[test]
fn dropping_it_stores_everything() {
    let (directory, store) = csv();
    let kept = start(Arc::new(CsvStore::open(directory.path()).unwrap()), options()).unwrap();
    for number in 0..500 {
        kept.keeper.submit(add_ban(&format!("10.0.{}.{}", number / 256, number % 256)));
    }
    drop(kept);
    assert_eq!(store.load().unwrap().lists.blacklist.len(), 500);
}

#[test]
fn a_stop_without_a_store_ends_and_says_what_is_lost() {
    let store = Arc::new(Fragile::default());
    let kept = start(store.clone(), KeeperOptions { stop_patience: Duration::from_millis(30), ..options() })
        .unwrap();
    store.is_gone.store(true, Ordering::SeqCst);
    kept.keeper.submit(add_ban("10.0.0.1"));
    let error = kept.keeper.shutdown().unwrap_err();
    assert_eq!(error.waiting, 1);
    let last = kept.events.try_iter().last().unwrap();
    assert!(matches!(last, StoreEvent::Unwritten { changes: 1, .. }), "{last:?}");
    assert_eq!(kept.keeper.submit(add_ban("10.0.0.2")), u64::MAX);
    assert!(kept.keeper.flush(SOON).is_err(), "at once");
}

#[test]
fn the_queue_is_bounded_while_the_store_is_gone() {
    let store = Arc::new(Fragile::default());
    let kept = start(store.clone(), KeeperOptions { capacity: 10, ..options() }).unwrap();
    store.is_gone.store(true, Ordering::SeqCst);
    let numbers: Vec<u64> = (0..200)
        .map(|number| {
            kept.keeper.submit(ListChange::AddBlacklist(automatic(&format!("10.0.0.{number}"), 9999)))
        })
        .collect();
    let taken = numbers.iter().filter(|number| **number != u64::MAX).count();
    assert_eq!(kept.keeper.shed(), 200 - taken as u64);
    assert!((10..=20).contains(&taken), "{taken}: one queue and one batch");
    store.is_gone.store(false, Ordering::SeqCst);
    kept.keeper.flush(SOON).unwrap();
    assert_eq!(store.load().unwrap().lists.blacklist.len(), taken);
}

#[test]
fn original_defect_13_bans_that_ended_are_swept() {
    let store = Arc::new(MemoryStore::default());
    let changes = [("10.0.0.1", 900), ("10.0.0.2", 901)].map(|(address, end)| automatic(address, end));
    store.apply(&changes.map(ListChange::AddBlacklist)).unwrap();
    store.apply(&[add_ban("10.0.0.3")]).unwrap();
    let options = KeeperOptions { keep_ended_bans: Duration::from_secs(100), ..options() };
    let kept = start(store, options).unwrap();
    let lists = kept.wait_for(|lists| lists.blacklist.len() == 2).lists;
    assert_eq!(lists.blacklist[0].network, net("10.0.0.2"));
}
