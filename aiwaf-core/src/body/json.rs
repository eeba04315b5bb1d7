//! JSON, read token by token: no tree, no recursion, and every one of several equal keys.

use smallvec::SmallVec;

use super::fields::{Fields, Stop};
use super::{BodyLimits, BodyMark};
use crate::decode::{Buffer, Part};

/// Visits all keys (again only if another one came between), strings and oversized numbers; several values may stand one after the other. What breaks the rules,
/// is nested too deeply or comes after too many fields is given as raw text. Says whether all of it was JSON.
pub(super) fn read(body: &[u8], limits: &BodyLimits, fields: &mut Fields<'_>) -> bool {
    let mut reader = Reader {
        body,
        at: 0,
        name: Name { bytes: [0; MAX_NAME], length: 0 },
        text: Buffer::new(),
        keys: RecentKeys([RecentKey::default(); RECENT]),
        levels: SmallVec::new(),
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

/// Numbers of more bytes are judged: no application needs them, and some fall over them.
const MAX_NUMBER: usize = 64;

/// A field's name is cut after so many bytes.
const MAX_NAME: usize = 256;

struct Reader<'r, 'v> {
    body: &'r [u8],
    /// What is read next.
    at: usize,
    /// The path to what is read, such as `user.tags[]`.
    name: Name,
    /// A string without escapes.
    text: Buffer,
    keys: RecentKeys,
    levels: SmallVec<[Level; 32]>,
    max_depth: usize,
    fields: &'r mut Fields<'v>,
}

#[derive(Clone, Copy)]
struct Level {
    is_object: bool,
    /// How long the name is without what this level adds.
    name_length: usize,
}

/// A field's name, as far as there is room.
struct Name {
    bytes: [u8; MAX_NAME],
    length: usize,
}

impl Name {
    fn text(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn extend(&mut self, part: &[u8]) {
        let room = &mut self.bytes[self.length..];
        let fits = part.len().min(room.len());
        room[..fits].copy_from_slice(&part[..fits]);
        self.length += fits;
    }
}

/// Keys that were given lately, with the paths to them.
struct RecentKeys([RecentKey; RECENT]);

/// So many keys are remembered: as many as have mostly places of their own in a list's members.
const RECENT: usize = 64;

#[derive(Default, Clone, Copy)]
struct RecentKey {
    name: [u8; MAX_RECENT],
    name_length: u8,
    /// The same name can end with different keys: `a.b` is the key `a.b`, and `b` in `a`.
    key_length: u8,
}

/// Longer names are not remembered.
const MAX_RECENT: usize = 32;

impl RecentKeys {
    /// Whether the key of so many bytes at the end of `name` is one of these; it is from now on.
    fn knows(&mut self, name: &[u8], key_length: usize) -> bool {
        let (Ok(name_length), Ok(key_length)) = (u8::try_from(name.len()), u8::try_from(key_length)) else {
            return false;
        };
        // Ordinary keys differ in these; others take each other's places, which only costs time.
        let byte = |at: usize| usize::from(name.get(at).copied().unwrap_or_default());
        let (first, last) =
            (byte(name.len().saturating_sub(usize::from(key_length))), byte(name.len().saturating_sub(1)));
        let slot = (first.wrapping_mul(31) ^ last.wrapping_mul(7)).wrapping_add(name.len()) % RECENT;
        let Self(recent) = self;
        let recent = &mut recent[slot];
        let Some(room) = recent.name.get_mut(..name.len()) else { return false };
        if (recent.name_length, recent.key_length) == (name_length, key_length) && room == name {
            return true;
        }
        room.copy_from_slice(name);
        (recent.name_length, recent.key_length) = (name_length, key_length);
        false
    }
}

/// What may come next.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
}

impl Reader<'_, '_> {
    fn read(&mut self) -> Result<(), Stop> {
        let mut next = Next::Value;
        let mut any = false;
        loop {
            self.skip_blanks();
            let Some(&byte) = self.body.get(self.at) else {
                let complete = self.levels.is_empty() && any;
                return if complete { Ok(()) } else { Err(Stop::End) };
            };
            next = match (next, byte) {
                (Next::Value | Next::ValueOrEnd, b'{') => {
                    self.open(true)?;
                    Next::KeyOrEnd
                }
                (Next::Value | Next::ValueOrEnd, b'[') => {
                    self.open(false)?;
                    Next::ValueOrEnd
                }
                (Next::Value | Next::ValueOrEnd, _) if byte != b']' => {
                    self.scalar(byte)?;
                    self.after_value()
                }
                (Next::Key | Next::KeyOrEnd, b'"') => {
                    self.key()?;
                    Next::Value
                }
                (Next::CommaOrEnd, b',') => {
                    self.at += 1;
                    if self.levels.last().is_some_and(|level| level.is_object) {
                        Next::Key
                    } else {
                        Next::Value
                    }
                }
                (Next::KeyOrEnd | Next::CommaOrEnd, b'}') | (Next::ValueOrEnd | Next::CommaOrEnd, b']') => {
                    let level = self.levels.pop().filter(|level| level.is_object == (byte == b'}'));
                    let Some(level) = level else { return Err(Stop::Malformed) };
                    self.name.length = level.name_length;
                    self.at += 1;
                    self.after_value()
                }
                _ => return Err(Stop::Malformed),
            };
            any = true;
        }
    }

    fn after_value(&self) -> Next {
        // At the top, the next value follows without a comma.
        if self.levels.is_empty() { Next::Value } else { Next::CommaOrEnd }
    }

    fn open(&mut self, is_object: bool) -> Result<(), Stop> {
        if self.levels.len() >= self.max_depth {
            return Err(Stop::TooDeep);
        }
        self.levels.push(Level { is_object, name_length: self.name.length });
        if !is_object {
            self.name.extend(b"[]");
        }
        self.at += 1;
        Ok(())
    }

    fn key(&mut self) -> Result<(), Stop> {
        if !self.fields.take() {
            return Err(Stop::TooManyFields);
        }
        let start = self.at;
        let string = self.string()?;
        self.skip_blanks();
        match self.body.get(self.at) {
            Some(b':') => self.at += 1,
            Some(_) => return Err(Stop::Malformed),
            None => {
                self.at = start;
                return Err(Stop::End);
            }
        }
        let length = self.levels.last().map_or(0, |level| level.name_length);
        self.name.length = length;
        let key = string.of(self.body, &self.text);
        if length > 0 {
            self.name.extend(b".");
        }
        self.name.extend(key);
        // Members of a list mostly have the same keys, which need to be judged once.
        if !self.keys.knows(self.name.text(), key.len()) {
            self.fields.give(self.name.text(), key, Part::Name);
        }
        Ok(())
    }

    /// A value without parts.
    fn scalar(&mut self, byte: u8) -> Result<(), Stop> {
        let rest = &self.body[self.at..];
        let literal: &[u8] = match byte {
            b'"' => {
                // A member of an object was counted with its key.
                let is_member = self.levels.last().is_some_and(|level| level.is_object);
                if !is_member && !self.fields.take() {
                    return Err(Stop::TooManyFields);
                }
                let string = self.string()?;
                self.fields.give(self.name.text(), string.of(self.body, &self.text), Part::Value);
                return Ok(());
            }
            b'-' | b'0'..=b'9' => {
                let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let length = rest.iter().take_while(is_part).count();
                let number = &rest[..length];
                if length > MAX_NUMBER {
                    self.fields.outcome.mark(BodyMark::BigNumber);
                    self.fields.give(self.name.text(), number, Part::Value);
                } else if !is_number(number) {
                    return Err(if length == rest.len() { Stop::End } else { Stop::Malformed });
                }
                return self.end_word(length);
            }
            b't' => b"true",
            b'f' => b"false",
            b'n' => b"null",
            _ => return Err(Stop::Malformed),
        };
        if rest.starts_with(literal) {
            return self.end_word(literal.len());
        }
        Err(if literal.starts_with(rest) { Stop::End } else { Stop::Malformed })
    }

    /// Goes past a number or a literal, which something else than a further word must follow.
    fn end_word(&mut self, length: usize) -> Result<(), Stop> {
        match self.body.get(self.at + length) {
            None | Some(b' ' | b'\t' | b'\n' | b'\r' | b'[' | b']' | b'{' | b'}' | b'"' | b',' | b':') => {
                self.at += length;
                Ok(())
            }
            Some(_) => Err(Stop::Malformed),
        }
    }

    /// The string that begins here.
    fn string(&mut self) -> Result<StringToken, Stop> {
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            let rest = self.body.get(at..).unwrap_or_default();
            let Some(found) = end_of_run(rest) else {
                return Err(self.unfinished(start, escaped));
            };
            let before = &rest[..found];
            if escaped {
                self.text.extend_from_slice(before);
            }
            at += found;
            if rest[found] == b'"' {
                self.at = at + 1;
                return Ok(StringToken { start, end: at, escaped });
            }
            if !escaped {
                escaped = true;
                self.text.clear();
                self.text.extend_from_slice(&self.body[start..at]);
            }
            let Some(length) = unescape(&self.body[at + 1..], &mut self.text) else {
                let missing = self.body.len() - at <= MAX_ESCAPE;
                return Err(if missing { self.unfinished(start, true) } else { Stop::Malformed });
            };
            at += 1 + length;
        }
    }

    /// A string that has no end is given as far as it goes, if only the end was not looked at.
    fn unfinished(&mut self, start: usize, escaped: bool) -> Stop {
        if self.fields.may_go_on() {
            let raw = self.body.get(start..).unwrap_or_default();
            self.fields.give(self.name.text(), if escaped { &self.text } else { raw }, Part::Value);
            self.at = self.body.len();
        }
        Stop::End
    }

    fn skip_blanks(&mut self) {
        while matches!(self.body.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }
}

/// Where the next quote or backslash stands.
fn end_of_run(text: &[u8]) -> Option<usize> {
    // Most strings are shorter than it takes to call a faster search.
    let (beginning, rest) = text.split_at_checked(16).unwrap_or((text, b""));
    let end = beginning.iter().position(|&byte| byte == b'"' || byte == b'\\');
    end.or_else(|| Some(beginning.len() + memchr::memchr2(b'"', b'\\', rest)?))
}

/// Where a string stands: in the body, or unescaped in the buffer.
struct StringToken {
    start: usize,
    end: usize,
    escaped: bool,
}

impl StringToken {
    fn of<'t>(&self, body: &'t [u8], text: &'t [u8]) -> &'t [u8] {
        if self.escaped { text } else { body.get(self.start..self.end).unwrap_or_default() }
    }
}

/// How many bytes an escape has at most: two of the pair `\ud83d\ude00`.
const MAX_ESCAPE: usize = 12;

/// Appends what the escape means whose text after the backslash begins here; gives that text's length.
fn unescape(text: &[u8], out: &mut Buffer) -> Option<usize> {
    let byte = match text.first()? {
        byte @ (b'"' | b'\\' | b'/') => *byte,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => {
            let unit = code_unit(text)?;
            let low = text
                .get(5..)
                .filter(|rest| rest.first() == Some(&b'\\'))
                .and_then(|rest| code_unit(&rest[1..]));
            if let (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) = (unit, low) {
                push(0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00), out);
                return Some(11);
            }
            push(unit, out);
            return Some(5);
        }
        _ => return None,
    };
    out.push(byte);
    Some(1)
}

fn push(code: u32, out: &mut Buffer) {
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// The number of `u003c`.
fn code_unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
}

/// Whether this is a number as RFC 8259 spells it.
fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(text);
    if whole == 0 || (whole > 1 && text[0] == b'0') {
        return false;
    }
    let mut rest = &text[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = &fraction[length..];
    }
    if let Some((b'e' | b'E', exponent)) = rest.split_first() {
        let exponent = exponent.strip_prefix(b"-").or(exponent.strip_prefix(b"+")).unwrap_or(exponent);
        let length = digits(exponent);
        return length > 0 && length == exponent.len();
    }
    rest.is_empty()
}
