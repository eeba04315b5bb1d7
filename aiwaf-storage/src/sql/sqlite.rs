//! Lists in an SQLite file.

use std::fs::{Metadata, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fmt, io};

use aiwaf_core::{ListChange, ListName};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use parking_lot::Mutex;

use super::lists::{self, Applied};
use super::migrate::{self, MigrationError, Schema};
use super::tables::{aiwaf_meta, impl_tables};
use crate::error::StoreError;
use crate::store::{Loaded, Revision, Store};

/// Lists in one SQLite file, shared by processes of one machine.
///
/// Its tables (`aiwaf_blacklist` and so on, beside which other tables may stand) can be edited with any tool. A change
/// reads and writes only the rows that it names, under a lock that keeps other writers out, and is on the disk when
/// it is done; readers need not wait. The file is in WAL mode, so `-wal` and `-shm` files stand beside it, and it can't be
/// shared over a network; where many machines share lists, take PostgreSQL.
///
/// To put a backup in its place, end all processes that have it open first, or use `.restore` of SQLite's shell: the
/// `-wal` file belongs to the old file, and would be applied to the new one. A file that was replaced together with these
/// is opened anew; one that was deleted is an error, not an empty list. SQLite is compiled in.
///
/// ```
/// use aiwaf_core::{BlacklistEntry, ListChange, Timestamp, parse_network};
/// use aiwaf_storage::{SqliteStore, Store};
///
/// let directory = tempfile::tempdir()?;
/// let store = SqliteStore::open(directory.path().join("aiwaf.db"))?;
/// let ban = BlacklistEntry::manual(parse_network("203.0.113.9")?, "scanner", Timestamp::UNIX_EPOCH);
/// assert_eq!(store.apply(&[ListChange::AddBlacklist(ban)])?, [true]);
/// assert_eq!(store.load()?.lists.blacklist[0].reason, "scanner");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    /// The same, whatever the working directory becomes.
    absolute: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    session: Option<Session>,
    /// How many sessions there were.
    sessions: u64,
}

/// An open file.
struct Session {
    connection: SqliteConnection,
    /// How many sessions there were before.
    number: u64,
    /// Which file it is, even if another has its name by now.
    file: FileIdentity,
    /// How many changes were made here, for SQLite tells only of those of others.
    changes: u64,
}

/// How long another process may keep the file locked before a call fails.
const PATIENCE: Duration = Duration::from_secs(30);

impl SqliteStore {
    /// Opens a file; creates it and the tables that it lacks, but no directory.
    ///
    /// # Errors
    /// [`StoreError`] if that fails, if the file is no SQLite database, or if a newer version of this program made its
    /// tables.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        match new_file().open(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(StoreError::io("creating", &path)(error))
            }
            _ => Self::open_existing(path),
        }
    }

    /// Opens a file that must exist; creates the tables that it lacks.
    ///
    /// # Errors
    /// [`StoreError`] if there is no such file, and as [`SqliteStore::open`].
    pub fn open_existing(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        let absolute = std::path::absolute(&path).map_err(StoreError::io("opening", &path))?;
        let store = Self { path, absolute, state: Mutex::default() };
        store.with("opening", |_| Ok(()))?;
        Ok(store)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `run` in the session, which is opened anew if there is none, if it failed, or if the file was replaced.
    fn with<T>(
        &self,
        action: &'static str,
        run: impl FnOnce(&mut Session) -> QueryResult<T>,
    ) -> Result<T, StoreError> {
        let mut state = self.state.lock();
        let file = std::fs::metadata(&self.absolute).and_then(|file| {
            if file.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(FileIdentity::new(&file)) }
        });
        let file = file.map_err(StoreError::io(action, &self.path))?;
        // A file that was replaced is closed first, for its journal goes by the same name as that of the new one.
        let session = state.session.take().filter(|session| session.file == file);
        let mut session = if let Some(session) = session {
            session
        } else {
            state.sessions += 1;
            self.connect(file, state.sessions)?
        };
        let result = run(&mut session).map_err(|error| self.error(action, &error))?;
        state.session = Some(session);
        Ok(result)
    }

    fn connect(&self, file: FileIdentity, number: u64) -> Result<Session, StoreError> {
        let failed = |error| self.error("opening", &error);
        let connection = SqliteConnection::establish(&file_uri(&self.absolute));
        let mut connection = connection.map_err(|error| self.refused("opening", error.to_string()))?;
        connection.batch_execute(SETTINGS).map_err(failed)?;
        self.use_wal(&mut connection)?;
        let migrated = match migrate::missing(&mut connection) {
            Ok([]) => Ok(()),
            // Looked for again where nobody else does the same.
            Ok(_) => connection.exclusive_transaction(migrate::migrate),
            Err(error) => Err(error),
        };
        migrated.map_err(|error| match error {
            MigrationError::Newer { found, known } => {
                StoreError::NewerSchema { place: self.path.display().to_string(), found, known }
            }
            MigrationError::Query(error) => failed(error),
        })?;
        Ok(Session { connection, number, file, changes: 0 })
    }

    /// Lets readers and the writer work at the same time. Where that can't be, they wait for each other.
    fn use_wal(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let start = Instant::now();
        loop {
            let mode = diesel::sql_query("PRAGMA journal_mode").get_result::<JournalMode>(connection);
            let changed = match mode {
                Ok(mode) if mode.journal_mode == "wal" => return Ok(()),
                Ok(_) => connection.batch_execute("PRAGMA journal_mode = WAL"),
                Err(error) => Err(error),
            };
            // SQLite does not wait by itself for processes that do the same at this moment.
            match changed {
                Ok(()) => return Ok(()),
                Err(error) if is_locked(&error) && start.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err(self.error("opening", &error)),
            }
        }
    }

    fn error(&self, action: &'static str, error: &diesel::result::Error) -> StoreError {
        // That it failed to undo what failed tells nobody anything.
        let error = match error {
            diesel::result::Error::RollbackErrorOnCommit { commit_error, .. } => commit_error,
            error => error,
        };
        if is_locked(error) {
            return StoreError::Locked { path: self.path.clone(), waited: PATIENCE };
        }
        self.refused(action, error.to_string())
    }

    fn refused(&self, action: &'static str, message: String) -> StoreError {
        let has = |part: &str| message.contains(part);
        let remedy = if has("disk is full") {
            "make room on the disk, then try again"
        } else if has("readonly") {
            "let the user that runs this write the file and its directory"
        } else if has("not a database") {
            "give another file, or move this one away to start with empty lists"
        } else if has("malformed") {
            "restore it from a backup, or save what can be read with `sqlite3 FILE .recover`"
        } else if has("unable to open") {
            "let the user that runs this read and write the file and its directory"
        } else if has("no such table") || has("no such column") {
            "something else changed the tables: restore them from a backup"
        } else {
            "check the disk and the file"
        };
        StoreError::Database { action, place: self.path.display().to_string(), message, remedy }
    }
}

impl Store for SqliteStore {
    fn mode(&self) -> &'static str {
        "SQLite"
    }

    fn location(&self) -> Option<(&'static str, String)> {
        Some(("Database", self.path.display().to_string()))
    }

    fn load(&self) -> Result<Loaded, StoreError> {
        self.load_only(&ListName::ALL)
    }

    fn load_only(&self, wanted: &[ListName]) -> Result<Loaded, StoreError> {
        self.with("reading", |session| {
            session.connection.transaction(|connection| lists::load(connection, wanted))
        })
    }

    fn apply(&self, changes: &[ListChange]) -> Result<Vec<bool>, StoreError> {
        self.apply_soon(changes, PATIENCE)
    }

    fn apply_soon(&self, changes: &[ListChange], patience: Duration) -> Result<Vec<bool>, StoreError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let is_bulk = changes.len() > BULK;
        let altered = self.with("writing", |session| {
            if is_bulk {
                session.connection.batch_execute(LARGE_CACHE)?;
            }
            let is_short = patience < PATIENCE;
            if is_short {
                session.connection.batch_execute(SHORT_WAIT)?;
            }
            let since = Instant::now();
            let result = loop {
                let mut cause = None;
                let result = session.connection.immediate_transaction(|connection| {
                    lists::apply(connection, changes).map_err(|error| {
                        cause = Some(error);
                        diesel::result::Error::RollbackTransaction
                    })
                });
                // On a full disk SQLite rolls back by itself, and that nothing was left to roll back tells nobody anything.
                let result = result.map_err(|error| cause.unwrap_or(error));
                match result {
                    Err(error) if is_locked(&error) && since.elapsed() < patience => {}
                    // The session is as good as it was.
                    Err(error) if is_locked(&error) => break None,
                    result => break Some(result?),
                }
            };
            if is_short {
                session.connection.batch_execute(LONG_WAIT)?;
            }
            if is_bulk {
                session.connection.batch_execute(SMALL_CACHE)?;
            }
            let Some(Applied { altered, wrote }) = result else { return Ok(None) };
            session.changes += u64::from(wrote);
            Ok(Some(altered))
        })?;
        altered.ok_or_else(|| StoreError::Locked { path: self.path.clone(), waited: patience })
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        self.with("reading", |session| {
            let of_others = diesel::sql_query("PRAGMA data_version").get_result(&mut session.connection);
            let DataVersion { data_version } = of_others?;
            Ok(Revision::new([session.number, data_version.unsigned_abs(), session.changes]))
        })
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("changes", &self.changes).finish_non_exhaustive()
    }
}

/// Calls wait for [`PATIENCE`].
const LONG_WAIT: &str = "PRAGMA busy_timeout = 30000";
/// For those with less patience, who try again.
const SHORT_WAIT: &str = "PRAGMA busy_timeout = 20";
/// As above, calls wait for [`PATIENCE`], what is stored when a change is done survives a power cut, and what others put into
/// the schema can't run functions here.
const SETTINGS: &str = "PRAGMA busy_timeout = 30000; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;";

/// From so many changes on, pages would be written and read again and again if they were not kept for the while: a
/// failure in between ends the session, and the large cache with it.
const BULK: usize = 10_000;
const LARGE_CACHE: &str = "PRAGMA cache_size = -131072";
const SMALL_CACHE: &str = "PRAGMA cache_size = -2000; PRAGMA shrink_memory";

#[derive(QueryableByName)]
struct DataVersion {
    #[diesel(sql_type = BigInt)]
    data_version: i64,
}

#[derive(QueryableByName)]
struct JournalMode {
    #[diesel(sql_type = Text)]
    journal_mode: String,
}

#[derive(QueryableByName)]
struct Tally {
    #[diesel(sql_type = BigInt)]
    tally: i64,
}

impl Schema for SqliteConnection {
    const SCRIPTS: &'static [&'static str] = &[include_str!("schema/sqlite_1.sql")];

    fn version(&mut self) -> QueryResult<i64> {
        let exists =
            "SELECT count(*) AS tally FROM sqlite_master WHERE type = 'table' AND name = 'aiwaf_meta'";
        let Tally { tally } = diesel::sql_query(exists).get_result(self)?;
        if tally == 0 { Ok(0) } else { aiwaf_meta::table.select(aiwaf_meta::schema_version).first(self) }
    }
}

/// Rows for one statement each. For several, diesel opens a transaction within ours, and if that fails because SQLite has
/// given up both, as on a full disk, it tells of that instead of the cause; it would insert them one by one as well.
fn one_by_one<T>(rows: &[T]) -> impl Iterator<Item = &T> {
    rows.iter()
}

impl_tables!(SqliteConnection, diesel::connection::DefaultLoadingMode, one_by_one);

fn is_locked(error: &diesel::result::Error) -> bool {
    matches!(error, diesel::result::Error::DatabaseError(_, info) if info.message().contains("locked"))
}

/// A new file is not for everybody, as the files of CSV lists are not.
fn new_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
    options
}

/// The file as SQLite is told of it, so that no character has a special meaning and none is created.
fn file_uri(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            uri.push('%');
            uri.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0')));
        }
    }
    uri + "?mode=rw"
}

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileIdentity(#[cfg(unix)] (u64, u64), #[cfg(not(unix))] Option<std::time::SystemTime>);

impl FileIdentity {
    #[cfg(unix)]
    fn new(file: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self((file.dev(), file.ino()))
    }

    #[cfg(not(unix))]
    fn new(file: &Metadata) -> Self {
        Self(file.created().ok())
    }
}

#[cfg(test)]
mod tests {
    use aiwaf_core::{BlacklistEntry, Timestamp, parse_network};

    use super::*;

    fn bans(numbers: std::ops::Range<u32>) -> Vec<ListChange> {
        let network = |number: u32| std::net::Ipv4Addr::from(0x0A00_0000 + number).to_string();
        let ban = |number| {
            BlacklistEntry::manual(parse_network(&network(number)).unwrap(), "x", Timestamp::UNIX_EPOCH)
        };
        numbers.map(|number| ListChange::AddBlacklist(ban(number))).collect()
    }

    #[test]
    fn a_full_disk_is_a_clear_error_and_leaves_the_old_lists() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("aiwaf.db");
        let store = SqliteStore::open(&path).unwrap();
        store.apply(&bans(0..100)).unwrap();
        let before = store.load().unwrap();
        // No smaller than the file is; what is more than that is what SQLite itself says of a full disk.
        store
            .with("limiting", |session| session.connection.batch_execute("PRAGMA max_page_count = 1"))
            .unwrap();
        let error = store.apply(&bans(50..5000)).unwrap_err().to_string();
        assert!(error.contains("disk is full; make room on the disk"), "{error}");
        assert_eq!(store.load().unwrap(), before);
        // The session that failed was given up, and the limit with it.
        store.apply(&bans(100..5000)).unwrap();
        assert_eq!(store.load().unwrap().lists.blacklist.len(), 5000);
    }
}
