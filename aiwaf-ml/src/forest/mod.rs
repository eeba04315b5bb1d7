//! The isolation forest.

mod errors;
mod flat;
mod grow;
mod parameters;
mod path_length;
mod random;
pub(crate) mod tree;

use ndarray::{Array1, ArrayView2};

use self::flat::FlatTrees;
use self::grow::Grower;
use self::path_length::{average_path_length, height_limit, score};
use self::tree::Tree;

pub use self::errors::{ColumnsError, FitError};
pub use self::parameters::{Contamination, Extension, ForestParameters};

/// Trees that isolate rows by random splits: the fewer splits it takes, the stranger the row (Liu, Ting and Zhou 2008;
/// with [`Extension::Level`] Hariri, Carrasco Kind and Brunner 2018).
#[derive(Debug, Clone, PartialEq)]
pub struct IsolationForest {
    columns: usize,
    training_rows: u64,
    /// How many rows each tree was grown from.
    sample_size: u32,
    extension: Extension,
    seed: u64,
    contamination: Contamination,
    threshold: f64,
    trees: Vec<Tree>,
    flat: FlatTrees,
}

impl IsolationForest {
    /// Grows a forest from `rows`, of shape (rows, columns), in any memory layout.
    ///
    /// # Errors
    /// [`FitError`] if there are no rows or columns, a value is not finite, or a parameter is out of its range.
    pub fn fit(rows: ArrayView2<'_, f64>, parameters: &ForestParameters) -> Result<Self, FitError> {
        parameters.check(rows.ncols())?;
        if rows.nrows() == 0 {
            return Err(FitError::NoRows);
        }
        let unfit = rows.indexed_iter().find(|(_, value)| !(-MAX_VALUE..=MAX_VALUE).contains(*value));
        if let Some(((row, column), &value)) = unfit {
            return Err(FitError::Value { row, column, value });
        }
        let sample_size = parameters.sample_size.min(u32::try_from(rows.nrows()).unwrap_or(u32::MAX));
        let plane_width = plane_width(parameters.extension);
        parameters.check_size(sample_size)?;
        let mut grower = Grower::new(rows, sample_size as usize, plane_width, parameters.seed);
        let trees: Vec<Tree> = (0..parameters.trees).map(|number| grower.grow(number)).collect();
        let flat = FlatTrees::new(&trees, sample_size, plane_width);
        let mut forest = Self {
            columns: rows.ncols(),
            training_rows: rows.nrows() as u64,
            sample_size,
            extension: parameters.extension,
            seed: parameters.seed,
            contamination: parameters.contamination,
            threshold: AUTO_THRESHOLD,
            trees,
            flat,
        };
        if let Contamination::Fraction(fraction) = parameters.contamination {
            let mut scores = forest.anomaly_scores_of_same_columns(rows).to_vec();
            forest.threshold = quantile(&mut scores, 1.0 - fraction);
        }
        Ok(forest)
    }

    /// How strange each of `rows` is, from 0 (ordinary) to 1 (strange): 2^(-E(h)/c(n)), equation 2 of the paper.
    ///
    /// # Errors
    /// If the rows have another number of columns than the forest was fitted to.
    pub fn anomaly_scores(&self, rows: ArrayView2<'_, f64>) -> Result<Array1<f64>, ColumnsError> {
        self.check_columns(rows.ncols())?;
        Ok(self.anomaly_scores_of_same_columns(rows))
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
        Ok(self.anomaly_scores(rows)?.mapv_into(|score| self.threshold - score))
    }

    /// -1 for anomalies, 1 for ordinary rows, as scikit-learn's method of this name gives it.
    ///
    /// # Errors
    /// As [`anomaly_scores`](Self::anomaly_scores).
    pub fn predict(&self, rows: ArrayView2<'_, f64>) -> Result<Array1<i8>, ColumnsError> {
        Ok(self.anomaly_scores(rows)?.mapv(|score| if score > self.threshold { -1 } else { 1 }))
    }

    /// The anomaly score of a single row, the same as [`anomaly_scores`](Self::anomaly_scores) gives it, bit for bit.
    /// Does not allocate.
    ///
    /// # Errors
    /// If it has another number of columns than the forest was fitted to.
    pub fn score_row(&self, row: &[f64]) -> Result<f64, ColumnsError> {
        self.check_columns(row.len())?;
        Ok(self.score_of(row))
    }

    /// Rows with a higher anomaly score are anomalies; 0.5 for [`Contamination::Auto`]. Its negative is what
    /// scikit-learn calls `offset_`.
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// How many columns the forest was fitted to.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How many rows the forest was fitted to.
    pub fn training_rows(&self) -> u64 {
        self.training_rows
    }

    /// How many trees there are.
    pub fn trees(&self) -> usize {
        self.trees.len()
    }

    /// How many rows each tree was grown from.
    pub fn sample_size(&self) -> u32 {
        self.sample_size
    }

    /// How splits were chosen.
    pub fn extension(&self) -> Extension {
        self.extension
    }

    /// Where randomness started.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// By what the threshold was set.
    pub fn contamination(&self) -> Contamination {
        self.contamination
    }

    /// The trees as they were grown.
    pub(crate) fn grown_trees(&self) -> &[Tree] {
        &self.trees
    }

    /// The forest that was taken apart, of parts that were checked.
    pub(crate) fn from_parts(parts: ForestParts) -> Self {
        let flat = FlatTrees::new(&parts.trees, parts.sample_size, plane_width(parts.extension));
        let ForestParts {
            columns,
            training_rows,
            sample_size,
            extension,
            seed,
            contamination,
            threshold,
            trees,
        } = parts;
        Self { columns, training_rows, sample_size, extension, seed, contamination, threshold, trees, flat }
    }

    fn check_columns(&self, found: usize) -> Result<(), ColumnsError> {
        if found == self.columns { Ok(()) } else { Err(ColumnsError { expected: self.columns, found }) }
    }

    fn anomaly_scores_of_same_columns(&self, rows: ArrayView2<'_, f64>) -> Array1<f64> {
        rows.outer_iter().map(|row| self.score_of(&row.to_vec())).collect()
    }

    fn score_of(&self, row: &[f64]) -> f64 {
        if row.iter().any(|value| value.is_nan()) {
            return SCORE_OF_NAN;
        }
        #[allow(clippy::cast_precision_loss)] // some thousand trees
        let mean = self.flat.path_length(row) / self.trees.len() as f64;
        score(mean, average_path_length(self.sample_size))
    }
}

/// What a model file says of a forest.
pub(crate) struct ForestParts {
    pub(crate) columns: usize,
    pub(crate) training_rows: u64,
    pub(crate) sample_size: u32,
    pub(crate) extension: Extension,
    pub(crate) seed: u64,
    pub(crate) contamination: Contamination,
    pub(crate) threshold: f64,
    pub(crate) trees: Vec<Tree>,
}

impl ForestParts {
    /// Whether a forest of so many trees can be like that, whoever wrote it; else what is wrong.
    pub(crate) fn check(&self, trees: u32) -> Result<(), String> {
        let parameters = ForestParameters {
            trees,
            sample_size: self.sample_size,
            extension: self.extension,
            seed: self.seed,
            contamination: self.contamination,
        };
        parameters.check(self.columns).map_err(|error| error.to_string())?;
        parameters.check_size(self.sample_size).map_err(|error| error.to_string())?;
        if u64::from(self.sample_size) > self.training_rows {
            return Err("its trees are from more rows than there were".to_owned());
        }
        if !(0.0..=1.0).contains(&self.threshold) {
            return Err(format!("its threshold is {}", self.threshold));
        }
        Ok(())
    }

    /// The most splits on the way from a root to a leaf.
    pub(crate) fn height(&self) -> u32 {
        height_limit(self.sample_size)
    }
}

/// What the paper takes for the border between ordinary and strange.
const AUTO_THRESHOLD: f64 = 0.5;

/// A row with a missing value can't be compared, and nobody should be turned away for what was not measured.
const SCORE_OF_NAN: f64 = 0.0;

/// The largest value that is compared: sums of so many columns, weighted, stay finite. It is that of single precision,
/// which is scikit-learn's limit as well.
const MAX_VALUE: f64 = f32::MAX as f64;

/// How many columns a split looks at, if they are weighted.
fn plane_width(extension: Extension) -> Option<usize> {
    (extension != Extension::Standard).then(|| extension.width())
}

/// The value below which this share of `values` lies, interpolated between the two next to it. There is at least one.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // of numbers of rows
fn quantile(values: &mut [f64], share: f64) -> f64 {
    let place = share * (values.len().saturating_sub(1)) as f64;
    let (_, lower, above) = values.select_nth_unstable_by(place as usize, f64::total_cmp);
    let upper = above.iter().copied().fold(f64::INFINITY, f64::min);
    let lower = *lower;
    if upper.is_finite() { lower + (upper - lower) * place.fract() } else { lower }
}
