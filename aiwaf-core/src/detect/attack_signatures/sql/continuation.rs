//! What may follow a string that a value has closed, where the string is an operand of an expression.

use super::grammar::{Operand, Reader};
use super::quotation::Quotation;
use super::statement::continues_statement;
use super::token::Kind;
use super::words::Word;

/// `' or 1=1`, `' = '`, `'||(select ..`: the string is an operand. Gives the token at which that is sure; `brackets`
/// says whether brackets were closed before.
pub(super) fn continues_expression(
    reader: &mut Reader<'_>,
    quotation: &Quotation<'_>,
    brackets: bool,
) -> Option<usize> {
    if reader.take_logic() {
        return continues_condition(reader, quotation, brackets);
    }
    let is_word = matches!(reader.peek(), Some(Kind::Word(_)));
    if reader.take_comparison() {
        return continues_comparison(reader, quotation, is_word);
    }
    if reader.take_arithmetic() {
        return continues_calculation(reader, quotation);
    }
    if reader.take(Kind::Comma) { continues_list(reader) } else { None }
}

/// Behind `' or`.
fn continues_condition(reader: &mut Reader<'_>, quotation: &Quotation<'_>, brackets: bool) -> Option<usize> {
    let logic_at = reader.at;
    let operand = reader.take_operand()?;
    let operand_end = reader.at;
    // `' or 1=1`, `' and x like 'y`, `' or 1 in (..`
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
    match operand {
        Operand::Query | Operand::Call => Some(operand_end - 1),
        _ if reader.at_comment() => Some(operand_end),
        Operand::Name => (brackets && reader.take(Kind::Open)).then_some(operand_end),
        _ if reader.take_logic() && reader.take_operand().is_some() => Some(operand_end),
        Operand::Literal if matches!(reader.peek(), None | Some(Kind::Close | Kind::Semicolon)) => {
            Some(operand_end - 1)
        }
        Operand::Text { .. }
            if quotation.is_rejoined(operand)
                && (quotation.is_whole_value() || !quotation.quotes_a_word()) =>
        {
            // `' or '1`: true; `shoes" and "bags` is a search.
            let text = reader.tokens.get(operand_end - 1)?;
            let text = quotation.value.get(text.start + 1..text.end).unwrap_or_default();
            (text.is_empty() || text.iter().all(u8::is_ascii_digit)).then_some(logic_at)
        }
        Operand::UnknownCall if reader.at_end() || reader.take_logic() => Some(operand_end - 1),
        _ => None,
    }
}

/// Behind `' =` or `' like`; `is_word` says that the operator is a word.
fn continues_comparison(reader: &mut Reader<'_>, quotation: &Quotation<'_>, is_word: bool) -> Option<usize> {
    if is_word && quotation.quotes_a_word() {
        return None;
    }
    let at = reader.at;
    let sure = match reader.take_operand()? {
        operand if quotation.is_rejoined(operand) => quotation.is_whole_value() || !quotation.quotes_a_word(),
        Operand::Query | Operand::Call => true,
        operand => {
            reader.at_comment()
                || (reader.take_logic() && reader.take_operand().is_some())
                || (is_word && operand == Operand::Literal && reader.at_end())
                || continues_statement(&mut Reader::new(reader.tokens, reader.at), quotation, false).is_some()
        }
    };
    sure.then_some(at)
}

/// Behind `' +` or `'-`.
fn continues_calculation(reader: &mut Reader<'_>, quotation: &Quotation<'_>) -> Option<usize> {
    let at = reader.at;
    loop {
        let operand = reader.take_operand()?;
        if matches!(operand, Operand::Query | Operand::Call) || reader.at_comment() {
            return Some(at);
        }
        if quotation.is_rejoined(operand) {
            let spelled_out = quotation.is_whole_value() || !quotation.quotes_a_word();
            return (spelled_out && is_glued(quotation, reader, at)).then_some(at);
        }
        if reader.take_comparison() || reader.take_logic() {
            let right = reader.take_operand()?;
            return (right.is_constant() || matches!(right, Operand::Call | Operand::Query)).then_some(at);
        }
        if !reader.take_arithmetic() {
            return None;
        }
    }
}

/// Behind `',`: a list of values that ends in a comment (`', 1, 2)--`), or has a query in it; or of columns that are
/// set (`', admin=1 where id=5`).
fn continues_list(reader: &mut Reader<'_>) -> Option<usize> {
    loop {
        let operand = reader.take_operand()?;
        if operand == Operand::Name && reader.take_comparison() {
            reader.take_operand()?;
            if matches!(reader.word(), Some(Word::Where)) {
                return Some(reader.at);
            }
        }
        let is_closed = reader.tokens.get(reader.at - 1).is_some_and(|token| token.kind == Kind::Close);
        if operand == Operand::Query || (operand == Operand::Call && is_closed) {
            return Some(reader.at - 1);
        }
        reader.take_while(|kind| kind == Kind::Close);
        if reader.at_comment() {
            return Some(reader.at);
        }
        if !reader.take(Kind::Comma) {
            return None;
        }
    }
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
