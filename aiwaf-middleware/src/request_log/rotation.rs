//! A log file that is renamed when it is large, and opened anew when somebody else renamed it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A file that lines are appended to.
///
/// When the next line would make it larger than `rotate_bytes` it is renamed to `NAME.1`, that to `NAME.2`, and so on;
/// the oldest beyond `keep_files` is overwritten. Whether somebody else (logrotate, another process) has moved
/// the file away is looked at once a second at most, and before each rename.
pub(super) struct RotatingFile {
    path: PathBuf,
    header: Option<&'static str>,
    rotate_bytes: u64,
    keep_files: u32,
    open: Option<OpenFile>,
    /// The last write ended within a line.
    torn: bool,
}

struct OpenFile {
    file: File,
    length: u64,
    checked: Instant,
}

const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// What became of some lines.
pub(super) struct Written {
    /// How many bytes of the lines are in the file.
    pub(super) bytes: usize,
    /// Why the rest is not.
    pub(super) result: io::Result<()>,
}

impl RotatingFile {
    pub(super) fn new(
        path: PathBuf,
        header: Option<&'static str>,
        rotate_bytes: u64,
        keep_files: u32,
    ) -> Self {
        Self { path, header, rotate_bytes, keep_files, open: None, torn: false }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends whole lines.
    pub(super) fn write(&mut self, lines: &[u8]) -> Written {
        let mut rest = lines;
        let result = loop {
            if rest.is_empty() {
                break Ok(());
            }
            if let Err(error) = self.write_some(&mut rest) {
                // Whatever it was, the file may be another one when it works again.
                self.open = None;
                break Err(error);
            }
        };
        Written { bytes: lines.len() - rest.len(), result }
    }

    /// Writes as many lines as fit into this file, and takes them off `rest`.
    fn write_some(&mut self, rest: &mut &[u8]) -> io::Result<()> {
        let room = self.rotate_bytes.saturating_sub(self.ready()?.length);
        let mut fitting = lines_within(rest, usize::try_from(room).unwrap_or(usize::MAX));
        if fitting == 0 {
            if self.is_still_there() {
                self.open = None;
                self.shift()?;
            } else {
                self.open = None;
            }
            let room = self.rotate_bytes.saturating_sub(self.ready()?.length);
            fitting = lines_within(rest, usize::try_from(room).unwrap_or(usize::MAX));
            if fitting == 0 {
                // A line that is larger than a file may be: it gets one of its own.
                fitting = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
            }
        }
        let torn = self.torn;
        let open = self.ready()?;
        if torn {
            open.append(b"\n")?;
            self.torn = false;
        }
        let open = self.ready()?;
        let (lines, tail) = rest.split_at_checked(fitting).unwrap_or((rest, &[]));
        let before = open.length;
        let result = open.append(lines);
        let written = usize::try_from(open.length - before).unwrap_or(lines.len());
        match result {
            Ok(()) => *rest = tail,
            Err(error) => {
                let whole = lines.get(..written).unwrap_or_default();
                let whole = whole.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
                self.torn = whole < written;
                *rest = rest.get(whole..).unwrap_or_default();
                return Err(error);
            }
        }
        Ok(())
    }

    /// The file, opened if it is not or if it is another one by now.
    fn ready(&mut self) -> io::Result<&mut OpenFile> {
        let now = Instant::now();
        if self.open.as_ref().is_some_and(|open| now.duration_since(open.checked) >= CHECK_INTERVAL) {
            if self.is_still_there() {
                if let Some(open) = &mut self.open {
                    open.checked = now;
                    // Other processes may write to it, too.
                    open.length = open.file.metadata()?.len();
                }
            } else {
                self.open = None;
            }
        }
        if self.open.is_none() {
            let open = self.create(now)?;
            self.torn = false;
            return Ok(self.open.insert(open));
        }
        self.open.as_mut().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn create(&self, now: Instant) -> io::Result<OpenFile> {
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true).read(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            // Query strings hold what they hold: not for everybody's eyes.
            options.mode(0o640);
        }
        let file = options.open(&self.path)?;
        let length = file.metadata()?.len();
        let mut open = OpenFile { file, length, checked: now };
        if length == 0 {
            open.append(self.header.unwrap_or_default().as_bytes())?;
        } else if !ends_with_line_break(&open.file, length)? {
            // A process that ended in the middle of a line left this.
            open.append(b"\n")?;
        }
        Ok(open)
    }

    /// Whether the path still leads to the file that is open.
    fn is_still_there(&self) -> bool {
        let Some(open) = &self.open else { return false };
        match (open.file.metadata(), std::fs::metadata(&self.path)) {
            (Ok(ours), Ok(theirs)) => is_same(&ours, &theirs),
            _ => false,
        }
    }

    /// Renames the file and its predecessors.
    fn shift(&self) -> io::Result<()> {
        for number in (0..self.keep_files).rev() {
            match std::fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
        }
        Ok(())
    }

    fn numbered(&self, number: u32) -> PathBuf {
        if number == 0 {
            return self.path.clone();
        }
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

impl OpenFile {
    /// Writes everything, and counts what could be written.
    fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.length += written as u64;
                    bytes = bytes.get(written..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn ends_with_line_break(mut file: &File, length: u64) -> io::Result<bool> {
    use std::io::{Read, Seek, SeekFrom};

    file.seek(SeekFrom::Start(length.saturating_sub(1)))?;
    let mut last = [b'\n'];
    let count = file.read(&mut last)?;
    Ok(count == 0 || last == *b"\n")
}

/// How many bytes at the beginning of `lines` are whole lines and at most `room`.
fn lines_within(lines: &[u8], room: usize) -> usize {
    if lines.len() <= room {
        return lines.len();
    }
    lines.get(..room).and_then(|part| part.iter().rposition(|&byte| byte == b'\n')).map_or(0, |at| at + 1)
}

#[cfg(unix)]
fn is_same(ours: &std::fs::Metadata, theirs: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;

    (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino())
}

/// Where files have no numbers, one that is shorter than ours is another.
#[cfg(not(unix))]
fn is_same(ours: &std::fs::Metadata, theirs: &std::fs::Metadata) -> bool {
    theirs.len() >= ours.len()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn large_files_are_renamed_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let mut file = RotatingFile::new(path.clone(), Some("header\n"), 20, 2);
        for number in 0..7 {
            file.write(format!("line {number}\n").as_bytes()).result.unwrap();
        }
        // The header's 7 bytes and one line of 7 leave no room for another.
        assert_eq!(read(&path), "header\nline 6\n");
        assert_eq!(read(&dir.path().join("x.log.1")), "header\nline 5\n");
        assert_eq!(read(&dir.path().join("x.log.2")), "header\nline 4\n");
        assert!(!dir.path().join("x.log.3").exists());
    }

    #[test]
    fn one_batch_may_fill_several_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let mut file = RotatingFile::new(path.clone(), None, 8, 9);
        let written = file.write(b"aaa\nbbb\nccc\na line too long for a file\nd\n");
        assert!(written.result.is_ok() && written.bytes == 41);
        assert_eq!(read(&dir.path().join("x.log.3")), "aaa\nbbb\n");
        assert_eq!(read(&dir.path().join("x.log.2")), "ccc\n");
        assert_eq!(read(&dir.path().join("x.log.1")), "a line too long for a file\n");
        assert_eq!(read(&path), "d\n");
    }

    #[test]
    fn a_file_that_was_moved_away_is_opened_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        let mut file = RotatingFile::new(path.clone(), Some("header\n"), 1000, 2);
        file.write(b"one\n").result.unwrap();
        fs::rename(&path, dir.path().join("moved")).unwrap();
        if let Some(open) = &mut file.open {
            open.checked -= CHECK_INTERVAL;
        }
        file.write(b"two\n").result.unwrap();
        assert_eq!(read(&dir.path().join("moved")), "header\none\n");
        assert_eq!(read(&path), "header\ntwo\n");
    }

    #[test]
    fn what_another_process_left_unfinished_is_finished() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        fs::write(&path, "half a li").unwrap();
        let mut file = RotatingFile::new(path.clone(), Some("header\n"), 1000, 2);
        file.write(b"one\n").result.unwrap();
        assert_eq!(read(&path), "half a li\none\n");
    }

    #[test]
    fn a_disk_that_refuses_is_an_error_until_it_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("logs");
        fs::write(&folder, "").unwrap();
        let mut file = RotatingFile::new(folder.join("x.log"), None, 1000, 2);
        let written = file.write(b"one\n");
        assert!(written.result.is_err() && written.bytes == 0);
        fs::remove_file(&folder).unwrap();
        assert!(file.write(b"two\n").result.is_ok());
        assert_eq!(read(&folder.join("x.log")), "two\n");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.log");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let written = RotatingFile::new(path, None, 1000, 2).write(b"one\n");
        assert_eq!(written.result.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
