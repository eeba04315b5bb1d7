//! Lines from files, packed files and standard input.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use flate2::bufread::MultiGzDecoder;

/// Lines of bounded length, numbered from 1.
pub(crate) struct Lines {
    reader: BufReader<Box<dyn Read>>,
    name: String,
    number: u64,
    max_length: usize,
    line: Vec<u8>,
}

/// One line.
pub(crate) enum Line<'a> {
    /// Its bytes, without the line break.
    Text(&'a [u8]),
    /// It was longer than allowed, and skipped.
    TooLong,
}

impl Lines {
    /// Opens a file, or standard input if `path` is `-`. Either may be packed by gzip.
    pub(crate) fn open(path: &Path, max_length: usize) -> anyhow::Result<Self> {
        let (name, reader): (_, Box<dyn Read>) = if path.as_os_str() == "-" {
            ("standard input".to_owned(), Box::new(io::stdin().lock()))
        } else {
            let file = open_file(path)?;
            (path.display().to_string(), Box::new(file))
        };
        let lines = unpacked(reader).with_context(|| format!("reading {name}"))?;
        Ok(Self { reader: lines, name, number: 0, max_length, line: Vec::new() })
    }

    /// The next line; `None` at the end.
    pub(crate) fn next_line(&mut self) -> anyhow::Result<Option<Line<'_>>> {
        self.number += 1;
        self.line.clear();
        let limit = self.max_length as u64 + 1;
        let mut limited = self.reader.by_ref().take(limit);
        let read = limited.read_until(b'\n', &mut self.line);
        if read.with_context(|| format!("reading {}, line {}", self.name, self.number))? == 0 {
            return Ok(None);
        }
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
        } else if self.line.len() > self.max_length {
            self.reader.skip_until(b'\n').with_context(|| format!("reading {}", self.name))?;
            self.line = Vec::new();
            return Ok(Some(Line::TooLong));
        }
        Ok(Some(Line::Text(&self.line)))
    }

    /// Where the line is that was read last, as messages say it.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.name, self.number)
    }

    /// Whether reading on could wait for whoever writes.
    pub(crate) fn would_wait(&self) -> bool {
        self.reader.buffer().is_empty()
    }
}

/// Opens a file that somebody named.
pub(crate) fn open_file(path: &Path) -> anyhow::Result<File> {
    File::open(path).map_err(|error| {
        let mend = match error.kind() {
            io::ErrorKind::NotFound => ": check the spelling, or give `-` for standard input",
            io::ErrorKind::PermissionDenied => ": let the user that runs this read it",
            _ => "",
        };
        anyhow::anyhow!("opening {} failed: {error}{mend}", path.display())
    })
}

/// The files to read: what was named, or standard input.
pub(crate) fn files_or_stdin(files: &[PathBuf]) -> Vec<PathBuf> {
    if files.is_empty() { vec!["-".into()] } else { files.to_vec() }
}

/// The bytes themselves, or what they unpack to, which the first two of them tell.
fn unpacked(reader: Box<dyn Read>) -> io::Result<BufReader<Box<dyn Read>>> {
    let mut reader = BufReader::with_capacity(64 * 1024, reader);
    if reader.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        Ok(BufReader::with_capacity(64 * 1024, Box::new(MultiGzDecoder::new(reader))))
    } else {
        Ok(reader)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(bytes: &[u8]) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lines");
        std::fs::write(&path, bytes).unwrap();
        let mut lines = Lines::open(&path, 5).unwrap();
        let mut read = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            let text = match line {
                Line::Text(text) => String::from_utf8_lossy(text).into_owned(),
                Line::TooLong => "too long".to_owned(),
            };
            let number = lines.place().rsplit(':').next().unwrap().to_owned();
            read.push(format!("{number} {text}"));
        }
        read
    }

    #[test]
    fn lines_are_numbered_and_bounded() {
        assert_eq!(read(b"a\r\n\n12345\n123456\nb"), ["1 a", "2 ", "3 12345", "4 too long", "5 b"]);
        assert_eq!(read(b"1234567890"), ["1 too long"]);
        assert!(read(b"").is_empty());
    }

    #[test]
    fn packed_lines_are_unpacked_and_concatenated_archives_read_to_the_end() {
        let packed = |text: &str| {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packer.write_all(text.as_bytes()).unwrap();
            packer.finish().unwrap()
        };
        assert_eq!(read(&[packed("a\n"), packed("b\n")].concat()), ["1 a", "2 b"]);
    }
}
