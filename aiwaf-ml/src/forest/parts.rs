//! What a forest consists of, as it is stored.

use super::parameters::{Contamination, Extension, ForestParameters};
use super::path_length::height_limit;
use super::tree::Tree;

/// The trees and what was said about them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ForestParts {
    pub(crate) columns: usize,
    pub(crate) training_rows: u64,
    /// How many rows each tree was grown from.
    pub(crate) sample_size: u32,
    pub(crate) extension: Extension,
    pub(crate) seed: u64,
    pub(crate) contamination: Contamination,
    pub(crate) threshold: f64,
    pub(crate) trees: Vec<Tree>,
}

impl ForestParts {
    /// Whether a forest of so many trees can be like that, whoever wrote it; else what is wrong.
    pub(crate) fn check(&self, trees: u32) -> Result<(), String> {
        let parameters = ForestParameters {
            trees,
            sample_size: self.sample_size,
            extension: self.extension,
            seed: self.seed,
            contamination: self.contamination,
        };
        parameters.check(self.columns).map_err(|error| error.to_string())?;
        parameters.check_size(self.sample_size, self.columns).map_err(|error| error.to_string())?;
        if u64::from(self.sample_size) > self.training_rows {
            return Err("its trees are from more rows than there were".to_owned());
        }
        if !(0.0..=1.0).contains(&self.threshold) {
            return Err(format!("its threshold is {}", self.threshold));
        }
        Ok(())
    }

    /// The most splits on the way from a root to a leaf.
    pub(crate) fn height(&self) -> u32 {
        height_limit(self.sample_size)
    }
}
