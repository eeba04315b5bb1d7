//! Lists in a PostgreSQL database.

mod url;

use std::fmt;
use std::time::{Duration, Instant};

use aiwaf_core::{ListChange, ListName};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use parking_lot::Mutex;

use super::lists;
use super::migrate::{self, MigrationError, Schema};
use super::tables::{ROWS_AT_ONCE, aiwaf_meta, impl_tables};
use crate::error::StoreError;
use crate::store::{Loaded, Revision, Store};

/// Lists in a PostgreSQL database, shared by any number of machines.
///
/// Its tables (`aiwaf_blacklist` and so on, in the first schema of the search path) can be edited with any tool. A
/// change reads and writes only the rows that it names, in a transaction that lets no other writer in; readers need not
/// wait.
///
/// **Changes of others** are told by the server (`LISTEN aiwaf_lists`), so asking for the [`Store::revision`] costs no
/// round trip as long as nothing changed; but at least every 400 ms one row is read all the same, for a proxy in between
/// may swallow what the server tells. A [`ListKeeper`](crate::ListKeeper) looks 40 times a second whether something was
/// told ([`Store::was_told`]), which is one system call, and reads the lists at once.
///
/// **A connection that broke** is made anew by the next call; a call fails if that fails. Options that libpq knows can
/// stand in the URL (`?sslmode=verify-full`); unless it says otherwise, a server that does not answer is given up after 5
/// seconds, and a broken connection after 15 to 25.
///
/// ```no_run
/// use aiwaf_storage::{PostgresStore, Store};
///
/// let store = PostgresStore::open("postgres://aiwaf:password@db.example/aiwaf?sslmode=verify-full")?;
/// println!("{} bans in {:?}", store.load()?.lists.blacklist.len(), store.location());
/// # Ok::<(), aiwaf_storage::StoreError>(())
/// ```
pub struct PostgresStore {
    /// With the password.
    url: String,
    place: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<PgConnection>,
    /// How many connections there were.
    connections: u64,
    /// The revision that was read last, and when; `None` if it has changed since.
    seen: Option<(Instant, i64)>,
    /// The server told of a change since the revision was asked for.
    was_told: bool,
}

impl State {
    /// Takes note of what the server told, without asking it.
    fn listen(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        // Bounded, for others may tell faster than this reads; the rest is still there the next time.
        for told in connection.notifications_iter().take(1000) {
            self.seen = None;
            self.was_told = true;
            if told.is_err() {
                // The connection broke, which reading finds as well; it would be told again for ever.
                break;
            }
        }
    }
}

/// How long another session may keep the lists locked before a change fails; the same in [`SETTINGS`].
const PATIENCE: Duration = Duration::from_secs(30);

/// How long what was read counts as long as the server tells of no change.
const POLL: Duration = Duration::from_millis(400);

impl PostgresStore {
    /// Connects, and creates the tables that the database lacks; the database must exist.
    ///
    /// # Errors
    /// [`StoreError`] if that fails, or if a newer version of this program made the tables.
    pub fn open(url: &str) -> Result<Self, StoreError> {
        let store = Self { url: url.to_owned(), place: url::place(url), state: Mutex::default() };
        store.read_revision("opening", &mut store.state.lock())?;
        Ok(store)
    }

    /// Runs `run` on a connection that works.
    fn with<T>(
        &self,
        action: &'static str,
        run: impl FnOnce(&mut PgConnection) -> QueryResult<T>,
    ) -> Result<T, StoreError> {
        let mut state = self.state.lock();
        self.read_revision(action, &mut state)?;
        let connection = state.connection.take();
        let mut connection = connection.ok_or_else(|| self.refused(action, "the connection is gone"))?;
        let result = run(&mut connection).map_err(|error| self.refused(action, &error.to_string()))?;
        state.connection = Some(connection);
        Ok(result)
    }

    /// The revision of the database, read on a connection that is made anew if there is none or if it broke.
    fn read_revision(&self, action: &'static str, state: &mut State) -> Result<i64, StoreError> {
        state.seen = None;
        if let Some(mut connection) = state.connection.take()
            && let Ok(revision) = revision(&mut connection)
        {
            state.connection = Some(connection);
            return Ok(revision);
        }
        state.connections += 1;
        let mut connection = self.connect()?;
        let revision = revision(&mut connection);
        let revision = revision.map_err(|error| self.refused(action, &error.to_string()))?;
        state.connection = Some(connection);
        Ok(revision)
    }

    fn connect(&self) -> Result<PgConnection, StoreError> {
        let connection = PgConnection::establish(&url::with_defaults(&self.url));
        let mut connection = connection.map_err(|error| self.refused("opening", &error.to_string()))?;
        let migrated = match migrate::missing(&mut connection) {
            Ok([]) => Ok(()),
            // Looked for again where nobody else does the same.
            Ok(_) => connection.build_transaction().read_committed().run(|connection| {
                connection.batch_execute(MIGRATION_LOCK)?;
                migrate::migrate(connection)
            }),
            Err(error) => Err(error),
        };
        let ready = migrated.and_then(|()| Ok(connection.batch_execute(SETTINGS)?));
        ready.map_err(|error| match error {
            MigrationError::Newer { found, known } => {
                StoreError::NewerSchema { place: self.place.clone(), found, known }
            }
            MigrationError::Query(error) => self.refused("opening", &error.to_string()),
        })?;
        Ok(connection)
    }

    fn refused(&self, action: &'static str, message: &str) -> StoreError {
        let has = |part: &str| message.contains(part);
        let remedy = if has("authentication") || has("no password supplied") || has("role \"") {
            "check the user and the password in the URL"
        } else if has("could not translate host name") {
            "check the host in the URL; write special characters of user and password as %40 and so on"
        } else if has("invalid") && !has("transaction") {
            "check the URL; write special characters of user and password as %40 and so on"
        } else if has("database") && has("does not exist") {
            "create the database, or check its name in the URL"
        } else if has("does not exist") {
            "something else changed the tables: restore them from a backup"
        } else if has("permission denied") {
            "let the user create tables in the schema, and read and write them"
        } else if has("read-only transaction") {
            "give the URL of the server that can be written"
        } else if has("lock timeout") {
            "another session keeps the lists locked: end it if it hangs, then try again"
        } else if has("SSL") {
            "check `sslmode` in the URL"
        } else if has("No space left") {
            "make room on the server's disk, then try again"
        } else {
            "start the server, check host and port in the URL, or look into the server's log"
        };
        let message = url::without_password(message, &self.url).replace(char::is_control, " ");
        // The library writes paragraphs.
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        StoreError::Database { action, place: self.place.clone(), message, remedy }
    }
}

impl Store for PostgresStore {
    fn mode(&self) -> &'static str {
        "PostgreSQL"
    }

    fn location(&self) -> Option<(&'static str, String)> {
        Some(("Database", self.place.clone()))
    }

    fn load(&self) -> Result<Loaded, StoreError> {
        self.load_only(&ListName::ALL)
    }

    fn load_only(&self, wanted: &[ListName]) -> Result<Loaded, StoreError> {
        self.with("reading", |connection| {
            let mut transaction = connection.build_transaction().repeatable_read().read_only();
            transaction.run(|connection| lists::load(connection, wanted))
        })
    }

    fn apply(&self, changes: &[ListChange]) -> Result<Vec<bool>, StoreError> {
        self.apply_soon(changes, PATIENCE)
    }

    fn apply_soon(&self, changes: &[ListChange], patience: Duration) -> Result<Vec<bool>, StoreError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let altered = self.with("writing", |connection| {
            let mut altered = Vec::new();
            let result = connection.build_transaction().read_committed().run(|connection| {
                if patience < PATIENCE {
                    let milliseconds = patience.as_millis().max(1).to_string();
                    let set = diesel::sql_query("SELECT set_config('lock_timeout', $1, true)");
                    set.bind::<Text, _>(milliseconds).execute(connection)?;
                }
                // Writers wait here for each other, and what follows sees what the one before left.
                aiwaf_meta::table.select(aiwaf_meta::id).for_update().load::<i32>(connection)?;
                let applied = lists::apply(connection, changes)?;
                altered = applied.altered;
                // The triggers count every statement, even one that deletes nothing.
                if applied.wrote { Ok(()) } else { Err(diesel::result::Error::RollbackTransaction) }
            });
            match result {
                Ok(()) | Err(diesel::result::Error::RollbackTransaction) => Ok(Some(altered)),
                // The connection is as good as it was.
                Err(error) if is_locked(&error) => Ok(None),
                Err(error) => Err(error),
            }
        })?;
        altered.ok_or_else(|| StoreError::Locked { path: self.place.clone().into(), waited: patience })
    }

    fn was_told(&self) -> Option<bool> {
        // Whoever has it at the moment will read the revision anew.
        let Some(mut state) = self.state.try_lock() else { return Some(false) };
        state.listen();
        Some(state.was_told)
    }

    fn revision(&self) -> Result<Revision, StoreError> {
        let state = &mut *self.state.lock();
        state.listen();
        state.was_told = false;
        let seen = state.seen.filter(|(when, _)| when.elapsed() < POLL);
        let revision = if let Some((_, revision)) = seen {
            revision
        } else {
            let now = Instant::now();
            let revision = self.read_revision("reading", state)?;
            state.seen = Some((now, revision));
            revision
        };
        Ok(Revision::new([state.connections, revision.unsigned_abs()]))
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Any number will do that other programs are unlikely to take; it ends with the transaction.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(4707162091125)";

/// A session that hangs in a transaction must not stop the others for ever.
const SETTINGS: &str = "SET lock_timeout = '30s'; LISTEN aiwaf_lists";

fn is_locked(error: &diesel::result::Error) -> bool {
    matches!(error, diesel::result::Error::DatabaseError(_, info) if info.message().contains("lock timeout"))
}

fn revision(connection: &mut PgConnection) -> QueryResult<i64> {
    aiwaf_revision::table.select(aiwaf_revision::revision).first(connection)
}

diesel::table! {
    /// The row that counts changes, beside the number of the schema.
    #[sql_name = "aiwaf_meta"]
    aiwaf_revision (id) {
        id -> Integer,
        revision -> BigInt,
    }
}

#[derive(QueryableByName)]
struct Tally {
    #[diesel(sql_type = BigInt)]
    tally: i64,
}

impl Schema for PgConnection {
    const SCRIPTS: &'static [&'static str] = &[include_str!("../schema/postgres_1.sql")];

    fn version(&mut self) -> QueryResult<i64> {
        let exists = "SELECT count(*) AS tally FROM pg_class WHERE oid = to_regclass('aiwaf_meta')";
        let Tally { tally } = diesel::sql_query(exists).get_result(self)?;
        if tally == 0 { Ok(0) } else { aiwaf_meta::table.select(aiwaf_meta::schema_version).first(self) }
    }
}

/// Rows for one statement each time.
fn in_batches<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    rows.chunks(ROWS_AT_ONCE)
}

impl_tables!(PgConnection, diesel::pg::PgRowByRowLoadingMode, in_batches);
