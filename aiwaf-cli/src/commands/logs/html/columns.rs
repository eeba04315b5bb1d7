//! Charts of columns: requests over time, by the hour, by response time.

use super::markup::Markup;
use crate::commands::logs::figures::{compact, count, share};

/// A chart of stacked columns, with a table of the same figures behind it.
pub(super) struct ColumnChart {
    /// What it shows, in a sentence, for those who can't see it.
    pub(super) description: String,
    /// What the first column of the table is.
    pub(super) heading: &'static str,
    /// What is stacked, from the bottom.
    pub(super) series: &'static [Series],
    pub(super) columns: Vec<Column>,
    /// Lower than the others, for a second chart with the same axis.
    pub(super) is_small: bool,
    /// Axis and table are left to the chart below.
    pub(super) is_upper: bool,
}

/// There is room for so many columns at least, so that a single one is no wall.
const FEWEST: usize = 12;

/// A part of each column.
pub(super) struct Series {
    pub(super) name: &'static str,
    /// The class that gives it its colour.
    pub(super) class: &'static str,
}

/// One column.
pub(super) struct Column {
    /// What it stands for.
    pub(super) label: String,
    /// What stands below it on the axis, if anything.
    pub(super) tick: Option<String>,
    /// One for each series, then what else the table shows.
    pub(super) values: Vec<u64>,
}

impl ColumnChart {
    /// A chart without columns.
    pub(super) fn of(heading: &'static str, series: &'static [Series]) -> Self {
        Self {
            description: String::new(),
            heading,
            series,
            columns: Vec::new(),
            is_small: false,
            is_upper: false,
        }
    }

    pub(super) fn write(&self, page: &mut Markup) {
        if self.columns.is_empty() {
            page.raw("<p class=\"none\">Nothing to show.</p>\n");
            return;
        }
        page.raw(if self.is_small { "<div class=\"chart small\">" } else { "<div class=\"chart\">" });
        let scale = self.write_scale(page);
        page.raw("<svg class=\"plot\" role=\"img\" aria-label=\"").text(&self.description).raw("\">\n");
        Self::write_grid(page, scale);
        let width = share(1, self.columns.len().max(FEWEST) as u64);
        let mut left = 0.0;
        for column in &self.columns {
            self.write_column(page, column, left, width, scale.top());
            left += width;
        }
        page.raw("</svg>\n");
        if !self.is_upper {
            self.write_axis(page, width);
        }
        page.raw("</div>\n");
    }

    /// The table of the figures, folded away.
    pub(super) fn write_table(&self, page: &mut Markup) {
        page.raw("<details><summary>Show as a table</summary><div class=\"scroll\"><table class=\"figures\"><thead><tr><th scope=\"col\">");
        page.text(self.heading).raw("</th>");
        for series in self.series {
            page.raw("<th scope=\"col\">").text(series.name).raw("</th>");
        }
        page.raw("</tr></thead><tbody>\n");
        for column in &self.columns {
            page.raw("<tr><th scope=\"row\">").text(&column.label).raw("</th>");
            for value in &column.values {
                page.raw("<td>").text(&count(*value)).raw("</td>");
            }
            page.raw("</tr>\n");
        }
        page.raw("</tbody></table></div></details>\n");
    }

    /// Round numbers beside the plot.
    fn write_scale(&self, page: &mut Markup) -> Scale {
        let highest = self.columns.iter().map(Column::height).max().unwrap_or(0);
        let scale = Scale::up_to(highest, if self.is_small { 2 } else { 4 });
        page.raw("<svg class=\"scale\" aria-hidden=\"true\">");
        for (value, y) in scale.lines() {
            page.raw("<text x=\"100%\" dy=\"4\" y=\"")
                .percentage(y)
                .raw("\">")
                .text(&compact(value))
                .raw("</text>");
        }
        page.raw("</svg>\n");
        scale
    }

    fn write_grid(page: &mut Markup, scale: Scale) {
        for (_, y) in scale.lines() {
            page.raw("<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"").percentage(y);
            page.raw("\" y2=\"").percentage(y).raw("\"/>");
        }
        page.raw("\n");
    }

    fn write_column(&self, page: &mut Markup, column: &Column, left: f64, width: f64, top: u64) {
        page.raw("<g class=\"column\"><title>").text(&column.label);
        for (series, value) in self.series.iter().zip(&column.values) {
            page.raw("\n").text(series.name).raw(": ").text(&count(*value));
        }
        page.raw("</title><rect class=\"hit\" y=\"0\" height=\"100%\" x=\"").percentage(left);
        page.raw("\" width=\"").percentage(width).raw("\"/>");
        let gap = width * 0.12;
        let mut below = 0;
        for (series, value) in self.series.iter().zip(&column.values) {
            if *value == 0 {
                continue;
            }
            below += *value;
            page.raw("<rect class=\"").text(series.class).raw("\" x=\"").percentage(left + gap);
            page.raw("\" width=\"").percentage(width - 2.0 * gap);
            page.raw("\" y=\"").percentage(1.0 - share(below, top));
            page.raw("\" height=\"").percentage(share(*value, top)).raw("\"/>");
        }
        page.raw("</g>\n");
    }

    fn write_axis(&self, page: &mut Markup, width: f64) {
        page.raw("<svg class=\"axis\" aria-hidden=\"true\">");
        let ticks =
            || self.columns.iter().enumerate().filter_map(|(at, column)| Some((at, column.tick.as_ref()?)));
        // A narrow screen shows every second label: those with the dates, without which times of day mean nothing.
        let first_shown = ticks().position(|(_, tick)| !tick.contains(':')).unwrap_or(0) % 2;
        for (number, (at, tick)) in ticks().enumerate() {
            #[allow(clippy::cast_precision_loss)] // columns are few
            let left = width * at as f64;
            page.raw(if number % 2 == first_shown { "<g>" } else { "<g class=\"minor\">" });
            page.raw("<line y1=\"0\" y2=\"5\" x1=\"").percentage(left).raw("\" x2=\"").percentage(left);
            // The first and last ones would be cut off at the edge.
            page.raw(match left {
                left if left < 0.03 => "\"/><text class=\"first\" y=\"18\" x=\"",
                left if left > 0.95 => "\"/><text class=\"last\" y=\"18\" x=\"",
                _ => "\"/><text y=\"18\" x=\"",
            });
            page.percentage(left).raw("\">").text(tick).raw("</text></g>");
        }
        page.raw("</svg>\n");
    }
}

impl Column {
    fn height(&self) -> u64 {
        self.values.iter().sum()
    }
}

/// The numbers that stand beside the plot: multiples of `step` from 0 on.
#[derive(Clone, Copy)]
struct Scale {
    step: u64,
    steps: u64,
}

impl Scale {
    /// At most `most` steps to a number that is not below `highest`.
    fn up_to(highest: u64, most: u64) -> Self {
        let step = round_step(highest, most);
        Self { step, steps: highest.div_ceil(step).max(1) }
    }

    fn top(self) -> u64 {
        self.step.saturating_mul(self.steps)
    }

    /// The numbers, and how far from the top they stand, 0 to 1.
    fn lines(self) -> impl Iterator<Item = (u64, f64)> {
        (0..=self.steps).map(move |line| (self.step.saturating_mul(line), 1.0 - share(line, self.steps)))
    }
}

/// 1, 2 or 5 times a power of ten, so that at most `most` steps are below `highest`.
fn round_step(highest: u64, most: u64) -> u64 {
    let mut step = 1u64;
    let mut factors = [2, 5, 10].into_iter().cycle();
    let mut power = 1u64;
    while highest.div_ceil(step) > most {
        let Some(factor) = factors.next() else { break };
        step = power.saturating_mul(factor);
        if factor == 10 {
            power = step;
        }
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        let steps = [(0, 4), (3, 4), (5, 4), (9, 4), (21, 4), (99, 4), (1234, 4), (7, 2)]
            .map(|(highest, most)| round_step(highest, most));
        assert_eq!(steps, [1, 1, 2, 5, 10, 50, 500, 5]);
        assert!(u64::MAX.div_ceil(round_step(u64::MAX, 4)) <= 4);
    }

    #[test]
    fn dates_are_among_the_labels_that_narrow_screens_show() {
        let shown = |ticks: &[&str]| {
            let column = |tick: &&str| Column {
                label: String::new(),
                tick: Some((*tick).to_owned()),
                values: vec![1],
            };
            let chart = ColumnChart {
                description: String::new(),
                heading: "Time",
                series: &[Series { name: "Passed", class: "passed" }],
                columns: ticks.iter().map(column).collect(),
                is_small: false,
                is_upper: false,
            };
            let mut page = Markup::new();
            chart.write_axis(&mut page, 0.1);
            let page = page.into_string();
            let is_shown = |tick: &&&str| {
                let end = page.find(&format!(">{tick}</text>")).unwrap();
                page[..end].rfind("<g>") > page[..end].rfind("<g class=\"minor\">")
            };
            ticks.iter().filter(is_shown).map(|tick| (*tick).to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(shown(&["11:00", "18 May", "12:00", "19 May", "13:00"]), ["18 May", "19 May"]);
        assert_eq!(shown(&["8 Sep", "03:00", "06:00"]), ["8 Sep", "06:00"]);
        assert_eq!(shown(&["07:00", "08:00", "09:00"]), ["07:00", "09:00"]);
    }

    #[test]
    fn columns_are_drawn_from_the_bottom_and_told_as_text() {
        const SERIES: &[Series] =
            &[Series { name: "Passed", class: "passed" }, Series { name: "Blocked", class: "blocked" }];
        let chart = ColumnChart {
            description: "Requests".into(),
            heading: "Time",
            series: SERIES,
            columns: vec![Column { label: "<now>".into(), tick: Some("now".into()), values: vec![3, 1] }],
            is_small: false,
            is_upper: false,
        };
        let mut page = Markup::new();
        chart.write(&mut page);
        chart.write_table(&mut page);
        let page = page.into_string();
        assert!(page.contains("<title>&lt;now&gt;\nPassed: 3\nBlocked: 1</title>"), "{page}");
        assert!(
            page.contains("class=\"blocked\" x=\"1.000%\" width=\"6.333%\" y=\"0.000%\" height=\"25.000%\""),
            "{page}"
        );
        assert!(page.contains("<tr><th scope=\"row\">&lt;now&gt;</th><td>3</td><td>1</td></tr>"), "{page}");
    }
}
