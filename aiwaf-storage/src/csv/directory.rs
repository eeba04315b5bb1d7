//! The data directory: who may write when, and how a file is replaced so that nobody ever sees half of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tempfile::NamedTempFile;

use crate::error::StoreError;
use crate::store::Revision;

/// The largest file that is read, in bytes: about four million bans.
const MAX_FILE: u64 = 512 * 1024 * 1024;
const LOCK_FILE: &str = ".lock";
const TEMPORARY_PREFIX: &str = ".aiwaf-";
const TEMPORARY_SUFFIX: &str = ".tmp";

/// A directory whose files are replaced as a whole, by one process at a time.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// Threads of this process queue here, so that they need not poll for the file lock.
    turn: Mutex<()>,
    patience: Duration,
}

/// The right to replace files, until dropped.
pub(super) struct Lock<'a> {
    directory: &'a Directory,
    file: File,
    _turn: parking_lot::MutexGuard<'a, ()>,
}

impl Directory {
    /// A directory that exists, or is created.
    pub(super) fn open(path: PathBuf, create: bool, patience: Duration) -> Result<Self, StoreError> {
        if create {
            fs::create_dir_all(&path).map_err(StoreError::io("creating the data directory", &path))?;
        }
        let directory = Self { path, turn: Mutex::new(()), patience };
        directory.check()?;
        Ok(directory)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Fails if the directory is gone, for then a missing file is no empty list.
    fn check(&self) -> Result<(), StoreError> {
        let action = "opening the data directory";
        let found = fs::metadata(&self.path).map_err(StoreError::io(action, &self.path))?;
        if found.is_dir() {
            return Ok(());
        }
        Err(StoreError::io(action, &self.path)(io::ErrorKind::NotADirectory.into()))
    }

    /// The content of a file; `None` if it does not exist.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.file(name);
        let failed = |error| StoreError::io("reading", &path)(error);
        let found = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.check().map(|()| None),
            found => found.map_err(failed)?,
        };
        if found.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        if !found.is_file() {
            // Reading a pipe could wait for ever.
            return Err(failed(io::Error::other("it is no regular file")));
        }
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.check().map(|()| None),
            file => file.map_err(failed)?,
        };
        let mut text = Vec::new();
        let bytes = file.take(MAX_FILE + 1).read_to_end(&mut text).map_err(failed)? as u64;
        if bytes > MAX_FILE {
            return Err(StoreError::TooLarge { path, bytes: found.len().max(bytes), max: MAX_FILE });
        }
        Ok(Some(text))
    }

    /// Waits for the right to write.
    pub(super) fn lock(&self) -> Result<Lock<'_>, StoreError> {
        let path = self.file(LOCK_FILE);
        let since = Instant::now();
        let too_long = || StoreError::Locked { path: path.clone(), waited: self.patience };
        let turn = self.turn.try_lock_for(self.patience).ok_or_else(too_long)?;
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(StoreError::io("opening", &path))?;
        adopt(&file, &self.path).map_err(StoreError::io("opening", &path))?;
        let mut pause = Duration::from_millis(1);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { directory: self, file, _turn: turn }),
                Err(fs::TryLockError::Error(error)) => return Err(StoreError::io("locking", &path)(error)),
                // A lock that is waited for without a limit would hang a service with the process that holds it.
                Err(fs::TryLockError::WouldBlock) if since.elapsed() >= self.patience => {
                    return Err(too_long());
                }
                Err(fs::TryLockError::WouldBlock) => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(8));
                }
            }
        }
    }

    /// Size, time and identity of the files, and how often we wrote: two writes within one tick of the clock that
    /// happen to get the same size and identity are told apart by that.
    pub(super) fn revision(&self, names: &[&str]) -> Result<Revision, StoreError> {
        self.check()?;
        let mut numbers = Vec::new();
        let lock = self.file(LOCK_FILE);
        match File::open(&lock) {
            Ok(file) => numbers.push(generation(file).map_err(StoreError::io("reading", &lock))?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::io("reading", &lock)(error)),
        }
        for name in names {
            let path = self.file(name);
            match fs::metadata(&path) {
                Ok(found) => numbers.extend(stamp(&found)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => numbers.push(0),
                Err(error) => return Err(StoreError::io("examining", &path)(error)),
            }
        }
        Ok(Revision::new(numbers))
    }

    /// The files that a crash left behind. They do no harm but take room.
    pub(super) fn leftovers(&self) -> Result<Vec<PathBuf>, StoreError> {
        let failed = || StoreError::io("listing", &self.path);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(TEMPORARY_PREFIX) && name.ends_with(TEMPORARY_SUFFIX) {
                found.push(entry.path());
            }
        }
        Ok(found)
    }
}

impl Lock<'_> {
    /// Replaces files. All of them are on the disk before the first one takes its name, so a full disk changes none;
    /// each is either the old one or the new one, whoever looks and whenever the power fails.
    pub(super) fn replace(&mut self, files: &[(&str, Vec<u8>)]) -> Result<(), StoreError> {
        let directory = self.directory.path();
        let mut written = Vec::with_capacity(files.len());
        for (name, text) in files {
            let path = self.directory.file(name);
            written.push((
                write_temporary(directory, &path, text).map_err(StoreError::io("writing", &path))?,
                path,
            ));
        }
        for (temporary, path) in written {
            let persisted = temporary.persist(&path).map_err(|error| error.error);
            persisted.map_err(StoreError::io("replacing", &path))?;
        }
        sync_directory(directory).map_err(StoreError::io("writing", directory))?;
        self.count().map_err(StoreError::io("writing", &self.directory.file(LOCK_FILE)))
    }

    /// Removes what a crash left behind. No writer is at work, for this has the lock.
    pub(super) fn clean(&mut self) -> Result<(), StoreError> {
        for path in self.directory.leftovers()? {
            std::fs::remove_file(&path).map_err(StoreError::io("removing the leftover", &path))?;
        }
        Ok(())
    }

    /// Counts a write, in the lock file.
    fn count(&mut self) -> io::Result<()> {
        self.file.rewind()?;
        let next = generation(&self.file)?.wrapping_add(1);
        self.file.rewind()?;
        write!(self.file, "{next:020}")
    }
}

fn generation(file: impl Read) -> io::Result<u64> {
    let mut digits = Vec::new();
    file.take(20).read_to_end(&mut digits)?;
    Ok(std::str::from_utf8(&digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0))
}

fn write_temporary(directory: &Path, path: &Path, text: &[u8]) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY_PREFIX).suffix(TEMPORARY_SUFFIX);
    let found = fs::metadata(path);
    #[cfg(unix)]
    if found.is_err() {
        use std::os::unix::fs::PermissionsExt;
        // Addresses and requests of people: not for every user of the machine.
        builder.permissions(fs::Permissions::from_mode(0o640));
    }
    let mut temporary = builder.tempfile_in(directory)?;
    match found {
        Ok(found) => {
            adopt(temporary.as_file(), path)?;
            temporary.as_file().set_permissions(found.permissions())?;
        }
        Err(_) => adopt(temporary.as_file(), directory)?,
    }
    temporary.write_all(text)?;
    temporary.as_file().sync_all()?;
    Ok(temporary)
}

/// Gives a file the owner that `like` has, so that what an administrator writes as root stays readable for the service.
///
/// Only root may give files away; for everybody else the file stays theirs, as with any editor.
#[cfg(unix)]
fn adopt(file: &File, like: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let (now, like) = (file.metadata()?, fs::metadata(like)?);
    if (now.uid(), now.gid()) == (like.uid(), like.gid()) {
        return Ok(());
    }
    match fchown(file, Some(like.uid()), Some(like.gid())) {
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn adopt(_: &File, _: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn stamp(found: &fs::Metadata) -> [u64; 4] {
    use std::os::unix::fs::MetadataExt;
    let nanos =
        |seconds: i64, nanos: i64| seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos).cast_unsigned();
    [
        found.len(),
        found.ino(),
        nanos(found.mtime(), found.mtime_nsec()),
        nanos(found.ctime(), found.ctime_nsec()),
    ]
}

#[cfg(not(unix))]
fn stamp(found: &fs::Metadata) -> [u64; 2] {
    let changed = found.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    [found.len(), changed.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))]
}
