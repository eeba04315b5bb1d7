//! What became of the requests, counted by where they are from and what they are.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::table::Table;

/// Which requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Group {
    pub(super) label: String,
    pub(super) source: String,
    pub(super) category: String,
}

/// How the requests of a group were answered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    pub(super) requests: u64,
    /// Answered by the service itself: neither 403 nor 429 nor 400.
    pub(super) allowed: u64,
    /// The allowed ones by the class of their status; `4xx` is without 400, 403 and 429.
    #[serde(rename = "2xx")]
    successes: u64,
    #[serde(rename = "3xx")]
    redirections: u64,
    #[serde(rename = "4xx")]
    client_errors: u64,
    #[serde(rename = "5xx")]
    server_errors: u64,
    /// Not understood by the server, mostly before a firewall could see them.
    #[serde(rename = "400")]
    malformed: u64,
    #[serde(rename = "403")]
    pub(super) blocked: u64,
    #[serde(rename = "429")]
    pub(super) throttled: u64,
    /// Without an answer, or impossible to send.
    pub(super) errors: u64,
}

impl Counts {
    /// Counts an answer by its status, or that there was none.
    pub(super) fn count(&mut self, status: Option<u16>) {
        self.requests += 1;
        let class = match status {
            Some(400) => &mut self.malformed,
            Some(403) => &mut self.blocked,
            Some(429) => &mut self.throttled,
            Some(200..=299) => &mut self.successes,
            Some(300..=399) => &mut self.redirections,
            Some(400..=499) => &mut self.client_errors,
            Some(_) => &mut self.server_errors,
            None => &mut self.errors,
        };
        *class += 1;
        self.allowed = self.successes + self.redirections + self.client_errors + self.server_errors;
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.allowed += other.allowed;
        self.successes += other.successes;
        self.redirections += other.redirections;
        self.client_errors += other.client_errors;
        self.server_errors += other.server_errors;
        self.malformed += other.malformed;
        self.blocked += other.blocked;
        self.throttled += other.throttled;
        self.errors += other.errors;
    }
}

/// All groups.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) groups: BTreeMap<Group, Counts>,
}

impl Tally {
    pub(super) fn count(&mut self, group: Group, status: Option<u16>) {
        self.groups.entry(group).or_default().count(status);
    }

    /// The sums by label.
    pub(super) fn totals(&self) -> BTreeMap<&str, Counts> {
        let mut totals = BTreeMap::<&str, Counts>::new();
        for (group, counts) in &self.groups {
            totals.entry(&group.label).or_default().add(counts);
        }
        totals
    }

    pub(super) fn to_json(&self, cut_short: Option<&str>) -> serde_json::Value {
        #[derive(Serialize)]
        struct Row<'a> {
            #[serde(flatten)]
            group: &'a Group,
            #[serde(flatten)]
            counts: &'a Counts,
        }

        let groups: Vec<_> = self.groups.iter().map(|(group, counts)| Row { group, counts }).collect();
        serde_json::json!({"groups": groups, "totals": self.totals(), "cut_short": cut_short})
    }

    pub(super) fn to_table(&self) -> Table {
        let mut table = Table::new(
            3,
            [
                "label", "source", "category", "requests", "allowed", "2xx", "3xx", "4xx", "5xx", "400",
                "403", "429", "errors", "denied",
            ],
        );
        for (group, counts) in &self.groups {
            add_row(&mut table, [&group.label, &group.source, &group.category], counts);
        }
        for (label, counts) in self.totals() {
            add_row(&mut table, [label, "all", ""], &counts);
        }
        table
    }
}

fn add_row(table: &mut Table, [label, source, category]: [&str; 3], counts: &Counts) {
    let numbers = [
        counts.requests,
        counts.allowed,
        counts.successes,
        counts.redirections,
        counts.client_errors,
        counts.server_errors,
        counts.malformed,
        counts.blocked,
        counts.throttled,
        counts.errors,
    ];
    let tenths_of_percent = (counts.blocked + counts.throttled) * 1000 / counts.requests.max(1);
    let denied = format!("{}.{} %", tenths_of_percent / 10, tenths_of_percent % 10);
    let texts = [label, source, category].map(str::to_owned);
    table.row(texts.into_iter().chain(numbers.map(|number| number.to_string())).chain([denied]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_is_counted_once() {
        let mut tally = Tally::default();
        let group =
            |category: &str| Group { label: "attack".into(), source: "s".into(), category: category.into() };
        for status in [200, 204, 302, 404, 400, 403, 403, 429, 500] {
            tally.count(group("a"), Some(status));
        }
        tally.count(group("b"), None);
        let total = &tally.totals()["attack"];
        assert_eq!((total.requests, total.allowed), (10, 5));
        assert_eq!((total.malformed, total.blocked, total.throttled, total.errors), (1, 2, 1, 1));
        let json = tally.to_json(None);
        assert_eq!(json["groups"][0]["403"], 2);
        assert_eq!(json["totals"]["attack"]["requests"], 10);
        let table = tally.to_table().to_string();
        assert!(table.lines().last().unwrap().ends_with("30.0 %"), "{table}");
    }
}
