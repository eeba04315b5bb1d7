//! `aiwaf geo`: countries that may not enter.

use std::process::ExitCode;

use aiwaf_core::{CountryEntry, ListName};
use aiwaf_storage::system_clock;
use serde::Serialize;

use super::edit::{Edit, Verb};
use super::listing::{QueryArgs, Selected};
use crate::session::Session;
use crate::stores::Access;
use crate::values::{Kind, ValueArgs, check_countries, refused};

/// Show, add and remove countries that may not enter
///
/// They are blocked in addition to those of the settings, in services that have a country database
/// (geo_block.database_path).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  aiwaf geo list\n  aiwaf geo add KP IR\n  aiwaf geo remove IR")]
pub(crate) struct GeoArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show the blocked countries
    #[command(after_help = "Examples:\n  aiwaf geo list\n  aiwaf geo list --json")]
    List(QueryArgs),
    /// Block countries, by the two letters of ISO 3166-1
    #[command(after_help = "Examples:\n  aiwaf geo add US\n  aiwaf geo add KP IR --dry-run")]
    Add {
        #[command(flatten)]
        values: ValueArgs,

        /// Say what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Stop blocking countries
    #[command(after_help = "Examples:\n  aiwaf geo remove US")]
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
    geo_blocked_countries: Selected<'a, CountryEntry>,
}

pub(crate) fn run(args: &GeoArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    match &args.action {
        Action::List(query) => list(query, session),
        Action::Add { values, dry_run } => add(values, *dry_run, session),
        Action::Remove { values, dry_run } => remove(values, *dry_run, session),
    }
}

fn list(query: &QueryArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let (_, loaded) = session.lists(&[ListName::GeoBlockedCountries])?;
    let countries = &loaded.lists.geo_blocked_countries;
    let shown = Shown { geo_blocked_countries: query.at(system_clock()).select(countries) };
    session.out.json(&shown)?;
    if !session.out.is_json() {
        shown.geo_blocked_countries.show(&mut session.out)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn add(values: &ValueArgs, dry_run: bool, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let values = values.read(Kind::Country)?;
    check_countries(&values)?;
    let texts: Vec<&str> = values.iter().map(|value| value.text.as_str()).collect();
    let manager = session.manager(Access::Create, dry_run)?;
    let changed = manager.add_geo_blocked_countries(&texts, system_clock());
    let changed = changed.map_err(|error| refused(error, Kind::Country, &values))?;
    let edit = Edit { list: ListName::GeoBlockedCountries, verb: Verb::Add, dry_run };
    edit.report(&mut session.out, &values, &changed, |_| None)?;
    // These settings may be another machine's, so that is no warning; nor need they be right for a list to be edited.
    if !dry_run && session.settings().is_ok_and(|settings| settings.geo_block.database_path.is_empty()) {
        session.out.text(format_args!(
            "The settings here name no country database (geo_block.database_path), and a service without one blocks \
             no country\n"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn remove(values: &ValueArgs, dry_run: bool, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let values = values.read(Kind::Country)?;
    let texts: Vec<&str> = values.iter().map(|value| value.text.as_str()).collect();
    let manager = session.manager(Access::Existing, dry_run)?;
    let changed = manager.remove_geo_blocked_countries(&texts);
    let changed = changed.map_err(|error| refused(error, Kind::Country, &values))?;
    let edit = Edit { list: ListName::GeoBlockedCountries, verb: Verb::Remove, dry_run };
    edit.report(&mut session.out, &values, &changed, |_| None)?;
    Ok(ExitCode::SUCCESS)
}
