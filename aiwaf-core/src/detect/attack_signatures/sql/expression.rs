//! What a value does that lands outside of quotes, or is a statement by itself.

use std::ops::Range;

use smallvec::SmallVec;

use super::beginning::begins_as_injection;
use super::grammar::{Operand, Reader, is_union_select};
use super::statement::is_statement;
use super::subquery::is_subquery;
use super::token::{Kind, Token, Tokens};
use super::words::Word;

/// Where `value` reads as SQL that nobody writes by chance; `None` if it does not.
///
/// The value is read as it stands, then once more behind the first `'` and the first `"`, for it may land in quotes.
pub(in super::super) fn expression(value: &[u8]) -> Option<Range<usize>> {
    let mut tokens = SmallVec::<[Token; 64]>::new();
    let starts = [None, memchr::memchr(b'\'', value), memchr::memchr(b'"', value)];
    for (reading, start) in starts.into_iter().enumerate() {
        if reading > 0 && start.is_none() {
            continue;
        }
        tokens.clear();
        let mut lexer = Tokens::new(value, start.map_or(0, |quote| quote + 1));
        tokens.extend(lexer.by_ref().take(MAX_TOKENS));
        if let Some(range) = judge(&tokens, reading == 0, lexer.conditional_comment) {
            return Some(range);
        }
    }
    None
}

/// Tokens of a value that are looked at.
const MAX_TOKENS: usize = 20_000;

fn judge(tokens: &[Token], from_start: bool, conditional_comment: bool) -> Option<Range<usize>> {
    let span = |from: usize, to: usize| {
        let end = tokens.get(to.min(tokens.len().saturating_sub(1))).map_or(0, |token| token.end);
        tokens.get(from).map(|token| token.start..end.max(token.end))
    };
    if from_start && let Some(end) = begins_as_injection(tokens) {
        return span(0, end);
    }
    let mut previous: Option<Kind> = None;
    for (at, token) in tokens.iter().enumerate() {
        let found = match token.kind {
            Kind::Word(Word::Union) => is_union_select(tokens, at),
            Kind::Logic | Kind::Word(Word::Logic | Word::Having | Word::Where) => {
                is_constant_condition(tokens, at)
            }
            Kind::Semicolon => {
                let mut reader = Reader::new(tokens, at + 1);
                is_strict_statement(&mut reader)
            }
            Kind::Word(Word::Function) => is_call_in_sql(tokens, at, previous),
            Kind::Word(Word::CommonFunction) => is_delay(tokens, at, previous),
            Kind::Word(Word::Select) => is_subquery(tokens, at, previous),
            Kind::Word(Word::Case) => is_case(tokens, at),
            Kind::Word(Word::Into) => {
                tokens.get(at + 1).is_some_and(|next| next.kind == Kind::Word(Word::Special))
                    && matches!(
                        tokens.get(at + 2).map(|next| next.kind),
                        Some(Kind::Text { .. } | Kind::Number)
                    )
            }
            Kind::Word(Word::Command) => is_command(tokens, at),
            _ => false,
        };
        if found {
            return span(at, at + 3);
        }
        previous = Some(token.kind);
    }
    if conditional_comment
        && tokens.iter().any(|token| {
            matches!(
                token.kind,
                Kind::Word(
                    Word::Union | Word::Select | Word::From | Word::Logic | Word::Where | Word::Function
                )
            )
        })
    {
        return span(0, tokens.len());
    }
    None
}

/// `or 1=1`, `where 'a'='a'`, `having 1 like 1`: compares two things that need no table.
fn is_constant_condition(tokens: &[Token], at: usize) -> bool {
    let mut reader = Reader::new(tokens, at + 1);
    reader.take_while(|kind| matches!(kind, Kind::Not | Kind::Word(Word::Before)));
    let Some(left) = reader.take_operand() else { return false };
    if !left.is_constant() {
        return false;
    }
    let word = matches!(reader.peek(), Some(Kind::Word(_)));
    if !reader.take_comparison() {
        return false;
    }
    match reader.take_operand() {
        Some(right) if word => {
            matches!(right, Operand::Literal | Operand::Call | Operand::Query)
                || (right.is_constant() && left.is_constant())
        }
        Some(right) => right.is_constant() || matches!(right, Operand::Call | Operand::Query),
        None => false,
    }
}

/// Whether a statement begins here that nobody writes by chance.
pub(super) fn is_strict_statement(reader: &mut Reader<'_>) -> bool {
    let at = reader.at;
    match reader.word() {
        Some(Word::Select) => {
            let previous = at.checked_sub(1).and_then(|at| reader.tokens.get(at)).map(|token| token.kind);
            is_subquery(reader.tokens, at, Some(previous.unwrap_or(Kind::Semicolon)))
        }
        Some(_) => is_statement(reader),
        None => false,
    }
}

/// Whether a call of a function that databases have stands where SQL would have it.
fn is_call_in_sql(tokens: &[Token], at: usize, previous: Option<Kind>) -> bool {
    if tokens.get(at + 1).is_none_or(|open| open.kind != Kind::Open) {
        return false;
    }
    let has_argument = tokens.get(at + 2).is_some_and(|argument| argument.kind != Kind::Close);
    let operator_before = matches!(
        previous,
        Some(
            Kind::Comparison
                | Kind::Logic
                | Kind::Word(
                    Word::Logic
                        | Word::Select
                        | Word::Compare
                        | Word::By
                        | Word::Having
                        | Word::Where
                        | Word::When
                )
        )
    );
    let in_list = matches!(previous, Some(Kind::Comma | Kind::Arithmetic | Kind::Open));
    // `md5(x)` alone is a word of many languages; behind `and` or `select` it is SQL's.
    operator_before && has_argument || (operator_before || in_list) && is_query_near(tokens, at)
}

/// Whether a query is near: words that only come together in SQL.
fn is_query_near(tokens: &[Token], at: usize) -> bool {
    let near = tokens.get(at.saturating_sub(8)..(at + 12).min(tokens.len())).unwrap_or_default();
    near.iter().any(|token| matches!(token.kind, Kind::Word(Word::Select | Word::Union | Word::Catalog)))
        && near.iter().filter(|token| matches!(token.kind, Kind::Word(_))).count() > 2
}

/// `sleep(5)` and the like, behind an operator or alone.
fn is_delay(tokens: &[Token], at: usize, previous: Option<Kind>) -> bool {
    let mut reader = Reader::new(tokens, at + 1);
    if !reader.take(Kind::Open) {
        return false;
    }
    let operator_before = matches!(
        previous,
        Some(
            Kind::Logic | Kind::Word(Word::Logic | Word::Select | Word::Having | Word::When | Word::Compare)
        )
    );
    match reader.take_operand() {
        Some(Operand::Literal | Operand::Call | Operand::Query) => operator_before,
        _ => operator_before && is_query_near(tokens, at),
    }
}

fn is_case(tokens: &[Token], at: usize) -> bool {
    let mut reader = Reader::new(tokens, at + 1);
    if reader.word() != Some(Word::When) {
        reader.take_operand();
    }
    if !reader.take_word(Word::When) {
        return false;
    }
    let Some(operand) = reader.take_operand() else { return false };
    (reader.take_comparison() && reader.take_operand().is_some() || operand != Operand::Name)
        && tokens
            .get(reader.at..(reader.at + 40).min(tokens.len()))
            .unwrap_or_default()
            .iter()
            .any(|token| token.kind == Kind::Word(Word::Then))
}

/// `waitfor delay '0:0:5'`, `exec xp_cmdshell 'x'`, `exec master..x`.
fn is_command(tokens: &[Token], at: usize) -> bool {
    let mut reader = Reader::new(tokens, at + 1);
    match reader.peek() {
        Some(Kind::Word(Word::Special)) => {
            matches!(reader.kind(1), Some(Kind::Text { .. } | Kind::Number | Kind::Variable))
        }
        Some(Kind::Word(Word::Function)) => true,
        Some(Kind::Name | Kind::Word(Word::Catalog)) => {
            reader.at += 1;
            reader.take(Kind::Dot) && reader.take(Kind::Dot)
        }
        _ => false,
    }
}
