//! The crate `extended-isolation-forest` as a second backend.

use std::fmt;
use std::sync::Arc;

use extended_isolation_forest::{Forest, ForestOptions};
use ndarray::ArrayView2;

use super::errors::FitError;
use super::parameters::Extension;
use super::parts::ForestParts;
use super::score::bounded;
use super::threshold;

/// A forest of that crate, whatever its number of columns, which is a part of its type there.
#[derive(Clone)]
pub(super) struct EifForest(Arc<dyn RowScore>);

impl EifForest {
    /// The score of a row of the right length without NaN.
    pub(super) fn score(&self, row: &[f64]) -> f64 {
        let score = self.0.score(row);
        // What it computes of a single row.
        if score.is_nan() { threshold::AUTO } else { score }
    }
}

impl fmt::Debug for EifForest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EifForest")
    }
}

/// Every one differs from all others.
impl PartialEq for EifForest {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

trait RowScore: Send + Sync {
    fn score(&self, row: &[f64]) -> f64;
}

impl<const N: usize> RowScore for Forest<f64, N> {
    fn score(&self, row: &[f64]) -> f64 {
        let mut bounded_row = [0.0; N];
        bounded_row.iter_mut().zip(row).for_each(|(to, value)| *to = bounded(*value));
        Self::score(self, &bounded_row)
    }
}

/// Fits it to rows that were checked.
pub(super) fn fit(
    rows: &ArrayView2<'_, f64>,
    parts: &ForestParts,
    trees: u32,
) -> Result<EifForest, FitError> {
    let options = ForestOptions {
        n_trees: trees as usize,
        sample_size: parts.sample_size as usize,
        max_tree_depth: None,
        extension_level: match parts.extension {
            Extension::Standard => 0,
            Extension::Level(level) => usize::from(level),
        },
    };
    macro_rules! with_columns {
        ($($columns:literal)*) => {
            match rows.ncols() {
                $($columns => fit_columns::<$columns>(rows, &options),)*
                columns => Err(FitError::Columns { columns, max: 16 }),
            }
        };
    }
    with_columns!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
}

fn fit_columns<const N: usize>(
    rows: &ArrayView2<'_, f64>,
    options: &ForestOptions,
) -> Result<EifForest, FitError> {
    let mut arrays = Vec::with_capacity(rows.nrows());
    for row in rows.outer_iter() {
        let mut array = [0.0; N];
        array.iter_mut().zip(row).for_each(|(to, value)| *to = *value);
        arrays.push(array);
    }
    let forest =
        Forest::from_slice(&arrays, options).map_err(|error| FitError::Backend(error.to_string()))?;
    Ok(EifForest(Arc::new(forest)))
}
