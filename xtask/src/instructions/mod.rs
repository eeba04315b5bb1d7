//! `cargo xtask instructions`: instructions and simulated cache misses of a request, which other work on the machine does
//! not change.

mod baseline;
mod cachegrind;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use self::baseline::Baseline;
use self::cachegrind::{Counts, count};
use crate::metadata::{Metadata, cargo, root};
use crate::options::{Options, UsageError};
use crate::run::{run as run_command, shown};
use crate::table::Table;

const USAGE: &str = "\
Counts the instructions and the simulated cache misses of a request, by valgrind's cachegrind.

Usage: cargo xtask instructions [--check | --update] [ROW...]

Rows are those of the whole layer, of which the bare service is subtracted, and of attack_signatures alone. Given words
select the rows that contain one of them. Caches: 32 KiB for instructions and data each (8-way), 2 MiB behind them.

Options:
  --check    compares with benches/instructions.json: fails if a row takes over 5 % more instructions
  --update   writes the counted rows to benches/instructions.json

Both build without link-time optimization, as CI does; without them the release profile counts, or the variables
CARGO_PROFILE_RELEASE_*. Exit codes: 0 done, 1 it failed, 2 usage.
";

/// File of the baseline, in the workspace.
const BASELINE: &str = "benches/instructions.json";

/// One measurement: the arguments of an example, and those of what is subtracted.
struct Row {
    name: &'static str,
    example: &'static str,
    arguments: &'static [&'static str],
    bare: Option<&'static [&'static str]>,
    /// Requests before those that are counted: the clients are known afterwards.
    warm_up: u64,
    counted: u64,
}

const fn layer(
    name: &'static str,
    arguments: &'static [&'static str],
    bare: &'static [&'static str],
    [warm_up, counted]: [u64; 2],
) -> Row {
    Row { name, example: "transaction", arguments, bare: Some(bare), warm_up, counted }
}

const fn signatures(name: &'static str, arguments: &'static [&'static str]) -> Row {
    Row { name, example: "judge", arguments, bare: None, warm_up: 10, counted: 200 }
}

/// Enough for a client to be known, and for its request window to be full.
const ONE_CLIENT: [u64; 2] = [200, 1_000];

/// One rotation of the example's clients, and half of another.
const ALL_CLIENTS: [u64; 2] = [16_384, 8_192];

const ROWS: [Row; 15] = [
    layer("nine, known client, 8 headers", &["nine", "known", "8"], &["bare", "known", "8"], ONE_CLIENT),
    layer("nine, known client, 17 headers", &["nine", "known", "17"], &["bare", "known", "17"], ONE_CLIENT),
    layer("eight, known client, 8 headers", &["eight", "known", "8"], &["bare", "known", "8"], ONE_CLIENT),
    layer("eight, known client, 17 headers", &["eight", "known", "17"], &["bare", "known", "17"], ONE_CLIENT),
    layer("nine, changing pages, 17 headers", &["nine", "pages", "17"], &["bare", "pages", "17"], ONE_CLIENT),
    layer(
        "bodies, known client, 17 headers",
        &["bodies", "known", "17"],
        &["bare", "known", "17"],
        ONE_CLIENT,
    ),
    layer("bodies, 1 KiB JSON, 17 headers", &["bodies", "json", "17"], &["bare", "json", "17"], ONE_CLIENT),
    layer(
        "nine, blocked client, 8 headers",
        &["nine", "blocked", "8"],
        &["bare", "blocked", "8"],
        ONE_CLIENT,
    ),
    layer(
        "nine, blocked client, 17 headers",
        &["nine", "blocked", "17"],
        &["bare", "blocked", "17"],
        ONE_CLIENT,
    ),
    layer(
        "nine, 16384 clients, 8 headers",
        &["nine", "rotating", "8"],
        &["bare", "rotating", "8"],
        ALL_CLIENTS,
    ),
    layer(
        "nine, 16384 clients, 17 headers",
        &["nine", "rotating", "17"],
        &["bare", "rotating", "17"],
        ALL_CLIENTS,
    ),
    layer(
        "eight, 16384 clients, 17 headers",
        &["eight", "rotating", "17"],
        &["bare", "rotating", "17"],
        ALL_CLIENTS,
    ),
    signatures("attack_signatures, GET with a 300-byte query", &["get"]),
    signatures("attack_signatures, 1 KiB form", &["form"]),
    signatures("attack_signatures, 1 KiB JSON", &["json"]),
];

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let options = Options::parse(arguments, &["--check", "--update", "--help", "-h"], &[])?;
    if options.has("--help") || options.has("-h") {
        print!("{USAGE}");
        return Ok(());
    }
    let (checks, updates) = (options.has("--check"), options.has("--update"));
    if checks && updates {
        return Err(UsageError::new("--check and --update exclude each other").into());
    }
    let words = &options.positional;
    let rows: Vec<&Row> = ROWS
        .iter()
        .filter(|row| words.is_empty() || words.iter().any(|word| row.name.contains(word.as_str())))
        .collect();
    if rows.is_empty() {
        let names = ROWS.map(|row| row.name).join("; ");
        return Err(UsageError::new(format!("no row contains {words:?}: the rows are {names}")).into());
    }
    cachegrind::version()
        .context("valgrind is missing: install it, for example by 'apt-get install valgrind'")?;
    let path = root().join(BASELINE);
    let baseline = if path.exists() || checks { Baseline::read(&path)? } else { Baseline::default() };
    let examples = build(checks || updates)?;
    let counted = measure(&rows, &examples)?;
    print!("{}", table(&rows, &counted, &baseline));
    if updates {
        return baseline.updated(counted).write(&path);
    }
    if checks { baseline.check(&counted) } else { Ok(()) }
}

/// Runs `--check` for CI. Without valgrind, which a developer's machine may lack, it warns loudly; where the variable
/// `CI` is set, that is an error.
pub(crate) fn check_in_ci() -> anyhow::Result<()> {
    if let Err(error) = cachegrind::version() {
        if std::env::var_os("CI").is_some_and(|value| value == "true") {
            return Err(error.context("valgrind is missing: install it where CI runs"));
        }
        println!(
            "INSTRUCTIONS WERE NOT COUNTED: valgrind is missing ({error:#}); install it to compare with {BASELINE}"
        );
        return Ok(());
    }
    // The rows whose counts differ least from run to run.
    run(&["--check", "16384", "attack_signatures"].map(str::to_owned))
}

/// Builds the examples and returns their directory.
fn build(as_in_ci: bool) -> anyhow::Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--release", "--package", "aiwaf-benches"]);
    command.args(["--example", "judge", "--example", "transaction"]);
    if as_in_ci {
        // Counts depend on the profile, so a baseline needs a fixed one; this is the one that CI has built already.
        command.env("CARGO_PROFILE_RELEASE_LTO", "off");
        command.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
        command.env("CARGO_PROFILE_RELEASE_DEBUG", "false");
    }
    run_command(&mut command)?;
    Ok(Metadata::read()?.target_directory.join("release/examples"))
}

/// Counts all `rows`, each run of an example once.
fn measure(rows: &[&Row], examples: &Path) -> anyhow::Result<BTreeMap<String, Counts>> {
    let mut bare_counts: BTreeMap<&[&str], Counts> = BTreeMap::new();
    let mut counted = BTreeMap::new();
    for row in rows {
        eprintln!("counting {} ...", row.name);
        let program = examples.join(row.example);
        let mut counts = per_request(&program, row.arguments, row)?;
        if let Some(arguments) = row.bare {
            let bare = match bare_counts.get(arguments) {
                Some(bare) => *bare,
                None => per_request(&program, arguments, row)?,
            };
            bare_counts.insert(arguments, bare);
            counts = counts.less(bare);
            let [own, bare] =
                [allocations(&program, row.arguments, row)?, allocations(&program, arguments, row)?];
            counts.allocations = Some(own.saturating_sub(bare));
        }
        counted.insert(row.name.to_owned(), counts);
    }
    Ok(counted)
}

/// Counts of one request: the difference of two runs, in which the start cancels out.
fn per_request(program: &Path, arguments: &[&str], row: &Row) -> anyhow::Result<Counts> {
    let run = |times: u64| count(Command::new(program).args(arguments).arg(times.to_string()));
    Ok(run(row.warm_up + row.counted)?.less(run(row.warm_up)?).divided(row.counted))
}

/// Heap allocations of a request after the warm-up, which the example prints.
fn allocations(program: &Path, arguments: &[&str], row: &Row) -> anyhow::Result<u64> {
    let mut command = Command::new(program);
    command.args(arguments).arg(row.warm_up.to_string());
    let shown = shown(&command);
    let output = command.output().with_context(|| format!("starting {shown}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("{shown} failed: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    text.trim().parse().with_context(|| format!("{shown} printed {text:?}, not a number"))
}

fn table(rows: &[&Row], counted: &BTreeMap<String, Counts>, baseline: &Baseline) -> Table {
    let header =
        ["per request", "instructions", "baseline", "I1 misses", "D1 misses", "LL misses", "allocations"];
    let mut table = Table::new(1, header);
    for row in rows {
        let Some(counts) = counted.get(row.name) else { continue };
        let allocations = counts.allocations.map_or(String::new(), |allocations| allocations.to_string());
        table.row([
            row.name.to_owned(),
            counts.instructions.to_string(),
            baseline.change(row.name, counts),
            format!("{:.1}", counts.i1_misses),
            format!("{:.1}", counts.d1_misses),
            format!("{:.2}", counts.ll_misses),
            allocations,
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn rows_have_distinct_names() {
        let names: BTreeSet<&str> = ROWS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ROWS.len());
    }

    #[test]
    fn unknown_row_and_conflict_are_usage_errors() {
        for arguments in [&["no such row"] as &[&str], &["--check", "--update"]] {
            let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
            assert!(run(&arguments).unwrap_err().is::<UsageError>(), "{arguments:?}");
        }
    }
}
