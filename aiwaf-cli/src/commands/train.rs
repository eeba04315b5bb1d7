//! `aiwaf train`: learns keywords, bans and a model from logs.

use std::path::PathBuf;
use std::process::ExitCode;

use aiwaf_core::LineFormat;
use aiwaf_storage::{Manager, system_clock};
use aiwaf_trainer::{Applied, Training, TrainingOptions, TrainingReport, read_routes, report};
use anyhow::Context;
use serde::Serialize;

use crate::logs;
use crate::output::{ProgressLine, counted};
use crate::session::Session;
use crate::stores::Access;

/// Learn keywords, bans and a model from access logs
///
/// Reads logs of any format, rotated and packed ones too. Words that only attackers ask for become blocked keywords,
/// clients that behaved like attackers are banned, and a model of ordinary requests is written beside the lists, from where
/// running services take it. --dry-run shows what would be learned.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf train
  aiwaf train --disable-ai
  aiwaf train --log-dir /path/to/logs --verbose
  aiwaf train --dry-run --html report.html /var/log/nginx/access.log*")]
pub(crate) struct TrainArgs {
    /// Logs or directories of logs; `-` is standard input [default: the directory of the logs]
    logs: Vec<PathBuf>,

    /// The directory of the logs [default: AIWAF_LOG_DIR, else logging.dir of the settings]
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,

    /// The format of all logs, as `aiwaf logs` takes it [default: that of each file, found out]
    #[arg(long, value_name = "FORMAT", value_parser = logs::line_format)]
    format: Option<LineFormat>,

    /// Learn keywords and bans, but no model
    #[arg(long)]
    disable_ai: bool,

    /// The routes of the service: one a line, or an OpenAPI document. What they match is never learned as an attack
    #[arg(long, value_name = "FILE")]
    routes: Option<PathBuf>,

    /// From fewer requests nothing is learned [default: 50]
    #[arg(long, value_name = "N")]
    min_lines: Option<u64>,

    /// Where randomness starts; the same logs and seed give the same model
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Where the model is written [default: AIWAF_MODEL_PATH, else model.aiwaf beside the lists]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,

    /// Write a report as a page with pictures
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Show what would be learned, and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl TrainArgs {
    /// All defaults: what `aiwaf model --retrain` does.
    pub(crate) fn plain(log_dir: Option<PathBuf>) -> Self {
        Self {
            logs: Vec::new(),
            log_dir,
            format: None,
            disable_ai: false,
            routes: None,
            min_lines: None,
            seed: 0,
            model: None,
            html: None,
            dry_run: false,
        }
    }
}

/// What was learned, and what became of it.
#[derive(Serialize)]
struct Trained<'a> {
    #[serde(flatten)]
    report: &'a TrainingReport,
    dry_run: bool,
    applied: Option<Applied>,
    model_file: Option<PathBuf>,
}

pub(crate) fn run(args: &TrainArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let settings = session.settings()?.clone();
    let manager = session.manager(Access::Create, args.dry_run)?;
    let sources = logs::find(&args.logs, args.log_dir.as_deref(), &settings)?;
    let sources = match &args.format {
        Some(format) => sources.with_format(format.clone()),
        None => sources,
    };
    let defaults = TrainingOptions::default();
    let options = TrainingOptions {
        settings: settings.clone(),
        lists: manager.load()?.lists,
        routes: args.routes.as_ref().map(read_routes).transpose()?.unwrap_or_default(),
        disable_ai: args.disable_ai,
        min_lines: args.min_lines.unwrap_or(defaults.min_lines),
        seed: args.seed,
        ..defaults
    };
    let report = Training::new(options).run(sources, &mut ProgressLine::new())?;
    let (applied, model_file) = if args.dry_run {
        (None, None)
    } else {
        apply(&report, &manager, model_path(args.model.as_ref(), session)?)?
    };
    if let Some(path) = &args.html {
        std::fs::write(path, report::html(&report)).with_context(|| format!("writing {}", path.display()))?;
    }
    session.out.json(&Trained {
        report: &report,
        dry_run: args.dry_run,
        applied,
        model_file: model_file.clone(),
    })?;
    let out = &mut session.out;
    out.text(format_args!("\n{}", report::text(&report)))?;
    if session.global.verbose && !report.unparsed_samples.is_empty() {
        out.text(format_args!("\nLines that can't be read:\n"))?;
        for sample in &report.unparsed_samples {
            out.text(format_args!(
                "  {}:{}: {}: {}\n",
                sample.source, sample.number, sample.cause, sample.text
            ))?;
        }
    }
    if let Some(applied) = applied {
        out.done(format_args!(
            "Banned {}, blocked {}, lifted {}",
            counted(applied.banned, "client"),
            counted(applied.keywords, "keyword"),
            counted(applied.unbanned, "ban")
        ))?;
    } else {
        out.text(format_args!("Nothing was changed (--dry-run)\n"))?;
    }
    if let Some(path) = model_file {
        out.done(format_args!("Wrote the model to {}", path.display()))?;
    }
    if let Some(path) = &args.html {
        out.done(format_args!("Wrote the report to {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the model is: beside the lists that are meant, unless something else is said.
pub(crate) fn model_path(named: Option<&PathBuf>, session: &Session<'_>) -> anyhow::Result<Option<PathBuf>> {
    if named.is_some() {
        return Ok(named.cloned());
    }
    let mut settings = session.settings()?.clone();
    if let Some(store) = &session.global.store {
        settings.storage.store.clone_from(store);
    } else if let Some(directory) = &session.global.data_dir {
        settings.storage.store.clear();
        settings.storage.data_dir = directory.display().to_string();
    }
    Ok(settings.model_path())
}

/// Carries out what was learned; the model first, for bans without it are half of the work.
fn apply(
    report: &TrainingReport,
    manager: &Manager,
    path: Option<PathBuf>,
) -> anyhow::Result<(Option<Applied>, Option<PathBuf>)> {
    let mut written = None;
    if let Some(path) = path.filter(|_| report.trained_model().is_some()) {
        let folder = crate::origins::folder(&path);
        std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        if report.save_model(&path)? {
            written = Some(path);
        }
    }
    Ok((Some(report.apply(manager, system_clock())?), written))
}
