//! Why a client is turned away.

use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;

use aiwaf_core::{
    BlacklistEntry, CountryLookup, ListName, Lists, Settings, Timestamp, WhitelistEntry, display_network,
};
use aiwaf_storage::system_clock;
use ipnet::IpNet;
use serde::Serialize;

use super::history::{self, History};
use crate::commands::listing::{Entry, Listed};
use crate::countries;
use crate::engine;
use crate::output::{Cells, Column, Output, Table, note, printable, short_time};
use crate::session::Session;

/// All that is known.
#[derive(Serialize)]
struct Explanation<'a> {
    client: String,
    /// `whitelisted`, `banned`, `throttled`, `country blocked` or `admitted`.
    state: State,
    whitelist: Vec<Entry<'a, WhitelistEntry>>,
    bans: Vec<Entry<'a, BlacklistEntry>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    history: History,
}

/// How the next request would be received, as far as lists and logs tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Whitelisted,
    Banned,
    CountryBlocked,
    Throttled,
    Admitted,
}

pub(super) fn explain(
    client: IpAddr,
    log_dir: Option<&Path>,
    session: &mut Session<'_>,
) -> anyhow::Result<ExitCode> {
    let settings = session.settings()?.clone();
    let (_, loaded) =
        session.lists(&[ListName::Whitelist, ListName::Blacklist, ListName::GeoBlockedCountries])?;
    let lists = &loaded.lists;
    let now = system_clock();
    let client = settings.client.canonical_address(client);
    let key = settings.client.key_of(client);
    let network = key.network(settings.client.ipv6_prefix);
    let log_dir = log_dir.unwrap_or(Path::new(&settings.logging.dir));
    let history = history::read(log_dir, |address| settings.client.key_of(address) == key)?;
    for problem in &history.problems {
        note(problem);
    }
    let whitelist: Vec<&WhitelistEntry> =
        lists.whitelist.iter().filter(|entry| concerns(&entry.network, client)).collect();
    let mut bans: Vec<&BlacklistEntry> =
        lists.blacklist.iter().filter(|ban| concerns(&ban.network, client)).collect();
    // Those in force first, of these the one that names the client best.
    bans.sort_by_key(|ban| (!ban.is_active(now), std::cmp::Reverse(ban.network.prefix_len())));
    let country = engine::countries(&settings)?.and_then(|countries| countries.country(client));
    let is_country_blocked = country.is_some_and(|country| is_blocked(country, &settings, lists));
    let state = if !whitelist.is_empty() {
        State::Whitelisted
    } else if bans.first().is_some_and(|ban| ban.is_active(now)) {
        State::Banned
    } else if is_country_blocked {
        State::CountryBlocked
    } else if history.is_throttled(now, settings.rate_limit.window) {
        State::Throttled
    } else {
        State::Admitted
    };
    let explanation = Explanation {
        client: client.to_string(),
        state,
        whitelist: whitelist.into_iter().map(Entry).collect(),
        bans: bans.into_iter().map(Entry).collect(),
        country: country.map(|country| country.to_string()),
        history,
    };
    session.out.json(&explanation)?;
    if !session.out.is_json() {
        explanation.show(&network, now, log_dir, &mut session.out)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn concerns(network: &IpNet, client: IpAddr) -> bool {
    network.contains(&client)
}

fn is_blocked(country: aiwaf_core::CountryCode, settings: &Settings, lists: &Lists) -> bool {
    let geo = &settings.geo_block;
    geo.blocked_countries.contains(&country)
        || lists.geo_blocked_countries.iter().any(|entry| entry.country == country)
        || !geo.allowed_countries.is_empty() && !geo.allowed_countries.contains(&country)
}

impl Explanation<'_> {
    fn show(
        &self,
        network: &IpNet,
        now: Timestamp,
        log_dir: &Path,
        out: &mut Output<'_>,
    ) -> anyhow::Result<()> {
        let client = &self.client;
        match (self.state, self.whitelist.first(), self.bans.first()) {
            (State::Whitelisted, Some(Entry(entry)), _) => {
                out.heading("🟢 ", format_args!("{client} is whitelisted"))?;
                let reason = match &*printable(&entry.reason) {
                    "" => String::new(),
                    reason => format!(" ({reason})"),
                };
                let by = display_network(&entry.network);
                out.text(format_args!("It passes every protection, by the entry {by}{reason}\n"))?;
                out.text(format_args!("To end that: aiwaf remove whitelist {by}\n"))?;
            }
            (State::Banned, _, Some(Entry(ban))) => {
                out.heading("🔴 ", format_args!("{client} is banned"))?;
                show_ban(ban, out)?;
                out.text(format_args!("To end that: aiwaf remove blacklist {}\n", ban.name()))?;
            }
            (State::CountryBlocked, ..) => {
                out.heading("🌍 ", format_args!("{client} is turned away for its country"))?;
                out.text(format_args!("To end that: aiwaf geo remove, or the settings of geo_block\n"))?;
            }
            (State::Throttled, ..) => {
                out.heading("🟡 ", format_args!("{client} is being throttled"))?;
                out.text(format_args!("It asks too often, and may again when the window has room\n"))?;
            }
            _ => out.heading("🟢 ", format_args!("{client} is on no list"))?,
        }
        if let Some(country) = &self.country {
            let name = country.parse().ok().and_then(countries::name).unwrap_or_default();
            out.text(format_args!("Country: {country} {name}\n"))?;
        }
        if network.prefix_len() < network.max_prefix_len() {
            out.text(format_args!("Its whole network {network} counts as one client\n"))?;
        }
        let others = self.bans.iter().skip(usize::from(self.state == State::Banned));
        for Entry(ban) in others {
            let heading = match (ban.is_active(now), self.state) {
                (false, _) => "A ban that ended",
                (true, State::Whitelisted) => "A ban without effect, for the whitelist wins",
                (true, _) => "Another ban in force",
            };
            out.text(format_args!("\n{heading}:\n"))?;
            show_ban(ban, out)?;
        }
        self.history.show(log_dir, out)
    }
}

fn show_ban(ban: &BlacklistEntry, out: &mut Output<'_>) -> anyhow::Result<()> {
    let unknown = || "an unknown time".to_owned();
    let since = ban.added.map_or_else(unknown, |time| short_time(time).to_string());
    let until = ban.expires.map_or_else(|| "it is removed".to_owned(), |end| short_time(end).to_string());
    let reason = if ban.reason.is_empty() { "none given" } else { &ban.reason };
    let rows: Vec<(&str, String)> = [
        ("Entry", display_network(&ban.network)),
        ("Reason", reason.to_owned()),
        ("By", ban.source.to_string()),
        ("Since", since),
        ("Until", until),
        ("Offences", ban.offences.to_string()),
    ]
    .into_iter()
    .chain(ban.extended_request_info.as_ref().map(|info| ("Request", info.clone())))
    .collect();
    let style = out.style();
    Table::new([Column::new(""), Column::flexible("")]).write(
        out.writer(),
        style,
        &rows,
        |(name, value), cells: &mut Cells| {
            cells.push(name);
            cells.push(value);
        },
    )?;
    Ok(())
}
