//! `cargo xtask auc`: how well the forest finds the labelled anomalies of tables, beside scikit-learn's.

use std::process::Stdio;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::metadata::cargo;
use crate::options::{Options, UsageError};
use crate::run::shown;
use crate::scikit_learn;
use crate::table::Table;

const USAGE: &str = "\
Measures how well isolation forests (100 trees from 256 rows) find the labelled anomalies of tables.

Usage: cargo xtask auc [OPTIONS] FILE...

A FILE is a CSV table, .gz too, with a header, numbers, and a column 'label' that is 1 for anomalies. The figures are the
mean and the standard deviation of ROC-AUC over the seeds, of the standard forest, of full extension, and of full
extension with columns brought to mean 0 and variance 1; beside them scikit-learn's, where python3 has it.

Options:
  --seeds N  so many forests of each kind [default: 10]
  --json     one JSON document instead of the table
";

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let options = Options::parse(arguments, &["--json", "--help", "-h"], &["--seeds"])?;
    if options.has("--help") || options.has("-h") {
        print!("{USAGE}");
        return Ok(());
    }
    if options.positional.is_empty() {
        return Err(UsageError::new("no table was given; see 'cargo xtask auc --help'").into());
    }
    let seeds = options.number("--seeds", 10)?.to_string();
    let mut paths = Vec::new();
    for path in &options.positional {
        // The program is run elsewhere.
        paths.push(
            std::path::absolute(path).with_context(|| format!("reading {path}"))?.display().to_string(),
        );
    }
    let ours: Vec<Ours> = measure(&seeds, &paths)?;
    let peers: Option<Vec<Peer>> = scikit_learn::run(SCRIPT, [&[seeds][..], &paths].concat())?;
    if peers.as_ref().is_some_and(|peers| peers.len() != ours.len()) {
        bail!("scikit-learn measured other tables than were given");
    }
    let mut peers = peers.map(Vec::into_iter);
    let results = ours.into_iter().map(|ours| {
        let peer = peers.as_mut().and_then(Iterator::next);
        Measured {
            name: name(&ours.file).to_owned(),
            rows: ours.rows,
            columns: ours.columns,
            anomalies: ours.anomalies,
            standard: Spread::of(&ours.standard),
            extended: Spread::of(&ours.extended),
            extended_standardized: Spread::of(&ours.extended_standardized),
            scikit_learn: peer.map(|peer| Spread::of(&peer.auc)),
        }
    });
    let results: Vec<Measured> = results.collect();
    if options.has("--json") {
        println!("{}", serde_json::to_string_pretty(&results)?);
    } else {
        print!("{}", table(&results));
        if results.iter().all(|result| result.scikit_learn.is_none()) {
            println!(
                "scikit-learn is not here, so there is nothing beside it: python3 -m pip install scikit-learn"
            );
        }
    }
    Ok(())
}

const SCRIPT: &str = include_str!("scikit_learn.py");

/// What the program prints for a table.
#[derive(Debug, Deserialize)]
struct Ours {
    file: String,
    rows: u64,
    columns: u64,
    anomalies: u64,
    standard: Vec<f64>,
    extended: Vec<f64>,
    extended_standardized: Vec<f64>,
}

/// What the script prints for a table.
#[derive(Debug, Deserialize)]
struct Peer {
    auc: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct Measured {
    name: String,
    rows: u64,
    columns: u64,
    anomalies: u64,
    standard: Spread,
    extended: Spread,
    extended_standardized: Spread,
    #[serde(skip_serializing_if = "Option::is_none")]
    scikit_learn: Option<Spread>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Spread {
    mean: f64,
    deviation: f64,
}

impl Spread {
    #[allow(clippy::cast_precision_loss)] // some seeds
    fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        Self { mean, deviation: variance.sqrt() }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:.4} ± {:.4}", self.mean, self.deviation)
    }
}

/// Runs the example of the crate, which prints one JSON object for each table.
fn measure(seeds: &str, paths: &[String]) -> anyhow::Result<Vec<Ours>> {
    let mut command = cargo();
    command.args(["run", "--release", "--quiet", "--package", "aiwaf-ml", "--example", "auc", "--", seeds]);
    command.args(paths).stderr(Stdio::inherit());
    let output = command.output().context("starting cargo")?;
    if !output.status.success() {
        bail!("{} failed: {}", shown(&command), output.status);
    }
    scikit_learn::parse_lines(&output.stdout)
}

/// The file's name without folder and endings.
fn name(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = name.strip_suffix(".gz").unwrap_or(name);
    name.strip_suffix(".csv").unwrap_or(name)
}

fn table(results: &[Measured]) -> Table {
    let mut table = Table::new(
        1,
        [
            "table",
            "rows",
            "columns",
            "anomalies",
            "standard",
            "extended",
            "same, standardized",
            "scikit-learn",
            "standard less it",
        ],
    );
    for result in results {
        let (peer, difference) = match result.scikit_learn {
            None => (String::new(), String::new()),
            Some(peer) => (peer.to_string(), format!("{:+.4}", result.standard.mean - peer.mean)),
        };
        table.row([
            result.name.clone(),
            result.rows.to_string(),
            result.columns.to_string(),
            result.anomalies.to_string(),
            result.standard.to_string(),
            result.extended.to_string(),
            result.extended_standardized.to_string(),
            peer,
            difference,
        ]);
    }
    let mean = |of: fn(&Measured) -> Option<Spread>| {
        let means: Option<Vec<f64>> =
            results.iter().map(|result| of(result).map(|spread| spread.mean)).collect();
        means.map(|means| Spread::of(&means).mean)
    };
    let shown = |mean: Option<f64>| mean.map(|mean| format!("{mean:.4}         ")).unwrap_or_default();
    let [standard, extended, standardized, peer] = [
        mean(|result| Some(result.standard)),
        mean(|result| Some(result.extended)),
        mean(|result| Some(result.extended_standardized)),
        mean(|result| result.scikit_learn),
    ];
    let difference = standard.zip(peer).map(|(ours, peer)| format!("{:+.4}", ours - peer));
    let [none_1, none_2, none_3] = [(); 3].map(|()| String::new());
    table.row([
        "mean".into(),
        none_1,
        none_2,
        none_3,
        shown(standard),
        shown(extended),
        shown(standardized),
        shown(peer),
        difference.unwrap_or_default(),
    ]);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_and_deviations() {
        let spread = Spread::of(&[0.5, 0.7]);
        assert!((spread.mean - 0.6).abs() < 1e-12 && (spread.deviation - 0.1).abs() < 1e-12);
        assert_eq!(spread.to_string(), "0.6000 ± 0.1000");
        assert_eq!([name("/a/6_cardio.csv.gz"), name("x.csv"), name("y")], ["6_cardio", "x", "y"]);
    }

    #[test]
    fn the_table_sets_both_side_by_side() {
        let spread = |mean| Spread { mean, deviation: 0.01 };
        let measured = |peer| Measured {
            name: "http".into(),
            rows: 3,
            columns: 2,
            anomalies: 1,
            standard: spread(0.9),
            extended: spread(0.8),
            extended_standardized: spread(0.85),
            scikit_learn: peer,
        };
        let text = table(&[measured(Some(spread(0.89)))]).to_string();
        assert!(text.contains("0.9000 ± 0.0100") && text.contains("+0.0100"), "{text}");
        assert!(text.lines().last().is_some_and(|line| line.starts_with("mean")), "{text}");
        assert!(!table(&[measured(None)]).to_string().contains('+'));
    }

    #[test]
    fn options_are_checked_before_anything_runs() {
        for arguments in
            [&[][..], &["--seeds".to_owned(), "0".to_owned(), "x".to_owned()], &["--fast".to_owned()]]
        {
            assert!(run(arguments).unwrap_err().is::<UsageError>());
        }
    }
}
