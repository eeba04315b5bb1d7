//! Arbitrary bytes as a model file, as they are and behind a right envelope: nothing panics, and what is accepted scores
//! from 0 to 1 and is written and read back equal.

#![no_main]

use aiwaf_ml::TrainedModel;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    check(data);
    // Magic, version, lengths and checksum are put right, so that header and trees are reached: the first two bytes say
    // how long the header is.
    let Some((length, rest)) = data.split_first_chunk::<2>() else { return };
    let header = usize::from(u16::from_le_bytes(*length)).min(rest.len());
    let trees = rest.len() - header;
    let mut bytes = b"AIWAF-ML".to_vec();
    for number in [1, header, trees] {
        bytes.extend_from_slice(&u32::try_from(number).expect("inputs are short").to_le_bytes());
    }
    bytes.extend_from_slice(rest);
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    check(&bytes);
});

fn check(bytes: &[u8]) {
    let model = match TrainedModel::from_bytes(bytes) {
        Ok(model) => model,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let columns = model.forest().columns();
    for value in [0.0, -1.5, f64::MAX, f64::NEG_INFINITY, f64::NAN] {
        let score = model.forest().score_row(&vec![value; columns]).expect("the number of columns is right");
        assert!((0.0..=1.0).contains(&score), "{score}");
    }
    let written = model.to_bytes().expect("what was read can be written");
    assert_eq!(TrainedModel::from_bytes(&written).expect("what was written can be read"), model);
}
