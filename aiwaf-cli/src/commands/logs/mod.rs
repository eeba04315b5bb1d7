//! `aiwaf logs`: what happened, by the access logs.

mod figures;
mod html;
mod notes;
mod picture;
mod text;
mod ticks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use aiwaf_core::{LineFormat, Timestamp};
use aiwaf_storage::system_clock;
use aiwaf_trainer::statistics::{LogSummary, StatisticsOptions, count_logs};
use aiwaf_trainer::{FormatCount, ReadSummary, SourceProblem, UnparsedSample};
use anyhow::Context;
use serde::Serialize;

use self::figures::count;
use crate::engine;
use crate::failure::usage_error;
use crate::logs;
use crate::output::{ProgressLine, note};
use crate::session::Session;
use crate::span::Moment;

/// Show what happened, by the access logs
///
/// Counts requests, what was blocked and why, statuses, response times, the most frequent clients, paths and agents,
/// and when all that was. Files are read in whatever format they are, compressed ones and those that rotation renamed
/// too. Memory does not grow with the logs; figures that are estimates are marked, and how far they can be off is said.
///
/// With --json the figures are one object: "requests", "blocked", "response_time" and so on, each list with its
/// "entries" of "name", "requests", "blocked" and "missed" (how many more requests there can have been at most), and
/// "logs" for what was read.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf logs
  aiwaf logs --log-dir logs --format combined
  aiwaf logs --since 24h --html report.html
  aiwaf logs --since 2025-09-14 --until 2025-09-15 --json
  aiwaf logs /var/log/nginx --top 25
  zcat old.log.gz | aiwaf logs -")]
pub(crate) struct LogsArgs {
    /// Files, or directories of logs; `-` is standard input [default: the log directory]
    paths: Vec<PathBuf>,

    /// The directory of the logs [default: AIWAF_LOG_DIR, else logging.dir of the settings, else aiwaf_logs]
    #[arg(long, value_name = "DIR", conflicts_with = "paths")]
    log_dir: Option<PathBuf>,

    /// The format of all files: combined, common, csv, json, w3c, or the pattern of nginx's log_format [default: that of
    /// each file, found out]
    #[arg(long, value_name = "FORMAT", value_parser = logs::line_format)]
    format: Option<LineFormat>,

    /// Only requests from then on: 2h (two hours ago), 7d, 2025-09-14, 2025-09-14T10:30:00
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,

    /// Only requests before that
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,

    /// So many entries of each list
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    top: u16,

    /// Write a page with charts to this file, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// A country database (MaxMind's format) [default: AIWAF_GEOIP_DB_PATH, else geo_block.database_path]
    #[arg(long, value_name = "FILE")]
    geo_db: Option<PathBuf>,
}

/// So many stretches of time a page or a program gets at most.
const BUCKETS: usize = 96;

/// Reads the logs and shows what is in them.
pub(crate) fn run(args: &LogsArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let now = system_clock();
    let options = args.options(session, now)?;
    let sources = logs::find(&args.paths, args.log_dir.as_deref(), session.settings()?)?;
    let sources = match &args.format {
        Some(format) => sources.with_format(format.clone()),
        None => sources,
    };
    let (statistics, read) = count_logs(sources, &options, &mut ProgressLine::new())?;
    logs::name_problems(&read);
    if session.global.verbose {
        for sample in &read.unparsed.samples {
            let place = format!("{}:{}", sample.source, sample.number);
            note(format_args!("{place}: {}: {}", sample.cause, sample.text));
        }
    }

    let top = usize::from(args.top);
    let whole = statistics.summary(top, BUCKETS);
    let described = describe(&read);
    let out = &mut session.out;
    if out.is_json() {
        out.json(&Report { logs: ReadLogs::of(&read), figures: &whole })?;
    } else {
        let fitted = statistics.summary(top, text::columns(out.style().width));
        text::write(out, &fitted, &described)?;
    }
    if let Some(path) = &args.html {
        write_page(path, &html::page(&whole, &described, now))?;
        out.text(format_args!("\n"))?;
        out.done(format_args!("Report written to {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

impl LogsArgs {
    fn options(&self, session: &Session<'_>, now: Timestamp) -> anyhow::Result<StatisticsOptions> {
        let mut options = StatisticsOptions::default();
        options.since = self.since.map(|moment| moment.resolve(now));
        options.until = self.until.map(|moment| moment.resolve(now));
        if let (Some(since), Some(until)) = (options.since, options.until)
            && since >= until
        {
            return Err(usage_error(format_args!(
                "the period is empty: --since {since} is not before --until {until}"
            )));
        }
        let database = if let Some(path) = &self.geo_db {
            Some(path.clone())
        } else {
            let path = &session.settings()?.geo_block.database_path;
            (!path.is_empty()).then(|| PathBuf::from(path))
        };
        if let Some(path) = database {
            options.countries = Some(Arc::new(engine::read_countries(&path)?));
        }
        Ok(options)
    }
}

/// What `--json` writes.
#[derive(Serialize)]
struct Report<'a> {
    logs: ReadLogs<'a>,
    #[serde(flatten)]
    figures: &'a LogSummary,
}

/// What was read.
#[derive(Serialize)]
struct ReadLogs<'a> {
    lines: u64,
    bytes: u64,
    formats: &'a [FormatCount],
    unreadable_causes: &'a BTreeMap<String, u64>,
    unreadable_samples: &'a [UnparsedSample],
    problems: &'a [SourceProblem],
}

impl<'a> ReadLogs<'a> {
    fn of(read: &'a ReadSummary) -> Self {
        Self {
            lines: read.lines,
            bytes: read.bytes,
            formats: &read.formats,
            unreadable_causes: &read.unparsed.causes,
            unreadable_samples: &read.unparsed.samples,
            problems: &read.problems,
        }
    }
}

/// What was read, in a few words: `3 files (combined, json), 212.7 MiB, 999,002 lines`.
fn describe(read: &ReadSummary) -> String {
    let files: u64 = read.formats.iter().map(|format| format.files).sum();
    let formats: Vec<&str> = read.formats.iter().map(|format| &*format.format).collect();
    let plural =
        |number: u64, word: &str| format!("{} {word}{}", count(number), if number == 1 { "" } else { "s" });
    format!(
        "{} ({}), {}, {}",
        plural(files, "file"),
        formats.join(", "),
        figures::bytes(read.bytes),
        plural(read.lines, "line")
    )
}

fn write_page(path: &Path, page: &str) -> anyhow::Result<()> {
    std::fs::write(path, page).with_context(|| format!("writing {}", path.display()))
}
