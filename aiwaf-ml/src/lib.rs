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
//!
//! # Where things are
//!
//! | module | what |
//! |---|---|
//! | `forest` | parameters, growing, scoring, thresholds: matrices of the shape (rows, columns) in, scores out |
//! | `model` | a forest with the names of its columns and the story of its training, as bytes and as a file |
//! | `watch` | a model file that comes, changes and goes while a service runs |
//! | `request_model` | the model as the engine asks it |
//! | `roc_auc` | how well scores tell two kinds of rows apart |
//!
//! Invariants: nothing in a file can run, and everything in it is checked; no randomness but from the seed; no allocation
//! for a single row; no panic, whatever is given. Files are the only I/O.
//!
//! # Why a forest of our own
//!
//! The crate `extended-isolation-forest` draws from the thread's random numbers, so no two forests are alike and a
//! model can't be reproduced; it panics if it is fitted to NaN; its c(2) is 0.154 where the paper and scikit-learn have
//! 1, so its scores can't be compared with theirs; and it walks boxed nodes. So it is the second backend, behind the
//! feature `eif` and `IsolationForest::fit_eif`, for comparison. Our forest is the default, with standard and extended
//! splits.
//!
//! # Which splits
//!
//! ROC-AUC on ten public tables of ADBench, mean and standard deviation over ten seeds, 100 trees from 256 rows
//! (`cargo xtask auc`; scikit-learn 1.9.1 in the same run):
//!
//! | table | standard | extended | extended, columns standardized | scikit-learn |
//! |---|---|---|---|---|
//! | annthyroid | 0.8184 ± 0.0181 | 0.6474 ± 0.0102 | 0.6988 ± 0.0144 | 0.8184 ± 0.0161 |
//! | breastw | 0.9861 ± 0.0017 | 0.9847 ± 0.0021 | 0.9823 ± 0.0013 | 0.9873 ± 0.0013 |
//! | cardio | 0.9268 ± 0.0099 | 0.9265 ± 0.0104 | 0.9265 ± 0.0104 | 0.9329 ± 0.0090 |
//! | http | 0.9995 ± 0.0008 | 0.9991 ± 0.0010 | 0.9998 ± 0.0005 | 0.9996 ± 0.0004 |
//! | Ionosphere | 0.8491 ± 0.0076 | 0.9040 ± 0.0056 | 0.9047 ± 0.0039 | 0.8461 ± 0.0061 |
//! | mammography | 0.8607 ± 0.0077 | 0.8667 ± 0.0049 | 0.8667 ± 0.0049 | 0.8615 ± 0.0072 |
//! | PageBlocks | 0.9034 ± 0.0069 | 0.6589 ± 0.0236 | 0.9096 ± 0.0019 | 0.9013 ± 0.0062 |
//! | Pima | 0.6767 ± 0.0131 | 0.6410 ± 0.0153 | 0.6982 ± 0.0049 | 0.6707 ± 0.0070 |
//! | shuttle | 0.9969 ± 0.0009 | 0.9936 ± 0.0006 | 0.9922 ± 0.0007 | 0.9970 ± 0.0005 |
//! | WBC | 0.9952 ± 0.0004 | 0.9952 ± 0.0012 | 0.9898 ± 0.0020 | 0.9952 ± 0.0006 |
//! | **mean** | **0.9013** | **0.8617** | **0.8969** | **0.9010** |
//!
//! [`Extension::Standard`] is the default: it is the best on average, within 0.007 of scikit-learn on every table and not
//! below it on average, and indifferent to the scale of columns. Full extension wins where many columns of one scale count
//! together (Ionosphere), and loses where one large column drowns the others (PageBlocks), which standardizing mends, or
//! where single columns count (annthyroid), which it does not.
//!
//! # Features
//!
//! `rayon`: fits and scores on all cores, with the same results bit for bit. `eif`: the second backend.

mod forest;
mod model;
mod request_model;
mod roc_auc;
mod watch;

pub use forest::{ColumnsError, Contamination, Extension, FitError, ForestParameters, IsolationForest};
pub use model::{ModelError, TrainedModel, TrainingRecord};
pub use request_model::RequestModel;
pub use roc_auc::roc_auc;
pub use watch::{ModelChange, ModelWatch};
