//! `aiwaf geo-summary`: from which countries requests and bans come.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aiwaf_core::{CountryCode, CountryLookup, ListName};
use aiwaf_storage::system_clock;
use serde::Serialize;

use crate::countries;
use crate::engine::read_countries;
use crate::logs;
use crate::output::{Cells, Column, Table, counted};
use crate::session::Session;

/// Show from which countries requests and bans come
///
/// Counts the requests of the access logs, the clients that sent them, those that were denied, and the bans in force.
/// Needs a country database.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf geo-summary
  aiwaf geo-summary --top 10 --limit 0
  aiwaf geo-summary --log-dir /var/log/nginx --database GeoLite2-Country.mmdb --json")]
pub(crate) struct GeoSummaryArgs {
    /// Logs or directories of logs; `-` is standard input [default: the directory of the logs]
    logs: Vec<PathBuf>,

    /// So many countries, those with most requests first; 0 is all
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,

    /// Only the first so many requests of the logs; 0 is all
    #[arg(long, value_name = "N", default_value_t = 0)]
    limit: u64,

    /// The directory of the logs [default: AIWAF_LOG_DIR, else logging.dir of the settings]
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,

    /// The country database [default: AIWAF_GEOIP_DB_PATH, else geo_block.database_path of the settings]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
}

#[derive(Default)]
struct Count {
    requests: u64,
    denied: u64,
    clients: u64,
    bans: u64,
}

#[derive(Serialize)]
struct Row {
    /// None is "not known".
    country: Option<CountryCode>,
    name: &'static str,
    requests: u64,
    clients: u64,
    denied: u64,
    bans: u64,
    blocked: bool,
}

#[derive(Serialize)]
struct Report {
    requests: u64,
    clients: u64,
    /// Whether there were more clients than were told apart.
    clients_incomplete: bool,
    countries: Vec<Row>,
    more_countries: usize,
}

/// So many clients are told apart; about 50 bytes each.
const MAX_CLIENTS: usize = 4_000_000;

pub(crate) fn run(args: &GeoSummaryArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let settings = session.settings()?.clone();
    let database = args.database.clone().unwrap_or_else(|| settings.geo_block.database_path.clone().into());
    if database.as_os_str().is_empty() {
        anyhow::bail!(
            "there is no country database: name one (GeoLite2 or GeoIP2, country or city, .mmdb) by --database, \
             AIWAF_GEOIP_DB_PATH or geo_block.database_path"
        );
    }
    let lookup = read_countries(Path::new(&database))?;
    let (_, loaded) = session.lists(&[ListName::Blacklist, ListName::GeoBlockedCountries])?;
    let mut counts: HashMap<Option<CountryCode>, Count> = HashMap::new();
    let mut clients: HashSet<IpAddr> = HashSet::new();
    let mut clients_incomplete = false;
    let mut requests = 0;
    let sources = logs::find(&args.logs, args.log_dir.as_deref(), &settings)?;
    let summary = sources.read(&mut (), |line| {
        if args.limit > 0 && requests >= args.limit {
            return;
        }
        requests += 1;
        let address = line.record.client.address();
        let count = counts.entry(address.and_then(|address| lookup.country(address))).or_default();
        count.requests += 1;
        count.denied += u64::from(line.record.block.as_ref().is_some_and(|block| !block.monitored));
        if let Some(address) = address {
            if clients.len() < MAX_CLIENTS {
                count.clients += u64::from(clients.insert(address));
            } else {
                clients_incomplete |= !clients.contains(&address);
            }
        }
    })?;
    logs::name_problems(&summary);
    let now = system_clock();
    for ban in loaded.lists.blacklist.iter().filter(|ban| ban.is_active(now)) {
        counts.entry(lookup.country(ban.network.addr())).or_default().bans += 1;
    }
    let is_blocked = |country: CountryCode| {
        settings.geo_block.blocked_countries.contains(&country)
            || loaded.lists.geo_blocked_countries.iter().any(|entry| entry.country == country)
    };
    let mut rows: Vec<Row> = counts
        .into_iter()
        .map(|(country, count)| Row {
            country,
            name: country.map_or("unknown", |country| countries::name(country).unwrap_or_default()),
            requests: count.requests,
            clients: count.clients,
            denied: count.denied,
            bans: count.bans,
            blocked: country.is_some_and(is_blocked),
        })
        .collect();
    rows.sort_by_key(|row| (std::cmp::Reverse((row.requests, row.bans)), row.country));
    let all = rows.len();
    if args.top > 0 {
        rows.truncate(args.top);
    }
    let report = Report {
        requests,
        clients: clients.len() as u64,
        clients_incomplete,
        more_countries: all - rows.len(),
        countries: rows,
    };
    session.out.json(&report)?;
    if !session.out.is_json() {
        report.show(session)?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Report {
    fn show(&self, session: &mut Session<'_>) -> anyhow::Result<()> {
        let out = &mut session.out;
        let at_least = if self.clients_incomplete { "more than " } else { "" };
        out.heading(
            "🌍 ",
            format_args!(
                "{} of {at_least}{}",
                counted(self.requests, "request"),
                counted(self.clients, "client")
            ),
        )?;
        let style = out.style();
        let table = Table::new([
            Column::new("CODE"),
            Column::flexible("COUNTRY"),
            Column::number("REQUESTS"),
            Column::number("SHARE"),
            Column::number("CLIENTS"),
            Column::number("DENIED"),
            Column::number("BANS"),
            Column::new("BLOCKED"),
        ]);
        #[allow(clippy::cast_precision_loss)] // a share in percent
        let share = |requests: u64| requests as f64 * 100.0 / self.requests.max(1) as f64;
        table.write(out.writer(), style, &self.countries, |row, cells: &mut Cells| {
            match row.country {
                Some(country) => cells.push(country),
                None => cells.push("-"),
            }
            cells.push(row.name);
            cells.push(row.requests);
            cells.push(format_args!("{:.1} %", share(row.requests)));
            cells.push(row.clients);
            cells.push(row.denied);
            cells.push(row.bans);
            cells.push(if row.blocked { "yes" } else { "" });
        })?;
        if self.more_countries > 0 {
            out.text(format_args!(
                "  ... and {} more {}\n",
                self.more_countries,
                if self.more_countries == 1 { "country" } else { "countries" }
            ))?;
        }
        Ok(())
    }
}
