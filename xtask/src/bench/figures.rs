//! What the measurements left in cargo's target directory.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// All figures of one run.
#[derive(Debug)]
pub(super) struct Figures {
    /// Criterion's medians in nanoseconds, by group and name.
    pub(super) criterion: BTreeMap<String, f64>,
    pub(super) memory: Memory,
    pub(super) services: Vec<Service>,
    pub(super) browsing: Browsing,
    pub(super) training: Training,
}

/// What the bench "training" found.
#[derive(Debug, Deserialize)]
#[allow(clippy::struct_field_names)] // they are the report's, and say their unit
pub(super) struct Training {
    pub(super) parse_lines_per_second: f64,
    pub(super) features_lines_per_second: f64,
    pub(super) train_lines_per_second: f64,
    pub(super) wc_lines_per_second: Option<f64>,
    pub(super) goaccess_lines_per_second: Option<f64>,
}

impl Training {
    /// What others make of the same log.
    pub(super) fn peers(&self) -> Vec<(String, f64)> {
        [("wc -l", self.wc_lines_per_second), ("goaccess", self.goaccess_lines_per_second)]
            .into_iter()
            .filter_map(|(name, rate)| Some((name.to_owned(), rate?)))
            .collect()
    }
}

/// Figures of the bench "browsing", in microseconds a request.
#[derive(Debug, Deserialize)]
#[allow(clippy::struct_field_names)] // they are the report's, and name their unit
pub(super) struct Browsing {
    pub(super) hot_mean_micros: f64,
    pub(super) hot_p50_micros: f64,
    pub(super) hot_p99_micros: f64,
    pub(super) flushed_p50_micros: f64,
}

/// What the bench "memory" found.
#[derive(Debug, Deserialize)]
pub(super) struct Memory {
    pub(super) growth_bytes: f64,
    pub(super) allocations_of_an_allowed_get: f64,
}

/// What the bench "service" found out about one contender.
#[derive(Debug, Deserialize)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) requests_per_second: f64,
    pub(super) ratio_to_bare: f64,
    pub(super) extra_cpu_micros: f64,
    pub(super) p50_micros: f64,
    pub(super) p99_micros: f64,
}

impl Figures {
    /// Reads what was written into `target` since `start`; older figures are not this run's.
    ///
    /// # Errors
    /// If a file is missing, old, or not as expected.
    pub(super) fn read(target: &Path, start: SystemTime) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Report {
            contenders: Vec<Service>,
        }

        let reports = target.join("aiwaf-bench");
        let service: Report = read_fresh(&reports.join("service.json"), start)?;
        Ok(Self {
            criterion: read_criterion(&target.join("criterion"), start)?,
            browsing: read_fresh(&reports.join("browsing.json"), start)?,
            memory: read_fresh(&reports.join("memory.json"), start)?,
            services: service.contenders,
            training: read_fresh(&reports.join("training.json"), start)?,
        })
    }

    /// The median of one of criterion's measurements, in nanoseconds.
    pub(super) fn median(&self, name: &str) -> anyhow::Result<f64> {
        self.criterion.get(name).copied().with_context(|| format!("{name:?} was not measured"))
    }

    pub(super) fn service(&self, name: &str) -> anyhow::Result<&Service> {
        let found = self.services.iter().find(|service| service.name == name);
        found.with_context(|| format!("the service {name:?} was not measured"))
    }
}

/// Reads `GROUP/NAME/new/` below `directory`: the full name and the median of each measurement.
fn read_criterion(directory: &Path, start: SystemTime) -> anyhow::Result<BTreeMap<String, f64>> {
    #[derive(Deserialize)]
    struct Benchmark {
        full_id: String,
    }
    #[derive(Deserialize)]
    struct Estimates {
        median: Estimate,
    }
    #[derive(Deserialize)]
    struct Estimate {
        point_estimate: f64,
    }

    let mut medians = BTreeMap::new();
    for group in subdirectories(directory)? {
        for measurement in subdirectories(&group)? {
            let new = measurement.join("new");
            let path = new.join("estimates.json");
            // Left by measurements that no longer exist, or by another run.
            if !path.exists() || !is_fresh(&path, start)? {
                continue;
            }
            let benchmark: Benchmark = read_fresh(&new.join("benchmark.json"), start)?;
            let estimates: Estimates = read_fresh(&path, start)?;
            medians.insert(benchmark.full_id, estimates.median.point_estimate);
        }
    }
    Ok(medians)
}

fn subdirectories(directory: &Path) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let listing = || format!("listing {}", directory.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(listing)? {
        let path = entry.with_context(listing)?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    Ok(found)
}

fn read_fresh<T: DeserializeOwned>(path: &Path, start: SystemTime) -> anyhow::Result<T> {
    if !is_fresh(path, start)? {
        bail!("{} is from an earlier run: the measurement wrote nothing", path.display());
    }
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is not as expected", path.display()))
}

fn is_fresh(path: &Path, start: SystemTime) -> anyhow::Result<bool> {
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    Ok(modified.with_context(|| format!("reading {}", path.display()))? >= start)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    fn written(target: &Path) {
        let new = target.join("criterion/decision/inspect clean GET, IPv6/new");
        fs::create_dir_all(&new).unwrap();
        fs::create_dir_all(target.join("criterion/decision/report")).unwrap();
        fs::create_dir_all(target.join("aiwaf-bench")).unwrap();
        for (file, text) in [
            (
                new.join("benchmark.json"),
                r#"{"full_id":"decision/inspect clean GET, IPv6","group_id":"decision"}"#,
            ),
            (
                new.join("estimates.json"),
                r#"{"mean":{"point_estimate":9},"median":{"point_estimate":640.5}}"#,
            ),
            (
                target.join("aiwaf-bench/memory.json"),
                r#"{"clients":1,"growth_bytes":1024,"allocations_of_an_allowed_get":0}"#,
            ),
            (
                target.join("aiwaf-bench/browsing.json"),
                r#"{"hot_mean_micros":4,"hot_p50_micros":3,"hot_p99_micros":9,"flushed_p50_micros":8}"#,
            ),
            (
                target.join("aiwaf-bench/training.json"),
                r#"{"parse_lines_per_second":3,"features_lines_per_second":2,"train_lines_per_second":1,"wc_lines_per_second":9,"goaccess_lines_per_second":null}"#,
            ),
            (
                target.join("aiwaf-bench/service.json"),
                r#"{"contenders":[{"name":"aiwaf","requests_per_second":1,"ratio_to_bare":0.9,"extra_cpu_micros":2,"p50_micros":3,"p99_micros":4}]}"#,
            ),
        ] {
            fs::write(file, text).unwrap();
        }
    }

    #[test]
    fn figures_are_what_this_run_wrote() {
        let target = tempfile::tempdir().unwrap();
        let start = SystemTime::now() - Duration::from_secs(10);
        written(target.path());
        let figures = Figures::read(target.path(), start).unwrap();
        let read = [
            figures.median("decision/inspect clean GET, IPv6").unwrap(),
            figures.service("aiwaf").unwrap().ratio_to_bare,
            figures.memory.growth_bytes,
        ];
        assert_eq!(format!("{read:?}"), "[640.5, 0.9, 1024.0]");
        assert_eq!(format!("{:?}", figures.training.peers()), "[(\"wc -l\", 9.0)]");
        assert!(figures.median("decision/other").unwrap_err().to_string().contains("decision/other"));
        assert!(figures.service("other").is_err());
    }

    #[test]
    fn what_an_earlier_run_wrote_does_not_count() {
        let target = tempfile::tempdir().unwrap();
        written(target.path());
        let later = SystemTime::now() + Duration::from_secs(10);
        assert!(Figures::read(target.path(), later).unwrap_err().to_string().contains("earlier run"));
        assert!(read_criterion(&target.path().join("criterion"), later).unwrap().is_empty());
    }
}
