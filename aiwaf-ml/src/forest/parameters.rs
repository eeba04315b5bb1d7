//! How a forest is grown.

use super::errors::FitError;
use super::flat::flat_size;

/// How a forest is grown and where its threshold lies. The defaults are those of Liu, Ting and Zhou (2008).
///
/// ```
/// use aiwaf_ml::{Contamination, ForestParameters};
///
/// let parameters =
///     ForestParameters { seed: 7, contamination: Contamination::Fraction(0.05), ..ForestParameters::default() };
/// assert_eq!((parameters.trees, parameters.sample_size), (100, 256));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ForestParameters {
    /// How many trees, 1 to 10,000. More make scores steadier and scoring slower, in proportion. Default: 100.
    pub trees: u32,
    /// How many rows each tree is grown from, 1 to 65,536; if there are fewer rows, all of them. Default: 256.
    pub sample_size: u32,
    /// How splits are chosen. Default: [`Extension::Standard`].
    pub extension: Extension,
    /// Where randomness starts: the same data, parameters and seed make the same forest, bit for bit, on every machine.
    /// Default: 0.
    pub seed: u64,
    /// How many of the training rows are taken for anomalous. Default: [`Contamination::Auto`].
    pub contamination: Contamination,
}

impl Default for ForestParameters {
    fn default() -> Self {
        Self {
            trees: 100,
            sample_size: 256,
            extension: Extension::Standard,
            seed: 0,
            contamination: Contamination::Auto,
        }
    }
}

/// How splits are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// Each split looks at one column (Liu, Ting and Zhou 2008).
    Standard,
    /// Each split is a hyperplane through `level + 1` columns (Hariri, Carrasco Kind and Brunner 2018): level 0 has the
    /// splits of the standard forest, the number of columns less one is full extension.
    Level(u16),
}

impl Extension {
    /// How many columns a split looks at.
    pub(crate) fn width(self) -> usize {
        match self {
            Self::Standard => 1,
            Self::Level(level) => usize::from(level) + 1,
        }
    }

    /// Whether columns are weighted.
    pub(crate) fn is_extended(self) -> bool {
        self != Self::Standard
    }
}

/// How many of the training rows are taken for anomalous, and so where the threshold lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Contamination {
    /// Not known: the threshold is a score of 0.5, as the paper has it (scikit-learn: offset -0.5).
    Auto,
    /// That share of them, 0 to 0.5: the threshold is the score that this share of the training rows exceeds, interpolated
    /// between two rows as scikit-learn does; with 0 it is the highest score of all. Costs a scoring of all training rows.
    Fraction(f64),
}

/// The most trees.
const MAX_TREES: u32 = 10_000;
/// The most rows that a tree is grown from.
const MAX_SAMPLE_SIZE: u32 = 65_536;
/// The most columns, a power of two.
pub(super) const MAX_COLUMNS: usize = 4_096;

impl ForestParameters {
    /// Whether a forest can be grown like that from rows with so many columns.
    pub(super) fn check(&self, columns: usize) -> Result<(), FitError> {
        let number = |name, value, allowed| Err(FitError::Parameter { name, value, allowed });
        if !(1..=MAX_TREES).contains(&self.trees) {
            return number("trees", self.trees.to_string(), format!("1 to {MAX_TREES}"));
        }
        if !(1..=MAX_SAMPLE_SIZE).contains(&self.sample_size) {
            return number("sample_size", self.sample_size.to_string(), format!("1 to {MAX_SAMPLE_SIZE}"));
        }
        if let Contamination::Fraction(fraction) = self.contamination
            && !(0.0..=0.5).contains(&fraction)
        {
            return number("contamination", fraction.to_string(), "0 to 0.5".to_owned());
        }
        if !(1..=MAX_COLUMNS).contains(&columns) {
            return Err(FitError::Columns { columns, max: MAX_COLUMNS });
        }
        if let Extension::Level(level) = self.extension
            && usize::from(level) >= columns
        {
            let allowed = format!("0 to {}, the number of columns less one", columns - 1);
            return number("extension level", level.to_string(), allowed);
        }
        Ok(())
    }

    /// Whether the trees fit into memory if they are grown from so many rows.
    pub(super) fn check_size(&self, sample_size: u32, columns: usize) -> Result<(), FitError> {
        let bytes = flat_size(self.trees, sample_size, columns, self.extension.is_extended());
        if bytes <= MAX_BYTES {
            return Ok(());
        }
        Err(FitError::TooLarge { trees: self.trees, sample_size, bytes, max: MAX_BYTES })
    }
}

/// The most that the trees of a forest may take: some thousand trees from 256 rows, or some hundred with all columns of
/// some hundred weighted.
const MAX_BYTES: u64 = 128 << 20;
