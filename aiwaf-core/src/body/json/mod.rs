//! JSON, read token by token: no tree, no recursion, and every one of several equal keys.

mod number;
mod path;
mod string;

use smallvec::SmallVec;

use self::number::{MAX_NUMBER, end_of_number, is_part_of_number};
use self::path::{Path, RecentKeys};
use self::string::{MAX_ESCAPE, Text, Unescaped, end_of_run, near_end_of_run};
use super::fields::{Fields, Stop};
use super::{BodyLimits, BodyMark};
use crate::decode::Part;

/// Visits all keys (again only after others that came between), strings and oversized numbers; several values may stand one
/// after the other. What breaks the rules, is nested too deeply or comes after too many fields is given as raw text. Says
/// whether all of it was JSON.
pub(super) fn read(body: &[u8], limits: &BodyLimits, fields: &mut Fields<'_>) -> bool {
    let mut reader = Reader {
        body,
        at: 0,
        path: Path::new(),
        text: Unescaped::new(),
        keys: RecentKeys::new(),
        level: Level { kind: Kind::Top, path_length: 0, key_at: 0, is_constructor: false },
        is_constructor: false,
        outer: SmallVec::new(),
        max_depth: limits.max_depth,
        fields,
    };
    match reader.read() {
        Ok(()) => true,
        Err(Stop::End) if reader.fields.may_go_on() => true,
        Err(stop) => {
            let rest = body.get(reader.at..).unwrap_or_default();
            reader.fields.give_rest(stop.mark(), rest);
            stop.mark() != BodyMark::Malformed
        }
    }
}

struct Reader<'r, 'v> {
    body: &'r [u8],
    /// What is read next.
    at: usize,
    /// The path to what is read, such as `user.tags[]`.
    path: Path,
    /// The last string that had escapes, without them.
    text: Unescaped,
    keys: RecentKeys,
    /// What stands directly around what is read.
    level: Level,
    /// Whether the last key is `constructor`.
    is_constructor: bool,
    /// What stands around that, the outermost first.
    outer: SmallVec<[Level; 32]>,
    max_depth: usize,
    fields: &'r mut Fields<'v>,
}

#[derive(Clone, Copy)]
struct Level {
    kind: Kind,
    /// How long the path is without what this level adds.
    path_length: usize,
    /// Where in the path this level's keys begin.
    key_at: usize,
    /// Whether it is what the key `constructor` stands for.
    is_constructor: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// The body itself, where one value may follow the other without a comma.
    Top,
    List,
    Object,
}

impl<'r> Reader<'r, '_> {
    fn read(&mut self) -> Result<(), Stop> {
        if self.next_byte().is_none() {
            return Err(Stop::End);
        }
        loop {
            if self.level.kind == Kind::Object {
                self.key()?;
            }
            // A value that has parts is only begun.
            match self.next_byte() {
                Some(b'"') => self.string_value()?,
                Some(byte @ (b'{' | b'[')) => {
                    let (kind, end) = if byte == b'{' { (Kind::Object, b'}') } else { (Kind::List, b']') };
                    self.open(kind)?;
                    if self.next_byte() != Some(end) {
                        continue;
                    }
                }
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(byte) => self.literal(byte)?,
                None if self.level.kind == Kind::Top => return Ok(()),
                None => return Err(Stop::End),
            }
            // A value has ended, and perhaps what is around it.
            while self.level.kind != Kind::Top {
                match (self.next_byte(), self.level.kind) {
                    (Some(b','), _) => {
                        self.at += 1;
                        break;
                    }
                    (Some(b'}'), Kind::Object) | (Some(b']'), Kind::List) => self.close(),
                    (Some(_), _) => return Err(Stop::Malformed),
                    (None, _) => return Err(Stop::End),
                }
            }
        }
    }

    fn open(&mut self, kind: Kind) -> Result<(), Stop> {
        if self.outer.len() >= self.max_depth {
            return Err(Stop::TooDeep);
        }
        self.outer.push(self.level);
        let is_constructor = std::mem::take(&mut self.is_constructor) && self.level.kind == Kind::Object;
        self.level =
            Level { kind, path_length: self.path.length(), key_at: self.path.add_dot(), is_constructor };
        if kind == Kind::List {
            self.path.add_brackets();
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    fn close(&mut self) {
        self.path.cut(self.level.path_length);
        if let Some(outer) = self.outer.pop() {
            self.level = outer;
        }
        self.at += 1;
    }

    /// Reads a key and its colon.
    fn key(&mut self) -> Result<(), Stop> {
        match self.next_byte() {
            Some(b'"') => {}
            Some(_) => return Err(Stop::Malformed),
            None => return Err(Stop::End),
        }
        if !self.fields.take() {
            return Err(Stop::TooManyFields);
        }
        let start = self.at;
        let string = self.string()?;
        match self.next_byte() {
            Some(b':') => self.at += 1,
            Some(_) => return Err(Stop::Malformed),
            None => {
                self.at = start;
                return Err(Stop::End);
            }
        }
        let (text, length) = string.in_context(&self.text);
        self.path.set_key(self.level.key_at, text, length);
        let key = string.bytes(&self.text);
        self.is_constructor = key == b"constructor";
        if self.level.is_constructor && key == b"prototype" {
            // Alone, each of the two is a word.
            self.fields.give(self.path.text(), b"constructor.prototype", Part::Name);
        }
        // Members of a list mostly have the same keys, which need to be judged once.
        if !self.keys.knows(&self.path, length) {
            self.fields.give(self.path.text(), key, Part::Name);
        }
        Ok(())
    }

    fn string_value(&mut self) -> Result<(), Stop> {
        // A member of an object was counted with its key.
        if self.level.kind != Kind::Object && !self.fields.take() {
            return Err(Stop::TooManyFields);
        }
        let string = self.string()?;
        self.fields.give(self.path.text(), string.bytes(&self.text), Part::Value);
        Ok(())
    }

    fn number(&mut self) -> Result<(), Stop> {
        if let Some(end) = end_of_number(self.body, self.at)
            && end - self.at <= MAX_NUMBER
            && self.end_word(end).is_ok()
        {
            return Ok(());
        }
        self.odd_number()
    }

    #[cold]
    fn odd_number(&mut self) -> Result<(), Stop> {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| is_part_of_number(**byte)).count();
        if length > MAX_NUMBER {
            self.fields.outcome.mark(BodyMark::BigNumber);
            self.fields.give(self.path.text(), &rest[..length], Part::Value);
            return self.end_word(self.at + length);
        }
        Err(if length == rest.len() { Stop::End } else { Stop::Malformed })
    }

    fn literal(&mut self, byte: u8) -> Result<(), Stop> {
        let literal: &[u8] = match byte {
            b't' => b"true",
            b'f' => b"false",
            b'n' => b"null",
            _ => return Err(Stop::Malformed),
        };
        let rest = self.body.get(self.at..).unwrap_or_default();
        if rest.starts_with(literal) {
            return self.end_word(self.at + literal.len());
        }
        Err(if literal.starts_with(rest) { Stop::End } else { Stop::Malformed })
    }

    /// Goes to `end`, where a number or a literal ends if no further word follows directly.
    fn end_word(&mut self, end: usize) -> Result<(), Stop> {
        match self.body.get(end) {
            None | Some(b' ' | b'\t' | b'\n' | b'\r' | b'[' | b']' | b'{' | b'}' | b'"' | b',' | b':') => {
                self.at = end;
                Ok(())
            }
            Some(_) => Err(Stop::Malformed),
        }
    }

    /// The string that begins here.
    #[inline]
    fn string(&mut self) -> Result<Text<'r>, Stop> {
        let start = self.at + 1;
        if let Some(rest) = self.body.get(start..)
            && let Some((length, b'"')) = near_end_of_run(rest)
        {
            self.at = start + length + 1;
            return Ok(Text::InBody(rest, length));
        }
        self.long_string()
    }

    /// The same for a string that may be long or have escapes.
    #[inline(never)]
    fn long_string(&mut self) -> Result<Text<'r>, Stop> {
        let start = self.at + 1;
        let string = self.body.get(start..).unwrap_or_default();
        let mut rest = string;
        let mut escaped = false;
        while let Some((length, byte)) = end_of_run(rest) {
            if byte == b'"' && !escaped {
                self.at = start + length + 1;
                return Ok(Text::InBody(string, length));
            }
            if !escaped {
                escaped = true;
                self.text.clear();
            }
            self.text.add(rest, length);
            let after = &rest[length..];
            if byte == b'"' {
                self.at = self.body.len() - after.len() + 1;
                return Ok(Text::InBuffer);
            }
            let Some(length) = self.text.add_escape(&after[1..]) else {
                let missing = after.len() <= MAX_ESCAPE;
                return Err(if missing { self.unfinished(start, true) } else { Stop::Malformed });
            };
            rest = &after[1 + length..];
        }
        Err(self.unfinished(start, escaped))
    }

    /// A string that has no end is given as far as it goes, if only the end was not looked at.
    #[cold]
    fn unfinished(&mut self, start: usize, escaped: bool) -> Stop {
        if self.fields.may_go_on() {
            let raw = self.body.get(start..).unwrap_or_default();
            self.fields.give(self.path.text(), if escaped { self.text.bytes() } else { raw }, Part::Value);
            self.at = self.body.len();
        }
        Stop::End
    }

    /// What stands here, or else after the blanks that stand here.
    #[inline]
    fn next_byte(&mut self) -> Option<u8> {
        match self.body.get(self.at) {
            Some(&byte) if byte > b' ' => Some(byte),
            _ => self.next_after_blanks(),
        }
    }

    #[inline(never)]
    fn next_after_blanks(&mut self) -> Option<u8> {
        let body = self.body;
        loop {
            // Indented lines begin with many spaces.
            while let Some(eight) = body.get(self.at..).and_then(|rest| rest.first_chunk()) {
                let others = u64::from_le_bytes(*eight) ^ u64::from_le_bytes([b' '; 8]);
                let spaces = others.trailing_zeros() as usize / 8;
                self.at += spaces;
                if spaces < 8 {
                    break;
                }
            }
            match body.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                byte => return byte.copied(),
            }
        }
    }
}
