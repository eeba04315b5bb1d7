//! What is found does not depend on how a body is cut into chunks.

use proptest::prelude::*;

use super::window::WINDOW;
use super::*;
use crate::decode::{Part, Place};

type Found = (Part, Place, Vec<u8>, Vec<u8>);

fn keep(found: &mut Vec<Found>, parameter: &Parameter<'_>) {
    found.push((parameter.part, parameter.place, parameter.name.to_vec(), parameter.value.to_vec()));
}

fn whole(content_type: &str, body: &[u8], limits: &BodyLimits) -> (Vec<Found>, BodyOutcome) {
    let mut found = Vec::new();
    let head = BodyHead::new([content_type.as_bytes()]);
    let outcome = BodyReader::new(head, limits).finish_with(body, &mut |value| keep(&mut found, &value));
    (found, outcome)
}

fn in_chunks(
    content_type: &str,
    body: &[u8],
    limits: &BodyLimits,
    sizes: &[usize],
) -> (Vec<Found>, BodyOutcome) {
    let mut found = Vec::new();
    let mut reader = BodyReader::new(BodyHead::new([content_type.as_bytes()]), limits);
    let mut rest = body;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, after) = rest.split_at(rest.len().min(*size));
        reader.feed(chunk, &mut |value| keep(&mut found, &value));
        rest = after;
    }
    let outcome = reader.finish(&mut |value| keep(&mut found, &value));
    (found, outcome)
}

#[track_caller]
fn check(content_type: &str, body: &[u8], limits: &BodyLimits, sizes: &[usize]) {
    let (mut expected, expected_outcome) = whole(content_type, body, limits);
    let (mut found, outcome) = in_chunks(content_type, body, limits, sizes);
    if content_type.contains("urlencoded") || outcome.has(BodyMark::HidingCharset) {
        // A body that is read in two ways is shown in the order of its chunks.
        expected.sort();
        found.sort();
    }
    if expected != found {
        let different = expected.iter().zip(&found).position(|(one, other)| one != other);
        let at = different.unwrap_or(expected.len().min(found.len()));
        let show = |found: &[Found]| {
            found.get(at).map(|(part, _, name, value)| {
                let value = value.get(..60).unwrap_or(value);
                format!("{part:?} {}={}", name.escape_ascii(), value.escape_ascii())
            })
        };
        panic!("{content_type} {sizes:?}: {at}: {:?} became {:?}", show(&expected), show(&found));
    }
    assert_eq!(outcome, expected_outcome, "{content_type} {sizes:?}");
}

const CONTENT_TYPES: [&str; 14] = [
    "application/json",
    "application/x-ndjson",
    "application/x-www-form-urlencoded",
    "text/xml",
    "multipart/form-data; boundary=b",
    "multipart/mixed; boundary=b",
    "multipart/form-data",
    "text/plain",
    "text/plain; charset=utf-7",
    "application/json; charset=utf-16be",
    "image/png",
    "application/grpc",
    "application/x-protobuf",
    "",
];

/// A text and how often it is repeated.
fn fragment() -> impl Strategy<Value = (&'static str, usize)> {
    let tokens = prop_oneof![
        2 => proptest::sample::select("< > / ! ? [ ] { } : , \" ' = & ; # + % \\ - \r \n \t x".split(' ').collect::<Vec<_>>()),
        1 => Just(" "),
        3 => proptest::sample::select(&TOKENS[..]),
    ];
    let long = (
        proptest::sample::select(&["x", " ", "%", "\n", "9", "\\u0041", "\u{e9}", "<?", "a="][..]),
        prop_oneof![8 => 20usize..1200, 1 => WINDOW - 8..WINDOW + 8],
    );
    prop_oneof![12 => tokens.prop_map(|token| (token, 1)), 1 => long]
}

const TOKENS: [&str; 48] = [
    "--b",
    "--b--",
    "\r\n",
    "\r\n\r\n",
    "<!DOCTYPE a",
    "<!ENTITY ",
    "SYSTEM",
    "<![CDATA[",
    "]]>",
    "-->",
    "<!--",
    "<?",
    "?>",
    "<a",
    "</a>",
    " b='c'",
    "content-disposition: form-data",
    "; name=",
    "; filename=",
    "content-transfer-encoding: base64",
    "_charset_=",
    "\r\n--b\r\n",
    "{\"",
    "\":",
    "\",",
    "\\u00e9",
    "\\ud83d\\ude00",
    "\\n",
    "//",
    "/*",
    "*/",
    "true",
    "null",
    "-1.5e3",
    "999999999999999999999999999999999999999999999999999999999999999999",
    "[",
    "\0",
    "\u{1}\u{2}",
    "\u{e9}",
    "<?php",
    "text",
    "=3D",
    "+ADw-",
    "content-type: x; charset=utf-16",
    "\r\ncontent-disposition: form-data; name=a\r\n\r\n",
    "PHNj",
    "\u{1f600}",
    "\x1b(J",
];

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        1 => Just(vec![1]),
        1 => Just(vec![7]),
        4 => proptest::collection::vec(prop_oneof![1usize..60, 500usize..3000, 10_000usize..30_000], 1..12),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn fragments_in_chunks_are_found_as_in_one(
        content_type in proptest::sample::select(&CONTENT_TYPES[..]),
        start in prop_oneof![Just(""), Just("{\"a\":"), Just("--b\r\ncontent-disposition: form-data; name=a\r\n\r\n"),
            Just("<a>"), Just("a="), Just("\u{feff}"), Just("   "), Just("{"), Just("\0{\0"), Just("<\0a\0")],
        fragments in proptest::collection::vec(fragment(), 0..30),
        sizes in sizes(),
    ) {
        let fragments: String = fragments.iter().map(|(text, times)| text.repeat(*times)).collect();
        let body = [start.as_bytes(), fragments.as_bytes()].concat();
        let limits = BodyLimits { max_fields: 12, max_depth: 4, max_file_bytes: 100 };
        check(content_type, &body, &limits, &sizes);
    }

    #[test]
    fn json_in_chunks_is_found_as_in_one(
        strings in proptest::collection::vec(
            ("[a-z\\\\\"\u{e9}]{0,6}", prop_oneof![Just(1usize), 1usize..600, Just(4000)]), 1..5),
        sizes in sizes(),
    ) {
        let member = |(text, times): &(String, usize)| {
            let long = serde_json::to_string(&text.repeat(*times)).unwrap();
            format!("{long}:{{\"v\":[{long},12,true,{{}}]}}")
        };
        let body = format!("{{{}}}", strings.iter().map(member).collect::<Vec<_>>().join(" , "));
        check("application/json", body.as_bytes(), &BodyLimits::default(), &sizes);
        let (_, outcome) = whole("application/json", body.as_bytes(), &BodyLimits::default());
        prop_assert_eq!(outcome.marks().count(), 0);
    }

    #[test]
    fn protobuf_in_chunks_is_found_as_in_one(
        messages in proptest::collection::vec(
            (proptest::collection::vec((0u8..3, prop_oneof![0usize..300, Just(20_000)]), 0..6), 0u8..2), 1..4),
        sizes in sizes(),
    ) {
        let mut body = Vec::new();
        for (fields, compressed) in &messages {
            let mut message = Vec::new();
            for (kind, length) in fields {
                let content = match kind {
                    0 => vec![b'x'; *length],
                    1 => [&[0x0a, 3][..], b"abc", &vec![0x08; *length / 2 * 2]].concat(),
                    _ => vec![0xff; *length],
                };
                message.push(0x12);
                let mut left = content.len();
                while left >= 0x80 {
                    message.push(u8::try_from(left % 0x80).unwrap() | 0x80);
                    left /= 0x80;
                }
                message.push(u8::try_from(left).unwrap());
                message.extend(content);
            }
            body.push(*compressed);
            body.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
            body.extend(message);
        }
        check("application/grpc", &body, &BodyLimits::default(), &sizes);
    }
}
