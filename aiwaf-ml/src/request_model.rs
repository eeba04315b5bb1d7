//! The model as the engine asks it.

use std::path::Path;

use aiwaf_core::{AnomalyModel, FEATURE_COUNT, FEATURE_NAMES};

use crate::model::{ModelError, TrainedModel};

/// A model that was trained on the features of requests, for [`Engine::set_model`](aiwaf_core::Engine::set_model).
#[derive(Debug, Clone, PartialEq)]
pub struct RequestModel(TrainedModel);

impl RequestModel {
    /// Takes a model if it was trained on [`FEATURE_NAMES`], in that order.
    ///
    /// # Errors
    /// [`ModelError::Features`] if it was trained on something else.
    pub fn new(model: TrainedModel) -> Result<Self, ModelError> {
        if model.feature_names() == FEATURE_NAMES {
            return Ok(Self(model));
        }
        Err(ModelError::Features {
            expected: FEATURE_NAMES.map(str::to_owned).to_vec(),
            found: model.feature_names().to_vec(),
        })
    }

    /// Reads such a model from a file.
    ///
    /// # Errors
    /// As [`TrainedModel::load`] and [`new`](Self::new).
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        Self::new(TrainedModel::load(path)?)
    }

    /// The model itself.
    pub fn trained(&self) -> &TrainedModel {
        &self.0
    }
}

impl AnomalyModel for RequestModel {
    fn score(&self, features: &[f64; FEATURE_COUNT]) -> f64 {
        // The number of columns was checked, and 0 is what nobody is flagged for.
        self.0.forest().score_row(features).unwrap_or(0.0)
    }

    /// The lowest score that is above the forest's threshold: the engine takes the threshold itself for anomalous, the
    /// forest (as scikit-learn) does not. It matters, for requests are often alike to the last bit.
    fn threshold(&self) -> f64 {
        self.0.forest().threshold().next_up()
    }
}
