//! Watching a model file.

use std::fs;

use aiwaf_core::FEATURE_NAMES;
use aiwaf_ml::{
    ForestParameters, IsolationForest, ModelChange, ModelError, ModelWatch, TrainedModel, TrainingRecord,
};

use crate::support::crowd;

fn model(seed: u64) -> TrainedModel {
    let parameters = ForestParameters { trees: 3, sample_size: 20, seed, ..ForestParameters::default() };
    let forest = IsolationForest::fit(crowd(50, FEATURE_NAMES.len()).view(), &parameters).unwrap();
    TrainedModel::new(forest, FEATURE_NAMES, TrainingRecord::default()).unwrap()
}

#[test]
fn changes_are_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.aiwaf");
    let mut watch = ModelWatch::new(&path);
    assert!(watch.look().is_none() && watch.look_closely().is_none());

    model(1).save(&path).unwrap();
    assert!(matches!(watch.look(), Some(ModelChange::Loaded(loaded)) if *loaded.trained() == model(1)));
    assert!(watch.look().is_none());
    assert!(watch.look_closely().is_none(), "read again, and as before");
    model(1).save(&path).unwrap();
    assert!(watch.look().is_none(), "another file with the same content");
    model(2).save(&path).unwrap();
    assert!(matches!(watch.look(), Some(ModelChange::Loaded(loaded)) if *loaded.trained() == model(2)));

    fs::write(&path, "nonsense").unwrap();
    assert!(matches!(watch.look(), Some(ModelChange::Unusable(ModelError::NotAModel))));
    assert!(watch.look().is_none());
    assert!(matches!(watch.look_closely(), Some(ModelChange::Unusable(ModelError::NotAModel))));

    fs::remove_file(&path).unwrap();
    assert!(matches!(watch.look(), Some(ModelChange::Gone)));
    assert!(watch.look().is_none() && watch.look_closely().is_none());
    model(2).save(&path).unwrap();
    assert!(matches!(watch.look(), Some(ModelChange::Loaded(_))), "it is back");
}

#[test]
fn what_is_no_file_is_unusable() {
    let directory = tempfile::tempdir().unwrap();
    let mut watch = ModelWatch::new(directory.path());
    assert!(matches!(watch.look(), Some(ModelChange::Unusable(ModelError::Io { .. }))));
    assert!(watch.look().is_none());
    assert!(TrainedModel::load(directory.path()).is_err());
}

#[cfg(unix)]
#[test]
fn a_device_does_not_block_or_fill_the_memory() {
    let mut watch = ModelWatch::new("/dev/zero");
    assert!(matches!(watch.look(), Some(ModelChange::Unusable(ModelError::Io { .. }))));
}
