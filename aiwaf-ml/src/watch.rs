//! A model file that comes, changes and goes while a service runs.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::model::{ModelError, TrainedModel, read_file};
use crate::request_model::RequestModel;

/// Looks at the file of a model again and again.
///
/// A look that finds nothing new costs one question to the file system. What is new is read whole, at most 128 MiB.
///
/// ```
/// use aiwaf_ml::ModelWatch;
///
/// let mut watch = ModelWatch::new("/nowhere/model.aiwaf");
/// assert!(watch.look().is_none(), "there was no file, and there is none");
/// ```
#[derive(Debug)]
pub struct ModelWatch {
    path: PathBuf,
    /// What the last look found.
    seen: Seen,
    /// Whether the last look but those that found something wrong found a model, and which.
    loaded: Option<Content>,
}

/// What has changed.
#[derive(Debug)]
pub enum ModelChange {
    /// There is another model.
    Loaded(RequestModel),
    /// There is none any more.
    Gone,
    /// What is there is no model for requests. One that was loaded before is still good.
    Unusable(ModelError),
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Missing,
    Unreadable(io::ErrorKind),
    File(Stamp),
}

/// What tells one model from another: the length, the checksum of all but the last four bytes, and these. The checksum of
/// the whole would be the same for all models, because they end with their own.
type Content = (usize, u32, [u8; 4]);

fn content(bytes: &[u8]) -> Content {
    let (front, last) = bytes.split_last_chunk().map_or((bytes, [0; 4]), |(front, last)| (front, *last));
    (bytes.len(), crc32fast::hash(front), last)
}

impl ModelWatch {
    /// Watches a file, which need not be there yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), seen: Seen::Missing, loaded: None }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What has changed since the last look; nothing if the file looks as it did then. A file that is not there is no
    /// change at the first look.
    pub fn look(&mut self) -> Option<ModelChange> {
        let (seen, found) = self.read();
        if seen == self.seen {
            return None;
        }
        self.seen = seen;
        match found {
            None => self.loaded.take().map(|_| ModelChange::Gone),
            Some(Err(error)) => Some(ModelChange::Unusable(error)),
            Some(Ok(bytes)) => {
                let content = content(&bytes);
                if self.loaded == Some(content) {
                    return None;
                }
                match TrainedModel::from_bytes(&bytes).and_then(RequestModel::new) {
                    Ok(model) => {
                        self.loaded = Some(content);
                        Some(ModelChange::Loaded(model))
                    }
                    Err(error) => Some(ModelChange::Unusable(error)),
                }
            }
        }
    }

    /// As [`look`](Self::look), but reads the file even if it looks as before: not every file system tells of changes.
    pub fn look_closely(&mut self) -> Option<ModelChange> {
        if self.seen != Seen::Missing {
            self.seen = Seen::Unreadable(io::ErrorKind::Other);
        }
        self.look()
    }

    /// What is there, and what it holds unless it looks as before.
    fn read(&self) -> (Seen, Option<Result<Vec<u8>, ModelError>>) {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => (Seen::Missing, None),
            kind => (Seen::Unreadable(kind), Some(Err(ModelError::io("reading", &self.path)(error)))),
        };
        match std::fs::metadata(&self.path) {
            Ok(found) if self.seen == Seen::File(stamp(&found)) => return (Seen::File(stamp(&found)), None),
            // Opening a pipe would wait for somebody who writes into it.
            Ok(found) if !found.is_file() => {
                return failed(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
            }
            Ok(_) => {}
            Err(error) => return failed(error),
        }
        let read = || {
            let file = File::open(&self.path)?;
            // Of what is read, not of what has meanwhile taken its name.
            let stamp = stamp(&file.metadata()?);
            Ok((stamp, read_file(file)?))
        };
        match read() {
            Ok((stamp, bytes)) => (Seen::File(stamp), Some(Ok(bytes))),
            Err(error) => failed(error),
        }
    }
}

#[cfg(unix)]
type Stamp = [i64; 6];

#[cfg(unix)]
fn stamp(found: &Metadata) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    let (size, inode) = (found.size().cast_signed(), found.ino().cast_signed());
    [size, inode, found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()]
}

#[cfg(not(unix))]
type Stamp = (u64, Option<std::time::SystemTime>);

#[cfg(not(unix))]
fn stamp(found: &Metadata) -> Stamp {
    (found.len(), found.modified().ok())
}
