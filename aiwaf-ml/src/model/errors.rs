//! What can be wrong with a model and its file.

use std::io;
use std::path::{Path, PathBuf};

/// Why a model can't be written or read. A model that was there before is untouched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The operating system refused.
    #[error("{action} the model {path:?} failed: {source}")]
    Io {
        /// What was tried: `reading`, `writing`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It is something else.
    #[error("this is no AIWAF model: name a file that `aiwaf train` wrote")]
    NotAModel,
    /// Another version of this program wrote it.
    #[error(
        "the model has version {found} of the format, and this program reads version {known}: train it again"
    )]
    Version {
        /// Its version.
        found: u32,
        /// The version that is read here.
        known: u32,
    },
    /// It is larger than any honest model.
    #[error("the model has {bytes} bytes or more, and at most {max} are read: train one with fewer trees")]
    TooLarge {
        /// How many bytes it has, or says that it has.
        bytes: u64,
        /// The most that are read.
        max: u64,
    },
    /// The end is missing.
    #[error("the model is cut off: it has {found} bytes of {expected}; copy it again or train it again")]
    Truncated {
        /// How many bytes there are.
        found: u64,
        /// How many there should be, as far as that is known.
        expected: u64,
    },
    /// A byte has changed since it was written.
    #[error(
        "the model is damaged: its checksum is {found:08x} instead of {expected:08x}; copy it again or train it again"
    )]
    Checksum {
        /// What the file says.
        expected: u32,
        /// What the bytes of the file give.
        found: u32,
    },
    /// The checksum is right and the content makes no sense: no version of this program wrote it.
    #[error("the model makes no sense: {what}; train it again")]
    Invalid {
        /// What is wrong.
        what: String,
    },
    /// The number of names is not that of the columns.
    #[error("{names} feature names don't fit a forest of {columns} columns: give one name for each")]
    FeatureCount {
        /// How many names there are.
        names: usize,
        /// How many columns the forest has.
        columns: usize,
    },
    /// It was trained on other features than those that are scored.
    #[error(
        "the model was trained on the features {}, and this program scores {}: train it again",
        found.join(", "), expected.join(", ")
    )]
    Features {
        /// What is scored.
        expected: Vec<String>,
        /// What the model was trained on.
        found: Vec<String>,
    },
    /// Forests of the backend `extended-isolation-forest` hide their trees.
    #[error(
        "a forest of the crate extended-isolation-forest can't be stored: fit one with IsolationForest::fit"
    )]
    NotStorable,
}

impl ModelError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid { what: what.into() }
    }
}
