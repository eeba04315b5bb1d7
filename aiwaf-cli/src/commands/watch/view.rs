//! The view on a terminal.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use aiwaf_core::{AccessRecord, Timestamp};

use crate::output::{Cells, Column, Output, Table, counted, short_time};

/// What was seen since the beginning.
pub(super) struct View {
    files: String,
    began: Instant,
    requests: u64,
    denied: u64,
    /// Requests and denials of each of the last seconds, the newest last.
    seconds: VecDeque<(Instant, u64, u64)>,
    clients: HashMap<String, u64>,
    reasons: HashMap<String, u64>,
    latest: VecDeque<Denied>,
}

struct Denied {
    time: Timestamp,
    client: String,
    request: String,
    reason: String,
}

/// So many clients and reasons are counted; later ones are not, so that nobody can fill the memory.
const MAX_COUNTED: usize = 10_000;
/// So many rows of each table fit a usual terminal.
const ROWS: usize = 6;
const WINDOW: Duration = Duration::from_mins(1);

impl View {
    pub(super) fn new(files: &[PathBuf]) -> Self {
        Self {
            files: files.iter().map(|file| super::name(file)).collect::<Vec<_>>().join(", "),
            began: Instant::now(),
            requests: 0,
            denied: 0,
            seconds: VecDeque::new(),
            clients: HashMap::new(),
            reasons: HashMap::new(),
            latest: VecDeque::new(),
        }
    }

    pub(super) fn add(&mut self, record: &AccessRecord<'_>) {
        let denied = record.block.as_ref().filter(|block| !block.monitored);
        self.requests += 1;
        self.denied += u64::from(denied.is_some());
        let now = Instant::now();
        match self
            .seconds
            .back_mut()
            .filter(|(since, ..)| now.duration_since(*since) < Duration::from_secs(1))
        {
            Some((_, requests, denials)) => {
                *requests += 1;
                *denials += u64::from(denied.is_some());
            }
            None => self.seconds.push_back((now, 1, u64::from(denied.is_some()))),
        }
        let Some(block) = denied else { return };
        let client = record.client.to_string();
        let reason = String::from_utf8_lossy(&block.reason).into_owned();
        count(&mut self.clients, &client);
        count(&mut self.reasons, &reason);
        if self.latest.len() == ROWS {
            self.latest.pop_front();
        }
        let method = String::from_utf8_lossy(&record.method);
        let request = format!("{method} {}", String::from_utf8_lossy(&record.target));
        self.latest.push_back(Denied { time: record.time, client, request, reason });
    }

    /// Draws the view in place of the one before.
    pub(super) fn draw(&mut self, out: &mut Output<'_>) -> anyhow::Result<()> {
        let now = Instant::now();
        while self.seconds.front().is_some_and(|(since, ..)| now.duration_since(*since) > WINDOW) {
            self.seconds.pop_front();
        }
        let (requests, denied) =
            self.seconds.iter().fold((0, 0), |sum, second| (sum.0 + second.1, sum.1 + second.2));
        let span = now.duration_since(self.began).min(WINDOW).as_secs().max(1);
        // To the corner, and clear what was there: nothing to be put back when ctrl-c ends this.
        out.text(format_args!("\x1b[H\x1b[J"))?;
        out.heading("👀 ", &self.files)?;
        out.text(format_args!(
            "Since {} s: {}, {} denied    now: {} and {} a minute\n",
            now.duration_since(self.began).as_secs(),
            counted(self.requests, "request"),
            self.denied,
            counted(requests * 60 / span, "request"),
            counted(denied * 60 / span, "denial")
        ))?;
        show_counts("Clients denied most", "CLIENT", &self.clients, out)?;
        show_counts("Reasons", "REASON", &self.reasons, out)?;
        out.heading("🚫 ", "Latest denials")?;
        let style = out.style();
        let latest: Vec<&Denied> = self.latest.iter().rev().collect();
        let table = Table::new([
            Column::new("TIME"),
            Column::flexible("CLIENT"),
            Column::flexible("REQUEST"),
            Column::flexible("REASON"),
        ]);
        table.write(out.writer(), style, &latest, |denied, cells: &mut Cells| {
            cells.push(short_time(denied.time));
            cells.push(&denied.client);
            cells.push(&denied.request);
            cells.push(&denied.reason);
        })?;
        out.text(format_args!("\nctrl-c ends\n"))
    }
}

fn count(counts: &mut HashMap<String, u64>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count += 1;
    } else if counts.len() < MAX_COUNTED {
        counts.insert(name.to_owned(), 1);
    }
}

fn show_counts(
    title: &str,
    column: &'static str,
    counts: &HashMap<String, u64>,
    out: &mut Output<'_>,
) -> anyhow::Result<()> {
    let mut sorted: Vec<(&String, &u64)> = counts.iter().collect();
    sorted.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
    sorted.truncate(ROWS);
    out.heading("", title)?;
    let style = out.style();
    let table = Table::new([Column::number("DENIED"), Column::flexible(column)]);
    table.write(out.writer(), style, &sorted, |(name, count), cells: &mut Cells| {
        cells.push(count);
        cells.push(name);
    })?;
    Ok(())
}
