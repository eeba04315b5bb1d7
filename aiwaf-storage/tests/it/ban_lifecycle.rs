//! From the hit to the forgiveness of a ban, through engine, keeper and files together, and over restarts.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aiwaf_core::{BanSource, BlacklistEntry, Engine, Protection, Request, Settings, Timestamp};
use aiwaf_storage::{CsvStore, KeeperOptions, ListKeeper, Manager, Published, Store};
use tempfile::TempDir;

use crate::support::*;

const SOON: Duration = Duration::from_secs(20);
const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;

/// A service with an engine, whose lists live in files.
struct Service {
    engine: Arc<Engine>,
    keeper: Arc<ListKeeper>,
    published: Receiver<Published>,
}

impl Service {
    fn start(directory: &Path, settings: Settings, clock: &Arc<AtomicI64>) -> Self {
        let store = Arc::new(CsvStore::open(directory).unwrap());
        let engine: Arc<OnceLock<Arc<Engine>>> = Arc::default();
        let (publish, published) = channel();
        let clock = Arc::clone(clock);
        let options = KeeperOptions {
            poll_interval: Duration::from_millis(20),
            sweep_interval: Duration::from_millis(20),
            clock: Arc::new(move || at(clock.load(Ordering::SeqCst))),
            ..KeeperOptions::default()
        };
        let target = Arc::clone(&engine);
        let publish = move |lists: Published| {
            if let Some(engine) = target.get() {
                engine.publish(&lists.lists, lists.through);
            }
            // The test may have stopped listening.
            drop(publish.send(lists));
        };
        let report = |event| panic!("{event}");
        let keeper =
            Arc::new(ListKeeper::start(store, options, Box::new(publish), Box::new(report)).unwrap());
        let first = published.recv_timeout(SOON).unwrap();
        let builder = Engine::builder().settings(settings).lists(first.lists).sink(keeper.clone());
        let built = Arc::new(builder.only([Protection::IpKeywordBlock]).build().unwrap());
        assert!(engine.set(Arc::clone(&built)).is_ok());
        Self { engine: built, keeper, published }
    }

    fn is_allowed(&self, client: &str, time: Timestamp) -> bool {
        self.engine.inspect(&Request::new(client.parse().unwrap(), time).with_uri("/")).is_allowed()
    }

    /// An attack, and the ban that it causes, in store.
    fn attack(&self, client: &str, time: Timestamp) -> Option<BlacklistEntry> {
        let headers = [("user-agent", "sqlmap"), ("cookie", "session=secret")];
        let request = Request::new(client.parse().unwrap(), time).with_method("GET").with_uri("/.env?x=1");
        let ban = self.engine.inspect(&request.with_headers(&headers)).ban.map(|ban| *ban);
        self.keeper.flush(SOON).unwrap();
        ban
    }

    /// Waits until the blacklist has so many entries.
    fn wait_for_bans(&self, count: usize) {
        while self.published.recv_timeout(SOON).unwrap().lists.blacklist.len() != count {}
    }
}

fn site() -> (TempDir, Arc<AtomicI64>) {
    (tempfile::tempdir().unwrap(), Arc::default())
}

fn start(site: &(TempDir, Arc<AtomicI64>)) -> Service {
    Service::start(site.0.path(), strict(), &site.1)
}

/// Settings with which one match bans.
fn strict() -> Settings {
    let mut settings = Settings::default();
    settings.ip_keyword_block.ban_after = Some(1);
    settings
}

fn stored(site: &(TempDir, Arc<AtomicI64>)) -> Vec<BlacklistEntry> {
    CsvStore::open_existing(site.0.path()).unwrap().load().unwrap().lists.blacklist
}

#[test]
fn bans_escalate_end_to_the_microsecond_and_survive_restarts() {
    let site = site();
    let mut time = Timestamp::from_unix_micros(1_700_000_000_123_457);
    for (offence, hours) in [(1, 1), (2, 4), (3, 16), (4, 64), (5, 256), (6, 720), (7, 720)] {
        // A new process each time: nothing is known but what the files say.
        let service = start(&site);
        let ban = service.attack("192.0.2.7", time).unwrap();
        let end = time + Duration::from_hours(hours);
        assert_eq!((ban.offences, ban.expires), (offence, Some(end)));
        assert_eq!(ban.source, BanSource::Protection(Protection::IpKeywordBlock));
        assert_eq!(stored(&site), [ban]);
        let restarted = start(&site);
        for service in [&service, &restarted] {
            assert!(!service.is_allowed("192.0.2.7", end - Duration::from_micros(1)));
            assert!(service.is_allowed("192.0.2.7", end));
            assert!(service.is_allowed("192.0.2.8", time));
        }
        time = end + Duration::from_mins(1);
    }
}

#[test]
fn what_lies_long_enough_behind_is_forgiven_and_forgotten() {
    let site = site();
    let first = start(&site).attack("2001:db8::7", at(0)).unwrap();
    assert_eq!(first.network, net("2001:db8::/64"));
    // Swept after a quiet week, but not before.
    let week = HOUR + 7 * DAY;
    site.1.store(week - 1, Ordering::SeqCst);
    let service = start(&site);
    assert_eq!(service.attack("2001:db8::8", at(week - 1)).unwrap().offences, 2);
    drop(service);

    let end = week - 1 + 4 * HOUR;
    let service = start(&site);
    let forgiven = service.attack("2001:db8::9", at(end + 7 * DAY)).unwrap();
    assert_eq!((forgiven.offences, forgiven.expires), (1, Some(at(end + 7 * DAY + HOUR))));
    assert_eq!(stored(&site), [forgiven], "what was forgiven makes no later ban longer");
    site.1.store(end + 15 * DAY, Ordering::SeqCst);
    service.wait_for_bans(0);
}

#[test]
fn original_defect_13_who_is_whitelisted_is_never_banned() {
    let site = site();
    let manager = Manager::new(Arc::new(CsvStore::open(site.0.path()).unwrap()));
    manager.add_to_whitelist("192.0.2.0/24", "office", at(0)).unwrap();
    let service = start(&site);
    assert_eq!(service.attack("192.0.2.7", at(1)), None);
    assert!(service.is_allowed("192.0.2.7", at(2)));
    assert_eq!(stored(&site), []);
    service.attack("198.51.100.7", at(3)).unwrap();
    assert!(!service.is_allowed("198.51.100.7", at(4)));
    manager.add_to_whitelist("198.51.100.7", "a customer", at(5)).unwrap();
    while service.published.recv_timeout(SOON).unwrap().lists.whitelist.len() != 2 {}
    assert!(service.is_allowed("198.51.100.7", at(6)), "the whitelist wins over a ban");
}

#[test]
fn networks_are_banned_and_let_in_by_other_processes() {
    let site = site();
    let service = start(&site);
    let manager = Manager::new(Arc::new(CsvStore::open(site.0.path()).unwrap()));
    manager.add_all_to_blacklist(&["203.0.113.0/24", "2001:db8::/32"], "incident", at(0)).unwrap();
    service.wait_for_bans(2);
    for client in ["203.0.113.1", "203.0.113.255", "::ffff:203.0.113.9", "2001:db8:ffff::1"] {
        assert!(!service.is_allowed(client, at(1)), "{client}");
    }
    assert!(service.is_allowed("203.0.114.0", at(1)) && service.is_allowed("2001:db9::1", at(1)));
    let own = service.attack("198.51.100.7", at(2)).unwrap();
    manager.remove_from_blacklist("203.0.113.0/24").unwrap();
    manager.remove_from_blacklist("198.51.100.7").unwrap();
    service.wait_for_bans(1);
    assert!(service.is_allowed("203.0.113.1", at(3)));
    assert!(service.is_allowed("198.51.100.7", at(3)), "a ban of this process, ended by a person: {own:?}");
}

#[test]
fn what_is_known_of_the_request_is_kept_if_asked_for() {
    let site = site();
    assert_eq!(start(&site).attack("192.0.2.1", at(0)).unwrap().extended_request_info, None);
    let mut settings = strict();
    settings.bans.capture_extended_request_info = true;
    settings.bans.extended_request_info_headers.push("cookie".to_owned());
    let service = Service::start(site.0.path(), settings, &site.1);
    let ban = service.attack("192.0.2.2", at(0)).unwrap();
    let info = ban.extended_request_info.as_deref().unwrap();
    assert_eq!(
        info,
        r#"{"method":"GET","path":"/.env","query":"x=1","headers":{"user-agent":"sqlmap","cookie":"[REDACTED]"}}"#
    );
    assert_eq!(stored(&site)[1], ban);
    assert!(!read(&site.0, "blacklist.csv").contains("secret"));
}
