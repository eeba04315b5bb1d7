//! Fitting the model to a sample of requests.

use aiwaf_core::{AnomalyModel, FEATURE_COUNT, FEATURE_NAMES, Timestamp};
use aiwaf_ml::{
    Contamination, ForestParameters, IsolationForest, RequestModel, TrainedModel, TrainingRecord,
};
use ndarray::Array2;
use serde::Serialize;

use crate::error::TrainingError;
use crate::sample::{Reservoir, SampledRow};

/// What is said of the model.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ModelReport {
    /// Whether there is one.
    pub trained: bool,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The features, in their order.
    pub features: Vec<String>,
    /// From how many requests it was fitted.
    pub rows: u64,
    /// Of how many these are a random sample.
    pub sampled_from: u64,
    /// How many of them had a response time.
    pub rows_with_response_time: u64,
    /// The share of the rows that is taken for anomalous; none if the threshold is that of the paper.
    pub contamination: Option<f64>,
    /// Requests with a higher score are anomalous.
    pub threshold: f64,
    /// How many rows have a higher one.
    pub anomalous_rows: u64,
    /// Where randomness started.
    pub seed: u64,
    /// How many trees there are.
    pub trees: u64,
    /// From how many rows each was grown.
    pub sample_size: u64,
    /// When it was trained.
    pub trained_at: String,
    /// How many rows have which score: [`HISTOGRAM_BINS`] equal parts of 0 to 1.
    pub histogram: Vec<u64>,
    /// Clients with the strangest requests in the sample.
    pub strangest: Vec<StrangeClient>,
}

/// A client with strange requests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StrangeClient {
    /// Its address, network or name.
    pub client: String,
    /// The highest score of its requests in the sample.
    pub score: f64,
    /// How many of these are anomalous.
    pub anomalous_rows: u64,
    /// How many there are.
    pub rows: u64,
    /// The request with the highest score.
    pub example: String,
    /// What the model saw of it, by the names of the features.
    pub features: Vec<(String, f64)>,
}

/// Into how many parts scores are counted.
pub const HISTOGRAM_BINS: usize = 50;

/// What the model is fitted with, and what it says of itself.
pub(crate) struct ModelPlan {
    pub(crate) contamination: f64,
    pub(crate) seed: u64,
    pub(crate) trained_at: Timestamp,
    pub(crate) log_lines: u64,
    pub(crate) log_sources: Vec<String>,
}

/// A model, and the scores of the rows that it was fitted to.
pub(crate) struct Fitted {
    pub(crate) model: RequestModel,
    pub(crate) scores: Vec<f64>,
    pub(crate) rows: Array2<f64>,
    pub(crate) with_response_time: u64,
}

/// Fits a model to the sample.
pub(crate) fn fit(sample: &Reservoir, plan: &ModelPlan) -> Result<Fitted, TrainingError> {
    let (rows, with_response_time) = matrix(sample.rows());
    let contamination = if plan.contamination > 0.0 {
        Contamination::Fraction(plan.contamination)
    } else {
        Contamination::Auto
    };
    let parameters = ForestParameters { seed: plan.seed, contamination, ..ForestParameters::default() };
    let forest = IsolationForest::fit(rows.view(), &parameters)?;
    let record = TrainingRecord {
        trained_at: plan.trained_at,
        log_lines: plan.log_lines,
        log_sources: plan.log_sources.clone(),
    };
    let model = RequestModel::new(TrainedModel::new(forest, FEATURE_NAMES, record)?)?;
    let scores = score_all(&model, &rows);
    Ok(Fitted { model, scores, rows, with_response_time })
}

fn score_all(model: &RequestModel, rows: &Array2<f64>) -> Vec<f64> {
    let mut row = [0.0; FEATURE_COUNT];
    rows.rows()
        .into_iter()
        .map(|values| {
            row.iter_mut().zip(values).for_each(|(slot, value)| *slot = *value);
            model.score(&row)
        })
        .collect()
}

/// The rows as a matrix, and how many have a response time.
///
/// If no line of the log says how long it took, the column is constant: no tree splits it, and the model does not mind
/// the response times of serving. If some do, the others are given the median of these.
fn matrix(rows: &[SampledRow]) -> (Array2<f64>, u64) {
    let column = FEATURE_NAMES.iter().position(|name| *name == "response_time").unwrap_or(FEATURE_COUNT);
    let value = |row: &SampledRow| row.features.get(column).copied().filter(|value| value.is_finite());
    let mut known: Vec<f64> = rows.iter().filter_map(value).collect();
    let with_response_time = known.len() as u64;
    let middle = known.len() / 2;
    let median = if known.is_empty() { 0.0 } else { *known.select_nth_unstable_by(middle, f64::total_cmp).1 };
    let filled = Array2::from_shape_fn((rows.len(), FEATURE_COUNT), |(row, column)| {
        let value = rows.get(row).and_then(|row| row.features.get(column)).copied().unwrap_or(0.0);
        if value.is_finite() { value } else { median }
    });
    (filled, with_response_time)
}

/// How many scores are in which of the equal parts of 0 to 1.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)] // scores are from 0 to 1
pub(crate) fn histogram(scores: &[f64]) -> Vec<u64> {
    let mut bins = vec![0; HISTOGRAM_BINS];
    for score in scores {
        let index = ((score * HISTOGRAM_BINS as f64) as usize).min(HISTOGRAM_BINS - 1);
        if let Some(bin) = bins.get_mut(index) {
            *bin += 1;
        }
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;
    use aiwaf_core::ClientKey;

    fn sample(response_time: impl Fn(u32) -> f64) -> Reservoir {
        let mut reservoir = Reservoir::new(1000, 0);
        for number in 0..500u32 {
            let client = ClientKey::new(std::net::Ipv4Addr::from(number).into(), 64);
            let length = f64::from(10 + number % 7);
            let features = [length, 0.0, response_time(number), 0.0, f64::from(number % 3), 0.0, 1.0];
            reservoir.offer(|| SampledRow { features, client, target: "/".into() });
        }
        reservoir
    }

    fn plan() -> ModelPlan {
        ModelPlan {
            contamination: 0.05,
            seed: 3,
            trained_at: Timestamp::UNIX_EPOCH,
            log_lines: 500,
            log_sources: vec![],
        }
    }

    /// Serving always has response times; a model from a log without them must not take that for strange.
    #[test]
    fn original_defect_28_a_log_without_response_times_makes_them_count_for_nothing() {
        let fitted = fit(&sample(|_| f64::NAN), &plan()).unwrap();
        let score = |taken| fitted.model.score(&[12.0, 0.0, taken, 0.0, 1.0, 0.0, 1.0]);
        assert_eq!(score(0.0).to_bits(), score(5000.0).to_bits());
        assert_eq!(fitted.with_response_time, 0);
    }

    #[test]
    fn missing_response_times_are_filled_with_the_median() {
        let sample = sample(|number| if number % 2 == 0 { f64::from(number) } else { f64::NAN });
        let (rows, known) = matrix(sample.rows());
        assert_eq!((known, rows[[1, 2]].to_bits()), (250, 250.0f64.to_bits()));
    }

    #[test]
    fn the_same_sample_makes_the_same_model() {
        let bytes = || fit(&sample(f64::from), &plan()).unwrap().model.trained().to_bytes().unwrap();
        assert_eq!(bytes(), bytes());
    }

    #[test]
    fn histograms_hold_all_scores() {
        let bins = histogram(&[0.0, 0.01, 0.5, 1.0, 2.0, f64::NAN]);
        assert_eq!((bins[0], bins[25], bins[49]), (3, 1, 2));
    }
}
