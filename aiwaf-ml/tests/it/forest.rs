//! Forests.

use aiwaf_ml::{Contamination, ForestParameters, IsolationForest, TrainedModel, TrainingRecord};
use ndarray::Array2;

#[test]
fn a_forest_finds_what_lies_apart() {
    let mut rows = Array2::from_shape_fn((500, 2), |(row, column)| ((row * 7 + column * 13) % 10) as f64);
    rows.row_mut(0).fill(100.0);
    let parameters =
        ForestParameters { contamination: Contamination::Fraction(0.01), ..ForestParameters::default() };
    let forest = IsolationForest::fit(rows.view(), &parameters).unwrap();
    assert!(forest.predict(rows.view()).unwrap()[0] == -1);
    let model = TrainedModel::new(forest, ["a", "b"], TrainingRecord::default()).unwrap();
    let read = TrainedModel::from_bytes(&model.to_bytes().unwrap()).unwrap();
    assert_eq!(model, read);
}
