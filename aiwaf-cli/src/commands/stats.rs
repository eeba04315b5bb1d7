//! `aiwaf stats`: how much is on the lists, and where they are.

use std::process::ExitCode;

use aiwaf_core::ListName;
use aiwaf_storage::system_clock;
use serde::Serialize;

use crate::session::Session;

/// Show how much is on the lists, and where they are
///
/// Counts bans in force; those that ended are not among them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf stats
  aiwaf stats --json
  aiwaf --data-dir /srv/app/aiwaf_data stats
  aiwaf stats | grep -E \"(Blacklisted|Keywords)\" | awk '{if($3 > 100) print \"ALERT\"}'")]
pub(crate) struct StatsArgs {}

#[derive(Serialize)]
struct Counts<'a> {
    whitelisted: usize,
    blacklisted: usize,
    keywords: usize,
    geo_blocked_countries: usize,
    path_exemptions: usize,
    storage_mode: &'a str,
    location: Option<&'a str>,
    rows_not_understood: usize,
}

pub(crate) fn run(session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let (manager, loaded) = session.lists(&ListName::ALL)?;
    let now = system_clock();
    let lists = &loaded.lists;
    let location = manager.store().location();
    let counts = Counts {
        whitelisted: lists.whitelist.len(),
        blacklisted: lists.blacklist.iter().filter(|ban| ban.is_active(now)).count(),
        keywords: lists.keywords.len(),
        geo_blocked_countries: lists.geo_blocked_countries.len(),
        path_exemptions: lists.path_exemptions.len(),
        storage_mode: manager.store().mode(),
        location: location.as_ref().map(|(_, place)| place.as_str()),
        rows_not_understood: loaded.problems.len() + loaded.more_problems,
    };
    let out = &mut session.out;
    out.json(&counts)?;
    out.heading("📊 ", "AIWAF Statistics")?;
    // The original's lines as they are, for scripts read them; ours follow.
    out.text(format_args!("{}\n", "=".repeat(50)))?;
    out.text(format_args!("Whitelisted IPs: {}\n", counts.whitelisted))?;
    out.text(format_args!("Blacklisted IPs: {}\n", counts.blacklisted))?;
    out.text(format_args!("Blocked Keywords: {}\n", counts.keywords))?;
    out.text(format_args!("Storage Mode: {}\n", counts.storage_mode))?;
    if let Some((what, place)) = &location {
        out.text(format_args!("{what}: {place}\n"))?;
    }
    out.text(format_args!("Blocked Countries: {}\n", counts.geo_blocked_countries))?;
    out.text(format_args!("Exempt Paths: {}\n", counts.path_exemptions))?;
    if counts.rows_not_understood > 0 {
        out.text(format_args!("Rows Not Understood: {}\n", counts.rows_not_understood))?;
    }
    Ok(ExitCode::SUCCESS)
}
