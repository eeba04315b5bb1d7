//! What came of the requests of a log, client by client.

use std::collections::{BTreeMap, HashMap};

use aiwaf_core::{Action, Protection, Timestamp, Verdict, display_network};
use ipnet::IpNet;
use serde::Serialize;

use crate::output::{Cells, Column, Output, Table, counted, short_time};

/// What came of the requests of a log.
#[derive(Default)]
pub(super) struct Replayed {
    /// Requests whose client the log names otherwise than by an address.
    pub(super) without_address: u64,
    requests: u64,
    denied_then: u64,
    throttled: u64,
    blocked: u64,
    banned: u64,
    by: BTreeMap<&'static str, u64>,
    monitored: BTreeMap<&'static str, u64>,
    clients: HashMap<IpNet, Client>,
    /// Requests of clients beyond those that are told apart.
    of_others: u64,
}

/// So many clients are told apart; about 200 bytes each.
const MAX_CLIENTS: usize = 2_000_000;

/// What came of one client's requests.
#[derive(Debug, Default, Clone)]
pub(super) struct Client {
    pub(super) requests: u64,
    pub(super) denied: u64,
    denied_then: u64,
    first: Option<Objection>,
    banned_until: Option<Ended>,
}

#[derive(Debug, Clone)]
struct Objection {
    time: Timestamp,
    protection: Protection,
    reason: Box<str>,
}

#[derive(Debug, Clone, Copy)]
struct Ended(Option<Timestamp>);

impl Replayed {
    pub(super) fn add(&mut self, client: IpNet, time: Timestamp, verdict: &Verdict, was_denied: bool) {
        self.requests += 1;
        self.denied_then += u64::from(was_denied);
        match verdict.action {
            Action::Allow => {}
            Action::Throttle { .. } => self.throttled += 1,
            Action::Block => self.blocked += 1,
        }
        if let Some(finding) = &verdict.finding {
            *self.by.entry(finding.protection.name()).or_default() += 1;
        }
        for finding in &verdict.monitored {
            *self.monitored.entry(finding.protection.name()).or_default() += 1;
        }
        self.banned += u64::from(verdict.ban.is_some());
        if !self.clients.contains_key(&client) && self.clients.len() >= MAX_CLIENTS {
            self.of_others += 1;
            return;
        }
        let entry = self.clients.entry(client).or_default();
        entry.requests += 1;
        entry.denied += u64::from(!verdict.is_allowed());
        entry.denied_then += u64::from(was_denied);
        if let Some(finding) = &verdict.finding
            && entry.first.is_none()
        {
            let reason = finding.reason.to_string().into();
            entry.first = Some(Objection { time, protection: finding.protection, reason });
        }
        if let Some(ban) = &verdict.ban {
            entry.banned_until = Some(Ended(ban.expires));
        }
    }

    pub(super) fn clients(&self) -> &HashMap<IpNet, Client> {
        &self.clients
    }

    /// The clients that were denied something, most first.
    fn denied_clients(&self) -> Vec<(&IpNet, &Client)> {
        let mut denied: Vec<_> = self.clients.iter().filter(|(_, client)| client.denied > 0).collect();
        denied.sort_by_key(|(network, client)| (std::cmp::Reverse(client.denied), **network));
        denied
    }

    pub(super) fn summary(&self) -> Summary<'_> {
        Summary {
            requests: self.requests,
            denied: self.throttled + self.blocked,
            throttled: self.throttled,
            blocked: self.blocked,
            denied_then: self.denied_then,
            bans: self.banned,
            clients: self.clients.len(),
            clients_denied: self.clients.values().filter(|client| client.denied > 0).count(),
            by_protection: &self.by,
            would_deny: &self.monitored,
            without_address: self.without_address,
            of_other_clients: self.of_others,
        }
    }

    pub(super) fn report(&self, top: usize) -> Report<'_> {
        let denied = self.denied_clients();
        Report {
            summary: self.summary(),
            denied_clients: denied
                .iter()
                .take(top)
                .map(|(network, client)| DeniedClient::new(network, client))
                .collect(),
        }
    }

    pub(super) fn show(&self, top: usize, out: &mut Output<'_>) -> anyhow::Result<()> {
        self.summary().show("", out)?;
        let denied = self.denied_clients();
        if denied.is_empty() {
            return Ok(());
        }
        out.heading("🚫 ", format_args!("Clients that would have been denied ({}):", denied.len()))?;
        let style = out.style();
        let shown = denied.get(..top.min(denied.len())).unwrap_or_default();
        let table = Table::new([
            Column::new("CLIENT"),
            Column::number("REQUESTS"),
            Column::number("DENIED"),
            Column::new("FIRST"),
            Column::flexible("REASON"),
            Column::new("BY"),
            Column::new("BANNED UNTIL"),
        ]);
        table.write(out.writer(), style, shown, |(network, client), cells: &mut Cells| {
            cells.push(display_network(network));
            cells.push(client.requests);
            cells.push(client.denied);
            match &client.first {
                Some(first) => {
                    cells.push(short_time(first.time));
                    cells.push(&first.reason);
                    cells.push(first.protection);
                }
                None => (0..3).for_each(|_| cells.push("")),
            }
            match client.banned_until {
                Some(Ended(Some(end))) => cells.push(short_time(end)),
                Some(Ended(None)) => cells.push("removed"),
                None => cells.push(""),
            }
        })?;
        if denied.len() > shown.len() {
            out.text(format_args!("  ... and {} more\n", denied.len() - shown.len()))?;
        }
        Ok(())
    }
}

/// All requests together.
#[derive(Serialize)]
pub(super) struct Summary<'a> {
    requests: u64,
    denied: u64,
    throttled: u64,
    blocked: u64,
    /// Requests that the log marks as denied.
    denied_then: u64,
    bans: u64,
    clients: usize,
    clients_denied: usize,
    by_protection: &'a BTreeMap<&'static str, u64>,
    /// By protections that only watch.
    would_deny: &'a BTreeMap<&'static str, u64>,
    without_address: u64,
    of_other_clients: u64,
}

impl Summary<'_> {
    pub(super) fn show(&self, name: &str, out: &mut Output<'_>) -> anyhow::Result<()> {
        let name = if name.is_empty() { String::new() } else { format!(" by {name}") };
        out.heading(
            "⏪ ",
            format_args!(
                "{} of {}{name}",
                counted(self.requests, "request"),
                counted(self.clients, "client")
            ),
        )?;
        #[allow(clippy::cast_precision_loss)] // a share in percent
        let share = self.denied as f64 * 100.0 / self.requests.max(1) as f64;
        out.text(format_args!(
            "Denied: {} ({share:.1} %), of {}; {} blocked, {} throttled, {}; in the log: {} denied\n",
            self.denied,
            counted(self.clients_denied, "client"),
            self.blocked,
            self.throttled,
            counted(self.bans, "ban"),
            self.denied_then
        ))?;
        for (title, counts) in
            [("By protection", self.by_protection), ("Watching, and would have denied", self.would_deny)]
        {
            if !counts.is_empty() {
                let counts: Vec<String> =
                    counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
                out.text(format_args!("{title}: {}\n", counts.join(", ")))?;
            }
        }
        if self.without_address > 0 {
            out.text(format_args!("Left out, for the log names no address: {}\n", self.without_address))?;
        }
        if self.of_other_clients > 0 {
            out.text(format_args!(
                "Requests of clients beyond the first {MAX_CLIENTS}: {}\n",
                self.of_other_clients
            ))?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
pub(super) struct Report<'a> {
    #[serde(flatten)]
    summary: Summary<'a>,
    denied_clients: Vec<DeniedClient<'a>>,
}

/// A client that was denied something.
#[derive(Serialize)]
struct DeniedClient<'a> {
    client: String,
    requests: u64,
    denied: u64,
    denied_then: u64,
    first: Option<String>,
    protection: Option<&'static str>,
    reason: Option<&'a str>,
    banned: bool,
    banned_until: Option<String>,
}

impl<'a> DeniedClient<'a> {
    fn new(network: &IpNet, client: &'a Client) -> Self {
        let first = client.first.as_ref();
        Self {
            client: display_network(network),
            requests: client.requests,
            denied: client.denied,
            denied_then: client.denied_then,
            first: first.map(|first| first.time.to_string()),
            protection: first.map(|first| first.protection.name()),
            reason: first.map(|first| &*first.reason),
            banned: client.banned_until.is_some(),
            banned_until: client.banned_until.and_then(|Ended(end)| end).map(|end| end.to_string()),
        }
    }
}

impl Client {
    /// The first objection, in a few words.
    pub(super) fn first_reason(&self) -> String {
        self.first.as_ref().map(|first| format!("{}: {}", first.protection, first.reason)).unwrap_or_default()
    }
}
