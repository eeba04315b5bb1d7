//! Forests: what they find, that they are reproducible, and what they make of odd rows.

use aiwaf_ml::{Contamination, Extension, FitError, ForestParameters, IsolationForest, roc_auc};
use ndarray::{Array2, Axis, Slice, arr2};
use proptest::prelude::*;

use crate::support::{crowd, random};

fn fit(rows: &Array2<f64>, parameters: &ForestParameters) -> IsolationForest {
    IsolationForest::fit(rows.view(), parameters).unwrap()
}

fn both_kinds(columns: usize) -> [ForestParameters; 2] {
    let full = Extension::Level(u16::try_from(columns - 1).unwrap());
    [Extension::Standard, full].map(|extension| ForestParameters { extension, ..ForestParameters::default() })
}

fn bits(scores: impl IntoIterator<Item = f64>) -> Vec<u64> {
    scores.into_iter().map(f64::to_bits).collect()
}

#[test]
fn strange_rows_score_higher() {
    let rows = crowd(3000, 5);
    let labels: Vec<bool> = (0..3000).map(|row| row % 100 == 0).collect();
    for parameters in both_kinds(5) {
        let scores = fit(&rows, &parameters).anomaly_scores(rows.view()).unwrap();
        assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)));
        let area = roc_auc(&scores.to_vec(), &labels).unwrap();
        assert!(area > 0.95, "{parameters:?}: {area}");
    }
}

#[test]
fn signs_are_those_of_scikit_learn() {
    let rows = crowd(1000, 3);
    let parameters =
        ForestParameters { contamination: Contamination::Fraction(0.05), ..ForestParameters::default() };
    let forest = fit(&rows, &parameters);
    let scores = forest.anomaly_scores(rows.view()).unwrap();
    let samples = forest.score_samples(rows.view()).unwrap();
    let decisions = forest.decision_function(rows.view()).unwrap();
    let predictions = forest.predict(rows.view()).unwrap();
    for (((score, sample), decision), prediction) in
        scores.iter().zip(samples).zip(decisions).zip(&predictions)
    {
        assert_eq!(sample.to_bits(), (-score).to_bits());
        assert!((decision - (forest.threshold() - score)).abs() < 1e-15);
        assert_eq!(*prediction, if decision < 0.0 { -1 } else { 1 });
    }
    assert_eq!(predictions.iter().filter(|prediction| **prediction == -1).count(), 50);
    let auto = fit(&rows, &ForestParameters::default());
    assert_eq!(auto.threshold().to_bits(), 0.5f64.to_bits());
    // The trees don't depend on the threshold.
    assert_eq!(bits(auto.anomaly_scores(rows.view()).unwrap()), bits(scores));
}

#[test]
fn no_training_row_exceeds_a_threshold_without_contamination() {
    let rows = crowd(500, 3);
    let parameters =
        ForestParameters { contamination: Contamination::Fraction(0.0), ..ForestParameters::default() };
    assert!(fit(&rows, &parameters).predict(rows.view()).unwrap().iter().all(|prediction| *prediction == 1));
}

/// These bits were written down once. If they change, every model changes for the same data: that needs a reason.
#[test]
fn a_seed_makes_the_same_forest_everywhere() {
    let rows = crowd(600, 4);
    let mut sums = Vec::new();
    for parameters in both_kinds(4) {
        let parameters = ForestParameters { seed: 7, ..parameters };
        let forest = fit(&rows, &parameters);
        assert_eq!(forest, fit(&rows, &parameters));
        assert_ne!(forest, fit(&rows, &ForestParameters { seed: 8, ..parameters }));
        let scores = forest.anomaly_scores(rows.view()).unwrap();
        sums.push(scores.iter().fold(0u64, |sum, score| sum.rotate_left(5) ^ score.to_bits()));
    }
    assert_eq!(sums, [15_295_956_961_038_462_450, 5_919_240_282_920_977_638]);
}

#[test]
fn layout_block_and_single_row_give_the_same_bits() {
    for columns in [1, 8, 9, 20, 40, 70] {
        let rows = crowd(30, columns);
        for parameters in both_kinds(columns) {
            let parameters = ForestParameters { trees: 13, sample_size: 20, ..parameters };
            let forest = fit(&rows, &parameters);
            let scores = bits(forest.anomaly_scores(rows.view()).unwrap());
            let by_columns = rows.t().as_standard_layout().into_owned();
            assert_eq!(fit(&by_columns.t().into_owned(), &parameters), forest);
            assert_eq!(bits(forest.anomaly_scores(by_columns.t()).unwrap()), scores);
            let single = rows.rows().into_iter().map(|row| forest.score_row(&row.to_vec()).unwrap());
            assert_eq!(bits(single), scores);
            let reversed = forest.anomaly_scores(rows.slice_axis(Axis(0), Slice::new(0, None, -1))).unwrap();
            assert_eq!(bits(reversed.to_vec().into_iter().rev()), scores);
        }
    }
}

#[test]
fn every_size_of_sample_works() {
    let rows = crowd(400, 3);
    for parameters in both_kinds(3) {
        for sample_size in [1, 2, 3, 5, 100, 256, 257, 400, 65_536] {
            let forest = fit(&rows, &ForestParameters { trees: 20, sample_size, ..parameters.clone() });
            assert_eq!(forest.sample_size(), sample_size.min(400));
            let scores = forest.anomaly_scores(rows.view()).unwrap();
            assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{sample_size}");
        }
    }
}

#[test]
fn constant_columns_are_never_split() {
    let mut rows = crowd(500, 6);
    for column in [0, 2, 5] {
        rows.column_mut(column).fill(7.0);
    }
    for parameters in both_kinds(6) {
        let forest = fit(&rows, &parameters);
        let mut moved = rows.clone();
        for column in [0, 2, 5] {
            moved.column_mut(column).fill(-1e6);
        }
        let scores = forest.anomaly_scores(rows.view()).unwrap();
        assert_eq!(bits(forest.anomaly_scores(moved.view()).unwrap()), bits(scores));
    }
}

#[test]
fn nothing_can_be_said_of_one_row_or_of_equal_ones() {
    for rows in [arr2(&[[1.0, 2.0]]), Array2::from_elem((1000, 2), 3.0)] {
        for parameters in both_kinds(2) {
            let forest = fit(&rows, &parameters);
            for row in [[1.0, 2.0], [3.0, 3.0], [1e9, -1e9]] {
                assert_eq!(forest.score_row(&row).unwrap().to_string(), "0.5");
            }
            assert!(forest.predict(rows.view()).unwrap().iter().all(|prediction| *prediction == 1));
        }
    }
}

#[test]
fn duplicates_are_ordinary() {
    let mut rows = Array2::from_elem((1000, 2), 3.0);
    rows.row_mut(0).fill(4.0);
    let forest = fit(&rows, &ForestParameters { sample_size: 1000, ..ForestParameters::default() });
    assert!(forest.score_row(&[4.0, 4.0]).unwrap() > 0.8);
    assert!(forest.score_row(&[3.0, 3.0]).unwrap() < 0.6);
}

#[test]
fn what_can_not_be_compared_is_no_training_data() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e39, -f64::MAX] {
        let mut rows = crowd(100, 3);
        rows[[40, 2]] = value;
        let error = IsolationForest::fit(rows.view(), &ForestParameters::default()).unwrap_err();
        assert!(matches!(error, FitError::Value { row: 40, column: 2, .. }), "{error}");
        assert!(error.to_string().contains("row 40, column 2"), "{error}");
    }
}

#[test]
fn rows_that_can_not_be_compared_have_defined_scores() {
    let rows = crowd(500, 3);
    for parameters in both_kinds(3) {
        let forest = fit(&rows, &parameters);
        let scores = |value: f64| {
            let row = [1.0, value, 2.0];
            let single = forest.score_row(&row).unwrap();
            let batch = forest.anomaly_scores(arr2(&[row]).view()).unwrap()[0];
            assert_eq!(single.to_bits(), batch.to_bits());
            single.to_bits()
        };
        assert_eq!(scores(f64::NAN), 0.0f64.to_bits());
        assert_eq!(scores(f64::INFINITY), scores(f64::from(f32::MAX)));
        assert_eq!(scores(f64::MIN), scores(f64::from(f32::MIN)));
    }
}

#[test]
fn errors_name_what_is_wrong() {
    let rows = crowd(100, 3);
    let error = |change: fn(&mut ForestParameters)| {
        let mut parameters = ForestParameters::default();
        change(&mut parameters);
        IsolationForest::fit(rows.view(), &parameters).unwrap_err().to_string()
    };
    assert!(error(|p| p.trees = 0).contains("trees 0"));
    assert!(error(|p| p.trees = 10_001).contains("trees 10001"));
    assert!(error(|p| p.sample_size = 0).contains("sample_size 0"));
    assert!(error(|p| p.sample_size = 65_537).contains("sample_size 65537"));
    assert!(
        error(|p| p.extension = Extension::Level(3))
            .contains("extension level 3 is not allowed: give 0 to 2")
    );
    for contamination in [-0.1, 0.51, f64::NAN] {
        let parameters = ForestParameters {
            contamination: Contamination::Fraction(contamination),
            ..ForestParameters::default()
        };
        let error = IsolationForest::fit(rows.view(), &parameters).unwrap_err().to_string();
        assert!(error.starts_with(&format!("contamination {contamination}")), "{error}");
    }
    let huge = ForestParameters { trees: 10_000, sample_size: 65_536, ..ForestParameters::default() };
    let many = Array2::zeros((65_536, 1));
    let error = IsolationForest::fit(many.view(), &huge).unwrap_err();
    assert!(matches!(error, FitError::TooLarge { .. }), "{error}");
    for (rows, columns) in [(0, 3), (3, 0), (0, 0), (1, 4097)] {
        assert!(
            IsolationForest::fit(Array2::zeros((rows, columns)).view(), &ForestParameters::default())
                .is_err()
        );
    }
    let forest = fit(&rows, &ForestParameters::default());
    for columns in [0, 2, 4] {
        let error = forest.anomaly_scores(Array2::zeros((1, columns)).view()).unwrap_err();
        assert_eq!((error.expected, error.found), (3, columns));
        assert_eq!(forest.score_row(&vec![0.0; columns]).unwrap_err(), error);
    }
    assert_eq!(forest.anomaly_scores(Array2::zeros((0, 3)).view()).unwrap().len(), 0);
}

#[test]
fn a_single_row_is_scored_without_allocation() {
    let rows = crowd(500, 7);
    for parameters in both_kinds(7) {
        let forest = fit(&rows, &parameters);
        let row = rows.row(0).to_vec();
        let count = allocation_counter::measure(|| {
            assert!(forest.score_row(&row).is_ok());
        });
        assert_eq!(count.count_total, 0);
    }
}

#[cfg(feature = "rayon")]
#[test]
fn the_number_of_threads_changes_nothing() {
    let rows = crowd(2000, 6);
    for parameters in both_kinds(6) {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let forest = fit(&rows, &parameters);
                let scores = bits(forest.anomaly_scores(rows.view()).unwrap());
                (forest, scores)
            })
        };
        let one = run(1);
        assert_eq!(run(2), one);
        assert_eq!(run(7), one);
    }
}

#[cfg(feature = "eif")]
#[test]
fn the_second_backend_finds_the_same_strange_rows() {
    let rows = crowd(2000, 4);
    let labels: Vec<bool> = (0..2000).map(|row| row % 100 == 0).collect();
    for parameters in both_kinds(4) {
        let parameters = ForestParameters { contamination: Contamination::Fraction(0.01), ..parameters };
        let forest = IsolationForest::fit_eif(rows.view(), &parameters).unwrap();
        let scores = forest.anomaly_scores(rows.view()).unwrap().to_vec();
        assert!(roc_auc(&scores, &labels).unwrap() > 0.95);
        assert_eq!(forest.score_row(&rows.row(5).to_vec()).unwrap().to_bits(), scores[5].to_bits());
        assert_eq!(forest.score_row(&[f64::NAN; 4]).unwrap().to_bits(), 0.0f64.to_bits());
        assert!((0.0..=1.0).contains(&forest.score_row(&[f64::INFINITY; 4]).unwrap()));
        assert_eq!(forest.predict(rows.view()).unwrap().iter().filter(|label| **label == -1).count(), 20);
        let model =
            aiwaf_ml::TrainedModel::new(forest, ["a", "b", "c", "d"], aiwaf_ml::TrainingRecord::default())
                .unwrap();
        assert!(matches!(model.to_bytes(), Err(aiwaf_ml::ModelError::NotStorable)));
    }
    let mut rows = rows;
    rows[[3, 1]] = f64::NAN;
    let error = IsolationForest::fit_eif(rows.view(), &ForestParameters::default()).unwrap_err();
    assert!(matches!(error, FitError::Value { row: 3, column: 1, .. }));
    let error = IsolationForest::fit_eif(crowd(10, 17).view(), &ForestParameters::default()).unwrap_err();
    assert!(matches!(error, FitError::Columns { columns: 17, max: 16 }));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_fitted_scores_from_0_to_1(
        rows in 1usize..40,
        columns in 1usize..10,
        level in proptest::option::of(0u16..9),
        sample_size in 1u32..50,
        seed: u64,
        palette in proptest::collection::vec(prop_oneof![
            Just(0.0), Just(-0.0), Just(f64::from(f32::MAX)), Just(f64::from(f32::MIN)), Just(f64::MIN_POSITIVE),
            -1e3..1e3f64,
        ], 1..6),
    ) {
        let mut next = random(seed);
        let mut pick = || palette[(0..palette.len()).find(|_| next() < 0.4).unwrap_or(0)];
        let data = Array2::from_shape_simple_fn((rows, columns), &mut pick);
        let extension = match level {
            Some(level) => Extension::Level(level.min(u16::try_from(columns - 1).unwrap())),
            None => Extension::Standard,
        };
        let contamination = Contamination::Fraction(0.1);
        let parameters = ForestParameters { trees: 10, sample_size, extension, seed, contamination };
        let forest = fit(&data, &parameters);
        let strange = Array2::from_elem((1, columns), 1e300);
        for rows in [&data, &strange] {
            let scores = forest.anomaly_scores(rows.view()).unwrap();
            prop_assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{scores}");
        }
        prop_assert!((0.0..=1.0).contains(&forest.threshold()));
    }
}
