//! JSON, read token by token: no tree, no recursion, and every one of several equal keys.

mod broken;
mod number;
mod path;
mod string;

use smallvec::SmallVec;

use self::broken::Broken;
use self::number::{MAX_NUMBER, end_of_number, is_part_of_number};
use self::path::{Path, RecentKeys};
use self::string::{MAX_ESCAPE, Unescaped, end_of_run, near_end_of_run};
use super::sink::{Budget, Sink};
use super::window::Window;
use super::{BodyLimits, BodyMark};
use crate::decode::Part;

/// Reads all keys (again only after others that came between), strings and oversized numbers. Several values may follow each
/// other. What violates the format, is nested too deeply or follows too many fields is passed on as raw text, and the
/// strings in it as values.
pub(super) struct Json {
    /// The path to what is read, such as `user.tags[]`.
    path: Path,
    /// The last string that had escapes, without them.
    text: Unescaped,
    keys: RecentKeys,
    /// The innermost open list or object.
    level: Level,
    /// Whether the last key is `constructor`.
    is_constructor: bool,
    /// The levels around it, the outermost first.
    outer: SmallVec<[Level; 16]>,
    expected: Expected,
    /// Within a comment, the byte that ends it: `/` or a line end.
    comment: Option<u8>,
    /// A string, number or comment that is incomplete.
    window: Window,
    broken: Broken,
    /// Whether there was a value.
    any: bool,
    max_depth: usize,
    budget: Budget,
}

#[derive(Clone, Copy)]
struct Level {
    kind: Kind,
    is_constructor: bool,
    /// Length of the path without what this level adds.
    path_length: u16,
    /// Where in the path this level's keys begin.
    key_at: u16,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// The body itself, where values follow each other without a comma.
    Top,
    List,
    Object,
}

/// The next token.
#[derive(Clone, Copy, PartialEq)]
enum Expected {
    Value,
    /// A value, or the end of the list.
    FirstItem,
    /// A key, or the end of the object.
    FirstKey,
    Key,
    Colon,
    /// A comma, or the end of what is open.
    Next,
    /// More of a key, a string value, or an oversized number.
    RestOfKey,
    RestOfString,
    RestOfNumber,
    /// Nothing: the body is not JSON from here on.
    Nothing,
}

/// The reason to stop reading the bytes at hand.
enum Stop {
    /// A token is incomplete.
    More,
    /// What follows can't be read.
    Broken(BodyMark),
}

const MALFORMED: Result<(), Stop> = Err(Stop::Broken(BodyMark::Malformed));

impl Json {
    pub(super) fn new(limits: &BodyLimits) -> Self {
        Self {
            path: Path::new(),
            text: Unescaped::new(),
            keys: RecentKeys::new(),
            level: Level { kind: Kind::Top, is_constructor: false, path_length: 0, key_at: 0 },
            is_constructor: false,
            outer: SmallVec::new(),
            expected: Expected::Value,
            comment: None,
            window: Window::default(),
            broken: Broken::default(),
            any: false,
            max_depth: limits.max_depth,
            budget: Budget::new(limits.max_fields),
        }
    }

    pub(super) fn step(&mut self, data: &[u8], last: bool, sink: &mut Sink<'_>) -> usize {
        let mut reader = Reader { data, at: 0, last, json: self, sink };
        if reader.json.expected != Expected::Nothing {
            let comment = if reader.json.comment.is_some() { reader.comment() } else { Ok(()) };
            let stop = match comment {
                Ok(()) => reader.read(),
                Err(stop) => stop,
            };
            match stop {
                Stop::More if !last => return reader.at,
                Stop::More => {
                    reader.end();
                    return data.len();
                }
                Stop::Broken(mark) => {
                    reader.sink.mark(mark);
                    reader.json.expected = Expected::Nothing;
                }
            }
        }
        let rest = data.get(reader.at..).unwrap_or_default();
        self.broken.read(rest, last, sink);
        data.len()
    }
}

/// The bytes at hand, and what they are read into.
struct Reader<'r, 's, 'v> {
    data: &'r [u8],
    /// Where the next token begins.
    at: usize,
    /// Whether the body ends behind the data.
    last: bool,
    json: &'s mut Json,
    sink: &'s mut Sink<'v>,
}

/// A string.
enum Text<'r> {
    /// The first bytes of what is left of the data.
    InData(&'r [u8], usize),
    /// Without its escapes, in [`Json::text`].
    InBuffer,
    /// Its beginning is in [`Json::window`]; the rest follows.
    Begun,
}

impl<'r> Reader<'r, '_, '_> {
    fn read(&mut self) -> Stop {
        loop {
            if let Err(stop) = self.token() {
                return stop;
            }
        }
    }

    /// Reads the next token, and those that mostly follow it.
    #[inline]
    fn token(&mut self) -> Result<(), Stop> {
        match self.json.expected {
            Expected::Value => {
                let byte = self.next_byte()?;
                self.value(byte)
            }
            Expected::Key => match self.next_byte()? {
                b'"' => self.key(),
                _ => MALFORMED,
            },
            Expected::Next => {
                let byte = self.next_byte()?;
                self.next(byte)
            }
            Expected::FirstItem => match self.next_byte()? {
                b']' => self.close(),
                byte => self.value(byte),
            },
            Expected::FirstKey => match self.next_byte()? {
                b'}' => self.close(),
                b'"' => self.key(),
                _ => MALFORMED,
            },
            Expected::Colon => match self.next_byte()? {
                b':' => {
                    self.at += 1;
                    self.json.expected = Expected::Value;
                    Ok(())
                }
                _ => MALFORMED,
            },
            Expected::RestOfKey | Expected::RestOfString => self.rest_of_string(),
            Expected::RestOfNumber => self.rest_of_number(),
            Expected::Nothing => MALFORMED,
        }
    }

    /// Reads the value that begins with `byte`.
    #[inline]
    fn value(&mut self, byte: u8) -> Result<(), Stop> {
        match byte {
            b'"' => self.string_value(),
            b'{' => self.open(Kind::Object),
            b'[' => self.open(Kind::List),
            b'-' | b'0'..=b'9' => self.number(),
            byte => self.literal(byte),
        }
    }

    /// Reads what follows a value.
    #[inline]
    fn next(&mut self, byte: u8) -> Result<(), Stop> {
        match (byte, self.json.level.kind) {
            (b',', Kind::Object) => self.json.expected = Expected::Key,
            (b',', Kind::List) => self.json.expected = Expected::Value,
            (b'}', Kind::Object) | (b']', Kind::List) => return self.close(),
            _ => return MALFORMED,
        }
        self.at += 1;
        Ok(())
    }

    fn open(&mut self, kind: Kind) -> Result<(), Stop> {
        let json = &mut *self.json;
        if json.outer.len() >= json.max_depth {
            return Err(Stop::Broken(BodyMark::TooDeep));
        }
        json.any = true;
        json.outer.push(json.level);
        let is_constructor = std::mem::take(&mut json.is_constructor) && json.level.kind == Kind::Object;
        json.level =
            Level { kind, is_constructor, path_length: json.path.length(), key_at: json.path.add_dot() };
        json.expected = Expected::FirstKey;
        if kind == Kind::List {
            json.path.add_brackets();
            json.expected = Expected::FirstItem;
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    #[allow(clippy::unnecessary_wraps)] // the result of its callers
    fn close(&mut self) -> Result<(), Stop> {
        self.json.path.cut(self.json.level.path_length);
        if let Some(outer) = self.json.outer.pop() {
            self.json.level = outer;
        }
        self.at += 1;
        self.end_value();
        Ok(())
    }

    #[inline]
    fn end_value(&mut self) {
        self.json.expected = if self.json.level.kind == Kind::Top { Expected::Value } else { Expected::Next };
    }

    /// Reads a key and, if it follows directly, its colon.
    fn key(&mut self) -> Result<(), Stop> {
        if self.json.budget.is_spent() {
            return Err(Stop::Broken(BodyMark::TooManyFields));
        }
        match self.string()? {
            Text::InData(rest, length) => self.end_key(rest, length),
            Text::InBuffer => self.end_key_in_buffer(),
            Text::Begun => {
                self.json.expected = Expected::RestOfKey;
                return Ok(());
            }
        }
        if self.data.get(self.at) == Some(&b':') {
            self.at += 1;
            self.json.expected = Expected::Value;
            let byte = self.next_byte()?;
            return self.value(byte);
        }
        Ok(())
    }

    #[inline(never)]
    fn end_key_in_buffer(&mut self) {
        let text = std::mem::replace(&mut self.json.text, Unescaped::new());
        self.end_key(text.with_room(), text.length());
        self.json.text = text;
    }

    /// Takes the first `length` bytes of `text` as the key.
    #[inline]
    fn end_key(&mut self, text: &[u8], length: usize) {
        let json = &mut *self.json;
        json.expected = Expected::Colon;
        json.budget.take();
        json.path.set_key(json.level.key_at, text, length);
        let key = text.get(..length).unwrap_or(text);
        json.is_constructor = key == b"constructor";
        if json.level.is_constructor && key == b"prototype" {
            // Alone, each of the two is a word.
            self.sink.give(json.path.text(), b"constructor.prototype", Part::Name);
        }
        // Members of a list mostly have the same keys, which need to be judged once.
        if !json.keys.knows(&json.path, length) {
            self.sink.give(json.path.text(), key, Part::Name);
        }
    }

    #[inline]
    fn string_value(&mut self) -> Result<(), Stop> {
        // A member of an object was counted with its key.
        if self.json.level.kind != Kind::Object && !self.has_budget() {
            return Err(Stop::Broken(BodyMark::TooManyFields));
        }
        self.json.any = true;
        match self.string()? {
            Text::InData(rest, length) => {
                let value = rest.get(..length).unwrap_or(rest);
                self.sink.give(self.json.path.text(), value, Part::Value);
            }
            Text::InBuffer => self.sink.give(self.json.path.text(), self.json.text.bytes(), Part::Value),
            Text::Begun => {
                self.json.expected = Expected::RestOfString;
                return Ok(());
            }
        }
        self.end_string_value();
        if self.data.get(self.at) == Some(&b',') {
            return self.next(b',');
        }
        Ok(())
    }

    #[inline]
    fn end_string_value(&mut self) {
        if self.json.level.kind != Kind::Object {
            self.json.budget.take();
        }
        self.end_value();
    }

    /// Reports whether another value may be taken apart. A string that is incomplete is not yet counted.
    #[inline]
    fn has_budget(&self) -> bool {
        !self.json.budget.is_spent()
    }

    /// Reads the string that begins here, or its beginning if it is incomplete and long.
    #[inline]
    fn string(&mut self) -> Result<Text<'r>, Stop> {
        let start = self.at + 1;
        if let Some(rest) = self.data.get(start..)
            && let Some((length, b'"')) = near_end_of_run(rest)
        {
            self.at = start + length + 1;
            return Ok(Text::InData(rest, length));
        }
        self.long_string()
    }

    /// The same for a string that may be long or have escapes.
    #[inline(never)]
    fn long_string(&mut self) -> Result<Text<'r>, Stop> {
        let start = self.at + 1;
        let string = self.data.get(start..).unwrap_or_default();
        if let Some((length, b'"')) = end_of_run(string) {
            self.at = start + length + 1;
            return Ok(Text::InData(string, length));
        }
        let mut text = std::mem::replace(&mut self.json.text, Unescaped::new());
        text.clear();
        let result = self.escaped_string(string, &mut text);
        self.json.text = text;
        result
    }

    /// Reads a string, of which `string` is what follows the quote, into `text`.
    fn escaped_string(&mut self, string: &'r [u8], text: &mut Unescaped) -> Result<Text<'r>, Stop> {
        let mut rest = string;
        while let Some((length, byte)) = end_of_run(rest) {
            if text.length() + length > MAX_UNESCAPED {
                break;
            }
            text.add(rest, length);
            rest = rest.get(length..).unwrap_or_default();
            if byte == b'"' {
                self.at = self.data.len() - rest.len() + 1;
                return Ok(Text::InBuffer);
            }
            let Some(after) = self.escape(rest, text) else { break };
            rest = after;
        }
        if string.len() <= MAX_CARRIED && !self.last {
            return Err(Stop::More);
        }
        self.at = self.data.len() - rest.len();
        self.json.window.clear();
        let is_key = matches!(self.json.expected, Expected::Key | Expected::FirstKey);
        self.push_string(text.bytes(), is_key);
        Ok(Text::Begun)
    }

    /// Appends what the escape at the beginning of `text` means to `unescaped`; returns what follows, or nothing if the escape
    /// is incomplete.
    fn escape<'t>(&mut self, text: &'t [u8], unescaped: &mut Unescaped) -> Option<&'t [u8]> {
        let inside = text.get(1..)?;
        if inside.len() < MAX_ESCAPE && !self.last {
            return None;
        }
        let Some(length) = unescaped.add_escape(inside) else {
            // Lenient parsers take the byte for itself.
            self.sink.mark(BodyMark::Malformed);
            unescaped.add(inside, inside.len().min(1));
            return inside.get(1..).or(Some(b""));
        };
        inside.get(length..)
    }

    fn push_key(&mut self, bytes: &[u8]) {
        let json = &mut *self.json;
        let (path, at) = (&mut json.path, json.level.key_at);
        let mut is_first = json.window.unshown().is_some();
        let (visit, place) = (&mut *self.sink.visit, self.sink.place);
        json.window.push(bytes, |piece| {
            if std::mem::take(&mut is_first) {
                path.set_key(at, piece, piece.len());
            }
            visit(crate::decode::Parameter { name: path.text(), value: piece, part: Part::Name, place });
        });
    }

    /// Reads on in a string that is kept in the window.
    fn rest_of_string(&mut self) -> Result<(), Stop> {
        let is_key = self.json.expected == Expected::RestOfKey;
        let mut text = std::mem::replace(&mut self.json.text, Unescaped::new());
        let result = self.read_to_quote(is_key, &mut text);
        self.json.text = text;
        if result.is_ok() {
            self.end_long_string(is_key);
        }
        result
    }

    fn read_to_quote(&mut self, is_key: bool, text: &mut Unescaped) -> Result<(), Stop> {
        text.clear();
        loop {
            let rest = self.data.get(self.at..).unwrap_or_default();
            let end = end_of_run(rest);
            let (run, after) = rest.split_at(end.map_or(rest.len(), |(length, _)| length));
            self.at += run.len();
            if !run.is_empty() || text.length() > MAX_UNESCAPED {
                self.push_string(text.bytes(), is_key);
                text.clear();
                self.push_string(run, is_key);
            }
            let after = match end {
                Some((_, b'"')) => {
                    self.push_string(text.bytes(), is_key);
                    self.at += 1;
                    return Ok(());
                }
                Some(_) => self.escape(after, text),
                None => None,
            };
            let Some(after) = after else {
                self.push_string(text.bytes(), is_key);
                return Err(Stop::More);
            };
            self.at = self.data.len() - after.len();
        }
    }

    fn push_string(&mut self, bytes: &[u8], is_key: bool) {
        if is_key {
            self.push_key(bytes);
        } else {
            self.sink.push(&mut self.json.window, self.json.path.text(), bytes, Part::Value);
        }
    }

    fn end_long_string(&mut self, is_key: bool) {
        let mut window = std::mem::take(&mut self.json.window);
        if !is_key {
            self.sink.end(&mut window, self.json.path.text(), Part::Value);
            self.json.window = window;
            self.end_string_value();
            return;
        }
        if let Some(key) = window.unshown() {
            self.end_key(key, key.len());
        } else {
            self.sink.end(&mut window, self.json.path.text(), Part::Name);
            self.json.expected = Expected::Colon;
            self.json.is_constructor = false;
            self.json.budget.take();
        }
        window.clear();
        self.json.window = window;
    }

    #[inline]
    fn number(&mut self) -> Result<(), Stop> {
        if let Some(end) = end_of_number(self.data, self.at)
            && end - self.at <= MAX_NUMBER
            && (end < self.data.len() || self.last)
        {
            return self.end_word(end);
        }
        self.odd_number()
    }

    #[cold]
    fn odd_number(&mut self) -> Result<(), Stop> {
        let rest = self.data.get(self.at..).unwrap_or_default();
        let length = rest.iter().take(MAX_NUMBER + 1).take_while(|byte| is_part_of_number(**byte)).count();
        if length > MAX_NUMBER {
            self.sink.mark(BodyMark::BigNumber);
            self.json.any = true;
            self.json.expected = Expected::RestOfNumber;
            return Ok(());
        }
        Err(if length == rest.len() && !self.last { Stop::More } else { Stop::Broken(BodyMark::Malformed) })
    }

    fn rest_of_number(&mut self) -> Result<(), Stop> {
        let rest = self.data.get(self.at..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| is_part_of_number(**byte)).count();
        let (digits, after) = rest.split_at(length);
        self.sink.push(&mut self.json.window, self.json.path.text(), digits, Part::Value);
        self.at += length;
        if after.is_empty() && !self.last {
            return Err(Stop::More);
        }
        self.sink.end(&mut self.json.window, self.json.path.text(), Part::Value);
        self.end_word(self.at)
    }

    fn literal(&mut self, byte: u8) -> Result<(), Stop> {
        let literal: &[u8] = match byte {
            b't' => b"true",
            b'f' => b"false",
            b'n' => b"null",
            _ => return Err(Stop::Broken(BodyMark::Malformed)),
        };
        let rest = self.data.get(self.at..).unwrap_or_default();
        if rest.len() <= literal.len() && literal.starts_with(rest) && !self.last {
            return Err(Stop::More);
        }
        if rest.starts_with(literal) {
            return self.end_word(self.at + literal.len());
        }
        Err(Stop::Broken(BodyMark::Malformed))
    }

    /// Advances to `end`, where a number or a literal ends unless a further word follows directly.
    #[inline]
    fn end_word(&mut self, end: usize) -> Result<(), Stop> {
        match self.data.get(end) {
            None
            | Some(b' ' | b'\t' | b'\n' | b'\r' | b'[' | b']' | b'{' | b'}' | b'"' | b',' | b':' | b'/') => {
                self.at = end;
                self.json.any = true;
                self.end_value();
                Ok(())
            }
            Some(_) => Err(Stop::Broken(BodyMark::Malformed)),
        }
    }

    /// Handles the end of the body.
    fn end(&mut self) {
        let is_key = self.json.expected == Expected::RestOfKey;
        if self.json.comment.is_some() {
            self.sink.end(&mut self.json.window, b"", Part::Raw);
        }
        let name = self.json.path.text();
        self.sink.end(&mut self.json.window, name, if is_key { Part::Name } else { Part::Value });
        let is_complete =
            self.json.level.kind == Kind::Top && self.json.expected == Expected::Value && self.json.any;
        if !is_complete || self.json.comment.is_some() {
            self.sink.mark(BodyMark::Malformed);
        }
    }

    /// Returns the next byte that is neither blank nor part of a comment.
    #[inline]
    fn next_byte(&mut self) -> Result<u8, Stop> {
        // A comment is incomplete only at the beginning of the data, where `step` reads it.
        let mut byte = self.data.get(self.at).copied().unwrap_or_default();
        if byte == b' ' {
            byte = self.data.get(self.at + 1).copied().unwrap_or_default();
            self.at += usize::from(byte > b' ');
        }
        if byte > b' ' && byte != b'/' { Ok(byte) } else { self.next_after_blanks() }
    }

    #[inline(never)]
    fn next_after_blanks(&mut self) -> Result<u8, Stop> {
        loop {
            // Indented lines begin with many spaces.
            while let Some(eight) = self.data.get(self.at..).and_then(|rest| rest.first_chunk()) {
                let others = u64::from_le_bytes(*eight) ^ u64::from_le_bytes([b' '; 8]);
                let spaces = others.trailing_zeros() as usize / 8;
                self.at += spaces;
                if spaces < 8 {
                    break;
                }
            }
            match self.data.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                // A record separator begins each value of RFC 7464.
                Some(0x1e) if self.json.level.kind == Kind::Top => self.at += 1,
                Some(b'/') => self.begin_comment()?,
                Some(&byte) => return Ok(byte),
                None => return Err(Stop::More),
            }
        }
    }

    #[cold]
    fn begin_comment(&mut self) -> Result<(), Stop> {
        let end = match self.data.get(self.at + 1) {
            Some(b'*') => b'/',
            Some(b'/') => b'\n',
            None if !self.last => return Err(Stop::More),
            _ => return Err(Stop::Broken(BodyMark::Malformed)),
        };
        self.sink.mark(BodyMark::JsonComment);
        self.json.comment = Some(end);
        self.at += 2;
        self.comment()
    }

    /// Passes a comment on as raw text.
    #[cold]
    fn comment(&mut self) -> Result<(), Stop> {
        let rest = self.data.get(self.at..).unwrap_or_default();
        let (end, length) = match self.json.comment {
            Some(b'\n') => (memchr::memchr2(b'\n', b'\r', rest), 1),
            _ => (memchr::memmem::find(rest, b"*/"), 2),
        };
        let Some(end) = end else {
            // An asterisk at the end may be half of the end.
            let kept = usize::from(rest.last() == Some(&b'*') && length == 2 && !self.last);
            let now = rest.get(..rest.len() - kept).unwrap_or_default();
            self.sink.push(&mut self.json.window, b"", now, Part::Raw);
            self.at += now.len();
            return Err(Stop::More);
        };
        self.sink.push(&mut self.json.window, b"", rest.get(..end).unwrap_or_default(), Part::Raw);
        self.sink.end(&mut self.json.window, b"", Part::Raw);
        self.at += end + length;
        self.json.comment = None;
        Ok(())
    }
}

/// Strings of more bytes are not carried over to the next chunk, but put into the window.
const MAX_CARRIED: usize = 1024;

/// Strings with escapes of more bytes are put into the window.
const MAX_UNESCAPED: usize = 8 * 1024;
