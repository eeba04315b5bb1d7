//! The format that a body looks like, whatever its content type says.

use memchr::memchr;

use super::BodyFormat;
use super::head::MAX_BOUNDARY;

/// Bytes at the beginning by which a format is recognized.
pub(super) const SNIFFED: usize = 512;

/// The longest name by which an urlencoded body is recognized.
const MAX_NAME: usize = 64;

/// The result of looking at the beginning of a body.
pub(super) enum Sniffed {
    Is(BodyFormat),
    /// It begins like no format.
    Unknown,
    /// More bytes are needed.
    More,
}

/// Returns the format that a body with the content type `declared` is read as, by its beginning without leading blanks;
/// nothing if more bytes are needed.
///
/// A body that begins like JSON or XML is read as that, whatever its type says: many clients say nothing better than
/// urlencoded or plain text. A type that says nothing, or promises other bytes than follow, is disregarded.
pub(super) fn choose(declared: Option<BodyFormat>, beginning: &[u8], last: bool) -> Option<BodyFormat> {
    match sniff_structured(beginning, last) {
        Sniffed::Is(format) => return Some(format),
        Sniffed::More => return None,
        Sniffed::Unknown => {}
    }
    let is_text = match declared {
        Some(BodyFormat::Text) => true,
        None | Some(BodyFormat::Binary) => {
            let is_known = beginning.len() >= SNIFFED || last;
            if is_known && (is_binary(beginning) || beginning.starts_with(b"%PDF-")) {
                return Some(BodyFormat::Binary);
            }
            is_known
        }
        Some(declared) => return Some(declared),
    };
    if !is_text {
        return None;
    }
    match sniff_text(beginning, last) {
        Sniffed::Is(format) => Some(format),
        Sniffed::Unknown => Some(BodyFormat::Text),
        Sniffed::More => None,
    }
}

fn sniff_structured(beginning: &[u8], last: bool) -> Sniffed {
    match beginning {
        // A record separator begins the values of a JSON text sequence (RFC 7464).
        [b'{' | b'[', ..] | [0x1e, b'{' | b'[' | b'"', ..] => Sniffed::Is(BodyFormat::Json),
        [b'<', next, ..] if next.is_ascii_alphabetic() || matches!(next, b'?' | b'!') => {
            Sniffed::Is(BodyFormat::Xml)
        }
        [] | [b'<' | 0x1e] if !last => Sniffed::More,
        _ => Sniffed::Unknown,
    }
}

fn sniff_text(beginning: &[u8], last: bool) -> Sniffed {
    if let [b'-', b'-', rest @ ..] = beginning {
        let header = b"content-disposition:";
        let line = memchr(b'\n', rest.get(..MAX_BOUNDARY + 2).unwrap_or(rest));
        let Some(line) = line else {
            let may_come = rest.len() < MAX_BOUNDARY + 2 && !last;
            return if may_come { Sniffed::More } else { Sniffed::Unknown };
        };
        let head = rest.get(line + 1..).unwrap_or_default();
        let start = head.get(..header.len()).unwrap_or(head);
        let matches = header.get(..start.len()).is_some_and(|header| header.eq_ignore_ascii_case(start));
        return match (matches, start.len() == header.len()) {
            (true, true) => Sniffed::Is(BodyFormat::Multipart),
            (true, false) if !last => Sniffed::More,
            _ => Sniffed::Unknown,
        };
    }
    let name = beginning.get(..MAX_NAME).unwrap_or(beginning);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.[]%$".contains(byte);
    match name.iter().position(|byte| !is_name(byte)) {
        Some(end) if end > 0 && name.get(end) == Some(&b'=') => Sniffed::Is(BodyFormat::UrlEncoded),
        None if name.len() < MAX_NAME && !last => Sniffed::More,
        _ => Sniffed::Unknown,
    }
}

/// Reports whether bytes are not text, by control characters that no text has. A few of them in what is otherwise text,
/// which nobody but an attacker writes, don't count.
pub(super) fn is_binary(beginning: &[u8]) -> bool {
    let head = beginning.get(..SNIFFED).unwrap_or(beginning);
    let controls = head.iter().filter(|byte| matches!(byte, 0..=8 | 14..=26 | 28..=31)).count();
    controls * 20 > head.len()
}
