//! Where the rows of a file begin and end, so that one broken row costs one row and not the rest of the file.

use std::ops::Range;

/// The largest row that is read, in bytes; more is no entry of ours.
const MAX_RECORD: usize = 128 * 1024;
/// How many lines a quoted cell may span. A quote that nobody closes is noticed after so many.
const MAX_LINES: usize = 64;

/// One row of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// The line on which it begins, counted from 1.
    pub(super) line: u64,
    /// Where it stands, its line break included.
    pub(super) range: Range<usize>,
    /// The same as text; empty if it is none.
    pub(super) text: &'a str,
    pub(super) shape: Shape,
    /// It has no quotes, so its cells are what stands between its commas, and it is one line.
    pub(super) is_plain: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Blank,
    Sound,
    /// Sound, but without a line break: the end of the file.
    Unended,
    /// No row of a CSV file, and why.
    Broken(&'static str),
}

impl<'a> Record<'a> {
    /// Its text without its line break.
    pub(super) fn content(&self) -> &'a str {
        let text = self.text.strip_suffix('\n').unwrap_or(self.text);
        text.strip_suffix('\r').unwrap_or(text)
    }
}

/// The rows of a file, one after the other. Linear; broken rows are one line long.
#[derive(Debug, Clone)]
pub(super) struct Records<'a> {
    text: &'a [u8],
    /// Where the next row begins, and on which line.
    start: usize,
    line: u64,
    /// Rows that begin from there on are left out.
    end: usize,
}

impl<'a> Records<'a> {
    /// The rows of `text` from `start` on, where a row begins on this line.
    pub(super) fn new(text: &'a [u8], start: usize, line: u64) -> Self {
        Self { text, start, line, end: text.len() }
    }

    /// Where the next row begins.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// Where the last row ends.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// The rows before `middle`, where a row begins.
    pub(super) fn until(self, middle: usize) -> Self {
        Self { end: middle, ..self }
    }

    /// The rows from `middle` on, where a row begins.
    pub(super) fn from(self, middle: usize) -> Self {
        let before = self.text.get(self.start..middle).unwrap_or_default();
        let line = self.line + memchr::memchr_iter(b'\n', before).count() as u64;
        Self { start: middle, line, ..self }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let (start, line) = (self.start, self.line);
        let rest = self.text.get(start..).filter(|rest| !rest.is_empty() && start < self.end)?;
        let plain_length = plain_line(rest);
        let (length, shape, text) = match plain_length.map_or_else(|| measure(rest), Ok) {
            Ok(length) => match std::str::from_utf8(rest.get(..length).unwrap_or(rest)) {
                Ok(text) => (length, shape(text), text),
                Err(_) => (length, Shape::Broken("is not UTF-8"), ""),
            },
            Err(what) => (first_line(rest), Shape::Broken(what), ""),
        };
        let is_plain = plain_length.is_some();
        self.line += if is_plain {
            1
        } else {
            memchr::memchr_iter(b'\n', rest.get(..length).unwrap_or(rest)).count() as u64
        };
        self.start += length;
        Some(Record { line, range: start..start + length, text, shape, is_plain })
    }
}

/// The record without its line break.
pub(super) fn trim_end(record: &[u8]) -> &[u8] {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    record.strip_suffix(b"\r").unwrap_or(record)
}

fn shape(record: &str) -> Shape {
    if record.bytes().all(|byte| byte.is_ascii_whitespace()) {
        Shape::Blank
    } else if record.ends_with('\n') {
        Shape::Sound
    } else {
        Shape::Unended
    }
}

/// The length of the row at the start of `text` if it is a line without quotes, as most are.
fn plain_line(text: &[u8]) -> Option<usize> {
    let start = text.get(..MAX_RECORD).unwrap_or(text);
    let end = memchr::memchr2(b'\n', b'"', start)?;
    (start.get(end) == Some(&b'\n')).then_some(end + 1)
}

fn first_line(text: &[u8]) -> usize {
    text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |end| end + 1)
}

/// The length of the row at the start of `text`, or why there is none.
fn measure(text: &[u8]) -> Result<usize, &'static str> {
    enum In {
        CellStart,
        Cell,
        Quotes,
        ClosedQuotes,
        LineBreak,
    }
    let mut state = In::CellStart;
    let mut lines = 0;
    for (at, byte) in text.iter().enumerate() {
        if at >= MAX_RECORD {
            return Err("is longer than any row can be");
        }
        state = match (state, byte) {
            (In::Quotes, b'"') => In::ClosedQuotes,
            (In::Quotes, b'\n') if lines == MAX_LINES => return Err("opens a quote and does not close it"),
            (In::Quotes, b'\n') => {
                lines += 1;
                In::Quotes
            }
            (In::CellStart | In::ClosedQuotes, b'"') | (In::Quotes, _) => In::Quotes,
            (_, b'\n') => return Ok(at + 1),
            (In::LineBreak, _) => return Err("has text after a closing quote"),
            (In::ClosedQuotes, b'\r') => In::LineBreak,
            (_, b',') => In::CellStart,
            (In::ClosedQuotes, _) => return Err("has text after a closing quote"),
            _ => In::Cell,
        };
    }
    if matches!(state, In::Quotes) { Err("opens a quote and does not close it") } else { Ok(text.len()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shapes(text: &str) -> Vec<(u64, Shape)> {
        Records::new(text.as_bytes(), 0, 1).map(|record| (record.line, record.shape)).collect()
    }

    #[test]
    fn a_stray_quote_costs_one_row() {
        let text = "a,b\r\n1,\"stray\n2,x\n3,\"two\nlines\"\n\n4,\"x\"y\n5,un\"quoted\n6";
        let sound = |line| (line, Shape::Sound);
        assert_eq!(
            shapes(text),
            [
                sound(1),
                (2, Shape::Broken("has text after a closing quote")),
                sound(3),
                sound(4),
                (6, Shape::Blank),
                (7, Shape::Broken("has text after a closing quote")),
                sound(8),
                (9, Shape::Unended),
            ]
        );
        assert_eq!(shapes("\"abc"), [(1, Shape::Broken("opens a quote and does not close it"))]);
    }

    fn is_utf8(record: &Record<'_>) -> bool {
        !matches!(record.shape, Shape::Broken(_))
    }

    proptest! {
        #[test]
        fn rows_cover_the_file_and_agree_with_the_reader(text in "[a\",\n\r ]{0,60}") {
            let records: Vec<Record<'_>> = Records::new(text.as_bytes(), 0, 1).collect();
            let mut end = 0;
            for record in &records {
                prop_assert_eq!(record.range.start, end);
                end = record.range.end;
                let bytes = &text.as_bytes()[record.range.clone()];
                if is_utf8(record) {
                    prop_assert_eq!(record.text.as_bytes(), bytes);
                    prop_assert_eq!(record.content().as_bytes(), trim_end(bytes));
                }
                if record.is_plain {
                    prop_assert_eq!(measure(bytes), Ok(bytes.len()));
                    let cells: Vec<&str> = std::str::from_utf8(trim_end(bytes)).unwrap().split(',').collect();
                    if record.shape == Shape::Sound {
                        let row = super::super::table::reader(trim_end(bytes)).into_records().next().unwrap().unwrap();
                        prop_assert_eq!(row.iter().collect::<Vec<_>>(), cells);
                    }
                }
                if record.shape == Shape::Sound {
                    let row = trim_end(&text.as_bytes()[record.range.clone()]);
                    let mut reader = super::super::table::reader(row);
                    prop_assert_eq!(reader.records().count(), 1);
                }
            }
            prop_assert_eq!(end, text.len());
        }

        #[test]
        fn two_parts_are_the_whole(text in "[a\",\n\r ]{0,60}", row: prop::sample::Index) {
            let whole = Records::new(text.as_bytes(), 0, 1);
            let records: Vec<Record<'_>> = whole.clone().collect();
            if let Some(middle) = (!records.is_empty()).then(|| row.get(&records).range.start) {
                let parts: Vec<Record<'_>> = whole.clone().until(middle).chain(whole.from(middle)).collect();
                prop_assert_eq!(parts, records);
            }
        }
    }
}
