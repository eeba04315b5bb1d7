//! What a million clients that come once take in memory, and what one that is known costs on the heap.
//!
//! A custom harness: criterion measures time only.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use aiwaf_benches::{BROWSER_HEADERS, START, resident_bytes, write_report};
use aiwaf_core::{Engine, Outcome, Request, Timestamp};
use anyhow::Context;

const CLIENTS: u32 = 1_000_000;

/// All of them come within one window of the rate limit: one each 50 microseconds, which is 50 s.
const PAUSE: Duration = Duration::from_micros(50);

fn main() -> anyhow::Result<()> {
    let engine = Engine::builder().build()?;
    // What the engine takes once is no client's.
    visit(&engine, u32::MAX, START);
    let before = resident_bytes().context("this measurement needs Linux")?;
    let mut time = START;
    for client in 0..CLIENTS {
        time = time + PAUSE;
        visit(&engine, client, time);
    }
    let after = resident_bytes().context("this measurement needs Linux")?;
    let growth = after.saturating_sub(before);
    let allocations = allocations(&engine, time);
    drop(engine);

    let [mebibytes, each] = [growth >> 20, growth / u64::from(CLIENTS)];
    println!("{CLIENTS} clients seen once, all protections: {mebibytes} MiB, {each} bytes each");
    println!("heap allocations of an allowed GET of a known client: {allocations}");
    let figures = serde_json::json!({
        "clients": CLIENTS,
        "growth_bytes": growth,
        "allocations_of_an_allowed_get": allocations,
    });
    write_report(env!("CARGO_TARGET_TMPDIR"), "memory", &figures).context("writing the report")
}

fn request(client: u32, time: Timestamp) -> Request<'static> {
    let address = IpAddr::V4(Ipv4Addr::from(0x0b00_0000_u32.wrapping_add(client)));
    Request::new(address, time)
        .with_method("GET")
        .with_uri("/products/running-shoes?color=blue&page=2")
        .with_protocol("HTTP/1.1")
        .with_headers(&BROWSER_HEADERS)
}

fn visit(engine: &Engine, client: u32, time: Timestamp) {
    let request = request(client, time);
    assert!(engine.inspect(black_box(&request)).is_allowed());
    engine.observe(&request, &Outcome::new(200, Duration::from_millis(5)));
}

/// Allocations of a judgement, once its client is known.
fn allocations(engine: &Engine, time: Timestamp) -> u64 {
    const WARM: u32 = 60;
    for second in 0..WARM {
        visit(engine, 0, time + Duration::from_secs(second.into()));
    }
    let request = request(0, time + Duration::from_secs(WARM.into()));
    let measured = allocation_counter::measure(|| {
        assert!(engine.inspect(black_box(&request)).is_allowed());
    });
    measured.count_total
}
