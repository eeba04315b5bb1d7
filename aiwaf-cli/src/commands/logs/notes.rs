//! What a reader must know about the figures: what is missing, and what is not exact.

use std::time::Duration;

use aiwaf_trainer::statistics::{LogSummary, TopList};

use super::figures::count;

/// Whether the logs are long enough for a picture by the hour of the day to say more than the one over time.
pub(super) fn spans_days(summary: &LogSummary) -> bool {
    let span = summary.first.zip(summary.last).map(|(first, last)| last.since(first));
    span.is_some_and(|span| span > Duration::from_hours(36))
}

/// Sentences, the most important first; none of them if every figure is exact and nothing is missing.
pub(super) fn notes(summary: &LogSummary) -> Vec<String> {
    let mut notes = Vec::new();
    let lines = |number: u64| if number == 1 { "line" } else { "lines" };
    let requests = |number: u64| if number == 1 { "request" } else { "requests" };
    if summary.unreadable_lines > 0 {
        let number = summary.unreadable_lines;
        let are = if number == 1 { "is" } else { "are" };
        notes.push(format!("{} {} could not be read and {are} in no figure.", count(number), lines(number)));
    }
    if summary.outside_period > 0 {
        let number = summary.outside_period;
        notes.push(format!("{} {} outside of the period were left out.", count(number), requests(number)));
    }
    let refused = summary.statuses.iter().filter(|status| matches!(status.status, 403 | 429));
    let refused: u64 = refused.map(|status| status.requests).sum();
    if summary.blocked + summary.monitored == 0 && refused > 0 {
        notes.push(format!(
            "No line is marked as blocked: logs of other servers don't say. {} {} answered with 403 or 429.",
            count(refused),
            if refused == 1 { "request was" } else { "requests were" }
        ));
    }
    if summary.timeline.left_out > 0 {
        let number = summary.timeline.left_out;
        notes.push(format!(
            "{} {} came so far before or after the others that the picture of time leaves them out.",
            count(number),
            requests(number)
        ));
    }
    if let Some(error) = summary.distinct_clients.relative_error {
        let error = error * 100.0;
        notes.push(format!("The number of different clients is an estimate, off by {error:.1}% on average."));
    }
    let lists: [(&str, &TopList); 7] = [
        ("clients", &summary.clients),
        ("blocked clients", &summary.blocked_clients),
        ("paths", &summary.paths),
        ("blocked paths", &summary.blocked_paths),
        ("user agents", &summary.agents),
        ("methods", &summary.methods),
        ("reasons", &summary.reasons),
    ];
    for (what, list) in lists {
        if list.most_missed > 0 {
            let number = list.most_missed;
            notes.push(format!(
                "There were too many different {what} to keep all of them: a count with \u{2265} may be up to {} too low, and \
                 one that is not listed had at most {} {}.",
                count(list.entries.iter().map(|entry| entry.missed).max().unwrap_or(0)),
                count(number),
                requests(number)
            ));
        }
    }
    if let Some(times) = &summary.response_time {
        notes.push(format!("Percentiles of response times are within {:.1}%.", times.relative_error * 100.0));
    }
    notes
}
