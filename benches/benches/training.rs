//! Training from a log of a million lines: reading, features, and all of it together, on one thread; beside `wc -l`, which
//! only counts the lines, and GoAccess, which parses them, where these are installed.
//!
//! A custom harness: a log is read from a file, and peers are other processes.
#![allow(clippy::expect_used)] // a measurement that can't be taken should stop

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use aiwaf_benches::{is_quick, median, resident_bytes, write_log, write_report};
use aiwaf_core::{ClientHistory, Engine, RecordBuffers, features};
use aiwaf_trainer::{Sources, Training, TrainingOptions};
use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let (lines, runs) = if is_quick() { (200_000, 2) } else { (1_000_000, 5) };
    let directory = tempfile::tempdir().context("a temporary directory")?;
    let log = directory.path().join("access.log");
    write(&log, lines)?;

    // What the process takes once, and the system's cache of the file, count for nobody.
    train(&log);
    let before = resident_bytes().context("this measurement needs Linux")?;
    let seconds = |what: &dyn Fn(&Path)| median((0..runs).map(|_| time(|| what(&log))));
    let parse = seconds(&parse);
    let rows = seconds(&rows);
    let end_to_end = seconds(&|log| drop(black_box(train(log))));
    let growth = resident_bytes().context("this measurement needs Linux")?.saturating_sub(before);
    let count = seconds_of(runs, "wc", &["-l".as_ref(), log.as_os_str()]);
    let page = directory.path().join("goaccess.html");
    let goaccess = seconds_of(
        runs,
        "goaccess",
        &[log.as_os_str(), "--log-format=COMBINED".as_ref(), "-o".as_ref(), page.as_os_str()],
    );

    let rate = |seconds: f64| f64::from(lines) / seconds;
    println!("{lines} lines, one thread, medians of {runs}:");
    println!("  parse                     {:>12.0} lines/s", rate(parse));
    println!("  parse and features        {:>12.0} lines/s", rate(rows));
    println!("  train, model included     {:>12.0} lines/s", rate(end_to_end));
    println!("  memory after all of that  {growth:>12} bytes more");
    for (name, seconds) in [("wc -l", count), ("goaccess", goaccess)] {
        match seconds {
            Some(seconds) => {
                let ratio = rate(rows) / rate(seconds);
                println!("  {name:<25} {:>12.0} lines/s; parse and features: {ratio:.2} x", rate(seconds));
            }
            None => println!("  {name} is not installed"),
        }
    }
    let figures = serde_json::json!({
        "lines": lines,
        "parse_lines_per_second": rate(parse),
        "features_lines_per_second": rate(rows),
        "train_lines_per_second": rate(end_to_end),
        "wc_lines_per_second": count.map(rate),
        "goaccess_lines_per_second": goaccess.map(rate),
    });
    write_report(env!("CARGO_TARGET_TMPDIR"), "training", &figures).context("writing the report")
}

fn write(path: &Path, lines: u32) -> anyhow::Result<()> {
    let mut out = BufWriter::new(File::create(path).context("creating the log")?);
    write_log(&mut out, lines).and_then(|()| out.flush()).context("writing the log")
}

fn time(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// How long another program takes; `None` if it is not installed or fails.
fn seconds_of(runs: usize, program: &str, arguments: &[&std::ffi::OsStr]) -> Option<f64> {
    let run = || {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let status = command.status().ok()?;
        status.success().then(|| start.elapsed().as_secs_f64())
    };
    let times: Option<Vec<f64>> = (0..runs).map(|_| run()).collect();
    times.map(median)
}

fn sources(log: &Path) -> Sources {
    Sources::find([log]).expect("the log is there")
}

fn parse(log: &Path) {
    let summary = sources(log).read(&mut (), |line| drop(black_box(line.record))).expect("the log is read");
    assert_eq!(summary.unparsed.lines, 0);
}

/// Every row that the model would see; what is kept of each client is its history alone.
fn rows(log: &Path) {
    let engine = Engine::builder().build().expect("defaults are valid");
    let window = engine.settings().ai_anomaly.window;
    let mut buffers = RecordBuffers::default();
    let mut clients = std::collections::HashMap::new();
    sources(log)
        .read(&mut (), |line| {
            let recorded = engine.recorded(&line.record, &mut buffers);
            let history = clients.entry(recorded.client).or_insert_with(|| ClientHistory::new(window));
            black_box(features(&recorded.event, history));
            history.record(&recorded.event);
        })
        .expect("the log is read");
}

fn train(log: &Path) -> aiwaf_trainer::TrainingReport {
    let options = TrainingOptions { hold_out: 0.0, ..TrainingOptions::default() };
    Training::new(options).run(sources(log), &mut ()).expect("the log can be learned from")
}
