//! Arbitrary bodies of each type: nothing panics, no byte is shown more than three times, and what serde_json reads is found.

#![no_main]

use aiwaf_core::internals::{Decoder, body_fields};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Some((&first, body)) = data.split_first() else { return };
    let content_type = CONTENT_TYPES[usize::from(first) % CONTENT_TYPES.len()];
    let small = [usize::from(first), 4, 3, 5];
    let default = [64 * 1024, 4096, 32, 8 * 1024];
    for limits in [small, default] {
        // A tag that breaks off is shown again as raw text, and a body with a lying type is then read as both.
        let shown = body_fields(content_type, body, limits, &mut |_, _| ());
        assert!(shown <= 3 * body.len().min(limits[0]), "{shown} of {}", body.len());
    }
    Decoder::default().body(content_type, body);
    let Some(value) = serde_json::from_slice::<Value>(body).ok().filter(|value| value.is_array() || value.is_object())
    else {
        return;
    };
    let mut found = Vec::new();
    let limits = [usize::MAX, usize::MAX, usize::MAX, 0];
    body_fields(Some(b"application/json"), body, limits, &mut |_, value| found.push(value.to_vec()));
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

const CONTENT_TYPES: [Option<&[u8]>; 8] = [
    None,
    Some(b"application/x-www-form-urlencoded"),
    Some(b"application/json"),
    Some(b"text/xml"),
    Some(b"multipart/form-data; boundary=b"),
    Some(b"multipart/form-data"),
    Some(b"text/plain; charset=utf-7"),
    Some(b"application/octet-stream"),
];
