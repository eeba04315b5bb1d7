//! Opening what is to be read: decompressed, counted, and cut into lines of one format.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aiwaf_core::{AccessRecord, LineError, LineFormat, LineParser, Timestamp};
use flate2::read::MultiGzDecoder;

use super::Input;
use super::lines::{Lines, Next};

/// The format is told from so many lines.
const SAMPLE: usize = 64;

/// A log that is open.
pub(super) struct LogFile {
    pub(super) name: String,
    lines: Lines,
    /// How the lines are read; `None` if no format reads any of the first.
    parser: Option<LineParser>,
    /// Bytes read of it, as they lie on the disk.
    bytes: Arc<AtomicU64>,
    /// The number of the line that was read last.
    pub(super) number: u64,
}

/// What a line is.
pub(super) enum Line {
    /// A request, here in the buffer, at this time.
    Request(std::ops::Range<usize>, Timestamp),
    /// Blank, or a header.
    Nothing,
    /// No request.
    Unparsed(Cause, Option<std::ops::Range<usize>>),
    /// There is none any more.
    End,
}

/// Why a line is no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// No format reads the file.
    UnknownFormat,
    /// Longer than any real line.
    TooLong,
    /// The format's parser says so.
    Line(LineError),
}

impl LogFile {
    pub(super) fn open(input: Input, format: Option<&LineFormat>) -> io::Result<Self> {
        let bytes = Arc::new(AtomicU64::new(0));
        let (name, raw): (_, Box<dyn Read + Send>) = match input {
            Input::File(file) => (
                file.path.display().to_string(),
                Box::new(Counted(File::open(&file.path)?, Arc::clone(&bytes))),
            ),
            Input::Stream { name, reader } => (name, Box::new(Counted(reader, Arc::clone(&bytes)))),
        };
        let mut lines = Lines::new(decompressed(raw)?);
        let parser = match format {
            Some(format) => Some(LineParser::new(format.clone())),
            None => detect(&mut lines)?,
        };
        Ok(Self { name, lines, parser, bytes, number: 0 })
    }

    /// The time of the first request that can be told from the beginning.
    pub(super) fn first_time(&mut self) -> io::Result<Option<Timestamp>> {
        let Some(mut parser) = self.parser.clone() else { return Ok(None) };
        let mut first =
            |lines: Vec<&[u8]>| lines.into_iter().find_map(|line| Some(parser.parse(line).ok()??.time));
        if let Some(time) = first(self.lines.peek(SAMPLE)?) {
            return Ok(Some(time));
        }
        Ok(first(self.lines.peek_far()?))
    }

    pub(super) fn format_name(&self) -> &'static str {
        self.parser.as_ref().map_or("unknown", |parser| parser.format().name())
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Goes on to the next line.
    pub(super) fn advance(&mut self) -> io::Result<Line> {
        let range = match self.lines.next()? {
            Next::End => return Ok(Line::End),
            Next::TooLong => {
                self.number += 1;
                self.detect_again()?;
                return Ok(Line::Unparsed(Cause::TooLong, None));
            }
            Next::Line(range) => range,
        };
        self.number += 1;
        let line = self.lines.line(range.clone());
        Ok(match &mut self.parser {
            None if line.iter().all(u8::is_ascii_whitespace) => Line::Nothing,
            None => Line::Unparsed(Cause::UnknownFormat, Some(range)),
            Some(parser) => match parser.parse(line) {
                Ok(Some(record)) => Line::Request(range, record.time),
                Ok(None) => Line::Nothing,
                Err(error) => Line::Unparsed(Cause::Line(error), Some(range)),
            },
        })
    }

    /// Tells the format from what comes behind a line that hid it: a log that was truncated while its server went on
    /// writing begins with a long run of zeros.
    fn detect_again(&mut self) -> io::Result<()> {
        if self.parser.is_none() {
            self.parser = detect(&mut self.lines)?;
        }
        Ok(())
    }

    /// The line at `range`.
    pub(super) fn text(&self, range: std::ops::Range<usize>) -> &[u8] {
        self.lines.line(range)
    }

    /// The parser and the lines, to read a line that was found again.
    pub(super) fn parts(&mut self) -> (Option<&mut LineParser>, &Lines, &str) {
        (self.parser.as_mut(), &self.lines, &self.name)
    }

    /// Goes on to the next line, and if it is a request from before `until`, gives it to `visit` at once: that spares
    /// reading it again. Gives back any other kind of line, and a request that is not due.
    pub(super) fn visit_next<T>(
        &mut self,
        until: Option<Timestamp>,
        visit: impl FnOnce(AccessRecord<'_>, &[u8], &str, u64) -> T,
    ) -> io::Result<Result<T, Line>> {
        let range = match self.lines.next()? {
            Next::End => return Ok(Err(Line::End)),
            Next::TooLong => {
                self.number += 1;
                self.detect_again()?;
                return Ok(Err(Line::Unparsed(Cause::TooLong, None)));
            }
            Next::Line(range) => range,
        };
        self.number += 1;
        let line = self.lines.line(range.clone());
        let Some(parser) = &mut self.parser else {
            let blank = line.iter().all(u8::is_ascii_whitespace);
            return Ok(Err(if blank {
                Line::Nothing
            } else {
                Line::Unparsed(Cause::UnknownFormat, Some(range))
            }));
        };
        Ok(match parser.parse(line) {
            Ok(Some(record)) if until.is_some_and(|until| until <= record.time) => {
                Err(Line::Request(range, record.time))
            }
            Ok(Some(record)) => Ok(visit(record, line, &self.name, self.number)),
            Ok(None) => Err(Line::Nothing),
            Err(error) => Err(Line::Unparsed(Cause::Line(error), Some(range))),
        })
    }
}

/// The format of the first lines, or else of the first that have one: a crash, or a program that was started in between,
/// may have left any text at the beginning.
fn detect(lines: &mut Lines) -> io::Result<Option<LineParser>> {
    if let Some(parser) = LineParser::detect(&lines.peek(SAMPLE)?) {
        return Ok(Some(parser));
    }
    Ok(lines.peek_far()?.chunks(SAMPLE).find_map(LineParser::detect))
}

/// How many lines a file has. If it breaks off, those up to there.
pub(super) fn count_lines(path: &Path) -> io::Result<u64> {
    let mut reader = decompressed(Box::new(File::open(path)?))?;
    let mut buffer = vec![0; 128 * 1024];
    let (mut lines, mut is_open) = (0, false);
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                let part = buffer.get(..read).unwrap_or_default();
                lines += memchr::memchr_iter(b'\n', part).count() as u64;
                is_open = part.last() != Some(&b'\n');
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    Ok(lines + u64::from(is_open))
}

/// Counts what is read.
struct Counted<R>(R, Arc<AtomicU64>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(out)?;
        self.1.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Decompresses what begins as gzip (also several in a row, as rotation makes them) or Zstandard do.
fn decompressed(mut raw: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut magic = Vec::with_capacity(4);
    raw.by_ref().take(4).read_to_end(&mut magic)?;
    let is_gzip = magic.starts_with(&[0x1f, 0x8b]);
    let is_zstandard = magic == [0x28, 0xb5, 0x2f, 0xfd];
    let whole = io::Cursor::new(magic).chain(raw);
    Ok(if is_gzip {
        Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(64 * 1024, whole)))
    } else if is_zstandard {
        Box::new(zstd::Decoder::new(whole)?)
    } else {
        Box::new(whole)
    })
}
