//! `cargo xtask instructions`: what a judgement takes, in instructions, which no other work on the machine changes.

use std::process::Command;

use anyhow::{Context, bail};

use crate::metadata::{Metadata, cargo};
use crate::options::Options;
use crate::run::{run as run_command, shown};
use crate::table::Table;

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    Options::parse(arguments, &[], &[])?.nothing_else()?;
    run_command(cargo().args(["build", "--release", "--package", "aiwaf-benches", "--example", "judge"]))?;
    let program = Metadata::read()?.target_directory.join("release/examples/judge");
    let mut table = Table::new(1, ["attack_signatures judges", "instructions"]);
    for (what, shown) in [
        ("get", "a GET with a 300-byte query"),
        ("form", "a form of 1 KiB"),
        ("json", "a JSON document of 1 KiB"),
    ] {
        // What the start takes, and what is compiled at the first request, is in both and so in neither.
        let count = |times: u64| {
            instructions(
                Command::new("valgrind")
                    .arg("--tool=callgrind")
                    .arg("--callgrind-out-file=/dev/null")
                    .arg(&program)
                    .args([what, &times.to_string()]),
            )
        };
        let per_request = count(FEW + MANY)?.saturating_sub(count(FEW)?) / MANY;
        table.row([shown.to_owned(), per_request.to_string()]);
    }
    print!("{table}");
    Ok(())
}

/// Requests in the shorter of two runs.
const FEW: u64 = 10;

/// By how many requests the other run is longer.
const MANY: u64 = 200;

/// How many instructions callgrind says that it saw.
fn instructions(command: &mut Command) -> anyhow::Result<u64> {
    let shown = shown(command);
    let output = command.output().with_context(|| format!("starting {shown}: is valgrind installed?"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{shown} failed: {}: {said}", output.status);
    }
    collected(&said).with_context(|| format!("{shown} did not say how many instructions it saw"))
}

/// The number in the line `==123== Collected : 456`.
fn collected(said: &str) -> Option<u64> {
    said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_among_what_else_is_said() {
        assert_eq!(
            collected("==1== Callgrind\n==1== \n==1== Collected : 201496714\n==1== x"),
            Some(201_496_714)
        );
        assert_eq!(collected("==1== Callgrind"), None);
    }
}
