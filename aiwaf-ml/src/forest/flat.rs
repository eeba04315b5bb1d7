//! All trees in flat arrays, in which rows are scored.

use super::path_length::{average_path_length, height_limit};
use super::tree::{Node, Tree};

/// The trees as complete binary trees of the same height, level by level.
///
/// The root has the place 1, and what is below place `i` has the places `2 i` and `2 i + 1`, so no links are stored, a
/// step is one comparison and one addition without a branch, and every row takes the same number of steps. A path that
/// ends early goes on to the left until it is at the bottom, where the length of the real path stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FlatTrees {
    /// How many steps from a root to the bottom.
    height: u32,
    /// What the splits look at.
    splits: Splits,
    /// For each tree and place at the bottom: the length of the path to there, and what is to be expected below.
    path_lengths: Vec<f64>,
}

#[derive(Debug, Clone, PartialEq)]
enum Splits {
    /// One column each.
    Axis(Vec<AxisSplit>),
    /// `width` columns each.
    Plane { width: usize, offsets: Vec<f64>, columns: Vec<u16>, weights: Vec<f64> },
}

/// Rows with at most `threshold` in `column` go to the left.
#[derive(Debug, Clone, Copy, PartialEq)]
struct AxisSplit {
    threshold: f64,
    column: u32,
}

/// Bytes that [`FlatTrees`] of these sizes take; `None` if the number has no end.
pub(super) fn flat_size(trees: u32, sample_size: u32, plane_width: Option<usize>) -> Option<u64> {
    let split = match plane_width {
        None => size_of::<AxisSplit>(),
        Some(width) => size_of::<f64>() + width.checked_mul(size_of::<f64>() + size_of::<u16>())?,
    };
    let places = u64::from(trees).checked_mul(1 << height_limit(sample_size))?;
    places.checked_mul(u64::try_from(split + size_of::<f64>()).ok()?)
}

impl FlatTrees {
    /// `plane_width` is `None` for trees whose splits have one term of weight 1.
    pub(super) fn new(trees: &[Tree], sample_size: u32, plane_width: Option<usize>) -> Self {
        let height = height_limit(sample_size);
        let places = trees.len() << height;
        let mut flat = Self {
            height,
            splits: match plane_width {
                None => Splits::Axis(vec![AxisSplit { threshold: f64::INFINITY, column: 0 }; places]),
                Some(width) => Splits::Plane {
                    width,
                    offsets: vec![f64::INFINITY; places],
                    columns: vec![0; places * width],
                    weights: vec![0.0; places * width],
                },
            },
            path_lengths: vec![0.0; places],
        };
        for (number, tree) in trees.iter().enumerate() {
            flat.lay_out(tree, number << height);
        }
        flat
    }

    /// Puts `tree` where its places begin.
    fn lay_out(&mut self, tree: &Tree, start: usize) {
        let width = match &self.splits {
            Splits::Axis(_) => 1,
            Splits::Plane { width, .. } => *width,
        };
        let mut terms = tree.terms.chunks_exact(width);
        // The places that are still to be filled, the next one last.
        let mut places = vec![(1usize, 0u32)];
        for node in &tree.nodes {
            let Some((place, depth)) = places.pop() else { return };
            match *node {
                Node::Split { offset } => {
                    let terms = terms.next().unwrap_or_default();
                    match &mut self.splits {
                        Splits::Axis(splits) => {
                            let column = terms.first().map_or(0, |term| u32::from(term.column));
                            splits[start + place] = AxisSplit { threshold: offset, column };
                        }
                        Splits::Plane { offsets, columns, weights, .. } => {
                            offsets[start + place] = offset;
                            let first = (start + place) * width;
                            for (at, term) in terms.iter().enumerate() {
                                columns[first + at] = term.column;
                                weights[first + at] = term.weight;
                            }
                        }
                    }
                    places.push((place * 2 + 1, depth + 1));
                    places.push((place * 2, depth + 1));
                }
                Node::Leaf { rows } => {
                    let bottom = (place << (self.height - depth)) - (1 << self.height);
                    self.path_lengths[start + bottom] = f64::from(depth) + average_path_length(rows);
                }
            }
        }
    }

    /// The sum of the lengths of the paths of `row` in all trees.
    pub(super) fn path_length(&self, row: &[f64]) -> f64 {
        let places = 1 << self.height;
        let mut sum = 0.0;
        for start in (0..self.path_lengths.len()).step_by(places) {
            let mut place = 1;
            for _ in 0..self.height {
                let goes_right = match &self.splits {
                    Splits::Axis(splits) => {
                        let split = splits[start + place];
                        row[split.column as usize] > split.threshold
                    }
                    Splits::Plane { width, offsets, columns, weights } => {
                        let terms = (start + place) * width..(start + place + 1) * width;
                        let terms = weights[terms.clone()].iter().zip(&columns[terms]);
                        let sum: f64 = terms.map(|(weight, column)| weight * row[usize::from(*column)]).sum();
                        sum > offsets[start + place]
                    }
                };
                place = place * 2 + usize::from(goes_right);
            }
            sum += self.path_lengths[start + place - places];
        }
        sum
    }
}
