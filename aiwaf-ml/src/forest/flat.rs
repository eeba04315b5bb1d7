//! All trees in flat arrays, in which rows are scored.

use super::parameters::MAX_COLUMNS;
use super::parts::ForestParts;
use super::path_length::{self, average_path_length, height_limit};
use super::score::bounded;
use super::tree::{Node, Tree};

/// The trees as complete binary trees of the same height, level by level.
///
/// The root has the place 1, and what is below place `i` has the places `2 i` and `2 i + 1`, so no links are stored, a
/// step is one comparison and one addition without a branch, and every row takes the same number of steps. A path that
/// ends early goes on to the left until it is at the bottom, where the length of the real path stands.
///
/// Rows are filled up to a [`stride`] with zeros, so that a step needs no check whether its column exists.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FlatTrees {
    /// How many steps from a root to the bottom.
    height: u32,
    /// How many numbers a row has.
    stride: usize,
    /// For each tree and place: rows go right whose value is above that.
    offsets: Vec<f64>,
    values: Values,
    /// For each tree and place at the bottom: the length of the path to there, and what is to be expected below.
    path_lengths: Vec<f64>,
    /// c(n) of the rows that a tree was grown from.
    normal_path_length: f64,
}

/// What is compared, for each tree and place.
#[derive(Debug, Clone, PartialEq)]
enum Values {
    /// A column.
    Column(Vec<u16>),
    /// The sum of all columns with these weights, `stride` for each place.
    Sum(Vec<f64>),
}

/// How many numbers a row of so many columns is filled up to.
pub(super) fn stride(columns: usize) -> usize {
    columns.next_power_of_two().max(8)
}

/// Bytes that [`FlatTrees`] of these sizes take.
pub(super) fn flat_size(trees: u32, sample_size: u32, columns: usize, is_extended: bool) -> u64 {
    let value = if is_extended { stride(columns) * size_of::<f64>() } else { size_of::<u16>() };
    let place = value + 2 * size_of::<f64>();
    u64::from(trees).saturating_mul(1 << height_limit(sample_size)).saturating_mul(place as u64)
}

impl FlatTrees {
    pub(super) fn new(parts: &ForestParts) -> Self {
        let (height, stride) = (parts.height(), stride(parts.columns));
        let places = parts.trees.len() << height;
        let mut flat = Self {
            height,
            stride,
            offsets: vec![f64::INFINITY; places],
            values: if parts.extension.is_extended() {
                Values::Sum(vec![0.0; places * stride])
            } else {
                Values::Column(vec![0; places])
            },
            path_lengths: vec![0.0; places],
            normal_path_length: average_path_length(parts.sample_size),
        };
        for (number, tree) in parts.trees.iter().enumerate() {
            flat.lay_out(tree, number << height);
        }
        flat
    }

    /// Puts `tree` where its places begin.
    fn lay_out(&mut self, tree: &Tree, start: usize) {
        let mut terms = tree.terms.chunks_exact(tree.width);
        // The places that are still to be filled, the next one last.
        let mut open = vec![(1usize, 0u32)];
        for node in &tree.nodes {
            let Some((place, depth)) = open.pop() else { return };
            match *node {
                Node::Split { offset } => {
                    let terms = terms.next().unwrap_or_default();
                    self.offsets[start + place] = offset;
                    for term in terms {
                        match &mut self.values {
                            Values::Column(columns) => columns[start + place] = term.column,
                            Values::Sum(weights) => {
                                let first = (start + place) * self.stride;
                                weights[first + usize::from(term.column)] += term.weight;
                            }
                        }
                    }
                    open.extend([(place * 2 + 1, depth + 1), (place * 2, depth + 1)]);
                }
                Node::Leaf { rows } => {
                    let bottom = (place << (self.height - depth)) - (1 << self.height);
                    self.path_lengths[start + bottom] = f64::from(depth) + average_path_length(rows);
                }
            }
        }
    }

    /// How many numbers a row has for [`scores`](Self::scores).
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// The score of each row in `rows`, which stand one after the other, each filled up to the stride and
    /// [`bounded`].
    pub(super) fn scores(&self, rows: &[f64], scores: &mut [f64]) {
        scores.fill(0.0);
        match self.stride {
            8 => self.add_path_lengths::<8>(rows, scores),
            16 => self.add_path_lengths::<16>(rows, scores),
            32 => self.add_path_lengths::<32>(rows, scores),
            64 => self.add_path_lengths::<64>(rows, scores),
            stride => {
                for (row, score) in rows.chunks_exact(stride).zip(&mut *scores) {
                    *score = self.path_length(row);
                }
            }
        }
        for score in scores {
            *score = self.score_of(*score);
        }
    }

    /// The score of one row, the same bit for bit, for trees are always added up in their order.
    pub(super) fn score(&self, row: &[f64]) -> f64 {
        self.score_of(match self.stride {
            8 => self.path_length_of(&filled::<8>(row)),
            16 => self.path_length_of(&filled::<16>(row)),
            32 => self.path_length_of(&filled::<32>(row)),
            64 => self.path_length_of(&filled::<64>(row)),
            // Wide rows are rare, so one size does for all of them.
            stride => self.path_length(&filled::<MAX_COLUMNS>(row)[..stride]),
        })
    }

    /// The sum of the lengths of the paths of one row, in the quickest way for the size of the trees.
    fn path_length_of<const STRIDE: usize>(&self, row: &[f64; STRIDE]) -> f64 {
        match &self.values {
            Values::Column(columns) if self.height == DEFAULT_HEIGHT => default_path_length(
                row,
                self.offsets.as_chunks().0,
                columns.as_chunks().0,
                self.path_lengths.as_chunks().0,
            ),
            _ => self.path_length(row),
        }
    }

    /// The score for the sum of the lengths of all paths.
    fn score_of(&self, path_lengths: f64) -> f64 {
        #[allow(clippy::cast_precision_loss)] // some thousand trees
        let trees = (self.path_lengths.len() >> self.height) as f64;
        path_length::score(path_lengths / trees, self.normal_path_length)
    }

    fn add_path_lengths<const STRIDE: usize>(&self, rows: &[f64], sums: &mut [f64]) {
        let (rows, _) = rows.as_chunks::<STRIDE>();
        let (groups, rest) = rows.as_chunks::<LANES>();
        let (group_sums, rest_sums) = sums.as_chunks_mut::<LANES>();
        let places = 1 << self.height;
        // A tree is a few kilobytes and a block of rows is not many more: both stay in the first cache meanwhile.
        for (tree, path_lengths) in self.path_lengths.chunks_exact(places).enumerate() {
            let range = tree * places..(tree + 1) * places;
            let offsets = &self.offsets[range.clone()];
            match &self.values {
                Values::Column(columns) => {
                    let columns = &columns[range];
                    descend_columns(groups, group_sums, offsets, columns, path_lengths);
                    let rest = (rest.as_chunks::<1>().0, rest_sums.as_chunks_mut().0);
                    descend_columns(rest.0, rest.1, offsets, columns, path_lengths);
                }
                Values::Sum(weights) => {
                    let weights = weights[range.start * STRIDE..range.end * STRIDE].as_chunks().0;
                    descend_sums(groups, group_sums, offsets, weights, path_lengths);
                    let rest = (rest.as_chunks::<1>().0, rest_sums.as_chunks_mut().0);
                    descend_sums(rest.0, rest.1, offsets, weights, path_lengths);
                }
            }
        }
    }

    /// The sum of the lengths of the paths of one row, which goes down some trees side by side.
    #[allow(clippy::inline_always)] // so that the length of the row is known in the loop
    #[inline(always)]
    fn path_length(&self, row: &[f64]) -> f64 {
        let places = 1 << self.height;
        let trees = self.path_lengths.len() >> self.height;
        let mut sum = 0.0;
        for first in (0..trees).step_by(LANES) {
            // The last trees may be fewer; then the last one is descended several times, and counted once.
            let starts: [usize; LANES] = std::array::from_fn(|lane| (first + lane).min(trees - 1) * places);
            let mut at = [1usize; LANES];
            for _ in 0..self.height {
                for (place, start) in at.iter_mut().zip(starts) {
                    let split = start + *place;
                    let value = match &self.values {
                        Values::Column(columns) => row[usize::from(columns[split])],
                        Values::Sum(weights) => {
                            weighted_sum(row, &weights[split * row.len()..(split + 1) * row.len()])
                        }
                    };
                    *place = *place * 2 + usize::from(value > self.offsets[split]);
                }
            }
            for (place, start) in at.into_iter().zip(starts).take(trees - first) {
                sum += self.path_lengths[start + place - places];
            }
        }
        sum
    }
}

/// How many places a tree has that is grown from 129 to 256 rows, and so by default.
const DEFAULT_PLACES: usize = 256;
const DEFAULT_HEIGHT: u32 = DEFAULT_PLACES.ilog2();

/// How many trees one row goes down side by side. They wait for the second cache, so more than of rows are better; a
/// divisor of the default of 100, so that none is left over.
const TREES_AT_ONCE: usize = 20;

/// The sum of the lengths of the paths of one row in trees of the default size, where the steps need no checks.
fn default_path_length<const STRIDE: usize>(
    row: &[f64; STRIDE],
    offsets: &[[f64; DEFAULT_PLACES]],
    columns: &[[u16; DEFAULT_PLACES]],
    path_lengths: &[[f64; DEFAULT_PLACES]],
) -> f64 {
    let step = |offsets: &[f64; DEFAULT_PLACES], columns: &[u16; DEFAULT_PLACES], place: usize| {
        place * 2 + usize::from(row[usize::from(columns[place]) & (STRIDE - 1)] > offsets[place])
    };
    let mut sum = 0.0;
    let (groups, rest) = offsets.as_chunks::<TREES_AT_ONCE>();
    let (column_groups, column_rest) = columns.as_chunks::<TREES_AT_ONCE>();
    let (length_groups, length_rest) = path_lengths.as_chunks::<TREES_AT_ONCE>();
    for ((offsets, columns), path_lengths) in groups.iter().zip(column_groups).zip(length_groups) {
        let mut places = [1usize; TREES_AT_ONCE];
        for _ in 0..DEFAULT_HEIGHT {
            for ((place, offsets), columns) in places.iter_mut().zip(offsets).zip(columns) {
                *place = step(offsets, columns, *place);
            }
        }
        for (place, path_lengths) in places.into_iter().zip(path_lengths) {
            sum += path_lengths[place - DEFAULT_PLACES];
        }
    }
    for ((offsets, columns), path_lengths) in rest.iter().zip(column_rest).zip(length_rest) {
        let place = (0..DEFAULT_HEIGHT).fold(1, |place, _| step(offsets, columns, place));
        sum += path_lengths[place - DEFAULT_PLACES];
    }
    sum
}

/// A row that is filled up.
fn filled<const STRIDE: usize>(row: &[f64]) -> [f64; STRIDE] {
    let mut filled = [0.0; STRIDE];
    row.iter().zip(&mut filled).for_each(|(value, to)| *to = bounded(*value));
    filled
}

/// How many rows go down a tree side by side, so that their steps don't wait for each other.
const LANES: usize = 8;

/// Lets groups of rows go down one tree by single columns, and adds the lengths of their paths to their sums.
fn descend_columns<const STRIDE: usize, const LANES: usize>(
    groups: &[[[f64; STRIDE]; LANES]],
    sums: &mut [[f64; LANES]],
    offsets: &[f64],
    columns: &[u16],
    path_lengths: &[f64],
) {
    // The stride is a power of two, and no column is beyond it: the mask changes nothing and spares a check.
    if let (Ok(offsets), Ok(columns), Ok(path_lengths)) =
        (offsets.try_into(), columns.try_into(), path_lengths.try_into())
    {
        descend_default_columns(groups, sums, offsets, columns, path_lengths);
    } else {
        descend(groups, sums, offsets, path_lengths, |row, place| {
            row[usize::from(columns[place]) & (STRIDE - 1)]
        });
    }
}

/// The same in a tree of the default size, where the steps can be written out and need no checks: twice as fast.
#[inline(never)] // so that it does not share its registers with what is around it
fn descend_default_columns<const STRIDE: usize, const LANES: usize>(
    groups: &[[[f64; STRIDE]; LANES]],
    sums: &mut [[f64; LANES]],
    offsets: &[f64; DEFAULT_PLACES],
    columns: &[u16; DEFAULT_PLACES],
    path_lengths: &[f64; DEFAULT_PLACES],
) {
    descend(groups, sums, offsets, path_lengths, |row, place| {
        row[usize::from(columns[place]) & (STRIDE - 1)]
    });
}

/// The same by weighted sums.
#[inline(never)]
fn descend_sums<const STRIDE: usize, const LANES: usize>(
    groups: &[[[f64; STRIDE]; LANES]],
    sums: &mut [[f64; LANES]],
    offsets: &[f64],
    weights: &[[f64; STRIDE]],
    path_lengths: &[f64],
) {
    descend(groups, sums, offsets, path_lengths, |row, place| weighted_sum(row, &weights[place]));
}

#[allow(clippy::inline_always)] // so that what is compared is compiled into the loop
#[inline(always)]
fn descend<const STRIDE: usize, const LANES: usize>(
    groups: &[[[f64; STRIDE]; LANES]],
    sums: &mut [[f64; LANES]],
    offsets: &[f64],
    path_lengths: &[f64],
    value: impl Fn(&[f64; STRIDE], usize) -> f64,
) {
    let places = offsets.len();
    for (group, sums) in groups.iter().zip(sums) {
        let mut at = [1usize; LANES];
        for _ in 0..places.trailing_zeros() {
            for (row, place) in group.iter().zip(&mut at) {
                *place = *place * 2 + usize::from(value(row, *place) > offsets[*place]);
            }
        }
        for (sum, place) in sums.iter_mut().zip(at) {
            *sum += path_lengths[place - places];
        }
    }
}

/// The sum of a row's numbers times their weights, in an order that four at a time can be added in.
#[allow(clippy::inline_always)] // so that the length of the row is known in the loop
#[inline(always)]
fn weighted_sum(row: &[f64], weights: &[f64]) -> f64 {
    let mut parts = [0.0; 4];
    for (row, weights) in row.as_chunks::<4>().0.iter().zip(weights.as_chunks::<4>().0) {
        for ((part, value), weight) in parts.iter_mut().zip(row).zip(weights) {
            *part += value * weight;
        }
    }
    (parts[0] + parts[2]) + (parts[1] + parts[3])
}
