//! The statistics as text, fitted to the terminal.

use aiwaf_trainer::statistics::{LogSummary, TopList};

use super::figures::{
    bytes, count, country_name, milliseconds, moment, percent, status_name, stretch_length,
};
use super::notes::{notes, spans_days};
use super::picture::{MARGIN, Picture};
use super::ticks::ticks;
use crate::output::{Cells, Column, Output, Table};

/// Pictures where nobody says how wide they may be.
const USUAL_WIDTH: usize = 80;
/// No picture is wider: more columns would not show more.
const WIDEST: usize = 120;

/// How many columns a picture of requests over time can have here.
pub(super) fn columns(width: Option<usize>) -> usize {
    width.unwrap_or(USUAL_WIDTH).min(WIDEST).saturating_sub(MARGIN + 1).max(2)
}

/// Writes all of it. The first lines are those of the original, for scripts read them.
pub(super) fn write(out: &mut Output<'_>, summary: &LogSummary, sources: &str) -> anyhow::Result<()> {
    out.heading("📊 ", "AIWAF Access Log Analysis")?;
    out.text(format_args!("{}\n", "=".repeat(50)))?;
    out.text(format_args!("Logs: {sources}\n"))?;
    if let (Some(first), Some(last)) = (summary.first, summary.last) {
        out.text(format_args!("Period: {} to {} (UTC)\n", moment(first), moment(last)))?;
    }
    figures(out, summary)?;
    if summary.requests > 0 {
        over_time(out, summary)?;
        if spans_days(summary) {
            by_hour(out, summary)?;
        }
        lists(out, summary)?;
    }
    let notes = notes(summary);
    if !notes.is_empty() {
        out.text(format_args!("\n"))?;
    }
    for note in notes {
        out.text(format_args!("{}Note: {note}{}\n", out.style().dim(), out.style().plain()))?;
    }
    Ok(())
}

fn figures(out: &mut Output<'_>, summary: &LogSummary) -> anyhow::Result<()> {
    let all = summary.requests;
    out.text(format_args!("Total Requests: {}\n", count(all)))?;
    out.text(format_args!(
        "Blocked Requests: {} ({})\n",
        count(summary.blocked),
        percent(summary.blocked, all)
    ))?;
    if summary.throttled > 0 {
        out.text(format_args!("Throttled Among Them: {}\n", count(summary.throttled)))?;
    }
    if summary.monitored > 0 {
        let monitored = count(summary.monitored);
        out.text(format_args!("Would Be Blocked (monitor mode): {monitored}\n"))?;
    }
    if let Some(times) = &summary.response_time {
        out.text(format_args!("Average Response Time: {}\n", milliseconds(times.average_ms)))?;
        out.text(format_args!("95th Percentile: {}\n", milliseconds(times.p95_ms)))?;
        out.text(format_args!("99th Percentile: {}\n", milliseconds(times.p99_ms)))?;
        out.text(format_args!("Slowest: {}\n", milliseconds(times.max_ms)))?;
    }
    let clients = summary.distinct_clients;
    let about = if clients.relative_error.is_some() { "about " } else { "" };
    out.text(format_args!("Unique Clients: {about}{}\n", count(clients.count)))?;
    out.text(format_args!("Sent: {}\n", bytes(summary.bytes_sent)))
}

fn over_time(out: &mut Output<'_>, summary: &LogSummary) -> anyhow::Result<()> {
    let timeline = &summary.timeline;
    let length = stretch_length(timeline.bucket_seconds);
    out.heading("", format_args!("Requests over time (UTC, each column {length})"))?;
    let columns = |all: bool| -> Vec<(u64, u64)> {
        let buckets = timeline.buckets.iter();
        buckets.map(|bucket| (if all { bucket.requests } else { bucket.blocked }, bucket.blocked)).collect()
    };
    draw(out, columns(true), ticks(timeline, 8), 6)?;
    if summary.blocked > 0 {
        out.heading("", "Blocked over time")?;
        draw(out, columns(false), ticks(timeline, 8), 3)?;
    }
    Ok(())
}

fn by_hour(out: &mut Output<'_>, summary: &LogSummary) -> anyhow::Result<()> {
    out.heading("", "By hour of the day (UTC, all days together)")?;
    let columns = summary.hours.iter().map(|hour| (hour.requests, hour.blocked)).collect();
    let ticks = summary.hours.iter().map(|hour| (hour.hour % 3 == 0).then(|| format!("{:02}", hour.hour)));
    draw(out, columns, ticks.collect(), 4)
}

fn draw(
    out: &mut Output<'_>,
    columns: Vec<(u64, u64)>,
    ticks: Vec<Option<String>>,
    height: usize,
) -> anyhow::Result<()> {
    let style = out.style();
    let width = style.width.unwrap_or(USUAL_WIDTH).min(WIDEST);
    for line in (Picture { columns, ticks, height, width, style: &style }).lines() {
        out.text(format_args!("{line}\n"))?;
    }
    Ok(())
}

/// The row of a list: a name, how many, and how many of them were blocked.
struct Row {
    name: String,
    number: u64,
    /// Whether it can be more.
    is_least: bool,
    blocked: u64,
}

impl Row {
    fn new(name: String, number: u64, blocked: u64) -> Self {
        Self { name, number, is_least: false, blocked }
    }
}

fn lists(out: &mut Output<'_>, summary: &LogSummary) -> anyhow::Result<()> {
    let all = summary.requests;
    let mut statuses = summary.statuses.clone();
    statuses.sort_by_key(|status| std::cmp::Reverse(status.requests));
    let statuses =
        statuses.iter().take(STATUSES).map(|status| Row::new(status_name(status.status), status.requests, 0));
    table(out, "Status Codes", ["STATUS", "REQUESTS"], &statuses.collect::<Vec<_>>(), all)?;
    let marked = summary.blocked + summary.monitored;
    if marked > 0 {
        let protections = summary.protections.iter().map(|protection| {
            let blocked = protection.blocked + protection.throttled;
            Row::new(protection.protection.to_owned(), blocked + protection.monitored, blocked)
        });
        table(out, "Protections", ["PROTECTION", "REQUESTS"], &protections.collect::<Vec<_>>(), marked)?;
        table(out, "Top Block Reasons", ["REASON", "REQUESTS"], &rows(&summary.reasons), marked)?;
        let blocked = summary.blocked;
        table(out, "Top Blocked IPs", ["CLIENT", "BLOCKED"], &rows(&summary.blocked_clients), blocked)?;
        table(out, "Top Blocked Paths", ["PATH", "BLOCKED"], &rows(&summary.blocked_paths), blocked)?;
    }
    table(out, "Top IPs", ["CLIENT", "REQUESTS"], &rows(&summary.clients), all)?;
    table(out, "Top Paths", ["PATH", "REQUESTS"], &rows(&summary.paths), all)?;
    if let Some(countries) = &summary.countries {
        let countries = countries
            .iter()
            .take(summary.clients.entries.len().max(STATUSES))
            .map(|country| Row::new(country_name(country.country), country.requests, country.blocked));
        table(out, "Countries", ["COUNTRY", "REQUESTS"], &countries.collect::<Vec<_>>(), all)?;
    }
    table(out, "Methods", ["METHOD", "REQUESTS"], &rows(&summary.methods), all)?;
    table(out, "User Agents", ["AGENT", "REQUESTS"], &rows(&summary.agents), all)
}

/// So many statuses are shown.
const STATUSES: usize = 10;

fn rows(list: &TopList) -> Vec<Row> {
    let rows = list.entries.iter().map(|entry| Row {
        is_least: entry.missed > 0,
        ..Row::new(entry.name.clone(), entry.requests, entry.blocked)
    });
    rows.collect()
}

/// Writes rows with their shares of `whole`.
fn table(
    out: &mut Output<'_>,
    title: &str,
    [name, number]: [&'static str; 2],
    rows: &[Row],
    whole: u64,
) -> anyhow::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    out.heading("", title)?;
    let mut columns = vec![Column::flexible(name), Column::number(number), Column::number("SHARE")];
    // Where all or nothing was blocked, the column would say nothing new.
    if rows.iter().any(|row| row.blocked > 0) && rows.iter().any(|row| row.blocked != row.number) {
        columns.push(Column::number("BLOCKED"));
    }
    let style = out.style();
    Table::new(columns).write(out.writer(), style, rows, |row, cells: &mut Cells| {
        cells.push(&row.name);
        cells.push(format_args!("{}{}", if row.is_least { "\u{2265} " } else { "" }, count(row.number)));
        cells.push(percent(row.number, whole));
        cells.push(if row.blocked > 0 { count(row.blocked) } else { String::new() });
    })?;
    Ok(())
}
