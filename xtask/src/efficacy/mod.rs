//! `cargo xtask efficacy`: how many attacks `aiwaf` stops, and how many honest requests it disturbs.

mod judge;
mod report;
mod row;

use std::path::PathBuf;

use self::judge::{Judge, Verdict};
use self::report::Report;
use self::row::read_rows;
use crate::metadata::{Metadata, cargo};
use crate::options::{Options, UsageError};
use crate::run::run as run_command;

const USAGE: &str = "\
Judges labelled requests with 'aiwaf inspect --stateless', and prints how many of each kind were stopped.

Usage: cargo xtask efficacy [OPTIONS] FILE...

A FILE has one JSON object a line, .gz too: a request as 'aiwaf inspect' reads it, or a text to be searched for, with
what it is:
  {\"id\":\"..\",\"label\":\"attack\",\"source\":\"..\",\"category\":\"..\",\"uri\":\"/a?b=c\",\"headers\":{..},\"body\":\"..\"}
  {\"id\":\"..\",\"label\":\"benign\",\"source\":\"..\",\"category\":\"..\",\"payload\":\"..\"}
Lines with another label than attack and benign are left out.

Options:
  --only NAMES             the protections that judge [default: attack_signatures,ip_keyword_block]
  --binary FILE            the aiwaf to start [default: built from this workspace]
  --config FILE            the settings that it runs on [default: its defaults]
  --compare-binary FILE    a second aiwaf; with --compare-config, or for itself, what it judges otherwise is printed
  --compare-config FILE    settings for the second one
  --misses N               also prints the first N lines that were judged wrongly, and why
  --json                   one JSON document instead of the tables

'caught' are the attacks that were denied, 'passed' the honest requests that were not; the balanced accuracy is the mean
of both. Exit codes: 0 done, 1 it failed, 2 usage.
";

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let flags = ["--json", "--help", "-h"];
    let valued = ["--only", "--binary", "--config", "--compare-binary", "--compare-config", "--misses"];
    let options = Options::parse(arguments, &flags, &valued)?;
    if options.has("--help") || options.has("-h") {
        print!("{USAGE}");
        return Ok(());
    }
    if options.positional.is_empty() {
        return Err(UsageError::new("efficacy needs at least one file; see --help").into());
    }
    let misses = match options.value("--misses") {
        None => 0,
        Some(_) => options.number("--misses", 1)?,
    };
    let mut rows = Vec::new();
    for file in &options.positional {
        rows.extend(read_rows(&PathBuf::from(file))?);
    }
    let binary = match options.value("--binary") {
        Some(binary) => PathBuf::from(binary),
        None => build()?,
    };
    let only = options.value("--only").unwrap_or("attack_signatures,ip_keyword_block");
    let config = |name: &str| options.value(name).map(PathBuf::from);
    let first = Judge { binary: binary.clone(), config: config("--config"), only: only.to_owned() };
    let verdicts = first.judge(&rows)?;

    let mut report = Report::new(&rows, &verdicts);
    report.note_misses(&rows, &verdicts, misses as usize);
    if options.value("--compare-binary").is_some() || options.value("--compare-config").is_some() {
        let second = Judge {
            binary: options.value("--compare-binary").map_or(binary, PathBuf::from),
            config: config("--compare-config"),
            only: only.to_owned(),
        };
        let others: Vec<Verdict> = second.judge(&rows)?;
        report.note_differences(&rows, &verdicts, &others);
    }
    if options.has("--json") {
        println!("{:#}", report.to_json());
    } else {
        print!("{report}");
    }
    Ok(())
}

/// Builds the program as it is shipped, and says where it is.
fn build() -> anyhow::Result<PathBuf> {
    run_command(cargo().args(["build", "--quiet", "--release", "-p", "aiwaf-cli", "--bin", "aiwaf"]))?;
    Ok(Metadata::read()?.target_directory.join("release").join("aiwaf"))
}
