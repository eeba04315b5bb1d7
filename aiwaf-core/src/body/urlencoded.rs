//! `application/x-www-form-urlencoded`.

use memchr::{memchr, memchr2};

use super::BodyMark;
use super::charset;
use super::sink::{Budget, Sink};
use super::window::Window;
use crate::decode::{Buffer, Part, decode_once};

/// Reads names and values. Values are passed on as sent; names are decoded once.
pub(super) struct UrlEncoded {
    state: State,
    /// The name of the value that is incomplete, decoded.
    name: Buffer,
    recent: RecentNames,
    window: Window,
    budget: Budget,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Name,
    /// In a name that is too long to be kept.
    LongName,
    Value,
    /// Beyond the last field that is taken apart.
    Rest,
}

/// Maximum bytes of a name that are kept as the name of its value.
const MAX_NAME: usize = 1024;

impl UrlEncoded {
    pub(super) fn new(max_fields: usize) -> Self {
        Self {
            state: State::Name,
            name: Buffer::new(),
            recent: RecentNames::default(),
            window: Window::default(),
            budget: Budget::new(max_fields),
        }
    }

    /// A reader that begins within a value.
    pub(super) fn in_value(max_fields: usize) -> Self {
        Self { state: State::Value, ..Self::new(max_fields) }
    }

    pub(super) fn step(&mut self, data: &[u8], last: bool, sink: &mut Sink<'_>) -> usize {
        let mut rest = data;
        loop {
            match self.state {
                State::Name => {
                    // Nothing between two `&` is no parameter.
                    while let [b'&', after @ ..] = rest {
                        rest = after;
                    }
                    if rest.is_empty() {
                        return data.len();
                    }
                    let Some(after) = self.name(rest, last, sink) else { return data.len() - rest.len() };
                    rest = after;
                }
                State::LongName => {
                    let end = memchr2(b'=', b'&', rest);
                    let (now, after) = rest.split_at(end.unwrap_or(rest.len()));
                    sink.push(&mut self.window, &self.name, now, Part::Name);
                    if end.is_none() && !last {
                        return data.len();
                    }
                    sink.end(&mut self.window, &self.name, Part::Name);
                    self.state = if after.first() == Some(&b'=') { State::Value } else { State::Name };
                    rest = after.get(1..).unwrap_or_default();
                }
                State::Value => {
                    let end = memchr(b'&', rest);
                    let (now, after) = rest.split_at(end.unwrap_or(rest.len()));
                    sink.push(&mut self.window, &self.name, now, Part::Value);
                    if end.is_none() && !last {
                        return data.len();
                    }
                    if let Some(value) = self.window.unshown() {
                        check_charset(&self.name, value, sink);
                    }
                    sink.end(&mut self.window, &self.name, Part::Value);
                    self.state = State::Name;
                    rest = after;
                }
                State::Rest => {
                    sink.push(&mut self.window, b"", rest, Part::Raw);
                    if last {
                        sink.end(&mut self.window, b"", Part::Raw);
                    }
                    return data.len();
                }
            }
        }
    }

    /// Reads the name that begins here, and the value if it is complete; returns what follows, or nothing if the name is
    /// incomplete.
    #[inline]
    fn name<'r>(&mut self, rest: &'r [u8], last: bool, sink: &mut Sink<'_>) -> Option<&'r [u8]> {
        let (length, is_escaped) = name_length(rest);
        if length == rest.len() && length < MAX_NAME && !last {
            return None;
        }
        if !self.budget.take() {
            sink.mark(BodyMark::TooManyFields);
            self.state = State::Rest;
            return Some(rest);
        }
        let (raw, after) = rest.split_at(length);
        let name = if is_escaped {
            decode_once(raw, true, &mut self.name);
            &*self.name
        } else {
            raw
        };
        if length >= MAX_NAME {
            let name = Buffer::from_slice(name);
            sink.push(&mut self.window, &name, raw, Part::Name);
            self.name = name;
            self.state = State::LongName;
            return Some(after);
        }
        if length > 0 && !self.recent.knows(raw) {
            sink.give(name, raw, Part::Name);
        }
        let Some(value) = after.strip_prefix(b"=") else { return Some(after) };
        let end = memchr(b'&', value);
        if end.is_none() && !last {
            if !is_escaped {
                self.name.clear();
                self.name.extend_from_slice(raw);
            }
            self.state = State::Value;
            return Some(value);
        }
        let (value, after) = value.split_at(end.unwrap_or(value.len()));
        check_charset(name, value, sink);
        sink.give(name, value, Part::Value);
        Some(after)
    }
}

/// Returns the length of the name that begins here, and whether it has escapes.
fn name_length(text: &[u8]) -> (usize, bool) {
    // Names are short, so that a search of many bytes at once does not pay.
    let mut is_escaped = false;
    let text = text.get(..MAX_NAME).unwrap_or(text);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'=' | b'&' => return (at, is_escaped),
            b'%' | b'+' => is_escaped = true,
            _ => {}
        }
    }
    (text.len(), is_escaped)
}

/// Marks a field that changes the character set of the others (HTML, "Form control named `_charset_`").
#[inline]
pub(super) fn check_charset(name: &[u8], value: &[u8], sink: &mut Sink<'_>) {
    if name == b"_charset_" && value.len() <= MAX_CHARSET && charset::hides_ascii(value) {
        sink.mark(BodyMark::HidingCharset);
    }
}

/// Maximum bytes of the name of a character set.
const MAX_CHARSET: usize = 64;

/// Number of names that are remembered.
const RECENT_NAMES: usize = 4;

/// Maximum bytes of a name that is remembered.
const MAX_RECENT: usize = 32;

/// The last names, which need not be judged again (`id[]=1&id[]=2`).
#[derive(Default)]
struct RecentNames {
    names: [([u8; MAX_RECENT], usize); RECENT_NAMES],
    next: usize,
}

impl RecentNames {
    /// Reports whether `name` is one of these, and remembers it otherwise.
    #[inline]
    fn knows(&mut self, name: &[u8]) -> bool {
        let last = name.last();
        // Names mostly differ in their last byte, which is compared without a call.
        let is_name = |(bytes, length): &([u8; MAX_RECENT], usize)| {
            *length == name.len()
                && length.checked_sub(1).and_then(|at| bytes.get(at)) == last
                && bytes.get(..*length) == Some(name)
        };
        if self.names.iter().any(is_name) {
            return true;
        }
        let place = &mut self.names[self.next % RECENT_NAMES];
        if let Some(room) = place.0.get_mut(..name.len()) {
            room.copy_from_slice(name);
            place.1 = name.len();
            self.next += 1;
        }
        false
    }
}
