//! Running other programs.

use std::process::Command;

use anyhow::{Context, bail};

/// Runs `command` with its output where ours goes.
///
/// # Errors
/// If it can't be started or ends with anything but 0; the error names it.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = shown(command);
    let status = command.status().with_context(|| format!("starting {shown}"))?;
    if !status.success() {
        bail!("{shown} failed: {status}");
    }
    Ok(())
}

/// The command as it would be typed.
pub(crate) fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    [&[program][..], &words[..]].concat().join(" ")
}
