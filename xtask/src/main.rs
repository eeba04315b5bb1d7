//! The project's own commands: `cargo xtask ci`, `bench`, `instructions`, `auc`, `efficacy`, `train` and `replay`.
//!
//! It starts other programs (cargo, the example) and talks to them as any user does; it links none of our crates.

mod auc;
mod bench;
mod ci;
mod efficacy;
mod example_smoke;
mod http;
mod instructions;
mod metadata;
mod options;
mod replay;
mod run;
mod scikit_learn;
mod table;
mod train;

use std::process::ExitCode;

use crate::options::UsageError;

const USAGE: &str = "\
The project's own commands.

Usage: cargo xtask COMMAND

Commands:
  ci [--quick] [--only STEP]
      Runs all checks: tests, format, lints, every feature alone, documentation, licences, fuzzing for a minute a
      target, the measurements, the example. The last line is the sum of the tests.
      --quick      only tests, format and lints
      --only STEP  only this one of the steps that --quick leaves out, such as 'example'
  auc [--seeds N] [--json] FILE...
      Measures how well the isolation forest finds the labelled anomalies of tables, beside scikit-learn where python3 has
      it. See 'cargo xtask auc --help'.
  bench [--quick] [--json]
      Measures, and prints the figures beside their budgets and peers. A figure over its budget is no failure.
      --quick  fewer samples: figures are rough
      --json   one JSON document instead of the table
  instructions [--check | --update]
      Counts the instructions and cache misses of a request, by valgrind's cachegrind: figures that other work on the
      machine does not change. See 'cargo xtask instructions --help'.
  train [--check] [--logs PATH] [--model FILE]
      Makes the model that is part of the repository, from a log of generated traffic, and says how good it is.
      --check       changes nothing; fails unless that model is the one that the code makes
      --logs PATH   trains from these logs instead, a file or a directory, and leaves the repository's model as it is
      --model FILE  writes the model there
  replay URL FILE...
      Sends the requests in the files (JSON Lines, .gz too) to a server on this machine, byte by byte as they are
      written, and prints how it answered. See 'cargo xtask replay --help'.
  efficacy FILE...
      Judges labelled requests, prints how many attacks were stopped and how many honest requests were disturbed, and
      compares the verdicts of two builds.
      See 'cargo xtask efficacy --help'.

Exit codes: 0 done, 1 it failed, 2 usage.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(if error.is::<UsageError>() { 2 } else { 1 })
        }
    }
}

fn dispatch(arguments: &[String]) -> anyhow::Result<()> {
    let Some((command, rest)) = arguments.split_first() else {
        return Err(UsageError::new("no command was given; 'cargo xtask --help' lists them").into());
    };
    match command.as_str() {
        "auc" => auc::run(rest),
        "ci" => ci::run(rest),
        "bench" => bench::run(rest),
        "instructions" => instructions::run(rest),
        "train" => train::run(rest),
        "replay" => replay::run(rest),
        "efficacy" => efficacy::run(rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(())
        }
        other => Err(UsageError::new(format!(
            "unknown command {other:?}; expected auc, bench, ci, efficacy, instructions, replay or train"
        ))
        .into()),
    }
}
