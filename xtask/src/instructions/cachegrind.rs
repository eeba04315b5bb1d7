//! Runs programs under valgrind's cachegrind.

use std::process::Command;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::run::shown;

/// Counts of a run, or of one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) instructions: u64,
    /// Misses of the first-level instruction cache.
    pub(super) i1_misses: f64,
    /// Misses of the first-level data cache.
    pub(super) d1_misses: f64,
    /// Misses of the last level, by instructions and data.
    pub(super) ll_misses: f64,
    /// Heap allocations of a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) allocations: Option<u64>,
}

/// Simulated caches: size in bytes, ways, bytes of a line.
const CACHES: [&str; 3] = ["--I1=32768,8,64", "--D1=32768,8,64", "--LL=2097152,16,64"];

impl Counts {
    /// Returns the difference to a run that did less.
    pub(super) fn less(self, other: Self) -> Self {
        Self {
            instructions: self.instructions.saturating_sub(other.instructions),
            i1_misses: self.i1_misses - other.i1_misses,
            d1_misses: self.d1_misses - other.d1_misses,
            ll_misses: self.ll_misses - other.ll_misses,
            allocations: self.allocations,
        }
    }

    /// Returns the counts of one of `requests`.
    #[allow(clippy::cast_precision_loss)] // small numbers
    pub(super) fn divided(self, requests: u64) -> Self {
        // Two decimals: more would change from run to run.
        let divided = |misses: f64| (misses / requests.max(1) as f64 * 100.0).round() / 100.0;
        Self {
            instructions: self.instructions / requests.max(1),
            i1_misses: divided(self.i1_misses),
            d1_misses: divided(self.d1_misses),
            ll_misses: divided(self.ll_misses),
            allocations: self.allocations,
        }
    }
}

/// Returns valgrind's version.
///
/// # Errors
/// If valgrind can't be started.
pub(super) fn version() -> anyhow::Result<String> {
    let output = Command::new("valgrind").arg("--version").output().context("starting valgrind")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs `command` under cachegrind.
///
/// # Errors
/// If valgrind can't be started, the program fails, or the output has no counts.
pub(super) fn count(command: &Command) -> anyhow::Result<Counts> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=cachegrind", "--cache-sim=yes", "--cachegrind-out-file=/dev/null"]);
    valgrind.args(CACHES).arg(command.get_program()).args(command.get_args());
    let shown = shown(command);
    let output = valgrind.output().with_context(|| format!("starting valgrind for {shown}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{shown} failed under valgrind: {}: {text}", output.status);
    }
    parse(&text).with_context(|| format!("cachegrind printed no counts for {shown}: {text}"))
}

/// Reads lines such as `==123== D1  misses:  3,456  (2,345 rd + 1,111 wr)`.
#[allow(clippy::cast_precision_loss)] // below 2^53
fn parse(text: &str) -> Option<Counts> {
    let number = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| {
            let (_, line) = line.split_once("== ")?;
            let (label, rest) = line.split_once(':')?;
            (label.split_whitespace().collect::<Vec<_>>().join(" ") == name).then_some(rest)
        })?;
        line.split_whitespace().next()?.replace(',', "").parse().ok()
    };
    Some(Counts {
        instructions: number("I refs")?,
        i1_misses: number("I1 misses")? as f64,
        d1_misses: number("D1 misses")? as f64,
        ll_misses: number("LL misses")? as f64,
        allocations: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_parsed() {
        let text = "==1== Cachegrind\n==1== \n==1== I refs:        201,496,714\n==1== I1  misses:            1,234\n\
            ==1== LLi misses: 9\n==1== D1  misses:            3,456  (2,345 rd   + 1,111 wr)\n\
            ==1== LL refs:  1\n==1== LL misses:  78  ( 1 rd + 77 wr)\n";
        let expected = Counts {
            instructions: 201_496_714,
            i1_misses: 1234.0,
            d1_misses: 3456.0,
            ll_misses: 78.0,
            allocations: None,
        };
        assert_eq!(parse(text), Some(expected));
        assert_eq!(parse("==1== Cachegrind"), None);
    }

    #[test]
    fn difference_of_runs_is_per_request() {
        let run = |instructions, misses| Counts { instructions, d1_misses: misses, ..Counts::default() };
        let request = run(3_000, 70.0).less(run(1_000, 20.0)).divided(20);
        assert_eq!((request.instructions, request.d1_misses), (100, 2.5));
    }
}
