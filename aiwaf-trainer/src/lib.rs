//! Learning from access logs.
//!
//! [`Sources`] finds logs and reads them as one, in the order of time: files and directories, rotated and compressed, in
//! whatever format each is.

mod progress;
mod sources;

pub use progress::{Progress, ProgressUpdate};
pub use sources::{
    FormatCount, LogLine, LogSource, ReadSummary, SourceError, SourceProblem, Sources, Unparsed,
    UnparsedSample,
};
