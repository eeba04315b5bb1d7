//! What can go wrong with a home of the lists.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a store could not do what it was asked to. What was stored before is intact.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused.
    #[error("{action} {path:?} failed: {source}; {}", remedy(.source))]
    Io {
        /// What was tried: `reading`, `writing` ...
        action: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The first line of a file does not name the column without which its rows mean nothing.
    #[error(
        "line 1 of {path:?} is {found:?}, which names no column `{column}`: \
         make it `{expected}`, or move the file away to start with an empty list"
    )]
    Header {
        /// The file.
        path: PathBuf,
        /// Its first line, shortened.
        found: String,
        /// The missing column.
        column: &'static str,
        /// A first line that is right.
        expected: String,
    },
    /// A file is larger than any honest list.
    #[error("{path:?} has {bytes} bytes, more than the {max} that are read: remove rows from it")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The largest size that is read.
        max: u64,
    },
    /// Another process kept the lists locked for too long.
    #[error(
        "{path:?} has been locked for {waited:?} by another process: end that process if it hangs, then try again"
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The database refused, or can't be reached.
    #[error("{action} {place} failed: {message}; {remedy}")]
    Database {
        /// What was tried: `reading`, `writing` ...
        action: &'static str,
        /// Which database, without user and password.
        place: String,
        /// What the database said.
        message: String,
        /// How to mend it.
        remedy: &'static str,
    },
    /// A newer version of this program made the tables.
    #[error(
        "{place} has lists of schema {found}, and this version knows only those up to {known}: \
         update this program, or choose another database"
    )]
    NewerSchema {
        /// Which database, without user and password.
        place: String,
        /// The number of its schema.
        found: i64,
        /// The newest that is known here.
        known: usize,
    },
    /// The text names a kind of storage that this build lacks.
    #[error(
        "this build has no storage of the kind `{scheme}`: build it with the feature `{feature}` of aiwaf-storage, or give another"
    )]
    NotCompiledIn {
        /// What stands before the colon.
        scheme: &'static str,
        /// The feature that it needs.
        feature: &'static str,
    },
    /// The text names a kind of storage, but not where it is.
    #[error("{0}")]
    IncompleteUrl(&'static str),
    /// The text does not say where the lists live.
    #[error("{scheme:?} is no kind of storage: give {allowed}")]
    UnknownUrl {
        /// What stands before the colon, shortened; the rest may hold a password.
        scheme: String,
        /// What is allowed.
        allowed: &'static str,
    },
}

impl StoreError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

/// How to mend what the operating system complains of.
fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "let the user that runs this read and write it",
        io::ErrorKind::ReadOnlyFilesystem => "choose a data directory that can be written",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room on the disk, then try again",
        io::ErrorKind::FileTooLarge => "raise the limit on the size of files (`ulimit -f`), then try again",
        io::ErrorKind::NotFound => "create it, or check the spelling of the data directory",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "a file is where a directory should be: choose another data directory"
        }
        io::ErrorKind::IsADirectory => "a directory is where a file should be: move it away",
        _ => "check the disk and the data directory",
    }
}

/// The start of a text from outside, for a message: at most 80 characters.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}
