//! SQL as a database's lexer would see it, whichever database it is.

use super::words::{Word, classify};

/// One token, by what it can do in an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Where it begins in the value.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// Whether white space or a comment stands before it.
    pub(super) spaced: bool,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number in any notation.
    Number,
    /// A string literal; `closed` says whether its end quote is there.
    Text {
        quote: u8,
        closed: bool,
    },
    /// A word that means nothing to SQL, or a quoted identifier.
    Name,
    /// A word that means something.
    Word(Word),
    /// `@x`, `@@x`, `:x`.
    Variable,
    /// `=`, `<`, `!=`, `<=>` and the like.
    Comparison,
    /// `+`, `-`, `*`, `/`, `%`, `^`, `~`, `|`, `&`, `<<`.
    Arithmetic,
    /// `||` or `&&`, or `!` before an operand.
    Logic,
    /// `!` alone.
    Not,
    Open,
    Close,
    Comma,
    Semicolon,
    Dot,
    /// A comment up to the end of the value: what follows in the statement is lost.
    Comment(Tail),
    /// Anything else.
    Other,
}

/// How much stands in a comment that ends the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// Nothing, or one short word: somebody wanted the rest of the statement gone.
    Trivial,
    /// Several words, as in prose that has a dash in it.
    Prose,
}

/// Reads tokens from a value, from `at` on.
#[derive(Debug, Clone)]
pub(super) struct Tokens<'v> {
    value: &'v [u8],
    at: usize,
    /// Whether a comment that MySQL executes was seen (`/*!50000 union */`).
    pub(super) conditional_comment: bool,
}

impl<'v> Tokens<'v> {
    pub(super) fn new(value: &'v [u8], at: usize) -> Self {
        Self { value, at, conditional_comment: false }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.value.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Passes over white space and comments that are closed. Says whether there was any.
    fn skip_space(&mut self) -> bool {
        let from = self.at;
        loop {
            let byte = self.peek(0);
            if self.at >= self.value.len() {
                break;
            }
            let space = self.space_length();
            if space > 0 {
                self.at += space;
            } else if byte == b'/' && self.peek(1) == b'*' {
                if self.peek(2) == b'!' {
                    // What stands in it is executed: only its brackets are white space.
                    self.conditional_comment = true;
                    self.at += 3;
                    while self.peek(0).is_ascii_digit() {
                        self.at += 1;
                    }
                } else {
                    let body = self.value.get(self.at + 2..).unwrap_or_default();
                    let Some(length) = memchr::memmem::find(body, b"*/") else { break };
                    self.at += 2 + length + 2;
                }
            } else if byte == b'*' && self.peek(1) == b'/' && self.conditional_comment {
                self.at += 2;
            } else {
                break;
            }
        }
        self.at > from
    }

    /// How long the white space is that stands here: SQL Server takes all control characters for it, MySQL the hard blank of
    /// Latin-1, others that of Unicode.
    fn space_length(&self) -> usize {
        // Within a character of UTF-8, which has three such bytes at most, the byte means nothing.
        let is_character = || {
            let before = self.value.get(..self.at).unwrap_or_default().iter().rev().take(3);
            before.copied().find(|byte| *byte != 0xa0).is_some_and(|byte| !byte.is_ascii())
        };
        match (self.peek(0), self.peek(1), self.peek(2)) {
            (..=b' ', ..) if self.at < self.value.len() => 1,
            (0xa0, ..) if !is_character() => 1,
            (0xc2, 0xa0, _) => 2,
            (0xe2, 0x80, 0x80..=0x8a | 0xaf) | (0xe3, 0x80, 0x80) => 3,
            _ => 0,
        }
    }

    /// Passes over a name.
    fn while_name(&mut self) {
        while is_name(self.peek(0)) && self.space_length() == 0 {
            self.at += 1;
        }
    }

    fn while_class(&mut self, class: impl Fn(u8) -> bool) {
        while self.at < self.value.len() && class(self.peek(0)) {
            self.at += 1;
        }
    }

    /// A string up to the end quote; a doubled quote and one behind a backslash belong to it.
    fn text(&mut self, quote: u8) -> Kind {
        self.at += 1;
        while let Some(rest) = self.value.get(self.at..) {
            let Some(length) = memchr::memchr2(quote, b'\\', rest) else { break };
            self.at += length;
            if self.peek(0) == b'\\' || self.peek(1) == quote {
                self.at += 2;
            } else {
                self.at += 1;
                return Kind::Text { quote, closed: true };
            }
        }
        self.at = self.value.len();
        Kind::Text { quote, closed: false }
    }

    /// A comment to the end of the line, which is the end of the value as far as the statement goes.
    fn line_comment(&mut self, marker: usize) -> Option<Kind> {
        let body = self.value.get(self.at + marker..).unwrap_or_default();
        let line = memchr::memchr(b'\n', body);
        if let Some(length) = line.filter(|length| {
            // A lone dash belongs to the comment's mark.
            let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'-';
            !body.get(length + 1..).unwrap_or_default().iter().all(is_blank)
        }) {
            // The statement goes on in the next line.
            self.at += marker + length + 1;
            return None;
        }
        self.at = self.value.len();
        Some(Kind::Comment(tail(body)))
    }

    fn number(&mut self) -> Kind {
        if self.peek(0) == b'0'
            && matches!(self.peek(1), b'x' | b'X' | b'b' | b'B')
            && self.peek(2).is_ascii_hexdigit()
        {
            self.at += 2;
            self.while_class(|byte| byte.is_ascii_hexdigit());
        } else {
            self.while_class(|byte| byte.is_ascii_digit());
            if self.peek(0) == b'.' {
                self.at += 1;
                self.while_class(|byte| byte.is_ascii_digit());
            }
            let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
            if matches!(self.peek(0), b'e' | b'E') && self.peek(1 + sign).is_ascii_digit() {
                self.at += 1 + sign;
                self.while_class(|byte| byte.is_ascii_digit());
            } else if matches!(self.peek(0), b'e' | b'E') && self.peek(1) == b'.' {
                // `1.e.table` and `1e.x`: MySQL reads an exponent without digits.
                self.at += 1;
            }
        }
        // `3rd`, `2nd`, `70s`, `1x`: a word of prose that begins with a digit; `1union` is read as number and word.
        if is_name(self.peek(0)) && self.space_length() == 0 {
            let number_end = self.at;
            self.while_name();
            let word = self.value.get(number_end..self.at).unwrap_or_default();
            if classify(word).is_some() {
                self.at = number_end;
                return Kind::Number;
            }
            return Kind::Name;
        }
        Kind::Number
    }

    fn word(&mut self) -> Kind {
        let start = self.at;
        self.while_name();
        let word = self.value.get(start..self.at).unwrap_or_default();
        // N'..', X'..', B'..', _utf8'..': a string with a prefix.
        if matches!(word, b"n" | b"N" | b"x" | b"X" | b"b" | b"B" | b"e" | b"E")
            && self.peek(0) == b'\''
            && start > 0
        {
            return self.text(b'\'');
        }
        classify(word).map_or(Kind::Name, Kind::Word)
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            let spaced = self.skip_space();
            let start = self.at;
            if start >= self.value.len() {
                return None;
            }
            let one = |tokens: &mut Self, kind| {
                tokens.at += 1;
                kind
            };
            let kind = match (self.peek(0), self.peek(1)) {
                (quote @ (b'\'' | b'"'), _) => self.text(quote),
                (b'`', _) => {
                    self.text(b'`');
                    Kind::Name
                }
                (b'-', b'-') => match self.line_comment(2) {
                    Some(kind) => kind,
                    None => continue,
                },
                (b'#', _) => match self.line_comment(1) {
                    Some(kind) => kind,
                    None => continue,
                },
                (b'/', b'*') => {
                    let body = self.value.get(self.at + 2..).unwrap_or_default();
                    self.at = self.value.len();
                    Kind::Comment(tail(body))
                }
                (b'0'..=b'9', _) | (b'.', b'0'..=b'9') => self.number(),
                (b'@', _) => {
                    self.while_class(|byte| byte == b'@');
                    if matches!(self.peek(0), b'`' | b'\'' | b'"') {
                        let quote = self.peek(0);
                        self.text(quote);
                    } else {
                        self.while_name();
                    }
                    Kind::Variable
                }
                (b'|', b'|') | (b'&', b'&') => {
                    self.at += 2;
                    Kind::Logic
                }
                (b'!' | b':', b'=') => {
                    self.at += 2;
                    Kind::Comparison
                }
                (b'<', b'<') | (b'>', b'>') => {
                    self.at += 2;
                    Kind::Arithmetic
                }
                (b'=' | b'<' | b'>', _) => {
                    self.at += 1;
                    // One operator, however long it is; `===` is none.
                    let mut length = 1;
                    while matches!(self.peek(0), b'=' | b'>' | b'<') {
                        self.at += 1;
                        length += 1;
                    }
                    let operator = self.value.get(start..self.at).unwrap_or_default();
                    if length == 1 || matches!(operator, b"<=" | b">=" | b"<>" | b"<=>" | b"==") {
                        Kind::Comparison
                    } else {
                        Kind::Other
                    }
                }
                (b'+' | b'-' | b'*' | b'/' | b'%' | b'^' | b'~' | b'|' | b'&', _) => {
                    one(self, Kind::Arithmetic)
                }
                (b'!', _) => one(self, Kind::Not),
                (b'(', _) => one(self, Kind::Open),
                (b')', _) => one(self, Kind::Close),
                (b',', _) => one(self, Kind::Comma),
                (b';', _) => one(self, Kind::Semicolon),
                (b'.', _) => one(self, Kind::Dot),
                (byte, _) if is_name(byte) => self.word(),
                _ => one(self, Kind::Other),
            };
            return Some(Token { kind, start, end: self.at, spaced });
        }
    }
}

/// Letters, digits, `_`, `$` and everything beyond ASCII.
fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

fn tail(body: &[u8]) -> Tail {
    let body = body.trim_ascii();
    let mut words =
        body.split(|byte| byte.is_ascii_whitespace() || *byte == b'+').filter(|word| !word.is_empty());
    let first = words.next();
    match (first, words.next()) {
        (None, _) => Tail::Trivial,
        (Some(word), None) if word.len() <= 12 => Tail::Trivial,
        _ => Tail::Prose,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_databases_take_for_blanks_parts_words() {
        let count = |text: &[u8]| Tokens::new(text, 0).count();
        for blank in [
            &b" "[..],
            b"\x0b",
            b"\x01",
            b"\x1f",
            b"\xa0",
            b"\xa0\xa0\xa0\xa0",
            b"\xc2\xa0",
            b"\xe2\x80\x83",
            b"/**/",
        ] {
            assert_eq!(count(&[b"union", blank, b"select"].concat()), 2, "{}", blank.escape_ascii());
        }
        for word in ["d\u{e0}j", "a\u{6820}b", "a\u{a820}b"] {
            assert_eq!(count(word.as_bytes()), 1, "{word}");
        }
    }
}
