//! The counts, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use super::judge::Verdict;
use super::row::Row;
use crate::table::Table;

/// What was found.
#[derive(Default)]
pub(super) struct Report {
    /// By source and category.
    kinds: BTreeMap<(String, String), Counts>,
    sources: BTreeMap<String, Counts>,
    total: Counts,
    misses: Vec<String>,
    differences: Option<Vec<String>>,
}

/// How many there were, and how many were denied.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    attacks: u64,
    caught: u64,
    benign: u64,
    passed: u64,
}

impl Counts {
    fn add(&mut self, is_attack: bool, denied: bool) {
        if is_attack {
            self.attacks += 1;
            self.caught += u64::from(denied);
        } else {
            self.benign += 1;
            self.passed += u64::from(!denied);
        }
    }

    fn caught_rate(self) -> Option<f64> {
        rate(self.caught, self.attacks)
    }

    fn passed_rate(self) -> Option<f64> {
        rate(self.passed, self.benign)
    }

    fn balanced_accuracy(self) -> Option<f64> {
        Some(f64::midpoint(self.caught_rate()?, self.passed_rate()?))
    }

    fn cells(self) -> [String; 5] {
        let percent =
            |rate: Option<f64>| rate.map_or("-".to_owned(), |rate| format!("{:.2} %", rate * 100.0));
        [
            self.attacks.to_string(),
            percent(self.caught_rate()),
            self.benign.to_string(),
            percent(self.passed_rate()),
            percent(self.balanced_accuracy()),
        ]
    }

    fn to_json(self) -> Value {
        json!({
            "attacks": self.attacks, "caught": self.caught, "benign": self.benign, "passed": self.passed,
            "true_positive_rate": self.caught_rate(), "true_negative_rate": self.passed_rate(),
            "balanced_accuracy": self.balanced_accuracy(),
        })
    }
}

#[allow(clippy::cast_precision_loss)] // counts of lines in files
fn rate(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl Report {
    pub(super) fn new(rows: &[Row], verdicts: &[Verdict]) -> Self {
        let mut report = Self::default();
        for (row, verdict) in rows.iter().zip(verdicts) {
            let denied = verdict.is_denied();
            let kind = (row.source.clone(), row.category.clone());
            report.kinds.entry(kind).or_default().add(row.is_attack, denied);
            report.sources.entry(row.source.clone()).or_default().add(row.is_attack, denied);
            report.total.add(row.is_attack, denied);
        }
        report
    }

    /// Keeps the first `count` rows that were judged wrongly.
    pub(super) fn note_misses(&mut self, rows: &[Row], verdicts: &[Verdict], count: usize) {
        let wrong = rows.iter().zip(verdicts).filter(|(row, verdict)| row.is_attack != verdict.is_denied());
        self.misses = wrong.take(count).map(|(row, verdict)| described(row, verdict)).collect();
    }

    /// Keeps the rows that `others` judge otherwise.
    pub(super) fn note_differences(&mut self, rows: &[Row], verdicts: &[Verdict], others: &[Verdict]) {
        let differences =
            rows.iter().zip(verdicts.iter().zip(others)).filter_map(|(row, (verdict, other))| {
                let change = match (verdict.is_denied(), other.is_denied()) {
                    (true, false) => "only the first denies",
                    (false, true) => "only the second denies",
                    _ => return None,
                };
                let denying = if verdict.is_denied() { verdict } else { other };
                Some(format!("{change}: {}", described(row, denying)))
            });
        self.differences = Some(differences.collect());
    }

    pub(super) fn to_json(&self) -> Value {
        let kinds: Vec<Value> = self
            .kinds
            .iter()
            .map(|((source, category), counts)| {
                let mut value = counts.to_json();
                value["source"] = json!(source);
                value["category"] = json!(category);
                value
            })
            .collect();
        let sources: serde_json::Map<String, Value> =
            self.sources.iter().map(|(source, counts)| (source.clone(), counts.to_json())).collect();
        json!({
            "total": self.total.to_json(), "sources": sources, "kinds": kinds, "misses": self.misses,
            "differences": self.differences,
        })
    }
}

fn described(row: &Row, verdict: &Verdict) -> String {
    let label = if row.is_attack { "attack" } else { "benign" };
    format!("{label} {} {} {}: {} [{}]", row.source, row.category, row.id, row.shown, verdict.reason())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["source", "category", "attacks", "caught", "benign", "passed", "balanced accuracy"];
        let mut table = Table::new(2, header);
        let mut row = |source: &str, category: &str, counts: Counts| {
            table.row([source.to_owned(), category.to_owned()].into_iter().chain(counts.cells()));
        };
        for ((source, category), counts) in &self.kinds {
            row(source, category, *counts);
        }
        for (source, counts) in &self.sources {
            row(source, "all", *counts);
        }
        row("all", "all", self.total);
        write!(f, "{table}")?;
        for miss in &self.misses {
            writeln!(f, "{miss}")?;
        }
        if let Some(differences) = &self.differences {
            writeln!(f, "{} requests are judged otherwise", differences.len())?;
            for difference in differences {
                writeln!(f, "{difference}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, is_attack: bool) -> Row {
        Row {
            id: id.into(),
            is_attack,
            source: "s".into(),
            category: "c".into(),
            line: String::new(),
            shown: "/x".into(),
        }
    }

    fn verdict(action: &str) -> Verdict {
        serde_json::from_value(json!({ "id": "1", "action": action, "reason": "why" })).unwrap()
    }

    #[test]
    fn rates_misses_and_differences() {
        let rows = [row("1", true), row("2", true), row("3", false), row("4", false)];
        let verdicts = ["block", "allow", "allow", "allow"].map(verdict);
        let others = ["block", "block", "throttle", "allow"].map(verdict);
        let mut report = Report::new(&rows, &verdicts);
        report.note_misses(&rows, &verdicts, 10);
        report.note_differences(&rows, &verdicts, &others);
        let json = report.to_json();
        assert_eq!(json["total"]["true_positive_rate"], 0.5);
        assert_eq!(json["sources"]["s"]["true_negative_rate"], 1.0);
        assert_eq!(json["kinds"][0]["balanced_accuracy"], 0.75);
        assert_eq!(json["misses"].as_array().map(Vec::len), Some(1));
        assert_eq!(json["differences"].as_array().map(Vec::len), Some(2));
        let text = report.to_string();
        assert!(text.contains("75.00 %") && text.contains("only the second denies: benign s c 3"), "{text}");
    }

    #[test]
    fn without_attacks_there_is_no_rate_of_them() {
        let report = Report::new(&[row("1", false)], &[verdict("allow")]);
        assert_eq!(report.to_json()["total"]["true_positive_rate"], Value::Null);
    }
}
