//! `aiwaf list`: shows what is on the lists.

use std::process::ExitCode;

use aiwaf_core::{BlacklistEntry, CountryEntry, KeywordEntry, ListName, PathExemptionEntry, WhitelistEntry};
use aiwaf_storage::system_clock;
use serde::Serialize;

use super::listing::{QueryArgs, Selected};
use crate::session::Session;

/// Show what is on the lists
///
/// Bans that ended are not shown. Times are in UTC. On a terminal the table fits its width; in a pipe nothing is cut.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf list all
  aiwaf list blacklist --sort added --limit 20
  aiwaf list blacklist --since 2h
  aiwaf list blacklist --contains 203.0.113.9
  aiwaf list keywords --sort count --json")]
pub(crate) struct ListArgs {
    /// The list
    list: ShownList,

    #[command(flatten)]
    query: QueryArgs,
}

/// Which list is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ShownList {
    /// All lists; blocked countries and exempt paths only if there are any
    All,
    /// Clients that bypass every protection
    Whitelist,
    /// Clients that are turned away
    Blacklist,
    /// Words that only attackers ask for
    #[value(alias = "keyword")]
    Keywords,
}

impl ShownList {
    fn names(self) -> &'static [ListName] {
        match self {
            Self::All => &ListName::ALL,
            Self::Whitelist => &[ListName::Whitelist],
            Self::Blacklist => &[ListName::Blacklist],
            Self::Keywords => &[ListName::Keywords],
        }
    }
}

pub(crate) fn run(args: &ListArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let (_, mut loaded) = session.lists(args.list.names())?;
    let lists = &mut loaded.lists;
    let now = system_clock();
    lists.blacklist.retain(|ban| ban.is_active(now));
    let query = args.query.at(now);
    let wants = |list: ShownList| args.list == list || args.list == ShownList::All;
    let rest = args.list == ShownList::All;
    let shown = Shown {
        whitelist: wants(ShownList::Whitelist).then(|| query.select(&lists.whitelist)),
        blacklist: wants(ShownList::Blacklist).then(|| query.select(&lists.blacklist)),
        keywords: wants(ShownList::Keywords).then(|| query.select(&lists.keywords)),
        geo_blocked_countries: (rest && !lists.geo_blocked_countries.is_empty())
            .then(|| query.select(&lists.geo_blocked_countries)),
        path_exemptions: (rest && !lists.path_exemptions.is_empty())
            .then(|| query.select(&lists.path_exemptions)),
    };
    let out = &mut session.out;
    if out.is_json() {
        out.json(&shown)?;
        return Ok(ExitCode::SUCCESS);
    }
    shown.whitelist.iter().try_for_each(|list| list.show(out))?;
    shown.blacklist.iter().try_for_each(|list| list.show(out))?;
    shown.keywords.iter().try_for_each(|list| list.show(out))?;
    shown.geo_blocked_countries.iter().try_for_each(|list| list.show(out))?;
    shown.path_exemptions.iter().try_for_each(|list| list.show(out))?;
    Ok(ExitCode::SUCCESS)
}

/// What is shown, list by list.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    whitelist: Option<Selected<'a, WhitelistEntry>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blacklist: Option<Selected<'a, BlacklistEntry>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keywords: Option<Selected<'a, KeywordEntry>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    geo_blocked_countries: Option<Selected<'a, CountryEntry>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_exemptions: Option<Selected<'a, PathExemptionEntry>>,
}
