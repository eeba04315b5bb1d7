//! A forest and all that one must know to use it.

mod errors;
mod file;
mod format;

use aiwaf_core::Timestamp;

use crate::forest::IsolationForest;

pub use self::errors::ModelError;
pub(crate) use self::file::read_file;

/// A forest with the names of its columns and the story of its training: what the model file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedModel {
    forest: IsolationForest,
    feature_names: Vec<String>,
    training: TrainingRecord,
}

/// From what a model was trained. What the forest itself knows (rows, seed, contamination, threshold) is not repeated
/// here; the file has it as well.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrainingRecord {
    /// When.
    pub trained_at: Timestamp,
    /// How many log lines were read; the forest's rows may be fewer.
    pub log_lines: u64,
    /// Which logs: paths or descriptions. At most 100 are kept, each cut to 1,024 bytes.
    pub log_sources: Vec<String>,
}

impl TrainedModel {
    /// Puts a forest together with the names of its columns, in their order.
    ///
    /// # Errors
    /// [`ModelError::FeatureCount`] unless there is one name for each column, [`ModelError::Invalid`] if one is empty,
    /// longer than 100 bytes, or there twice.
    pub fn new(
        forest: IsolationForest,
        feature_names: impl IntoIterator<Item = impl Into<String>>,
        mut training: TrainingRecord,
    ) -> Result<Self, ModelError> {
        let feature_names: Vec<String> = feature_names.into_iter().map(Into::into).collect();
        if feature_names.len() != forest.columns() {
            return Err(ModelError::FeatureCount { names: feature_names.len(), columns: forest.columns() });
        }
        for (number, name) in feature_names.iter().enumerate() {
            let is_repeated = feature_names.iter().take(number).any(|other| other == name);
            if name.is_empty() || name.len() > MAX_NAME || is_repeated {
                return Err(ModelError::invalid(format!(
                    "feature name {:?} is empty, too long or there twice",
                    cut(name, MAX_NAME)
                )));
            }
        }
        training.log_sources.truncate(MAX_SOURCES);
        for source in &mut training.log_sources {
            source.truncate(cut(source, MAX_SOURCE).len());
        }
        Ok(Self { forest, feature_names, training })
    }

    /// The forest.
    pub fn forest(&self) -> &IsolationForest {
        &self.forest
    }

    /// The names of the columns, in their order.
    pub fn feature_names(&self) -> &[String] {
        &self.feature_names
    }

    /// From what it was trained.
    pub fn training(&self) -> &TrainingRecord {
        &self.training
    }
}

const MAX_NAME: usize = 100;
const MAX_SOURCES: usize = 100;
const MAX_SOURCE: usize = 1024;

/// The start of `text`, at most so many bytes, whole characters.
fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default()
}
