//! What `attack_signatures` costs: ordinary requests, and the worst that a search for slow inputs finds.

use std::hint::black_box;
use std::time::Instant;

use aiwaf_benches::BROWSER_HEADERS;
use aiwaf_benches::signatures::{FORM, JSON, QUERY, base, engine, form, json};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn ordinary(criterion: &mut Criterion) {
    let engine = engine();
    let mut group = criterion.benchmark_group("signatures");
    let get = base().with_query(QUERY).with_headers(&BROWSER_HEADERS);
    let bare = base().with_query(QUERY);
    let body = form();
    let post = base().with_headers(&FORM).with_body(body.as_bytes());
    for (name, request) in
        [("GET, 300-byte query", bare), ("GET, 300-byte query, browser headers", get), ("1 KiB form", post)]
    {
        assert!(engine.inspect(&request).is_allowed(), "{name}");
        group.bench_function(name, |bencher| bencher.iter(|| engine.inspect(black_box(&request))));
    }
    for kibibytes in [1, 9] {
        let body = json(kibibytes);
        let request = base().with_headers(&JSON).with_body(body.as_bytes());
        assert!(engine.inspect(&request).is_allowed());
        group.bench_function(format!("{kibibytes} KiB JSON"), |bencher| {
            bencher.iter(|| engine.inspect(black_box(&request)));
        });
    }
    group.finish();
}

/// Pieces that make detectors work: they begin what never ends, nest, or nearly match.
const PIECES: [&str; 28] = [
    "'",
    "\"",
    "<",
    "<a ",
    "</",
    "(",
    ")",
    ";",
    "|",
    "&",
    "`",
    "$(",
    "${",
    "{{",
    "../",
    "..\\",
    "%25",
    "&#",
    "\\u00",
    "/*",
    "--",
    "or 1 ",
    "union select ",
    "a=",
    "on",
    "0x",
    "1,",
    "select (",
];

/// Queries of 4 KiB that repeat two or three pieces: all pairs first, then the slowest of them with each piece more, and
/// with a number more, so that no two repetitions are alike. A search that finds what people would, too.
fn worst(criterion: &mut Criterion) {
    let engine = engine();
    // A piece that is `{}` stands for a number.
    let query = |unit: &str| {
        let mut query = String::from("q=");
        for number in 0.. {
            let next = unit.replace("{}", &format!("{number:x}"));
            if query.len() + next.len() > 4096 {
                break;
            }
            query.push_str(&next);
        }
        query
    };
    let cost = |query: &str| {
        let request = base().with_query(query);
        // The least of a few, so that an interruption is taken for nothing.
        let once = |_| {
            let start = Instant::now();
            black_box(engine.inspect(black_box(&request)));
            start.elapsed()
        };
        (0..4).map(once).min().unwrap_or_default()
    };
    let mut found: Vec<_> = PIECES
        .iter()
        .flat_map(|first| PIECES.iter().map(move |second| format!("{first}{second}")))
        .map(|unit| (cost(&query(&unit)), unit))
        .collect();
    found.sort();
    let slowest: Vec<_> = found.iter().rev().take(16).map(|(_, unit)| unit.clone()).collect();
    for unit in slowest {
        for piece in PIECES.into_iter().chain(["{}"]) {
            let longer = format!("{unit}{piece}");
            found.push((cost(&query(&longer)), longer));
        }
    }
    found.sort();
    let unit = found.pop().map_or_else(String::new, |(_, unit)| unit);
    eprintln!("the slowest of {} repeated units: {unit:?}", found.len() + 1);
    let value = query(&unit);
    let mut group = criterion.benchmark_group("signatures worst");
    group.throughput(Throughput::Bytes(value.len() as u64));
    group.bench_with_input(BenchmarkId::from_parameter("4 KiB query"), &value, |bencher, value| {
        let request = base().with_query(value);
        bencher.iter(|| engine.inspect(black_box(&request)));
    });
    group.finish();
}

criterion_group!(benches, ordinary, worst);
criterion_main!(benches);
