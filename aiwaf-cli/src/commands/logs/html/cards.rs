//! The parts of the report: each a chart or a list with a title.

use aiwaf_trainer::statistics::{LogSummary, TimelineBucket, TopList};

use super::bars::{Bar, BarList};
use super::columns::{Column, ColumnChart, Series};
use super::markup::Markup;
use crate::commands::logs::figures::{
    count, country_name, milliseconds, status_name, stretch, stretch_length,
};
use crate::commands::logs::notes::spans_days;
use crate::commands::logs::ticks::ticks;

/// Writes all parts for which there are figures.
pub(super) fn write(page: &mut Markup, summary: &LogSummary) {
    over_time(page, summary);
    page.raw("<div class=\"cards\">\n");
    let whole = summary.requests;
    if !summary.reasons.entries.is_empty() {
        let marked = summary.blocked + summary.monitored;
        list(
            page,
            "Why requests were blocked",
            &monitored_note(summary),
            &BarList {
                bars: bars(&summary.reasons, "monitored"),
                ..BarList::of("Reason", "Requests", marked)
            },
        );
        list(page, "Which protection blocked", "", &protections(summary));
    }
    if summary.blocked > 0 {
        list(
            page,
            "Most blocked clients",
            "",
            &BarList {
                bars: bars(&summary.blocked_clients, "passed"),
                is_code: true,
                ..BarList::of("Client", "Blocked", summary.blocked)
            },
        );
        list(
            page,
            "Most blocked paths",
            "",
            &BarList {
                bars: bars(&summary.blocked_paths, "passed"),
                is_code: true,
                ..BarList::of("Path", "Blocked", summary.blocked)
            },
        );
    }
    response_times(page, summary);
    if spans_days(summary) {
        by_hour(page, summary);
    }
    let in_red = if summary.blocked > 0 { "The red part was blocked." } else { "" };
    for (title, heading, entries) in
        [("Top clients", "Client", &summary.clients), ("Top paths", "Path", &summary.paths)]
    {
        list(
            page,
            title,
            in_red,
            &BarList {
                bars: bars(entries, "passed"),
                is_code: true,
                ..BarList::of(heading, "Requests", whole)
            },
        );
    }
    countries(page, summary, in_red);
    list(page, "Status codes", "", &statuses(summary));
    list(
        page,
        "Methods",
        in_red,
        &BarList {
            bars: bars(&summary.methods, "passed"),
            is_code: true,
            ..BarList::of("Method", "Requests", whole)
        },
    );
    list(
        page,
        "User agents",
        in_red,
        &BarList { bars: bars(&summary.agents, "passed"), ..BarList::of("User agent", "Requests", whole) },
    );
    page.raw("</div>\n");
}

/// The parts of a column, from the bottom.
const TRAFFIC: &[Series] = &[
    Series { name: "Answered", class: "passed" },
    Series { name: "Errors (4xx, 5xx)", class: "error" },
    Series { name: "Blocked", class: "blocked" },
];
const BLOCKED: &[Series] = &[Series { name: "Blocked", class: "blocked" }];
const PASSED_AND_BLOCKED: &[Series] =
    &[Series { name: "Not blocked", class: "passed" }, Series { name: "Blocked", class: "blocked" }];
const ANSWERS: &[Series] = &[Series { name: "Answers", class: "passed" }];

/// So many countries are shown.
const COUNTRIES: usize = 12;
/// So many statuses are shown.
const STATUSES: usize = 10;
/// So many ticks an axis can have.
const TICKS: usize = 8;

fn over_time(page: &mut Markup, summary: &LogSummary) {
    let timeline = &summary.timeline;
    let (buckets, seconds) = (&timeline.buckets, timeline.bucket_seconds);
    // The first of equal ones.
    let busiest = buckets.iter().rev().max_by_key(|bucket| bucket.requests);
    let worst = buckets.iter().rev().filter(|bucket| bucket.blocked > 0).max_by_key(|bucket| bucket.blocked);
    let told = |what: &str, bucket: Option<&TimelineBucket>, number: fn(&TimelineBucket) -> u64| {
        bucket.map_or(String::new(), |bucket| {
            format!(" {what} {} ({}).", count(number(bucket)), stretch(bucket.start, seconds))
        })
    };
    let columns = |values: fn(&TimelineBucket) -> Vec<u64>| -> Vec<Column> {
        let ticks = ticks(timeline, TICKS);
        let labelled = buckets.iter().zip(ticks);
        labelled
            .map(|(bucket, tick)| Column {
                label: stretch(bucket.start, seconds),
                tick,
                values: values(bucket),
            })
            .collect()
    };
    let busiest = told("Most requests:", busiest, |bucket| bucket.requests);
    let traffic = ColumnChart {
        description: format!("Requests over time, in columns of {}.{busiest}", stretch_length(seconds)),
        columns: columns(|bucket| {
            let answered = bucket.requests.saturating_sub(bucket.blocked + bucket.errors);
            vec![answered, bucket.errors, bucket.blocked]
        }),
        is_upper: worst.is_some(),
        ..ColumnChart::of("From", TRAFFIC)
    };
    card(page, "Requests over time", TRAFFIC, |page| {
        page.raw("<p class=\"note\">Each column is ")
            .text(&stretch_length(seconds))
            .raw(".")
            .text(&busiest)
            .raw("</p>\n");
        traffic.write(page);
        if worst.is_some() {
            let worst = told("Most at once:", worst, |bucket| bucket.blocked);
            page.raw("<p class=\"under\">Blocked, on a scale of its own.").text(&worst).raw("</p>\n");
            let blocked = ColumnChart {
                description: format!("Blocked requests over time.{worst}"),
                columns: columns(|bucket| vec![bucket.blocked]),
                is_small: true,
                ..ColumnChart::of("From", BLOCKED)
            };
            blocked.write(page);
        }
        traffic.write_table(page);
    });
}

fn by_hour(page: &mut Markup, summary: &LogSummary) {
    let busiest = summary.hours.iter().rev().max_by_key(|hour| hour.requests);
    let busiest = busiest.map_or(String::new(), |hour| {
        format!("Busiest from {:02}:00 on, with {} requests.", hour.hour, count(hour.requests))
    });
    let chart = ColumnChart {
        description: format!("Requests by the hour of the day. {busiest}"),
        columns: summary
            .hours
            .iter()
            .map(|hour| Column {
                label: format!("{:02}:00", hour.hour),
                tick: (hour.hour % 3 == 0).then(|| format!("{:02}:00", hour.hour)),
                values: vec![hour.requests.saturating_sub(hour.blocked), hour.blocked],
            })
            .collect(),
        ..ColumnChart::of("Hour (UTC)", PASSED_AND_BLOCKED)
    };
    card(page, "By hour of the day", PASSED_AND_BLOCKED, |page| {
        page.raw("<p class=\"note\">").text(&busiest).raw(" All days together, in UTC.</p>\n");
        chart.write(page);
        chart.write_table(page);
    });
}

fn response_times(page: &mut Markup, summary: &LogSummary) {
    let Some(times) = &summary.response_time else { return };
    let quantiles = format!(
        "Half within {}, 95% within {}, 99% within {}, the slowest {}.",
        milliseconds(times.p50_ms),
        milliseconds(times.p95_ms),
        milliseconds(times.p99_ms),
        milliseconds(times.max_ms)
    );
    let every = times.histogram.len().div_ceil(TICKS).max(1);
    let chart = ColumnChart {
        description: format!("How long answers took. {quantiles}"),
        columns: times
            .histogram
            .iter()
            .enumerate()
            .map(|(number, bar)| Column {
                label: match bar.to_ms {
                    Some(to) => format!("{} to {}", milliseconds(bar.from_ms), milliseconds(to)),
                    None => format!("{} and more", milliseconds(bar.from_ms)),
                },
                tick: number.is_multiple_of(every).then(|| milliseconds(bar.from_ms)),
                values: vec![bar.requests],
            })
            .collect(),
        ..ColumnChart::of("Response time", ANSWERS)
    };
    card(page, "Response times", &[], |page| {
        page.raw("<p class=\"note\">").text(&quantiles).raw("</p>\n");
        chart.write(page);
        chart.write_table(page);
    });
}

fn countries(page: &mut Markup, summary: &LogSummary, note: &str) {
    let Some(countries) = &summary.countries else { return };
    let bars = countries.iter().take(COUNTRIES).map(|country| Bar {
        name: country_name(country.country),
        number: country.requests,
        blocked: country.blocked,
        missed: 0,
        class: "passed",
    });
    list(
        page,
        "Countries",
        note,
        &BarList { bars: bars.collect(), ..BarList::of("Country", "Requests", summary.requests) },
    );
}

fn protections(summary: &LogSummary) -> BarList {
    let bars = summary.protections.iter().map(|protection| {
        let blocked = protection.blocked + protection.throttled;
        Bar {
            name: protection.protection.to_owned(),
            number: blocked + protection.monitored,
            blocked,
            missed: 0,
            class: "monitored",
        }
    });
    BarList {
        bars: bars.collect(),
        is_code: true,
        ..BarList::of("Protection", "Requests", summary.blocked + summary.monitored)
    }
}

fn statuses(summary: &LogSummary) -> BarList {
    let mut statuses = summary.statuses.clone();
    statuses.sort_by_key(|status| std::cmp::Reverse(status.requests));
    let bars = statuses.iter().take(STATUSES).map(|status| Bar {
        name: status_name(status.status),
        number: status.requests,
        blocked: 0,
        missed: 0,
        class: match status.status {
            100..=299 => "passed",
            300..=399 => "slow",
            400..=499 => "error",
            _ => "blocked",
        },
    });
    BarList { bars: bars.collect(), ..BarList::of("Status", "Requests", summary.requests) }
}

fn monitored_note(summary: &LogSummary) -> String {
    match summary.monitored {
        0 => String::new(),
        number => format!(
            "The violet part, {} in all, passed: protections in monitor mode would have blocked it.",
            count(number)
        ),
    }
}

fn bars(list: &TopList, class: &'static str) -> Vec<Bar> {
    let bars = list.entries.iter().map(|entry| Bar {
        name: entry.name.clone(),
        number: entry.requests,
        blocked: entry.blocked,
        missed: entry.missed,
        class,
    });
    bars.collect()
}

fn list(page: &mut Markup, title: &'static str, note: &str, list: &BarList) {
    card(page, title, &[], |page| {
        if !note.is_empty() {
            page.raw("<p class=\"note\">").text(note).raw("</p>\n");
        }
        list.write(page);
    });
}

fn card(page: &mut Markup, title: &'static str, legend: &[Series], write: impl FnOnce(&mut Markup)) {
    page.raw("<section><div class=\"title\"><h2>").text(title).raw("</h2>");
    if !legend.is_empty() {
        page.raw("<ul class=\"legend\">");
        for series in legend {
            page.raw("<li><svg aria-hidden=\"true\"><rect class=\"").text(series.class).raw("\"/></svg>");
            page.text(series.name).raw("</li>");
        }
        page.raw("</ul>");
    }
    page.raw("</div>\n");
    write(page);
    page.raw("</section>\n");
}
