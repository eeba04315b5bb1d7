//! Scores of one row and of many.

use ndarray::{Array1, ArrayView2, Axis, Slice};
#[cfg(feature = "rayon")]
use rayon::prelude::*;

use super::MAX_VALUE;
use super::flat::FlatTrees;

/// What gives the scores.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scorer {
    /// Our own trees.
    Flat(FlatTrees),
    /// Those of the crate `extended-isolation-forest`.
    #[cfg(feature = "eif")]
    Eif(super::eif::EifForest),
}

impl Scorer {
    /// Whether these are our own trees.
    pub(super) fn is_flat(&self) -> bool {
        matches!(self, Self::Flat(_))
    }

    /// The score of one row, of the right length.
    pub(super) fn score(&self, row: &[f64]) -> f64 {
        if row.iter().any(|value| value.is_nan()) {
            return SCORE_OF_NAN;
        }
        match self {
            Self::Flat(trees) => trees.score(row),
            #[cfg(feature = "eif")]
            Self::Eif(forest) => forest.score(row),
        }
    }

    /// The scores of rows of the right length.
    pub(super) fn scores(&self, rows: &ArrayView2<'_, f64>) -> Array1<f64> {
        let mut scores = vec![0.0; rows.nrows()];
        let of_block = |buffer: &mut Vec<f64>, (number, scores): (usize, &mut [f64])| {
            let start = number * BLOCK;
            let rows = rows.slice_axis(Axis(0), Slice::from(start..start + scores.len()));
            self.score_block(&rows, buffer, scores);
        };
        #[cfg(feature = "rayon")]
        scores.par_chunks_mut(BLOCK).enumerate().for_each_init(Vec::new, of_block);
        #[cfg(not(feature = "rayon"))]
        {
            let mut buffer = Vec::new();
            scores.chunks_mut(BLOCK).enumerate().for_each(|block| of_block(&mut buffer, block));
        }
        Array1::from_vec(scores)
    }

    fn score_block(&self, rows: &ArrayView2<'_, f64>, buffer: &mut Vec<f64>, scores: &mut [f64]) {
        match self {
            Self::Flat(trees) => {
                let stride = trees.stride();
                // Not cleared: what fills a row up is 0 from the first block on.
                buffer.resize(scores.len() * stride, 0.0);
                for (row, filled) in rows.outer_iter().zip(buffer.chunks_exact_mut(stride)) {
                    match row.to_slice() {
                        Some(row) => row.iter().zip(filled).for_each(|(value, to)| *to = bounded(*value)),
                        None => row.iter().zip(filled).for_each(|(value, to)| *to = bounded(*value)),
                    }
                }
                trees.scores(buffer, scores);
                for (row, score) in buffer.chunks_exact(stride).zip(scores) {
                    if row.iter().any(|value| value.is_nan()) {
                        *score = SCORE_OF_NAN;
                    }
                }
            }
            #[cfg(feature = "eif")]
            Self::Eif(_) => {
                for (row, score) in rows.outer_iter().zip(scores) {
                    buffer.clear();
                    buffer.extend(row.iter());
                    *score = self.score(buffer);
                }
            }
        }
    }
}

/// How many rows are scored at a time.
const BLOCK: usize = 256;

/// A row with a missing value can't be compared, and nobody should be turned away for what was not measured.
const SCORE_OF_NAN: f64 = 0.0;

/// The value as it is compared: what is beyond the largest that can be fitted counts as that, so that sums are finite.
pub(super) fn bounded(value: f64) -> f64 {
    value.clamp(-MAX_VALUE, MAX_VALUE)
}
