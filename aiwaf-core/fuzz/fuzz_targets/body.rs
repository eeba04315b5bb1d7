//! Arbitrary bodies of each type: nothing panics, what is found does not depend on how the body is cut into chunks, no byte is
//! shown more than a few times, and what serde_json reads is found.

#![no_main]

use aiwaf_core::internals::{Decoder, body_fields};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Some((&[first, second, count], body)) = data.split_first_chunk() else { return };
    let content_type = CONTENT_TYPES[usize::from(first) % CONTENT_TYPES.len()];
    let small = [4, 3, usize::from(second)];
    let default = [4096, 32, 8 * 1024];
    // Chunks of few bytes up to some thousand, by the first bytes.
    let sizes = [usize::from(first) % 7 + 1, usize::from(second) + 1, usize::from(count) * 67 + 1];
    let cuts: Vec<usize> = sizes.into_iter().cycle().take(usize::from(count)).collect();
    for limits in [small, default] {
        let mut whole = Vec::new();
        let shown = body_fields(content_type, body, limits, &[], &mut |name, value| {
            whole.push((name.to_vec(), value.to_vec()));
        });
        // A part may be judged as field and file, broken JSON also by its strings, and what can run is shown again.
        assert!(shown <= 10 * body.len() + 2048, "{shown} of {}", body.len());
        let mut cut = Vec::new();
        body_fields(content_type, body, limits, &cuts, &mut |name, value| {
            cut.push((name.to_vec(), value.to_vec()));
        });
        // A body that is read in two ways is shown in the order of its chunks.
        whole.sort();
        cut.sort();
        assert!(whole == cut, "{cuts:?}");
    }
    Decoder::default().body(content_type, body);
    let Some(value) =
        serde_json::from_slice::<Value>(body).ok().filter(|value| value.is_array() || value.is_object())
    else {
        return;
    };
    let mut found = Vec::new();
    let limits = [usize::MAX, usize::MAX, 0];
    body_fields(Some(b"application/json"), body, limits, &[], &mut |_, value| found.push(value.to_vec()));
    check(&value, &found);
});

/// All keys and strings must have been found.
fn check(value: &Value, found: &[Vec<u8>]) {
    let is_found = |text: &str| text.is_empty() || found.iter().any(|found| found == text.as_bytes());
    match value {
        Value::String(text) => assert!(is_found(text), "{text:?}"),
        Value::Array(items) => items.iter().for_each(|item| check(item, found)),
        Value::Object(members) => {
            for (key, value) in members {
                assert!(is_found(key), "{key:?}");
                check(value, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

const CONTENT_TYPES: [Option<&[u8]>; 11] = [
    None,
    Some(b"application/x-www-form-urlencoded"),
    Some(b"application/json"),
    Some(b"text/xml"),
    Some(b"multipart/form-data; boundary=b"),
    Some(b"multipart/form-data"),
    Some(b"text/plain; charset=utf-7"),
    Some(b"application/octet-stream"),
    Some(b"application/grpc"),
    Some(b"application/x-protobuf"),
    Some(b"application/json; charset=utf-16"),
];
