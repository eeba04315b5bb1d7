//! `cargo xtask efficacy`: how many attacks `aiwaf` stops, how many honest requests it disturbs, and which verdicts
//! differ between two builds.

mod comparison;
mod judge;
mod record;
mod report;
mod row;
mod sequence;

use std::path::{Path, PathBuf};

use self::comparison::Comparison;
use self::judge::{Judge, Selection};
use self::record::Record;
use self::report::Report;
use self::row::read_rows;
use crate::metadata::{Metadata, cargo};
use crate::options::{Options, UsageError};
use crate::run::run as run_command;

const USAGE: &str = "\
Judges labelled requests with 'aiwaf inspect', prints how many of each kind were stopped, and compares verdicts.

Usage: cargo xtask efficacy [OPTIONS] FILE...

A FILE has one JSON object a line, .gz too: a request as 'aiwaf inspect' reads it, or a payload for a search, with its
label:
  {\"id\":\"..\",\"label\":\"attack\",\"source\":\"..\",\"category\":\"..\",\"uri\":\"/a?b=c\",\"headers\":{..},\"body\":\"..\"}
  {\"id\":\"..\",\"label\":\"benign\",\"source\":\"..\",\"category\":\"..\",\"payload\":\"..\"}
Lines with another label than attack and benign are judged and compared, but not counted.

Options:
  --only NAMES             the protections that judge, or 'all'
                           [default: attack_signatures,ip_keyword_block; all with --sequences]
  --sequences              judges the lines as visits of clients to sites, in time, so that rates, forms and bans show;
                           by default each line is judged alone. A line without client_ip and time gets both
  --binary FILE            the aiwaf to start [default: built from this workspace]
  --config FILE            the settings that it runs on [default: its defaults]
  --compare-binary FILE    a second aiwaf: lists every line whose action, protection or reason differs
  --compare-config FILE    settings for the second one, which is by default the same aiwaf
  --record FILE            writes the verdicts to FILE, compressed if it ends in .gz
  --against FILE           lists every line whose verdict differs from the one in FILE, which --record wrote
  --misses N               also prints the first N lines that were judged wrongly, and why
  --json                   one JSON document instead of the tables

'caught' are the attacks that were denied, 'passed' the honest requests that were not; the balanced accuracy is the mean
of both. In comparisons, 'before' is --binary or --against, 'after' is --compare-binary or this run.
Variables AIWAF_* have no effect. Exit codes: 0 done, 1 it failed, 2 usage.
";

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let flags = ["--json", "--sequences", "--help", "-h"];
    let valued = [
        "--only",
        "--binary",
        "--config",
        "--compare-binary",
        "--compare-config",
        "--record",
        "--against",
        "--misses",
    ];
    let options = Options::parse(arguments, &flags, &valued)?;
    if options.has("--help") || options.has("-h") {
        print!("{USAGE}");
        return Ok(());
    }
    if options.positional.is_empty() {
        return Err(UsageError::new("efficacy needs at least one file; see --help").into());
    }
    let compares = options.value("--compare-binary").is_some() || options.value("--compare-config").is_some();
    if compares && options.value("--against").is_some() {
        return Err(
            UsageError::new("--against and --compare-* exclude each other: choose one comparison").into()
        );
    }
    let misses = match options.value("--misses") {
        None => 0,
        Some(_) => options.number("--misses", 1)?,
    };
    let selection = selection(&options);
    // Before the long run: a record of other options is found at once.
    let record =
        options.value("--against").map(|path| Record::read(Path::new(path), &selection)).transpose()?;
    let mut rows = Vec::new();
    for file in &options.positional {
        rows.extend(read_rows(Path::new(file))?);
    }
    let rows = if selection.sequences { sequence::sequences(rows) } else { sequence::simultaneous(rows) };
    let binary = match options.value("--binary") {
        Some(binary) => PathBuf::from(binary),
        None => build()?,
    };
    let config = |name: &str| options.value(name).map(PathBuf::from);
    let first = Judge { binary: binary.clone(), config: config("--config"), selection };
    let verdicts = first.judge(&rows)?;
    if let Some(path) = options.value("--record") {
        record::write(Path::new(path), &first.selection, &rows, &verdicts)?;
    }

    let mut report = Report::new(&rows, &verdicts);
    report.note_misses(&rows, &verdicts, misses as usize);
    if let Some(record) = record {
        let (before, unjudged) = record.take(&rows);
        report.note_comparison(Comparison::new(&rows, before, &verdicts, unjudged));
    } else if compares {
        let second = Judge {
            binary: options.value("--compare-binary").map_or(binary, PathBuf::from),
            config: config("--compare-config"),
            selection: first.selection,
        };
        let after = second.judge(&rows)?;
        let before = verdicts.into_iter().map(Some).collect();
        report.note_comparison(Comparison::new(&rows, before, &after, Vec::new()));
    }
    if options.has("--json") {
        println!("{:#}", report.to_json());
    } else {
        print!("{report}");
    }
    Ok(())
}

/// Returns the protections and the mode that the options select.
fn selection(options: &Options) -> Selection {
    let sequences = options.has("--sequences");
    let only = match options.value("--only") {
        Some("all") => None,
        Some(names) => Some(names.to_owned()),
        None if sequences => None,
        None => Some("attack_signatures,ip_keyword_block".to_owned()),
    };
    Selection { only, sequences }
}

/// Builds the release binary and returns its path.
fn build() -> anyhow::Result<PathBuf> {
    run_command(cargo().args(["build", "--quiet", "--release", "-p", "aiwaf-cli", "--bin", "aiwaf"]))?;
    Ok(Metadata::read()?.target_directory.join("release").join("aiwaf"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_with(arguments: &[&str]) -> anyhow::Error {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        run(&arguments).unwrap_err()
    }

    #[test]
    fn two_comparisons_are_a_usage_error() {
        let error = run_with(&["--against", "a", "--compare-binary", "b", "c"]);
        assert!(error.is::<UsageError>() && error.to_string().contains("--against"), "{error}");
    }

    #[test]
    fn sequences_select_all_protections() {
        let parse = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
            selection(&Options::parse(&arguments, &["--sequences"], &["--only"]).unwrap()).to_string()
        };
        assert_eq!(parse(&[]), "stateless, attack_signatures,ip_keyword_block");
        assert_eq!(parse(&["--only", "all"]), "stateless, all protections");
        assert_eq!(parse(&["--sequences"]), "sequences, all protections");
        assert_eq!(parse(&["--sequences", "--only=honeypot"]), "sequences, honeypot");
    }
}
