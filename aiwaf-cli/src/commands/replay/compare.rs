//! The difference of two configurations, client by client.

use aiwaf_core::display_network;
use ipnet::IpNet;
use serde::Serialize;

use super::outcome::{Client, Replayed, Summary};
use crate::output::{Cells, Column, Table};
use crate::session::Session;

#[derive(Serialize)]
struct Report<'a> {
    current: Summary<'a>,
    compared: Summary<'a>,
    /// Clients of whom the one would have denied more than the other.
    differing_clients: usize,
    clients: Vec<Difference>,
}

/// A client that is treated differently.
#[derive(Serialize)]
struct Difference {
    client: String,
    requests: u64,
    denied: u64,
    denied_compared: u64,
    reason: String,
    reason_compared: String,
}

/// Shows what differs; the greatest differences first.
pub(super) fn show(
    current: &Replayed,
    compared: &Replayed,
    name: &str,
    top: usize,
    session: &mut Session<'_>,
) -> anyhow::Result<()> {
    let mut differing: Vec<(&IpNet, &Client, &Client)> = current
        .clients()
        .iter()
        // Both saw the same requests, so whoever is known to the one is known to the other.
        .filter_map(|(network, client)| Some((network, client, compared.clients().get(network)?)))
        .filter(|(_, client, other)| client.denied != other.denied)
        .collect();
    differing.sort_by_key(|(network, client, other)| {
        (std::cmp::Reverse(client.denied.abs_diff(other.denied)), **network)
    });
    let report = Report {
        current: current.summary(),
        compared: compared.summary(),
        differing_clients: differing.len(),
        clients: differing
            .iter()
            .take(top)
            .map(|(network, client, other)| Difference {
                client: display_network(network),
                requests: client.requests,
                denied: client.denied,
                denied_compared: other.denied,
                reason: client.first_reason(),
                reason_compared: other.first_reason(),
            })
            .collect(),
    };
    let out = &mut session.out;
    out.json(&report)?;
    if out.is_json() {
        return Ok(());
    }
    report.current.show("the settings in force", out)?;
    report.compared.show(name, out)?;
    if report.clients.is_empty() {
        return out.text(format_args!("\nNo client would have been treated differently\n"));
    }
    out.heading("⚖️  ", format_args!("Clients treated differently ({}):", report.differing_clients))?;
    let style = out.style();
    let table = Table::new([
        Column::new("CLIENT"),
        Column::number("REQUESTS"),
        Column::number("DENIED NOW"),
        Column::number("COMPARED"),
        Column::flexible("REASON NOW"),
        Column::flexible("REASON COMPARED"),
    ]);
    table.write(out.writer(), style, &report.clients, |row, cells: &mut Cells| {
        cells.push(&row.client);
        cells.push(row.requests);
        cells.push(row.denied);
        cells.push(row.denied_compared);
        cells.push(&row.reason);
        cells.push(&row.reason_compared);
    })?;
    let hidden = report.differing_clients - report.clients.len();
    if hidden > 0 {
        out.text(format_args!("  ... and {hidden} more\n"))?;
    }
    Ok(())
}
