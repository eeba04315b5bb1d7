//! `cargo xtask bench`: runs the measurements, and sets what they found beside budgets and peers.

mod figures;

use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use self::figures::{Figures, Service};
use crate::metadata::{Metadata, cargo};
use crate::options::Options;
use crate::run::run as run_command;
use crate::scikit_learn;
use crate::table::Table;

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let options = Options::parse(arguments, &["--quick", "--json"], &[])?;
    options.nothing_else()?;
    let target = Metadata::read()?.target_directory;
    let start = SystemTime::now();
    for bench in ["decision", "signatures", "browsing", "forest", "logs", "memory", "training", "service"] {
        let mut command = cargo();
        command.args(["bench", "--package", "aiwaf-benches", "--bench", bench, "--"]);
        if options.has("--quick") {
            command.arg("--quick");
        }
        if options.has("--json") {
            // The measurements' own words are for people.
            command.stdout(std::io::stderr());
        }
        run_command(&mut command)?;
    }
    let peer = scikit_learn::run(SCIKIT_LEARN, Vec::new())?.and_then(|peers| peers.into_iter().next());
    let rows = rows(&target, start, peer.as_ref())?;
    if options.has("--json") {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        println!("\n{}", table(&rows));
        if options.has("--quick") {
            println!("These figures are rough: --quick takes few samples.");
        }
    }
    Ok(())
}

const SCIKIT_LEARN: &str = include_str!("scikit_learn.py");

/// Rows of the table that forests are fitted to and score.
const FOREST_ROWS: f64 = 100_000.0;

/// What scikit-learn took for that, in nanoseconds.
#[derive(Debug, Deserialize)]
struct ScikitLearn {
    fit: f64,
    score: f64,
}

/// One figure.
#[derive(Debug, PartialEq, Serialize)]
struct Row {
    what: String,
    measured: f64,
    unit: Unit,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<Budget>,
    #[serde(skip_serializing_if = "Option::is_none")]
    within: Option<bool>,
    /// The same of others, from the same run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    peers: Vec<(String, f64)>,
}

/// What a figure counts, and how it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Unit {
    Nanoseconds,
    Microseconds,
    PerSecond,
    /// One to another, as a percentage.
    Share,
    /// One to another, as a factor.
    Factor,
    Bytes,
    Count,
}

/// What a figure should be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Budget {
    AtMost(f64),
    AtLeast(f64),
}

impl Row {
    fn new(what: impl Into<String>, measured: f64, unit: Unit) -> Self {
        Self { what: what.into(), measured, unit, budget: None, within: None, peers: Vec::new() }
    }

    fn budget(self, budget: Budget) -> Self {
        let within = match budget {
            Budget::AtMost(limit) => self.measured <= limit,
            Budget::AtLeast(limit) => self.measured >= limit,
        };
        Self { budget: Some(budget), within: Some(within), ..self }
    }

    fn peers(self, peers: Vec<(String, f64)>) -> Self {
        Self { peers, ..self }
    }
}

/// Sets the budgets beside what was measured since `start`.
///
/// # Errors
/// If a measurement left no figure; it is named.
fn rows(target: &Path, start: SystemTime, peer: Option<&ScikitLearn>) -> anyhow::Result<Vec<Row>> {
    use Budget::{AtLeast, AtMost};
    use Unit::{Bytes, Count, Factor, Nanoseconds, PerSecond};

    let figures = Figures::read(target, start)?;
    let clean = figures.median("decision/inspect clean GET")?;
    let few = figures.median("blacklist/look up in 1000")?;
    let many = figures.median("blacklist/look up in 1000000")?;
    let few_v6 = figures.median("blacklist/look up IPv6 in 1000")?;
    let many_v6 = figures.median("blacklist/look up IPv6 in 1000000")?;
    let counting = figures.median(LOG_LINES)?;
    let memory = &figures.memory;
    let training = &figures.training;
    let mut rows = vec![
        Row::new("decision: clean GET, 8 protections, 100,000 bans, 1,000 keywords", clean, Nanoseconds)
            .budget(AtMost(1000.0)),
        Row::new("heap allocations of an allowed GET", memory.allocations_of_an_allowed_get, Count)
            .budget(AtMost(0.0)),
        Row::new("blacklist: 1,000,000 prefixes to 1,000", many / few, Factor).budget(AtMost(2.0)),
        Row::new("blacklist: the same for IPv6 clients", many_v6 / few_v6, Factor).budget(AtMost(2.0)),
        Row::new("memory: 1,000,000 clients seen once", memory.growth_bytes, Bytes)
            .budget(AtMost(256.0 * 1024.0 * 1024.0)),
        Row::new(
            "logs: lines parsed, with their features, on one thread",
            training.features_lines_per_second,
            PerSecond,
        )
        .budget(AtLeast(1e6))
        .peers(training.peers()),
        Row::new(
            "logs: lines read and counted for statistics, on one thread",
            1e5 * 1e9 / counting,
            PerSecond,
        )
        .budget(AtLeast(1e6))
        .peers(training.peers()),
        Row::new("logs: lines parsed", training.parse_lines_per_second, PerSecond),
        Row::new("logs: lines trained from, the model included", training.train_lines_per_second, PerSecond),
    ];
    rows.extend(service_rows(&figures)?);
    rows.extend(signature_rows(&figures)?);
    rows.extend(forest_rows(&figures, peer)?);
    let shown = ["decision/inspect clean GET", LOG_LINES];
    let others = figures.criterion.iter().filter(|(name, _)| !shown.contains(&name.as_str()));
    rows.extend(
        others.map(|(name, nanoseconds)| Row::new(name.replace('/', ": "), *nanoseconds, Nanoseconds)),
    );
    Ok(rows)
}

/// Cost of the layer for a service, beside the other services of the run.
fn service_rows(figures: &Figures) -> anyhow::Result<Vec<Row>> {
    use Budget::{AtLeast, AtMost};
    use Unit::{Microseconds, PerSecond, Share};

    let nine = figures.service("aiwaf")?;
    let eight = figures.service("aiwaf without signatures")?;
    let others = |figure: fn(&Service) -> f64| {
        let others = figures.services.iter().filter(|service| service.name != nine.name);
        others.map(|service| (service.name.clone(), figure(service))).collect::<Vec<_>>()
    };
    Ok(vec![
        Row::new("service: throughput kept of bare axum's, nine protections", nine.ratio_to_bare, Share)
            .budget(AtLeast(0.8))
            .peers(others(|service| service.ratio_to_bare)),
        Row::new("service: the same, eight without signatures", eight.ratio_to_bare, Share)
            .budget(AtLeast(0.86)),
        Row::new("service: CPU more a request, log writer included", nine.extra_cpu_micros, Microseconds)
            .budget(AtMost(5.0))
            .peers(others(|service| service.extra_cpu_micros)),
        Row::new("service: requests a second on one worker", nine.requests_per_second, PerSecond)
            .peers(others(|service| service.requests_per_second)),
        Row::new("service: median latency, worker saturated", nine.p50_micros, Microseconds)
            .peers(others(|service| service.p50_micros)),
        Row::new("service: 99th percentile of the latency", nine.p99_micros, Microseconds)
            .peers(others(|service| service.p99_micros)),
    ])
}

/// Cost of `attack_signatures` alone.
fn signature_rows(figures: &Figures) -> anyhow::Result<Vec<Row>> {
    use Budget::AtMost;
    use Unit::{Factor, Microseconds};

    let micros = |name: &str| figures.median(&format!("signatures/{name}")).map(|median| median / 1e3);
    let get = micros("GET, 300-byte query")?;
    let further = (micros("9 KiB JSON")? - micros("1 KiB JSON")?) / 8.0;
    let worst = figures.median("signatures worst/4 KiB query")? / 1e3;
    let browsing = &figures.browsing;
    Ok(vec![
        Row::new("attack_signatures: GET with a 300-byte query", get, Microseconds).budget(AtMost(2.0)),
        Row::new("attack_signatures: 1 KiB form", micros("1 KiB form")?, Microseconds).budget(AtMost(10.0)),
        Row::new("attack_signatures: each further KiB of JSON", further, Microseconds).budget(AtMost(1.0)),
        Row::new("attack_signatures: browsing, mean", browsing.hot_mean_micros, Microseconds)
            .budget(AtMost(12.0)),
        Row::new("attack_signatures: browsing, median", browsing.hot_p50_micros, Microseconds)
            .budget(AtMost(3.0)),
        Row::new("attack_signatures: browsing, 99th percentile", browsing.hot_p99_micros, Microseconds)
            .budget(AtMost(150.0)),
        Row::new(
            "attack_signatures: browsing, median, caches flushed",
            browsing.flushed_p50_micros,
            Microseconds,
        )
        .budget(AtMost(20.0)),
        Row::new(
            "attack_signatures: worst input found, per byte, to that GET's",
            worst / 4096.0 / (get / 300.0),
            Factor,
        )
        .budget(AtMost(20.0)),
    ])
}

/// The measurement that counts 100,000 lines.
const LOG_LINES: &str = "logs/count 100000 combined lines";

/// The isolation forest beside its peers, all on one thread.
fn forest_rows(figures: &Figures, peer: Option<&ScikitLearn>) -> anyhow::Result<Vec<Row>> {
    use Budget::{AtLeast, AtMost};
    use Unit::{Factor, Microseconds, PerSecond};

    let fit = figures.median("forest/fit standard, 100000 x 6")?;
    let score = figures.median("forest/score standard, 100000 x 6")?;
    let second = 1e9;
    let mut fit_peers = vec![("eif".to_owned(), figures.median("forest/fit eif, 100000 x 6")? / 1e3)];
    let mut score_peers =
        vec![("eif".to_owned(), 1000.0 * second / figures.median("forest/score eif, 1000 x 6")?)];
    let mut rows = Vec::new();
    if let Some(peer) = peer {
        fit_peers.push(("scikit-learn".to_owned(), peer.fit / 1e3));
        score_peers.push(("scikit-learn".to_owned(), FOREST_ROWS * second / peer.score));
        rows.push(
            Row::new("forest: fits faster than scikit-learn", peer.fit / fit, Factor).budget(AtLeast(20.0)),
        );
        rows.push(
            Row::new("forest: scores faster than scikit-learn", peer.score / score, Factor)
                .budget(AtLeast(5.0)),
        );
    }
    rows.push(Row::new("forest: fit 100 trees, 100,000 x 6", fit / 1e3, Microseconds).peers(fit_peers));
    rows.push(
        Row::new("forest: rows scored a second, x 6", FOREST_ROWS * second / score, PerSecond)
            .budget(AtLeast(1e6))
            .peers(score_peers),
    );
    rows.push(
        Row::new("forest: score a request", figures.median("model/score a request")? / 1e3, Microseconds)
            .budget(AtMost(1.0)),
    );
    rows.push(
        Row::new("forest: load 100 trees", figures.median("model/load 100 trees")? / 1e3, Microseconds)
            .budget(AtMost(10_000.0)),
    );
    Ok(rows)
}

fn table(rows: &[Row]) -> Table {
    let mut table =
        Table::new(1, ["what", "measured", "budget", "of budget", "verdict", "peers in the same run"]);
    for row in rows {
        let (budget, share) = match row.budget {
            None => (String::new(), String::new()),
            Some(Budget::AtMost(limit)) => {
                (format!("<= {}", row.unit.show(limit)), share(row.measured, limit))
            }
            Some(Budget::AtLeast(limit)) => {
                (format!(">= {}", row.unit.show(limit)), share(row.measured, limit))
            }
        };
        let verdict = match row.within {
            None => "",
            Some(true) => "within",
            Some(false) => "over",
        };
        let peers: Vec<_> =
            row.peers.iter().map(|(name, value)| format!("{name} {}", row.unit.show(*value))).collect();
        let measured = row.unit.show(row.measured);
        table.row([row.what.clone(), measured, budget, share, verdict.into(), peers.join(", ")]);
    }
    table
}

/// How much of a limit is used.
fn share(measured: f64, limit: f64) -> String {
    if limit == 0.0 { String::new() } else { format!("{:.0} %", measured / limit * 100.0) }
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Self::Nanoseconds => format!("{value:.0} ns"),
            Self::Microseconds => format!("{value:.2} us"),
            Self::PerSecond => format!("{value:.0}/s"),
            Self::Share => format!("{:.1} %", value * 100.0),
            Self::Factor => format!("{value:.2} x"),
            Self::Bytes => format!("{:.1} MiB", value / 1024.0 / 1024.0),
            Self::Count => format!("{value:.0}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_follow_the_figures() {
        let at_most =
            |measured| Row::new("x", measured, Unit::Nanoseconds).budget(Budget::AtMost(10.0)).within;
        let at_least = |measured| Row::new("x", measured, Unit::Share).budget(Budget::AtLeast(0.9)).within;
        assert_eq!([at_most(10.0), at_most(10.1), at_most(f64::NAN)], [Some(true), Some(false), Some(false)]);
        assert_eq!(
            [at_least(0.9), at_least(0.89), at_least(f64::NAN)],
            [Some(true), Some(false), Some(false)]
        );
    }

    #[test]
    fn a_figure_over_its_budget_is_shown_as_such() {
        let rows = [
            Row::new("fast", 1500.0, Unit::Nanoseconds).budget(Budget::AtMost(1000.0)),
            Row::new("service", 0.95, Unit::Share)
                .budget(Budget::AtLeast(0.9))
                .peers(vec![("other".into(), 0.5)]),
            Row::new("plain", 3.0, Unit::Count),
        ];
        let text = table(&rows).to_string();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1].join(" "), "fast 1500 ns <= 1000 ns 150 % over");
        assert_eq!(lines[2].join(" "), "service 95.0 % >= 90.0 % 106 % within other 50.0 %");
        assert_eq!(lines[3].join(" "), "plain 3");
    }
}
