//! Tables that fit the terminal.

use std::fmt::Write as _;
use std::io::Write;

use aiwaf_core::Timestamp;
use aiwaf_storage::both;
use unicode_width::UnicodeWidthChar;

use super::text::{short_time, width};
use super::{Style, printable};

/// The columns of a table.
///
/// In a pipe every cell is shown in full. On a terminal, the texts of flexible columns are cut until a row fits, and if
/// even that is too wide, the last columns are left out. Rows are formatted twice, once to measure and once to print, so
/// a million of them take no memory; many of them by two threads.
pub(crate) struct Table {
    columns: Vec<Column>,
}

/// One column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    heading: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// As wide as its widest cell.
    Fixed,
    /// As `Fixed`, with the texts to the right.
    Number,
    /// Cut if need be.
    Flexible,
}

/// So many rows are formatted at once by each of two threads.
const AT_ONCE: usize = 4096;
/// No flexible column is cut below that.
const MIN_FLEXIBLE: usize = 12;
/// Of a time to the second, in years of four digits.
const TIME_WIDTH: usize = "0000-00-00T00:00:00Z".len();
const GAP: &str = "  ";
const INDENT: &str = "  ";

impl Column {
    pub(crate) const fn new(heading: &'static str) -> Self {
        Self { heading, kind: Kind::Fixed }
    }

    /// With numbers.
    pub(crate) const fn number(heading: &'static str) -> Self {
        Self { heading, kind: Kind::Number }
    }

    /// With texts that are cut if need be.
    pub(crate) const fn flexible(heading: &'static str) -> Self {
        Self { heading, kind: Kind::Flexible }
    }
}

/// The cells of one row, in the order of the columns.
pub(crate) struct Cells {
    texts: Vec<String>,
    used: usize,
    /// How wide the columns are so far, if only that matters.
    widths: Option<Vec<usize>>,
}

impl Cells {
    fn new(columns: usize) -> Self {
        Self { texts: vec![String::new(); columns], used: 0, widths: None }
    }

    /// Fills the next cell. A cell beyond the last column is a mistake in the command, and not shown.
    pub(crate) fn push(&mut self, value: impl std::fmt::Display) {
        if let Some(text) = self.texts.get_mut(self.used) {
            text.clear();
            // Writing to a string can't fail.
            let _ = write!(text, "{value}");
            if let std::borrow::Cow::Owned(replaced) = printable(text) {
                *text = replaced;
            }
            if let Some(known) = self.widths.as_mut().and_then(|widths| widths.get_mut(self.used)) {
                *known = (*known).max(width(text));
            }
            self.used += 1;
        }
    }

    /// As [`push`](Self::push), for a value whose text has no more bytes than that.
    ///
    /// No text is wider than it has bytes, so nearly all of a million rows need not be formatted to be measured.
    pub(crate) fn push_short(&mut self, value: impl std::fmt::Display, bytes: usize) {
        match self.widths.as_ref().and_then(|widths| widths.get(self.used)) {
            Some(known) if bytes <= *known => self.used += 1,
            _ => self.push(value),
        }
    }

    /// Fills the next cell with a time to the second, or with `unknown`.
    pub(crate) fn push_time(&mut self, time: Option<Timestamp>, unknown: &str) {
        match time {
            Some(time) => self.push_short(short_time(time), TIME_WIDTH),
            None => self.push_short(unknown, unknown.len()),
        }
    }

    fn fill<T>(&mut self, row: &T, cells: &impl Fn(&T, &mut Self)) -> &[String] {
        self.used = 0;
        cells(row, self);
        for text in self.texts.iter_mut().skip(self.used) {
            text.clear();
        }
        &self.texts
    }
}

impl Table {
    pub(crate) fn new(columns: impl Into<Vec<Column>>) -> Self {
        Self { columns: columns.into() }
    }

    /// Writes the rows, each filled by `cells`, below their headings.
    pub(crate) fn write<T: Sync>(
        &self,
        out: &mut dyn Write,
        style: Style,
        rows: &[T],
        cells: impl Fn(&T, &mut Cells) + Sync,
    ) -> std::io::Result<()> {
        let widths = self.fit(&self.measure_all(rows, &cells), style.width);
        let mut line = String::new();
        // A table of names and values needs no headings.
        if self.columns.iter().any(|column| !column.heading.is_empty()) {
            let headings: Vec<String> = self.columns.iter().map(|column| column.heading.to_owned()).collect();
            self.line(&mut line, &headings, &widths);
            writeln!(out, "{}{line}{}", style.dim(), style.plain())?;
        }
        for part in rows.chunks(2 * AT_ONCE) {
            let Some((first, second)) = part.split_at_checked(AT_ONCE) else {
                out.write_all(self.lines(part, &widths, &cells).as_bytes())?;
                break;
            };
            let (first, second) =
                both(|| self.lines(first, &widths, &cells), || self.lines(second, &widths, &cells));
            out.write_all(first.as_bytes())?;
            out.write_all(second.as_bytes())?;
        }
        Ok(())
    }

    /// How wide each column wants to be.
    fn measure_all<T: Sync>(&self, rows: &[T], cells: &(impl Fn(&T, &mut Cells) + Sync)) -> Vec<usize> {
        if rows.len() < 2 * AT_ONCE {
            return self.measure(rows, cells);
        }
        let (first, second) = rows.split_at(rows.len() / 2);
        let (first, second) = both(|| self.measure(first, cells), || self.measure(second, cells));
        first.into_iter().zip(second).map(|(first, second)| first.max(second)).collect()
    }

    fn measure<T>(&self, rows: &[T], cells: &impl Fn(&T, &mut Cells)) -> Vec<usize> {
        let widths = self.columns.iter().map(|column| width(column.heading)).collect();
        let mut texts = Cells { widths: Some(widths), ..Cells::new(self.columns.len()) };
        for row in rows {
            texts.fill(row, cells);
        }
        texts.widths.unwrap_or_default()
    }

    /// The rows as they are printed.
    fn lines<T>(&self, rows: &[T], widths: &[usize], cells: &impl Fn(&T, &mut Cells)) -> String {
        let mut texts = Cells::new(self.columns.len());
        let mut lines = String::new();
        for row in rows {
            self.line(&mut lines, texts.fill(row, cells), widths);
            lines.push('\n');
        }
        lines
    }

    /// The widths of the columns that are shown.
    fn fit(&self, wanted: &[usize], terminal: Option<usize>) -> Vec<usize> {
        let Some(terminal) = terminal else { return wanted.to_vec() };
        let total = |widths: &[usize]| {
            widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1) + INDENT.len()
        };
        let mut widths = wanted.to_vec();
        while widths.len() > 1 {
            let excess = total(&widths).saturating_sub(terminal);
            let flexible: Vec<usize> = self
                .columns
                .iter()
                .zip(&widths)
                .map(
                    |(column, width)| {
                        if column.kind == Kind::Flexible { width.saturating_sub(MIN_FLEXIBLE) } else { 0 }
                    },
                )
                .collect();
            if flexible.iter().sum::<usize>() >= excess {
                return cut(&widths, &flexible, excess);
            }
            widths.pop();
        }
        widths
    }

    fn line(&self, line: &mut String, texts: &[String], widths: &[usize]) {
        line.push_str(INDENT);
        let last = widths.len().saturating_sub(1);
        for (index, ((text, room), column)) in texts.iter().zip(widths).zip(&self.columns).enumerate() {
            if index > 0 {
                line.push_str(GAP);
            }
            let wanted = width(text);
            let is_cut = column.kind == Kind::Flexible && wanted > *room;
            let (shown, taken) = if is_cut {
                let shown = start(text, room.saturating_sub(1));
                (shown, width(shown) + 1)
            } else {
                (text.as_str(), wanted)
            };
            let padding = room.saturating_sub(taken);
            if column.kind == Kind::Number {
                line.extend(std::iter::repeat_n(' ', padding));
            }
            line.push_str(shown);
            if is_cut {
                line.push('…');
            }
            if column.kind != Kind::Number && index != last {
                line.extend(std::iter::repeat_n(' ', padding));
            }
        }
        line.truncate(line.trim_end_matches(' ').len());
    }
}

/// Takes `excess` off the columns, each in proportion to what can be taken from it.
fn cut(widths: &[usize], flexible: &[usize], excess: usize) -> Vec<usize> {
    let mut left = excess;
    let mut room: usize = flexible.iter().sum();
    let shrink = widths.iter().zip(flexible).map(|(width, flexible)| {
        let share = (left * flexible).div_ceil(room.max(1)).min(*flexible).min(left);
        left -= share;
        room -= flexible;
        width - share
    });
    shrink.collect()
}

/// The beginning of the text that is at most `width` columns wide.
fn start(text: &str, width: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|(_, character)| {
        used += character.width().unwrap_or(0);
        used > width
    });
    end.map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(width: Option<usize>) -> String {
        let table = Table::new([
            Column::new("ADDRESS"),
            Column::flexible("REASON"),
            Column::number("COUNT"),
            Column::new("ADDED"),
        ]);
        let rows = [
            ("10.0.0.1", "a reason that goes on and on\x1b[31m", 7, "2025-09-14"),
            ("2001:db8::/64", "größer 中文", 1234, ""),
        ];
        let mut out = Vec::new();
        let style = Style { width, ..Style::default() };
        let cells = |row: &(&str, &str, u32, &str), cells: &mut Cells| {
            cells.push(row.0);
            cells.push(row.1);
            cells.push(row.2);
            cells.push(row.3);
        };
        table.write(&mut out, style, &rows, cells).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn in_a_pipe_everything_is_there() {
        assert_eq!(
            table(None),
            "  ADDRESS        REASON                             COUNT  ADDED\n\
             \x20 10.0.0.1       a reason that goes on and on\u{fffd}[31m      7  2025-09-14\n\
             \x20 2001:db8::/64  größer 中文                         1234\n"
        );
    }

    #[test]
    fn on_a_terminal_reasons_give_way_and_then_columns() {
        assert_eq!(
            table(Some(60)),
            "  ADDRESS        REASON                    COUNT  ADDED\n\
             \x20 10.0.0.1       a reason that goes on a…      7  2025-09-14\n\
             \x20 2001:db8::/64  größer 中文                1234\n"
        );
        assert_eq!(
            table(Some(38)),
            "  ADDRESS        REASON          COUNT\n\
             \x20 10.0.0.1       a reason that…      7\n\
             \x20 2001:db8::/64  größer 中文      1234\n"
        );
        assert_eq!(table(Some(5)), "  ADDRESS\n  10.0.0.1\n  2001:db8::/64\n");
    }

    #[test]
    fn many_rows_stay_in_order() {
        for count in [AT_ONCE - 1, AT_ONCE, 2 * AT_ONCE, 5 * AT_ONCE + 1] {
            let rows: Vec<usize> = (0..count).collect();
            let mut out = Vec::new();
            let table = Table::new([Column::new(""), Column::number("")]);
            let cells = |row: &usize, cells: &mut Cells| {
                cells.push("x");
                cells.push(row);
            };
            table.write(&mut out, Style::default(), &rows, cells).unwrap();
            let wide = (count - 1).to_string().len();
            let expected: Vec<String> = rows.iter().map(|row| format!("  x  {row:>wide$}")).collect();
            assert!(String::from_utf8(out).unwrap().lines().eq(expected), "{count}");
        }
    }

    #[test]
    fn no_row_is_wider_than_a_terminal_that_has_room_for_the_first_column() {
        for width in 16..100 {
            for line in table(Some(width)).lines() {
                assert!(super::width(line) <= width, "{width}: {line}");
            }
        }
    }
}
