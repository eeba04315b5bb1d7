//! `aiwaf model`: looks after the model of ordinary requests.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aiwaf_ml::RequestModel;
use anyhow::{Context, bail};
use serde::Serialize;

use super::train::{self, TrainArgs};
use crate::output::{Cells, Column, Table, counted, short_time};
use crate::session::Session;

/// Show, check or train the model of ordinary requests
///
/// Without an option it shows what is known of the model. --check says whether services can use it, by the exit code.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf model --info
  aiwaf model --check && echo usable
  aiwaf model --retrain --log-dir /var/log/app")]
pub(crate) struct ModelArgs {
    /// Show what is known of the model: the default
    #[arg(long, group = "action")]
    info: bool,

    /// Say whether it can be used
    #[arg(long, group = "action")]
    check: bool,

    /// Train it anew from the logs, as `aiwaf train` does; keywords and bans as well
    #[arg(long, group = "action")]
    retrain: bool,

    /// The directory of the logs, for --retrain [default: AIWAF_LOG_DIR, else logging.dir of the settings]
    #[arg(long, value_name = "DIR", requires = "retrain")]
    log_dir: Option<PathBuf>,

    /// The model [default: AIWAF_MODEL_PATH, else model.aiwaf beside the lists]
    #[arg(long, value_name = "FILE", conflicts_with = "retrain")]
    model: Option<PathBuf>,
}

/// What is known of a model.
#[derive(Serialize)]
struct Info {
    file: PathBuf,
    bytes: u64,
    trained_at: String,
    log_lines: u64,
    log_sources: Vec<String>,
    rows: u64,
    trees: usize,
    sample_size: u32,
    threshold: f64,
    seed: u64,
    features: Vec<String>,
}

pub(crate) fn run(args: &ModelArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    if args.retrain {
        return train::run(&TrainArgs::plain(args.log_dir.clone()), session);
    }
    let path = match &args.model {
        Some(path) => path.clone(),
        None => match train::model_path(None, session)? {
            Some(path) => path,
            None => bail!("no model is wanted (ai_anomaly.model_path is \"none\"): name one by --model"),
        },
    };
    let info = info(&path)?;
    let out = &mut session.out;
    out.json(&info)?;
    if args.check {
        out.done(format_args!("{} can be used", path.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    out.heading("🤖 ", format_args!("The model {}", path.display()))?;
    if !out.is_json() {
        info.show(out)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn info(path: &Path) -> anyhow::Result<Info> {
    let found = std::fs::metadata(path);
    if found.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        bail!("there is no model {}: `aiwaf train` makes one from logs", path.display());
    }
    let bytes = found.with_context(|| format!("reading {}", path.display()))?.len();
    let model = RequestModel::load(path).with_context(|| path.display().to_string())?;
    let (model, training) = (model.trained(), model.trained().training());
    let forest = model.forest();
    Ok(Info {
        file: path.to_owned(),
        bytes,
        trained_at: short_time(training.trained_at).to_string(),
        log_lines: training.log_lines,
        log_sources: training.log_sources.clone(),
        rows: forest.training_rows(),
        trees: forest.trees(),
        sample_size: forest.sample_size(),
        threshold: forest.threshold(),
        seed: forest.seed(),
        features: model.feature_names().to_vec(),
    })
}

impl Info {
    fn show(&self, out: &mut crate::output::Output<'_>) -> anyhow::Result<()> {
        let rows = [
            ("Size", format!("{} KiB", self.bytes.div_ceil(1024))),
            ("Trained", self.trained_at.clone()),
            ("From", format!("{} of {}", counted(self.log_lines, "line"), self.log_sources.join(", "))),
            ("Rows", self.rows.to_string()),
            ("Trees", format!("{} of {}", self.trees, counted(self.sample_size, "row"))),
            ("Threshold", format!("{:.4}", self.threshold)),
            ("Seed", self.seed.to_string()),
            ("Features", self.features.join(", ")),
        ];
        let style = out.style();
        let table = Table::new([Column::new(""), Column::flexible("")]);
        table.write(out.writer(), style, &rows, |(name, value), cells: &mut Cells| {
            cells.push(name);
            cells.push(value);
        })?;
        Ok(())
    }
}
