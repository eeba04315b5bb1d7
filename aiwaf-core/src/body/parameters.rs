//! Parameters of `Content-Type` and `Content-Disposition`.

use memchr::memchr;

/// A parameter of a header: `name=value` or `name="value"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HeaderParameter<'h> {
    pub(super) name: &'h [u8],
    /// The value without its quotes; escapes are left as they are.
    pub(super) value: &'h [u8],
    pub(super) is_quoted: bool,
    /// Whether the quotation does not end, or is followed by more text.
    pub(super) is_badly_quoted: bool,
}

impl<'h> HeaderParameter<'h> {
    /// Reports whether the name is `name`, in any case.
    pub(super) fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The name without what RFC 2231 appends to it (`*`, `*0`, `*0*`), and whether anything was appended.
    pub(super) fn base_name(&self) -> (&'h [u8], bool) {
        match memchr(b'*', self.name) {
            Some(at) => (self.name.get(..at).unwrap_or_default(), true),
            None => (self.name, false),
        }
    }
}

/// Iterates over the parameters in `rest`, what follows a header's main value.
#[derive(Clone)]
pub(super) struct HeaderParameters<'h> {
    rest: &'h [u8],
    /// Whether a comma ends a parameter as well.
    has_commas: bool,
}

impl<'h> HeaderParameters<'h> {
    pub(super) fn new(rest: &'h [u8], has_commas: bool) -> Self {
        Self { rest, has_commas }
    }

    fn end(&self, text: &[u8]) -> usize {
        text.iter().position(|&byte| byte == b';' || self.has_commas && byte == b',').unwrap_or(text.len())
    }
}

impl<'h> Iterator for HeaderParameters<'h> {
    type Item = HeaderParameter<'h>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            // Up to the separator, which is the first byte but for a bad quotation before it.
            let start = self.end(self.rest);
            let text = self.rest.get(start + 1..)?.trim_ascii_start();
            let end = self.end(text);
            let equals = memchr(b'=', text).filter(|equals| *equals < end);
            let Some(equals) = equals else {
                self.rest = text.get(end..).unwrap_or_default();
                let name = text.get(..end).unwrap_or_default().trim_ascii();
                if name.is_empty() {
                    continue;
                }
                return Some(HeaderParameter { name, value: b"", is_quoted: false, is_badly_quoted: false });
            };
            let name = text.get(..equals).unwrap_or_default().trim_ascii();
            let value = text.get(equals + 1..).unwrap_or_default().trim_ascii_start();
            let Some(quoted) = value.strip_prefix(b"\"") else {
                let (value, rest) = value.split_at(self.end(value));
                self.rest = rest;
                let value = value.trim_ascii_end();
                let is_badly_quoted = memchr(b'"', value).is_some();
                return Some(HeaderParameter { name, value, is_quoted: false, is_badly_quoted });
            };
            // A quote after a backslash does not end it; browsers write `%22` instead.
            let mut escaped = false;
            let end = quoted.iter().position(|&byte| {
                let ends = byte == b'"' && !escaped;
                escaped = byte == b'\\' && !escaped;
                ends
            });
            let after = end.and_then(|end| quoted.get(end + 1..)).unwrap_or_default();
            self.rest = after;
            let follows = after.get(..self.end(after)).unwrap_or_default();
            return Some(HeaderParameter {
                name,
                value: quoted.get(..end.unwrap_or(quoted.len())).unwrap_or_default(),
                is_quoted: true,
                is_badly_quoted: end.is_none() || !follows.trim_ascii().is_empty(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(text: &str) -> Vec<(String, String, bool)> {
        let string = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        HeaderParameters::new(text.as_bytes(), false)
            .map(|found| (string(found.name), string(found.value), found.is_badly_quoted))
            .collect()
    }

    #[test]
    fn parameters_are_split_and_unquoted() {
        let found = |name: &str, value: &str, bad| (name.to_owned(), value.to_owned(), bad);
        assert_eq!(
            parameters("; name=\"a;b=\\\"c\" ;FileName = x ;; flag"),
            [found("name", "a;b=\\\"c", false), found("FileName", "x", false), found("flag", "", false)]
        );
        assert_eq!(parameters("; a=\"b\"c; d=\"e; f=g"), [found("a", "b", true), found("d", "e; f=g", true)]);
        assert_eq!(parameters(""), []);
    }
}
