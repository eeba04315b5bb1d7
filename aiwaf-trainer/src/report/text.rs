//! What was learned, in plain words.

use std::fmt::Write as _;

use super::TrainingReport;

/// So many bans and keywords are named; the rest is in the JSON and the page.
const SHOWN: usize = 10;

/// The report for a terminal: ASCII, and safe whatever the log holds.
#[allow(clippy::missing_panics_doc)] // writing to a string never fails
pub fn text(report: &TrainingReport) -> String {
    let mut out = String::new();
    read(&mut out, report);
    if report.enough {
        bans(&mut out, report);
        keywords(&mut out, report);
        model(&mut out, report);
        held_out(&mut out, report);
    } else {
        line(
            &mut out,
            format_args!(
                "Too little to learn from: {}, and it takes {}.",
                several(report.parsed, "request"),
                grouped(report.min_lines)
            ),
        );
    }
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string can't fail.
    let _ = writeln!(out, "{text}");
}

fn read(out: &mut String, report: &TrainingReport) {
    line(
        out,
        format_args!(
            "Read {}: {} of {}, {} that can't be read, {} that hold no request.",
            several(report.lines, "line"),
            several(report.parsed, "request"),
            several(report.clients, "client"),
            grouped(report.unparsed),
            grouped(report.without_request)
        ),
    );
    if let (Some(first), Some(last)) = (&report.first, &report.last) {
        line(out, format_args!("From {first} to {last}."));
    }
    let formats: Vec<String> = report
        .formats
        .iter()
        .map(|count| {
            let (lines, files) = (several(count.lines, "line"), several(count.files, "file"));
            format!("{} ({lines} in {files})", count.format)
        })
        .collect();
    line(out, format_args!("Formats: {}.", formats.join(", ")));
    for (cause, lines) in &report.unparsed_causes {
        line(out, format_args!("  not read, {cause}: {}", grouped(*lines)));
    }
    for sample in report.unparsed_samples.iter().take(3) {
        line(out, format_args!("  {}:{}: {}", printable(&sample.source), sample.number, sample.text));
    }
    for problem in &report.problems {
        line(out, format_args!("  {}: {}", printable(&problem.source), printable(&problem.what)));
    }
}

fn bans(out: &mut String, report: &TrainingReport) {
    line(out, format_args!(""));
    line(out, format_args!("Bans: {}", grouped(report.bans.len() as u64)));
    for ban in report.bans.iter().take(SHOWN) {
        line(out, format_args!("  {}  {}", ban.client, ban.reason));
        let examples: Vec<&str> = ban.evidence.examples.iter().take(3).map(String::as_str).collect();
        line(out, format_args!("      {}", examples.join("  ")));
    }
    more(out, report.bans.len());
    if !report.spared.is_empty() {
        line(out, format_args!("Spared: {}", grouped(report.spared.len() as u64)));
        for spared in report.spared.iter().take(SHOWN) {
            line(out, format_args!("  {}  {}: {}", spared.client, spared.because, spared.reason));
        }
        more(out, report.spared.len());
    }
    if !report.unbanned.is_empty() {
        line(
            out,
            format_args!("Taken off the blacklist, for they are whitelisted: {}", report.unbanned.join(" ")),
        );
    }
    line(out, format_args!("Whitelisted: {}", grouped(report.whitelisted)));
}

fn more(out: &mut String, count: usize) {
    if count > SHOWN {
        line(out, format_args!("  and {} more", grouped((count - SHOWN) as u64)));
    }
}

fn keywords(out: &mut String, report: &TrainingReport) {
    line(out, format_args!(""));
    line(out, format_args!("Keywords: {}", grouped(report.keywords.len() as u64)));
    for learned in report.keywords.iter().take(SHOWN) {
        line(
            out,
            format_args!(
                "  {}  {} of {}, such as {}",
                learned.keyword,
                several(learned.count, "request"),
                several(learned.clients, "client"),
                learned.paths.first().map_or("", String::as_str)
            ),
        );
    }
    more(out, report.keywords.len());
}

fn model(out: &mut String, report: &TrainingReport) {
    line(out, format_args!(""));
    let model = &report.model;
    if let Some(reason) = &model.reason {
        line(out, format_args!("Model: none, {reason}"));
        return;
    }
    line(
        out,
        format_args!(
            "Model: {} trees of {} rows, from {} of {} requests with {} features; {} are above the threshold of {:.3}",
            model.trees,
            model.sample_size,
            grouped(model.rows),
            grouped(model.sampled_from),
            model.features.len(),
            grouped(model.anomalous_rows),
            model.threshold
        ),
    );
    for client in model.strangest.iter().take(3) {
        line(
            out,
            format_args!("  strangest: {}  score {:.3}  {}", client.client, client.score, client.example),
        );
    }
}

fn held_out(out: &mut String, report: &TrainingReport) {
    let Some(held) = &report.held_out else { return };
    line(out, format_args!(""));
    line(
        out,
        format_args!(
            "Of the latest {} requests, judged by what was learned from those before:",
            grouped(held.requests)
        ),
    );
    line(
        out,
        format_args!(
            "  {} of {} scanners would have been turned away, {} of {} that were not seen before; after {:.1} requests on average",
            held.scanners_caught,
            held.scanners,
            held.new_scanners_caught,
            held.new_scanners,
            held.mean_requests_before
        ),
    );
    line(
        out,
        format_args!(
            "  {} of {} ordinary clients would have been hit",
            held.ordinary_hit,
            grouped(held.ordinary)
        ),
    );
    for hit in &held.hit {
        line(out, format_args!("    {}  {}: {}", hit.client, printable(&hit.reason), hit.target));
    }
    if let Some(auc) = held.model_auc {
        line(
            out,
            format_args!(
                "  the model finds a scanner's request stranger than an ordinary one with a probability of {auc:.3}"
            ),
        );
    }
}

/// So many of something, in words.
fn several(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// A number with its digits in groups of three.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Names of files may hold anything, too.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
