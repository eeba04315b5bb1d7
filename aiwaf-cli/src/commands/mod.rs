//! The commands: one file each, with its arguments and what it does.

pub(crate) mod add;
pub(crate) mod clear;
mod edit;
pub(crate) mod exempt_path;
pub(crate) mod export;
pub(crate) mod geo;
pub(crate) mod import;
pub(crate) mod inspect;
pub(crate) mod list;
mod listing;
pub(crate) mod remove;
pub(crate) mod stats;

use std::process::ExitCode;

use crate::args::Command;
use crate::session::Session;

/// Runs one command.
pub(crate) fn run(command: &Command, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    match command {
        Command::Stats(_) => stats::run(session),
        Command::List(args) => list::run(args, session),
        Command::Add(args) => add::run(args, session),
        Command::Remove(args) => remove::run(args, session),
        Command::Clear(args) => clear::run(args, session),
        Command::Export(args) => export::run(args, session),
        Command::Import(args) => import::run(args, session),
        Command::ExemptPath(args) => exempt_path::run(args, session),
        Command::Geo(args) => geo::run(args, session),
        Command::Inspect(args) => inspect::run(args, session),
    }
}
