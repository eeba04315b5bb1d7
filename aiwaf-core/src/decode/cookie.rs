//! The `Cookie` header, taken apart.

use super::parameter::{Parameter, Part, Place};

/// Visits name and value of each cookie of a `Cookie` header, at most `max` of them; what is more comes in one piece,
/// as [`Part::Raw`].
pub(crate) fn cookie_parameters(header: &[u8], max: usize, visit: &mut dyn FnMut(Parameter<'_>)) {
    let mut rest = header;
    for _ in 0..max {
        if rest.is_empty() {
            return;
        }
        let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
        let (cookie, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        let equals = memchr::memchr(b'=', cookie);
        let (name, value) = cookie.split_at(equals.unwrap_or(cookie.len()));
        let name = name.trim_ascii();
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
        let parameter = Parameter { name, value: name, part: Part::Name, place: Place::Cookie };
        if !name.is_empty() {
            visit(parameter);
        }
        if !value.is_empty() {
            visit(Parameter { value, part: Part::Value, ..parameter });
        }
    }
    if !rest.is_empty() {
        visit(Parameter { name: b"", value: rest, part: Part::Raw, place: Place::Cookie });
    }
}
