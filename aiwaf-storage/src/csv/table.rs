//! One file as it was found, and as it has to look after a change.

use std::collections::HashSet;
use std::hash::RandomState;
use std::ops::Range;
use std::path::Path;

use super::cell::guard;
use super::directory::Text;
use super::problems::Problems;
use super::record::{Record, Records, Shape, trim_end};
use super::row::Row;
use super::rows::RowReader;
use crate::error::{StoreError, shorten};

/// A file, its entries, and everything in it that is not ours to touch.
pub(super) struct Table<T> {
    text: Vec<u8>,
    /// What stands before the rows: the first line, and a byte-order mark if there is one.
    head: Range<usize>,
    header: Header,
    items: Vec<Item>,
    /// One for each [`Item::Row`], in the same order.
    pub(super) entries: Vec<T>,
    pub(super) problems: Problems,
}

/// The columns of a file.
#[derive(Default)]
pub(super) struct Header {
    pub(super) names: Vec<String>,
    /// Where each of [`Row::COLUMNS`] stands among them.
    pub(super) positions: Vec<Option<usize>>,
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

pub(super) enum Item {
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
            header: Header { names: Vec::new(), positions: vec![None; T::COLUMNS.len()] },
            items: Vec::new(),
            entries: Vec::new(),
            problems: Problems::default(),
            text: Vec::new(),
        };
        let start = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let mut records = Records::new(&text, start, 1);
        if let Some(first) = records.find(|record| record.shape != Shape::Blank) {
            table.read_header(&text, &first, path)?;
            table.head = 0..first.range.end;
            let reader = RowReader { text: &text, header: &table.header, wanted, hasher: RandomState::new() };
            let rows = reader.read(records);
            (table.items, table.entries, table.problems) = (rows.items, rows.entries, rows.problems);
        }
        table.text = text;
        Ok(table)
    }

    /// Reads rows that stand in a file whose first line this is, and nothing else; `None` if there is anything odd.
    pub(super) fn parse_rows(head: &[u8], rows: &[u8], path: &Path) -> Result<Option<Vec<T>>, StoreError> {
        let mut text = match Records::new(head, 0, 1).find(|record| record.shape != Shape::Blank) {
            Some(first) => head.get(..first.range.end).unwrap_or_default().to_vec(),
            None => return Ok(None),
        };
        if !text.ends_with(b"\n") {
            return Ok(None);
        }
        text.extend_from_slice(rows);
        let table = Self::parse(text, &Wanted::Entries, path)?;
        Ok(table.problems.described.is_empty().then_some(table.entries))
    }

    fn read_header(&mut self, text: &[u8], first: &Record<'_>, path: &Path) -> Result<(), StoreError> {
        let line = trim_end(text.get(first.range.clone()).unwrap_or_default());
        if matches!(first.shape, Shape::Sound | Shape::Unended)
            && let Some(Ok(record)) = reader(line).records().next()
        {
            let names: Vec<String> = record.iter().map(str::to_owned).collect();
            let positions = T::COLUMNS.iter().map(|column| column.position(&names)).collect();
            self.header = Header { names, positions };
        }
        match (self.header.positions.first(), T::COLUMNS.first()) {
            (Some(None), Some(key)) => Err(StoreError::Header {
                path: path.to_owned(),
                found: shorten(&String::from_utf8_lossy(line)),
                column: key.name,
                expected: names::<T>().join(","),
            }),
            _ => Ok(()),
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
                    width: self.header.names.len(),
                    positions: &self.header.positions,
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
        !self.header.names.is_empty()
            && self.header.positions.iter().all(Option::is_some)
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
        let mut header = self.header.names.clone();
        let mut positions = self.header.positions.clone();
        for (column, position) in T::COLUMNS.iter().zip(&mut positions) {
            if position.is_none() {
                *position = Some(header.len());
                header.push(column.name.to_owned());
            }
        }
        let mut writer = Writer { out: &mut out, line_break, width: header.len(), positions: &positions };
        if header.len() == self.header.names.len() {
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
