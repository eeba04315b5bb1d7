//! What was learned, as one page with pictures: no script, nothing from the network, light and dark.

use std::fmt::Write as _;

use super::TrainingReport;
use super::charts::{histogram, traffic};
use super::text::grouped;

/// The page, whole in itself. Everything that comes from the log is escaped.
pub fn html(report: &TrainingReport) -> String {
    let mut page = String::with_capacity(64 * 1024);
    page.push_str(HEAD);
    summary(&mut page, report);
    section(&mut page, "Traffic", "", |page| page.push_str(&traffic(&report.traffic)));
    section(&mut page, "Model", MODEL_NOTE, |page| model(page, report));
    section(&mut page, "Held back", HELD_OUT_NOTE, |page| held_out(page, report));
    section(&mut page, "Bans", "", |page| bans(page, report));
    section(&mut page, "Keywords", "", |page| keywords(page, report));
    section(&mut page, "Not read", "", |page| unread(page, report));
    page.push_str("</main></body></html>\n");
    page
}

const MODEL_NOTE: &str = "A score near 0 is ordinary, near 1 strange. The model alone bans nobody: behaviour must speak \
                          against a client as well.";
const HELD_OUT_NOTE: &str = "The latest requests, judged by what was learned from those before them.";

fn section(page: &mut String, title: &str, note: &str, body: impl FnOnce(&mut String)) {
    put(page, format_args!("<section><h2>{title}</h2>"));
    if !note.is_empty() {
        put(page, format_args!("<p class=\"note\">{note}</p>"));
    }
    body(page);
    page.push_str("</section>\n");
}

fn put(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string can't fail.
    let _ = page.write_fmt(text);
}

fn summary(page: &mut String, report: &TrainingReport) {
    page.push_str("<header><h1>What AIWAF learned</h1>");
    if let (Some(first), Some(last)) = (&report.first, &report.last) {
        put(
            page,
            format_args!("<p class=\"note\">from requests of {} to {}</p>", escaped(first), escaped(last)),
        );
    }
    page.push_str("<dl class=\"tiles\">");
    for (name, number) in [
        ("requests", report.parsed),
        ("lines not read", report.unparsed),
        ("clients", report.clients),
        ("bans", report.bans.len() as u64),
        ("spared", report.spared.len() as u64),
        ("keywords", report.keywords.len() as u64),
    ] {
        put(page, format_args!("<div><dt>{name}</dt><dd>{}</dd></div>", grouped(number)));
    }
    page.push_str("</dl>");
    if !report.enough {
        put(
            page,
            format_args!(
                "<p><strong>Too little to learn from:</strong> it takes {} requests.</p>",
                grouped(report.min_lines)
            ),
        );
    }
    page.push_str("</header>\n");
}

fn model(page: &mut String, report: &TrainingReport) {
    let model = &report.model;
    if let Some(reason) = &model.reason {
        put(page, format_args!("<p>None: {}.</p>", escaped(reason)));
        return;
    }
    put(
        page,
        format_args!(
            "<p>{} trees of {} rows each, from {} of {} requests, trained at {}. {} of these are above the threshold of \
             {:.3}.</p>",
            model.trees,
            model.sample_size,
            grouped(model.rows),
            grouped(model.sampled_from),
            escaped(&model.trained_at),
            grouped(model.anomalous_rows),
            model.threshold
        ),
    );
    page.push_str(&histogram(&model.histogram, model.threshold));
    page.push_str("<h3>The strangest clients</h3>");
    let rows = model.strangest.iter().map(|client| {
        let seen: Vec<String> =
            client.features.iter().map(|(name, value)| format!("{name} {}", short(*value))).collect();
        vec![
            escaped(&client.client),
            format!("{:.3}", client.score),
            format!("{} of {}", grouped(client.anomalous_rows), grouped(client.rows)),
            code(&client.example),
            escaped(&seen.join(", ")),
        ]
    });
    table(page, &["client", "score", "anomalous", "strangest request", "what the model saw"], rows);
}

fn held_out(page: &mut String, report: &TrainingReport) {
    let Some(held) = &report.held_out else {
        page.push_str("<p>Nothing was held back.</p>");
        return;
    };
    let mut rows = vec![
        vec!["scanners turned away".to_owned(), of(held.scanners_caught, held.scanners)],
        vec!["of these, not seen before".to_owned(), of(held.new_scanners_caught, held.new_scanners)],
        vec![
            "requests that got through first, on average".to_owned(),
            format!("{:.1}", held.mean_requests_before),
        ],
        vec!["ordinary clients hit".to_owned(), of(held.ordinary_hit, held.ordinary)],
    ];
    if let Some(auc) = held.model_auc {
        rows.push(vec!["the model alone: area under the ROC curve".to_owned(), format!("{auc:.3}")]);
    }
    table(page, &["in the latest requests", "&nbsp;"], rows.into_iter());
    if !held.hit.is_empty() {
        page.push_str("<h3>Ordinary clients that would have been hit</h3>");
        let rows =
            held.hit.iter().map(|hit| vec![escaped(&hit.client), escaped(&hit.reason), code(&hit.target)]);
        table(page, &["client", "why", "request"], rows);
    }
}

fn of(part: u64, whole: u64) -> String {
    format!("{} of {}", grouped(part), grouped(whole))
}

/// So many rows of a table are written; the JSON has all.
const MAX_ROWS: usize = 500;

fn bans(page: &mut String, report: &TrainingReport) {
    if report.bans.is_empty() {
        page.push_str("<p>Nobody.</p>");
    }
    let rows = report.bans.iter().take(MAX_ROWS).map(|ban| {
        let examples: Vec<String> = ban.evidence.examples.iter().map(|example| code(example)).collect();
        vec![
            escaped(&ban.client),
            escaped(&ban.reason),
            grouped(ban.evidence.requests),
            ban.evidence.score.map_or_else(String::new, |score| format!("{score:.3}")),
            examples.join("<br>"),
        ]
    });
    table(page, &["client", "why", "requests", "score", "for example"], rows);
    if report.bans.len() > MAX_ROWS {
        put(page, format_args!("<p>and {} more.</p>", grouped((report.bans.len() - MAX_ROWS) as u64)));
    }
    if !report.spared.is_empty() {
        page.push_str("<h3>Spared</h3>");
        let rows =
            report.spared.iter().take(MAX_ROWS).map(|spared| {
                vec![escaped(&spared.client), escaped(&spared.because), escaped(&spared.reason)]
            });
        table(page, &["client", "why it is spared", "what speaks against it"], rows);
    }
}

fn keywords(page: &mut String, report: &TrainingReport) {
    if report.keywords.is_empty() {
        page.push_str("<p>None.</p>");
    }
    let rows = report.keywords.iter().map(|learned| {
        let paths: Vec<String> = learned.paths.iter().map(|path| code(path)).collect();
        vec![code(&learned.keyword), grouped(learned.count), grouped(learned.clients), paths.join("<br>")]
    });
    table(page, &["word", "requests", "clients", "for example"], rows);
}

fn unread(page: &mut String, report: &TrainingReport) {
    if report.unparsed == 0 && report.problems.is_empty() {
        page.push_str("<p>Everything was read.</p>");
    }
    let causes = report.unparsed_causes.iter().map(|(cause, lines)| vec![escaped(cause), grouped(*lines)]);
    table(page, &["why", "lines"], causes);
    let samples = report
        .unparsed_samples
        .iter()
        .map(|sample| vec![format!("{}:{}", escaped(&sample.source), sample.number), code(&sample.text)]);
    table(page, &["where", "line"], samples);
    let problems =
        report.problems.iter().map(|problem| vec![escaped(&problem.source), escaped(&problem.what)]);
    table(page, &["file", "what is wrong"], problems);
}

/// A table of cells that are HTML already; nothing if there are no rows.
fn table(page: &mut String, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let mut is_empty = true;
    for row in rows {
        if is_empty {
            page.push_str("<table><thead><tr>");
            for name in head {
                put(page, format_args!("<th>{name}</th>"));
            }
            page.push_str("</tr></thead><tbody>");
            is_empty = false;
        }
        page.push_str("<tr>");
        for cell in row {
            put(page, format_args!("<td>{cell}</td>"));
        }
        page.push_str("</tr>");
    }
    if !is_empty {
        page.push_str("</tbody></table>");
    }
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

/// A number without decimals that say nothing.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Text as HTML shows it, between tags or quotes. Characters that turn text around or hide it are left out.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {}
            _ if letter.is_control() => out.push(' '),
            _ => out.push(letter),
        }
    }
    out
}

/// The policy forbids scripts and anything from elsewhere, should an escape ever be forgotten.
const HEAD: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>What AIWAF learned</title>
<style>
:root{color-scheme:light dark;--ground:#fcfcfb;--card:#fff;--ink:#1b1f24;--soft:#5c6670;--line:#dfe3e6;--first:#2f6f9f;--second:#c4572e;--third:#8a94a0}
@media (prefers-color-scheme:dark){:root{--ground:#14171a;--card:#1c2024;--ink:#e6e9ec;--soft:#9aa5b0;--line:#343b42;--first:#6db3e3;--second:#f0895f;--third:#66717c}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:72rem;margin:0 auto;padding:2rem 1rem}
h1{font-size:1.7rem;margin:0}h2{font-size:1.2rem;margin:0 0 .5rem}h3{font-size:1rem;margin:1.2rem 0 .4rem}
section{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:1.2rem;margin:1.2rem 0;overflow-x:auto}
.note{color:var(--soft);margin:.2rem 0 .8rem}
.tiles{display:flex;flex-wrap:wrap;gap:.8rem;margin:1rem 0 0}
.tiles div{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.6rem 1rem;min-width:8rem}
.tiles dt{color:var(--soft);font-size:.85rem}.tiles dd{margin:0;font-size:1.5rem;font-variant-numeric:tabular-nums}
table{border-collapse:collapse;width:100%;font-size:.9rem;margin:.4rem 0}
th{text-align:left;color:var(--soft);font-weight:600}
th,td{padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top;font-variant-numeric:tabular-nums}
code{font:.85em ui-monospace,monospace;overflow-wrap:anywhere}
svg{display:block;width:100%;height:auto;max-width:60rem}
svg text{fill:var(--soft);font:12px system-ui,sans-serif}
.axis{stroke:var(--line);stroke-width:1}.first{fill:var(--first)}.second{fill:var(--second)}.third{fill:var(--third)}
.mark{stroke:var(--second);stroke-width:2;stroke-dasharray:5 4}
</style></head><body><main>
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_log_is_markup() {
        assert_eq!(escaped("<a href='x'>&\"\u{202e}\n"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot; ");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.0, 12.0, 0.25, 100.0].map(short), ["0", "12", "0.25", "100"]);
    }
}
