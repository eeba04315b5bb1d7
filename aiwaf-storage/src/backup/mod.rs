//! Lists on their way between stores, machines and programs: backups, threat feeds, rules for servers and firewalls.

mod import;
mod ipset;
mod json_read;
mod json_write;
mod nginx;
mod plain;
mod remaining;
mod validate;

use std::io::{self, Read, Write};
use std::path::Path;

use aiwaf_core::{
    BlacklistEntry, KeywordEntry, ListName, Lists, PathExemptionEntry, Timestamp, WhitelistEntry,
    display_network,
};

pub use self::import::{Difference, ImportMode, ImportOptions, ImportReport, Sample};
pub use self::ipset::export_ipset;
pub use self::json_write::export_json;
pub use self::nginx::export_nginx_deny;
pub use self::plain::{ExportedList, PlainList, export_plain_list};

use self::validate::Draft;
use crate::csv::CsvStore;
use crate::error::StoreError;
use crate::manager::Manager;
use crate::store::{RowProblem, Store};

/// Lists that were read from outside, checked, and not stored yet.
///
/// Everything is read and checked before anything can be stored: addresses, networks, countries, keywords and paths by
/// the rules of [`Manager`], texts and times by those of [`crate::fit`]. What is not valid is listed with its place in
/// [`Backup::invalid`]; [`Manager::import`] refuses all of it then, unless told to leave that out.
///
/// A backup speaks of certain lists only ([`Backup::holds`]); an import leaves the others alone.
///
/// ```
/// use std::sync::Arc;
/// use aiwaf_core::Timestamp;
/// use aiwaf_storage::{Backup, ImportMode, ImportOptions, Manager, MemoryStore};
///
/// let manager = Manager::new(Arc::new(MemoryStore::default()));
/// let backup = Backup::from_json(r#"{
///     "whitelist": ["192.168.1.0/24"],
///     "blacklist": {"203.0.113.10": {"timestamp": "2025-09-14T09:15:30", "reason": "SQL injection"}},
///     "keywords": ["union select"],
///     "exported_at": "2025-09-14T14:30:00", "storage_mode": "CSV"
/// }"#.as_bytes())?;
///
/// let report = manager.import(&backup, ImportOptions { dry_run: true, ..ImportOptions::default() })?;
/// assert_eq!(report.differences[1].added.examples, ["203.0.113.10"]);
/// assert!(manager.list_keywords()?.is_empty(), "it was a dry run");
///
/// manager.import(&backup, ImportOptions { mode: ImportMode::Replace, ..ImportOptions::default() })?;
/// let mut copy = Vec::new();
/// manager.export_json(&mut copy, Timestamp::UNIX_EPOCH)?;
/// assert_eq!(Backup::from_json(&*copy)?.lists(), &manager.load()?.lists);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Backup {
    lists: Lists,
    holds: Vec<ListName>,
    invalid: Vec<Invalid>,
    more_invalid: usize,
}

/// Something that can't be put onto a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {what}", .place, .line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct Invalid {
    /// The list, and the key in it if another value than the key is wrong: `whitelist`, `blacklist["10.0.0.1"]`; for a
    /// directory, the file.
    pub place: String,
    /// The line, counted from 1, where it is known.
    pub line: Option<u64>,
    /// What is wrong with which value.
    pub what: String,
}

/// Why nothing was imported or exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// What came in could not be read.
    #[error("reading the lists to import failed: {0}")]
    Read(#[source] io::Error),
    /// What goes out could not be written.
    #[error("writing the exported lists failed: {0}")]
    Write(#[source] io::Error),
    /// More than any honest backup has.
    #[error("the lists to import have more than the {0} bytes that are read: split them")]
    TooLarge(u64),
    /// No JSON, or not of the shape of a backup.
    #[error("this is no backup: {0}")]
    Json(#[source] serde_json::Error),
    /// No list in it.
    #[error(
        "this is no backup: it has none of `whitelist`, `blacklist`, `keywords`, `geo_blocked_countries` and \
         `path_exemptions`"
    )]
    NoLists,
    /// A backup of a later version of this program, which may mean what this one can't know.
    #[error("this backup has format {found}, and only up to {known} is understood: update this program")]
    Newer {
        /// The backup's format.
        found: u64,
        /// The latest format that this program knows.
        known: u64,
    },
    /// Values that can't be put onto a list.
    #[error(
        "nothing is imported, because {} values are not valid; the first: {}",
        .invalid.len() + .more,
        .invalid.first().map(ToString::to_string).unwrap_or_default()
    )]
    Invalid {
        /// The first of them, at most [`Backup::MAX_INVALID`].
        invalid: Vec<Invalid>,
        /// How many more there are.
        more: usize,
    },
    /// A name that no set can have.
    #[error("{0:?} is no name for a set: give 1 to 28 letters, digits, `-` and `_`")]
    SetName(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Backup {
    /// The largest input that is read, in bytes: about two million bans.
    pub const MAX_BYTES: u64 = 512 * 1024 * 1024;
    /// How many invalid values are described.
    pub const MAX_INVALID: usize = 100;

    /// Reads a backup in JSON, of the original or of [`export_json`]. Costs memory of a few times its size.
    ///
    /// Unknown fields are ignored. Bans without a `source` count as imported: no automatic ban replaces them, and they
    /// last until they are removed. An empty `timestamp`, or `unknown`, is one that is not known.
    ///
    /// # Errors
    /// [`BackupError`] if it can't be read, is too large or no backup; JSON errors name line and column.
    pub fn from_json(source: impl Read) -> Result<Self, BackupError> {
        json_read::read(&read_bounded(source)?)
    }

    /// Reads the CSV files of a data directory, of the original (either layout) or of [`CsvStore`]; writes nothing.
    ///
    /// A missing file says nothing about its list. Rows that can't be understood in full are invalid here.
    ///
    /// # Errors
    /// [`BackupError::Store`] if the directory or a file can't be read.
    pub fn from_directory(directory: impl AsRef<Path>) -> Result<Self, BackupError> {
        let store = CsvStore::open_existing(directory.as_ref())?;
        let holds = store.present_lists();
        if holds.is_empty() {
            let path = directory.as_ref().join("blacklist.csv");
            return Err(StoreError::io("reading", &path)(io::ErrorKind::NotFound.into()).into());
        }
        let loaded = store.load()?;
        let mut draft = Draft::default();
        for RowProblem { file, line, text, what } in loaded.problems {
            draft.refuse(file, Some(line), format!("{what}: {text:?}"));
        }
        for entry in loaded.lists.whitelist {
            if let Some(network) = draft.network("whitelist.csv", None, &display_network(&entry.network)) {
                draft.put_whitelist(WhitelistEntry { network, ..entry });
            }
        }
        for entry in loaded.lists.blacklist {
            if let Some(network) = draft.network("blacklist.csv", None, &display_network(&entry.network)) {
                draft.put_blacklist(BlacklistEntry { network, ..entry });
            }
        }
        for entry in loaded.lists.keywords {
            if let Some(keyword) = draft.keyword("keywords.csv", None, &entry.keyword) {
                draft.put_keyword(KeywordEntry { keyword, ..entry });
            }
        }
        loaded.lists.geo_blocked_countries.into_iter().for_each(|entry| draft.put_country(entry));
        for entry in loaded.lists.path_exemptions {
            if let Some(path) = draft.path("path_exemptions.csv", None, &entry.path) {
                draft.put_path(PathExemptionEntry { path, ..entry });
            }
        }
        let mut backup = draft.finish(holds);
        backup.more_invalid += loaded.more_problems;
        Ok(backup)
    }

    /// Reads a plain list: one address or network a line, as threat feeds publish them.
    ///
    /// `#` and `;` begin comments, also behind an address; blank lines and `\r\n` are fine. What is listed twice counts
    /// once. Ranges (`a-b`) are invalid.
    ///
    /// # Errors
    /// [`BackupError`] if it can't be read or is too large.
    ///
    /// ```
    /// use aiwaf_core::Timestamp;
    /// use aiwaf_storage::{Backup, PlainList};
    ///
    /// let feed = "# drop list\n203.0.113.0/24 ; SBL1\n\n2001:db8::/32\nbanana\n";
    /// let backup = Backup::from_plain_list(feed.as_bytes(), &PlainList::blacklist("feed", Timestamp::UNIX_EPOCH))?;
    /// assert_eq!(backup.lists().blacklist[0].reason, "feed: SBL1");
    /// assert!(backup.invalid()[0].to_string().starts_with("blacklist, line 5: \"banana\" is no IP address"));
    /// # Ok::<(), aiwaf_storage::BackupError>(())
    /// ```
    pub fn from_plain_list(source: impl Read, list: &PlainList) -> Result<Self, BackupError> {
        Ok(plain::read(&read_bounded(source)?, list))
    }

    /// What is valid, as it will be stored.
    pub fn lists(&self) -> &Lists {
        &self.lists
    }

    /// The lists that it speaks of.
    pub fn holds(&self) -> &[ListName] {
        &self.holds
    }

    /// What is not valid; at most [`Backup::MAX_INVALID`] of it.
    pub fn invalid(&self) -> &[Invalid] {
        &self.invalid
    }

    /// How much more is not valid.
    pub fn more_invalid(&self) -> usize {
        self.more_invalid
    }
}

impl Manager {
    /// Writes all lists as JSON, bans that ended as well. See [`export_json`].
    ///
    /// # Errors
    /// [`BackupError`] if they can't be read or written.
    pub fn export_json(&self, out: impl Write, time: Timestamp) -> Result<(), BackupError> {
        let lists = self.load()?.lists;
        export_json(&lists, self.store().mode(), time, out)
    }
}

fn read_bounded(source: impl Read) -> Result<Vec<u8>, BackupError> {
    let mut text = Vec::new();
    source.take(Backup::MAX_BYTES + 1).read_to_end(&mut text).map_err(BackupError::Read)?;
    if text.len() as u64 > Backup::MAX_BYTES {
        Err(BackupError::TooLarge(Backup::MAX_BYTES))
    } else {
        Ok(text)
    }
}

/// The text without what could end a line or turn its direction, and not longer than a comment should be.
fn comment(text: &str) -> String {
    let is_confusing = |character: char| {
        character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let plain = text.chars().map(|character| if is_confusing(character) { ' ' } else { character });
    plain.take(crate::fit::MAX_REASON).collect::<String>().trim().to_owned()
}
