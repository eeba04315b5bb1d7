//! Entries and stores for tests.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use aiwaf_core::{
    BanSource, BlacklistEntry, CountryEntry, KeywordEntry, KeywordSource, ListChange, PathExemptionEntry,
    Protection, Timestamp, WhitelistEntry, parse_network,
};
use aiwaf_storage::{CsvStore, MemoryStore, Store};
use ipnet::IpNet;
use tempfile::TempDir;

pub(crate) const AUTOMATIC: BanSource = BanSource::Protection(Protection::RateLimit);

/// Runs a test on every kind of store.
pub(crate) fn on_every_store(test: impl Fn(&dyn Store)) {
    test(&MemoryStore::default());
    for home in homes() {
        test(&*home.open());
    }
}

/// A place that outlives a store, and is gone when it is dropped.
pub(crate) struct Home {
    pub(crate) url: String,
    _directory: Option<TempDir>,
}

impl Home {
    pub(crate) fn open(&self) -> Arc<dyn Store> {
        aiwaf_storage::open(&self.url).unwrap()
    }

    /// The same, without repairing anything.
    pub(crate) fn reopen(&self) -> Arc<dyn Store> {
        match self.url.strip_prefix("csv:") {
            Some(directory) => Arc::new(CsvStore::open_existing(directory).unwrap()),
            None => self.open(),
        }
    }
}

/// A new place of every kind, not opened yet.
pub(crate) fn homes() -> Vec<Home> {
    let files = [("csv", "data"), ("sqlite", "aiwaf.db")].map(|(scheme, name)| {
        let directory = quick_directory();
        let url = format!("{scheme}:{}", directory.path().join(name).display());
        Home { url, _directory: Some(directory) }
    });
    let postgres = crate::postgres_server::new_database().map(|url| Home { url, _directory: None });
    files.into_iter().chain(postgres).collect()
}

/// A directory in memory where there is such a thing, for waiting for a disk proves nothing: what a process wrote is
/// there after its death, wherever that is.
fn quick_directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let directory = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    directory.unwrap()
}

pub(crate) fn csv() -> (TempDir, CsvStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = CsvStore::open(directory.path()).unwrap();
    (directory, store)
}

pub(crate) fn read(directory: impl AsRef<Path>, file: &str) -> String {
    fs::read_to_string(directory.as_ref().join(file)).unwrap()
}

pub(crate) fn write(directory: impl AsRef<Path>, file: &str, text: impl AsRef<[u8]>) {
    fs::write(directory.as_ref().join(file), text).unwrap();
}

pub(crate) fn net(text: &str) -> IpNet {
    parse_network(text).unwrap()
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_micros(seconds * 1_000_000)
}

pub(crate) fn ban(network: &str) -> BlacklistEntry {
    BlacklistEntry::manual(net(network), "scanner", at(1))
}

pub(crate) fn automatic(network: &str, expires: i64) -> BlacklistEntry {
    BlacklistEntry { source: AUTOMATIC, expires: Some(at(expires)), ..ban(network) }
}

pub(crate) fn add_ban(network: &str) -> ListChange {
    ListChange::AddBlacklist(ban(network))
}

pub(crate) fn whitelist(network: &str) -> ListChange {
    ListChange::AddWhitelist(WhitelistEntry {
        network: net(network),
        reason: "office".into(),
        added: Some(at(2)),
    })
}

pub(crate) fn keyword(keyword: &str, count: u64, source: KeywordSource) -> ListChange {
    ListChange::AddKeyword(KeywordEntry { keyword: keyword.into(), count, source, added: Some(at(3)) })
}

pub(crate) fn country(code: &str) -> ListChange {
    ListChange::AddCountry(CountryEntry { country: code.parse().unwrap(), added: None })
}

pub(crate) fn exempt(path: &str) -> ListChange {
    ListChange::AddPathExemption(PathExemptionEntry {
        path: path.into(),
        reason: String::new(),
        added: Some(at(4)),
    })
}
