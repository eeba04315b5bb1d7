//! scikit-learn as a peer, where it is installed; nothing needs it.

use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde::de::DeserializeOwned;

/// Runs a script with these arguments, and reads the JSON objects that it prints, one in a line. `None` if there is no
/// python3 with scikit-learn.
///
/// # Errors
/// If the script fails or prints something else.
pub(crate) fn run<T: DeserializeOwned>(
    script: &str,
    arguments: Vec<String>,
) -> anyhow::Result<Option<Vec<T>>> {
    let mut probe = Command::new("python3");
    probe.args(["-c", "import sklearn"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if !probe.status().is_ok_and(|status| status.success()) {
        return Ok(None);
    }
    let mut command = Command::new("python3");
    command.args(["-c", script]).args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().context("starting python3")?;
    if !output.status.success() {
        bail!("the measurement of scikit-learn failed: {}", output.status);
    }
    parse_lines(&output.stdout).map(Some)
}

/// Reads JSON objects, one in a line.
///
/// # Errors
/// If a line is something else.
pub(crate) fn parse_lines<T: DeserializeOwned>(text: &[u8]) -> anyhow::Result<Vec<T>> {
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| {
            serde_json::from_slice(line)
                .with_context(|| format!("not as expected: {}", String::from_utf8_lossy(line)))
        })
        .collect()
}
