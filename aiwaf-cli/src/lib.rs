//! The command line of AIWAF, behind the binaries `aiwaf` and `aiwaf-console`.
//!
//! | module | what |
//! |---|---|
//! | `args` | the arguments, as clap reads them |
//! | `commands` | one file for each command: its arguments, and what it does |
//! | `session` | what commands share: which lists, which settings, where to print |
//! | `output` | text, tables and JSON for terminals, pipes and programs |
//! | `input` | lines from files, packed files and standard input |
//! | `values` | the values that a command is given, and what is wrong with them |
//! | `suggest` | what somebody may have meant |
//! | `countries` | ISO 3166: codes and names |
//! | `span` | lengths and points of time, as people type them |
//! | `stores` | which lists are meant, and opening them |
//! | `logs`, `event_log` | access logs, and the log of what was denied |
//! | `origins` | where each setting came from |
//! | `engine` | an engine that judges by the settings of this machine |
//! | `failure` | how an error becomes one line and an exit code |
//!
//! Invariants: commands print through a writer that they are given, never by `println!`, so that a pipe that is closed
//! ends them quietly; nothing that a list command needs builds an engine, so that it starts in milliseconds; texts from
//! lists and logs, which attackers write, reach a terminal without control characters.

mod args;
mod commands;
mod countries;
mod engine;
mod event_log;
mod failure;
mod input;
mod logs;
mod origins;
mod output;
mod session;
mod span;
mod stores;
mod suggest;
mod values;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::output::{Output, Style};
use crate::session::Session;

/// Runs the command that this process was called with, and gives its exit code: 0 done, 1 it failed, 2 usage.
pub fn run() -> ExitCode {
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        Err(error) => return failure::report_usage(&error),
    };
    let mut stdout = std::io::BufWriter::with_capacity(64 * 1024, std::io::stdout().lock());
    let out = Output::new(&mut stdout, Style::of_stdout(), args.global.json);
    let result = commands::run(&args.command, &mut Session::new(&args.global, out));
    let flushed = stdout.flush().map_err(anyhow::Error::from);
    // What was written before an error belongs to the answer; if that failed as well, the first error counts.
    match result.and_then(|done| flushed.map(|()| done)) {
        Ok(code) => code,
        Err(error) => failure::report(&error),
    }
}
