//! The parts of SQL's grammar that both readings of a value share.

use super::token::{Kind, Tail, Token};
use super::words::Word;

/// A value's tokens, and where the reader is.
pub(super) struct Reader<'t> {
    pub(super) tokens: &'t [Token],
    pub(super) at: usize,
}

/// What an operand is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operand {
    /// A number, a constant or a variable.
    Literal,
    /// A string.
    Text { quote: u8, closed: bool },
    /// A name, perhaps with dots.
    Name,
    /// A call of a function of the database, with its arguments.
    Call,
    /// A call of something else.
    UnknownCall,
    /// `(select ..`, `case when ..`, `exists(select ..`.
    Query,
}

impl Operand {
    /// Whether its value is known without the database.
    pub(super) fn is_constant(self) -> bool {
        matches!(self, Self::Literal | Self::Text { .. })
    }
}

impl<'t> Reader<'t> {
    pub(super) fn new(tokens: &'t [Token], at: usize) -> Self {
        Self { tokens, at }
    }

    pub(super) fn kind(&self, ahead: usize) -> Option<Kind> {
        self.tokens.get(self.at + ahead).map(|token| token.kind)
    }

    pub(super) fn peek(&self) -> Option<Kind> {
        self.kind(0)
    }

    pub(super) fn token(&self) -> Option<Token> {
        self.tokens.get(self.at).copied()
    }

    pub(super) fn word(&self) -> Option<Word> {
        match self.peek() {
            Some(Kind::Word(word)) => Some(word),
            _ => None,
        }
    }

    pub(super) fn take(&mut self, kind: Kind) -> bool {
        let taken = self.peek() == Some(kind);
        self.at += usize::from(taken);
        taken
    }

    pub(super) fn take_word(&mut self, word: Word) -> bool {
        self.take(Kind::Word(word))
    }

    pub(super) fn take_while(&mut self, allowed: impl Fn(Kind) -> bool) -> usize {
        let from = self.at;
        while self.peek().is_some_and(&allowed) {
            self.at += 1;
        }
        self.at - from
    }

    pub(super) fn at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// A comment that cuts the rest of the statement off.
    pub(super) fn at_comment(&self) -> bool {
        matches!(self.peek(), Some(Kind::Comment(Tail::Trivial)))
    }

    /// Nothing comes any more, or nothing that counts.
    pub(super) fn at_end_or_comment(&self) -> bool {
        self.at_end() || self.at_comment()
    }

    /// `and`, `or`, `||`, `&&`, and the `not`s behind it.
    pub(super) fn take_logic(&mut self) -> bool {
        let taken = self.take(Kind::Logic) || self.take_word(Word::Logic);
        if taken {
            self.take_while(|kind| matches!(kind, Kind::Not | Kind::Word(Word::Before)));
        }
        taken
    }

    pub(super) fn take_comparison(&mut self) -> bool {
        let from = self.at;
        self.take_while(|kind| matches!(kind, Kind::Not | Kind::Word(Word::Before)));
        if self.take_while(|kind| matches!(kind, Kind::Comparison | Kind::Word(Word::Compare))) == 0 {
            self.at = from;
            return false;
        }
        self.take_while(|kind| matches!(kind, Kind::Not | Kind::Word(Word::Before)));
        true
    }

    pub(super) fn take_arithmetic(&mut self) -> bool {
        self.take(Kind::Arithmetic) || self.take_word(Word::Calculate)
    }

    /// One operand with its signs and brackets.
    pub(super) fn take_operand(&mut self) -> Option<Operand> {
        let mut depth = 0;
        loop {
            match self.peek()? {
                Kind::Arithmetic | Kind::Not | Kind::Word(Word::Before) => self.at += 1,
                Kind::Open => {
                    self.at += 1;
                    depth += 1;
                }
                _ => break,
            }
            if depth > 64 {
                return None;
            }
        }
        let operand = match self.peek()? {
            Kind::Number | Kind::Variable | Kind::Word(Word::Constant) => {
                self.at += 1;
                // `current_user()`, `@x:=1`
                self.take_arguments();
                Operand::Literal
            }
            Kind::Text { quote, closed } => {
                self.at += 1;
                Operand::Text { quote, closed }
            }
            Kind::Word(Word::Select) => {
                self.at += 1;
                return Some(Operand::Query);
            }
            Kind::Word(Word::Case)
                if self.kind(1) == Some(Kind::Word(Word::When))
                    || self.kind(2) == Some(Kind::Word(Word::When)) =>
            {
                self.at += 1;
                return Some(Operand::Query);
            }
            Kind::Word(Word::Function | Word::CommonFunction | Word::If)
                if self.kind(1) == Some(Kind::Open) =>
            {
                self.at += 1;
                self.take_arguments();
                Operand::Call
            }
            Kind::Name | Kind::Word(_)
                if self.kind(1) == Some(Kind::Open)
                    && self.tokens.get(self.at + 1).is_some_and(|open| !open.spaced) =>
            {
                self.at += 1;
                self.take_arguments();
                Operand::UnknownCall
            }
            Kind::Name
            | Kind::Word(
                Word::Function
                | Word::CommonFunction
                | Word::Object
                | Word::Catalog
                | Word::Values
                | Word::Special,
            ) => {
                self.at += 1;
                while self.peek() == Some(Kind::Dot)
                    && matches!(self.kind(1), Some(Kind::Name | Kind::Word(_)))
                {
                    self.at += 2;
                    if self.peek() == Some(Kind::Open) {
                        self.take_arguments();
                        return Some(Operand::UnknownCall);
                    }
                }
                Operand::Name
            }
            _ => return None,
        };
        if depth > 0 {
            self.take_while(|kind| kind == Kind::Close);
        }
        Some(operand)
    }

    /// `(...)` with everything in it, or what there is of it within a few tokens: a reader that looks ahead without an
    /// end would make many brackets cost their square.
    fn take_arguments(&mut self) {
        if self.peek() != Some(Kind::Open) {
            return;
        }
        let mut depth = 0usize;
        let end = self.at + LOOK_AHEAD;
        while let Some(kind) = self.peek().filter(|_| self.at < end) {
            match kind {
                Kind::Open => depth += 1,
                Kind::Close => depth -= 1,
                // Brackets that are still open at a comment stay open.
                Kind::Comment(_) => return,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }
}

/// Tokens that are looked ahead within brackets and lists.
pub(super) const LOOK_AHEAD: usize = 64;

/// Whether what stands at `at` is `union [all] (select` and a list that no prose would go on with.
pub(super) fn is_union_select(tokens: &[Token], at: usize) -> bool {
    let mut reader = Reader::new(tokens, at);
    if !reader.take_word(Word::Union) {
        return false;
    }
    reader.take_while(|kind| matches!(kind, Kind::Open | Kind::Word(Word::Before) | Kind::Other));
    if !reader.take_word(Word::Select) {
        // `values (`, `values row(`
        return reader.take_word(Word::Values)
            && (reader.peek() == Some(Kind::Open)
                || matches!(reader.peek(), Some(Kind::Name)) && reader.kind(1) == Some(Kind::Open));
    }
    is_select_list(&mut reader)
}

/// Whether a select list stands here: an expression that is no mere word, or words with commas or a `from`.
pub(super) fn is_select_list(reader: &mut Reader<'_>) -> bool {
    reader.take_while(|kind| matches!(kind, Kind::Word(Word::Before)));
    if reader.at_end_or_comment() {
        return true;
    }
    if reader.take(Kind::Arithmetic) && reader.at_end_or_comment() {
        return true;
    }
    let operand = reader.take_operand();
    match operand {
        None => {
            matches!(reader.peek(), Some(Kind::Word(Word::From)))
        }
        Some(Operand::Name) => {
            matches!(reader.peek(), Some(Kind::Comma | Kind::Close | Kind::Word(Word::From)))
                || reader.at_comment()
                || reader.take_comparison()
                || reader.take(Kind::Logic) && reader.take_operand().is_some()
        }
        Some(_) => true,
    }
}
