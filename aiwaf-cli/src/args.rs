//! The arguments, as clap reads them.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::inspect;

/// Administers the firewall AIWAF: lists, requests, logs, settings; also while services run.
#[derive(Debug, Parser)]
#[command(name = "aiwaf", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, clap::Args)]
pub(crate) struct GlobalArgs {
    /// The directory of the lists, in CSV files [default: AIWAF_DATA_DIR, else storage.data_dir of the settings, else
    /// aiwaf_data]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        conflicts_with = "store",
        help_heading = "Global options"
    )]
    pub(crate) data_dir: Option<PathBuf>,

    /// Another home of the lists: csv:DIR, sqlite:FILE, postgres://... [default: AIWAF_STORE, else storage.store of the
    /// settings]
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    pub(crate) store: Option<String>,

    /// The settings [default: AIWAF_CONFIG, else aiwaf.toml if it is there]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) config: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Inspect(inspect::InspectArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_fit_together() {
        super::Args::command().debug_assert();
    }
}
