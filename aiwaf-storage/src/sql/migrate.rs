//! Bringing a database to the schema of this version.

use diesel::QueryResult;
use diesel::connection::SimpleConnection;

/// A connection to a database whose schema has a number.
pub(super) trait Schema: SimpleConnection {
    /// What makes each schema from the one before, from nothing to the newest; each also sets the number.
    const SCRIPTS: &'static [&'static str];

    /// The number of the schema; 0 if there is none yet.
    fn version(&mut self) -> QueryResult<i64>;
}

/// Why a database can't be used.
pub(super) enum MigrationError {
    /// It has a schema of a newer version of this program.
    Newer {
        /// Its number.
        found: i64,
        /// The newest that is known here.
        known: usize,
    },
    /// The database refused.
    Query(diesel::result::Error),
}

impl From<diesel::result::Error> for MigrationError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Query(error)
    }
}

/// The scripts that the database lacks.
pub(super) fn missing<C: Schema>(connection: &mut C) -> Result<&'static [&'static str], MigrationError> {
    let found = connection.version()?;
    let missing = usize::try_from(found).ok().and_then(|found| C::SCRIPTS.get(found..));
    missing.ok_or(MigrationError::Newer { found, known: C::SCRIPTS.len() })
}

/// Runs the missing scripts; in a transaction that keeps everybody else from doing so.
pub(super) fn migrate<C: Schema>(connection: &mut C) -> Result<(), MigrationError> {
    for script in missing(connection)? {
        connection.batch_execute(script)?;
    }
    Ok(())
}
