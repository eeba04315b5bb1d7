//! One file as it was found, and as it has to look after a change.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;

use super::cell::{guard, unguard};
use super::directory::Text;
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

/// What of a file is read.
pub(super) enum Wanted<K> {
    /// Its entries, and nothing that is needed for writing it.
    Entries,
    /// All of it.
    Everything,
    /// Only these entries are told from what is not ours to touch, which takes a tenth of the time.
    Named(HashSet<K>),
}

enum Item {
    /// An entry.
    Row(Range<usize>),
    /// Rows that are no entries, or none of those wanted, or blank: they stay as they are.
    Kept(Range<usize>),
    /// The end of the file, cut off in the middle of a row: it stays the end.
    Tail(Range<usize>),
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

impl<T: Row> Table<T> {
    /// Reads a file; an empty one is an empty list. `path` is for messages.
    pub(super) fn parse(text: Vec<u8>, wanted: &Wanted<T::Key>, path: &Path) -> Result<Self, StoreError> {
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
        table.read(body, start, wanted, path)?;
        table.text = text;
        Ok(table)
    }

    /// Reads rows that stand in a file whose first line this is, and nothing else; `None` if there is anything odd.
    pub(super) fn parse_rows(head: &[u8], rows: &[u8], path: &Path) -> Result<Option<Vec<T>>, StoreError> {
        let mut text = match split(head).find(|record| record.shape != Shape::Blank) {
            Some(first) => head.get(..first.range.end).unwrap_or_default().to_vec(),
            None => return Ok(None),
        };
        if !text.ends_with(b"\n") {
            return Ok(None);
        }
        text.extend_from_slice(rows);
        let table = Self::parse(text, &Wanted::Entries, path)?;
        Ok(table.problems.is_empty().then_some(table.entries))
    }

    fn read(
        &mut self,
        body: &[u8],
        start: usize,
        wanted: &Wanted<T::Key>,
        path: &Path,
    ) -> Result<(), StoreError> {
        let mut rows = split(body);
        if let Some(first) = rows.find(|record| record.shape != Shape::Blank) {
            self.read_header(body, &first, path)?;
            self.head = 0..start + first.range.end;
            self.read_rows(body, start, rows, wanted);
        }
        Ok(())
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

    fn read_rows(
        &mut self,
        body: &[u8],
        start: usize,
        records: impl Iterator<Item = Record> + Clone,
        wanted: &Wanted<T::Key>,
    ) {
        // All rows with quotes go through one reader, which is ten times as fast as one reader for each.
        let mut quoted = Vec::new();
        // So does a last row without a line break, quotes or not.
        if memchr::memchr(b'"', body).is_some() || !body.ends_with(b"\n") {
            for record in records.clone().filter(|record| is_sound(record) && !record.is_plain) {
                quoted.extend_from_slice(trim_end(body.get(record.range).unwrap_or_default()));
                quoted.push(b'\n');
            }
        }
        let mut reader = reader(&quoted);
        let mut row = csv::StringRecord::new();
        let mut cells: Vec<&str> = Vec::new();
        let rows = match wanted {
            Wanted::Named(keys) => keys.len(),
            Wanted::Entries | Wanted::Everything => memchr::memchr_iter(b'\n', body).count(),
        };
        let has_items = !matches!(wanted, Wanted::Entries);
        let key = self.positions.first().copied().flatten().unwrap_or(0);
        // Where the entry of a key stands, in `entries` and in `places`; small, for it is read at random.
        let mut seen: HashMap<T::Key, u32> = HashMap::with_capacity(rows);
        // For each entry, its place in `items`, and its line.
        let mut places: Vec<(u32, u64)> = Vec::with_capacity(rows);
        self.entries.reserve(rows);
        for record in records {
            let range = record.range.start + start..record.range.end + start;
            let line = body.get(record.range.clone()).unwrap_or_default();
            let what = match record.shape {
                Shape::Blank => {
                    self.keep(range, has_items);
                    continue;
                }
                Shape::Broken(what) => Err(what.to_owned()),
                Shape::Sound | Shape::Unended if record.is_plain => {
                    let line = std::str::from_utf8(trim_end(line)).unwrap_or_default();
                    if let Wanted::Named(keys) = wanted
                        && record.shape == Shape::Sound
                        && !is_named::<T>(nth_cell(line, key), keys)
                    {
                        self.keep(range, true);
                        continue;
                    }
                    split_cells(line, &mut cells);
                    self.read_row(row::Record::Plain(&cells), record.shape)
                }
                Shape::Sound | Shape::Unended => match reader.read_record(&mut row) {
                    Ok(true) => {
                        if let Wanted::Named(keys) = wanted
                            && record.shape == Shape::Sound
                            && !is_named::<T>(row.get(key), keys)
                        {
                            self.keep(range, true);
                            continue;
                        }
                        self.read_row(row::Record::Parsed(&row), record.shape)
                    }
                    Ok(false) => Err("is no row".to_owned()),
                    Err(error) => Err(error.to_string()),
                },
            };
            match what {
                Ok((entry, notes)) => {
                    for note in notes {
                        self.report(record.line, line, note);
                    }
                    // A file is too small for more rows than that.
                    let new_slot = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
                    let slot = *seen.entry(entry.key()).or_insert(new_slot) as usize;
                    if let (Some(old), Some((item, first))) =
                        (self.entries.get_mut(slot), places.get_mut(slot))
                    {
                        let what = format!(
                            "replaces line {first}, which names the same and goes with its next change"
                        );
                        *old = entry;
                        *first = record.line;
                        if let Some(item) = self.items.get_mut(*item as usize) {
                            *item = Item::Row(range);
                        }
                        self.report(record.line, line, what);
                    } else {
                        places.push((u32::try_from(self.items.len()).unwrap_or(u32::MAX), record.line));
                        self.entries.push(entry);
                        if has_items {
                            self.items.push(Item::Row(range));
                        }
                    }
                }
                Err(what) => {
                    self.report(record.line, line, format!("{what}; the row is kept, but has no effect"));
                    if record.shape == Shape::Unended || !line.ends_with(b"\n") {
                        self.items.push(Item::Tail(range));
                    } else {
                        self.keep(range, has_items);
                    }
                }
            }
        }
    }

    /// Leaves a row as it is, together with those before that stay as well.
    fn keep(&mut self, range: Range<usize>, has_items: bool) {
        if let Some(Item::Kept(last)) = self.items.last_mut()
            && last.end == range.start
        {
            last.end = range.end;
        } else if has_items {
            self.items.push(Item::Kept(range));
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

    /// What becomes of the file with `entries` instead, which [`aiwaf_core::Lists::apply`] made of the table's own: what
    /// stays keeps its order.
    ///
    /// Rows of entries that did not change, rows that are no entries and columns that we don't know stay as they are.
    pub(super) fn render(&self, entries: &[T], may_append: bool) -> Text {
        match entries.strip_prefix(self.entries.as_slice()) {
            Some(new) if may_append && self.is_complete() => {
                let mut out = Vec::new();
                let mut writer = Writer {
                    out: &mut out,
                    line_break: self.line_break(),
                    width: self.header.len(),
                    positions: &self.positions,
                };
                for entry in new {
                    writer.entry(entry, None);
                }
                Text::More(out)
            }
            _ => Text::Whole(self.render_whole(entries)),
        }
    }

    /// Whether a row of ours can stand at the end of the file as it is.
    fn is_complete(&self) -> bool {
        !self.header.is_empty()
            && self.positions.iter().all(Option::is_some)
            && self.text.ends_with(b"\n")
            && !self.items.iter().any(|item| matches!(item, Item::Tail(_)))
    }

    fn line_break(&self) -> &'static [u8] {
        if self.slice(&self.head).ends_with(b"\r\n") { b"\r\n" } else { b"\n" }
    }

    fn render_whole(&self, entries: &[T]) -> Vec<u8> {
        let mut out =
            Vec::with_capacity(self.text.len() + 128 * entries.len().saturating_sub(self.entries.len()));
        let line_break = self.line_break();
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

/// Whether the cell holds one of these keys.
fn is_named<T: Row>(cell: Option<&str>, keys: &HashSet<T::Key>) -> bool {
    cell.and_then(|cell| T::read_key(unguard(cell))).is_some_and(|key| keys.contains(&key))
}

fn nth_cell(line: &str, position: usize) -> Option<&str> {
    let mut rest = line;
    for _ in 0..position {
        rest = rest.get(memchr::memchr(b',', rest.as_bytes())? + 1..)?;
    }
    rest.get(..memchr::memchr(b',', rest.as_bytes()).unwrap_or(rest.len()))
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
