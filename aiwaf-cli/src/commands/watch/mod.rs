//! `aiwaf watch`: who is asking and who is being turned away, as it happens.

mod follow;
mod view;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use aiwaf_core::AccessRecord;
use serde::Serialize;

use self::follow::Follower;
use self::view::View;
use crate::output::{Output, note, printable, short_time};
use crate::session::Session;
use crate::span::Span;

/// Watch requests and blocks as they happen
///
/// Follows the access log, also when it is rotated. On a terminal the view is refreshed until ctrl-c; in a pipe each
/// denied request is a line, as text or with --json as JSON.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf watch
  aiwaf watch /var/log/nginx/access.log --all
  aiwaf watch --json | jq .client
  aiwaf watch --for 10m > denied.txt")]
pub(crate) struct WatchArgs {
    /// The logs to follow [default: access.log in the directory of the logs]
    logs: Vec<PathBuf>,

    /// The directory of the logs [default: AIWAF_LOG_DIR, else logging.dir of the settings]
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,

    /// In a pipe, show requests that were let in, too
    #[arg(long)]
    all: bool,

    /// Begin with what is in the logs already
    #[arg(long)]
    from_start: bool,

    /// End after this time
    #[arg(long = "for", value_name = "TIME")]
    duration: Option<Span>,

    /// How often to look, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = interval)]
    interval: f64,
}

fn interval(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.05..=60.0).contains(&seconds) => Ok(seconds),
        _ => Err(format!("{text:?} is not allowed: give 0.05 to 60 seconds")),
    }
}

/// One request, as a line of JSON.
#[derive(Serialize)]
struct Seen<'a> {
    time: String,
    client: String,
    method: &'a str,
    target: &'a str,
    status: u16,
    denied: bool,
    protection: Option<&'static str>,
    reason: Option<&'a str>,
}

pub(crate) fn run(args: &WatchArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let files = if args.logs.is_empty() {
        let directory = match &args.log_dir {
            Some(directory) => directory.clone(),
            None => PathBuf::from(&session.settings()?.logging.dir),
        };
        vec![directory.join("access.log")]
    } else {
        args.logs.clone()
    };
    for file in files.iter().filter(|file| !file.exists()) {
        note(format_args!("there is no {} yet: waiting for it", file.display()));
    }
    let mut followers: Vec<Follower> =
        files.iter().map(|file| Follower::new(file, args.from_start)).collect();
    let end = args.duration.map(|span| Instant::now() + span.0);
    let is_live = session.out.style().width.is_some() && !session.out.is_json();
    let mut view = View::new(&files);
    loop {
        for follower in &mut followers {
            follower.poll(|record| {
                view.add(record);
                if is_live { Ok(()) } else { line(args.all, record, &mut session.out) }
            })?;
        }
        if is_live {
            view.draw(&mut session.out)?;
        }
        session.out.writer().flush()?;
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(ExitCode::SUCCESS);
        }
        let pause = Duration::from_secs_f64(args.interval);
        std::thread::sleep(left.map_or(pause, |left| left.min(pause)));
    }
}

/// Writes a request as a line, if it is wanted.
fn line(all: bool, record: &AccessRecord<'_>, out: &mut Output<'_>) -> anyhow::Result<()> {
    let denied = record.block.as_ref().filter(|block| !block.monitored);
    if denied.is_none() && !all {
        return Ok(());
    }
    let target = String::from_utf8_lossy(&record.target);
    let method = String::from_utf8_lossy(&record.method);
    let reason = denied.map(|block| String::from_utf8_lossy(&block.reason));
    let protection = denied.and_then(|block| block.protection).map(aiwaf_core::Protection::name);
    if out.is_json() {
        let seen = Seen {
            time: record.time.to_string(),
            client: record.client.to_string(),
            method: &method,
            target: &target,
            status: record.status,
            denied: denied.is_some(),
            protection,
            reason: reason.as_deref(),
        };
        let writer = out.writer();
        serde_json::to_writer(&mut *writer, &seen).map_err(std::io::Error::from)?;
        writer.write_all(b"\n")?;
        return Ok(());
    }
    let why = reason.map(|reason| format!("  {}: {}", protection.unwrap_or("denied"), printable(&reason)));
    out.text(format_args!(
        "{} {} {} {} {}{}\n",
        short_time(record.time),
        record.client,
        record.status,
        printable(&method),
        printable(&target),
        why.unwrap_or_default()
    ))
}

/// How a log is called in the view.
fn name(path: &Path) -> String {
    path.display().to_string()
}
