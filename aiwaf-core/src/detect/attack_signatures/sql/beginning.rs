//! Values that begin as an injection does which lands outside of quotes.

use super::expression::is_strict_statement;
use super::grammar::{Operand, Reader};
use super::token::{Kind, Tail, Token};
use super::words::Word;

/// `1 or 1=1`, `1) and sleep(5)`, `1 order by 9`, `select * from x`: the value itself begins like one. Gives the token
/// at which that is sure.
pub(super) fn begins_as_injection(tokens: &[Token]) -> Option<usize> {
    let mut reader = Reader::new(tokens, 0);
    // A statement by itself. Other languages have `exec(..)` and `print(..)` as well, and people `execute plans`.
    let is_common = reader.word() == Some(Word::Command)
        && (reader.kind(1) == Some(Kind::Open) || reader.kind(1) == Some(Kind::Name) && tokens.len() == 2);
    if !is_common
        && matches!(reader.word(), Some(Word::Statement | Word::Command | Word::Select))
        && is_strict_statement(&mut Reader::new(tokens, 0))
    {
        return Some(2);
    }
    if is_bracketed_and_cut_off(tokens) {
        return Some(tokens.len());
    }
    let is_word = matches!(reader.peek(), Some(Kind::Word(_)));
    let operand = if continues(reader.peek()?) {
        None
    } else {
        let mut operand = reader.take_operand()?;
        while reader.take_arithmetic() {
            operand = reader.take_operand()?;
        }
        Some(operand)
    };
    let is_closed = reader.take_while(|kind| kind == Kind::Close) > 0;
    let start = Start { operand, is_word, is_closed };
    if reader.take_logic() { condition(&mut reader, &start) } else { clause(&mut reader, &start) }
}

/// What the value begins with: an operand, perhaps none, and brackets that it closes.
struct Start {
    operand: Option<Operand>,
    /// Whether it begins with a word of SQL.
    is_word: bool,
    is_closed: bool,
}

impl Start {
    fn is_number(&self) -> bool {
        self.operand == Some(Operand::Literal)
    }
}

/// Whether a value that begins so goes on with what stood in front of it.
fn continues(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Logic
            | Kind::Close
            | Kind::Comment(_)
            | Kind::Word(
                Word::Logic
                    | Word::Sort
                    | Word::Having
                    | Word::Limit
                    | Word::Where
                    | Word::As
                    | Word::Into
                    | Word::Compare
            )
    )
}

/// Behind `1 or`.
fn condition(reader: &mut Reader<'_>, start: &Start) -> Option<usize> {
    let first = reader.peek();
    let mut right = reader.take_operand()?;
    while reader.take_arithmetic() {
        right = reader.take_operand()?;
    }
    let is_sure = if reader.take_comparison() {
        let other = reader.take_operand()?;
        let goes_on = matches!(
            reader.peek(),
            Some(Kind::Close | Kind::Semicolon | Kind::Logic | Kind::Word(Word::Logic))
        );
        let ended = reader.at_end_or_comment() || goes_on;
        let begins_rightly = start.is_number() || start.is_closed || start.operand.is_none();
        (right.is_constant() && other.is_constant())
            || matches!(other, Operand::Query | Operand::Call)
            || (begins_rightly && (ended || right != Operand::Name))
    } else {
        match right {
            Operand::Query | Operand::Call => true,
            Operand::Literal | Operand::Text { closed: true, .. } if reader.at_comment() => true,
            Operand::Literal if start.is_closed && reader.at_end() => true,
            Operand::UnknownCall => start.is_number() && reader.at_comment(),
            // `or true`, `1 or true`; `true or false` is a question.
            Operand::Literal => {
                (start.operand.is_none() || start.is_number() && !start.is_word)
                    && reader.at_end_or_comment()
                    && first == Some(Kind::Word(Word::Constant))
            }
            _ => false,
        }
    };
    is_sure.then_some(reader.at)
}

/// Behind `1` or `1)`, where no `or` follows.
fn clause(reader: &mut Reader<'_>, start: &Start) -> Option<usize> {
    let is_number = start.is_number();
    let is_sure = match reader.peek()? {
        Kind::Word(Word::Sort) => {
            reader.at += 1;
            if !reader.take_word(Word::By) {
                return None;
            }
            let right = reader.take_operand()?;
            let list = reader.take(Kind::Comma);
            (right == Operand::Literal && (list || reader.at_end_or_comment()))
                || matches!(right, Operand::Call | Operand::Query)
                || (reader.at_comment() && (is_number || start.is_closed))
        }
        Kind::Word(Word::Limit) if is_number => {
            reader.at += 1;
            reader.take(Kind::Number)
                && (reader.take(Kind::Comma)
                    || reader.at_comment()
                    || matches!(reader.word(), Some(Word::Into | Word::Union | Word::Limit)))
        }
        Kind::Word(Word::As) => {
            reader.at += 1;
            reader.take(Kind::Name)
                && reader.take_word(Word::Where)
                && reader.take_operand().is_some()
                && reader.take_comparison()
        }
        Kind::Word(Word::Compare) if start.operand.is_some() || start.is_closed => {
            reader.take_comparison();
            let is_known = matches!(reader.word(), Some(Word::Constant));
            let right = reader.take_operand()?;
            right == Operand::Query
                || (right == Operand::Call && (is_number || start.is_closed))
                // `1 like 1--`, `1 is not null`
                || (is_number && right.is_constant() && (reader.at_comment() || is_known && reader.at_end()))
        }
        Kind::Word(Word::Special) if is_number => {
            reader.kind(1) == Some(Kind::Word(Word::Special)) || reader.kind(2) == Some(Kind::Open)
        }
        Kind::Comparison
            if is_number || matches!(start.operand, Some(Operand::Text { closed: true, .. })) =>
        {
            reader.take_comparison();
            let right = reader.take_operand()?;
            let then_query = |reader: &mut Reader<'_>| {
                reader.take_logic() && matches!(reader.take_operand(), Some(Operand::Call | Operand::Query))
            };
            right == Operand::Query || (right.is_constant() && (reader.at_comment() || then_query(reader)))
        }
        // `1)#`: but `1 # 2` and `5 --` alone are no proof.
        Kind::Comment(Tail::Trivial) => {
            is_number && start.is_closed && reader.token().is_some_and(|comment| !comment.spaced)
        }
        _ => false,
    };
    is_sure.then_some(reader.at)
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
