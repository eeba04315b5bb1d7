//! Columns in text: requests over time as a picture of characters.

use std::fmt::Write as _;

use super::figures::compact;
use crate::output::Style;

/// Columns of numbers, drawn side by side, with what was blocked in red on top.
pub(super) struct Picture<'a> {
    /// All and blocked, for each column.
    pub(super) columns: Vec<(u64, u64)>,
    /// What stands below the columns.
    pub(super) ticks: Vec<Option<String>>,
    /// How many lines high.
    pub(super) height: usize,
    /// How many characters wide, with the numbers at the side.
    pub(super) width: usize,
    pub(super) style: &'a Style,
}

/// Room for the numbers at the side.
pub(super) const MARGIN: usize = 8;
/// A column is at most so wide.
const WIDEST: usize = 4;
/// From nothing to a full character.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

impl Picture<'_> {
    /// The lines, without line breaks at the end.
    pub(super) fn lines(&self) -> Vec<String> {
        let highest = self.columns.iter().map(|(all, _)| *all).max().unwrap_or(0);
        let wide = (self.width.saturating_sub(MARGIN) / self.columns.len().max(1)).clamp(1, WIDEST);
        let mut lines = Vec::new();
        for row in (0..self.height).rev() {
            let number = match row {
                _ if row + 1 == self.height => compact(highest),
                0 => "0".to_owned(),
                _ => String::new(),
            };
            let mut line = format!("{number:>6} ");
            line.push(if self.style.symbols { '│' } else { '|' });
            let mut is_red = false;
            for &(all, blocked) in &self.columns {
                let red = self.is_red(row, all, blocked, highest);
                if red != is_red {
                    line.push_str(if red { self.style.red() } else { self.style.plain() });
                    is_red = red;
                }
                let cell = self.cell(row, all, highest);
                // A gap between columns that are wide enough for one.
                let gap = usize::from(wide > 2);
                line.extend(std::iter::repeat_n(cell, wide - gap).chain(std::iter::repeat_n(' ', gap)));
            }
            if is_red {
                line.push_str(self.style.plain());
            }
            line.truncate(line.trim_end().len());
            lines.push(line);
        }
        lines.push(self.axis(wide));
        lines
    }

    /// What stands in a row, counted from below, of a column.
    fn cell(&self, row: usize, all: u64, highest: u64) -> char {
        let eighths = self.eighths(all, highest);
        if self.style.symbols {
            EIGHTHS.get(eighths.saturating_sub(row * 8)).copied().unwrap_or('█')
        } else if eighths > row * 8 + if row == 0 { 0 } else { 3 } {
            '#'
        } else {
            ' '
        }
    }

    /// Whether most of what shows in a row, counted from below, of a column was blocked. A thin edge is not told: it would
    /// colour some columns and not others by chance.
    fn is_red(&self, row: usize, all: u64, blocked: u64, highest: u64) -> bool {
        let top = self.eighths(all, highest);
        let passed = self.eighths(all.saturating_sub(blocked), highest).min(top);
        let within = |eighths: usize| eighths.saturating_sub(row * 8).min(8);
        top - passed >= 4 && (within(top) - within(passed)) * 2 > within(top)
    }

    /// The height of a column in eighths of a line; what is not nothing shows.
    fn eighths(&self, number: u64, highest: u64) -> usize {
        let full = self.height as u128 * 8;
        let eighths = (u128::from(number) * full + u128::from(highest) / 2) / u128::from(highest.max(1));
        usize::try_from(eighths).unwrap_or(usize::MAX).max(usize::from(number > 0))
    }

    fn axis(&self, wide: usize) -> String {
        let mut line = " ".repeat(MARGIN);
        let mut used = MARGIN;
        for (index, tick) in self.ticks.iter().enumerate() {
            let at = MARGIN + index * wide;
            if let Some(tick) = tick
                && (at > used || used == MARGIN)
                && at + tick.len() <= self.width
            {
                // Writing to a string can't fail.
                let _ = write!(line, "{:1$}{tick}", "", at - used);
                used = at + tick.len();
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYMBOLS: Style = Style { symbols: true, colours: false, width: None };

    fn lines(columns: &[(u64, u64)], width: usize, style: Style) -> Vec<String> {
        let ticks = (0..columns.len()).map(|index| (index % 2 == 0).then(|| format!("t{index}"))).collect();
        Picture { columns: columns.to_vec(), ticks, height: 2, width, style: &style }.lines()
    }

    #[test]
    fn columns_are_as_high_as_their_numbers() {
        let drawn = lines(&[(1600, 0), (800, 0), (100, 0), (1, 0), (0, 0)], 20, SYMBOLS);
        assert_eq!(drawn, ["  1.6k │██", "     0 │████▁▁▁▁", "        t0  t2  t4"]);
        let plain = lines(&[(1600, 0), (800, 0), (100, 0), (1, 0), (0, 0)], 20, Style::default());
        assert_eq!(plain, ["  1.6k |##", "     0 |########", "        t0  t2  t4"]);
    }

    #[test]
    fn what_was_blocked_is_red_where_there_are_colours() {
        let colours = Style { colours: true, ..SYMBOLS };
        let drawn = lines(&[(16, 0), (16, 8), (16, 16)], 11, colours);
        assert_eq!(drawn[0], "    16 │█\x1b[31m██\x1b[0m");
        assert_eq!(drawn[1], "     0 │██\x1b[31m█\x1b[0m");
    }

    #[test]
    fn nothing_and_narrow_terminals_are_no_problem() {
        assert_eq!(lines(&[], 0, SYMBOLS).len(), 3);
        assert_eq!(lines(&[(u64::MAX, u64::MAX); 9], 3, SYMBOLS)[0].chars().count(), MARGIN + 9);
    }
}
