//! The quote at which a value is judged, and what stands around it.

use super::grammar::Operand;
use super::token::Token;

/// The quote at which the value is judged, and what stands around it.
pub(super) struct Quotation<'v> {
    /// The value.
    pub(super) value: &'v [u8],
    /// Where the quote is.
    pub(super) at: usize,
    /// Which one it is.
    pub(super) quote: u8,
}

impl Quotation<'_> {
    /// Whether the string that was opened last is left for the application's own quote to close.
    pub(super) fn is_rejoined(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Text { quote, closed: false } if quote == self.quote)
    }

    /// Whether what stands between this quote and the next is one bare word or sign, as in `"LIKE" STAMP`.
    pub(super) fn quotes_a_word(&self) -> bool {
        let rest = self.value.get(self.at + 1..).unwrap_or_default();
        let Some(length) = memchr::memchr(self.quote, rest) else { return false };
        let quoted = rest.get(..length).unwrap_or_default();
        let before = self.at.checked_sub(1).and_then(|before| self.value.get(before));
        before.is_none_or(|byte| {
            byte.is_ascii_whitespace() || matches!(byte, b'(' | b'[' | b',' | b':' | b'+' | b'=')
        }) && !quoted.is_empty()
            && !quoted.iter().any(u8::is_ascii_whitespace)
    }

    /// Whether the value is nothing but two quotes and what stands between: `'='`.
    pub(super) fn is_whole_value(&self) -> bool {
        self.value.len() <= 4 && self.quote == b'\''
    }

    /// Whether a comment right behind the quote is there to cut the statement off.
    pub(super) fn is_cut_off(&self, comment: Token, brackets: bool) -> bool {
        let text = self.value.get(comment.start..comment.end).unwrap_or_default();
        let content =
            text.trim_ascii_start().get(if text.starts_with(b"#") { 1 } else { 2 }..).unwrap_or_default();
        let blank = |content: &[u8]| {
            content
                .iter()
                .all(|byte| byte.is_ascii_whitespace() || matches!(byte, b'-' | b'+' | b'#' | b'/' | b'*'))
        };
        if brackets || blank(content) {
            // `(the 'best') --` has its quotes in pairs.
            let before = self.value.get(..self.at).unwrap_or_default();
            return !before.contains(&self.quote) && !before.is_empty() || self.at == 0;
        }
        // `'-- x`, but not `'#1` and not `' --no`.
        content.first().is_some_and(u8::is_ascii_whitespace) && !text.starts_with(b"#") && !comment.spaced
    }
}
