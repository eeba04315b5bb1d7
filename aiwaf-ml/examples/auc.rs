//! Measures how well forests find the labelled anomalies of tables; `cargo xtask auc` prints the figures side by side.
//!
//! Usage: `auc SEEDS FILE.csv[.gz]...`. A table has a header, numbers, and a column `label` with 1 for anomalies. For each
//! it prints one JSON object in a line, with the ROC-AUC for each seed.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use aiwaf_ml::{Extension, ForestParameters, IsolationForest, roc_auc};
use flate2::read::MultiGzDecoder;
use ndarray::Array2;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let seeds = arguments.next().ok_or("usage: auc SEEDS FILE...")?.parse()?;
    for path in arguments {
        let table = Table::read(&path).map_err(|error| format!("{path}: {error}"))?;
        let full = u16::try_from(table.rows.ncols() - 1)?;
        let standard = table.areas(seeds, Extension::Standard)?;
        let extended = table.areas(seeds, Extension::Level(full))?;
        let mut scaled = table;
        scaled.standardize();
        let extended_scaled = scaled.areas(seeds, Extension::Level(full))?;
        println!(
            "{}",
            serde_json::json!({
                "file": path,
                "rows": scaled.rows.nrows(),
                "columns": scaled.rows.ncols(),
                "anomalies": scaled.labels.iter().filter(|label| **label).count(),
                "standard": standard,
                "extended": extended,
                "extended_standardized": extended_scaled,
            })
        );
    }
    Ok(())
}

struct Table {
    rows: Array2<f64>,
    labels: Vec<bool>,
}

impl Table {
    fn read(path: &str) -> Result<Self, Box<dyn Error>> {
        let file = File::open(path)?;
        let text: Box<dyn Read> = if Path::new(path).extension().is_some_and(|extension| extension == "gz") {
            Box::new(MultiGzDecoder::new(file))
        } else {
            Box::new(file)
        };
        let mut lines = BufReader::new(text).lines();
        let header = lines.next().ok_or("it is empty")??;
        let names: Vec<&str> = header.split(',').collect();
        let label = names.iter().position(|name| *name == "label").ok_or("it has no column \"label\"")?;
        let (mut values, mut labels) = (Vec::new(), Vec::new());
        for (number, line) in lines.enumerate() {
            let line = line?;
            let cells: Vec<&str> = line.split(',').collect();
            if cells.len() != names.len() {
                return Err(format!("line {} has {} cells", number + 2, cells.len()).into());
            }
            for (column, cell) in cells.into_iter().enumerate() {
                let value: f64 = cell.parse().map_err(|error| format!("line {}: {error}", number + 2))?;
                if column == label {
                    labels.push(value != 0.0);
                } else {
                    values.push(value);
                }
            }
        }
        Ok(Self { rows: Array2::from_shape_vec((labels.len(), names.len() - 1), values)?, labels })
    }

    fn areas(&self, seeds: u64, extension: Extension) -> Result<Vec<f64>, Box<dyn Error>> {
        let area = |seed| {
            let parameters = ForestParameters { seed, extension, ..ForestParameters::default() };
            let scores =
                IsolationForest::fit(self.rows.view(), &parameters)?.anomaly_scores(self.rows.view())?;
            Ok(roc_auc(&scores.to_vec(), &self.labels).ok_or("it needs rows with both labels")?)
        };
        (0..seeds).map(area).collect()
    }

    /// Gives each column the mean 0 and the variance 1.
    fn standardize(&mut self) {
        for mut column in self.rows.columns_mut() {
            let mean = column.mean().unwrap_or(0.0);
            let deviation = column.std(0.0);
            column.mapv_inplace(|value| if deviation > 0.0 { (value - mean) / deviation } else { 0.0 });
        }
    }
}
