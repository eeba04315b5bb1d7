//! `aiwaf clear`: empties lists.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

use aiwaf_core::{ListName, Lists};
use anyhow::bail;
use serde::Serialize;

use super::edit::describe;
use crate::failure::usage_error;
use crate::session::Session;
use crate::stores::Access;

/// Empty a list, or all of them
///
/// Asks before it does; without a terminal it needs --yes. `aiwaf export` makes a backup first.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf clear blacklist
  aiwaf clear keywords --dry-run
  aiwaf export backup.json && aiwaf clear all --yes")]
pub(crate) struct ClearArgs {
    /// The list
    list: ClearedList,

    /// Don't ask
    #[arg(long, short)]
    yes: bool,

    /// Say what would go, and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ClearedList {
    /// All lists
    All,
    /// Clients that bypass every protection
    Whitelist,
    /// Clients that are turned away
    Blacklist,
    /// Words that only attackers ask for
    #[value(alias = "keyword")]
    Keywords,
    /// Blocked countries
    Geo,
    /// Exempt paths
    ExemptPaths,
}

#[derive(Serialize)]
struct Cleared {
    list: &'static str,
    removed: usize,
}

#[derive(Serialize)]
struct Report {
    dry_run: bool,
    cleared: Vec<Cleared>,
}

pub(crate) fn run(args: &ClearArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let names = match args.list {
        ClearedList::All => ListName::ALL.to_vec(),
        ClearedList::Whitelist => vec![ListName::Whitelist],
        ClearedList::Blacklist => vec![ListName::Blacklist],
        ClearedList::Keywords => vec![ListName::Keywords],
        ClearedList::Geo => vec![ListName::GeoBlockedCountries],
        ClearedList::ExemptPaths => vec![ListName::PathExemptions],
    };
    let manager = session.manager(Access::Existing, args.dry_run)?;
    let lists = manager.load_only(&names)?.lists;
    let cleared: Vec<Cleared> =
        names.iter().map(|list| Cleared { list: list.name(), removed: length(&lists, *list) }).collect();
    let total: usize = cleared.iter().map(|cleared| cleared.removed).sum();
    if total > 0 && !args.dry_run {
        // On a terminal, which lists these are is to be read before the question.
        session.out.writer().flush()?;
        if !args.yes && !confirm(total, &names)? {
            bail!("nothing was removed, because you did not say yes");
        }
        for list in &names {
            manager.clear(*list)?;
        }
    }
    let verb = if args.dry_run { "Would remove" } else { "Removed" };
    for (list, cleared) in names.iter().zip(&cleared) {
        session.out.done(format_args!("{verb} {} from {}", entries(cleared.removed), describe(*list)))?;
    }
    session.out.json(&Report { dry_run: args.dry_run, cleared })?;
    Ok(ExitCode::SUCCESS)
}

fn length(lists: &Lists, list: ListName) -> usize {
    match list {
        ListName::Whitelist => lists.whitelist.len(),
        ListName::Blacklist => lists.blacklist.len(),
        ListName::Keywords => lists.keywords.len(),
        ListName::GeoBlockedCountries => lists.geo_blocked_countries.len(),
        ListName::PathExemptions => lists.path_exemptions.len(),
    }
}

fn entries(count: usize) -> String {
    format!("{count} {}", if count == 1 { "entry" } else { "entries" })
}

/// Asks on the terminal; a script that can't be asked has to say so.
fn confirm(total: usize, names: &[ListName]) -> anyhow::Result<bool> {
    let what = match names {
        [one] => describe(*one).to_string(),
        _ => "all lists".to_owned(),
    };
    if !std::io::stdin().is_terminal() {
        return Err(usage_error(format_args!(
            "removing {} from {what} needs a yes: add --yes, or --dry-run to see what would go",
            entries(total)
        )));
    }
    eprint!("Remove {} from {what}? [y/N] ", entries(total));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
