//! `cargo xtask train`: makes the model that is part of the repository, checks that it is the one that the code makes, and
//! says how good it is.

mod random;
mod traffic;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

use self::traffic::Traffic;
use crate::metadata::{Metadata, cargo, root};
use crate::options::{Options, UsageError};
use crate::run::run as run_command;
use crate::table::Table;

/// The model that is part of the repository.
const SHIPPED: &str = "aiwaf-ml/models/default.aiwaf";

/// Where the randomness of the traffic starts.
const SEED: u64 = 2026;

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let options = Options::parse(arguments, &["--check"], &["--logs", "--model"])?;
    options.nothing_else()?;
    let logs = options.value("--logs");
    if logs.is_some() && options.has("--check") {
        return Err(UsageError::new(
            "--check compares with the model of the repository, so it takes no --logs",
        )
        .into());
    }
    let target = Metadata::read()?.target_directory;
    let directory = target.join("aiwaf-train");
    fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
    let trained = directory.join("model.aiwaf");
    let report = directory.join("report.json");
    let traffic = traffic::generate(SEED);
    let source = if let Some(logs) = logs {
        std::path::absolute(logs).with_context(|| format!("finding {logs}"))?
    } else {
        let log = directory.join("synthetic.log");
        fs::write(&log, &traffic.log).with_context(|| format!("writing {}", log.display()))?;
        log
    };
    train(&target, &source, &trained, &report, &directory.join("report.html"))?;
    let report = read_report(&report)?;
    println!("{}", quality(&report, logs.is_none().then_some(&traffic)));
    println!("the page with pictures: {}", directory.join("report.html").display());
    finish(&options, logs.is_some(), &trained)
}

/// Puts the model where it belongs, or compares it with what is there.
fn finish(options: &Options, of_own_logs: bool, trained: &Path) -> anyhow::Result<()> {
    let shipped = root().join(SHIPPED);
    if options.has("--check") {
        let (made, known) = (read(trained)?, read(&shipped)?);
        if made != known {
            bail!(
                "{SHIPPED} is not the model that the code makes: run 'cargo xtask train' and commit what it writes"
            );
        }
        println!("{SHIPPED} is the model that the code makes ({} bytes)", known.len());
        return Ok(());
    }
    let destination = match options.value("--model") {
        Some(path) => PathBuf::from(path),
        None if of_own_logs => {
            println!("the model: {} (give --model FILE to put it elsewhere)", trained.display());
            return Ok(());
        }
        None => shipped,
    };
    if let Some(parent) = destination.parent() {
        fs::create_dir_all(parent).with_context(|| format!("making {}", parent.display()))?;
    }
    let bytes =
        fs::copy(trained, &destination).with_context(|| format!("writing {}", destination.display()))?;
    println!("wrote {} ({bytes} bytes)", destination.display());
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {}", path.display()))
}

/// Builds and starts the trainer.
fn train(target: &Path, logs: &Path, model: &Path, report: &Path, page: &Path) -> anyhow::Result<()> {
    run_command(cargo().args([
        "build",
        "--release",
        "--quiet",
        "--package",
        "aiwaf-trainer",
        "--example",
        "train",
    ]))?;
    let program =
        target.join("release").join("examples").join(format!("train{}", std::env::consts::EXE_SUFFIX));
    let mut command = std::process::Command::new(program);
    command.arg(logs).arg("--model").arg(model).arg("--json").arg(report).arg("--html").arg(page);
    run_command(&mut command)
}

/// What of the trainer's report is shown.
#[derive(Debug, Deserialize)]
struct Report {
    parsed: u64,
    bans: Vec<Ban>,
    keywords: Vec<Keyword>,
    model: Model,
    held_out: Option<HeldOut>,
}

#[derive(Debug, Deserialize)]
struct Ban {
    client: String,
}

#[derive(Debug, Deserialize)]
struct Keyword {
    keyword: String,
}

#[derive(Debug, Deserialize)]
struct Model {
    rows: u64,
    anomalous_rows: u64,
    threshold: f64,
}

#[derive(Debug, Deserialize)]
struct HeldOut {
    scanners: u64,
    scanners_caught: u64,
    new_scanners: u64,
    new_scanners_caught: u64,
    mean_requests_before: f64,
    ordinary: u64,
    ordinary_hit: u64,
    model_auc: Option<f64>,
}

fn read_report(path: &Path) -> anyhow::Result<Report> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("understanding {}", path.display()))
}

/// How good it is; beside what the traffic model knows of who is who, if the log is its.
fn quality(report: &Report, traffic: Option<&Traffic>) -> Table {
    let mut table = Table::new(1, ["what", "measured"]);
    let mut row = |what: &str, measured: String| table.row([what.to_owned(), measured]);
    row("requests", report.parsed.to_string());
    row("rows that the model was fitted to", report.model.rows.to_string());
    row(
        "rows above its threshold",
        format!("{} (above {:.3})", report.model.anomalous_rows, report.model.threshold),
    );
    row("clients banned", report.bans.len().to_string());
    let words: Vec<&str> = report.keywords.iter().map(|keyword| keyword.keyword.as_str()).collect();
    row("keywords", words.join(" "));
    if let Some(traffic) = traffic {
        let banned = |of: &[String]| {
            let count =
                of.iter().filter(|address| report.bans.iter().any(|ban| ban.client == **address)).count();
            format!("{count} of {}", of.len())
        };
        row("scanners of the traffic model banned", banned(&traffic.scanners));
        row("visitors, programs, search engines banned", banned(&traffic.ordinary));
    }
    if let Some(held) = &report.held_out {
        row("held back: scanners turned away", format!("{} of {}", held.scanners_caught, held.scanners));
        row(
            "held back: scanners not seen before turned away",
            format!("{} of {}", held.new_scanners_caught, held.new_scanners),
        );
        row("held back: requests before that, on average", format!("{:.1}", held.mean_requests_before));
        row("held back: ordinary clients hit", format!("{} of {}", held.ordinary_hit, held.ordinary));
        if let Some(auc) = held.model_auc {
            row("held back: area under the model's ROC curve", format!("{auc:.3}"));
        }
    }
    table
}
