//! Lists in CSV files, which people read and edit, and which several processes share.

mod cell;
mod directory;
mod record;
mod row;
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use aiwaf_core::{
    BlacklistEntry, CountryEntry, KeywordEntry, ListChange, ListName, Lists, PathExemptionEntry,
    WhitelistEntry,
};

use self::directory::Directory;
use self::row::Row;
use self::table::{Table, header_line};
use crate::error::StoreError;
use crate::memory::apply_fitting;
use crate::store::{Loaded, Revision, Store};

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
///
/// A change costs time in proportion to the length of the list, as the file is written anew; batches are cheap.
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
    let mut lock = directory.lock()?;
    let missing: Vec<_> = [
        (WhitelistEntry::FILE, header_line::<WhitelistEntry>()),
        (BlacklistEntry::FILE, header_line::<BlacklistEntry>()),
        (KeywordEntry::FILE, header_line::<KeywordEntry>()),
        (CountryEntry::FILE, header_line::<CountryEntry>()),
        (PathExemptionEntry::FILE, header_line::<PathExemptionEntry>()),
    ]
    .into_iter()
    .filter(|(name, _)| is_missing(name))
    .collect();
    lock.replace(&missing)
}

impl CsvStore {
    /// Opens a data directory; creates it and the files that it lacks.
    ///
    /// # Errors
    /// [`StoreError`] if there are no lists and none can be created. A directory that has lists may be read-only.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let directory = Directory::open(directory.into(), true, PATIENCE)?;
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
        if !directory.leftovers()?.is_empty()
            && let Ok(mut lock) = directory.lock()
        {
            lock.clean()?;
        }
        Ok(Self { directory })
    }

    /// Opens a data directory that must exist, and writes nothing until something is changed.
    ///
    /// # Errors
    /// [`StoreError`] if there is no such directory.
    pub fn open_existing(directory: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Ok(Self { directory: Directory::open(directory.into(), false, PATIENCE)? })
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

    fn read<T: Row>(&self) -> Result<Table<T>, StoreError> {
        let text = self.directory.read(T::FILE)?.unwrap_or_default();
        Table::parse(text, &self.directory.file(T::FILE))
    }

    fn load_list<T: Row>(&self, loaded: &mut Loaded) -> Result<(), StoreError> {
        let table = self.read::<T>()?;
        *T::list(&mut loaded.lists) = table.entries;
        loaded.problems.extend(table.problems);
        loaded.more_problems += table.more_problems;
        Ok(())
    }

    /// The file of a list that is needed, its entries put into `lists`.
    fn check_out<T: Row>(
        &self,
        needed: &[ListName],
        lists: &mut Lists,
    ) -> Result<Option<Table<T>>, StoreError> {
        if !needed.contains(&T::LIST) {
            return Ok(None);
        }
        let table = self.read::<T>()?;
        T::list(lists).clone_from(&table.entries);
        Ok(Some(table))
    }
}

/// The new text of a file whose list changed.
fn check_in<T: Row>(table: Option<Table<T>>, lists: &mut Lists) -> Option<(&'static str, Vec<u8>)> {
    let table = table?;
    let entries = T::list(lists);
    (table.entries != *entries).then(|| (T::FILE, table.render(entries)))
}

impl Store for CsvStore {
    fn mode(&self) -> &'static str {
        "CSV"
    }

    fn location(&self) -> Option<(&'static str, String)> {
        Some(("Data Directory", self.path().display().to_string()))
    }

    fn load(&self) -> Result<Loaded, StoreError> {
        let mut loaded = Loaded::default();
        self.load_list::<WhitelistEntry>(&mut loaded)?;
        self.load_list::<BlacklistEntry>(&mut loaded)?;
        self.load_list::<KeywordEntry>(&mut loaded)?;
        self.load_list::<CountryEntry>(&mut loaded)?;
        self.load_list::<PathExemptionEntry>(&mut loaded)?;
        Ok(loaded)
    }

    fn apply(&self, changes: &[ListChange]) -> Result<Vec<bool>, StoreError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let mut needed: Vec<ListName> = changes.iter().map(ListChange::list).collect();
        if needed.contains(&ListName::Blacklist) {
            // It says which automatic bans count.
            needed.push(ListName::Whitelist);
        }
        let mut lock = self.directory.lock()?;
        let mut lists = Lists::default();
        let whitelist = self.check_out::<WhitelistEntry>(&needed, &mut lists)?;
        let blacklist = self.check_out::<BlacklistEntry>(&needed, &mut lists)?;
        let keywords = self.check_out::<KeywordEntry>(&needed, &mut lists)?;
        let countries = self.check_out::<CountryEntry>(&needed, &mut lists)?;
        let paths = self.check_out::<PathExemptionEntry>(&needed, &mut lists)?;
        let altered = apply_fitting(&mut lists, changes);
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
            lock.replace(&files)?;
        }
        Ok(altered)
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        self.directory.revision(&FILES)
    }
}
