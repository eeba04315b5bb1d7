//! How a tree is grown from rows.

use std::ops::Range;

use ndarray::ArrayView2;
#[cfg(feature = "rayon")]
use rayon::prelude::*;

use super::parameters::{Extension, ForestParameters};
use super::path_length::height_limit;
use super::random::Random;
use super::tree::{Node, Term, Tree};

/// Grows the trees, in their order. `rows` and `parameters` are checked, `sample_size` is at most the number of rows.
pub(super) fn grow(
    rows: &ArrayView2<'_, f64>,
    sample_size: usize,
    parameters: &ForestParameters,
) -> Vec<Tree> {
    let grower = || Grower::new(rows, sample_size, parameters.extension, parameters.seed);
    #[cfg(feature = "rayon")]
    return (0..parameters.trees).into_par_iter().map_init(grower, Grower::grow).collect();
    #[cfg(not(feature = "rayon"))]
    {
        let mut grower = grower();
        (0..parameters.trees).map(|number| grower.grow(number)).collect()
    }
}

/// Grows tree after tree from the same rows, and keeps its buffers.
struct Grower<'a> {
    rows: ArrayView2<'a, f64>,
    sample_size: usize,
    /// How many columns a split looks at; 1 without weights is the standard forest.
    width: usize,
    is_extended: bool,
    seed: u64,
    /// One bit for each row: whether it is in the sample.
    drawn: Vec<u64>,
    /// The sample, column after column.
    sample: Vec<f64>,
    /// Which rows of the sample are in which node: those of a node stand together.
    order: Vec<u32>,
    /// The columns in an order that changes with every draw.
    columns: Vec<u16>,
}

impl<'a> Grower<'a> {
    fn new(rows: &ArrayView2<'a, f64>, sample_size: usize, extension: Extension, seed: u64) -> Self {
        let columns = u16::try_from(rows.ncols()).unwrap_or(u16::MAX);
        Self {
            rows: *rows,
            sample_size,
            width: extension.width(),
            is_extended: extension.is_extended(),
            seed,
            drawn: vec![0; rows.nrows().div_ceil(64)],
            sample: vec![0.0; sample_size * rows.ncols()],
            order: Vec::with_capacity(sample_size),
            columns: (0..columns).collect(),
        }
    }

    /// The tree with this number, whichever were grown before.
    fn grow(&mut self, number: u32) -> Tree {
        let mut random = Random::stream(self.seed, u64::from(number));
        self.draw_sample(&mut random);
        self.columns.sort_unstable();
        let mut tree = Tree { nodes: Vec::new(), width: self.width, terms: Vec::new() };
        let height = height_limit(u32::try_from(self.sample_size).unwrap_or(u32::MAX));
        self.grow_below(0..self.sample_size, height, &mut random, &mut tree);
        tree
    }

    /// Draws rows without putting any back (Floyd's algorithm: Bentley and Floyd 1987), and copies them.
    fn draw_sample(&mut self, random: &mut Random) {
        let rows = self.rows.nrows();
        let mut take = |row: usize| {
            let Some(word) = self.drawn.get_mut(row / 64) else { return false };
            let bit = 1 << (row % 64);
            let is_new = *word & bit == 0;
            *word |= bit;
            is_new
        };
        let mut sample: Vec<usize> = Vec::with_capacity(self.sample_size);
        for last in rows - self.sample_size..rows {
            let row = random.below(last + 1);
            sample.push(if take(row) {
                row
            } else {
                take(last);
                last
            });
        }
        for (place, &row) in sample.iter().enumerate() {
            for (column, value) in self.rows.row(row).iter().enumerate() {
                self.sample[column * self.sample_size + place] = *value;
            }
            self.drawn[row / 64] = 0;
        }
        self.order.clear();
        self.order.extend(0..u32::try_from(self.sample_size).unwrap_or(u32::MAX));
    }

    fn grow_below(&mut self, rows: Range<usize>, height: u32, random: &mut Random, tree: &mut Tree) {
        let count = rows.len();
        let split =
            if height == 0 || count < 2 { None } else { self.choose_split(rows.clone(), random, tree) };
        let Some(offset) = split else {
            tree.nodes.push(Node::Leaf { rows: u32::try_from(count).unwrap_or(u32::MAX) });
            return;
        };
        tree.nodes.push(Node::Split { offset });
        let first_term = tree.terms.len() - self.width;
        let middle = self.partition(rows.clone(), &tree.terms[first_term..], offset);
        self.grow_below(rows.start..middle, height - 1, random, tree);
        self.grow_below(middle..rows.end, height - 1, random, tree);
    }

    /// Adds the terms of a split of these rows to the tree, and returns its offset; `None` if all rows are alike.
    ///
    /// Columns are drawn until as many vary among these rows as a split looks at, so one that is constant here is
    /// never chosen, and all others are equally likely.
    fn choose_split(&mut self, rows: Range<usize>, random: &mut Random, tree: &mut Tree) -> Option<f64> {
        let first_term = tree.terms.len();
        let mut offset = 0.0;
        let mut left = self.columns.len();
        while left > 0 && tree.terms.len() < first_term + self.width {
            let choice = random.below(left);
            left -= 1;
            self.columns.swap(choice, left);
            let column = self.columns[left];
            let (low, high) = self.range(rows.clone(), column);
            if low >= high {
                continue;
            }
            let point = random.between(low, high);
            if self.is_extended {
                let weight = random.normal();
                tree.terms.push(Term { column, weight });
                offset += weight * point;
            } else {
                tree.terms.push(Term { column, weight: 1.0 });
                // Rounding must not put all rows on one side.
                offset = if point < high { point } else { low };
            }
        }
        if tree.terms.len() == first_term {
            return None;
        }
        tree.terms.resize(first_term + self.width, Term::NOTHING);
        Some(offset)
    }

    fn column(&self, column: u16) -> &[f64] {
        let start = usize::from(column) * self.sample_size;
        &self.sample[start..start + self.sample_size]
    }

    /// The lowest and the highest value of a column among these rows.
    fn range(&self, rows: Range<usize>, column: u16) -> (f64, f64) {
        let column = self.column(column);
        self.order[rows].iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &row| {
            let value = column[row as usize];
            (if value < low { value } else { low }, if value > high { value } else { high })
        })
    }

    /// Brings the rows that go left to the front, and returns where the others begin.
    fn partition(&mut self, rows: Range<usize>, terms: &[Term], offset: f64) -> usize {
        let mut middle = rows.start;
        for place in rows {
            let row = self.order[place] as usize;
            let sum: f64 = if self.is_extended {
                terms.iter().map(|term| term.weight * self.column(term.column)[row]).sum()
            } else {
                terms.iter().map(|term| self.column(term.column)[row]).sum()
            };
            if sum <= offset {
                self.order.swap(place, middle);
                middle += 1;
            }
        }
        middle
    }
}
