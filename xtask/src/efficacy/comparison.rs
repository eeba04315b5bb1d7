//! Differences between the verdicts of two runs on the same rows.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use super::judge::Verdict;
use super::row::{Label, Row};
use crate::table::Table;

/// Every row whose verdicts differ.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    compared: usize,
    differences: Vec<Difference>,
    /// Ids of recorded rows that this run did not judge.
    unjudged: Vec<String>,
}

/// One row with both verdicts.
#[derive(Debug)]
struct Difference {
    id: String,
    label: Label,
    source: String,
    category: String,
    shown: String,
    /// `None` for a row that was not judged before.
    before: Option<Verdict>,
    after: Verdict,
}

impl Difference {
    /// The first of action, protection and reason that differs.
    fn change(&self) -> &'static str {
        match &self.before {
            None => "new row",
            Some(before) if before.action != self.after.action => "action",
            Some(before) if before.protection != self.after.protection => "protection",
            Some(_) => "reason",
        }
    }

    fn kind(&self) -> Kind {
        let before = self.before.as_ref().map_or("-".to_owned(), Verdict::kind);
        Kind { change: self.change(), before, after: self.after.kind() }
    }
}

/// Kind of a difference, for the summary.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    change: &'static str,
    before: String,
    after: String,
}

/// Number of rows by label.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    attack: u64,
    benign: u64,
    other: u64,
}

impl Counts {
    fn add(&mut self, label: Label) {
        match label {
            Label::Attack => self.attack += 1,
            Label::Benign => self.benign += 1,
            Label::Other => self.other += 1,
        }
    }
}

impl Comparison {
    /// Compares the verdicts on each of `rows`; `unjudged` are the ids of rows that only the earlier run had.
    pub(super) fn new(
        rows: &[Row],
        before: Vec<Option<Verdict>>,
        after: &[Verdict],
        unjudged: Vec<String>,
    ) -> Self {
        let differences = rows.iter().zip(before.into_iter().zip(after));
        let differences = differences.filter(|(_, (before, after))| before.as_ref() != Some(*after));
        let differences = differences.map(|(row, (before, after))| Difference {
            id: row.id.clone(),
            label: row.label,
            source: row.source.clone(),
            category: row.category.clone(),
            shown: row.shown.clone(),
            before,
            after: after.clone(),
        });
        Self { compared: rows.len(), differences: differences.collect(), unjudged }
    }

    fn kinds(&self) -> BTreeMap<Kind, Counts> {
        let mut kinds: BTreeMap<Kind, Counts> = BTreeMap::new();
        for difference in &self.differences {
            kinds.entry(difference.kind()).or_default().add(difference.label);
        }
        kinds
    }

    /// The comparison for programs.
    pub(super) fn to_json(&self) -> Value {
        let kinds: Vec<Value> = self
            .kinds()
            .iter()
            .map(|(kind, counts)| {
                json!({
                    "change": kind.change, "before": kind.before, "after": kind.after,
                    "attack": counts.attack, "benign": counts.benign, "other": counts.other,
                })
            })
            .collect();
        let differences: Vec<Value> = self
            .differences
            .iter()
            .map(|difference| {
                json!({
                    "id": difference.id, "label": difference.label.name(), "source": difference.source,
                    "category": difference.category, "shown": difference.shown, "change": difference.change(),
                    "before": difference.before, "after": difference.after,
                })
            })
            .collect();
        json!({
            "compared": self.compared, "kinds": kinds, "differences": differences, "unjudged": self.unjudged,
        })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Difference { id, label, source, category, shown, before, after } in &self.differences {
            writeln!(f, "{} {source} {category} {id}: {shown}", label.name())?;
            match before {
                Some(before) => writeln!(f, "  before: {before}")?,
                None => writeln!(f, "  before: -")?,
            }
            writeln!(f, "  after:  {after}")?;
        }
        for id in &self.unjudged {
            writeln!(f, "recorded, but not among the rows of this run: {id}")?;
        }
        if !self.differences.is_empty() {
            let mut table = Table::new(3, ["differs in", "before", "after", "attack", "benign", "other"]);
            for (kind, counts) in self.kinds() {
                let texts = [kind.change.to_owned(), kind.before, kind.after];
                let counts = [counts.attack, counts.benign, counts.other].map(|count| count.to_string());
                table.row(texts.into_iter().chain(counts));
            }
            write!(f, "{table}")?;
        }
        let (differ, compared, unjudged) = (self.differences.len(), self.compared, self.unjudged.len());
        writeln!(f, "{differ} of {compared} verdicts differ; {unjudged} recorded rows were not judged")
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::labelled;
    use super::*;

    fn verdict(action: &str, protection: &str, reason: &str) -> Verdict {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Verdict { action: action.into(), protection: text(protection), reason: text(reason) }
    }

    #[test]
    fn differences_in_each_part_are_found() {
        let labels = [Label::Attack, Label::Benign, Label::Attack, Label::Other, Label::Benign];
        let rows: Vec<Row> =
            labels.iter().zip(["1", "2", "3", "4", "5"]).map(|(label, id)| labelled(id, *label)).collect();
        let before = vec![
            Some(verdict("block", "rate_limit", "a")),
            Some(verdict("block", "rate_limit", "a")),
            Some(verdict("block", "rate_limit", "a")),
            None,
            Some(verdict("allow", "", "")),
        ];
        let after = [
            verdict("allow", "", ""),
            verdict("block", "honeypot", "a"),
            verdict("block", "rate_limit", "b"),
            verdict("allow", "", ""),
            verdict("allow", "", ""),
        ];
        let comparison = Comparison::new(&rows, before, &after, vec!["6".into()]);
        let json = comparison.to_json();
        let changes: Vec<_> =
            json["differences"].as_array().unwrap().iter().map(|found| found["change"].clone()).collect();
        assert_eq!(changes, ["action", "protection", "reason", "new row"]);
        assert_eq!(json["kinds"].as_array().map(Vec::len), Some(4));
        assert_eq!(json["differences"][1]["before"]["protection"], "rate_limit");
        let text = comparison.to_string();
        assert!(text.contains("  before: block rate_limit [a]\n  after:  block rate_limit [b]\n"), "{text}");
        assert!(text.contains("4 of 5 verdicts differ; 1 recorded rows were not judged"), "{text}");
    }
}
