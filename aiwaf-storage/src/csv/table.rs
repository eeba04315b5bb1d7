//! One file as it was found, and as it has to look after a change.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use super::cell::guard;
use super::record::{Record, Shape, split, trim_end};
use super::row::{self, Cells, Row};
use crate::error::{StoreError, shorten};
use crate::store::{Loaded, RowProblem};

/// A file, its entries, and everything in it that is not ours to touch.
pub(super) struct Table<T> {
    text: Vec<u8>,
    /// What stands before the rows: the first line, and a byte-order mark if there is one.
    head: Range<usize>,
    header: Vec<String>,
    /// Where each of [`Row::COLUMNS`] stands in the header.
    positions: Vec<Option<usize>>,
    items: Vec<Item>,
    /// One for each [`Item::Row`], in the same order.
    pub(super) entries: Vec<T>,
    pub(super) problems: Vec<RowProblem>,
    pub(super) more_problems: usize,
}

enum Item {
    /// An entry.
    Row(Range<usize>),
    /// A row that is no entry, or a blank one: it stays as it is.
    Kept(Range<usize>),
    /// The end of the file, cut off in the middle of a row: it stays the end.
    Tail(Range<usize>),
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

impl<T: Row> Table<T> {
    /// Reads a file; an empty one is an empty list. `path` is for messages.
    pub(super) fn parse(text: Vec<u8>, path: &Path) -> Result<Self, StoreError> {
        let mut table = Self {
            head: 0..0,
            header: Vec::new(),
            positions: vec![None; T::COLUMNS.len()],
            items: Vec::new(),
            entries: Vec::new(),
            problems: Vec::new(),
            more_problems: 0,
            text: Vec::new(),
        };
        let start = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let body = text.get(start..).unwrap_or_default();
        let records = split(body);
        let blank = records.iter().take_while(|record| record.shape == Shape::Blank).count();
        if let Some((first, rows)) = records.get(blank..).and_then(<[Record]>::split_first) {
            table.read_header(body, first, path)?;
            table.head = 0..start + first.range.end;
            table.read_rows(body, start, rows);
        }
        table.text = text;
        Ok(table)
    }

    fn read_header(&mut self, body: &[u8], first: &Record, path: &Path) -> Result<(), StoreError> {
        let line = trim_end(body.get(first.range.clone()).unwrap_or_default());
        if matches!(first.shape, Shape::Sound | Shape::Unended)
            && let Some(Ok(record)) = reader(line).records().next()
        {
            self.header = record.iter().map(str::to_owned).collect();
            self.positions = T::COLUMNS.iter().map(|column| column.position(&self.header)).collect();
        }
        match (self.positions.first(), T::COLUMNS.first()) {
            (Some(None), Some(key)) => Err(StoreError::Header {
                path: path.to_owned(),
                found: shorten(&String::from_utf8_lossy(line)),
                column: key.name,
                expected: names::<T>().join(","),
            }),
            _ => Ok(()),
        }
    }

    fn read_rows(&mut self, body: &[u8], start: usize, records: &[Record]) {
        // All rows with quotes go through one reader, which is ten times as fast as one reader for each.
        let mut quoted = Vec::new();
        for record in records.iter().filter(|record| is_sound(record) && !record.is_plain) {
            quoted.extend_from_slice(trim_end(body.get(record.range.clone()).unwrap_or_default()));
            quoted.push(b'\n');
        }
        let mut reader = reader(&quoted);
        let mut row = csv::StringRecord::new();
        let mut cells: Vec<&str> = Vec::new();
        let rows = records.iter().filter(|record| is_sound(record)).count();
        // Where the entry of a key stands, in `entries` and in `places`; small, for it is read at random.
        let mut seen: HashMap<T::Key, u32> = HashMap::with_capacity(rows);
        // For each entry, its place in `items`, and its line.
        let mut places: Vec<(usize, u64)> = Vec::with_capacity(rows);
        self.entries.reserve(rows);
        self.items.reserve(records.len());
        for record in records {
            let range = record.range.start + start..record.range.end + start;
            let what = match record.shape {
                Shape::Blank => {
                    self.items.push(Item::Kept(range));
                    continue;
                }
                Shape::Broken(what) => Err(what.to_owned()),
                Shape::Sound | Shape::Unended if record.is_plain => {
                    let line = trim_end(body.get(record.range.clone()).unwrap_or_default());
                    split_cells(std::str::from_utf8(line).unwrap_or_default(), &mut cells);
                    self.read_row(row::Record::Plain(&cells), record.shape)
                }
                Shape::Sound | Shape::Unended => match reader.read_record(&mut row) {
                    Ok(true) => self.read_row(row::Record::Parsed(&row), record.shape),
                    Ok(false) => Err("is no row".to_owned()),
                    Err(error) => Err(error.to_string()),
                },
            };
            let text = body.get(record.range.clone()).unwrap_or_default();
            match what {
                Ok((entry, notes)) => {
                    for note in notes {
                        self.report(record.line, text, note);
                    }
                    // A file is too small for more rows than that.
                    let new_slot = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
                    let slot = *seen.entry(entry.key()).or_insert(new_slot) as usize;
                    if let (Some(old), Some((item, line))) =
                        (self.entries.get_mut(slot), places.get_mut(slot))
                    {
                        let what =
                            format!("replaces line {line}, which names the same and goes at the next change");
                        *old = entry;
                        *line = record.line;
                        if let Some(item) = self.items.get_mut(*item) {
                            *item = Item::Row(range);
                        }
                        self.report(record.line, text, what);
                    } else {
                        places.push((self.items.len(), record.line));
                        self.entries.push(entry);
                        self.items.push(Item::Row(range));
                    }
                }
                Err(what) => {
                    self.report(record.line, text, format!("{what}; the row is kept, but has no effect"));
                    let is_tail = record.shape == Shape::Unended || !text.ends_with(b"\n");
                    self.items.push(if is_tail { Item::Tail(range) } else { Item::Kept(range) });
                }
            }
        }
    }

    fn read_row(&self, row: row::Record<'_>, shape: Shape) -> Result<(T, Vec<String>), String> {
        if row.len() > self.header.len() {
            return Err(format!("has {} cells under {} columns", row.len(), self.header.len()));
        }
        let unended = shape == Shape::Unended;
        if unended && row.len() < self.header.len() {
            return Err("is cut off".to_owned());
        }
        let mut cells = Cells { record: row, positions: &self.positions, notes: Vec::new() };
        let entry = T::read(&mut cells)?;
        if unended {
            cells.notes.push("has no line break, so it may have been cut off".to_owned());
        }
        Ok((entry, cells.notes))
    }

    fn report(&mut self, line: u64, text: &[u8], what: String) {
        if self.problems.len() < Loaded::MAX_PROBLEMS {
            let start = text.get(..400).unwrap_or(text);
            let text = shorten(String::from_utf8_lossy(trim_end(start)).trim_end_matches('\u{fffd}'));
            self.problems.push(RowProblem { file: T::FILE, line, text, what });
        } else {
            self.more_problems += 1;
        }
    }

    /// The file with `entries` instead, which [`aiwaf_core::Lists::apply`] made of the table's own: what stays keeps
    /// its order.
    ///
    /// Rows of entries that did not change, rows that are no entries and columns that we don't know stay as they are.
    pub(super) fn render(&self, entries: &[T]) -> Vec<u8> {
        let mut out =
            Vec::with_capacity(self.text.len() + 128 * entries.len().saturating_sub(self.entries.len()));
        let line_break: &[u8] = if self.slice(&self.head).ends_with(b"\r\n") { b"\r\n" } else { b"\n" };
        let mut header = self.header.clone();
        let mut positions = self.positions.clone();
        for (column, position) in T::COLUMNS.iter().zip(&mut positions) {
            if position.is_none() {
                *position = Some(header.len());
                header.push(column.name.to_owned());
            }
        }
        let mut writer = Writer { out: &mut out, line_break, width: header.len(), positions: &positions };
        if header.len() == self.header.len() {
            writer.raw(self.slice(&self.head));
        } else {
            writer.cells(&header);
        }
        let mut tails = Vec::new();
        let mut old = self.entries.iter();
        let mut new = entries.iter().peekable();
        for item in &self.items {
            match item {
                Item::Kept(range) => writer.raw(self.slice(range)),
                Item::Tail(range) => tails.push(range),
                Item::Row(range) => {
                    let old = old.next();
                    let survivor = new.next_if(|new| old.is_some_and(|old| old.key() == new.key()));
                    match survivor {
                        Some(new) if Some(new) == old => writer.raw(self.slice(range)),
                        Some(new) => writer.entry(new, Some(self.slice(range))),
                        None => {}
                    }
                }
            }
        }
        for entry in new {
            writer.entry(entry, None);
        }
        for range in tails {
            out.extend_from_slice(self.slice(range));
        }
        out
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.text.get(range.clone()).unwrap_or_default()
    }
}

fn is_sound(record: &Record) -> bool {
    matches!(record.shape, Shape::Sound | Shape::Unended)
}

/// The cells of a row without quotes.
fn split_cells<'a>(line: &'a str, cells: &mut Vec<&'a str>) {
    cells.clear();
    let mut start = 0;
    for end in memchr::memchr_iter(b',', line.as_bytes()).chain([line.len()]) {
        cells.push(line.get(start..end).unwrap_or_default());
        start = end + 1;
    }
}

/// The first line of a new file.
pub(super) fn header_line<T: Row>() -> Vec<u8> {
    (names::<T>().join(",") + "\n").into_bytes()
}

/// A reader of rows without a header that takes only `\n` for a line break.
pub(super) fn reader(text: &[u8]) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .terminator(csv::Terminator::Any(b'\n'))
        .buffer_capacity(text.len().clamp(64, 64 * 1024))
        .from_reader(text)
}

fn names<T: Row>() -> Vec<&'static str> {
    T::COLUMNS.iter().map(|column| column.name).collect()
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    line_break: &'a [u8],
    width: usize,
    positions: &'a [Option<usize>],
}

impl Writer<'_> {
    /// A row as it stands in the file, with a line break if it lacks one.
    fn raw(&mut self, row: &[u8]) {
        self.out.extend_from_slice(row);
        if !row.ends_with(b"\n") {
            self.out.extend_from_slice(self.line_break);
        }
    }

    /// An entry; columns that we don't know keep what the row `old` has there.
    fn entry<T: Row>(&mut self, entry: &T, old: Option<&[u8]>) {
        let mut cells = vec![String::new(); self.width];
        if let Some(Ok(record)) = old.and_then(|row| reader(trim_end(row)).into_records().next()) {
            for (cell, old) in cells.iter_mut().zip(record.iter()) {
                old.clone_into(cell);
            }
        }
        for (text, position) in entry.write().iter().zip(self.positions) {
            if let Some(cell) = position.and_then(|position| cells.get_mut(position)) {
                *cell = guard(text).into_owned();
            }
        }
        self.cells(&cells);
    }

    fn cells(&mut self, cells: &[String]) {
        let terminator =
            if self.line_break == b"\r\n" { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer = csv::WriterBuilder::new()
            .flexible(true)
            .terminator(terminator)
            .buffer_capacity(1024)
            .from_writer(&mut *self.out);
        // Writing to memory can't fail.
        let written = writer.write_record(cells).and_then(|()| Ok(writer.flush()?));
        debug_assert!(written.is_ok(), "{written:?}");
    }
}
