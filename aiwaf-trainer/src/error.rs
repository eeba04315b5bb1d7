//! Why nothing could be learned.

use aiwaf_core::BuildError;
use aiwaf_ml::{FitError, ModelError};

use crate::sources::SourceError;

/// Why nothing could be learned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// The logs can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The settings or routes make no sense.
    #[error(transparent)]
    Engine(#[from] BuildError),
    /// The model can't be fitted.
    #[error("the model can't be fitted: {0}")]
    Fit(#[from] FitError),
    /// The model can't be put together or written.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// An option is out of its range.
    #[error("{name} is {value}, and must be {allowed}")]
    Option {
        /// Its name.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// Not one line is a request.
    #[error(
        "none of the {lines} lines can be read: give the format as nginx' log_format has it (the first one is: {sample})"
    )]
    NothingRead {
        /// How many lines there are.
        lines: u64,
        /// The beginning of the first.
        sample: String,
    },
}
