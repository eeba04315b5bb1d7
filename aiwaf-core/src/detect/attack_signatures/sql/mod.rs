//! SQL injection, judged by tokens: what a value would do to the statement that it lands in.
//!
//! A value lands inside quotes or outside of them. Inside, it does nothing until it closes the quote; what comes next
//! must be something that SQL allows after a string, which prose hardly ever is ([`break_out`]). Outside, the value is
//! read as it stands ([`expression`]), and only what nobody writes by chance counts: `union select` with a list, a
//! comparison of two literals behind `or`, a call of a database's own function, a stacked statement.

mod beginning;
mod break_out;
mod continuation;
mod expression;
mod grammar;
mod quotation;
mod spelling;
mod statement;
mod subquery;
mod token;
mod words;

pub(super) use break_out::break_out;
pub(super) use expression::expression;
pub(super) use spelling::hidden_sql;
