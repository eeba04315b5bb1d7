//! Rows that are the same at every run.

use aiwaf_ml::{ForestParameters, IsolationForest, TrainedModel, TrainingRecord};
use ndarray::Array2;

/// Numbers from 0 to below 1 that look random.
pub(crate) fn random(seed: u64) -> impl FnMut() -> f64 {
    let mut bits = seed | 1;
    move || {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        u32::try_from(bits >> 32).map_or(0.0, f64::from) / 4_294_967_296.0
    }
}

/// A crowd in the middle of a cube, and every hundredth row anywhere.
pub(crate) fn crowd(rows: usize, columns: usize) -> Array2<f64> {
    let mut next = random(42);
    let crowd = Array2::from_shape_simple_fn((rows, columns), || next() + next() + next() + next());
    let mut rows = crowd;
    for mut row in rows.rows_mut().into_iter().step_by(100) {
        row.mapv_inplace(|value| (value - 2.0) * 20.0);
    }
    rows
}

/// A small model of two features.
pub(crate) fn model(parameters: &ForestParameters) -> TrainedModel {
    let forest = IsolationForest::fit(crowd(500, 2).view(), parameters).unwrap();
    let training = TrainingRecord {
        trained_at: aiwaf_core::Timestamp::from_unix_seconds(1.7e9),
        log_lines: 600,
        log_sources: vec!["access.log".into(), "access.log.1".into()],
    };
    TrainedModel::new(forest, ["length", "hits"], training).unwrap()
}
