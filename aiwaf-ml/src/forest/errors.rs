//! Why a forest can't be grown, and why it can't score.

/// Why no forest was grown.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// There is nothing to learn from.
    #[error("there are no rows to fit a forest to: give at least one")]
    NoRows,
    /// The rows are too narrow or too wide.
    #[error("rows of {columns} columns are not allowed: give 1 to {max}")]
    Columns {
        /// How many columns there are.
        columns: usize,
        /// The most that there may be.
        max: usize,
    },
    /// A value is missing, infinite or beyond what [`IsolationForest`](crate::IsolationForest) compares.
    #[error(
        "row {row}, column {column} (counted from 0) is {value}, and only numbers between -3.4e38 and 3.4e38 can be \
         compared: leave the row out or mend the value"
    )]
    Value {
        /// The row, counted from 0.
        row: usize,
        /// The column, counted from 0.
        column: usize,
        /// What stands there.
        value: f64,
    },
    /// A parameter is out of its range.
    #[error("{name} {value} is not allowed: give {allowed}")]
    Parameter {
        /// Which parameter.
        name: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// The second backend refused, which it should not after all checks.
    #[cfg(feature = "eif")]
    #[error("the crate extended-isolation-forest refused: {0}")]
    Backend(String),
    /// The forest would need too much memory.
    #[error(
        "a forest of {trees} trees from {sample_size} rows each would take {bytes} bytes, more than {max}: \
         ask for fewer trees, rows or columns a split"
    )]
    TooLarge {
        /// How many trees were asked for.
        trees: u32,
        /// How many rows a tree is grown from.
        sample_size: u32,
        /// What it would take.
        bytes: u64,
        /// The most that is allowed.
        max: u64,
    },
}

/// Why rows were not scored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "rows of {found} columns can't be scored by a forest that was fitted to {expected}: give the same columns"
)]
pub struct ColumnsError {
    /// How many columns the forest was fitted to.
    pub expected: usize,
    /// How many were given.
    pub found: usize,
}
