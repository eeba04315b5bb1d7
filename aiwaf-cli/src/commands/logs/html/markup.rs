//! Writing HTML that no text from a log can break out of.

use std::fmt::Write as _;

/// HTML that grows. Markup can only be a literal of this program; everything else goes through
/// [`text`](Self::text), which escapes. So nothing that an attacker wrote into a log can become
/// markup, whoever edits the report.
pub(super) struct Markup(String);

impl Markup {
    pub(super) fn new() -> Self {
        Self(String::new())
    }

    /// Appends markup of this program.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Appends text, escaped for elements and for attributes in double or single quotes.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '`' => self.0.push_str("&#96;"),
                // Not allowed in HTML; summaries hold none.
                control if control.is_control() => self.0.push('\u{fffd}'),
                plain => self.0.push(plain),
            }
        }
        self
    }

    /// Appends a share (0 to 1) as a percentage of a drawing.
    pub(super) fn percentage(&mut self, share: f64) -> &mut Self {
        // Writing to a string can't fail.
        let _ = write!(self.0, "{:.3}%", share.clamp(0.0, 1.0) * 100.0);
        self
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let mut markup = Markup::new();
        markup.raw("<td title=\"").text("\"><script>alert('x')</script>&`").raw("\">").text("7").raw("</td>");
        assert_eq!(
            markup.into_string(),
            "<td title=\"&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&#96;\">7</td>"
        );
    }

    proptest::proptest! {
        #[test]
        fn nothing_breaks_out(text: String) {
            let mut markup = Markup::new();
            markup.text(&text);
            let shown = markup.into_string();
            proptest::prop_assert!(!shown.contains(['<', '>', '"', '\'', '`']));
            let entities = ["amp;", "lt;", "gt;", "quot;", "#39;", "#96;"];
            let is_entity = |rest: &str| entities.iter().any(|entity| rest.starts_with(entity));
            proptest::prop_assert!(shown.split('&').skip(1).all(is_entity), "{}", shown);
        }
    }
}
