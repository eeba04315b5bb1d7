//! The report as one HTML page: no scripts, nothing from the network, nothing beside it.

mod bars;
mod cards;
mod columns;
mod markup;

use aiwaf_core::Timestamp;
use aiwaf_trainer::statistics::LogSummary;

use self::markup::Markup;
use super::figures::{bytes, count, milliseconds, moment, percent};
use super::notes::notes;

/// The page. `sources` says in a few words what was read, `made` when the report was made.
pub(super) fn page(summary: &LogSummary, sources: &str, made: Timestamp) -> String {
    let mut page = Markup::new();
    page.raw(include_str!("head.html"))
        .raw("<style>\n")
        .raw(include_str!("report.css"))
        .raw("</style>\n</head>\n<body>\n");
    header(&mut page, summary, sources);
    page.raw("<main>\n");
    if summary.requests > 0 {
        tiles(&mut page, summary);
        cards::write(&mut page, summary);
    }
    footer(&mut page, summary, made);
    page.raw("</main>\n</body>\n</html>\n");
    page.into_string()
}

/// What happened, in two sentences.
fn header(page: &mut Markup, summary: &LogSummary, sources: &str) {
    page.raw("<header><div class=\"mark\">").raw(include_str!("mark.svg"));
    page.raw("</div><div><h1>Access log report</h1><p class=\"lead\">");
    if let (Some(first), Some(last)) = (summary.first, summary.last) {
        let clients = summary.distinct_clients;
        page.raw(if clients.relative_error.is_some() { "About <b>" } else { "<b>" })
            .text(&count(clients.count));
        page.raw(if clients.count == 1 { "</b> client made <b>" } else { "</b> clients made <b>" });
        page.text(&count(summary.requests));
        page.raw(if summary.requests == 1 { "</b> request" } else { "</b> requests" });
        page.raw(" between <time>").text(&moment(first)).raw("</time> and <time>").text(&moment(last));
        page.raw("</time> UTC. ");
        blocked_sentence(page, summary);
    } else {
        page.raw("There is no request in these logs.");
    }
    page.raw("</p><p class=\"sources\">").text(sources).raw("</p></div></header>\n");
}

fn blocked_sentence(page: &mut Markup, summary: &LogSummary) {
    if summary.blocked == 0 {
        page.raw("None was blocked.");
        return;
    }
    page.raw("<b class=\"bad\">").text(&count(summary.blocked)).raw("</b> of them (");
    page.text(&percent(summary.blocked, summary.requests));
    page.raw(if summary.blocked == 1 { ") was blocked" } else { ") were blocked" });
    if let Some(reason) = summary.reasons.entries.iter().find(|reason| reason.blocked > 0) {
        page.raw(", most often for <q>").text(&reason.name).raw("</q>");
    }
    page.raw(".");
}

/// The figures that are looked for first.
fn tiles(page: &mut Markup, summary: &LogSummary) {
    page.raw("<dl class=\"tiles\">\n");
    let mut tile = |class: &'static str, label: &'static str, value: &str, detail: &str| {
        page.raw("<div class=\"").raw(class).raw("\"><dt>").text(label).raw("</dt><dd>").text(value);
        page.raw("</dd><dd class=\"detail\">").text(detail).raw("</dd></div>\n");
    };
    let all = summary.requests;
    let errors = |class: u16| -> u64 {
        let of_class = summary.statuses.iter().filter(|status| status.status / 100 == class);
        of_class.map(|status| status.requests).sum()
    };
    tile("tile", "Requests", &count(all), &pace(summary));
    let throttled = if summary.throttled > 0 {
        format!(", {} throttled", count(summary.throttled))
    } else {
        String::new()
    };
    let blocked = format!("{} of all{throttled}", percent(summary.blocked, all));
    tile(if summary.blocked > 0 { "tile bad" } else { "tile" }, "Blocked", &count(summary.blocked), &blocked);
    let clients = summary.distinct_clients;
    let about = if clients.relative_error.is_some() { "~" } else { "" };
    tile("tile", "Clients", &format!("{about}{}", count(clients.count)), "IPv6 networks (/64) count as one");
    if let Some(times) = &summary.response_time {
        let detail = format!(
            "on average; 95% within {}, 99% within {}",
            milliseconds(times.p95_ms),
            milliseconds(times.p99_ms)
        );
        tile("tile", "Response time", &milliseconds(times.average_ms), &detail);
    }
    let detail = format!("{} answered 4xx, blocked ones included", percent(errors(4), all));
    tile("tile", "Server errors (5xx)", &percent(errors(5), all), &detail);
    tile("tile", "Sent", &bytes(summary.bytes_sent), "in the bodies of answers");
    page.raw("</dl>\n");
}

/// Requests a second, on average.
#[allow(clippy::cast_precision_loss)] // three digits are shown
fn pace(summary: &LogSummary) -> String {
    let span = summary.first.zip(summary.last).map_or(0.0, |(first, last)| last.since(first).as_secs_f64());
    if span < 1.0 {
        return "all within a second".to_owned();
    }
    match summary.requests as f64 / span {
        pace if pace >= 100.0 => format!("{pace:.0} a second on average"),
        pace if pace >= 1.0 => format!("{pace:.1} a second on average"),
        pace if pace * 60.0 >= 1.0 => format!("{:.1} a minute on average", pace * 60.0),
        pace => format!("{:.1} an hour on average", pace * 3600.0),
    }
}

fn footer(page: &mut Markup, summary: &LogSummary, made: Timestamp) {
    page.raw("<footer>\n");
    let notes = notes(summary);
    if !notes.is_empty() {
        page.raw("<ul>\n");
        for note in notes {
            page.raw("<li>").text(&note).raw("</li>\n");
        }
        page.raw("</ul>\n");
    }
    page.raw("<p>All times are UTC. Made by aiwaf ")
        .text(env!("CARGO_PKG_VERSION"))
        .raw(" at ")
        .text(&moment(made));
    page.raw(". This page holds no scripts and loads nothing.</p>\n</footer>\n");
}
