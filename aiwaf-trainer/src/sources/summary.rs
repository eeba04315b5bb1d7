//! What was read, and what could not be.

use std::collections::BTreeMap;

use aiwaf_core::Timestamp;
use serde::Serialize;

use super::error::SourceProblem;
use super::file::Cause;

/// What was read, and what could not be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadSummary {
    /// Lines in all.
    pub lines: u64,
    /// Lines that are requests.
    pub parsed: u64,
    /// Lines that hold none: blank ones, headers, directives.
    pub without_request: u64,
    /// Lines that can't be read.
    pub unparsed: Unparsed,
    /// The formats, with their lines and files, the most frequent first.
    pub formats: Vec<FormatCount>,
    /// When the earliest request was.
    pub first: Option<Timestamp>,
    /// When the latest request was.
    pub last: Option<Timestamp>,
    /// Bytes read, as they lie on the disk.
    pub bytes: u64,
    /// Files that could not be read, or not to their end.
    pub problems: Vec<SourceProblem>,
}

/// How much was in one format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FormatCount {
    /// The format, as [`LineFormat::name`](aiwaf_core::LineFormat::name) calls it, or `unknown`.
    pub format: String,
    /// Files in it.
    pub files: u64,
    /// Requests read in it.
    pub lines: u64,
}

/// Lines that can't be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unparsed {
    /// How many.
    pub lines: u64,
    /// Why, and how many for that reason.
    pub causes: BTreeMap<String, u64>,
    /// Some of them: the first of each reason.
    pub samples: Vec<UnparsedSample>,
}

/// A line that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnparsedSample {
    /// The file or stream.
    pub source: String,
    /// The number of the line in it, from 1.
    pub number: u64,
    /// Its beginning, in ASCII, with escapes for everything else.
    pub text: String,
    /// Why it can't be read.
    pub cause: String,
}

/// Samples for each reason, and in all.
const SAMPLES_PER_CAUSE: u64 = 3;
const MAX_SAMPLES: usize = 20;

/// So many bytes of a sample are shown.
const SAMPLE_LENGTH: usize = 160;

impl ReadSummary {
    /// Adds what was read elsewhere.
    pub(crate) fn merge(&mut self, other: Self) {
        self.lines += other.lines;
        self.parsed += other.parsed;
        self.without_request += other.without_request;
        self.unparsed.merge(other.unparsed);
        for theirs in other.formats {
            match self.formats.iter_mut().find(|ours| ours.format == theirs.format) {
                Some(ours) => {
                    ours.files += theirs.files;
                    ours.lines += theirs.lines;
                }
                None => self.formats.push(theirs),
            }
        }
        self.formats.sort_by_key(|format| std::cmp::Reverse(format.lines));
        self.first = self.first.into_iter().chain(other.first).min();
        self.last = self.last.max(other.last);
        self.bytes += other.bytes;
        self.problems.extend(other.problems);
    }
}

impl Unparsed {
    fn merge(&mut self, other: Self) {
        self.lines += other.lines;
        for (cause, lines) in other.causes {
            *self.causes.entry(cause).or_default() += lines;
        }
        self.samples.extend(other.samples);
        self.samples.truncate(MAX_SAMPLES);
    }

    /// Takes note of a line. There are as many causes as parsers know errors, so this is bounded.
    pub(super) fn add(&mut self, source: &str, number: u64, cause: Cause, text: &[u8]) {
        self.lines += 1;
        let cause = cause.to_string();
        let count = self.causes.entry(cause.clone()).or_default();
        *count += 1;
        if *count <= SAMPLES_PER_CAUSE && self.samples.len() < MAX_SAMPLES {
            let text = text.get(..SAMPLE_LENGTH).unwrap_or(text).escape_ascii().to_string();
            self.samples.push(UnparsedSample { source: source.to_owned(), number, text, cause });
        }
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownFormat => f.write_str("no known format reads the first lines of this file"),
            Self::TooLong => f.write_str("longer than any server writes"),
            // Where in the line a JSON text breaks is different for each line.
            Self::Line(aiwaf_core::LineError::Json { .. }) => f.write_str("not a JSON object of a request"),
            Self::Line(error) => {
                let text = error.to_string();
                f.write_str(text.split(" in this line").next().unwrap_or(&text))
            }
        }
    }
}
