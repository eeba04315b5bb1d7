//! What `attack_signatures` costs: ordinary requests, and the worst that a search for slow inputs finds.

use std::hint::black_box;
use std::time::Instant;

use aiwaf_benches::{BROWSER_HEADERS, START};
use aiwaf_core::{Engine, Protection, Request, Settings};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

/// An engine in which only this protection runs and bans nobody.
#[allow(clippy::expect_used)] // the settings are valid, and without an engine there is nothing to measure
fn engine() -> Engine {
    let mut settings = Settings::default();
    settings.attack_signatures.ban_after = 0;
    Engine::builder()
        .settings(settings)
        .only([Protection::AttackSignatures])
        .build()
        .expect("settings are valid")
}

fn base<'r>() -> Request<'r> {
    Request::new([203, 0, 113, 1].into(), START)
        .with_method("GET")
        .with_protocol("HTTP/1.1")
        .with_path("/search")
}

const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded")];
const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// A query of 300 bytes as shops and searches have them.
const QUERY: &str = "q=running+shoes+for+men&category=sport%2Fshoes&color=blue&size=42&sort=price_asc&page=2&utm_source=\
    newsletter&utm_medium=email&utm_campaign=spring-sale-2026&session=1d7e5ab0c0ffee42&ref=https%3A%2F%2Fwww.example.com\
    %2Fproducts%2F&lang=en-GB&currency=EUR&filter=brand%3Aacme&view=grid&per_page=48";

fn form() -> String {
    let text = "I'd like to return the shoes that I bought last week - they're a size too small & the colour isn't quite right. ";
    let encoded = text.replace(' ', "+").replace('\'', "%27").replace('&', "%26");
    let body =
        format!("name=Jane+O%27Neill&email=jane%40example.com&subject=Return&message={}", encoded.repeat(12));
    body.chars().take(1024).collect()
}

/// A list of products, no two alike.
fn json(kibibytes: usize) -> String {
    let mut items = String::new();
    for number in 0.. {
        let item = format!(
            r#"{{"id":{},"name":"Blue running shoes, men's {number}","price":{number}.9,"tags":["sport","sale"],"note":"ships in 2 days"}},"#,
            48_213 + number
        );
        if items.len() + item.len() > kibibytes * 1024 {
            break;
        }
        items.push_str(&item);
    }
    format!("{{\"items\":[{}]}}", items.trim_end_matches(','))
}

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

/// Queries of 4 KiB that repeat two or three pieces: all pairs first, then the slowest of them with each piece more.
/// A search that finds what people would, too.
fn worst(criterion: &mut Criterion) {
    let engine = engine();
    let query = |unit: &str| format!("q={}", unit.repeat(4096 / unit.len()));
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
        for piece in PIECES {
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
