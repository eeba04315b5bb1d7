//! `aiwaf exempt-path`: paths that the protections leave alone.

use std::process::ExitCode;

use aiwaf_core::{ListName, PathExemptionEntry, closest};
use aiwaf_storage::system_clock;
use serde::Serialize;

use super::edit::{Edit, Verb};
use super::listing::{QueryArgs, Selected};
use crate::session::Session;
use crate::stores::Access;
use crate::values::{Kind, ValueArgs, refused};

/// Show, add and remove paths that the protections leave alone
///
/// A path is exact (/health), a directory (/static/) or a wildcard (*.css), in any case. It is exempt in addition to
/// those of the settings. Banned clients are turned away from exempt paths, too.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf exempt-path list
  aiwaf exempt-path add /health --reason \"Health check\"
  aiwaf exempt-path remove /health")]
pub(crate) struct ExemptPathArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show the exempt paths
    #[command(
        after_help = "Examples:\n  aiwaf exempt-path list\n  aiwaf exempt-path list --contains api --json"
    )]
    List(QueryArgs),
    /// Exempt paths
    #[command(after_help = "\
Examples:
  aiwaf exempt-path add /health --reason \"Health check\"
  aiwaf exempt-path add /static/ '*.css' --dry-run")]
    Add {
        #[command(flatten)]
        values: ValueArgs,

        /// Why, for those who look at the list later
        #[arg(long, default_value = "")]
        reason: String,

        /// Say what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Stop exempting paths
    #[command(after_help = "Examples:\n  aiwaf exempt-path remove /health")]
    Remove {
        #[command(flatten)]
        values: ValueArgs,

        /// Say what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Serialize)]
struct Shown<'a> {
    path_exemptions: Selected<'a, PathExemptionEntry>,
}

pub(crate) fn run(args: &ExemptPathArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    match &args.action {
        Action::List(query) => list(query, session),
        Action::Add { values, reason, dry_run } => add(values, reason, *dry_run, session),
        Action::Remove { values, dry_run } => remove(values, *dry_run, session),
    }
}

fn list(query: &QueryArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let (_, loaded) = session.lists(&[ListName::PathExemptions])?;
    let shown = Shown { path_exemptions: query.at(system_clock()).select(&loaded.lists.path_exemptions) };
    session.out.json(&shown)?;
    if !session.out.is_json() {
        shown.path_exemptions.show(&mut session.out)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn add(
    values: &ValueArgs,
    reason: &str,
    dry_run: bool,
    session: &mut Session<'_>,
) -> anyhow::Result<ExitCode> {
    let values = values.read(Kind::Path)?;
    let texts: Vec<&str> = values.iter().map(|value| value.text.as_str()).collect();
    let manager = session.manager(Access::Create, dry_run)?;
    let changed = manager.add_path_exemptions(&texts, reason, system_clock());
    let changed = changed.map_err(|error| refused(error, Kind::Path, &values))?;
    let edit = Edit { list: ListName::PathExemptions, verb: Verb::Add, dry_run };
    edit.report(&mut session.out, &values, &changed, |_| None)?;
    Ok(ExitCode::SUCCESS)
}

fn remove(values: &ValueArgs, dry_run: bool, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let values = values.read(Kind::Path)?;
    let texts: Vec<&str> = values.iter().map(|value| value.text.as_str()).collect();
    let manager = session.manager(Access::Existing, dry_run)?;
    let changed = manager.remove_path_exemptions(&texts);
    let changed = changed.map_err(|error| refused(error, Kind::Path, &values))?;
    let known = if changed.contains(&false) { manager.list_path_exemptions()? } else { Vec::new() };
    let edit = Edit { list: ListName::PathExemptions, verb: Verb::Remove, dry_run };
    edit.report(&mut session.out, &values, &changed, |text| {
        let close = closest(text, known.iter().map(|entry| entry.path.as_str()))?;
        Some(format!("did you mean {close}?"))
    })?;
    Ok(ExitCode::SUCCESS)
}
