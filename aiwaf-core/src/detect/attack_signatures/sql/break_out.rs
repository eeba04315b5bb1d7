//! What a value does that lands inside quotes.

use std::ops::Range;

use smallvec::SmallVec;

use super::grammar::{Operand, Reader, is_select_list, is_union_select};
use super::token::{Kind, Tail, Token, Tokens};
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
    let verdict = judge(value, quote, from);
    let verdict = verdict.or_else(|| (from != first).then(|| judge(value, quote, first)).flatten())?;
    Some(verdict)
}

fn judge(value: &[u8], quote: u8, at: usize) -> Option<Range<usize>> {
    let tokens: SmallVec<[Token; WINDOW]> = Tokens::new(value, at + 1).take(WINDOW).collect();
    let first = tokens.first()?;
    // A word or number right behind the quote: it opened a quotation, or is an apostrophe.
    let quotation = Quotation { value, at, quote };
    let mut reader = Reader::new(&tokens, 0);
    reader.take_while(|kind| kind == Kind::Close);
    let closed_brackets = reader.at;
    let hit = continues_expression(&mut reader, &quotation, closed_brackets).or_else(|| {
        continues_statement(&mut Reader::new(&tokens, closed_brackets), &quotation, closed_brackets > 0)
    })?;
    let end = tokens.get(hit.min(tokens.len().checked_sub(1)?)).map_or(value.len(), |token| token.end);
    Some(at..end.max(first.end))
}

/// The quote at which the value is judged, and what stands around it.
struct Quotation<'v> {
    value: &'v [u8],
    at: usize,
    quote: u8,
}

impl Quotation<'_> {
    /// Whether the string that was opened last is left for the application's own quote to close.
    fn is_rejoined(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Text { quote, closed: false } if quote == self.quote)
    }

    /// Whether what stands between this quote and the next is one bare word or sign, as in `"LIKE" STAMP`.
    fn quotes_a_word(&self) -> bool {
        let rest = self.value.get(self.at + 1..).unwrap_or_default();
        let Some(length) = memchr::memchr(self.quote, rest) else { return false };
        let quoted = rest.get(..length).unwrap_or_default();
        let before = self.at.checked_sub(1).and_then(|before| self.value.get(before));
        before.is_none_or(|byte| {
            byte.is_ascii_whitespace() || matches!(byte, b'(' | b'[' | b',' | b':' | b'+' | b'=')
        }) && !quoted.is_empty()
            && !quoted.iter().any(u8::is_ascii_whitespace)
    }
}

/// `' or 1=1`, `' = '`, `'||(select ..`: the string is an operand. Gives the token at which that is sure.
#[allow(clippy::too_many_lines)] // one production of the grammar, branch by branch
fn continues_expression(
    reader: &mut Reader<'_>,
    quotation: &Quotation<'_>,
    brackets: usize,
) -> Option<usize> {
    let whole = quotation.value.len() <= 4 && quotation.quote == b'\'';
    if reader.take_logic() {
        let logic_at = reader.at;
        let operand = reader.take_operand()?;
        // `' or 1=1`, `' and x like 'y`, `' or 1 in (..`
        let operand_end = reader.at;
        if reader.take_comparison() {
            return match reader.take_operand() {
                Some(_) => Some(reader.at - 1),
                None if reader.peek() == Some(Kind::Open) || reader.at_end() => Some(operand_end),
                None => None,
            };
        }
        while reader.take_arithmetic() {
            let next = reader.take_operand()?;
            if reader.take_comparison()
                || reader.at_comment()
                || quotation.is_rejoined(next)
                || matches!(next, Operand::Query | Operand::Call)
            {
                return Some(operand_end);
            }
        }
        return match operand {
            Operand::Query | Operand::Call => Some(operand_end - 1),
            _ if reader.at_comment() => Some(operand_end),
            Operand::Name => (brackets > 0 && reader.take(Kind::Open)).then_some(operand_end),
            _ if reader.take_logic() && reader.take_operand().is_some() => Some(operand_end),
            Operand::Literal
                if reader.at_end()
                    || reader.peek() == Some(Kind::Close)
                    || reader.peek() == Some(Kind::Semicolon) =>
            {
                Some(operand_end - 1)
            }
            Operand::Text { .. } if quotation.is_rejoined(operand) && !quotation.quotes_a_word() => {
                // `' or '1`: true; `shoes" and "bags` is a search.
                let text = reader.tokens.get(operand_end - 1)?;
                let text = quotation.value.get(text.start + 1..text.end).unwrap_or_default();
                (text.is_empty() || text.iter().all(u8::is_ascii_digit)).then_some(logic_at)
            }
            Operand::UnknownCall if reader.at_end() || reader.take_logic() => Some(operand_end - 1),
            _ => None,
        };
    }
    let word_operator = matches!(reader.peek(), Some(Kind::Word(_)));
    if reader.take_comparison() {
        if word_operator && quotation.quotes_a_word() {
            return None;
        }
        let at = reader.at;
        let operand = reader.take_operand();
        return match operand {
            Some(operand) if quotation.is_rejoined(operand) => {
                (whole || !quotation.quotes_a_word()).then_some(at)
            }
            Some(Operand::Query | Operand::Call) => Some(at),
            Some(operand) => {
                let sure = reader.at_comment()
                    || (reader.take_logic() && reader.take_operand().is_some())
                    || (operand.is_constant()
                        && word_operator
                        && reader.at_end()
                        && operand == Operand::Literal)
                    || continues_statement(&mut Reader::new(reader.tokens, reader.at), quotation, false)
                        .is_some();
                sure.then_some(at)
            }
            None => None,
        };
    }
    if reader.take_arithmetic() {
        let at = reader.at;
        loop {
            let operand = reader.take_operand()?;
            match operand {
                Operand::Query | Operand::Call => return Some(at),
                _ if quotation.is_rejoined(operand) => {
                    return (whole || !quotation.quotes_a_word())
                        .then_some(at)
                        .filter(|_| is_glued(quotation, reader, at));
                }
                _ if reader.at_comment() => return Some(at),
                _ => {}
            }
            if reader.take_comparison() || reader.take_logic() {
                let right = reader.take_operand()?;
                return (right.is_constant() || matches!(right, Operand::Call | Operand::Query))
                    .then_some(at);
            }
            if !reader.take_arithmetic() {
                return None;
            }
        }
    }
    if reader.take(Kind::Comma) {
        // A list of values that ends in a comment: `', 1, 2)--`.
        let mut count = 0;
        loop {
            let operand = reader.take_operand()?;
            if matches!(operand, Operand::Query)
                || (operand == Operand::Call
                    && reader.tokens.get(reader.at - 1).is_some_and(|token| token.kind == Kind::Close))
            {
                return Some(reader.at - 1);
            }
            count += 1;
            reader.take_while(|kind| kind == Kind::Close);
            if reader.at_comment() {
                return Some(reader.at);
            }
            if count > WINDOW || !reader.take(Kind::Comma) {
                return None;
            }
        }
    }
    None
}

/// Whether there is something on both sides of the operator between two strings: `a'+'b` and not `the '&' sign`.
fn is_glued(quotation: &Quotation<'_>, reader: &Reader<'_>, operator: usize) -> bool {
    let spaces = reader.tokens.get(operator.saturating_sub(1)).is_some_and(|token| token.spaced);
    let text = reader.tokens.get(reader.at.saturating_sub(1));
    let content = text.and_then(|text| quotation.value.get(text.start + 1..text.end)).unwrap_or_default();
    let prose = content.iter().filter(|byte| byte.is_ascii_whitespace()).count() > 0;
    !prose
        && (quotation.at == 0
            || !spaces
            || content.is_empty()
            || content.iter().all(u8::is_ascii_alphanumeric))
}

/// `' union select ..`, `'; drop table ..`, `' order by 1--`, `'--`: the statement goes on, or is cut off.
fn continues_statement(reader: &mut Reader<'_>, quotation: &Quotation<'_>, brackets: bool) -> Option<usize> {
    let at = reader.at;
    match reader.peek()? {
        Kind::Comment(Tail::Trivial) => is_cut_off(quotation, reader.token()?, brackets).then_some(at),
        Kind::Semicolon => {
            reader.at += 1;
            reader.take_while(|kind| kind == Kind::Semicolon);
            if reader.at_comment() {
                return Some(at);
            }
            is_statement(reader).then_some(at + 1)
        }
        Kind::Word(Word::Union) => is_union_select(reader.tokens, at).then_some(at),
        Kind::Word(Word::Sort) => {
            reader.at += 1;
            (reader.take_word(Word::By)
                && reader.take_operand().is_some_and(|operand| {
                    operand != Operand::Name
                        || reader.at_end_or_comment()
                        || reader.peek() == Some(Kind::Comma)
                        || reader.word() == Some(Word::Having)
                }))
            .then_some(at)
        }
        Kind::Word(Word::Having | Word::Where) => {
            reader.at += 1;
            let operand = reader.take_operand()?;
            (operand == Operand::Query
                || operand == Operand::Call
                || reader.take_comparison()
                || reader.at_comment())
            .then_some(at)
        }
        Kind::Word(Word::Limit) => {
            reader.at += 1;
            (reader.take(Kind::Number)
                && (reader.at_end_or_comment()
                    || reader.take(Kind::Comma)
                    || matches!(reader.peek(), Some(Kind::Word(_) | Kind::Semicolon))))
            .then_some(at)
        }
        Kind::Word(Word::As) => {
            reader.at += 1;
            (reader.take(Kind::Name)
                && (reader.at_comment()
                    || matches!(reader.word(), Some(Word::Where | Word::Union | Word::From | Word::Sort))
                    || reader.take(Kind::Semicolon) && is_statement(reader)))
            .then_some(at)
        }
        Kind::Word(Word::Into) => {
            reader.at += 1;
            (reader.word() == Some(Word::Special) || reader.peek() == Some(Kind::Variable)).then_some(at)
        }
        Kind::Word(Word::Compare) if reader.kind(1) == Some(Kind::Word(Word::Special)) => Some(at),
        Kind::Word(Word::Command | Word::Statement | Word::If | Word::Special) => {
            is_statement(reader).then_some(at)
        }
        Kind::Word(Word::Select) => is_statement(reader).then_some(at),
        _ => None,
    }
}

/// Whether a comment right behind the quote is there to cut the statement off.
fn is_cut_off(quotation: &Quotation<'_>, comment: Token, brackets: bool) -> bool {
    let text = quotation.value.get(comment.start..comment.end).unwrap_or_default();
    let content =
        text.trim_ascii_start().get(if text.starts_with(b"#") { 1 } else { 2 }..).unwrap_or_default();
    let blank = |content: &[u8]| {
        content
            .iter()
            .all(|byte| byte.is_ascii_whitespace() || matches!(byte, b'-' | b'+' | b'#' | b'/' | b'*'))
    };
    if brackets || blank(content) {
        // `(the 'best') --` has its quotes in pairs.
        let before = quotation.value.get(..quotation.at).unwrap_or_default();
        return !before.contains(&quotation.quote) && !before.is_empty() || quotation.at == 0;
    }
    // `'-- x`, but not `'#1` and not `' --no`.
    content.first().is_some_and(u8::is_ascii_whitespace) && !text.starts_with(b"#") && !comment.spaced
}

/// Whether a statement begins here that somebody could want to run.
pub(super) fn is_statement(reader: &mut Reader<'_>) -> bool {
    let Some(Kind::Word(word)) = reader.peek() else { return false };
    reader.at += 1;
    match word {
        Word::Select => {
            let mut list = Reader::new(reader.tokens, reader.at);
            list.take_while(|kind| matches!(kind, Kind::Word(Word::Before)));
            match list.take_operand() {
                Some(Operand::Name) => list.peek() == Some(Kind::Comma) || list.take_word(Word::From),
                Some(_) => true,
                None => is_select_list(reader),
            }
        }
        Word::Statement => {
            reader.take_while(|kind| {
                matches!(kind, Kind::Word(Word::Before)) || kind == Kind::Word(Word::Logic)
            });
            let next = reader.peek();
            match next {
                // `drop table x`, `create user x`, `load data infile`
                Some(Kind::Word(Word::Object)) => matches!(
                    reader.kind(1),
                    Some(Kind::Name | Kind::Word(_) | Kind::Open | Kind::Other) | None
                ),
                // `insert into x (`, `insert into x values`, `insert into x select`
                Some(Kind::Word(Word::Into)) => {
                    matches!(reader.kind(1), Some(Kind::Name | Kind::Word(_)))
                        && (matches!(
                            reader.kind(2),
                            Some(Kind::Open | Kind::Dot | Kind::Word(Word::Values | Word::Select)) | None
                        ))
                }
                // `delete from x where`
                Some(Kind::Word(Word::From)) => {
                    matches!(reader.kind(1), Some(Kind::Name | Kind::Word(_)))
                        && matches!(
                            reader.kind(2),
                            Some(
                                Kind::Word(Word::Where)
                                    | Kind::Semicolon
                                    | Kind::Dot
                                    | Kind::Comment(Tail::Trivial)
                            ) | None
                        )
                }
                // `update x set y = z`
                Some(Kind::Name) => {
                    reader.at += 1;
                    while reader.take(Kind::Dot) {
                        reader.at += 1;
                    }
                    reader.take_word(Word::Set) && {
                        reader.take_operand();
                        reader.take_comparison()
                    }
                }
                _ => false,
            }
        }
        Word::Command | Word::Special => match reader.peek() {
            Some(Kind::Word(Word::Special)) => matches!(
                reader.kind(1),
                Some(Kind::Text { .. } | Kind::Number | Kind::Variable | Kind::Open) | None
            ),
            Some(
                Kind::Word(Word::Function | Word::Catalog)
                | Kind::Variable
                | Kind::Open
                | Kind::Comment(Tail::Trivial),
            ) => true,
            Some(Kind::Name) => {
                matches!(
                    reader.kind(1),
                    Some(
                        Kind::Dot
                            | Kind::Text { .. }
                            | Kind::Comment(Tail::Trivial)
                            | Kind::Variable
                            | Kind::Semicolon
                    )
                ) || (reader.kind(1).is_none() && word == Word::Command)
            }
            Some(Kind::Text { .. }) => {
                reader.kind(1).is_none() || matches!(reader.kind(1), Some(Kind::Comment(_) | Kind::Semicolon))
            }
            _ => false,
        },
        Word::If => {
            if reader.peek() != Some(Kind::Open) {
                return reader.take_operand().is_some() && reader.take_comparison();
            }
            // JavaScript has such conditions as well; what they guard is SQL's.
            reader.tokens.get(reader.at..).unwrap_or_default().iter().any(|token| {
                matches!(
                    token.kind,
                    Kind::Word(
                        Word::Select | Word::Command | Word::Statement | Word::Special | Word::Function
                    )
                )
            })
        }
        _ => false,
    }
}
