//! Where the lists live, as one text.

use std::sync::Arc;

use crate::csv::CsvStore;
use crate::error::{StoreError, shorten};
use crate::memory::MemoryStore;
use crate::store::Store;

/// Opens the store that `url` names.
///
/// | text | store |
/// |---|---|
/// | `memory:` | in memory |
/// | `csv:aiwaf_data` | CSV files in a data directory, which is created if it is missing |
/// | `sqlite:aiwaf.db`, `sqlite:/srv/aiwaf.db` | an SQLite file, which is created if it is missing (feature `sqlite`) |
/// | `postgres://user:password@host/database` | a PostgreSQL database (feature `postgres`) |
///
/// # Errors
/// [`StoreError::UnknownUrl`] and [`StoreError::IncompleteUrl`] for other texts, which are not repeated in full, for they
/// may hold a password;
/// [`StoreError::NotCompiledIn`] if a feature is missing; else what opening gives.
///
/// ```
/// assert_eq!(aiwaf_storage::open("memory:")?.mode(), "Memory");
/// assert!(aiwaf_storage::open("redis://localhost").is_err());
/// # Ok::<(), aiwaf_storage::StoreError>(())
/// ```
pub fn open(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    match Place::of(url)? {
        Place::Memory => Ok(Arc::new(MemoryStore::default())),
        Place::Directory(directory) => Ok(Arc::new(CsvStore::open(directory)?)),
        Place::File(file) => open_sqlite(file),
        Place::Server => open_postgres(url),
    }
}

/// Checks that `url` says where lists live. Nothing is opened or created, and whether this build has that kind of storage
/// is not asked.
///
/// # Errors
/// [`StoreError::UnknownUrl`] and [`StoreError::IncompleteUrl`], as [`open`].
///
/// ```
/// assert!(aiwaf_storage::check_url("sqlite:aiwaf.db").is_ok());
/// assert!(aiwaf_storage::check_url("sqlte:aiwaf.db").is_err());
/// ```
pub fn check_url(url: &str) -> Result<(), StoreError> {
    Place::of(url).map(drop)
}

/// Where a URL leads.
enum Place<'a> {
    Memory,
    Directory(&'a str),
    File(&'a str),
    Server,
}

impl<'a> Place<'a> {
    fn of(url: &'a str) -> Result<Self, StoreError> {
        let incomplete = |what| Err(StoreError::IncompleteUrl(what));
        match url.split_once(':') {
            Some(("memory", "" | "//")) => Ok(Self::Memory),
            Some(("memory", _)) => incomplete("`memory:` takes nothing behind the colon: give it alone"),
            Some(("csv", "")) => incomplete("`csv:` names no directory: give one, such as `csv:aiwaf_data`"),
            Some(("csv", directory)) => Ok(Self::Directory(directory)),
            Some(("sqlite", file)) => match file.strip_prefix("//").unwrap_or(file) {
                "" => incomplete("`sqlite:` names no file: give one, such as `sqlite:aiwaf.db`"),
                // What elsewhere means a database in memory would here be a file of that name.
                ":memory:" => incomplete("`sqlite::memory:` is no file: give `memory:` for lists in memory"),
                file => Ok(Self::File(file)),
            },
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => Ok(Self::Server),
            Some(("postgres" | "postgresql", _)) => incomplete(
                "`postgres:` names no server: give two slashes and where it is, such as \
                 `postgres://user:password@host/database`",
            ),
            parts => {
                let scheme = shorten(parts.map_or(url, |(scheme, _)| scheme));
                Err(StoreError::UnknownUrl { scheme, allowed: ALLOWED })
            }
        }
    }
}

const ALLOWED: &str = "`memory:`, `csv:` and a data directory, such as `csv:aiwaf_data`, \
    `sqlite:` and a file, such as `sqlite:aiwaf.db`, or `postgres://user:password@host/database`";

#[cfg(feature = "sqlite")]
fn open_sqlite(file: &str) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(crate::sql::SqliteStore::open(file)?))
}

#[cfg(not(feature = "sqlite"))]
fn open_sqlite(_: &str) -> Result<Arc<dyn Store>, StoreError> {
    Err(StoreError::NotCompiledIn { scheme: "sqlite", feature: "sqlite" })
}

#[cfg(feature = "postgres")]
fn open_postgres(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(crate::sql::PostgresStore::open(url)?))
}

#[cfg(not(feature = "postgres"))]
fn open_postgres(_: &str) -> Result<Arc<dyn Store>, StoreError> {
    Err(StoreError::NotCompiledIn { scheme: "postgres", feature: "postgres" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(url: &str) -> String {
        open(url).map(|store| store.mode()).unwrap_err().to_string()
    }

    #[test]
    fn says_what_is_allowed_and_no_password() {
        for url in ["", "aiwaf_data", "mysql://user:secret@host/db"] {
            let error = error(url);
            assert!(error.contains("`csv:aiwaf_data`") && !error.contains("secret"), "{error}");
        }
        for (url, mend) in [
            ("csv:", "names no directory: give one, such as `csv:aiwaf_data`"),
            ("memory:x", "`memory:` takes nothing behind the colon"),
            ("sqlite:", "names no file: give one, such as `sqlite:aiwaf.db`"),
            ("sqlite://", "names no file"),
            ("sqlite::memory:", "give `memory:` for lists in memory"),
            ("postgres:user:secret@host", "give two slashes and where it is"),
        ] {
            let error = error(url);
            assert!(error.contains(mend) && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn checking_agrees_with_opening_and_creates_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lists").display().to_string();
        for url in [
            "memory:".to_owned(),
            format!("csv:{path}"),
            format!("sqlite:{path}"),
            "postgresql://h/d".to_owned(),
        ] {
            assert!(check_url(&url).is_ok(), "{url}");
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        for url in ["", "csv:", "sqlite::memory:", "postgres:x", "redis://x"] {
            assert_eq!(check_url(url).unwrap_err().to_string(), error(url));
        }
    }

    #[cfg(not(feature = "sqlite"))]
    #[test]
    fn says_which_feature_is_missing() {
        assert!(error("sqlite:aiwaf.db").contains("feature `sqlite`"));
    }

    #[cfg(not(feature = "postgres"))]
    #[test]
    fn says_which_feature_is_missing_without_the_password() {
        let error = error("postgres://user:secret@host/db");
        assert!(error.contains("feature `postgres`") && !error.contains("secret"), "{error}");
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn opens_a_file_however_its_name_looks() {
        let directory = tempfile::tempdir().unwrap();
        for (name, slashes) in [("a b?mode=memory#%41.db", ""), ("\u{e4}:memory:", "//")] {
            let path = directory.path().join(name);
            let store = open(&format!("sqlite:{slashes}{}", path.display())).unwrap();
            assert_eq!(store.location(), Some(("Database", path.display().to_string())));
            assert!(std::fs::metadata(path).unwrap().len() > 0);
        }
    }

    #[test]
    fn opens_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a:b");
        let store = open(&format!("csv:{}", path.display())).unwrap();
        assert_eq!(store.location(), Some(("Data Directory", path.display().to_string())));
    }
}
