//! The commands: one file each, with its arguments and what it does.

pub(crate) mod add;
pub(crate) mod clear;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod doctor;
mod edit;
pub(crate) mod exempt_path;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod geo;
pub(crate) mod geo_summary;
pub(crate) mod import;
pub(crate) mod inspect;
pub(crate) mod list;
mod listing;
pub(crate) mod logs;
pub(crate) mod model;
pub(crate) mod remove;
pub(crate) mod replay;
pub(crate) mod route_shell;
pub(crate) mod stats;
pub(crate) mod train;
pub(crate) mod watch;
pub(crate) mod whois;

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
        Command::GeoSummary(args) => geo_summary::run(args, session),
        Command::Explain(args) => explain::run(args, session),
        Command::Replay(args) => replay::run(args, session),
        Command::Watch(args) => watch::run(args, session),
        Command::Train(args) => train::run(args, session),
        Command::Model(args) => model::run(args, session),
        Command::RouteShell(args) => route_shell::run(args, session),
        Command::Demo(args) => demo::run(args, session),
        Command::Config(args) => config::run(args, session),
        Command::Doctor(_) => doctor::run(session),
        Command::Whois(args) => whois::run(args, session),
        Command::Completions(args) => completions::completions(args, session),
        Command::Man(args) => completions::man(args, session),
        Command::Inspect(args) => inspect::run(args, session),
        Command::Logs(args) => logs::run(args, session),
    }
}
