//! What the logs know of a client.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use aiwaf_core::{BlockAction, Timestamp};
use aiwaf_trainer::{SourceError, Sources};
use serde::Serialize;

use crate::event_log::{self, Event};
use crate::output::{Cells, Column, Output, Table, short_time};

/// What the logs know of a client.
#[derive(Debug, Default, Serialize)]
pub(super) struct History {
    /// Requests in the access logs.
    requests: u64,
    /// Of these, denied ones.
    denied: u64,
    #[serde(skip)]
    span: Option<(Timestamp, Timestamp)>,
    /// When the first and the last of them were.
    first: Option<String>,
    last: Option<String>,
    /// How often each status was answered.
    statuses: BTreeMap<u16, u64>,
    /// How many objections there are in `aiwaf.log`.
    objections: u64,
    /// The latest of them, the oldest first.
    latest: Vec<Event>,
    /// When it was throttled last.
    #[serde(skip)]
    throttled: Option<Timestamp>,
    /// What could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) problems: Vec<String>,
}

/// So many objections are shown.
const LATEST: usize = 10;

/// Reads the logs in a directory about the client that `is_client` knows. A directory that is missing holds nothing.
pub(super) fn read(directory: &Path, is_client: impl Fn(IpAddr) -> bool) -> anyhow::Result<History> {
    let mut history = History::default();
    if !directory.exists() {
        return Ok(history);
    }
    let files = event_log::files(directory);
    (history.latest, history.objections) =
        event_log::latest(&files, LATEST, |event| event.client().is_some_and(&is_client))?;
    let sources = match Sources::find([directory]) {
        Ok(sources) => sources,
        Err(SourceError::NoLogs { .. }) => return Ok(history),
        Err(error) => return Err(error.into()),
    };
    let summary = sources.read(&mut (), |line| {
        let record = &line.record;
        if !record.client.address().is_some_and(&is_client) {
            return;
        }
        history.requests += 1;
        let (first, _) = *history.span.get_or_insert((record.time, record.time));
        history.span = Some((first, record.time));
        *history.statuses.entry(record.status).or_default() += 1;
        if let Some(block) = record.block.as_ref().filter(|block| !block.monitored) {
            history.denied += 1;
            if block.action == BlockAction::Throttle {
                history.throttled = Some(record.time);
            }
        }
    })?;
    history.first = history.span.map(|(first, _)| first.to_string());
    history.last = history.span.map(|(_, last)| last.to_string());
    history.problems =
        summary.problems.iter().map(|problem| format!("{}: {}", problem.source, problem.what)).collect();
    Ok(history)
}

impl History {
    /// Whether it was throttled so lately that it may be still.
    pub(super) fn is_throttled(&self, now: Timestamp, window: Duration) -> bool {
        self.throttled.is_some_and(|time| now.since(time) < window)
    }

    pub(super) fn show(&self, directory: &Path, out: &mut Output<'_>) -> anyhow::Result<()> {
        let place = directory.display();
        if self.requests == 0 && self.objections == 0 {
            return out.text(format_args!("\nThe logs in {place} don't mention it\n"));
        }
        if let Some((first, last)) = self.span {
            let statuses: Vec<String> =
                self.statuses.iter().map(|(status, count)| format!("{status}: {count}")).collect();
            out.heading(
                "📜 ",
                format_args!("Requests in {place}: {}, {} denied", self.requests, self.denied),
            )?;
            out.text(format_args!("  first {}, last {}\n", short_time(first), short_time(last)))?;
            out.text(format_args!("  answers: {}\n", statuses.join(", ")))?;
        }
        if self.objections == 0 {
            return Ok(());
        }
        let shown = self.latest.len();
        out.heading("🚫 ", format_args!("Objections: {}, the latest {shown}:", self.objections))?;
        let style = out.style();
        let table = Table::new([
            Column::new("TIME"),
            Column::new("ACTION"),
            Column::flexible("REASON"),
            Column::flexible("REQUEST"),
            Column::flexible("PART"),
            Column::new("BY"),
        ]);
        table.write(out.writer(), style, &self.latest, |event, cells: &mut Cells| {
            match event.timestamp() {
                Some(time) => cells.push(short_time(time)),
                None => cells.push(&event.time),
            }
            let watched = if event.monitored { "would " } else { "" };
            cells.push(format_args!("{watched}{}", event.action));
            cells.push(&event.reason);
            cells.push(format_args!("{} {}", event.method, event.target));
            match (&event.field, &event.matched) {
                (Some(field), Some(matched)) => cells.push(format_args!("{field}: {matched}")),
                _ => cells.push(""),
            }
            cells.push(&event.protection);
        })?;
        Ok(())
    }
}
