//! Counts of caught attacks and passed honest requests, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use super::comparison::Comparison;
use super::judge::Verdict;
use super::row::{Label, Row};
use crate::table::Table;

/// Counts and comparisons of one run.
#[derive(Default)]
pub(super) struct Report {
    /// By source and category.
    kinds: BTreeMap<(String, String), Counts>,
    sources: BTreeMap<String, Counts>,
    total: Counts,
    misses: Vec<String>,
    comparison: Option<Comparison>,
}

/// Numbers of labelled and of denied requests.
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
            let is_attack = match row.label {
                Label::Attack => true,
                Label::Benign => false,
                Label::Other => continue,
            };
            let denied = verdict.is_denied();
            let kind = (row.source.clone(), row.category.clone());
            report.kinds.entry(kind).or_default().add(is_attack, denied);
            report.sources.entry(row.source.clone()).or_default().add(is_attack, denied);
            report.total.add(is_attack, denied);
        }
        report
    }

    /// Keeps the first `count` rows that were judged wrongly.
    pub(super) fn note_misses(&mut self, rows: &[Row], verdicts: &[Verdict], count: usize) {
        let wrong = rows.iter().zip(verdicts).filter(|(row, verdict)| match row.label {
            Label::Attack => !verdict.is_denied(),
            Label::Benign => verdict.is_denied(),
            Label::Other => false,
        });
        self.misses = wrong.take(count).map(|(row, verdict)| described(row, verdict)).collect();
    }

    /// Adds the comparison with another run.
    pub(super) fn note_comparison(&mut self, comparison: Comparison) {
        self.comparison = Some(comparison);
    }

    /// The report for programs.
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
            "comparison": self.comparison.as_ref().map(Comparison::to_json),
        })
    }
}

fn described(row: &Row, verdict: &Verdict) -> String {
    let label = row.label.name();
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
        self.comparison.as_ref().map_or(Ok(()), |comparison| write!(f, "\n{comparison}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::labelled;
    use super::*;

    fn verdict(action: &str) -> Verdict {
        serde_json::from_value(json!({ "id": "1", "action": action, "reason": "why" })).unwrap()
    }

    #[test]
    fn rates_and_misses_leave_out_other_labels() {
        let labels = [Label::Attack, Label::Attack, Label::Benign, Label::Benign, Label::Other];
        let rows: Vec<Row> =
            labels.iter().zip(["1", "2", "3", "4", "5"]).map(|(label, id)| labelled(id, *label)).collect();
        let verdicts = ["block", "allow", "allow", "allow", "block"].map(verdict);
        let mut report = Report::new(&rows, &verdicts);
        report.note_misses(&rows, &verdicts, 10);
        let json = report.to_json();
        assert_eq!(json["total"]["true_positive_rate"], 0.5);
        assert_eq!(json["sources"]["s"]["true_negative_rate"], 1.0);
        assert_eq!(json["kinds"][0]["balanced_accuracy"], 0.75);
        assert_eq!(json["misses"].as_array().map(Vec::len), Some(1));
        let text = report.to_string();
        assert!(text.contains("75.00 %") && text.contains("attack s c 2: /x"), "{text}");
    }

    #[test]
    fn missing_attacks_have_no_rate() {
        let report = Report::new(&[labelled("1", Label::Benign)], &[verdict("allow")]);
        assert_eq!(report.to_json()["total"]["true_positive_rate"], Value::Null);
    }
}
