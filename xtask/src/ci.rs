//! `cargo xtask ci`: every check, in one list.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::example_smoke;
use crate::metadata::{Metadata, cargo, root};
use crate::options::{Options, UsageError};
use crate::run::{run as run_command, shown};

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let options = Options::parse(arguments, &["--quick"], &["--only"])?;
    options.nothing_else()?;
    if let Some(wanted) = options.value("--only") {
        let Some((_, check)) = SLOW.into_iter().find(|(name, _)| *name == wanted) else {
            let names = SLOW.map(|(name, _)| name).join(", ");
            return Err(UsageError::new(format!("unknown step {wanted:?}: expected one of {names}")).into());
        };
        return check();
    }
    let mut report = Report { start: Instant::now(), failed: Vec::new() };
    let mut tests = TestCounts::default();

    report.step("dependencies", || run_command(cargo().args(["fetch", "--locked"])));
    report.step("tests", || run_tests(&mut tests));
    report.step("format", || run_command(cargo().args(["fmt", "--all", "--check"])));
    report.step("lints", || {
        run_command(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    });
    if options.has("--quick") {
        println!("--quick leaves out: {}", SLOW.map(|(name, _)| name).join(", "));
    } else {
        for (name, check) in SLOW {
            report.step(name, check);
        }
    }
    report.finish(&tests)
}

type Check = fn() -> anyhow::Result<()>;

/// What `--quick` leaves out.
const SLOW: [(&str, Check); 8] = [
    ("each feature alone", check_features),
    ("documentation", || {
        run_command(cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
    }),
    ("licences and sources", || {
        run_command(cargo().args(["deny", "--offline", "check", "bans", "licenses", "sources"]))
    }),
    ("the model of the repository", || crate::train::run(&["--check".to_owned()])),
    ("fuzzing", fuzz),
    ("instructions", crate::instructions::check_in_ci),
    ("measurements", || crate::bench::run(&["--quick".to_owned()])),
    ("example", example_smoke::run),
];

/// How each step went.
struct Report {
    start: Instant,
    failed: Vec<&'static str>,
}

impl Report {
    fn step(&mut self, name: &'static str, check: impl FnOnce() -> anyhow::Result<()>) {
        println!("\n== {name} (after {}) ==", minutes(self.start.elapsed()));
        if let Err(error) = check() {
            println!("{name} failed: {error:#}");
            self.failed.push(name);
        }
    }

    /// Says how everything went, and ends with the line that sums up the tests.
    fn finish(&self, tests: &TestCounts) -> anyhow::Result<()> {
        println!("\n== result (after {}) ==", minutes(self.start.elapsed()));
        if !self.failed.is_empty() {
            println!("failed: {}", self.failed.join(", "));
        }
        println!("{} passed, {} failed", tests.passed, tests.failed);
        if !self.failed.is_empty() {
            bail!("these checks failed: {}", self.failed.join(", "));
        }
        Ok(())
    }
}

fn minutes(duration: Duration) -> String {
    format!("{}:{:02}", duration.as_secs() / 60, duration.as_secs() % 60)
}

/// The sums of cargo's own counts.
#[derive(Debug, Default, PartialEq, Eq)]
struct TestCounts {
    passed: u64,
    failed: u64,
}

impl TestCounts {
    /// Adds a line such as `test result: ok. 12 passed; 0 failed; 0 ignored; ...`; other lines say nothing.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for count in counts.split(';') {
            match count.trim().split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse::<u64>().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse::<u64>().unwrap_or(0),
                _ => {}
            }
        }
    }
}

/// What tests print that need a server and can't start one.
const LEFT_OUT: &str = "TESTS DID NOT RUN";

/// Runs all tests, shows what they print, and counts them.
fn run_tests(counts: &mut TestCounts) -> anyhow::Result<()> {
    run_tests_of(&["--workspace"], counts)?;
    // Behind features that the workspace leaves off: the same results with any number of threads.
    run_tests_of(&["--package", "aiwaf-ml", "--all-features"], counts)
}

fn run_tests_of(packages: &[&str], counts: &mut TestCounts) -> anyhow::Result<()> {
    let mut command = cargo();
    command.args(["test", "--no-fail-fast"]).args(packages).stdout(Stdio::piped());
    let mut child = command.spawn().context("starting cargo test")?;
    let output = child.stdout.take().context("reading what cargo test prints")?;
    let mut left_out = None;
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("reading what cargo test prints")?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        counts.add(&line);
        if line.contains(LEFT_OUT) {
            left_out = Some(line.into_owned());
        }
    }
    let status = child.wait().context("waiting for cargo test")?;
    if !status.success() {
        bail!("{} failed: {status}", shown(&command));
    }
    if counts.passed == 0 {
        bail!("no test ran");
    }
    if let Some(line) = left_out {
        bail!("{line}: install PostgreSQL's server programs");
    }
    Ok(())
}

/// Every package with features: without any, and with each one alone.
fn check_features() -> anyhow::Result<()> {
    for package in Metadata::read()?.packages {
        let features: Vec<_> = package.features.keys().filter(|name| *name != "default").collect();
        if features.is_empty() {
            continue;
        }
        let without = std::iter::once(None);
        for feature in without.chain(features.into_iter().map(Some)) {
            let mut command = cargo();
            command.args(["clippy", "--package", &package.name, "--no-default-features"]);
            if let Some(feature) = feature {
                command.args(["--features", feature]);
            }
            command.args(["--", "-D", "warnings"]);
            println!("{}", shown(&command));
            run_command(&mut command)?;
        }
    }
    Ok(())
}

/// Seconds for each fuzz target: enough to notice that one has broken, or that a defect lies near the surface.
const FUZZ_SECONDS: &str = "60";

/// Fuzz targets that run side by side: each has one thread.
const FUZZ_AT_ONCE: usize = 2;

/// Every fuzz target for a short time.
fn fuzz() -> anyhow::Result<()> {
    // What the folders have in common is built once.
    let build_directory = Metadata::read()?.target_directory.join("fuzz");
    for directory in ["aiwaf-core/fuzz", "aiwaf-ml/fuzz"] {
        let directory = Path::new(directory);
        for names in fuzz_targets_of(directory)?.chunks(FUZZ_AT_ONCE) {
            fuzz_together(directory, names, &build_directory)?;
        }
    }
    Ok(())
}

fn fuzz_targets_of(directory: &Path) -> anyhow::Result<Vec<String>> {
    let targets = root().join(directory).join("fuzz_targets");
    let entries = std::fs::read_dir(&targets).with_context(|| format!("listing {}", targets.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("listing {}", targets.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    if names.is_empty() {
        bail!("there is no fuzz target in {}", targets.display());
    }
    Ok(names)
}

/// Waits for all of them, whichever fails.
fn fuzz_together(directory: &Path, names: &[String], build_directory: &Path) -> anyhow::Result<()> {
    let mut running = Vec::new();
    for name in names {
        let mut command = Command::new("sh");
        command.arg(directory.join("run")).args([name, FUZZ_SECONDS, "-verbosity=0", "-print_final_stats=1"]);
        command.current_dir(root()).env("CARGO_TARGET_DIR", build_directory).stdin(Stdio::null());
        let shown = shown(&command);
        println!("{shown}");
        running.push((command.spawn().with_context(|| format!("starting {shown}"))?, shown));
    }
    let mut failed = Vec::new();
    for (mut child, shown) in running {
        let status = child.wait().with_context(|| format!("waiting for {shown}"))?;
        if !status.success() {
            failed.push(format!("{shown}: {status}"));
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::UsageError;

    #[test]
    fn test_results_are_summed() {
        let mut counts = TestCounts::default();
        for line in [
            "running 2 tests",
            "test a ... ok",
            "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "a test that prints 5 passed; 5 failed",
        ] {
            counts.add(line);
        }
        assert_eq!(counts, TestCounts { passed: 14, failed: 1 });
    }

    #[test]
    fn a_failed_step_fails_the_run_and_the_others_still_run() {
        let mut report = Report { start: Instant::now(), failed: Vec::new() };
        report.step("one", || bail!("no"));
        let mut ran = false;
        report.step("two", || {
            ran = true;
            Ok(())
        });
        let error = report.finish(&TestCounts { passed: 1, failed: 0 }).unwrap_err().to_string();
        assert!(ran && error.contains("one") && !error.contains("two"), "{error}");
    }

    #[test]
    fn options_are_checked_before_anything_runs() {
        for argument in ["--fast", "all"] {
            assert!(run(&[argument.to_owned()]).unwrap_err().is::<UsageError>());
        }
    }
}
