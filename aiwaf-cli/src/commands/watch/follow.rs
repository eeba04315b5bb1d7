//! A log that grows, and is rotated.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use aiwaf_core::{AccessRecord, LineParser, LogFormat};
use anyhow::Context;

/// Reads what is appended to a log.
pub(super) struct Follower {
    path: PathBuf,
    /// Whether what is in the file when it is first opened counts.
    from_start: bool,
    open: Option<OpenLog>,
}

struct OpenLog {
    file: File,
    identity: Option<(u64, u64)>,
    /// How much was read.
    offset: u64,
    /// The beginning of a line whose end is still to come.
    rest: Vec<u8>,
    /// None until a line shows which format it is.
    parser: Option<LineParser>,
}

/// So much is read at a time, in bytes; the rest follows at the next look.
const MAX_READ: u64 = 8 * 1024 * 1024;

/// So much of the beginning tells the format, in bytes.
const SAMPLE: u64 = 64 * 1024;

impl Follower {
    pub(super) fn new(path: &Path, from_start: bool) -> Self {
        Self { path: path.to_owned(), from_start, open: None }
    }

    /// Gives every request that was appended since the last call to `visit`. A file that is missing may come.
    pub(super) fn poll(
        &mut self,
        mut visit: impl FnMut(&AccessRecord<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        if self.open.is_none() {
            self.open = self.open_file()?;
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let place = || format!("reading {}", self.path.display());
        let read = open.read().with_context(place)?;
        open.lines(&mut visit)?;
        if read == 0 && is_replaced(&self.path, open) {
            // The old file is read to its end by now; everything in the new one is new.
            self.open = None;
            self.from_start = true;
            return self.poll(visit);
        }
        Ok(())
    }

    fn open_file(&mut self) -> anyhow::Result<Option<OpenLog>> {
        let place = || format!("opening {}", self.path.display());
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Whatever it will hold is new.
                self.from_start = true;
                return Ok(None);
            }
            file => file.with_context(place)?,
        };
        let metadata = file.metadata().with_context(place)?;
        let mut sample = Vec::new();
        file.by_ref().take(SAMPLE).read_to_end(&mut sample).with_context(place)?;
        let parser = detect(&sample);
        let offset = if self.from_start { 0 } else { metadata.len() };
        file.seek(SeekFrom::Start(offset)).with_context(place)?;
        Ok(Some(OpenLog { file, identity: identity(&metadata), offset, rest: Vec::new(), parser }))
    }
}

impl OpenLog {
    fn read(&mut self) -> std::io::Result<u64> {
        let read = self.file.by_ref().take(MAX_READ).read_to_end(&mut self.rest)? as u64;
        self.offset += read;
        Ok(read)
    }

    /// Parses the whole lines that were read.
    fn lines(
        &mut self,
        visit: &mut impl FnMut(&AccessRecord<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let end = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole: Vec<u8> = self.rest.drain(..end).collect();
        if self.rest.len() > LogFormat::MAX_LINE {
            // No server writes such a line; its end will be one that can't be read.
            self.rest = Vec::new();
        }
        if self.parser.is_none() {
            self.parser = detect(&whole);
        }
        let Some(parser) = &mut self.parser else { return Ok(()) };
        for line in whole.split(|byte| *byte == b'\n') {
            if let Ok(Some(record)) = parser.parse(line) {
                visit(&record)?;
            }
        }
        Ok(())
    }
}

/// The parser for a log that begins like this, which knows its header.
fn detect(sample: &[u8]) -> Option<LineParser> {
    let lines: Vec<&[u8]> = sample.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let mut parser = lines.chunks(100).find_map(LineParser::detect)?;
    for line in lines {
        // Headers teach the parser, and requests do no harm.
        drop(parser.parse(line));
    }
    Some(parser)
}

/// Whether the path names another file now, or the file was emptied.
fn is_replaced(path: &Path, open: &OpenLog) -> bool {
    // While it is renamed, there may be none for a moment.
    std::fs::metadata(path).is_ok_and(|found| identity(&found) != open.identity || found.len() < open.offset)
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps)] // there is none on other systems
fn identity(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;

    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn line(path: &str) -> String {
        format!(
            "192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] \"GET {path} HTTP/1.1\" 200 1 \"-\" \"x\" 1ms - \"-\"\n"
        )
    }

    fn append(path: &Path, text: &str) {
        let mut file = File::options().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn poll(follower: &mut Follower) -> Vec<String> {
        let mut targets = Vec::new();
        follower
            .poll(|record| {
                targets.push(String::from_utf8_lossy(&record.target).into_owned());
                Ok(())
            })
            .unwrap();
        targets
    }

    #[test]
    fn what_is_appended_is_read_once_and_across_rotation() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("access.log");
        let mut follower = Follower::new(&path, false);
        assert!(poll(&mut follower).is_empty());
        append(&path, &line("/first"));
        assert_eq!(poll(&mut follower), ["/first"], "it was not there at the beginning");
        let (half, rest) = (&line("/second")[..40], &line("/second")[40..]);
        append(&path, half);
        assert!(poll(&mut follower).is_empty());
        append(&path, rest);
        assert_eq!(poll(&mut follower), ["/second"]);

        append(&path, &line("/last-of-old"));
        std::fs::rename(&path, directory.path().join("access.log.1")).unwrap();
        append(&path, &line("/first-of-new"));
        let mut seen = poll(&mut follower);
        seen.extend(poll(&mut follower));
        assert_eq!(seen, ["/last-of-old", "/first-of-new"]);

        std::fs::write(&path, line("/after-emptying")).unwrap();
        std::fs::write(&path, "").unwrap();
        assert!(poll(&mut follower).is_empty());
    }

    #[test]
    fn garbage_at_the_beginning_does_not_hide_the_format() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("access.log");
        append(&path, &"starting up\n".repeat(200));
        append(&path, &line("/first"));
        assert_eq!(poll(&mut Follower::new(&path, true)), ["/first"]);
    }

    #[test]
    fn only_what_is_new_counts_unless_told_otherwise() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("access.log");
        append(&path, "timestamp,ip,method,path,status_code,response_time_ms,blocked,block_reason\n");
        append(&path, "2025-09-14T15:02:41,192.0.2.7,GET,/old,200,1,False,\n");
        let mut follower = Follower::new(&path, false);
        assert!(poll(&mut follower).is_empty());
        append(&path, "2025-09-14T15:02:42,192.0.2.7,GET,/new,200,1,False,\n");
        assert_eq!(poll(&mut follower), ["/new"]);
        assert_eq!(poll(&mut Follower::new(&path, true)), ["/old", "/new"]);
    }
}
