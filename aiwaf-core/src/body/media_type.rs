//! The `Content-Type` header.

use super::BodyFormat;

/// The value of a `Content-Type` header: a media type and its parameters.
#[derive(Clone, Copy)]
pub(super) struct MediaType<'h> {
    essence: &'h [u8],
    parameters: &'h [u8],
}

impl<'h> MediaType<'h> {
    pub(super) fn new(header: &'h [u8]) -> Self {
        // Some separate parameters by a comma, as if there were several types; what counts is the first.
        let end = memchr::memchr2(b';', b',', header).unwrap_or(header.len());
        let (essence, parameters) = header.split_at(end);
        Self { essence: essence.trim_ascii(), parameters }
    }

    /// The format that it promises; `None` for a type that says nothing (`text/plain`, none at all) or that is unknown.
    pub(super) fn format(self) -> Option<BodyFormat> {
        let essence = self.essence;
        if essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
            Some(BodyFormat::UrlEncoded)
        } else if starts_with(essence, b"multipart/") {
            Some(BodyFormat::Multipart)
        } else if [&b"/json"[..], b"+json", b"-json", b"/csp-report"]
            .iter()
            .any(|end| ends_with(essence, end))
        {
            Some(BodyFormat::Json)
        } else if [&b"/xml"[..], b"+xml", b"-xml"].iter().any(|end| ends_with(essence, end)) {
            Some(BodyFormat::Xml)
        } else if starts_with(essence, b"text/") {
            Some(BodyFormat::Text)
        } else if [&b"image/"[..], b"audio/", b"video/", b"font/"]
            .iter()
            .any(|start| starts_with(essence, start))
            || BINARY.iter().any(|binary| essence.eq_ignore_ascii_case(binary))
        {
            Some(BodyFormat::Binary)
        } else {
            None
        }
    }

    /// A parameter's value, without quotes.
    pub(super) fn parameter(self, name: &[u8]) -> Option<&'h [u8]> {
        let mut rest = self.parameters;
        while let Some(at) = memchr::memchr2(b';', b',', rest) {
            rest = rest.get(at + 1..)?.trim_ascii_start();
            let value = rest.get(name.len()..)?.trim_ascii_start().strip_prefix(b"=");
            if let Some(value) = value
                && rest[..name.len()].eq_ignore_ascii_case(name)
            {
                let value = value.trim_ascii_start();
                return Some(match value.strip_prefix(b"\"") {
                    Some(quoted) => &quoted[..memchr::memchr(b'"', quoted).unwrap_or(quoted.len())],
                    None => {
                        value[..memchr::memchr2(b';', b',', value).unwrap_or(value.len())].trim_ascii_end()
                    }
                });
            }
        }
        None
    }

    /// Whether it names a character set in which ASCII is spelled by other bytes.
    pub(super) fn hides_ascii(self) -> bool {
        self.parameter(b"charset").is_some_and(|charset| {
            let plain =
                [&b"utf-8"[..], b"utf8", b"us-ascii", b"ascii", b"iso-8859-", b"windows-125", b"gb", b"big5"];
            let others = [&b"shift_jis"[..], b"euc-", b"koi8-", b"latin", b"unicode-1-1-utf-8", b"iso8859"];
            !charset.is_empty() && !plain.iter().chain(&others).any(|start| starts_with(charset, start))
        })
    }
}

/// Types of which nothing can be read.
const BINARY: [&[u8]; 8] = [
    b"application/gzip",
    b"application/zip",
    b"application/pdf",
    b"application/wasm",
    b"application/grpc",
    b"application/grpc-web",
    b"application/protobuf",
    b"application/x-protobuf",
];

fn starts_with(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len()).is_some_and(|text| text.eq_ignore_ascii_case(start))
}

fn ends_with(text: &[u8], end: &[u8]) -> bool {
    text.len().checked_sub(end.len()).is_some_and(|start| text[start..].eq_ignore_ascii_case(end))
}
