//! What a body looks like, whatever its content type says.

use super::BodyFormat;

/// The format that a body begins like, if it is one that can be taken apart.
pub(super) fn sniff(body: &[u8]) -> Option<BodyFormat> {
    match body.trim_ascii_start() {
        [b'{' | b'[', ..] => Some(BodyFormat::Json),
        [b'<', next, ..] if next.is_ascii_alphabetic() || matches!(next, b'?' | b'!') => {
            Some(BodyFormat::Xml)
        }
        [b'-', b'-', rest @ ..] => {
            let line = memchr::memchr(b'\n', rest).filter(|end| *end <= MAX_BOUNDARY + 1)?;
            let head = &rest[line + 1..];
            let header = b"content-disposition:";
            head.get(..header.len())?.eq_ignore_ascii_case(header).then_some(BodyFormat::Multipart)
        }
        _ => {
            let equals = memchr::memchr(b'=', body.get(..MAX_NAME).unwrap_or(body))?;
            let name = &body[..equals];
            let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.[]%$".contains(byte);
            (equals > 0 && name.iter().all(is_name)).then_some(BodyFormat::UrlEncoded)
        }
    }
}

/// Whether a body without a type that says anything is no text: control characters that no text has.
pub(super) fn is_binary(body: &[u8]) -> bool {
    let head = body.get(..512).unwrap_or(body);
    head.iter().any(|byte| matches!(byte, 0..=8 | 14..=26 | 28..=31))
}

/// The longest boundary of multipart (RFC 2046, 5.1.1).
pub(super) const MAX_BOUNDARY: usize = 70;

/// The longest name by which an urlencoded body is recognised.
const MAX_NAME: usize = 64;
