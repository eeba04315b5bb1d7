//! The isolation forest of AIWAF: fitting, scoring, thresholds, and the model file.
//!
//! ```
//! use aiwaf_ml::{ForestParameters, IsolationForest};
//! use ndarray::Array2;
//!
//! // A crowd between 0 and 100, and one row far away from it.
//! let mut rows = Array2::from_shape_fn((500, 2), |(row, column)| (row * [37, 53][column] % 101) as f64);
//! rows.row_mut(0).fill(500.0);
//! let forest = IsolationForest::fit(rows.view(), &ForestParameters::default())?;
//! let scores = forest.anomaly_scores(rows.view())?;
//! assert!(scores[0] > 0.7 && scores[1] < 0.5);
//! assert_eq!(forest.predict(rows.view())?[0], -1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod forest;
mod model;
mod request_model;

pub use forest::{ColumnsError, Contamination, Extension, FitError, ForestParameters, IsolationForest};
pub use model::{ModelError, TrainedModel, TrainingRecord};
pub use request_model::RequestModel;
