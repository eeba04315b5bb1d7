//! Checked-in counts that later builds are compared with.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::cachegrind::Counts;

/// Counts by row, and the compiler that they belong to.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Baseline {
    /// Output of `rustc --version`: another compiler makes other code.
    rustc: String,
    rows: BTreeMap<String, Counts>,
}

/// Largest accepted increase, in percent.
const MAX_INCREASE: u64 = 5;

/// Instructions that are always accepted: five percent of little is noise.
const SLACK: u64 = 60;

impl Baseline {
    /// Reads the file.
    ///
    /// # Errors
    /// If it can't be read or is not a baseline.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is not a baseline", path.display()))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// If it can't be written.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))
    }

    /// Returns the baseline with the `counted` rows in place of its own.
    pub(super) fn updated(mut self, counted: BTreeMap<String, Counts>) -> Self {
        self.rustc = rustc_version();
        self.rows.extend(counted);
        self
    }

    /// Change of a row in percent, for people; empty for a row that is not in the baseline.
    #[allow(clippy::cast_precision_loss)] // below 2^53
    pub(super) fn change(&self, name: &str, counts: &Counts) -> String {
        let Some(before) = self.rows.get(name).filter(|before| before.instructions > 0) else {
            return String::new();
        };
        let ratio = counts.instructions as f64 / before.instructions as f64;
        format!("{:+.1} %", (ratio - 1.0) * 100.0)
    }

    /// Compares all rows.
    ///
    /// # Errors
    /// If one takes over five percent more instructions than before, or is not in the baseline.
    pub(super) fn check(&self, counted: &BTreeMap<String, Counts>) -> anyhow::Result<()> {
        let mut failed = Vec::new();
        let mut has_improved = false;
        for (name, counts) in counted {
            let now = counts.instructions;
            let Some(before) = self.rows.get(name).map(|before| before.instructions) else {
                failed.push(format!("{name}: {now} instructions, not in the baseline"));
                continue;
            };
            let allowance = (before * MAX_INCREASE / 100).max(SLACK);
            if now > before + allowance {
                failed.push(format!("{name}: {now} instructions, {before} before"));
            }
            has_improved |= now + allowance < before;
        }
        if failed.is_empty() {
            if has_improved {
                println!("some rows improved by over {MAX_INCREASE} %: keep that by --update");
            }
            return Ok(());
        }
        let rustc = rustc_version();
        let compiler = if rustc == self.rustc {
            String::new()
        } else {
            format!(" (counted with {rustc}, the baseline with {})", self.rustc)
        };
        bail!(
            "over {MAX_INCREASE} % more instructions{compiler}: {}; mend it, or accept it by \
             'cargo xtask instructions --update'",
            failed.join("; ")
        )
    }
}

/// Output of `rustc --version`; empty if it can't be started.
fn rustc_version() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(instructions: u64) -> BTreeMap<String, Counts> {
        [("row".to_owned(), Counts { instructions, ..Counts::default() })].into()
    }

    #[test]
    fn more_than_five_percent_fails() {
        let baseline = Baseline::default().updated(rows(10_000));
        assert!(baseline.check(&rows(10_500)).is_ok());
        assert!(baseline.check(&rows(5_000)).is_ok());
        let error = baseline.check(&rows(10_501)).unwrap_err().to_string();
        assert!(error.contains("row: 10501 instructions, 10000 before"), "{error}");
        assert_eq!(baseline.change("row", &Counts { instructions: 9_000, ..Counts::default() }), "-10.0 %");
    }

    #[test]
    fn new_row_needs_an_update() {
        let error = Baseline::default().check(&rows(1)).unwrap_err().to_string();
        assert!(error.contains("not in the baseline"), "{error}");
    }

    #[test]
    fn baseline_survives_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("baseline.json");
        Baseline::default().updated(rows(7)).write(&path).unwrap();
        assert_eq!(Baseline::read(&path).unwrap().rows, rows(7));
    }
}
