//! The model file: what is written is read, and nothing else is.

use std::fs;

use aiwaf_core::{AnomalyModel, FEATURE_NAMES, Timestamp};
use aiwaf_ml::{
    Contamination, Extension, ForestParameters, IsolationForest, ModelError, RequestModel, TrainedModel,
    TrainingRecord,
};
use proptest::prelude::*;

use crate::support::{crowd, model};

fn small() -> ForestParameters {
    ForestParameters {
        trees: 5,
        sample_size: 30,
        seed: 3,
        contamination: Contamination::Fraction(0.02),
        ..ForestParameters::default()
    }
}

fn reseal(bytes: &mut Vec<u8>) {
    bytes.truncate(bytes.len() - 4);
    let checksum = crc32fast::hash(bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
}

#[test]
fn a_model_is_read_as_it_was_written() {
    for extension in [Extension::Standard, Extension::Level(0), Extension::Level(1)] {
        let written = model(&ForestParameters { extension, ..small() });
        let bytes = written.to_bytes().unwrap();
        let read = TrainedModel::from_bytes(&bytes).unwrap();
        assert_eq!(read, written);
        assert_eq!(read.to_bytes().unwrap(), bytes);
        assert_eq!(read.feature_names(), ["length", "hits"]);
        assert_eq!(read.training().trained_at, Timestamp::from_unix_seconds(1.7e9));
        assert_eq!((read.training().log_lines, read.training().log_sources.len()), (600, 2));
        let forest = read.forest();
        assert_eq!((forest.training_rows(), forest.seed(), forest.trees()), (500, 3, 5));
        assert_eq!(forest.contamination(), Contamination::Fraction(0.02));
        let rows = crowd(500, 2);
        let scores = forest.anomaly_scores(rows.view()).unwrap();
        assert_eq!(scores, written.forest().anomaly_scores(rows.view()).unwrap());
    }
}

#[test]
fn what_is_wrong_is_told_apart() {
    let bytes = model(&small()).to_bytes().unwrap();
    let read = |bytes: &[u8]| TrainedModel::from_bytes(bytes).unwrap_err();
    assert!(matches!(read(b"PK\x03\x04 something else"), ModelError::NotAModel));
    assert!(matches!(read(b"\x80\x04\x95"), ModelError::NotAModel)); // a pickle, as the original had
    for length in (0..bytes.len()).step_by(7) {
        assert!(matches!(read(&bytes[..length]), ModelError::Truncated { .. }), "{length}");
    }
    let mut newer = bytes.clone();
    newer[8] = 9;
    assert!(matches!(read(&newer), ModelError::Version { found: 9, known: 1 }));
    for place in [20, 100, bytes.len() / 2, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        assert!(matches!(read(&damaged), ModelError::Checksum { .. }), "{place}");
    }
    let longer = [&bytes[..], b"x"].concat();
    assert!(matches!(read(&longer), ModelError::Invalid { .. }));
    let mut claims = bytes.clone();
    claims[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(read(&claims), ModelError::TooLarge { .. }));
}

/// A checksum is no secret, so whoever writes a hostile file writes a right one.
#[test]
fn hostile_contents_are_refused_behind_a_right_checksum() {
    let good = String::from_utf8_lossy(&model(&small()).to_bytes().unwrap()[20..]).into_owned();
    let header = good[..=good.find('}').unwrap()].to_owned();
    let with_header = |header: &str| {
        let bytes = model(&small()).to_bytes().unwrap();
        let old = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
        let mut changed = bytes[..12].to_vec();
        changed.extend_from_slice(&u32::try_from(header.len()).unwrap().to_le_bytes());
        changed.extend_from_slice(&bytes[16..20]);
        changed.extend_from_slice(header.as_bytes());
        changed.extend_from_slice(&bytes[20 + old..]);
        reseal(&mut changed);
        TrainedModel::from_bytes(&changed)
    };
    assert!(with_header(&header).is_ok());
    for (from, to, what) in [
        ("\"trees\":5", "\"trees\":10000", "too early"),
        ("\"trees\":5", "\"trees\":4", "behind its last tree"),
        ("\"trees\":5", "\"trees\":0", "trees 0"),
        ("\"trees\":5", "\"trees\":-1", "header"),
        ("\"trees\":5", "\"trees\":5,\"code\":\"import os\"", "code"),
        ("\"sample_size\":30", "\"sample_size\":31", "rows in its leaves"),
        ("\"sample_size\":30", "\"sample_size\":65536", "more rows than there were"),
        ("\"threshold\":", "\"threshold\":1e300,\"x\":", "x"),
        ("\"extension_level\":null", "\"extension_level\":2", "extension level 2"),
        ("\"extension_level\":null", "\"extension_level\":1", "tree 0"),
        ("[\"length\",\"hits\"]", "[\"length\"]", "column 1"),
        ("[\"length\",\"hits\"]", "[]", "0 columns"),
        ("[\"length\",\"hits\"]", "[\"length\",\"length\"]", "there twice"),
        ("[\"length\",\"hits\"]", "[\"length\",\"\"]", "empty"),
        ("\"contamination\":0.02", "\"contamination\":0.9", "contamination 0.9"),
        ("2023-11-14", "soon", "no time"),
    ] {
        assert!(header.contains(from), "{from}");
        let error = with_header(&header.replace(from, to)).unwrap_err();
        assert!(matches!(error, ModelError::Invalid { .. }), "{to}: {error}");
        assert!(error.to_string().contains(what), "{to}: {error}");
    }
    let error = with_header(&header.replace("\"seed\":3", &"[".repeat(10_000)));
    assert!(matches!(error, Err(ModelError::Invalid { .. })));
}

#[test]
fn files_are_replaced_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.aiwaf");
    let missing = TrainedModel::load(&path).unwrap_err();
    assert!(
        matches!(missing, ModelError::Io { .. }) && missing.to_string().contains("model.aiwaf"),
        "{missing}"
    );
    let first = model(&small());
    first.save(&path).unwrap();
    assert_eq!(TrainedModel::load(&path).unwrap(), first);
    let second = model(&ForestParameters { seed: 4, ..small() });
    second.save(&path).unwrap();
    assert_eq!(TrainedModel::load(&path).unwrap(), second);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    assert!(first.save(directory.path().join("missing/model.aiwaf")).is_err());
    fs::write(&path, b"").unwrap();
    assert!(matches!(TrainedModel::load(&path).unwrap_err(), ModelError::Truncated { found: 0, .. }));
}

#[cfg(unix)]
#[test]
fn a_new_file_can_be_read_by_the_service_and_an_old_one_keeps_its_permissions() {
    use std::os::unix::fs::PermissionsExt;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.aiwaf");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    model(&small()).save(&path).unwrap();
    assert_eq!(mode(), 0o644);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    model(&small()).save(&path).unwrap();
    assert_eq!(mode(), 0o600);
}

#[test]
fn only_models_of_the_engine_s_features_judge_requests() {
    let error = RequestModel::new(model(&small())).unwrap_err();
    assert!(matches!(&error, ModelError::Features { found, .. } if found.len() == 2), "{error}");
    assert!(error.to_string().contains("length, hits"), "{error}");

    let rows = crowd(500, FEATURE_NAMES.len());
    let forest = IsolationForest::fit(rows.view(), &small()).unwrap();
    let model = TrainedModel::new(forest, FEATURE_NAMES, TrainingRecord::default()).unwrap();
    let swapped = FEATURE_NAMES.iter().rev().copied();
    let other = TrainedModel::new(model.forest().clone(), swapped, TrainingRecord::default()).unwrap();
    assert!(RequestModel::new(other).is_err());

    let judge = RequestModel::new(model.clone()).unwrap();
    let forest = model.forest();
    for (row, prediction) in rows.rows().into_iter().zip(forest.predict(rows.view()).unwrap()) {
        let features = row.to_vec().try_into().unwrap();
        // The engine takes the threshold itself for anomalous.
        assert_eq!(judge.score(&features) >= judge.threshold(), prediction == -1);
    }
}

#[test]
fn names_and_sources_are_bounded() {
    let forest = || IsolationForest::fit(crowd(50, 2).view(), &small()).unwrap();
    let new = |names: [&str; 2]| TrainedModel::new(forest(), names, TrainingRecord::default());
    assert!(new(["a", "b"]).is_ok());
    assert!(new(["a", "a"]).is_err() && new(["a", ""]).is_err() && new(["a", &"x".repeat(101)]).is_err());
    let error = TrainedModel::new(forest(), ["a"], TrainingRecord::default()).unwrap_err();
    assert!(matches!(error, ModelError::FeatureCount { names: 1, columns: 2 }));
    let training = TrainingRecord { log_sources: vec!["é".repeat(600); 200], ..TrainingRecord::default() };
    let model = TrainedModel::new(forest(), ["a", "b"], training).unwrap();
    let sources = &model.training().log_sources;
    assert_eq!((sources.len(), sources[0].len()), (100, 1024));
    assert_eq!(TrainedModel::from_bytes(&model.to_bytes().unwrap()).unwrap(), model);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Bytes change anywhere behind the lengths, under a right checksum: an error or a model that scores.
    #[test]
    fn no_bytes_make_a_model_that_breaks(
        changes in proptest::collection::vec((20usize..2000, any::<u8>()), 1..6),
        extended: bool,
    ) {
        let extension = if extended { Extension::Level(1) } else { Extension::Standard };
        let mut bytes = model(&ForestParameters { extension, ..small() }).to_bytes().unwrap();
        let length = bytes.len() - 4;
        for (place, byte) in changes {
            bytes[20 + place % (length - 20)] = byte;
        }
        reseal(&mut bytes);
        if let Ok(model) = TrainedModel::from_bytes(&bytes) {
            let columns = model.forest().columns();
            for value in [0.0, -1e300, f64::INFINITY, 3.5] {
                let score = model.forest().score_row(&vec![value; columns]).unwrap();
                prop_assert!((0.0..=1.0).contains(&score), "{score}");
            }
            prop_assert_eq!(TrainedModel::from_bytes(&model.to_bytes().unwrap()).unwrap(), model);
        }
    }
}
