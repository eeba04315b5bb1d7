//! Runs `aiwaf inspect` and reads its verdicts.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::row::Row;
use crate::run::shown;

/// An `aiwaf` binary and its arguments.
pub(super) struct Judge {
    pub(super) binary: PathBuf,
    pub(super) config: Option<PathBuf>,
    pub(super) selection: Selection,
}

/// Protections and mode of a run, on which verdicts depend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Selection {
    /// Comma-separated protections; `None` for all that the settings enable.
    pub(super) only: Option<String>,
    /// Judges the rows as one history, with rates and bans, instead of each alone.
    pub(super) sequences: bool,
}

/// Verdict on one row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Verdict {
    pub(super) action: String,
    pub(super) protection: Option<String>,
    pub(super) reason: Option<String>,
}

impl Verdict {
    /// Reports whether the request was throttled or blocked.
    pub(super) fn is_denied(&self) -> bool {
        self.action != "allow"
    }

    /// Reason of a denial; empty for an allowed request.
    pub(super) fn reason(&self) -> &str {
        self.reason.as_deref().unwrap_or_default()
    }

    /// Action and protection, without the reason: `block attack_signatures`.
    pub(super) fn kind(&self) -> String {
        match &self.protection {
            Some(protection) => format!("{} {protection}", self.action),
            None => self.action.clone(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind())?;
        self.reason.as_ref().map_or(Ok(()), |reason| write!(f, " [{reason}]"))
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = if self.sequences { "sequences" } else { "stateless" };
        write!(f, "{mode}, {}", self.only.as_deref().unwrap_or("all protections"))
    }
}

impl Judge {
    /// Returns the verdict on each row, in the order of the rows.
    ///
    /// # Errors
    /// If the program can't be started, fails, or does not answer for every row.
    pub(super) fn judge(&self, rows: &[Row]) -> anyhow::Result<Vec<Verdict>> {
        // An empty directory for the lists: verdicts must not depend on the machine or the environment.
        let lists = tempfile::tempdir().context("creating a temporary directory")?;
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AIWAF_") {
                command.env_remove(name);
            }
        }
        command.env("AIWAF_DATA_DIR", lists.path()).arg("inspect");
        if !self.selection.sequences {
            command.arg("--stateless");
        }
        if let Some(only) = &self.selection.only {
            command.args(["--only", only]);
        }
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        let name = shown(&command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {name}"))?;
        let mut input = child.stdin.take().context("no standard input")?;
        let output = child.stdout.take().context("no standard output")?;
        // Fed from a thread of its own: the program answers while it reads.
        let verdicts = std::thread::scope(|threads| {
            let feeder = threads.spawn(move || {
                rows.iter().try_for_each(|row| {
                    input.write_all(row.line.as_bytes())?;
                    input.write_all(b"\n")
                })
            });
            let verdicts: Result<Vec<Verdict>, anyhow::Error> =
                BufReader::new(output).lines().map(|line| Ok(serde_json::from_str(&line?)?)).collect();
            // A program that ends early closes the pipe; its status says more than the broken pipe does.
            let _ = feeder.join();
            verdicts
        });
        let status = child.wait().with_context(|| format!("waiting for {name}"))?;
        let verdicts = verdicts.with_context(|| format!("reading the output of {name}"))?;
        if !status.success() || verdicts.len() != rows.len() {
            bail!(
                "{name} ended with {status} and gave {} verdicts for {} requests",
                verdicts.len(),
                rows.len()
            );
        }
        Ok(verdicts)
    }
}
