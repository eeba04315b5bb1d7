//! The command line of AIWAF, behind the binaries `aiwaf` and `aiwaf-console`.
//!
//! | module | what |
//! |---|---|
//! | `args` | the arguments, as clap reads them |
//! | `commands` | one file for each command: its arguments, and what it does |
//! | `input` | lines from files, packed files and standard input |
//! | `engine` | an engine that judges by the settings of this machine |
//! | `stores` | which lists are meant, and opening them |
//! | `failure` | how an error becomes one line and an exit code |
//!
//! Invariants: commands print through a writer that they are given, never by `println!`, so that a pipe that is closed
//! ends them quietly; nothing that a list command needs builds an engine, so that it starts in milliseconds.

mod args;
mod commands;
mod engine;
mod failure;
mod input;
mod stores;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

/// Runs the command that this process was called with, and gives its exit code: 0 done, 1 it failed, 2 usage.
pub fn run() -> ExitCode {
    let args = args::Args::parse();
    let mut out = std::io::BufWriter::with_capacity(64 * 1024, std::io::stdout().lock());
    let result = commands::run(&args, &mut out);
    let flushed = out.flush().map_err(anyhow::Error::from);
    // What was written before an error belongs to the answer; if that failed as well, the first error counts.
    match result.and_then(|done| flushed.map(|()| done)) {
        Ok(code) => code,
        Err(error) => failure::report(&error),
    }
}
