//! What goes wrong when logs are read.

use std::io;
use std::path::PathBuf;

use serde::Serialize;

/// Why no log could be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Nothing was given.
    #[error("there is no log to read: name a file or a directory with logs")]
    Nothing,
    /// A path that was named can't be read.
    #[error("can't read {}: {error}", .path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A directory without logs.
    #[error("no logs in {}: name the files, or a directory with files such as access.log or access.log.1.gz", .path.display())]
    NoLogs {
        /// The directory.
        path: PathBuf,
    },
}

/// What is wrong with one of several files; the others are read all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceProblem {
    /// The file or stream.
    pub source: String,
    /// What is wrong, in a few words.
    pub what: String,
}
