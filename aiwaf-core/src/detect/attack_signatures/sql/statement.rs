//! Statements: what a value makes of the one that it lands in, and those that it begins.

use super::grammar::{LOOK_AHEAD, Operand, Reader, is_select_list, is_union_select};
use super::quotation::Quotation;
use super::token::{Kind, Tail};
use super::words::Word;

/// `' union select ..`, `'; drop table ..`, `' order by 1--`, `'--`: the statement goes on, or is cut off.
pub(super) fn continues_statement(
    reader: &mut Reader<'_>,
    quotation: &Quotation<'_>,
    brackets: bool,
) -> Option<usize> {
    let at = reader.at;
    match reader.peek()? {
        Kind::Comment(Tail::Trivial) => quotation.is_cut_off(reader.token()?, brackets).then_some(at),
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
        Word::Statement => is_change(reader),
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
        // `show tables`, `show databases like 'x'`
        Word::Show => {
            reader.take_word(Word::Object)
                && (reader.at_end_or_comment()
                    || matches!(
                        reader.peek(),
                        Some(Kind::Semicolon | Kind::Word(Word::From | Word::Compare))
                    ))
        }
        Word::If => {
            if reader.peek() != Some(Kind::Open) {
                return reader.take_operand().is_some() && reader.take_comparison();
            }
            // JavaScript has such conditions as well; what they guard is SQL's.
            reader.tokens.iter().skip(reader.at).take(LOOK_AHEAD).any(|token| {
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

/// Behind `drop`, `insert` and the like: whether there is something to change.
fn is_change(reader: &mut Reader<'_>) -> bool {
    reader.take_while(|kind| matches!(kind, Kind::Word(Word::Before)) || kind == Kind::Word(Word::Logic));
    match reader.peek() {
        // `drop table x`, `create user x`, `load data infile`
        Some(Kind::Word(Word::Object)) => {
            matches!(reader.kind(1), Some(Kind::Name | Kind::Word(_) | Kind::Open | Kind::Other) | None)
        }
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
                        Kind::Word(Word::Where) | Kind::Semicolon | Kind::Dot | Kind::Comment(Tail::Trivial)
                    ) | None
                )
        }
        // `update x set y = z`, `update user set y = z`
        Some(Kind::Name | Kind::Word(Word::CommonFunction)) => {
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
