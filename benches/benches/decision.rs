//! What a decision costs, and what a look-up in a long blacklist costs.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use aiwaf_benches::{BROWSER_HEADERS, START, lists};
use aiwaf_core::{Engine, Outcome, Protection, Request};
use criterion::{Criterion, criterion_group, criterion_main};

/// All eight protections, 100,000 bans, 1,000 keywords: budget 1 us.
fn clean_get(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decision");
    let engine = Engine::builder().lists(lists(100_000, 1_000)).build().expect("defaults are valid");
    let mut time = START;
    let mut client = 0u32;
    let mut next = move || {
        // Four thousand clients take turns, each every two seconds: as many maps' entries as a busy site touches.
        client = (client + 1) % 4096;
        time = time + Duration::from_micros(500);
        let address = IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + client));
        Request::new(address, time)
            .with_method("GET")
            .with_uri("/products/running-shoes?color=blue&page=2")
            .with_protocol("HTTP/1.1")
            .with_headers(&BROWSER_HEADERS)
    };
    group.bench_function("inspect clean GET", |bencher| {
        bencher.iter(|| {
            let verdict = engine.inspect(black_box(&next()));
            assert!(verdict.is_allowed());
            verdict
        });
    });
    let outcome = Outcome::new(200, Duration::from_millis(5));
    group.bench_function("observe clean GET", |bencher| {
        bencher.iter(|| engine.observe(black_box(&next()), black_box(&outcome)));
    });
    for protection in Protection::ALL {
        let engine = Engine::builder()
            .only([protection])
            .lists(lists(100_000, 1_000))
            .build()
            .expect("defaults are valid");
        group.bench_function(format!("inspect only {protection}"), |bencher| {
            bencher.iter(|| engine.inspect(black_box(&next())));
        });
    }
    group.finish();
}

/// One million prefixes against one thousand: budget twice the time.
fn look_up(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("blacklist");
    for size in [1_000, 1_000_000] {
        let engine = Engine::builder()
            .only([Protection::IpKeywordBlock])
            .lists(lists(size, 0))
            .build()
            .expect("defaults are valid");
        let mut bits = 1u32;
        group.bench_function(format!("look up in {size}"), |bencher| {
            bencher.iter(|| {
                bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                engine.inspect(black_box(&Request::new(IpAddr::V4(Ipv4Addr::from(bits)), START)))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, clean_get, look_up);
criterion_main!(benches);
