//! The data directory: who may write when, and how a file is replaced so that nobody ever sees half of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tempfile::NamedTempFile;

use super::ledger::{Ledger, Stamp, stamp};
use crate::error::StoreError;

/// The largest file that is read, in bytes: about four million bans.
const MAX_FILE: u64 = 512 * 1024 * 1024;
/// The longest first line, in bytes, under which appended rows are read by themselves.
const MAX_HEAD: u64 = 64 * 1024;
const LOCK_FILE: &str = ".lock";
/// How often files and ledger are looked at until they belong together; a writer needs far longer for one write.
const LOOKS: usize = 20;
const TEMPORARY_PREFIX: &str = ".aiwaf-";
const TEMPORARY_SUFFIX: &str = ".tmp";

/// A directory whose files are replaced as a whole, by one process at a time; one of them is also appended to.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// The file that is appended to, which the [`Ledger`] tells of.
    appended: &'static str,
    /// Threads of this process queue here, so that they need not poll for the file lock.
    turn: Mutex<()>,
}

/// The right to replace files, until dropped.
pub(super) struct Lock<'a> {
    directory: &'a Directory,
    file: File,
    ledger: Ledger,
    _turn: parking_lot::MutexGuard<'a, ()>,
}

impl Directory {
    /// A directory that exists, or is created.
    pub(super) fn open(path: PathBuf, create: bool, appended: &'static str) -> Result<Self, StoreError> {
        if create {
            fs::create_dir_all(&path).map_err(StoreError::io("creating the data directory", &path))?;
        }
        let directory = Self { path, appended, turn: Mutex::new(()) };
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

    /// The content of a file; `None` if it does not exist. What is being appended to it is not seen before it is done.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(mut file) = self.open_file(name)? else { return Ok(None) };
        let failed = |error| StoreError::io("reading", &self.file(name))(error);
        let mut length = u64::MAX;
        if name == self.appended {
            // An append that began after the ledger was read shows in the size, and its end in the ledger.
            let mut ledger = self.ledger()?;
            for _ in 0..LOOKS {
                let found = stamp(&file.metadata().map_err(failed)?);
                [length, ..] = ledger.settled(found);
                let again = self.ledger()?;
                if again == ledger {
                    break;
                }
                ledger = again;
            }
        }
        self.read_part(&mut file, name, 0, length).map(Some)
    }

    /// The start of the file that is appended to, and what it has from `from` up to the size in `found`; `None` if it
    /// is another file by now.
    pub(super) fn read_appended(&self, found: Stamp, from: u64) -> Result<Option<Appended>, StoreError> {
        let name = self.appended;
        let Some(mut file) = self.open_file(name)? else { return Ok(None) };
        let [_, now, ..] = stamp(&file.metadata().map_err(StoreError::io("reading", &self.file(name)))?);
        let [length, then, ..] = found;
        if now != then {
            return Ok(None);
        }
        let head = self.read_part(&mut file, name, 0, from.min(MAX_HEAD))?;
        let rows = self.read_part(&mut file, name, from, length.saturating_sub(from))?;
        Ok(Some(Appended { head, rows }))
    }

    fn read_part(&self, file: &mut File, name: &str, from: u64, length: u64) -> Result<Vec<u8>, StoreError> {
        let path = self.file(name);
        let failed = |error| StoreError::io("reading", &path)(error);
        let found = file.metadata().map_err(failed)?.len();
        let expected = found.saturating_sub(from).min(length);
        // Growing step by step would take up to twice the room.
        let mut text = Vec::with_capacity(usize::try_from(expected.min(MAX_FILE)).unwrap_or(0));
        file.seek(SeekFrom::Start(from)).map_err(failed)?;
        let bytes = file.take(length.min(MAX_FILE + 1)).read_to_end(&mut text).map_err(failed)? as u64;
        if bytes > MAX_FILE {
            return Err(StoreError::TooLarge { path, bytes: found.max(bytes), max: MAX_FILE });
        }
        Ok(text)
    }

    /// A file that can be read; `None` if it does not exist.
    fn open_file(&self, name: &str) -> Result<Option<File>, StoreError> {
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
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.check().map(|()| None),
            file => file.map_err(failed).map(Some),
        }
    }

    /// Waits for the right to write.
    pub(super) fn lock(&self, patience: Duration) -> Result<Lock<'_>, StoreError> {
        let path = self.file(LOCK_FILE);
        let since = Instant::now();
        let too_long = || StoreError::Locked { path: path.clone(), waited: patience };
        let turn = self.turn.try_lock_for(patience).ok_or_else(too_long)?;
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(StoreError::io("opening", &path))?;
        adopt(&file, &self.path).map_err(StoreError::io("opening", &path))?;
        let mut pause = Duration::from_millis(1);
        loop {
            match file.try_lock() {
                Ok(()) => {
                    let ledger = Ledger::parse(&beginning(&file).map_err(StoreError::io("reading", &path))?);
                    return Ok(Lock { directory: self, file, ledger, _turn: turn });
                }
                Err(fs::TryLockError::Error(error)) => return Err(StoreError::io("locking", &path)(error)),
                // A lock that is waited for without a limit would hang a service with the process that holds it.
                Err(fs::TryLockError::WouldBlock) if since.elapsed() >= patience => {
                    return Err(too_long());
                }
                Err(fs::TryLockError::WouldBlock) => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(8));
                }
            }
        }
    }

    /// What the last writer wrote down; empty if there was none.
    fn ledger(&self) -> Result<Ledger, StoreError> {
        let path = self.file(LOCK_FILE);
        match File::open(&path).and_then(|file| beginning(&file)) {
            Ok(text) => Ok(Ledger::parse(&text)),
            // Where nobody can lock, nobody appends.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => {
                Ok(Ledger::default())
            }
            Err(error) => Err(StoreError::io("reading", &path)(error)),
        }
    }

    /// Whether a crash cut an append short, or one is being made.
    pub(super) fn has_half_an_append(&self) -> Result<bool, StoreError> {
        Ok(self.ledger()?.pending != 0)
    }

    /// How the files look, and what was written down of our last write: two writes within one tick of the clock that
    /// happen to get the same size and identity are told apart by that.
    pub(super) fn state<const N: usize>(&self, names: [&str; N]) -> Result<State<N>, StoreError> {
        self.check()?;
        let mut ledger = self.ledger()?;
        let mut files = [[0; 4]; N];
        for _ in 0..LOOKS {
            for (name, file) in names.iter().zip(&mut files) {
                let path = self.file(name);
                *file = match fs::metadata(&path) {
                    Ok(found) if *name == self.appended => ledger.settled(stamp(&found)),
                    Ok(found) => stamp(&found),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => [0; 4],
                    Err(error) => return Err(StoreError::io("examining", &path)(error)),
                };
            }
            let again = self.ledger()?;
            if again == ledger {
                break;
            }
            ledger = again;
        }
        Ok(State { ledger, files })
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

/// What was appended to a file.
pub(super) struct Appended {
    /// The start of the file, with its first line.
    pub(super) head: Vec<u8>,
    pub(super) rows: Vec<u8>,
}

/// How the directory looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State<const N: usize> {
    pub(super) ledger: Ledger,
    /// One for each name; an append that is not done yet does not show.
    pub(super) files: [Stamp; N],
}

/// A new text for a file.
pub(super) enum Text {
    /// All of it.
    Whole(Vec<u8>),
    /// What comes after what is there; only for the file that is appended to.
    More(Vec<u8>),
}

impl Lock<'_> {
    /// The content of a file, all of it.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(mut file) = self.directory.open_file(name)? else { return Ok(None) };
        self.directory.read_part(&mut file, name, 0, u64::MAX).map(Some)
    }

    /// Changes files. All new ones are on the disk before the first one takes its name, so a full disk changes none;
    /// each is either the old one or the new one, whoever looks and whenever the power fails.
    pub(super) fn write(&mut self, files: Vec<(&'static str, Text)>) -> Result<(), StoreError> {
        let directory = self.directory.path();
        let (mut written, mut more) = (Vec::new(), None);
        let mut replaces_appended = false;
        for (name, text) in files {
            let path = self.directory.file(name);
            match text {
                Text::Whole(text) => {
                    let temporary = write_temporary(directory, &path, &text);
                    written.push((temporary.map_err(StoreError::io("writing", &path))?, path));
                    replaces_appended |= name == self.directory.appended;
                }
                Text::More(text) => more = Some(text),
            }
        }
        // First, for it may need room on the disk; what has been written so far is deleted then.
        let mut next = Ledger { generation: self.ledger.generation.wrapping_add(1), ..self.ledger };
        if let Some(more) = more {
            self.append(&more, &mut next)?;
        }
        let replaces = !written.is_empty();
        for (temporary, path) in written {
            let persisted = temporary.persist(&path).map_err(|error| error.error);
            persisted.map_err(StoreError::io("replacing", &path))?;
        }
        if replaces {
            sync_directory(directory).map_err(StoreError::io("writing", directory))?;
        }
        if replaces_appended {
            next.chain = next.generation;
            next.pending = 0;
            let path = self.directory.file(self.directory.appended);
            next.stamp = stamp(&fs::metadata(&path).map_err(StoreError::io("examining", &path))?);
        }
        self.note(next)
    }

    /// Appends to the file for that, and notes in `next` how it looks then. If that fails, what is there of it does not
    /// count, and is cut off.
    fn append(&mut self, text: &[u8], next: &mut Ledger) -> Result<(), StoreError> {
        let path = self.directory.file(self.directory.appended);
        let failed = |error| StoreError::io("writing", &path)(error);
        let mut file = OpenOptions::new().append(true).open(&path).map_err(failed)?;
        let before = stamp(&file.metadata().map_err(failed)?);
        if before != self.ledger.stamp {
            // Somebody else changed it, so what follows is no longer all that is new.
            next.chain = next.generation;
        }
        self.ledger = Ledger { chain: next.chain, stamp: before, ..self.ledger };
        self.announce(text.len() as u64)?;
        let appended = file.write_all(text).and_then(|()| file.sync_data());
        if let Err(error) = appended {
            // If that fails as well, the note stays, and nobody reads what should not be there.
            if file.set_len(before[0]).is_ok() {
                let stamp = file.metadata().map_or(before, |found| stamp(&found));
                self.note(Ledger { stamp, pending: 0, ..self.ledger })?;
            }
            return Err(failed(error));
        }
        next.stamp = stamp(&file.metadata().map_err(failed)?);
        next.pending = 0;
        Ok(())
    }

    /// Says that so many bytes will be appended, on the disk before the first of them: whatever a power cut leaves of them
    /// does not count.
    pub(super) fn announce(&mut self, bytes: u64) -> Result<(), StoreError> {
        let [length, ..] = self.ledger.stamp;
        self.note(Ledger { pending: length.saturating_add(bytes), ..self.ledger })?;
        self.file.sync_data().map_err(StoreError::io("writing", &self.directory.file(LOCK_FILE)))
    }

    /// Cuts off what a crash left of an append, and hands out the whole text and the length that stays.
    pub(super) fn repair(&mut self) -> Result<Option<(Vec<u8>, usize)>, StoreError> {
        if self.ledger.pending == 0 {
            return Ok(None);
        }
        let mut after = Ledger { pending: 0, ..self.ledger };
        let name = self.directory.appended;
        let path = self.directory.file(name);
        let failed = |error| StoreError::io("repairing", &path)(error);
        let mut repaired = None;
        match fs::metadata(&path) {
            Ok(found) => {
                let [size, ..] = stamp(&found);
                let [length, ..] = self.ledger.settled(stamp(&found));
                if length < size {
                    repaired = self.read(name)?.zip(usize::try_from(length).ok());
                    let file = OpenOptions::new().write(true).open(&path).map_err(failed)?;
                    file.set_len(length).and_then(|()| file.sync_all()).map_err(failed)?;
                    after.stamp = stamp(&file.metadata().map_err(failed)?);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        self.note(after)?;
        Ok(repaired)
    }

    /// Removes what a crash left behind. No writer is at work, for this has the lock.
    pub(super) fn clean(&mut self) -> Result<(), StoreError> {
        for path in self.directory.leftovers()? {
            std::fs::remove_file(&path).map_err(StoreError::io("removing the leftover", &path))?;
        }
        Ok(())
    }

    /// Writes the ledger down. It is as long as it was, so it needs no room on a full disk, but for the first time.
    fn note(&mut self, ledger: Ledger) -> Result<(), StoreError> {
        let written = self.file.rewind().and_then(|()| self.file.write_all(ledger.to_text().as_bytes()));
        written.map_err(StoreError::io("writing", &self.directory.file(LOCK_FILE)))?;
        self.ledger = ledger;
        Ok(())
    }
}

/// What stands in a lock file, no more than we write there.
fn beginning(mut file: &File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.rewind()?;
    file.take(256).read_to_end(&mut text)?;
    Ok(text)
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
