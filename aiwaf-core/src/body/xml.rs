//! XML, read token by token: nothing is expanded, nothing is fetched.

use memchr::{memchr, memchr2, memmem};
use smallvec::SmallVec;

use super::fields::{Fields, Stop};
use super::{BodyLimits, BodyMark};
use crate::decode::{Buffer, Part, decode_references};

/// Visits texts (with CDATA, up to the next tag), values of attributes, comments, processing instructions, and those
/// names of elements and attributes that could hide something. A document type is marked, and given as raw text, like
/// what breaks the rules, is nested too deeply or comes after too many fields. Says whether all of it was XML.
pub(super) fn read(body: &[u8], limits: &BodyLimits, fields: &mut Fields<'_>) -> bool {
    let mut reader = Reader {
        rest: body,
        text: Buffer::new(),
        decoded: Buffer::new(),
        name: Buffer::new(),
        open: SmallVec::new(),
        max_depth: limits.max_depth,
        any: false,
        fields,
    };
    let result = reader.read();
    reader.flush_text();
    match result {
        Ok(()) => true,
        Err(Stop::End) if reader.fields.may_go_on() => {
            reader.fields.give(b"", reader.rest, Part::Raw);
            true
        }
        Err(stop) => {
            reader.fields.give_rest(stop.mark(), reader.rest);
            stop.mark() != BodyMark::Malformed
        }
    }
}

struct Reader<'r, 'v> {
    rest: &'r [u8],
    /// Text since the last tag.
    text: Buffer,
    decoded: Buffer,
    name: Buffer,
    /// The names of the elements that are open.
    open: SmallVec<[&'r [u8]; 32]>,
    max_depth: usize,
    /// Whether there was an element.
    any: bool,
    fields: &'r mut Fields<'v>,
}

impl<'r> Reader<'r, '_> {
    fn read(&mut self) -> Result<(), Stop> {
        loop {
            let Some(at) = memchr(b'<', self.rest) else {
                self.text.extend_from_slice(self.rest);
                self.rest = b"";
                let complete = self.any && self.open.is_empty();
                return if complete { Ok(()) } else { Err(Stop::End) };
            };
            self.text.extend_from_slice(&self.rest[..at]);
            self.rest = &self.rest[at..];
            match self.rest {
                [_, b'!', b'-', b'-', ..] => {
                    let comment = self.up_to(4, b"-->")?;
                    let element = self.element();
                    self.fields.give(element, comment, Part::Value);
                }
                [_, b'!', b'[', b'C', b'D', b'A', b'T', b'A', b'[', ..] => {
                    let data = self.up_to(9, b"]]>")?;
                    // What is escaped there is no reference, but reading it as one hides nothing.
                    self.text.extend_from_slice(data);
                }
                [_, b'!', ..] => self.document_type()?,
                [_, b'?', ..] => {
                    let instruction = self.up_to(2, b"?>")?;
                    if !instruction.starts_with(b"xml ") {
                        self.fields.give(b"", instruction, Part::Value);
                    }
                }
                [_, b'/', ..] => {
                    self.flush_text();
                    let end = memchr(b'>', self.rest).ok_or(Stop::End)?;
                    let name = self.rest[2..end].trim_ascii_end();
                    if self.open.last() != Some(&name) {
                        return Err(Stop::Malformed);
                    }
                    self.open.pop();
                    self.rest = &self.rest[end + 1..];
                }
                _ => {
                    self.flush_text();
                    self.start_tag()?;
                }
            }
        }
    }

    /// The element that is open.
    fn element(&self) -> &'r [u8] {
        self.open.last().copied().unwrap_or_default()
    }

    /// What stands between the first `skip` bytes and `end`, which it goes past.
    fn up_to(&mut self, skip: usize, end: &[u8]) -> Result<&'r [u8], Stop> {
        let rest = self.rest.get(skip..).unwrap_or_default();
        let length = memmem::find(rest, end).ok_or(Stop::End)?;
        self.rest = &rest[length + end.len()..];
        Ok(&rest[..length])
    }

    fn flush_text(&mut self) {
        let text = self.text.trim_ascii();
        if !text.is_empty() {
            let value = if decode_references(text, &mut self.decoded) { &*self.decoded } else { text };
            let element = self.open.last().copied().unwrap_or_default();
            self.fields.give(element, value, Part::Value);
        }
        self.text.clear();
    }

    fn start_tag(&mut self) -> Result<(), Stop> {
        let inside = &self.rest[1..];
        let length = name_length(inside);
        let name = &inside[..length];
        if inside.is_empty() {
            return Err(Stop::End);
        }
        if length == 0
            || !inside.first().is_some_and(|&byte| byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80)
        {
            return Err(Stop::Malformed);
        }
        if self.open.len() >= self.max_depth {
            return Err(Stop::TooDeep);
        }
        if !self.fields.take() {
            return Err(Stop::TooManyFields);
        }
        self.any = true;
        if may_hide(name) {
            self.fields.give(name, name, Part::Name);
        }
        let mut at = &inside[length..];
        loop {
            let blanks = at.len() - at.trim_ascii_start().len();
            at = &at[blanks..];
            match at {
                [] | [b'/'] => return Err(Stop::End),
                [b'>', after @ ..] => {
                    self.open.push(name);
                    self.rest = after;
                    return Ok(());
                }
                [b'/', b'>', after @ ..] => {
                    self.rest = after;
                    return Ok(());
                }
                _ if blanks == 0 => return Err(Stop::Malformed),
                _ => at = self.attribute(name, at)?,
            }
        }
    }

    /// Reads one attribute; gives what follows.
    fn attribute(&mut self, element: &[u8], text: &'r [u8]) -> Result<&'r [u8], Stop> {
        let (name, after) = text.split_at(name_length(text));
        let value = after.trim_ascii_start().strip_prefix(b"=").map(<[u8]>::trim_ascii_start);
        let Some((quote @ (b'"' | b'\''), value)) = value.and_then(<[u8]>::split_first) else {
            let ends = after.is_empty() || value.is_some_and(<[u8]>::is_empty);
            return Err(if ends { Stop::End } else { Stop::Malformed });
        };
        let end = memchr(*quote, value).ok_or(Stop::End)?;
        if name.is_empty() {
            return Err(Stop::Malformed);
        }
        if !self.fields.take() {
            return Err(Stop::TooManyFields);
        }
        self.name.clear();
        self.name.extend_from_slice(element);
        self.name.push(b'@');
        self.name.extend_from_slice(name);
        if may_hide(name) {
            self.fields.give(&self.name, name, Part::Name);
        }
        let (value, after) = value.split_at(end);
        let value = if decode_references(value, &mut self.decoded) { &*self.decoded } else { value };
        self.fields.give(&self.name, value, Part::Value);
        Ok(&after[1..])
    }

    /// `<!DOCTYPE ...>`, with declarations in brackets.
    fn document_type(&mut self) -> Result<(), Stop> {
        let whole = self.rest;
        if self.any || !whole.get(2..9).is_some_and(|word| word.eq_ignore_ascii_case(b"doctype")) {
            return Err(Stop::Malformed);
        }
        self.fields.outcome.mark(BodyMark::Doctype);
        let mut at = 9;
        let mut nested = false;
        let end = loop {
            let Some(&byte) = whole.get(at) else { break whole.len() };
            match byte {
                b'"' | b'\'' => {
                    at += memchr(byte, &whole[at + 1..]).map_or(whole.len(), |length| length + 1);
                }
                b'[' => nested = true,
                b']' => nested = false,
                b'>' if !nested => break at + 1,
                b'<' if nested => self.declaration(&whole[at..]),
                _ => {}
            }
            at += 1;
        };
        let (declared, after) = whole.split_at(end);
        // The usual ones name a public standard, which nobody fetches.
        let head = &declared[..memchr2(b'[', b'>', declared).unwrap_or(declared.len())];
        let upper = head.to_ascii_uppercase();
        if memmem::find(&upper, b"SYSTEM").is_some() && memmem::find(&upper, b"PUBLIC").is_none() {
            self.fields.outcome.mark(BodyMark::ExternalEntity);
        }
        self.fields.give(b"", declared, Part::Raw);
        self.rest = after;
        if after.is_empty() { Err(Stop::End) } else { Ok(()) }
    }

    /// Marks what a declaration in a document type declares.
    fn declaration(&mut self, text: &[u8]) {
        let is_entity = text.get(2..8).is_some_and(|word| word.eq_ignore_ascii_case(b"entity"));
        if is_entity {
            self.fields.outcome.mark(BodyMark::Entity);
            let head = text.get(..MAX_HEAD).unwrap_or(text);
            let head = &head[..memchr2(b'"', b'\'', head).unwrap_or(head.len())];
            let upper = head.to_ascii_uppercase();
            if memmem::find(&upper, b"SYSTEM").is_some() || memmem::find(&upper, b"PUBLIC").is_some() {
                self.fields.outcome.mark(BodyMark::ExternalEntity);
            }
        }
    }
}

/// In so many bytes an entity's declaration says where it comes from.
const MAX_HEAD: usize = 256;

fn name_length(text: &[u8]) -> usize {
    let ends =
        |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>' | b'=' | b'<' | b'"' | b'\'');
    text.iter().position(ends).unwrap_or(text.len())
}

/// Whether a name is more than a short word.
fn may_hide(name: &[u8]) -> bool {
    name.len() > 64 || name.iter().any(|byte| !byte.is_ascii_alphanumeric() && !b"_-:".contains(byte))
}
