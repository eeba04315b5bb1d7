//! `aiwaf remove`: takes addresses and keywords off lists.

use std::process::ExitCode;

use aiwaf_core::{Lists, closest, display_network, parse_network};

use super::add::EditableList;
use super::edit::{Edit, Verb};
use crate::session::Session;
use crate::stores::Access;
use crate::values::{ValueArgs, refused};

/// Remove addresses, networks or keywords from a list
///
/// Takes effect in running services within a second. What is not on the list is no error; it is said, with what on the
/// list may have been meant.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf remove blacklist 203.0.113.10
  aiwaf remove whitelist 192.168.1.99 192.168.1.100
  aiwaf remove keyword \"union select\"
  aiwaf remove blacklist --file pardoned.txt --dry-run")]
pub(crate) struct RemoveArgs {
    /// The list
    list: EditableList,

    #[command(flatten)]
    values: ValueArgs,

    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: &RemoveArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let kind = args.list.kind();
    let values = args.values.read(kind)?;
    let texts: Vec<&str> = values.iter().map(|value| value.text.as_str()).collect();
    let manager = session.manager(Access::Existing, args.dry_run)?;
    let changed = match args.list {
        EditableList::Whitelist => manager.remove_all_from_whitelist(&texts),
        EditableList::Blacklist => manager.remove_all_from_blacklist(&texts),
        EditableList::Keyword => manager.remove_keywords(&texts),
    };
    let changed = changed.map_err(|error| refused(error, kind, &values))?;
    // Only who removed something that is not there wants to know what is.
    let lists = if changed.contains(&false) {
        manager.load_only(&[args.list.name()])?.lists
    } else {
        Lists::default()
    };
    let edit = Edit { list: args.list.name(), verb: Verb::Remove, dry_run: args.dry_run };
    edit.report(&mut session.out, &values, &changed, |text| meant(args.list, text, &lists))?;
    Ok(ExitCode::SUCCESS)
}

/// What on the list may have been meant.
fn meant(list: EditableList, text: &str, lists: &Lists) -> Option<String> {
    let networks: Vec<_> = match list {
        EditableList::Whitelist => lists.whitelist.iter().map(|entry| entry.network).collect(),
        EditableList::Blacklist => lists.blacklist.iter().map(|entry| entry.network).collect(),
        EditableList::Keyword => {
            let close = closest(text, lists.keywords.iter().map(|entry| entry.keyword.as_str()))?;
            return Some(format!("did you mean {close:?}?"));
        }
    };
    let network = parse_network(text).ok()?;
    if let Some(above) = networks.iter().find(|above| above.contains(&network)) {
        return Some(format!("it is there as a part of {}", display_network(above)));
    }
    if let Some(below) = networks.iter().find(|below| network.contains(*below)) {
        return Some(format!("only parts of it are there, such as {}", display_network(below)));
    }
    // Among many addresses one is always close.
    if networks.len() > MAX_CLOSE {
        return None;
    }
    let names: Vec<String> = networks.iter().map(display_network).collect();
    closest(text, names.iter().map(String::as_str)).map(|close| format!("did you mean {close}?"))
}

const MAX_CLOSE: usize = 200;
