//! Several logs as one, in the order of time.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use aiwaf_core::{LineFormat, Timestamp};

use super::error::SourceProblem;
use super::file::{Line, LogFile};
use super::summary::{FormatCount, ReadSummary};
use super::{Input, LogLine};
use crate::progress::{Progress, ProgressUpdate};

/// Files that are open at the same time. Should the times of more overlap, the order is that of their beginnings.
const MAX_OPEN: usize = 64;

/// Lines between two reports of progress.
const PROGRESS_EVERY: u64 = 16 * 1024;

/// Reads logs as one.
///
/// A file is opened when the time comes to its first request, and closed at its end: rotated logs are read one after the
/// other, and only logs of the same time are merged, each line in its turn. Within a file the order stays.
pub(super) struct Merge {
    /// Not open yet, the latest first.
    waiting: Vec<Waiting>,
    open: Vec<Open>,
    format: Option<LineFormat>,
    summary: ReadSummary,
    formats: BTreeMap<&'static str, (u64, u64)>,
    total_bytes: Option<u64>,
    /// Bytes of the files that are closed.
    closed_bytes: u64,
}

/// A log whose time has not come.
struct Waiting {
    first: Option<Timestamp>,
    input: Peeked,
}

/// What has been looked into: a file is closed again, what can be read only once stays open.
enum Peeked {
    Closed(super::LogSource),
    Open(LogFile),
}

/// A log that is being read, and its next request.
struct Open {
    file: LogFile,
    next: Option<(Range<usize>, Timestamp)>,
}

impl Merge {
    /// Looks into everything.
    pub(super) fn open(
        inputs: Vec<Input>,
        format: Option<&LineFormat>,
        problems: Vec<SourceProblem>,
        total_bytes: Option<u64>,
    ) -> Self {
        let mut merge = Self {
            waiting: Vec::with_capacity(inputs.len()),
            open: Vec::new(),
            format: format.cloned(),
            summary: ReadSummary { problems, ..ReadSummary::default() },
            formats: BTreeMap::new(),
            total_bytes,
            closed_bytes: 0,
        };
        for input in inputs {
            let (name, source) = match &input {
                Input::File(source) => (source.path.display().to_string(), Some(source.clone())),
                Input::Stream { name, .. } => (name.clone(), None),
            };
            let looked = LogFile::open(input, format).and_then(|mut file| Ok((file.first_time()?, file)));
            match looked {
                Ok((first, file)) => {
                    let input = source.map_or(Peeked::Open(file), Peeked::Closed);
                    merge.waiting.push(Waiting { first, input });
                }
                Err(error) => merge.problem(name, &error),
            }
        }
        // What has no time comes last. Of rotated files that begin at the same time, those with the longer name
        // (`access.log.10` and `access.log.2` before `access.log`) are older.
        merge.waiting.sort_by(|one, other| {
            let time = |waiting: &Waiting| (waiting.first.is_none(), waiting.first);
            let (name, other_name) = (one.name(), other.name());
            // The last is opened first.
            time(other).cmp(&time(one)).then((name.len(), name).cmp(&(other_name.len(), other_name)))
        });
        merge
    }

    /// Reads everything.
    pub(super) fn run(
        mut self,
        progress: &mut dyn Progress,
        mut visit: impl FnMut(LogLine<'_>),
    ) -> ReadSummary {
        let mut next_report = PROGRESS_EVERY;
        loop {
            self.open_what_is_due();
            match self.open.len() {
                0 if self.waiting.is_empty() => break,
                // What could not be opened is a problem already.
                0 => {}
                1 => self.read_alone(progress, &mut next_report, &mut visit),
                _ => self.read_one(&mut visit),
            }
            self.report(progress, &mut next_report);
        }
        progress.update(self.progress());
        self.summary.bytes = self.closed_bytes;
        self.summary.formats = self
            .formats
            .into_iter()
            .map(|(format, (files, lines))| FormatCount { format: format.to_owned(), files, lines })
            .collect();
        self.summary.formats.sort_by_key(|count| std::cmp::Reverse(count.lines));
        self.summary
    }

    fn report(&self, progress: &mut dyn Progress, next_report: &mut u64) {
        if self.summary.lines >= *next_report {
            *next_report = self.summary.lines + PROGRESS_EVERY;
            progress.update(self.progress());
        }
    }

    fn progress(&self) -> ProgressUpdate {
        let open: u64 = self.open.iter().map(|open| open.file.bytes()).sum();
        ProgressUpdate {
            bytes: self.closed_bytes + open,
            total_bytes: self.total_bytes,
            lines: self.summary.lines,
        }
    }

    /// The time at which the next file is to be opened; `None` if there is none, or too many are open.
    fn next_due(&self) -> Option<Timestamp> {
        if self.open.len() >= MAX_OPEN {
            return None;
        }
        self.waiting.last()?.first
    }

    fn open_what_is_due(&mut self) {
        while self.open.len() < MAX_OPEN
            && let Some(waiting) = self.waiting.last()
        {
            let now = self.open.iter().filter_map(|open| open.next.as_ref()).map(|(_, time)| *time).min();
            let due = match (waiting.first, now) {
                (_, None) => self.open.is_empty(),
                (None, Some(_)) => false,
                (Some(first), Some(now)) => first <= now,
            };
            if !due {
                return;
            }
            if let Some(waiting) = self.waiting.pop() {
                self.begin(waiting);
            }
        }
    }

    fn begin(&mut self, waiting: Waiting) {
        let name = waiting.name().to_owned();
        let opened = match waiting.input {
            Peeked::Open(file) => Ok(file),
            Peeked::Closed(source) => LogFile::open(Input::File(source), self.format.as_ref()),
        };
        match opened {
            Ok(file) => {
                self.formats.entry(file.format_name()).or_default().0 += 1;
                self.open.push(Open { file, next: None });
                let index = self.open.len() - 1;
                self.advance(index);
            }
            Err(error) => self.problem(name, &error),
        }
    }

    /// Goes on to the next request of a log, or closes it.
    fn advance(&mut self, index: usize) {
        let Some(open) = self.open.get_mut(index) else { return };
        loop {
            match open.file.advance() {
                Ok(Line::Request(range, time)) => {
                    open.next = Some((range, time));
                    return;
                }
                Ok(other) => {
                    if !count(&mut self.summary, &open.file, other) {
                        break;
                    }
                }
                Err(error) => {
                    let name = open.file.name.clone();
                    self.problem(name, &error);
                    break;
                }
            }
        }
        self.close(index);
    }

    fn close(&mut self, index: usize) {
        if index < self.open.len() {
            let open = self.open.swap_remove(index);
            self.closed_bytes += open.file.bytes();
        }
    }

    /// Reads the earliest request of several logs.
    fn read_one(&mut self, visit: &mut impl FnMut(LogLine<'_>)) {
        let earliest = self
            .open
            .iter()
            .enumerate()
            .filter_map(|(index, open)| Some((open.next.as_ref()?.1, index)))
            .min();
        let Some((_, index)) = earliest else { return };
        self.visit_pending(index, visit);
        self.advance(index);
    }

    /// Gives out the request that a log has ready.
    fn visit_pending(&mut self, index: usize, visit: &mut impl FnMut(LogLine<'_>)) {
        let Some(open) = self.open.get_mut(index) else { return };
        let Some((range, _)) = open.next.take() else { return };
        let (number, format) = (open.file.number, open.file.format_name());
        let (parser, lines, source) = open.file.parts();
        let text = lines.line(range);
        // It was read before, to know its time; what it says is the same.
        if let Some(Ok(Some(record))) = parser.map(|parser| parser.parse(text)) {
            let lines_before = self.summary.lines;
            self.summary.seen(record.time);
            self.formats.entry(format).or_default().1 += 1;
            visit(LogLine { record, text, source, number, lines_before });
        }
    }

    /// Reads the only log that is open, up to the time of the next one.
    fn read_alone(
        &mut self,
        progress: &mut dyn Progress,
        next_report: &mut u64,
        visit: &mut impl FnMut(LogLine<'_>),
    ) {
        let due = self.next_due();
        self.visit_pending(0, visit);
        let mut read = 0;
        let mut is_over = true;
        while let Some(open) = self.open.first_mut() {
            let summary = &mut self.summary;
            let visited = open.file.visit_next(due, |record, text, source, number| {
                let lines_before = summary.lines;
                summary.seen(record.time);
                visit(LogLine { record, text, source, number, lines_before });
            });
            match visited {
                Ok(Ok(())) => read += 1,
                Ok(Err(Line::Request(range, time))) => {
                    open.next = Some((range, time));
                    is_over = false;
                    break;
                }
                Ok(Err(other)) => {
                    if !count(summary, &open.file, other) {
                        break;
                    }
                }
                Err(error) => {
                    let name = open.file.name.clone();
                    self.problem(name, &error);
                    break;
                }
            }
            if self.summary.lines >= *next_report {
                self.report(progress, next_report);
            }
        }
        if let Some(open) = self.open.first() {
            self.formats.entry(open.file.format_name()).or_default().1 += read;
        }
        if is_over {
            self.close(0);
        }
    }

    fn problem(&mut self, source: String, error: &io::Error) {
        self.summary.problems.push(SourceProblem { source, what: error.to_string() });
    }
}

impl Waiting {
    fn name(&self) -> &str {
        match &self.input {
            Peeked::Closed(source) => source.path.to_str().unwrap_or_default(),
            Peeked::Open(file) => &file.name,
        }
    }
}

impl ReadSummary {
    fn seen(&mut self, time: Timestamp) {
        self.lines += 1;
        self.parsed += 1;
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
    }
}

/// Counts a line that is no request; false at the end.
fn count(summary: &mut ReadSummary, file: &LogFile, line: Line) -> bool {
    match line {
        Line::End => return false,
        Line::Nothing => summary.without_request += 1,
        Line::Unparsed(cause, range) => {
            let text = range.map_or(&b""[..], |range| file.text(range));
            summary.unparsed.add(&file.name, file.number, cause, text);
        }
        // Counted when it is given out.
        Line::Request(..) => return true,
    }
    summary.lines += 1;
    true
}
