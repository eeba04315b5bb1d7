//! `aiwaf add`: puts addresses and keywords onto lists.

use std::process::ExitCode;

use aiwaf_core::{ListName, Lists, display_network, parse_network};
use aiwaf_storage::system_clock;

use super::edit::{Edit, Verb};
use crate::failure::usage_error;
use crate::output::{note, short_time};
use crate::session::Session;
use crate::span::Span;
use crate::stores::Access;
use crate::values::{Kind, ValueArgs, refused};

/// Add addresses, networks or keywords to a list
///
/// Takes effect in running services within a second. All values are checked first: if one is wrong, nothing is added.
/// What is on the list already with the same reason stays as it is. A missing data directory is created.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf add blacklist 203.0.113.10 --reason \"SQL injection attempts\"
  aiwaf add blacklist 203.0.113.0/24 2001:db8::/32 --for 4h
  aiwaf add whitelist 192.168.1.0/24
  aiwaf add keyword \"union select\" \"drop table\"
  aiwaf add blacklist --file attackers.txt --reason feed
  grep -o '^[^ ]*' suspects.log | sort -u | aiwaf add blacklist - --dry-run")]
pub(crate) struct AddArgs {
    /// The list
    list: EditableList,

    #[command(flatten)]
    values: ValueArgs,

    /// Why, for those who look at the list later
    #[arg(long, default_value = "")]
    reason: String,

    /// How long a ban lasts, such as 90s, 15m, 4h, 7d [default: until it is removed]
    #[arg(long = "for", value_name = "TIME")]
    duration: Option<Span>,

    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// A list that `add` and `remove` change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum EditableList {
    /// Clients that bypass every protection
    Whitelist,
    /// Clients that are turned away
    Blacklist,
    /// Words that only attackers ask for
    #[value(alias = "keywords")]
    Keyword,
}

impl EditableList {
    pub(crate) fn name(self) -> ListName {
        match self {
            Self::Whitelist => ListName::Whitelist,
            Self::Blacklist => ListName::Blacklist,
            Self::Keyword => ListName::Keywords,
        }
    }

    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Whitelist | Self::Blacklist => Kind::Network,
            Self::Keyword => Kind::Keyword,
        }
    }
}

pub(crate) fn run(args: &AddArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    if args.duration.is_some() && args.list != EditableList::Blacklist {
        return Err(usage_error("only bans end: leave --for out, or add to the blacklist"));
    }
    if !args.reason.is_empty() && args.list == EditableList::Keyword {
        note("keywords are kept without a reason, so --reason has no effect");
    }
    let kind = args.list.kind();
    let values = args.values.read(kind)?;
    let texts: Vec<&str> = values.iter().map(|value| value.text.as_str()).collect();
    let manager = session.manager(Access::Create, args.dry_run)?;
    let now = system_clock();
    let (reason, end) = (args.reason.as_str(), args.duration.map(|duration| now + duration.0));
    let changed = match (args.list, end) {
        (EditableList::Whitelist, _) => manager.add_all_to_whitelist(&texts, reason, now),
        (EditableList::Blacklist, None) => manager.add_all_to_blacklist(&texts, reason, now),
        (EditableList::Blacklist, Some(end)) => manager.add_all_to_blacklist_until(&texts, reason, now, end),
        (EditableList::Keyword, _) => manager.add_keywords(&texts, now),
    };
    let changed = changed.map_err(|error| refused(error, kind, &values))?;
    let edit = Edit { list: args.list.name(), verb: Verb::Add, dry_run: args.dry_run };
    edit.report(&mut session.out, &values, &changed, |_| None)?;
    if let Some(end) = end {
        session.out.text(format_args!("Until {}\n", short_time(end)))?;
    }
    if args.list == EditableList::Blacklist {
        let lists = manager.load_only(&[ListName::Whitelist])?.lists;
        for problem in texts.iter().filter_map(|text| has_no_effect(text, &lists)).take(MAX_NOTES) {
            note(problem);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// So many bans without effect are named.
const MAX_NOTES: usize = 5;

/// Why a ban turns nobody away.
fn has_no_effect(text: &str, lists: &Lists) -> Option<String> {
    let network = parse_network(text).ok()?;
    let above = lists.whitelist.iter().find(|entry| entry.network.contains(&network))?;
    let above = display_network(&above.network);
    Some(format!(
        "{text} may enter all the same, for {above} is whitelisted: `aiwaf remove whitelist {above}` ends that"
    ))
}
