//! Tags, read as browsers read them.

/// One tag, from its `<` to its `>` or to the end of the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag<'t> {
    text: &'t [u8],
    pub(super) start: usize,
    pub(super) name_end: usize,
    pub(super) end: usize,
    pub(super) closing: bool,
}

/// One attribute of a tag; names are in the case of the text, which is lower case in all forms but the one as sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attribute<'t> {
    pub(super) name: &'t [u8],
    pub(super) value: &'t [u8],
    /// Whether the value stands in quotes.
    pub(super) quoted: bool,
}

/// How far a tag is read: no honest one is longer, and so reading stays linear whatever is unclosed.
const LONGEST: usize = 2048;

/// How far a text goes on behind a tag that is only mentioned: what is read for each tag has to have an end.
const LONGEST_SENTENCE: usize = 256;

/// The next tag of `text` from `at` on.
pub(super) fn next_tag(text: &[u8], at: usize) -> Option<Tag<'_>> {
    let mut from = at;
    loop {
        let start = from + memchr::memchr(b'<', text.get(from..)?)?;
        let closing = text.get(start + 1) == Some(&b'/');
        let name_start = start + 1 + usize::from(closing);
        let name_end =
            name_start + text.get(name_start..)?.iter().take(40).take_while(|byte| is_name(**byte)).count();
        if text.get(name_start).is_some_and(u8::is_ascii_alphabetic) {
            let end = (start + LONGEST).min(text.len());
            return Some(Tag { text, start, name_end, end, closing });
        }
        from = start + 1;
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_' | b'.')
}

impl<'t> Tag<'t> {
    /// The name without a namespace's prefix.
    pub(super) fn local_name(&self) -> &'t [u8] {
        let from = self.start + 1 + usize::from(self.closing);
        let name = self.text.get(from..self.name_end).unwrap_or_default();
        name.iter().rposition(|byte| *byte == b':').and_then(|colon| name.get(colon + 1..)).unwrap_or(name)
    }

    /// Whether a sentence goes on behind it, as where somebody writes about the tag: a blank, and then nothing of which
    /// code that does something consists. Without brackets, signs and backticks nothing is called or assigned.
    pub(super) fn is_mentioned(&self) -> bool {
        let behind = self.text.get(self.name_end..).and_then(|rest| rest.strip_prefix(b"> "));
        let is_prose = |byte: &u8| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b' ' | b',' | b'.' | b'?' | b'!' | b'\'' | b':' | b'<' | b'>' | b'/')
        };
        behind.is_some_and(|behind| {
            !self.closing
                && behind.len() <= LONGEST_SENTENCE
                && behind.iter().any(u8::is_ascii_alphabetic)
                && behind.iter().all(is_prose)
        })
    }

    /// The length of the text that it stands in.
    pub(super) fn text_length(&self) -> usize {
        self.text.len()
    }

    /// Its attributes, in order, up to the `>`.
    pub(super) fn attributes(&self) -> Attributes<'t> {
        let rest = self.text.get(self.name_end..self.end).unwrap_or_default();
        Attributes { rest, after: self.text.len() - self.end.min(self.text.len()) }
    }
}

/// What is left of a tag.
pub(super) struct Attributes<'t> {
    rest: &'t [u8],
    /// How many bytes the text goes on behind `rest`.
    after: usize,
}

impl<'t> Attributes<'t> {
    /// Up to where they were read in `text`, from which they are.
    pub(super) fn end(&self, text: &[u8]) -> usize {
        text.len() - self.after - self.rest.len()
    }

    fn take_while(&mut self, class: impl Fn(u8) -> bool) -> &'t [u8] {
        let length = self.rest.iter().position(|byte| !class(*byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }
}

impl<'t> Iterator for Attributes<'t> {
    type Item = Attribute<'t>;

    fn next(&mut self) -> Option<Attribute<'t>> {
        // A stray quote between attributes is part of a name to browsers; older ones skip it, and attacks rely on that.
        self.take_while(|byte| is_space(byte) || matches!(byte, b'/' | b'"' | b'\'' | b'`'));
        if matches!(self.rest.first(), None | Some(b'>')) {
            return None;
        }
        // `=` may begin a name, and may not be in it.
        let odd = usize::from(self.rest.first() == Some(&b'='));
        let ends_name = |byte: &u8| is_space(*byte) || matches!(byte, b'/' | b'>' | b'=');
        let rest = self.rest.get(odd..).unwrap_or_default();
        let (name, rest) = rest.split_at(rest.iter().position(ends_name).unwrap_or(rest.len()));
        self.rest = rest;
        self.take_while(is_space);
        if self.rest.first() != Some(&b'=') {
            return Some(Attribute { name, value: b"", quoted: false });
        }
        self.rest = self.rest.get(1..).unwrap_or_default();
        self.take_while(is_space);
        let quoted = matches!(self.rest.first(), Some(b'"' | b'\''));
        let value = match self.rest.first() {
            Some(quote @ (b'"' | b'\'')) => {
                let body = self.rest.get(1..).unwrap_or_default();
                let length = memchr::memchr(*quote, body).unwrap_or(body.len());
                self.rest = body.get(length + 1..).unwrap_or_default();
                body.get(..length).unwrap_or_default()
            }
            _ => self.take_while(|byte| !is_space(byte) && byte != b'>'),
        };
        Some(Attribute { name, value, quoted })
    }
}

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b || byte == 0
}
