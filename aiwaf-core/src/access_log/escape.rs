//! How hostile bytes are written so that they stay within their field, and read back unchanged.

use std::borrow::Cow;

use super::plain::is_printable_without;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends `value` for a place between double quotes: printable ASCII but `"` and `\` as it is, the rest escaped.
#[inline]
pub(super) fn push_quoted(out: &mut Vec<u8>, value: &[u8]) {
    if is_plain(value) {
        out.extend_from_slice(value);
    } else {
        push_escaped(out, value, b'"');
    }
}

/// Appends `value` as one word: as [`push_quoted`], with blanks escaped as well.
#[inline]
pub(super) fn push_word(out: &mut Vec<u8>, value: &[u8]) {
    if is_printable_without(value, [b'"', b'\\', b' ']) {
        out.extend_from_slice(value);
    } else {
        push_escaped(out, value, b' ');
    }
}

/// Reports whether every byte of `value` is printable ASCII but `"` and `\`.
#[inline]
pub(super) fn is_plain(value: &[u8]) -> bool {
    is_printable_without(value, [b'"', b'\\'])
}

/// Escapes special bytes and `blank`. Not inlined: few values need it.
#[inline(never)]
fn push_escaped(out: &mut Vec<u8>, value: &[u8], blank: u8) {
    let mut rest = value;
    loop {
        let (plain, tail) = rest.split_at(plain_length(rest, blank));
        out.extend_from_slice(plain);
        let Some((&byte, tail)) = tail.split_first() else { return };
        push_byte(out, byte);
        rest = tail;
    }
}

/// Appends the escape of one byte.
pub(super) fn push_byte(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'"' => out.extend_from_slice(b"\\\""),
        _ => out.extend_from_slice(&[b'\\', b'x', hex(byte >> 4), hex(byte)]),
    }
}

/// Appends the escapes of `bytes`.
pub(super) fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        push_byte(out, byte);
    }
}

/// Number of bytes at the start of `value` that are printable ASCII but `"`, `\` and `other`.
pub(super) fn plain_length(value: &[u8], other: u8) -> usize {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\' && byte != other;
    value.iter().position(|&byte| !is_plain(byte)).unwrap_or(value.len())
}

pub(super) fn hex(nibble: u8) -> u8 {
    HEX[usize::from(nibble & 0x0f)]
}

/// Undoes the escapes of this file and those of Apache and nginx; what is no known escape is kept as it is.
/// Copies only if there is a backslash.
pub(super) fn unescape(value: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', value) else {
        return Cow::Borrowed(value);
    };
    let (head, mut rest) = value.split_at(first);
    let mut plain = Vec::with_capacity(value.len());
    plain.extend_from_slice(head);
    while let Some((&byte, tail)) = rest.split_first() {
        let (decoded, tail) = if byte == b'\\' { unescape_one(tail) } else { (byte, tail) };
        plain.push(decoded);
        rest = tail;
    }
    Cow::Owned(plain)
}

/// The byte that follows a backslash stands for, and what comes after it.
fn unescape_one(rest: &[u8]) -> (u8, &[u8]) {
    match rest {
        [b'x', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            (nibble(*high) << 4 | nibble(*low), tail)
        }
        [b'n', tail @ ..] => (b'\n', tail),
        [b'r', tail @ ..] => (b'\r', tail),
        [b't', tail @ ..] => (b'\t', tail),
        [b'b', tail @ ..] => (0x08, tail),
        [b'v', tail @ ..] => (0x0b, tail),
        [byte @ (b'\\' | b'"'), tail @ ..] => (*byte, tail),
        _ => (b'\\', rest),
    }
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// Whether a character that is valid UTF-8 could break a line, hide text or turn its direction when shown.
pub(super) fn is_confusing(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_apache_and_nginx() {
        assert_eq!(&*unescape(br#"a\"b\\c\x22\xE2\n\b"#), b"a\"b\\c\"\xe2\n\x08");
        assert_eq!(&*unescape(br"C:\dir \x4 \"), br"C:\dir \x4 \");
        assert!(matches!(unescape(b"plain"), Cow::Borrowed(_)));
    }

    proptest::proptest! {
        #[test]
        fn escapes_read_back(value: Vec<u8>) {
            for push in [push_quoted, push_word] {
                let mut out = Vec::new();
                push(&mut out, &value);
                proptest::prop_assert!(out.iter().all(|byte| matches!(byte, b' '..=b'~')));
                let read = unescape(&out);
                proptest::prop_assert_eq!(&*read, &value[..]);
            }
        }
    }
}
