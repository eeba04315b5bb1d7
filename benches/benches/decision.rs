//! What a decision costs, and what a look-up in a long blacklist costs.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use aiwaf_benches::{BROWSER_HEADERS, START, lists};
use aiwaf_core::{Engine, EngineBuilder, Outcome, Protection, Request};
use criterion::{Criterion, criterion_group, criterion_main};

/// All eight protections, 100,000 bans, 1,000 keywords: budget 1 us.
fn clean_get(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decision");
    let engine = build(Engine::builder().lists(lists(100_000, 1_000)));
    let mut time = START;
    let mut client = 0u32;
    let mut next_from = move |address: fn(u32) -> IpAddr| {
        // Four thousand clients take turns, each every two seconds: as many maps' entries as a busy site touches.
        client = (client + 1) % 4096;
        time = time + Duration::from_micros(500);
        Request::new(address(client), time)
            .with_method("GET")
            .with_uri("/products/running-shoes?color=blue&page=2")
            .with_protocol("HTTP/1.1")
            .with_headers(&BROWSER_HEADERS)
    };
    for (name, address) in
        [("inspect clean GET", ipv4 as fn(u32) -> IpAddr), ("inspect clean GET, IPv6", ipv6)]
    {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let verdict = engine.inspect(black_box(&next_from(address)));
                assert!(verdict.is_allowed());
                verdict
            });
        });
    }
    let mut next = move || next_from(ipv4);
    let outcome = Outcome::new(200, Duration::from_millis(5));
    group.bench_function("observe clean GET", |bencher| {
        bencher.iter(|| engine.observe(black_box(&next()), black_box(&outcome)));
    });
    for protection in Protection::ALL {
        let engine = build(Engine::builder().only([protection]).lists(lists(100_000, 1_000)));
        group.bench_function(format!("inspect only {protection}"), |bencher| {
            bencher.iter(|| engine.inspect(black_box(&next())));
        });
    }
    group.finish();
}

#[allow(clippy::expect_used)] // the defaults are valid, and without an engine there is nothing to measure
fn build(builder: EngineBuilder) -> Engine {
    builder.build().expect("defaults are valid")
}

/// The address of a client.
fn ipv4(client: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0b00_0000 + client))
}

/// The address of a client in a /48 of its own, as a household or an office has: neighbors in one would share a rate.
fn ipv6(client: u32) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from((0x2400_0000_u128 << 96) + (u128::from(client) << 80) + 7))
}

/// One million prefixes against one thousand: budget twice the time.
fn look_up(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("blacklist");
    for size in [1_000, 1_000_000] {
        let engine = build(Engine::builder().only([Protection::IpKeywordBlock]).lists(lists(size, 0)));
        let mut bits = 1u32;
        let mut random = move || {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            bits
        };
        group.bench_function(format!("look up in {size}"), |bencher| {
            bencher.iter(|| {
                let address = IpAddr::V4(Ipv4Addr::from(random()));
                engine.inspect(black_box(&Request::new(address, START)))
            });
        });
        group.bench_function(format!("look up IPv6 in {size}"), |bencher| {
            bencher.iter(|| {
                // Where the list has its networks, so that the search goes deep.
                let address = 0x2a00_u128 << 112 | u128::from(random()) << 80 | u128::from(random()) << 48;
                engine.inspect(black_box(&Request::new(IpAddr::V6(Ipv6Addr::from(address)), START)))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, clean_get, look_up);
criterion_main!(benches);
