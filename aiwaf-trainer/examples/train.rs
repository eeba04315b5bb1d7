//! Trains from logs and writes the model, the report as JSON and the page; what `cargo xtask train` starts.
//!
//! `cargo run --release -p aiwaf-trainer --example train -- LOG... [--model FILE] [--json FILE] [--html FILE]
//! [--force-ai] [--hold-out SHARE]`

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use aiwaf_trainer::{Sources, Training, TrainingOptions, report};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut options = TrainingOptions::default();
    let mut logs: Vec<PathBuf> = Vec::new();
    let (mut model, mut json, mut html) = (None, None, None);
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = |name: &str| arguments.next().ok_or(format!("{name} needs a value"));
        match argument.to_str() {
            Some("--model") => model = Some(PathBuf::from(value("--model")?)),
            Some("--json") => json = Some(PathBuf::from(value("--json")?)),
            Some("--html") => html = Some(PathBuf::from(value("--html")?)),
            Some("--hold-out") => options.hold_out = value("--hold-out")?.to_string_lossy().parse()?,
            Some("--force-ai") => options.settings.ai_anomaly.force_ai = true,
            Some(other) if other.starts_with("--") => return Err(format!("unknown option {other}").into()),
            _ => logs.push(argument.into()),
        }
    }
    let trained = Training::new(options).run(Sources::find(logs)?, &mut ())?;
    if let Some(path) = model
        && !trained.save_model(path)?
    {
        return Err("no model was trained".into());
    }
    if let Some(path) = json {
        std::fs::write(path, serde_json::to_string_pretty(&trained)?)?;
    }
    if let Some(path) = html {
        std::fs::write(path, report::html(&trained))?;
    }
    print!("{}", report::text(&trained));
    Ok(())
}
