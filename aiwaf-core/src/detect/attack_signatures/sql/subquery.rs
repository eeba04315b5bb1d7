//! Queries within expressions.

use super::grammar::{LOOK_AHEAD, Operand, Reader, is_select_list};
use super::token::{Kind, Token};
use super::words::Word;

/// `(select x from y where ..`, `= (select 1`: whether the `select` at `at`, behind `previous`, begins a query that
/// nobody writes by chance.
pub(super) fn is_subquery(tokens: &[Token], at: usize, previous: Option<Kind>) -> bool {
    let is_embedded = previous.is_some_and(embeds);
    let mut reader = Reader::new(tokens, at + 1);
    reader.take_while(|kind| kind == Kind::Word(Word::Before));
    let is_star = reader.take(Kind::Arithmetic);
    let operand = if is_star && reader.word() == Some(Word::From) { None } else { reader.take_operand() };
    match operand {
        Some(Operand::Query) => return is_select_list(&mut reader),
        Some(Operand::Call) if is_embedded => return true,
        _ => {}
    }
    let has_more = take_rest_of_list(&mut reader);
    // `select 1`, `select @@version`
    if is_embedded && operand == Some(Operand::Literal) && (has_more || reader.peek().is_none_or(ends_list)) {
        return previous != Some(Kind::Open) || at > 1 || has_more || !reader.at_end();
    }
    if reader.peek() == Some(Kind::Word(Word::As)) {
        reader.at += 2;
    } else if reader.peek() == Some(Kind::Name) && reader.kind(1) == Some(Kind::Word(Word::From)) {
        reader.at += 1;
    }
    if !reader.take_word(Word::From) {
        return false;
    }
    let is_exact = is_star || has_more || matches!(operand, Some(Operand::Call | Operand::Literal));
    let is_operand = is_embedded && !matches!(previous, Some(Kind::Open | Kind::Semicolon));
    is_source(&mut reader, is_exact, is_embedded, is_operand)
}

/// Whether a query stands within an expression if this is in front of it.
fn embeds(previous: Kind) -> bool {
    matches!(
        previous,
        Kind::Open
            | Kind::Comparison
            | Kind::Logic
            | Kind::Arithmetic
            | Kind::Semicolon
            | Kind::Word(
                Word::Logic
                    | Word::Union
                    | Word::Before
                    | Word::Compare
                    | Word::When
                    | Word::Then
                    | Word::Else
            )
    )
}

/// What may follow a list of what is selected.
fn ends_list(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Close
            | Kind::Comment(_)
            | Kind::Semicolon
            | Kind::Word(Word::From | Word::Union | Word::Where | Word::Limit | Word::Into)
    )
}

/// Passes over the rest of a list. Says whether there was any.
fn take_rest_of_list(reader: &mut Reader<'_>) -> bool {
    let end = reader.at + LOOK_AHEAD;
    let mut any = false;
    while reader.at < end && reader.take(Kind::Comma) {
        any = true;
        if reader.take_operand().is_none() && !reader.take(Kind::Arithmetic) {
            break;
        }
        while reader.take_arithmetic() || reader.take_comparison() {
            reader.take_operand();
        }
    }
    any
}

/// Whether what stands behind `from` is a table of the database itself, one with a dot, or comes with a condition.
/// `is_exact` says that what is selected is no mere word.
fn is_source(reader: &mut Reader<'_>, is_exact: bool, is_embedded: bool, is_operand: bool) -> bool {
    reader.take_while(|kind| kind == Kind::Open);
    if matches!(reader.word(), Some(Word::Catalog | Word::Select)) {
        return true;
    }
    if !matches!(reader.peek(), Some(Kind::Name | Kind::Word(_))) {
        return false;
    }
    reader.at += 1;
    let mut is_dotted = false;
    while reader.take(Kind::Dot) {
        reader.take(Kind::Dot);
        reader.at += 1;
        is_dotted = true;
    }
    let next = reader.peek();
    let goes_on = matches!(
        next,
        Some(
            Kind::Semicolon
                | Kind::Close
                | Kind::Comma
                | Kind::Word(Word::Where | Word::Limit | Word::Union | Word::Sort)
        )
    );
    if is_exact && (is_embedded || is_dotted || reader.at_end_or_comment() || goes_on) {
        return true;
    }
    if matches!(reader.word(), Some(Word::Where | Word::Having)) {
        reader.at += 1;
        return reader.take_operand().is_some()
            && (reader.take_comparison() || reader.word() == Some(Word::Limit));
    }
    (reader.take_word(Word::Limit) && reader.take(Kind::Number))
        || (is_operand && (is_dotted || matches!(next, Some(Kind::Close | Kind::Comment(_)) | None)))
}
