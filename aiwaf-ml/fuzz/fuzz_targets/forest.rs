//! Arbitrary numbers as rows and parameters: nothing panics, what is fitted is the same twice, and scores from 0 to 1.

#![no_main]

use aiwaf_ml::{Contamination, Extension, ForestParameters, IsolationForest};
use libfuzzer_sys::fuzz_target;
use ndarray::ArrayView2;

fuzz_target!(|data: &[u8]| {
    let Some((head, rest)) = data.split_first_chunk::<6>() else { return };
    let [trees, sample_size, level, contamination, columns, seed] = *head;
    let parameters = ForestParameters {
        trees: u32::from(trees % 9),
        sample_size: u32::from(sample_size),
        extension: if level == 0 { Extension::Standard } else { Extension::Level(u16::from(level - 1)) },
        seed: u64::from(seed),
        contamination: match contamination {
            0 => Contamination::Auto,
            share => Contamination::Fraction(f64::from(share) / 400.0),
        },
    };
    let values: Vec<f64> = rest.chunks_exact(8).filter_map(|bytes| Some(f64::from_le_bytes(bytes.try_into().ok()?))).collect();
    let columns = usize::from(columns % 20);
    let rows = values.len().checked_div(columns).unwrap_or(0);
    let view = ArrayView2::from_shape((rows, columns), &values[..rows * columns]).expect("the shape fits");
    match IsolationForest::fit(view, &parameters) {
        Ok(forest) => {
            assert_eq!(IsolationForest::fit(view, &parameters).as_ref(), Ok(&forest));
            let scores = forest.anomaly_scores(view).expect("the number of columns is right");
            assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{scores}");
            let strange: Vec<f64> = values.iter().copied().chain([f64::NAN; 20]).take(columns).collect();
            let score = forest.score_row(&strange).expect("the number of columns is right");
            assert!((0.0..=1.0).contains(&score), "{score}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
