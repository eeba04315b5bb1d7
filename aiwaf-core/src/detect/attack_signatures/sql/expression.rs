//! What a value does that lands outside of quotes, or is a statement by itself.

use std::ops::Range;

use smallvec::SmallVec;

use super::break_out::is_statement;
use super::grammar::{Operand, Reader, is_select_list, is_union_select};
use super::token::{Kind, Tail, Token, Tokens};
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

/// `1 or 1=1`, `1) and sleep(5)`, `-1 union ..`, `1 order by 9`, `select * from x`: the value itself begins like one.
#[allow(clippy::too_many_lines)] // one production of the grammar, branch by branch
fn begins_as_injection(tokens: &[Token]) -> Option<usize> {
    let mut reader = Reader::new(tokens, 0);
    // A statement by itself.
    if matches!(reader.word(), Some(Word::Statement | Word::Command | Word::Select))
        && is_strict_statement(&mut Reader::new(tokens, 0))
    {
        return Some(2);
    }
    if is_bracketed_and_cut_off(tokens) {
        return Some(tokens.len());
    }
    let operand_there = !matches!(
        reader.peek()?,
        Kind::Word(
            Word::Logic
                | Word::Sort
                | Word::Having
                | Word::Limit
                | Word::Where
                | Word::As
                | Word::Into
                | Word::Compare
        ) | Kind::Logic
            | Kind::Close
            | Kind::Comment(_)
    );
    let mut operand = None;
    if operand_there {
        operand = Some(reader.take_operand()?);
        while reader.take_arithmetic() {
            operand = Some(reader.take_operand()?);
        }
    }
    let closed = reader.take_while(|kind| kind == Kind::Close) > 0;
    let is_number = matches!(operand, Some(Operand::Literal));
    let at = reader.at;
    if reader.take_logic() {
        let mut right = reader.take_operand()?;
        while reader.take_arithmetic() {
            right = reader.take_operand()?;
        }
        if reader.take_comparison() {
            let other = reader.take_operand();
            let ended = reader.at_end_or_comment()
                || matches!(
                    reader.peek(),
                    Some(Kind::Close | Kind::Semicolon | Kind::Logic | Kind::Word(Word::Logic))
                );
            return match other {
                Some(other) if right.is_constant() && other.is_constant() => Some(reader.at),
                Some(Operand::Query | Operand::Call) => Some(reader.at),
                Some(_) if (is_number || closed || !operand_there) && (ended || right != Operand::Name) => {
                    Some(reader.at)
                }
                _ => None,
            };
        }
        return match right {
            Operand::Query | Operand::Call => Some(reader.at),
            Operand::Literal | Operand::Text { closed: true, .. } if reader.at_comment() => Some(reader.at),
            Operand::Literal if closed && reader.at_end() => Some(reader.at),
            Operand::Name | Operand::UnknownCall
                if is_number && reader.at_comment() && right == Operand::UnknownCall =>
            {
                Some(reader.at)
            }
            Operand::Literal
                if !operand_there
                    && reader.at_end_or_comment()
                    && tokens
                        .get(at + 1)
                        .is_some_and(|token| matches!(token.kind, Kind::Word(Word::Constant))) =>
            {
                Some(reader.at)
            }
            _ => None,
        };
    }
    match reader.word() {
        Some(Word::Sort) => {
            reader.at += 1;
            if !reader.take_word(Word::By) {
                return None;
            }
            let right = reader.take_operand()?;
            let list = reader.take(Kind::Comma);
            ((right == Operand::Literal && (list || reader.at_end_or_comment()))
                || matches!(right, Operand::Call | Operand::Query)
                || (reader.at_comment() && (is_number || closed)))
                .then_some(reader.at)
        }
        Some(Word::Limit) if is_number => {
            reader.at += 1;
            (reader.take(Kind::Number)
                && (reader.take(Kind::Comma)
                    || reader.at_comment()
                    || matches!(reader.word(), Some(Word::Into | Word::Union | Word::Limit))))
            .then_some(reader.at)
        }
        Some(Word::As) => {
            reader.at += 1;
            (reader.take(Kind::Name)
                && reader.take_word(Word::Where)
                && reader.take_operand().is_some()
                && reader.take_comparison())
            .then_some(reader.at)
        }
        Some(Word::Compare) if operand_there || closed => {
            reader.take_comparison();
            let right = reader.take_operand()?;
            (matches!(right, Operand::Query)
                || (right == Operand::Call && (is_number || closed))
                || (is_number && right.is_constant() && reader.at_comment()))
            .then_some(reader.at)
        }
        Some(Word::Special) if is_number => (reader.kind(1) == Some(Kind::Word(Word::Special))
            || reader.kind(2) == Some(Kind::Open))
        .then_some(reader.at),
        _ if matches!(reader.peek(), Some(Kind::Comparison))
            && (is_number || matches!(operand, Some(Operand::Text { closed: true, .. }))) =>
        {
            reader.take_comparison();
            let right = reader.take_operand()?;
            (matches!(right, Operand::Query)
                || (right.is_constant()
                    && (reader.at_comment()
                        || reader.take_logic()
                            && matches!(reader.take_operand(), Some(Operand::Call | Operand::Query)))))
            .then_some(reader.at)
        }
        _ if matches!(reader.peek(), Some(Kind::Comment(Tail::Trivial)))
            && (closed || matches!(operand, Some(Operand::Literal))) =>
        {
            let before = tokens.get(reader.at)?;
            // `1--`, `1)#`: but `1 # 2` and `5 --` alone are no proof.
            (closed && operand_there && !before.spaced && is_number).then_some(reader.at)
        }
        _ => None,
    }
}

/// `( 1 or 'b' ) --`: nothing but literals, operators and calls in brackets, and then the rest is cut off.
fn is_bracketed_and_cut_off(tokens: &[Token]) -> bool {
    let [first, .., before, last] = tokens else { return false };
    first.kind == Kind::Open
        && before.kind == Kind::Close
        && matches!(last.kind, Kind::Comment(Tail::Trivial))
        && tokens.iter().any(|token| {
            matches!(token.kind, Kind::Text { .. } | Kind::Number | Kind::Variable | Kind::Word(Word::Select))
        })
        && !tokens.iter().any(|token| matches!(token.kind, Kind::Name | Kind::Other))
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

fn is_strict_statement(reader: &mut Reader<'_>) -> bool {
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

/// `(select x from y where ..`, `= (select 1`: a query inside of an expression.
#[allow(clippy::too_many_lines)] // one production of the grammar, branch by branch
fn is_subquery(tokens: &[Token], at: usize, previous: Option<Kind>) -> bool {
    let embedded = matches!(
        previous,
        Some(
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
    );
    let mut reader = Reader::new(tokens, at + 1);
    reader.take_while(|kind| kind == Kind::Word(Word::Before));
    let star = reader.peek() == Some(Kind::Arithmetic);
    if star {
        reader.at += 1;
    }
    let operand = if star && reader.word() == Some(Word::From) { None } else { reader.take_operand() };
    if operand == Some(Operand::Query) {
        return is_select_list(&mut reader);
    }
    if matches!(operand, Some(Operand::Call)) && embedded {
        return true;
    }
    let mut items = 1;
    while reader.take(Kind::Comma) && items < 2000 {
        items += 1;
        if reader.take_operand().is_none() && !reader.take(Kind::Arithmetic) {
            break;
        }
        while reader.take_arithmetic() || reader.take_comparison() {
            reader.take_operand();
        }
    }
    // `select 1`, `select @@version`
    if embedded
        && matches!(operand, Some(Operand::Literal))
        && (items > 1
            || reader.peek().is_none_or(|kind| {
                matches!(
                    kind,
                    Kind::Close
                        | Kind::Comment(_)
                        | Kind::Semicolon
                        | Kind::Word(Word::From | Word::Union | Word::Where | Word::Limit | Word::Into)
                )
            }))
    {
        let preceded = previous != Some(Kind::Open) || at > 1;
        return preceded || items > 1 || !reader.at_end();
    }
    if reader.peek() == Some(Kind::Word(Word::As)) {
        reader.at += 2;
    } else if reader.peek() == Some(Kind::Name) && reader.kind(1) == Some(Kind::Word(Word::From)) {
        reader.at += 1;
    }
    if !reader.take_word(Word::From) {
        return false;
    }
    // From what: a table of the database itself, one with a dot, or whatever comes with a condition.
    reader.take_while(|kind| kind == Kind::Open);
    let catalog = reader.word() == Some(Word::Catalog) || reader.word() == Some(Word::Select);
    if catalog {
        return true;
    }
    if !matches!(reader.peek(), Some(Kind::Name | Kind::Word(_))) {
        return false;
    }
    reader.at += 1;
    let mut dotted = false;
    while reader.take(Kind::Dot) {
        reader.take(Kind::Dot);
        reader.at += 1;
        dotted = true;
    }
    let exact = star || items > 1 || matches!(operand, Some(Operand::Call | Operand::Literal));
    if exact
        && (embedded
            || dotted
            || reader.at_end_or_comment()
            || matches!(
                reader.peek(),
                Some(
                    Kind::Semicolon
                        | Kind::Close
                        | Kind::Comma
                        | Kind::Word(Word::Where | Word::Limit | Word::Union | Word::Sort)
                )
            ))
    {
        return true;
    }
    if matches!(reader.word(), Some(Word::Where | Word::Having)) {
        reader.at += 1;
        return reader.take_operand().is_some()
            && (reader.take_comparison() || matches!(reader.peek(), Some(Kind::Word(Word::Limit))));
    }
    let limited = reader.take_word(Word::Limit) && reader.take(Kind::Number);
    limited
        || (embedded
            && previous != Some(Kind::Open)
            && previous != Some(Kind::Semicolon)
            && (dotted || matches!(reader.peek(), Some(Kind::Close | Kind::Comment(_)) | None)))
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
