//! Whether bodies say to us what they say to the libraries that applications use.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::stream;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::decode::Part;

/// What part of a parameter it is, the parameter's name, and the value.
type Found = (Part, Vec<u8>, Vec<u8>);

/// What is found, and what became of the body.
fn found(content_type: &str, body: &[u8]) -> (Vec<Found>, BodyOutcome) {
    let limits = BodyLimits { max_fields: 10_000, max_depth: 100, ..BodyLimits::default() };
    let mut found = Vec::new();
    let outcome = fields(Some(content_type.as_bytes()), body, &limits, &mut |parameter| {
        found.push((parameter.part, parameter.name.to_vec(), parameter.value.to_vec()));
    });
    (found, outcome)
}

/// The keys and strings of a JSON value, sorted.
fn texts(value: &Value) -> Vec<(Part, Vec<u8>)> {
    fn collect(value: &Value, texts: &mut Vec<(Part, Vec<u8>)>) {
        match value {
            Value::String(text) => texts.push((Part::Value, text.clone().into_bytes())),
            Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
            Value::Object(members) => {
                for (key, value) in members {
                    texts.push((Part::Name, key.clone().into_bytes()));
                    collect(value, texts);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut texts = Vec::new();
    collect(value, &mut texts);
    // What is empty is not shown.
    texts.retain(|(_, text)| !text.is_empty());
    sorted(texts)
}

/// Sorted; keys once, for one that comes again under the same path need not be shown again.
fn sorted(mut texts: Vec<(Part, Vec<u8>)>) -> Vec<(Part, Vec<u8>)> {
    texts.sort();
    texts.dedup_by(|one, other| one.0 == Part::Name && one == other);
    texts
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9f64).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\\\\\"/\u{8}\u{c}\n\r\t\u{1f600}\u{0}a]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(".{0,6}", inner, 0..6)
                .prop_map(|members: BTreeMap<String, Value>| members.into_iter().collect()),
        ]
    })
}

/// Runs a future that never waits.
fn run<T>(future: impl Future<Output = T>) -> T {
    let Poll::Ready(result) = pin!(future).poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("the body is all there")
    };
    result
}

/// What multer finds: name, file name, content.
async fn multer_parts(boundary: &str, body: &[u8]) -> multer::Result<Vec<(String, Option<String>, Bytes)>> {
    let body = Bytes::copy_from_slice(body);
    let mut multipart = multer::Multipart::new(stream::iter([Ok::<_, multer::Error>(body)]), boundary);
    let mut parts = Vec::new();
    while let Some(field) = multipart.next_field().await? {
        let name = field.name().unwrap_or_default().to_owned();
        let file = field.file_name().map(ToOwned::to_owned);
        parts.push((name, file, field.bytes().await?));
    }
    Ok(parts)
}

/// What is found in a multipart body, as multer would say it.
fn our_parts(boundary: &str, body: &[u8]) -> (Vec<(String, Option<String>, Bytes)>, BodyOutcome) {
    let (found, outcome) = found(&format!("multipart/form-data; boundary=\"{boundary}\""), body);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut parts: Vec<(String, Option<String>, Bytes)> = Vec::new();
    for (part, name, value) in found {
        match part {
            Part::Name => parts.push((text(&name), None, Bytes::new())),
            Part::FileName => parts.last_mut().unwrap().1 = Some(text(&value)),
            Part::Value | Part::FileContent => parts.last_mut().unwrap().2 = value.into(),
            Part::Raw => panic!("raw: {}", value.escape_ascii()),
        }
    }
    (parts, outcome)
}

proptest! {
    #[test]
    fn json_says_what_serde_json_reads(value in json(), pretty: bool) {
        let body = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
        let (found, outcome) = found("application/json", &body);
        prop_assert_eq!(outcome.marks().count(), 0);
        let ours = found.into_iter().map(|(part, _, text)| (part, text)).collect();
        prop_assert_eq!(sorted(ours), texts(&value));
    }

    #[test]
    fn what_serde_json_reads_is_not_malformed(body in r#"([\[\]{}:,"]|"[a-z]?"|\\u00e9|\\|-?[0-9.e]{1,3}|null|true| ){0,12}"#) {
        let read: Result<Value, _> = serde_json::from_str(&body);
        let (found, outcome) = found("application/json", body.as_bytes());
        if let Ok(value) = read {
            prop_assert!(!outcome.has(BodyMark::Malformed), "{body}");
            // An object of serde_json keeps the last of equal keys; all are found.
            let ours: Vec<_> = found.into_iter().map(|(part, _, text)| (part, text)).collect();
            prop_assert!(texts(&value).iter().all(|text| ours.contains(text)), "{body}");
        } else if !body.trim().is_empty() && outcome.format == BodyFormat::Json {
            let several = serde_json::Deserializer::from_str(&body).into_iter::<Value>().all(|value| value.is_ok());
            prop_assert_eq!(outcome.has(BodyMark::Malformed), !several, "{}", body);
        }
    }

    #[test]
    fn a_form_says_what_form_urlencoded_reads(body in "([a-z+]|%[0-9a-fA-F]{2}|%|[&=]|\u{e4}){0,40}") {
        let read: Vec<_> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let (found, _) = found("application/x-www-form-urlencoded", body.as_bytes());
        // Both decoded once, for which there is a decoder that is not ours.
        let decode = |bytes: &[u8]| {
            let mut form = b"=".to_vec();
            form.extend(bytes);
            form_urlencoded::parse(&form).map(|(_, value)| value.into_owned()).collect::<String>()
        };
        let mut expected = Vec::new();
        for (name, value) in read {
            expected.extend((!name.is_empty()).then(|| (Part::Name, name.clone(), name.clone())));
            expected.extend((!value.is_empty()).then(|| (Part::Value, name.clone(), value)));
        }
        let ours: Vec<_> = found
            .into_iter()
            .map(|(part, name, value)| (part, String::from_utf8_lossy(&name).into_owned(), decode(&value)))
            .collect();
        // A name that comes again soon is given once.
        let split = |fields: Vec<(Part, String, String)>| {
            let (names, values): (Vec<_>, Vec<_>) =
                fields.into_iter().partition(|(part, ..)| *part == Part::Name);
            (BTreeSet::from_iter(names), values)
        };
        prop_assert_eq!(split(ours), split(expected));
    }

    #[test]
    fn multipart_says_what_multer_reads(
        parts in proptest::collection::vec(
            ("[a-z \\[\\];=.]{1,8}", proptest::option::of("[a-z ;.]{1,8}"), "([a-z]|\r\n|\n|--|--b|\r|[ \u{e4}]){0,12}"),
            1..5,
        ),
        boundary in "[a-zA-Z0-9]{6,20}",
    ) {
        let mut body = String::new();
        for (name, file, content) in &parts {
            let file = file.as_ref().map(|file| format!("; filename=\"{file}\"\r\nContent-Type: text/plain"));
            let head = format!("Content-Disposition: form-data; name=\"{name}\"{}", file.unwrap_or_default());
            body.extend(["--", &*boundary, "\r\n", &*head, "\r\n\r\n", &**content, "\r\n"]);
        }
        body.extend(["--", &*boundary, "--\r\n"]);
        let expected: Vec<(String, Option<String>, Bytes)> = parts
            .iter()
            .map(|(name, file, content)| (name.clone(), file.clone(), content.clone().into()))
            .collect();
        prop_assert_eq!(&run(multer_parts(&boundary, body.as_bytes())).unwrap(), &expected);
        let (ours, outcome) = our_parts(&boundary, body.as_bytes());
        prop_assert_eq!(outcome.marks().count(), 0);
        prop_assert_eq!(ours, expected);
    }

    #[test]
    fn no_body_is_too_odd(
        content_type in prop_oneof![
            Just("application/json"), Just("text/xml"), Just("multipart/form-data; boundary=b"), Just("text/plain"),
            Just("application/x-www-form-urlencoded"), Just("multipart/mixed"), Just(""),
        ],
        body in proptest::collection::vec(prop_oneof![
            "[<>/!?\\[\\]{}:,\"'=&;-]".prop_map(String::into_bytes),
            "(--b|\r\n|\r\n\r\n|<!DOCTYPE |<!ENTITY |<!\\[CDATA\\[|\\]\\]>|-->|<a |content-disposition: |name=|filename=)"
                .prop_map(String::into_bytes),
            proptest::collection::vec(any::<u8>(), 0..3),
        ], 0..40),
    ) {
        let body = body.concat();
        let limits = BodyLimits { max_fields: 5, max_depth: 3, max_file_bytes: 7 };
        let mut total = 0;
        fields(Some(content_type.as_bytes()), &body, &limits, &mut |parameter| {
            if parameter.part != Part::Name {
                total += parameter.value.len();
            }
        });
        // A part that is ambiguous is judged as a field, a file, and as what it may be if it is short; broken JSON is judged
        // as raw text and by its strings, and as a form if that is its type. What can run is shown again.
        prop_assert!(total <= 4 * body.len(), "{total} of {}", body.len());
    }
}

#[test]
fn all_equal_keys_are_found_where_applications_take_one() {
    let body = br#"{"a": "first", "a": "last"}"#;
    let read: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(read["a"], "last");
    let (found, _) = found("application/json", body);
    let values: Vec<&[u8]> =
        found.iter().filter(|(part, ..)| *part == Part::Value).map(|(_, _, value)| &value[..]).collect();
    assert_eq!(values, [&b"first"[..], b"last"]);
}
