//! The commands: one file each, with its arguments and what it does.

pub(crate) mod inspect;

use std::io::Write;
use std::process::ExitCode;

use crate::args::{Args, Command};

/// Runs one command, which prints to `out`.
pub(crate) fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Inspect(command) => inspect::run(command, &args.global, out),
    }
}
