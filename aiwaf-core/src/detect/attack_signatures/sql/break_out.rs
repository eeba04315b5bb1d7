//! What a value does that lands inside quotes.

use std::ops::Range;

use smallvec::SmallVec;

use super::continuation::continues_expression;
use super::grammar::Reader;
use super::quotation::Quotation;
use super::statement::continues_statement;
use super::token::{Kind, Token, Tokens};
use super::words::Word;

/// Where `value` closes a quote that an application put around it and goes on with SQL; `None` if it does not.
///
/// Judged are the first `'` and the first `"` of the value: each is read as the end of the string that the value is
/// put into. What follows has to be able to follow a string.
pub(in super::super) fn break_out(value: &[u8]) -> Option<Range<usize>> {
    [b'\'', b'"'].into_iter().find_map(|quote| after_quote(value, quote))
}

/// Tokens that are looked at behind the quote.
const WINDOW: usize = 32;

fn after_quote(value: &[u8], quote: u8) -> Option<Range<usize>> {
    let first = memchr::memchr(quote, value)?;
    let mut from = first;
    // A doubled quote is a quote inside of the string: the first single one ends it.
    while value.get(from + 1) == Some(&quote) {
        let Some(next) = memchr::memchr(quote, value.get(from + 2..)?) else {
            // `''`: nothing but an empty string, or the quote is closed by what was in front.
            from += 1;
            break;
        };
        from += 2 + next;
    }
    judge(value, quote, from).or_else(|| (from != first).then(|| judge(value, quote, first)).flatten())
}

fn judge(value: &[u8], quote: u8, at: usize) -> Option<Range<usize>> {
    let mut tokens = Tokens::new(value, at + 1);
    let first = tokens.next()?;
    // A word or number right behind the quote: it opened a quotation, or is an apostrophe.
    if matches!(first.kind, Kind::Name | Kind::Number) {
        return None;
    }
    // So is a statement's word between two quotes: `"select"`. `'or'1` is none, and SQL reads it.
    if matches!(first.kind, Kind::Word(Word::Select | Word::Statement | Word::Command))
        && value.get(first.end) == Some(&quote)
    {
        return None;
    }
    let tokens: SmallVec<[Token; WINDOW]> = std::iter::once(first).chain(tokens).take(WINDOW).collect();
    let quotation = Quotation { value, at, quote };
    let mut reader = Reader::new(&tokens, 0);
    reader.take_while(|kind| kind == Kind::Close);
    let closed_brackets = reader.at;
    if closed_brackets > 0 && is_chained_call(&tokens[closed_brackets..], quote) {
        return None;
    }
    let hit = continues_expression(&mut reader, &quotation, closed_brackets > 0).or_else(|| {
        continues_statement(&mut Reader::new(&tokens, closed_brackets), &quotation, closed_brackets > 0)
    })?;
    let end = tokens.get(hit.min(tokens.len().checked_sub(1)?)).map_or(value.len(), |token| token.end);
    Some(at..end.max(first.end))
}

/// Whether these tokens call a method with a string, as in `where("a") select("b")`: the bracket is right behind the
/// name, and the quote right behind the bracket.
fn is_chained_call(tokens: &[Token], quote: u8) -> bool {
    let [name, open, text, ..] = tokens else { return false };
    matches!(name.kind, Kind::Word(Word::Select | Word::Statement | Word::Command))
        && open.kind == Kind::Open
        && !open.spaced
        && matches!(text.kind, Kind::Text { quote: own, .. } if own == quote && quote == b'"')
        && !text.spaced
}
