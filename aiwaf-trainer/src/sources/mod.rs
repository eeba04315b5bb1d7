//! Finding logs, and reading them as one.

mod error;
mod file;
mod find;
mod lines;
mod merge;
mod summary;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use aiwaf_core::{AccessRecord, LineFormat};

pub use error::{SourceError, SourceProblem};
pub use summary::{FormatCount, ReadSummary, Unparsed, UnparsedSample};

use crate::progress::Progress;
use merge::Merge;

/// Logs to be read as one, in the order of time.
///
/// Each file is read in its own format, which its first lines tell ([`LineParser::detect`](aiwaf_core::LineParser)), or in
/// the one that is given. Files that end in whatever rotation calls them are put into order by the time of their first
/// request; files of the same time, as of several sites or machines, are merged line by line. Compressed ones (gzip and
/// Zstandard) are known by their content.
///
/// Memory does not grow with the size of the logs: half a megabyte for each file that is open, and only those are whose
/// times overlap.
///
/// ```
/// use aiwaf_trainer::Sources;
///
/// let log = br#"192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] "GET /a HTTP/1.1" 404 - "-" "x""#;
/// let mut sources = Sources::new();
/// sources.add_reader("standard input", &log[..]);
/// let mut paths = Vec::new();
/// let summary = sources.read(&mut (), |line| paths.push(line.record.target.into_owned()))?;
/// assert_eq!(paths, [b"/a"]);
/// assert_eq!((summary.lines, summary.parsed), (1, 1));
/// # Ok::<(), aiwaf_trainer::SourceError>(())
/// ```
#[derive(Default)]
pub struct Sources {
    inputs: Vec<Input>,
    format: Option<LineFormat>,
    problems: Vec<SourceProblem>,
    total_bytes: Option<u64>,
}

/// Something to read.
pub(crate) enum Input {
    File(LogSource),
    Stream { name: String, reader: Box<dyn Read + Send> },
}

/// A file that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogSource {
    /// Where it is.
    pub path: PathBuf,
    /// How long it is, in bytes on the disk.
    pub bytes: u64,
}

/// One request of a log, and where it stands.
#[derive(Debug)]
pub struct LogLine<'a> {
    /// The request.
    pub record: AccessRecord<'a>,
    /// The line as it is in the file, without its line break.
    pub text: &'a [u8],
    /// The name of the file or stream.
    pub source: &'a str,
    /// The number of the line in it, from 1.
    pub number: u64,
    /// How many lines were read before it, of all files and of any kind.
    pub lines_before: u64,
}

impl Sources {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { total_bytes: Some(0), ..Self::default() }
    }

    /// The logs at `paths`: files, or directories whose logs are found, those of their directories too.
    ///
    /// A file is read whatever it is called. In directories, logs are known by their names (`access.log`, `*.log.2.gz`,
    /// `u_ex090817.log`, `*.csv`, `*.jsonl`); logs of errors are left out, for they would count requests twice.
    /// No more than 10,000 files and four levels of directories are looked at; links to directories are not followed.
    ///
    /// # Errors
    /// [`SourceError`] if a path can't be read or a directory holds no log.
    pub fn find<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self, SourceError> {
        let mut sources = Self::new();
        let mut known = BTreeSet::new();
        for path in paths {
            let found = find::find(path.as_ref())?;
            sources.problems.extend(found.problems);
            for file in found.files {
                // The same file may be named twice, as by a directory and a pattern of the shell.
                if known.insert(std::fs::canonicalize(&file.path).unwrap_or_else(|_| file.path.clone())) {
                    sources.total_bytes = sources.total_bytes.map(|total| total.saturating_add(file.bytes));
                    sources.inputs.push(Input::File(file));
                }
            }
        }
        Ok(sources)
    }

    /// Adds something that can be read only once, such as standard input. It may be compressed too.
    pub fn add_reader(&mut self, name: impl Into<String>, reader: impl Read + Send + 'static) {
        self.total_bytes = None;
        self.inputs.push(Input::Stream { name: name.into(), reader: Box::new(reader) });
    }

    /// Reads everything in this format, without looking what it is.
    #[must_use]
    pub fn with_format(self, format: impl Into<LineFormat>) -> Self {
        Self { format: Some(format.into()), ..self }
    }

    /// The files, in no particular order.
    pub fn files(&self) -> impl Iterator<Item = &LogSource> {
        self.inputs.iter().filter_map(|input| match input {
            Input::File(file) => Some(file),
            Input::Stream { .. } => None,
        })
    }

    /// How many lines there are; `None` if something can be read only once. Reads and decompresses everything, but looks at
    /// nothing in it. What can't be read is not counted: [`read`](Self::read) will say it.
    pub fn count_lines(&self) -> Option<u64> {
        self.inputs
            .iter()
            .map(|input| match input {
                Input::File(file) => Some(file::count_lines(&file.path).unwrap_or(0)),
                Input::Stream { .. } => None,
            })
            .sum()
    }

    /// How much there is to read, in bytes on the disk; `None` if that is not known, as with standard input.
    pub fn total_bytes(&self) -> Option<u64> {
        self.total_bytes
    }

    /// Each file or stream by itself, for readers to whom the order among files does not matter.
    pub fn split(self) -> Vec<Self> {
        let Self { inputs, format, mut problems, .. } = self;
        let alone = |input| {
            let total_bytes = match &input {
                Input::File(file) => Some(file.bytes),
                Input::Stream { .. } => None,
            };
            // What was wrong in the directories is said once.
            let problems = std::mem::take(&mut problems);
            Self { inputs: vec![input], format: format.clone(), problems, total_bytes }
        };
        inputs.into_iter().map(alone).collect()
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Reads everything, line by line, and gives each request to `visit`. Lines that can't be read are counted in the
    /// summary, and so are files that break off; neither ends the reading.
    ///
    /// # Errors
    /// [`SourceError`] if there is nothing to read, or a file that was named can't be opened any more.
    pub fn read(
        self,
        progress: &mut dyn Progress,
        visit: impl FnMut(LogLine<'_>),
    ) -> Result<ReadSummary, SourceError> {
        if self.inputs.is_empty() {
            return Err(SourceError::Nothing);
        }
        let Self { inputs, format, problems, total_bytes, .. } = self;
        Ok(Merge::open(inputs, format.as_ref(), problems, total_bytes).run(progress, visit))
    }
}
