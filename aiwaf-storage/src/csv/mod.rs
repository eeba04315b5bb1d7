//! Lists in CSV files, which people read and edit, and which several processes share.

mod cell;
mod directory;
mod ledger;
mod problems;
mod record;
mod row;
mod rows;
mod table;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aiwaf_core::{
    BlacklistEntry, CountryEntry, KeywordEntry, ListChange, ListName, Lists, PathExemptionEntry,
    WhitelistEntry,
};
use parking_lot::Mutex;

use self::directory::{Appended, Directory, Lock, State, Text};
use self::ledger::Ledger;
use self::row::Row;
use self::table::{Table, Wanted, header_line};
use crate::error::{StoreError, shorten};
use crate::fit::fit;
use crate::memory::{apply_fitting, is_addition};
use crate::store::{Additions, ListFailure, Loaded, Revision, RowProblem, Store};

/// The lists as CSV files in a data directory: `whitelist.csv`, `blacklist.csv`, `keywords.csv`,
/// `geo_blocked_countries.csv` and `path_exemptions.csv`.
///
/// - **Columns** are found by their names in the first line, so files of the original, of its command line too, are
///   read as they are. Bans and keywords without a `source` count as made by people: they stay until people remove them.
/// - **What is not ours survives** every change untouched: unknown columns, and rows that make no sense, which are
///   reported by [`Store::load`] and have no effect. A missing file is an empty list.
/// - **Spreadsheets** get text where an attacker wrote a formula: such cells are written with a leading apostrophe.
/// - **Several processes** may write at the same time: each waits for a lock on `.lock`, reads, changes, and puts a whole
///   new file in place of the old one, so readers need no lock and no crash leaves half a file. A batch that touches
///   several lists replaces one file after the other.
/// - **New bans** are appended to `blacklist.csv`, which is not read before `.lock` says that they are on the disk. What a
///   crash left of them does not count; [`CsvStore::open`] and the next change cut it off, and it is reported.
///
/// A change looks through the lists that it names, about 0.1 s for a million bans, and unless it only adds bans it writes
/// them anew; batches are cheap. What was appended is read without the rest ([`Store::additions_since`]).
///
/// ```
/// use aiwaf_core::{BlacklistEntry, ListChange, Timestamp, parse_network};
/// use aiwaf_storage::{CsvStore, Store};
///
/// let directory = tempfile::tempdir()?;
/// let store = CsvStore::open(directory.path())?;
/// let ban = BlacklistEntry::manual(parse_network("203.0.113.9")?, "scanner", Timestamp::UNIX_EPOCH);
/// store.apply(&[ListChange::AddBlacklist(ban)])?;
/// let text = std::fs::read_to_string(directory.path().join("blacklist.csv"))?;
/// assert!(text.ends_with("203.0.113.9,scanner,1970-01-01T00:00:00.000000Z,manual,,1,\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CsvStore {
    directory: Directory,
    /// What was cut off, until it is reported.
    repaired: Mutex<Vec<RowProblem>>,
}

/// How long another process may keep the lists locked before a change fails.
const PATIENCE: Duration = Duration::from_secs(30);

const FILES: [&str; 5] = [
    WhitelistEntry::FILE,
    BlacklistEntry::FILE,
    KeywordEntry::FILE,
    CountryEntry::FILE,
    PathExemptionEntry::FILE,
];

fn create_missing(directory: &Directory, is_missing: impl Fn(&str) -> bool) -> Result<(), StoreError> {
    let mut lock = directory.lock(PATIENCE)?;
    let missing: Vec<_> = [
        (WhitelistEntry::FILE, header_line::<WhitelistEntry>()),
        (BlacklistEntry::FILE, header_line::<BlacklistEntry>()),
        (KeywordEntry::FILE, header_line::<KeywordEntry>()),
        (CountryEntry::FILE, header_line::<CountryEntry>()),
        (PathExemptionEntry::FILE, header_line::<PathExemptionEntry>()),
    ]
    .into_iter()
    .filter(|(name, _)| is_missing(name))
    .map(|(name, text)| (name, Text::Whole(text)))
    .collect();
    lock.write(missing)
}

impl CsvStore {
    /// Opens a data directory; creates it and the files that it lacks.
    ///
    /// # Errors
    /// [`StoreError`] if there are no lists and none can be created. A directory that has lists may be read-only.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let directory = Directory::open(directory.into(), true, BlacklistEntry::FILE)?;
        let is_missing = |name: &str| !directory.file(name).exists();
        // Where there are lists, they are read, even if nothing can be written: a missing file is an empty list, and
        // the first change says what is wrong.
        let has_lists = !FILES.into_iter().all(is_missing);
        if FILES.into_iter().any(is_missing)
            && let Err(error) = create_missing(&directory, is_missing)
            && !has_lists
        {
            return Err(error);
        }
        // Where nothing can be written, nothing can be cleaned, and lists can be read all the same.
        let store = Self { directory, repaired: Mutex::default() };
        if (!store.directory.leftovers()?.is_empty() || store.directory.has_half_an_append()?)
            && let Ok(mut lock) = store.directory.lock(PATIENCE)
        {
            lock.clean()?;
            store.repair(&mut lock)?;
        }
        Ok(store)
    }

    /// Opens a data directory that must exist, and writes nothing until something is changed.
    ///
    /// # Errors
    /// [`StoreError`] if there is no such directory.
    pub fn open_existing(directory: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let directory = Directory::open(directory.into(), false, BlacklistEntry::FILE)?;
        Ok(Self { directory, repaired: Mutex::default() })
    }

    /// The data directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The lists that have a file.
    pub(crate) fn present_lists(&self) -> Vec<ListName> {
        let names = FILES.into_iter().zip(ListName::ALL);
        names.filter(|(file, _)| self.directory.file(file).exists()).map(|(_, list)| list).collect()
    }

    /// The lists that are wanted, and those of them that can't be read.
    fn load_lists(&self, wanted: &[ListName]) -> (Loaded, Vec<ListFailure>) {
        let (mut loaded, mut failures) = (Loaded::default(), Vec::new());
        for list in ListName::ALL.into_iter().filter(|list| wanted.contains(list)) {
            match list {
                ListName::Whitelist => self.load_list::<WhitelistEntry>(&mut loaded, &mut failures),
                ListName::Blacklist => self.load_list::<BlacklistEntry>(&mut loaded, &mut failures),
                ListName::Keywords => self.load_list::<KeywordEntry>(&mut loaded, &mut failures),
                ListName::GeoBlockedCountries => self.load_list::<CountryEntry>(&mut loaded, &mut failures),
                ListName::PathExemptions => self.load_list::<PathExemptionEntry>(&mut loaded, &mut failures),
            }
        }
        // Of the blacklist, so it is told with that.
        let is_read = |list| wanted.contains(&list) && failures.iter().all(|failure| failure.list != list);
        if is_read(ListName::Blacklist) {
            loaded.problems.append(&mut self.repaired.lock());
        }
        (loaded, failures)
    }

    fn load_list<T: Row>(&self, loaded: &mut Loaded, failures: &mut Vec<ListFailure>) {
        let text = self.directory.read(T::FILE).map(Option::unwrap_or_default);
        let path = self.directory.file(T::FILE);
        match text.and_then(|text| Table::<T>::parse(text, &Wanted::Entries, &path)) {
            Ok(table) => {
                *T::list(&mut loaded.lists) = table.entries;
                loaded.problems.extend(table.problems.described);
                loaded.more_problems += table.problems.more;
            }
            Err(error) => failures.push(ListFailure { list: T::LIST, error }),
        }
    }

    /// Cuts off what a crash left of an append.
    fn repair(&self, lock: &mut Lock<'_>) -> Result<(), StoreError> {
        let Some((text, length)) = lock.repair()? else { return Ok(()) };
        let (kept, cut) = text.split_at_checked(length).unwrap_or_default();
        let first = cut.split(|byte| *byte == b'\n').next().unwrap_or_default();
        self.repaired.lock().push(RowProblem {
            file: BlacklistEntry::FILE,
            line: memchr::memchr_iter(b'\n', kept).count() as u64 + 1,
            text: shorten(&String::from_utf8_lossy(first.get(..400).unwrap_or(first))),
            what: "a crash cut short what was being added from here on, so it was removed".to_owned(),
        });
        Ok(())
    }

    /// The file of a list that `changes` are about, its entries put into `lists`, or those that are needed of them.
    fn check_out<T: Row>(
        &self,
        lock: &Lock<'_>,
        changes: &[Option<ListChange>],
        lists: &mut Lists,
    ) -> Result<Option<Table<T>>, StoreError> {
        let changes = || changes.iter().flatten();
        let own = || changes().filter(|change| change.list() == T::LIST);
        // The whitelist says which automatic bans count.
        let is_consulted = T::LIST == ListName::Whitelist && changes().any(is_automatic_ban);
        let is_of_whole_list = own().any(|change| T::key_of_change(change).is_none());
        let (additions, removals): (Vec<_>, Vec<_>) = own().partition(|change| is_addition(change));
        let removed: HashSet<_> = removals.into_iter().filter_map(T::key_of_change).collect();
        let mut named: HashSet<_> = additions.into_iter().filter_map(T::key_of_change).collect();
        // What is removed and added again goes behind all others.
        let wanted = if is_consulted || is_of_whole_list || !named.is_disjoint(&removed) {
            Wanted::Everything
        } else {
            named.extend(removed);
            Wanted::Named(named)
        };
        if matches!(&wanted, Wanted::Named(keys) if keys.is_empty()) {
            return Ok(None);
        }
        let text = lock.read(T::FILE)?.unwrap_or_default();
        let table = Table::parse(text, &wanted, &self.directory.file(T::FILE))?;
        T::list(lists).clone_from(&table.entries);
        Ok(Some(table))
    }
}

fn is_automatic_ban(change: &ListChange) -> bool {
    matches!(change, ListChange::AddBlacklist(entry) if entry.source.is_automatic())
}

/// The new text of a file whose list changed.
fn check_in<T: Row>(table: Option<Table<T>>, lists: &mut Lists) -> Option<(&'static str, Text)> {
    let table = table?;
    let entries = T::list(lists);
    let may_append = T::LIST == ListName::Blacklist;
    (table.entries != *entries).then(|| (T::FILE, table.render(entries, may_append)))
}

fn revision(state: &State<5>) -> Revision {
    let Ledger { generation, chain, stamp, pending: _ } = state.ledger;
    Revision::new([generation, chain].into_iter().chain(stamp).chain(state.files.into_iter().flatten()))
}

/// The state of which [`revision`] made this.
fn state(revision: &Revision) -> Option<State<5>> {
    let (&[generation, chain], stamps) = revision.numbers().split_first_chunk()?;
    let (&stamp, files) = stamps.split_first_chunk()?;
    let (files, _) = files.as_chunks();
    let files = files.try_into().ok()?;
    Some(State { ledger: Ledger { generation, chain, stamp, pending: 0 }, files })
}

impl Store for CsvStore {
    fn mode(&self) -> &'static str {
        "CSV"
    }

    fn location(&self) -> Option<(&'static str, String)> {
        Some(("Data Directory", self.path().display().to_string()))
    }

    fn load(&self) -> Result<Loaded, StoreError> {
        self.load_only(&ListName::ALL)
    }

    fn load_only(&self, wanted: &[ListName]) -> Result<Loaded, StoreError> {
        let (loaded, failures) = self.load_lists(wanted);
        failures.into_iter().next().map_or(Ok(loaded), |failure| Err(failure.error))
    }

    fn load_readable(&self) -> Result<(Loaded, Vec<ListFailure>), StoreError> {
        let (loaded, mut failures) = self.load_lists(&ListName::ALL);
        if failures.len() == FILES.len()
            && let Some(failure) = failures.pop()
        {
            return Err(failure.error);
        }
        Ok((loaded, failures))
    }

    fn apply(&self, changes: &[ListChange]) -> Result<Vec<bool>, StoreError> {
        self.apply_soon(changes, PATIENCE)
    }

    fn apply_soon(&self, changes: &[ListChange], patience: Duration) -> Result<Vec<bool>, StoreError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let changes: Vec<Option<ListChange>> = changes.iter().map(fit).collect();
        let mut lock = self.directory.lock(patience)?;
        self.repair(&mut lock)?;
        let mut lists = Lists::default();
        let whitelist = self.check_out::<WhitelistEntry>(&lock, &changes, &mut lists)?;
        let blacklist = self.check_out::<BlacklistEntry>(&lock, &changes, &mut lists)?;
        let keywords = self.check_out::<KeywordEntry>(&lock, &changes, &mut lists)?;
        let countries = self.check_out::<CountryEntry>(&lock, &changes, &mut lists)?;
        let paths = self.check_out::<PathExemptionEntry>(&lock, &changes, &mut lists)?;
        let altered = apply_fitting(&mut lists, &changes);
        let files: Vec<_> = [
            check_in(whitelist, &mut lists),
            check_in(blacklist, &mut lists),
            check_in(keywords, &mut lists),
            check_in(countries, &mut lists),
            check_in(paths, &mut lists),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !files.is_empty() {
            lock.write(files)?;
        }
        Ok(altered)
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        self.directory.state(FILES).map(|state| revision(&state))
    }

    fn additions_since(&self, then: &Revision) -> Result<Option<Additions>, StoreError> {
        let Some(then) = state(then) else { return Ok(None) };
        let now = self.directory.state(FILES)?;
        let [white_then, black_then, others_then @ ..] = then.files;
        let [white, black, others @ ..] = now.files;
        // Both times the file was as our last write left it, and in between we have only appended.
        let is_longer = black_then == then.ledger.stamp
            && black == now.ledger.stamp
            && now.ledger.chain == then.ledger.chain
            && (white, others) == (white_then, others_then);
        let [from, ..] = black_then;
        if !is_longer || black[0].checked_sub(from).is_none_or(|length| length > MAX_ADDITIONS) {
            return Ok(None);
        }
        let Some(Appended { head, rows }) = self.directory.read_appended(black, from)? else {
            return Ok(None);
        };
        let bans = Table::parse_rows(&head, &rows, &self.directory.file(BlacklistEntry::FILE))?;
        Ok(bans.map(|bans| Additions { bans, revision: revision(&now) }))
    }
}

/// The most that is read as additions, in bytes: some 100,000 bans.
const MAX_ADDITIONS: u64 = 10 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;

    use aiwaf_core::{Timestamp, parse_network};

    use super::*;

    fn ban(address: &str) -> ListChange {
        let network = parse_network(address).unwrap();
        ListChange::AddBlacklist(BlacklistEntry::manual(network, "scanner", Timestamp::UNIX_EPOCH))
    }

    fn networks(store: &CsvStore) -> Vec<String> {
        let lists = store.load().unwrap().lists;
        lists.blacklist.iter().map(|ban| aiwaf_core::display_network(&ban.network)).collect()
    }

    /// Leaves what a crash in the middle of an append leaves.
    fn cut_short(store: &CsvStore, rows: &str) {
        let mut lock = store.directory.lock(PATIENCE).unwrap();
        lock.announce(rows.len() as u64 + 50).unwrap();
        let path = store.directory.file(BlacklistEntry::FILE);
        OpenOptions::new().append(true).open(path).unwrap().write_all(rows.as_bytes()).unwrap();
    }

    #[test]
    fn half_an_append_is_never_seen_and_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let store = CsvStore::open(directory.path()).unwrap();
        store.apply(&[ban("10.0.0.1")]).unwrap();
        let path = directory.path().join("blacklist.csv");
        let sound = fs::read(&path).unwrap();
        let before = store.revision().unwrap();
        cut_short(&store, "10.0.0.2,x,,manual,,1,\n10.0.0.3,x,,man");
        assert_ne!(fs::read(&path).unwrap(), sound);
        assert_eq!(networks(&store), ["10.0.0.1"]);
        assert_eq!(store.revision().unwrap(), before);
        assert_eq!(store.additions_since(&before).unwrap().unwrap().bans, []);

        let opened = CsvStore::open(directory.path()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), sound);
        let problems = opened.load().unwrap().problems;
        assert_eq!(
            problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "blacklist.csv, line 3: a crash cut short what was being added from here on, so it was removed: \
              \"10.0.0.2,x,,manual,,1,\""
            ]
        );
        assert_eq!(opened.load().unwrap().problems, [], "said once");

        cut_short(&store, "10.0.0.4,x");
        store.apply(&[ban("10.0.0.5")]).unwrap();
        assert_eq!(networks(&store), ["10.0.0.1", "10.0.0.5"]);
        assert_eq!(opened.load().unwrap().problems, []);
    }

    #[test]
    fn what_a_person_adds_is_no_half_append() {
        let directory = tempfile::tempdir().unwrap();
        let store = CsvStore::open(directory.path()).unwrap();
        store.apply(&[ban("10.0.0.1")]).unwrap();
        let path = directory.path().join("blacklist.csv");
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"10.0.0.2,mine,,,,,").unwrap();
        assert_eq!(networks(&CsvStore::open(directory.path()).unwrap()), ["10.0.0.1", "10.0.0.2"]);
        store.apply(&[ban("10.0.0.3")]).unwrap();
        assert_eq!(networks(&store), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
        assert!(fs::read_to_string(path).unwrap().contains("\n10.0.0.2,mine,,,,,\n10.0.0.3,"));
    }
}
