//! Escapes of CSS.

use super::javascript_escapes::next_backslash;
use super::percent::hex;
use super::scratch::Scratch;

/// Gives `value` with `\3c ` (one to six hexadecimal digits, and a blank that ends them) replaced by what it
/// stands for, and other backslashes taken away. NUL is dropped.
pub(super) fn decode<'b>(value: &[u8], out: &'b mut Scratch) -> &'b mut [u8] {
    let mut out = out.writer(value.len());
    let mut rest = value;
    while let Some(at) = next_backslash(rest) {
        let (before, escape) = rest.split_at(at);
        out.extend(before);
        let text = &escape[1..];
        let length = text.iter().take(6).take_while(|byte| byte.is_ascii_hexdigit()).count();
        let code = text[..length].iter().fold(0, |code, &digit| code << 4 | u32::from(hex(digit)));
        let mut end = length;
        if length > 0 {
            if let Some(character) = char::from_u32(code) {
                out.push_character(character);
            }
            end += usize::from(text.get(length).is_some_and(u8::is_ascii_whitespace));
        } else if let Some(&byte) = text.first() {
            // Stands for itself; a backslash that stands for itself begins no further escape.
            out.push(byte);
            end = 1;
        }
        rest = &text[end..];
    }
    out.extend(rest);
    out.finish()
}
