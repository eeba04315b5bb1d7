//! Pictures of the report, as inline SVG that takes its colours from the page.

use std::fmt::Write as _;

use aiwaf_core::Timestamp;

use super::text::grouped;
use crate::traffic::Traffic;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 240.0;
/// Room for the numbers on the left and the words below.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 15.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 30.0;

/// How many requests have which score, and where the threshold is. Heights are logarithmic, for the few strange requests
/// would not be seen beside the many ordinary ones.
#[allow(clippy::cast_precision_loss)] // counts, drawn to a tenth of a pixel
pub(super) fn histogram(bins: &[u64], threshold: f64) -> String {
    let mut svg = open("Histogram of scores");
    let highest = bins.iter().copied().max().unwrap_or(0).max(1);
    let height = |count: u64| (count as f64).ln_1p() / (highest as f64).ln_1p();
    let mut power = 1;
    while power <= highest {
        label_left(&mut svg, height(power), &grouped(power));
        power = power.saturating_mul(10);
    }
    let width = plot_width() / bins.len().max(1) as f64;
    for (index, &count) in bins.iter().enumerate().filter(|(_, count)| **count > 0) {
        let middle = (index as f64 + 0.5) / bins.len() as f64;
        let class = if middle > threshold { "second" } else { "first" };
        let x = LEFT + index as f64 * width;
        let from = index as f64 / bins.len() as f64;
        let title = format!("{} requests with a score of {from:.2} or more", grouped(count));
        bar(&mut svg, class, x, width, height(count), 0.0, &title);
    }
    for tenth in 0..=10 {
        let x = LEFT + plot_width() * f64::from(tenth) / 10.0;
        text(&mut svg, x, HEIGHT - 10.0, "middle", &format!("{:.1}", f64::from(tenth) / 10.0));
    }
    let x = LEFT + plot_width() * threshold.clamp(0.0, 1.0);
    let bottom = HEIGHT - BOTTOM;
    put(
        &mut svg,
        format_args!("<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>"),
    );
    text(&mut svg, x, TOP - 10.0, "middle", &format!("threshold {threshold:.3}"));
    close(svg)
}

/// Requests over time: ordinary ones, errors, and those for paths that only scanners ask for.
#[allow(clippy::cast_precision_loss)] // counts and times, drawn to a tenth of a pixel
pub(super) fn traffic(traffic: &Traffic) -> String {
    let (Some(first), Some(last)) = (traffic.spans.first(), traffic.spans.last()) else {
        return "<p>No requests.</p>".to_owned();
    };
    let mut svg = open("Requests over time");
    let highest = traffic.spans.iter().map(|span| span.requests).max().unwrap_or(0).max(1);
    let share = |count: u64| count as f64 / highest as f64;
    for part in [1.0, 0.5] {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a part of a count
        label_left(&mut svg, part, &grouped((highest as f64 * part) as u64));
    }
    let spans = (last.start.saturating_sub(first.start) / traffic.span_seconds.max(1)).saturating_add(1);
    let width = plot_width() / spans as f64;
    for span in &traffic.spans {
        let index = span.start.saturating_sub(first.start) / traffic.span_seconds.max(1);
        let x = LEFT + index as f64 * width;
        let scanning = span.scanning.min(span.errors);
        let parts = [
            ("second", scanning, "for paths that only scanners ask for"),
            ("third", span.errors - scanning, "other errors"),
            ("first", span.requests.saturating_sub(span.errors), "answered"),
        ];
        let mut below = 0.0;
        for (class, count, what) in parts.into_iter().filter(|(_, count, _)| *count > 0) {
            let title = format!("{}: {} {what}", when(span.start), grouped(count));
            bar(&mut svg, class, x, width, share(count), below, &title);
            below += share(count);
        }
    }
    text(&mut svg, LEFT, HEIGHT - 10.0, "start", &when(first.start));
    text(&mut svg, WIDTH - RIGHT, HEIGHT - 10.0, "end", &when(last.start));
    let mut x = LEFT;
    for (class, what) in
        [("first", "answered"), ("third", "errors"), ("second", "for paths that only scanners ask for")]
    {
        put(&mut svg, format_args!("<rect class=\"{class}\" x=\"{x}\" y=\"5\" width=\"11\" height=\"11\"/>"));
        text(&mut svg, x + 16.0, 15.0, "start", what);
        x += 100.0;
    }
    close(svg)
}

fn when(seconds: i64) -> String {
    let time = Timestamp::from_unix_micros(seconds.saturating_mul(1_000_000)).to_string();
    time.get(..16).unwrap_or(&time).replace('T', " ")
}

fn plot_width() -> f64 {
    WIDTH - LEFT - RIGHT
}

fn plot_height() -> f64 {
    HEIGHT - TOP - BOTTOM
}

fn open(title: &str) -> String {
    let bottom = HEIGHT - BOTTOM;
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\
         <line class=\"axis\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{bottom}\" y2=\"{bottom}\"/>",
        WIDTH - RIGHT
    )
}

fn close(mut svg: String) -> String {
    svg.push_str("</svg>");
    svg
}

/// A bar with a height from 0 to 1 on top of what is below it.
fn bar(svg: &mut String, class: &str, x: f64, width: f64, height: f64, below: f64, title: &str) {
    let tall = height * plot_height();
    let y = HEIGHT - BOTTOM - below * plot_height() - tall;
    let wide = (width - if width > 4.0 { 1.0 } else { 0.0 }).max(1.0);
    put(
        svg,
        format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{tall:.1}\">\
             <title>{title}</title></rect>"
        ),
    );
}

fn label_left(svg: &mut String, height: f64, label: &str) {
    let y = HEIGHT - BOTTOM - height * plot_height();
    let (from, to) = (LEFT, WIDTH - RIGHT);
    put(svg, format_args!("<line class=\"axis\" x1=\"{from}\" x2=\"{to}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"));
    text(svg, LEFT - 8.0, y + 4.0, "end", label);
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, what: &str) {
    put(svg, format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{what}</text>"));
}

fn put(svg: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string can't fail.
    let _ = svg.write_fmt(what);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::TrafficSpan;

    #[test]
    fn pictures_hold_what_they_show() {
        let svg = histogram(&[0, 10, 1000, 1], 0.6);
        assert_eq!(svg.matches("<rect").count(), 3);
        assert!(svg.contains("threshold 0.600") && svg.contains("1,000 requests with a score of 0.50"));
        assert!(histogram(&[], f64::NAN).ends_with("</svg>"));
    }

    #[test]
    fn odd_times_are_drawn() {
        let span = |start| TrafficSpan { start, requests: 3, errors: 2, scanning: 5 };
        for spans in [vec![], vec![span(0)], vec![span(i64::MIN), span(i64::MAX)]] {
            let svg = traffic(&Traffic { span_seconds: 60, spans });
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
