//! Lists with a bar for each entry: clients, paths, reasons. They are tables, so they need no other text.

use super::markup::Markup;
use crate::commands::logs::figures::{count, percent, share};

/// A list of names with numbers.
pub(super) struct BarList {
    /// What the names are.
    pub(super) heading: &'static str,
    /// What the numbers are.
    pub(super) unit: &'static str,
    /// Whether names are set in the type of a terminal, as paths and addresses are.
    pub(super) is_code: bool,
    /// What all numbers are shares of.
    pub(super) whole: u64,
    pub(super) bars: Vec<Bar>,
}

/// One entry.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) number: u64,
    /// How much of it is drawn in the colour of what was blocked.
    pub(super) blocked: u64,
    /// How much more it can be at most.
    pub(super) missed: u64,
    /// The class that gives the rest its colour.
    pub(super) class: &'static str,
}

impl BarList {
    /// A list without entries.
    pub(super) fn of(heading: &'static str, unit: &'static str, whole: u64) -> Self {
        Self { heading, unit, is_code: false, whole, bars: Vec::new() }
    }

    pub(super) fn write(&self, page: &mut Markup) {
        if self.bars.is_empty() {
            page.raw("<p class=\"none\">None.</p>\n");
            return;
        }
        let longest = self.bars.iter().map(|bar| bar.number).max().unwrap_or(0);
        page.raw("<table class=\"bars\"><thead><tr><th scope=\"col\">").text(self.heading);
        page.raw("</th><th scope=\"col\">")
            .text(self.unit)
            .raw("</th><th scope=\"col\">Share</th></tr></thead><tbody>\n");
        for bar in &self.bars {
            page.raw("<tr><th scope=\"row\"><span class=\"").raw(if self.is_code {
                "name code"
            } else {
                "name"
            });
            page.raw("\" title=\"").text(&bar.name).raw("\">").text(&bar.name).raw("</span></th><td>");
            bar.write_number(page);
            page.raw("</td><td class=\"share\">").text(&percent(bar.number, self.whole));
            page.raw("</td></tr><tr class=\"bar\" aria-hidden=\"true\"><td colspan=\"3\"><svg>");
            let length = share(bar.number, longest);
            let blocked = length * share(bar.blocked, bar.number);
            page.raw("<rect class=\"track\" width=\"100%\"/><rect class=\"")
                .raw(bar.class)
                .raw("\" width=\"")
                .percentage(length);
            page.raw("\"/>");
            if bar.blocked > 0 {
                page.raw("<rect class=\"blocked\" x=\"").percentage(length - blocked).raw("\" width=\"");
                page.percentage(blocked).raw("\"/>");
            }
            page.raw("</svg></td></tr>\n");
        }
        page.raw("</tbody></table>\n");
    }
}

impl Bar {
    fn write_number(&self, page: &mut Markup) {
        if self.missed > 0 {
            page.raw("<abbr title=\"at least ").text(&count(self.number)).raw(", at most ");
            page.text(&count(self.number.saturating_add(self.missed))).raw("\">\u{2265} ");
            page.text(&count(self.number)).raw("</abbr>");
        } else {
            page.text(&count(self.number));
        }
    }
}
