//! `aiwaf config`: checks, shows and begins the settings.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aiwaf_core::{Engine, Settings, closest};
use aiwaf_middleware::{SETTINGS_FILE, load_settings};
use aiwaf_storage::check_url;
use anyhow::Context;
use serde_json::{Map, json};
use toml::Value;

use crate::engine;
use crate::failure::usage_error;
use crate::origins::{self, DEFAULT_FILE, Origin, Setting};
use crate::output::{Cells, Column, Table};
use crate::session::Session;

/// Check, show and begin the settings
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  aiwaf config init\n  aiwaf config check\n  aiwaf config show --changed")]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Check the settings: those of a file, and what AIWAF_* variables make of them
    #[command(after_help = "\
Examples:
  aiwaf config check
  aiwaf config check new.toml && mv new.toml aiwaf.toml")]
    Check {
        /// The file [default: the one that is in force]
        file: Option<PathBuf>,
    },
    /// Show every setting in force, and where it came from
    #[command(after_help = "\
Examples:
  aiwaf config show
  aiwaf config show --changed
  aiwaf config show rate_limit --json")]
    Show {
        /// Only settings whose name contains this
        name: Option<String>,

        /// Only what differs from the defaults
        #[arg(long)]
        changed: bool,
    },
    /// Write a settings file that explains every setting, each at its default
    #[command(after_help = "\
Examples:
  aiwaf config init
  aiwaf config init - | less")]
    Init {
        /// The file; `-` is standard output
        #[arg(default_value = DEFAULT_FILE)]
        file: PathBuf,

        /// Replace a file that is there
        #[arg(long)]
        force: bool,
    },
}

pub(crate) fn run(args: &ConfigArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    match &args.action {
        Action::Check { file } => check(file.as_deref(), session),
        Action::Show { name, changed } => show(name.as_deref(), *changed, session),
        Action::Init { file, force } => init(file, *force, session),
    }
}

fn check(file: Option<&Path>, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let settings = match file {
        Some(path) => load_settings(Some(path))?,
        None => session.settings()?.clone(),
    };
    check_url(&settings.storage.url()).context("storage.store")?;
    // What only an engine finds out: rule files that can't be read, agents that make too large an automaton.
    engine::with_rules(Engine::builder(), &settings)?.settings(settings).build()?;
    let file = file.map(Path::to_owned).or_else(|| origins::settings_file(session.global));
    let name = match &file {
        Some(path) => path.display().to_string(),
        None => "the defaults".to_owned(),
    };
    session.out.json(&json!({"ok": true, "file": file}))?;
    session.out.done(format_args!("The settings can be used: {name}"))?;
    Ok(ExitCode::SUCCESS)
}

fn show(name: Option<&str>, changed: bool, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let settings = session.settings()?.clone();
    let mut shown = origins::all(&settings, session.global)?;
    let defaults = origins_of_defaults(session)?;
    if changed {
        shown.retain(|setting| defaults.get(&setting.name) != Some(&setting.value));
    }
    if let Some(name) = name {
        if !defaults.keys().any(|known| known.contains(name)) {
            return Err(unknown_setting(name, defaults.keys()));
        }
        shown.retain(|setting| setting.name.contains(name));
    }
    let out = &mut session.out;
    if shown.is_empty() {
        out.text(format_args!("Nothing differs from the defaults\n"))?;
    }
    let document: Map<String, serde_json::Value> = shown
        .iter()
        .map(|setting| {
            let origin = setting.origin.to_string();
            (setting.name.clone(), json!({"value": setting.value, "from": origin}))
        })
        .collect();
    out.json(&document)?;
    if !out.is_json() && !shown.is_empty() {
        let style = out.style();
        let table = Table::new([Column::new("SETTING"), Column::flexible("VALUE"), Column::new("FROM")]);
        table.write(out.writer(), style, &shown, |setting: &Setting, cells: &mut Cells| {
            cells.push(&setting.name);
            cells.push(&setting.value);
            cells.push(if setting.origin == Origin::Default {
                String::new()
            } else {
                setting.origin.to_string()
            });
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Names the setting or the section that may have been meant.
fn unknown_setting<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> anyhow::Error {
    let words: BTreeSet<&str> =
        known.flat_map(|full| std::iter::once(full.as_str()).chain(full.split('.'))).collect();
    let mend = closest(name, words).map_or_else(
        || "`aiwaf config show` lists them all".to_owned(),
        |meant| format!("did you mean {meant}?"),
    );
    usage_error(format_args!("no setting's name contains {name:?}: {mend}"))
}

/// The default of every setting.
fn origins_of_defaults(session: &Session<'_>) -> anyhow::Result<std::collections::HashMap<String, Value>> {
    let unflagged = crate::args::GlobalArgs { data_dir: None, store: None, ..session.global.clone() };
    let all = origins::all(&Settings::default(), &unflagged)?;
    Ok(all.into_iter().map(|setting| (setting.name, setting.value)).collect())
}

fn init(file: &Path, force: bool, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    if file.as_os_str() == "-" {
        session.out.writer().write_all(SETTINGS_FILE.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let place = || format!("writing {}", file.display());
    let mut options = std::fs::OpenOptions::new();
    options.write(true).truncate(true);
    let opened = if force { options.create(true).open(file) } else { options.create_new(true).open(file) };
    if let Err(error) = &opened
        && error.kind() == std::io::ErrorKind::AlreadyExists
    {
        return Err(anyhow::anyhow!(
            "{} is there already: name another file, or replace it by --force",
            file.display()
        ));
    }
    opened.and_then(|mut opened| opened.write_all(SETTINGS_FILE.as_bytes())).with_context(place)?;
    session.out.json(&json!({"written": file}))?;
    session.out.done(format_args!("Wrote {}: every setting, explained, at its default", file.display()))?;
    Ok(ExitCode::SUCCESS)
}
