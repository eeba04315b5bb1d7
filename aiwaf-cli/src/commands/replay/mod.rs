//! `aiwaf replay`: what these settings would have done with the requests of a log.

mod compare;
mod outcome;
mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use aiwaf_middleware::load_settings;
use anyhow::bail;

use self::outcome::Replayed;
use self::run::Replay;
use crate::engine::Selection;
use crate::logs;
use crate::output::ProgressLine;
use crate::session::Session;
use crate::stores::Access;

/// Show what these settings would have done with the requests of a log
///
/// Runs the requests of access logs, of any format, through the engine, by the time of the log: who would have been
/// blocked, and by which protection. No list is changed. Whitelist, keywords, blocked countries, exempt paths and bans by
/// people apply as they are now; automatic bans are those that the requests of the log lead to.
///
/// A log keeps little of a request: header_validation judges the user agent alone, and forms (honeypot) and bodies are
/// not judged at all. Requests that the log marks as denied are judged like all others.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf replay
  aiwaf replay /var/log/nginx/access.log*
  aiwaf replay --compare stricter.toml --top 50
  aiwaf replay --only rate_limit --json yesterday.log.gz")]
pub(crate) struct ReplayArgs {
    /// Logs or directories of logs; `-` is standard input [default: the directory of the logs]
    logs: Vec<PathBuf>,

    /// Compare with what the settings of this file would have done, client by client
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,

    /// So many clients, those that were denied most first
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,

    /// The directory of the logs [default: AIWAF_LOG_DIR, else logging.dir of the settings]
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,

    #[command(flatten)]
    selection: Selection,
}

pub(crate) fn run(args: &ReplayArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let mut settings = session.settings()?.clone();
    args.selection.apply(&mut settings);
    let lists = session.store(Access::Existing)?.load()?.lists;
    let sources = logs::find(&args.logs, args.log_dir.as_deref(), &settings)?;
    let other = args.compare.as_ref().map(|path| load_settings(Some(path))).transpose()?;

    let mut replay = Replay::new(&settings, &lists)?;
    let mut other = match other {
        Some(mut settings) => {
            args.selection.apply(&mut settings);
            Some(Replay::new(&settings, &lists)?)
        }
        None => None,
    };
    let summary = sources.read(&mut ProgressLine::new(), |line| {
        replay.request(&line.record);
        if let Some(other) = &mut other {
            other.request(&line.record);
        }
    })?;
    logs::name_problems(&summary);
    if summary.parsed == 0 {
        bail!("there is no request in these logs: name others");
    }
    match other {
        None => show(&replay.finish(), args.top, session)?,
        Some(other) => {
            let name = args.compare.as_deref().unwrap_or(std::path::Path::new("")).display().to_string();
            compare::show(&replay.finish(), &other.finish(), &name, args.top, session)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(replayed: &Replayed, top: usize, session: &mut Session<'_>) -> anyhow::Result<()> {
    let out = &mut session.out;
    if out.is_json() {
        return out.json(&replayed.report(top));
    }
    replayed.show(top, out)
}
