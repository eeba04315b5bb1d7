//! Cost of `attack_signatures` on real browsing, hot and with the caches flushed between requests.
//!
//! Hot is each request's best time of several in a row. Flushed is its time after 16 MiB of memory were written, as
//! an application does between two requests. Mean and quantiles are over the requests.
//!
//! By default the requests are generated. Files of requests as `aiwaf inspect` reads them, `.gz` too, take their place:
//! `cargo bench -p aiwaf-benches --bench browsing -- requests.jsonl.gz`.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::Instant;

use aiwaf_benches::{START, browsing, is_quick, quantile, signatures, write_report};
use aiwaf_core::{Engine, RequestLine};
use anyhow::Context;
use flate2::read::MultiGzDecoder;

/// Bytes that are written to flush the caches.
const FLUSHED_BYTES: usize = 16 << 20;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Generated requests.
const REQUESTS: u32 = 1_000;

/// Requests that are measured with flushed caches, which takes milliseconds each.
const MAX_FLUSHED: usize = 1_000;

/// Repetitions of a hot request, of which the best counts.
const HOT_REPETITIONS: usize = 7;

fn main() -> anyhow::Result<()> {
    let files: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let quick = is_quick();
    let mut requests = Vec::new();
    for file in &files {
        read(Path::new(file), &mut requests).with_context(|| format!("reading {file}"))?;
    }
    if files.is_empty() {
        requests = browsing(if quick { REQUESTS / 10 } else { REQUESTS });
    }
    let engine = signatures::engine();
    // The first request of each also warms up what the engine builds lazily.
    let blocked = requests.iter().filter(|line| !judge(&engine, line)).count();
    let bytes: Vec<f64> = requests.iter().map(size).collect();
    let hot: Vec<f64> = requests.iter().map(|line| hot_micros(&engine, line)).collect();
    let step = requests.len().div_ceil(if quick { 50 } else { MAX_FLUSHED }).max(1);
    let mut memory = vec![0u8; FLUSHED_BYTES];
    let flushed: Vec<f64> =
        requests.iter().step_by(step).map(|line| flushed_micros(&engine, line, &mut memory)).collect();

    println!(
        "{} requests of {:.0} bytes on average, {blocked} of them blocked",
        requests.len(),
        mean(&bytes)
    );
    println!("{:<10}{:>12}{:>12}{:>12}", "", "mean", "p50", "p99");
    for (name, micros) in [("hot", &hot), ("flushed", &flushed)] {
        let [p50, p99] = [0.5, 0.99].map(|share| quantile(micros.iter().copied(), share));
        let cells = [mean(micros), p50, p99].map(|value| format!("{value:.2} us"));
        println!("{name:<10}{:>12}{:>12}{:>12}", cells[0], cells[1], cells[2]);
    }
    if !files.is_empty() {
        return Ok(());
    }
    let figures = serde_json::json!({
        "hot_mean_micros": mean(&hot),
        "hot_p50_micros": quantile(hot.iter().copied(), 0.5),
        "hot_p99_micros": quantile(hot, 0.99),
        "flushed_mean_micros": mean(&flushed),
        "flushed_p50_micros": quantile(flushed.iter().copied(), 0.5),
        "flushed_p99_micros": quantile(flushed, 0.99),
    });
    write_report(env!("CARGO_TARGET_TMPDIR"), "browsing", &figures).context("writing the report")
}

fn read(path: &Path, requests: &mut Vec<RequestLine>) -> anyhow::Result<()> {
    let file = File::open(path)?;
    let is_compressed = path.extension().is_some_and(|extension| extension == "gz");
    let file: Box<dyn Read> =
        if is_compressed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line?;
        if !line.trim().is_empty() {
            requests
                .push(RequestLine::parse(line.as_bytes()).with_context(|| format!("line {}", number + 1))?);
        }
    }
    Ok(())
}

/// Judges a request and reports whether it is allowed.
fn judge(engine: &Engine, line: &RequestLine) -> bool {
    let request = line.request([203, 0, 113, 1].into(), START);
    engine.inspect(black_box(&request)).is_allowed()
}

fn micros(engine: &Engine, line: &RequestLine) -> f64 {
    let request = line.request([203, 0, 113, 1].into(), START);
    let start = Instant::now();
    black_box(engine.inspect(black_box(&request)));
    start.elapsed().as_secs_f64() * 1e6
}

fn hot_micros(engine: &Engine, line: &RequestLine) -> f64 {
    (0..HOT_REPETITIONS).map(|_| micros(engine, line)).fold(f64::INFINITY, f64::min)
}

/// Time after the caches were flushed; the best of two, since an interruption is not the engine's.
fn flushed_micros(engine: &Engine, line: &RequestLine, memory: &mut [u8]) -> f64 {
    let mut once = || {
        memory.iter_mut().step_by(LINE).for_each(|byte| *byte = byte.wrapping_add(1));
        black_box(&mut *memory);
        micros(engine, line)
    };
    once().min(once())
}

/// Bytes of target, headers and body.
#[allow(clippy::cast_precision_loss)] // a few kilobytes
fn size(line: &RequestLine) -> f64 {
    let request = line.request([203, 0, 113, 1].into(), START);
    let mut bytes = request.method.len() + request.path.len() + request.query.len() + request.body.len();
    if let Some(headers) = request.headers {
        headers.visit(&mut |name, value| bytes += name.len() + value.len() + 4);
    }
    bytes as f64
}

#[allow(clippy::cast_precision_loss)] // thousands of requests
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
