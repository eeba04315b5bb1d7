//! The isolation forest.

#[cfg(feature = "eif")]
mod eif;
mod errors;
mod flat;
mod grow;
mod parameters;
mod parts;
mod path_length;
mod random;
mod score;
mod threshold;
pub(crate) mod tree;

use ndarray::{Array1, ArrayView2};

use self::flat::FlatTrees;
use self::score::Scorer;

pub use self::errors::{ColumnsError, FitError};
pub use self::parameters::{Contamination, Extension, ForestParameters};
pub(crate) use self::parts::ForestParts;

/// Trees that isolate rows by random splits: the fewer splits it takes, the stranger the row (Liu, Ting and Zhou 2008;
/// with [`Extension::Level`] Hariri, Carrasco Kind and Brunner 2018).
///
/// Matrices have the shape (rows, columns) and any memory layout.
///
/// | input | fitting | scoring |
/// |---|---|---|
/// | NaN | [`FitError::Value`] | anomaly score 0: what was not measured is held against nobody |
/// | infinities, and numbers beyond ±3.4e38 | [`FitError::Value`] | count as ±3.4e38 |
/// | no rows | [`FitError::NoRows`] | no scores |
/// | one row | every score is 0.5, for there is nothing to compare | |
/// | rows that are all alike | every score is 0.5: no split is possible | |
/// | columns that are constant, in a part of the data or in all of it | never split there | |
/// | other columns than were fitted | | [`ColumnsError`] |
#[derive(Debug, Clone, PartialEq)]
pub struct IsolationForest {
    parts: ForestParts,
    scorer: Scorer,
}

#[allow(clippy::needless_pass_by_value)] // views are a pointer and a shape; `rows.view()` is what callers have
impl IsolationForest {
    /// Grows a forest from `rows`. The same rows, parameters and seed make the same forest, bit for bit, on every
    /// machine and with any number of threads.
    ///
    /// # Errors
    /// [`FitError`] if there are no rows or columns, a value is not finite, or a parameter is out of its range.
    pub fn fit(rows: ArrayView2<'_, f64>, parameters: &ForestParameters) -> Result<Self, FitError> {
        let mut parts = parts_without_trees(&rows, parameters)?;
        parameters.check_size(parts.sample_size, parts.columns)?;
        parts.trees = grow::grow(&rows, parts.sample_size as usize, parameters);
        let mut forest = Self::from_parts(parts);
        forest.set_threshold(&rows);
        Ok(forest)
    }

    /// Fits the second backend, the crate `extended-isolation-forest`, for comparison: it has no seed, so every forest
    /// differs, it can't be stored, and it has 1 to 16 columns.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    #[cfg(feature = "eif")]
    pub fn fit_eif(rows: ArrayView2<'_, f64>, parameters: &ForestParameters) -> Result<Self, FitError> {
        let parts = parts_without_trees(&rows, parameters)?;
        let scorer = Scorer::Eif(eif::fit(&rows, &parts, parameters.trees)?);
        let mut forest = Self { parts, scorer };
        forest.set_threshold(&rows);
        Ok(forest)
    }

    /// How strange each of `rows` is, from 0 (ordinary) to 1 (strange): 2^(-E(h)/c(n)), equation 2 of the paper.
    ///
    /// # Errors
    /// If the rows have another number of columns than the forest was fitted to.
    pub fn anomaly_scores(&self, rows: ArrayView2<'_, f64>) -> Result<Array1<f64>, ColumnsError> {
        self.check_columns(rows.ncols())?;
        Ok(self.scorer.scores(&rows))
    }

    /// The negated [anomaly scores](Self::anomaly_scores), as scikit-learn's method of this name gives them: from -1
    /// (strange) to 0 (ordinary).
    ///
    /// # Errors
    /// As [`anomaly_scores`](Self::anomaly_scores).
    pub fn score_samples(&self, rows: ArrayView2<'_, f64>) -> Result<Array1<f64>, ColumnsError> {
        Ok(-self.anomaly_scores(rows)?)
    }

    /// How far each of `rows` is on the ordinary side of the threshold, as scikit-learn's method of this name gives it:
    /// below 0 are anomalies.
    ///
    /// # Errors
    /// As [`anomaly_scores`](Self::anomaly_scores).
    pub fn decision_function(&self, rows: ArrayView2<'_, f64>) -> Result<Array1<f64>, ColumnsError> {
        Ok(self.anomaly_scores(rows)?.mapv_into(|score| self.threshold() - score))
    }

    /// -1 for anomalies, 1 for ordinary rows, as scikit-learn's method of this name gives it.
    ///
    /// # Errors
    /// As [`anomaly_scores`](Self::anomaly_scores).
    pub fn predict(&self, rows: ArrayView2<'_, f64>) -> Result<Array1<i8>, ColumnsError> {
        Ok(self.anomaly_scores(rows)?.mapv(|score| if score > self.threshold() { -1 } else { 1 }))
    }

    /// The anomaly score of a single row, the same as [`anomaly_scores`](Self::anomaly_scores) gives it, bit for bit.
    /// Does not allocate.
    ///
    /// # Errors
    /// If it has another number of columns than the forest was fitted to.
    pub fn score_row(&self, row: &[f64]) -> Result<f64, ColumnsError> {
        self.check_columns(row.len())?;
        Ok(self.scorer.score(row))
    }

    /// Rows with a higher anomaly score are anomalies; 0.5 for [`Contamination::Auto`]. Its negative is what
    /// scikit-learn calls `offset_`.
    pub fn threshold(&self) -> f64 {
        self.parts.threshold
    }

    /// The same forest with another threshold, from 0 to 1; what is beyond that, or NaN, counts as 1.
    #[must_use]
    pub fn with_threshold(mut self, threshold: f64) -> Self {
        self.parts.threshold = if (0.0..=1.0).contains(&threshold) { threshold } else { 1.0 };
        self
    }

    /// How many columns the forest was fitted to.
    pub fn columns(&self) -> usize {
        self.parts.columns
    }

    /// How many rows the forest was fitted to.
    pub fn training_rows(&self) -> u64 {
        self.parts.training_rows
    }

    /// How many trees there are.
    pub fn trees(&self) -> usize {
        self.parts.trees.len()
    }

    /// How many rows each tree was grown from.
    pub fn sample_size(&self) -> u32 {
        self.parts.sample_size
    }

    /// How splits were chosen.
    pub fn extension(&self) -> Extension {
        self.parts.extension
    }

    /// Where randomness started.
    pub fn seed(&self) -> u64 {
        self.parts.seed
    }

    /// By what the threshold was set.
    pub fn contamination(&self) -> Contamination {
        self.parts.contamination
    }

    /// What a model file holds; `None` if the forest comes from the second backend, which hides its trees.
    pub(crate) fn parts(&self) -> Option<&ForestParts> {
        self.scorer.is_flat().then_some(&self.parts)
    }

    /// The forest of parts that were checked.
    pub(crate) fn from_parts(parts: ForestParts) -> Self {
        let scorer = Scorer::Flat(FlatTrees::new(&parts));
        Self { parts, scorer }
    }

    fn set_threshold(&mut self, rows: &ArrayView2<'_, f64>) {
        if let Contamination::Fraction(fraction) = self.parts.contamination {
            let mut scores = self.scorer.scores(rows).to_vec();
            self.parts.threshold = threshold::exceeded_by(&mut scores, fraction);
        }
    }

    fn check_columns(&self, found: usize) -> Result<(), ColumnsError> {
        let expected = self.parts.columns;
        if found == expected { Ok(()) } else { Err(ColumnsError { expected, found }) }
    }
}

/// The largest value that is compared: weighted sums of so many columns stay finite. It is that of single precision,
/// which is scikit-learn's limit as well.
const MAX_VALUE: f64 = f32::MAX as f64;

/// Checks what a forest is to be fitted to.
fn parts_without_trees(
    rows: &ArrayView2<'_, f64>,
    parameters: &ForestParameters,
) -> Result<ForestParts, FitError> {
    parameters.check(rows.ncols())?;
    if rows.nrows() == 0 {
        return Err(FitError::NoRows);
    }
    let is_fit = |value: &f64| (-MAX_VALUE..=MAX_VALUE).contains(value);
    if !rows.iter().all(is_fit) {
        let unfit = rows.indexed_iter().find(|(_, value)| !is_fit(value));
        if let Some(((row, column), &value)) = unfit {
            return Err(FitError::Value { row, column, value });
        }
    }
    Ok(ForestParts {
        columns: rows.ncols(),
        training_rows: rows.nrows() as u64,
        sample_size: parameters.sample_size.min(u32::try_from(rows.nrows()).unwrap_or(u32::MAX)),
        extension: parameters.extension,
        seed: parameters.seed,
        contamination: parameters.contamination,
        threshold: threshold::AUTO,
        trees: Vec::new(),
    })
}
