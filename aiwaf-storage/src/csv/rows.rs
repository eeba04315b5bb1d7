//! The rows of a file, read by two threads if there are many.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::thread;

use super::cell::unguard;
use super::problems::Problems;
use super::record::{Record, Records, Shape, trim_end};
use super::row::{self, Cells, Row};
use super::table::{Header, Item, Wanted, reader};
use crate::both;

/// What a file holds below its first line.
pub(super) struct Rows<T> {
    pub(super) items: Vec<Item>,
    /// One for each [`Item::Row`], in the same order.
    pub(super) entries: Vec<T>,
    pub(super) problems: Problems,
    /// Where each entry stands.
    places: Vec<Place>,
    /// The hashes of their keys: equal keys have equal ones.
    hashes: Vec<u64>,
}

/// Where a row begins. No file is too long for these numbers.
#[derive(Debug, Clone, Copy)]
struct Place {
    line: u32,
    start: u32,
}

/// How the rows of a file are read.
pub(super) struct RowReader<'a, T: Row> {
    pub(super) text: &'a [u8],
    pub(super) header: &'a Header,
    pub(super) wanted: &'a Wanted<T::Key>,
    pub(super) hasher: RandomState,
}

/// Below that many bytes a second thread is not worth its start.
const MIN_SHARED: usize = 1024 * 1024;

impl<T: Row> RowReader<'_, T> {
    /// All rows behind the first line. Of several that name the same, the last one counts, in the place of the first.
    pub(super) fn read(&self, records: Records<'_>) -> Rows<T> {
        let mut rows = match self.middle(&records) {
            None => self.read_part(records),
            Some(middle) => self.read_halves(records.clone().until(middle), &records.from(middle)),
        };
        rows.merge_doubles(self.text);
        rows
    }

    /// Where a row in the middle begins, if the rows are to be shared by two threads. Not by more: a running service that
    /// reads its lists again needs the other cores for requests.
    fn middle(&self, records: &Records<'_>) -> Option<usize> {
        let rest = self.text.get(records.start()..)?;
        if rest.len() < MIN_SHARED || thread::available_parallelism().is_ok_and(|cores| cores.get() == 1) {
            return None;
        }
        let half = rest.len() / 2;
        let (first, second) = rest.split_at_checked(half)?;
        // Only quotes make a line break something else than the end of a row.
        if memchr::memchr(b'"', first).is_none() {
            let length = half + memchr::memchr2(b'\n', b'"', second)? + 1;
            if rest.get(length - 1) == Some(&b'\n') {
                return Some(records.start() + length);
            }
        }
        let middle = records.start() + half;
        records.clone().map(|record| record.range.end).find(|end| *end >= middle)
    }

    fn read_halves(&self, first: Records<'_>, second: &Records<'_>) -> Rows<T> {
        let (mut rows, rest) = both(|| self.read_part(first), || self.read_part(second.clone()));
        rows.append(rest);
        rows
    }

    fn read_part(&self, records: Records<'_>) -> Rows<T> {
        // All rows with quotes go through one reader, which is ten times as fast as one reader for each.
        let mut quoted = Vec::new();
        let part = self.text.get(records.start()..records.end()).unwrap_or_default();
        // So does a last row without a line break, quotes or not.
        if memchr::memchr(b'"', part).is_some() || !part.ends_with(b"\n") {
            for record in records.clone().filter(|record| is_sound(record) && !record.is_plain) {
                quoted.extend_from_slice(trim_end(record.text.as_bytes()));
                quoted.push(b'\n');
            }
        }
        let mut reader = reader(&quoted);
        let mut row = csv::StringRecord::new();
        let mut cells: Vec<&str> = Vec::new();
        let mut rows = Rows::with_room(self.room(&records));
        let has_items = !matches!(self.wanted, Wanted::Entries);
        let key = self.header.positions.first().copied().flatten().unwrap_or(0);
        for record in records {
            let what = match record.shape {
                Shape::Blank => {
                    rows.keep(record.range, has_items);
                    continue;
                }
                Shape::Broken(what) => Err(what.to_owned()),
                Shape::Sound | Shape::Unended if record.is_plain => {
                    let line = record.content();
                    if let Wanted::Named(keys) = self.wanted
                        && record.shape == Shape::Sound
                        && !is_named::<T>(nth_cell(line, key), keys)
                    {
                        rows.keep(record.range, true);
                        continue;
                    }
                    split_cells(line, &mut cells);
                    self.read_row(row::Record::Plain(&cells), record.shape)
                }
                Shape::Sound | Shape::Unended => match reader.read_record(&mut row) {
                    Ok(true) => {
                        if let Wanted::Named(keys) = self.wanted
                            && record.shape == Shape::Sound
                            && !is_named::<T>(row.get(key), keys)
                        {
                            rows.keep(record.range, true);
                            continue;
                        }
                        self.read_row(row::Record::Parsed(&row), record.shape)
                    }
                    Ok(false) => Err("is no row".to_owned()),
                    Err(error) => Err(error.to_string()),
                },
            };
            let line = self.text.get(record.range.clone()).unwrap_or_default();
            match what {
                Ok((entry, notes)) => {
                    for note in notes {
                        rows.problems.report(T::FILE, record.line, line, note);
                    }
                    rows.hashes.push(self.hasher.hash_one(entry.key()));
                    rows.places.push(Place::of(&record));
                    rows.entries.push(entry);
                    if has_items {
                        rows.items.push(Item::Row(record.range));
                    }
                }
                Err(what) => {
                    let what = format!("{what}; the row is kept, but has no effect");
                    rows.problems.report(T::FILE, record.line, line, what);
                    if record.shape == Shape::Unended || !line.ends_with(b"\n") {
                        rows.items.push(Item::Tail(record.range));
                    } else {
                        rows.keep(record.range, has_items);
                    }
                }
            }
        }
        rows
    }

    /// How many entries to make room for: as many as there are lines up to the end of the file, for what a second thread
    /// reads is put behind.
    fn room(&self, records: &Records<'_>) -> usize {
        let text = self.text.get(records.start()..).unwrap_or_default();
        match self.wanted {
            Wanted::Named(keys) => keys.len(),
            // Blank lines need no room. No row of a long list is shorter than that.
            Wanted::Entries | Wanted::Everything => {
                memchr::memchr_iter(b'\n', text).count().min(text.len() / 8 + 1)
            }
        }
    }

    fn read_row(&self, row: row::Record<'_>, shape: Shape) -> Result<(T, Vec<String>), String> {
        let columns = self.header.names.len();
        if row.len() > columns {
            return Err(format!("has {} cells under {columns} columns", row.len()));
        }
        let unended = shape == Shape::Unended;
        if unended && row.len() < columns {
            return Err("is cut off".to_owned());
        }
        let mut cells = Cells { record: row, positions: &self.header.positions, notes: Vec::new() };
        let entry = T::read(&mut cells)?;
        if unended {
            cells.notes.push("has no line break, so it may have been cut off".to_owned());
        }
        Ok((entry, cells.notes))
    }
}

impl Place {
    fn of(record: &Record<'_>) -> Self {
        Self {
            line: u32::try_from(record.line).unwrap_or(u32::MAX),
            start: u32::try_from(record.range.start).unwrap_or(u32::MAX),
        }
    }
}

impl<T: Row> Rows<T> {
    fn with_room(entries: usize) -> Self {
        Self {
            items: Vec::new(),
            entries: Vec::with_capacity(entries),
            problems: Problems::default(),
            places: Vec::with_capacity(entries),
            hashes: Vec::with_capacity(entries),
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

    /// Puts the rows that follow behind these.
    fn append(&mut self, mut next: Self) {
        self.items.append(&mut next.items);
        self.entries.append(&mut next.entries);
        self.places.append(&mut next.places);
        self.hashes.append(&mut next.hashes);
        self.problems.merge(next.problems);
    }

    /// Of entries with the same key, leaves the last one in the place of the first.
    fn merge_doubles(&mut self, text: &[u8]) {
        let suspects = doubles(&self.hashes);
        if suspects.is_empty() {
            return;
        }
        let mut firsts: HashMap<T::Key, usize> = HashMap::new();
        let mut is_replaced = vec![false; self.entries.len()];
        let rows: Vec<usize> = (0..self.items.len()).filter(|item| self.is_row(*item)).collect();
        let mut is_dropped = vec![false; self.items.len()];
        let mut problems = Problems::default();
        for index in 0..self.entries.len() {
            let (Some(hash), Some(entry)) = (self.hashes.get(index), self.entries.get(index)) else { break };
            if suspects.binary_search(hash).is_err() {
                continue;
            }
            let first = *firsts.entry(entry.key()).or_insert(index);
            let [Some(place), Some(before)] = [index, first].map(|index| self.places.get(index).copied())
            else {
                break;
            };
            if first == index {
                continue;
            }
            let what =
                format!("replaces line {}, which names the same and goes with its next change", before.line);
            let row = Records::new(text, place.start as usize, 0).next().map_or(0..0, |record| record.range);
            problems.report(T::FILE, u64::from(place.line), text.get(row).unwrap_or_default(), what);
            self.entries.swap(first, index);
            self.places.swap(first, index);
            if let Some(replaced) = is_replaced.get_mut(index) {
                *replaced = true;
            }
            if let (Some(first), Some(item)) = (rows.get(first), rows.get(index)) {
                self.items.swap(*first, *item);
                if let Some(dropped) = is_dropped.get_mut(*item) {
                    *dropped = true;
                }
            }
        }
        self.problems.merge(problems);
        retain(&mut self.entries, &is_replaced);
        retain(&mut self.items, &is_dropped);
    }

    fn is_row(&self, item: usize) -> bool {
        matches!(self.items.get(item), Some(Item::Row(_)))
    }
}

/// The hashes that stand there more than once, in order. Sorting them is far cheaper than a table of all keys, and nearly
/// every file has none. Whoever finds keys of equal hashes makes them be looked at, and no more.
fn doubles(hashes: &[u64]) -> Vec<u64> {
    let mut sorted = hashes.to_vec();
    sorted.sort_unstable();
    let mut doubles: Vec<u64> =
        sorted.array_windows().filter(|[left, right]| left == right).map(|[hash, _]| *hash).collect();
    doubles.dedup();
    doubles
}

/// Takes out what is marked.
fn retain<E>(elements: &mut Vec<E>, is_gone: &[bool]) {
    let mut gone = is_gone.iter();
    elements.retain(|_| gone.next() != Some(&true));
}

fn is_sound(record: &Record<'_>) -> bool {
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

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use aiwaf_core::WhitelistEntry;
    use proptest::prelude::*;

    use super::*;

    fn with_reader<R>(
        text: &str,
        wanted: &Wanted<ipnet::IpNet>,
        run: impl FnOnce(RowReader<'_, WhitelistEntry>) -> R,
    ) -> R {
        let names = ["ip", "added_date", "reason"].map(str::to_owned).to_vec();
        let positions = WhitelistEntry::COLUMNS.iter().map(|column| column.position(&names)).collect();
        let header = Header { names, positions };
        run(RowReader { text: text.as_bytes(), header: &header, wanted, hasher: RandomState::new() })
    }

    fn shown(rows: Rows<WhitelistEntry>) -> (Vec<String>, Vec<String>, usize, Vec<Range<usize>>) {
        let ranges = rows.items.into_iter().map(|item| match item {
            Item::Row(range) | Item::Kept(range) | Item::Tail(range) => range,
        });
        let entries = rows.entries.iter().map(|entry| format!("{} {}", entry.network, entry.reason));
        let problems = rows.problems.described.iter().map(ToString::to_string);
        (entries.collect(), problems.collect(), rows.problems.more, ranges.collect())
    }

    #[test]
    fn the_last_of_three_counts_in_the_place_of_the_first() {
        let text = "10.0.0.1,,a\n10.0.0.2,,b\n10.0.0.1,,c\n\n10.0.0.3,,d\n10.0.0.1,,e\n";
        for wanted in [Wanted::Entries, Wanted::Everything] {
            let (entries, problems, _, ranges) =
                with_reader(text, &wanted, |reader| shown(reader.read(Records::new(text.as_bytes(), 0, 1))));
            assert_eq!(entries, ["10.0.0.1/32 e", "10.0.0.2/32 b", "10.0.0.3/32 d"]);
            let replaces = |line: u64, first: u64, row: &str| {
                format!(
                    "whitelist.csv, line {line}: replaces line {first}, which names the same and goes with its next \
                     change: {row:?}"
                )
            };
            assert_eq!(problems, [replaces(3, 1, "10.0.0.1,,c"), replaces(6, 3, "10.0.0.1,,e")]);
            if matches!(wanted, Wanted::Everything) {
                assert_eq!(ranges, [49..61, 12..24, 36..37, 37..49]);
            }
        }
    }

    #[test]
    fn a_long_file_is_cut_between_two_rows() {
        let long = "x".repeat(300);
        for quote in ["", "\""] {
            let mut text = String::new();
            while text.len() < MIN_SHARED {
                let number = text.len();
                writeln!(
                    text,
                    "10.{}.{}.{},,{quote}{long}{quote}",
                    number >> 16,
                    number >> 8 & 255,
                    number & 255
                )
                .unwrap();
                if !quote.is_empty() {
                    writeln!(text, "10.0.0.1,,\"line 1\nline 2, and \"\"more\"\"\"").unwrap();
                }
            }
            let starts: HashSet<usize> =
                Records::new(text.as_bytes(), 0, 1).map(|record| record.range.start).collect();
            with_reader(&text, &Wanted::Entries, |reader| {
                let records = Records::new(text.as_bytes(), 0, 1);
                let middle = reader.middle(&records);
                let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
                assert_eq!(middle.is_some(), cores > 1);
                assert!(middle.is_none_or(|middle| starts.contains(&middle) && middle < text.len() * 2 / 3));
            });
        }
    }

    fn any_row() -> impl Strategy<Value = String> {
        prop_oneof![
            6 => (0..6, "[ab]").prop_map(|(host, reason)| format!("10.0.0.{host},,{reason}\n")),
            1 => (0..6).prop_map(|host| format!("10.0.0.{host},,\"two\nlines\"\n")),
            1 => (0..6).prop_map(|host| format!("10.0.0.{host},soon,x\n")),
            1 => Just("\n".to_owned()),
            1 => Just("banana,,\n".to_owned()),
            1 => Just("10.0.0.9,\"open\n".to_owned()),
            1 => Just("10.0.0.8,,end".to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn two_threads_read_what_one_reads(
            rows in prop::collection::vec(any_row(), 1..40),
            cut: prop::sample::Index,
            kind in 0..3,
        ) {
            let text = rows.concat();
            let named = ["10.0.0.1".parse::<std::net::IpAddr>().unwrap().into()].into();
            let wanted = match kind {
                0 => Wanted::Entries,
                1 => Wanted::Everything,
                _ => Wanted::Named(named),
            };
            let records = || Records::new(text.as_bytes(), 0, 1);
            let starts: Vec<usize> = records().map(|record| record.range.start).collect();
            let middle = *cut.get(&starts);
            let (one, two) = with_reader(&text, &wanted, |reader| {
                let mut one = reader.read_part(records());
                one.merge_doubles(reader.text);
                let mut two = reader.read_halves(records().until(middle), &records().from(middle));
                two.merge_doubles(reader.text);
                (shown(one), shown(two))
            });
            prop_assert_eq!((&one.0, &one.1, one.2), (&two.0, &two.1, two.2));
            // Rows that stay as they are may be cut in two.
            let covered = |ranges: Vec<Range<usize>>| ranges.into_iter().flatten().collect::<Vec<_>>();
            prop_assert_eq!(covered(one.3), covered(two.3));
        }
    }
}
