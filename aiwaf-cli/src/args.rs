//! The arguments, as clap reads them.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::{
    add, clear, completions, config, demo, doctor, exempt_path, explain, export, geo, geo_summary, import,
    inspect, list, logs, model, remove, replay, route_shell, stats, train, watch, whois,
};

/// Administers the firewall AIWAF: lists, requests, logs, settings; also while services run
#[derive(Debug, Parser)]
#[command(name = "aiwaf", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArgs {
    /// The directory of the lists, in CSV files [default: AIWAF_DATA_DIR, else storage.data_dir of the settings, else
    /// aiwaf_data]
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "store")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Another home of the lists: csv:DIR, sqlite:FILE, postgres://... [default: AIWAF_STORE, else storage.store of the
    /// settings]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) store: Option<String>,

    /// The settings [default: AIWAF_CONFIG, else aiwaf.toml if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Answer in JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Say more: what in the lists can't be understood, what is done
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Stats(stats::StatsArgs),
    List(list::ListArgs),
    Add(add::AddArgs),
    Remove(remove::RemoveArgs),
    Clear(clear::ClearArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    ExemptPath(exempt_path::ExemptPathArgs),
    Geo(geo::GeoArgs),
    GeoSummary(geo_summary::GeoSummaryArgs),
    Explain(explain::ExplainArgs),
    Replay(replay::ReplayArgs),
    Watch(watch::WatchArgs),
    Inspect(inspect::InspectArgs),
    Logs(logs::LogsArgs),
    Train(train::TrainArgs),
    Model(model::ModelArgs),
    RouteShell(route_shell::RouteShellArgs),
    Config(config::ConfigArgs),
    Doctor(doctor::DoctorArgs),
    Whois(whois::WhoisArgs),
    Demo(demo::DemoArgs),
    Completions(completions::CompletionsArgs),
    Man(completions::ManArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_fit_together() {
        super::Args::command().debug_assert();
    }

    #[test]
    fn every_command_shows_examples() {
        fn check(command: &clap::Command) {
            command.get_subcommands().filter(|inner| inner.get_name() != "help").for_each(check);
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.starts_with("Examples:\n  "), "{}", command.get_name());
        }
        super::Args::command().get_subcommands().for_each(check);
    }
}
