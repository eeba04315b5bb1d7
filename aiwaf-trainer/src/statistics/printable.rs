//! Text from a log, made fit to be shown.

use std::fmt::Write as _;

/// `text` without anything that could confuse a terminal, a browser or a reader: printable UTF-8 stays as it is; control
/// characters, characters that hide themselves or turn the direction of writing, and bytes that are no UTF-8 become
/// `\xhh`, byte by byte, as logs write them. Linear in its length.
///
/// ```
/// use aiwaf_trainer::statistics::printable;
///
/// assert_eq!(printable(b"/caf\xc3\xa9?\x1b[2J"), "/caf\u{e9}?\\x1b[2J");
/// ```
pub fn printable(text: &[u8]) -> String {
    let mut shown = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_confusing(character) {
                let mut buffer = [0; 4];
                push_escaped(&mut shown, character.encode_utf8(&mut buffer).as_bytes());
            } else {
                shown.push(character);
            }
        }
        push_escaped(&mut shown, chunk.invalid());
    }
    shown
}

fn push_escaped(shown: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string can't fail.
        let _ = write!(shown, "\\x{byte:02x}");
    }
}

/// Control characters, invisible ones, and marks that combine with what stands before them: a heap of these on one letter
/// draws over the lines above and below.
fn is_confusing(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{61c}' | '\u{180e}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{20d0}'..='\u{20ff}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_confuse_is_escaped() {
        let cases: [(&[u8], &str); 8] = [
            (b"/plain?a=b%20c", "/plain?a=b%20c"),
            ("/gr\u{fc}n/\u{6c34}\u{1f30a}".as_bytes(), "/gr\u{fc}n/\u{6c34}\u{1f30a}"),
            (b"a\r\nb\tc\0", "a\\x0d\\x0ab\\x09c\\x00"),
            (b"\x1b]0;owned\x07\x9b2J", "\\x1b]0;owned\\x07\\x9b2J"),
            ("\u{9b}2J".as_bytes(), "\\xc2\\x9b2J"),
            ("a\u{202e}fdp.exe".as_bytes(), "a\\xe2\\x80\\xaefdp.exe"),
            ("Z\u{335}\u{30d}".as_bytes(), "Z\\xcc\\xb5\\xcc\\x8d"),
            (b"\xff\xc3", "\\xff\\xc3"),
        ];
        for (raw, shown) in cases {
            assert_eq!(printable(raw), shown);
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_confusing_is_left(raw: Vec<u8>) {
            proptest::prop_assert!(!printable(&raw).chars().any(is_confusing));
        }
    }
}
