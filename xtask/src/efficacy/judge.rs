//! `aiwaf inspect`, started and asked.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde::Deserialize;

use super::row::Row;
use crate::run::shown;

/// An `aiwaf`, and what it is started with.
pub(super) struct Judge {
    pub(super) binary: PathBuf,
    pub(super) config: Option<PathBuf>,
    pub(super) only: String,
}

/// What it said about one row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Verdict {
    action: String,
    reason: Option<String>,
}

impl Verdict {
    pub(super) fn is_denied(&self) -> bool {
        self.action != "allow"
    }

    /// Why it was denied; empty if it was not.
    pub(super) fn reason(&self) -> &str {
        self.reason.as_deref().unwrap_or_default()
    }
}

impl Judge {
    /// Asks about every row, each alone; verdicts come in the order of the rows.
    ///
    /// # Errors
    /// If the program can't be started, fails, or does not answer for every row.
    pub(super) fn judge(&self, rows: &[Row]) -> anyhow::Result<Vec<Verdict>> {
        let mut command = Command::new(&self.binary);
        command.args(["inspect", "--stateless", "--only", &self.only]);
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
        let verdicts = verdicts.with_context(|| format!("reading what {name} printed"))?;
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
