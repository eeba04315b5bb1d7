//! What is wrong in a file, as far as anybody reads on.

use super::record::trim_end;
use crate::error::shorten;
use crate::store::{Loaded, RowProblem};

/// The problems of one file.
#[derive(Debug, Default)]
pub(super) struct Problems {
    /// The first ones.
    pub(super) described: Vec<RowProblem>,
    /// How many more there are.
    pub(super) more: usize,
}

impl Problems {
    /// Tells of a row that stands on this line and reads like this.
    pub(super) fn report(&mut self, file: &'static str, line: u64, row: &[u8], what: String) {
        if self.described.len() < Loaded::MAX_PROBLEMS {
            let start = row.get(..400).unwrap_or(row);
            let text = shorten(String::from_utf8_lossy(trim_end(start)).trim_end_matches('\u{fffd}'));
            self.described.push(RowProblem { file, line, text, what });
        } else {
            self.more += 1;
        }
    }

    /// Takes in what else was found; in the order of the lines, and of two on the same line these come first.
    pub(super) fn merge(&mut self, mut others: Self) {
        self.described.append(&mut others.described);
        self.described.sort_by_key(|problem| problem.line);
        self.more += others.more + self.described.len().saturating_sub(Loaded::MAX_PROBLEMS);
        self.described.truncate(Loaded::MAX_PROBLEMS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(lines: impl IntoIterator<Item = u64>, what: &str) -> Problems {
        let mut problems = Problems::default();
        for line in lines {
            problems.report("x.csv", line, b"row\n", what.to_owned());
        }
        problems
    }

    #[test]
    fn the_first_ones_of_all_are_described() {
        let mut merged = problems(0..60, "a");
        merged.merge(problems(30..200, "b"));
        let described: Vec<(u64, &str)> =
            merged.described.iter().map(|problem| (problem.line, problem.what.as_str())).collect();
        assert_eq!((described.len(), merged.more), (100, 130));
        assert_eq!(described[29..33], [(29, "a"), (30, "a"), (30, "b"), (31, "a")]);
        assert_eq!(described[99], (69, "b"));
    }
}
