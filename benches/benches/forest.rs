//! What the isolation forest costs: growing it, scoring many rows and single requests, reading a model file.
#![allow(clippy::expect_used)] // a measurement that can't begin has no result

use std::hint::black_box;

use aiwaf_core::{AnomalyModel, FEATURE_COUNT, FEATURE_NAMES};
use aiwaf_ml::{Extension, ForestParameters, IsolationForest, RequestModel, TrainedModel, TrainingRecord};
use criterion::{Criterion, criterion_group, criterion_main};
use ndarray::{Array2, Axis, Slice};

const ROWS: usize = 100_000;

/// So many numbers from 0 to below 1 in each row.
fn table(columns: usize) -> Array2<f64> {
    let mut bits = 1u64;
    Array2::from_shape_simple_fn((ROWS, columns), || {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(bits >> 32).unwrap_or(0)) / 4_294_967_296.0
    })
}

fn fit_and_score(criterion: &mut Criterion) {
    let rows = table(6);
    let standard = ForestParameters::default();
    let extended = ForestParameters { extension: Extension::Level(5), ..standard.clone() };
    let mut group = criterion.benchmark_group("forest");
    group.sample_size(10);
    for (name, parameters) in [("standard", &standard), ("extended", &extended)] {
        group.bench_function(format!("fit {name}, 100000 x 6"), |bencher| {
            bencher.iter(|| IsolationForest::fit(black_box(rows.view()), parameters));
        });
        let forest = IsolationForest::fit(rows.view(), parameters).expect("the rows are fine");
        group.bench_function(format!("score {name}, 100000 x 6"), |bencher| {
            bencher.iter(|| forest.anomaly_scores(black_box(rows.view())));
        });
    }
    // The other backend takes a second and more for all of them.
    let part = rows.slice_axis(Axis(0), Slice::from(..1000));
    group.bench_function("fit eif, 100000 x 6", |bencher| {
        bencher.iter(|| IsolationForest::fit_eif(black_box(rows.view()), &standard));
    });
    let forest = IsolationForest::fit_eif(rows.view(), &standard).expect("the rows are fine");
    group.bench_function("score eif, 1000 x 6", |bencher| {
        bencher.iter(|| forest.anomaly_scores(black_box(part.view())));
    });
    group.finish();
}

fn model(criterion: &mut Criterion) {
    let rows = table(FEATURE_COUNT);
    let forest = IsolationForest::fit(rows.view(), &ForestParameters::default()).expect("the rows are fine");
    let model =
        TrainedModel::new(forest, FEATURE_NAMES, TrainingRecord::default()).expect("there are seven names");
    let bytes = model.to_bytes().expect("it is small");
    let mut group = criterion.benchmark_group("model");
    group.bench_function("load 100 trees", |bencher| {
        bencher.iter(|| TrainedModel::from_bytes(black_box(&bytes)));
    });
    let model = RequestModel::new(model).expect("these are the features");
    let requests: Vec<[f64; FEATURE_COUNT]> =
        rows.rows().into_iter().take(4096).filter_map(|row| row.to_vec().try_into().ok()).collect();
    let mut next = requests.iter().cycle();
    group.bench_function("score a request", |bencher| {
        bencher.iter(|| next.next().map(|request| model.score(black_box(request))));
    });
    group.finish();
}

criterion_group!(benches, fit_and_score, model);
criterion_main!(benches);
