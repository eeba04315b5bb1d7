//! Characters that Unicode's compatibility forms (NFKC) fold to one of ASCII.

/// Returns the ASCII character that `character` folds to, and the character itself if it folds to none or to several.
///
/// Frameworks normalize names and identifiers so, after a filter has looked at them. The modifier apostrophe is no
/// compatibility character; databases with an encoding of one byte store it as an apostrophe.
#[allow(clippy::match_same_arms)] // in the order of Unicode's blocks
pub(super) fn fold(character: char) -> char {
    let code = u32::from(character);
    let letter =
        |first: u8, offset: u32| u8::try_from(offset).map_or(character, |offset| char::from(first + offset));
    let any_case = |offset: u32| if offset < 26 { letter(b'A', offset) } else { letter(b'a', offset - 26) };
    match code {
        // Fullwidth.
        0xff01..=0xff5e => letter(b'!', code - 0xff01),
        0x017f => 's',
        0x02bc => '\'',
        0x02b0 => 'h',
        0x02b2 => 'j',
        0x02b3 => 'r',
        0x02b7 => 'w',
        0x02b8 => 'y',
        0x02e1 => 'l',
        0x02e2 => 's',
        0x02e3 => 'x',
        0x037e => ';',
        0x1fef => '`',
        0x2000..=0x200a | 0x202f | 0x205f => ' ',
        0x2024 => '.',
        // Superscripts and subscripts.
        0x2070 => '0',
        0x2071 => 'i',
        0x2074..=0x2079 => letter(b'4', code - 0x2074),
        0x207a | 0x208a => '+',
        0x207c | 0x208c => '=',
        0x207d | 0x208d => '(',
        0x207e | 0x208e => ')',
        0x207f => 'n',
        0x2080..=0x2089 => letter(b'0', code - 0x2080),
        0x2090..=0x209c => {
            b"aeoxahklmnpst".get((code - 0x2090) as usize).map_or(character, |byte| char::from(*byte))
        }
        // Letterlike symbols and Roman numerals of one letter.
        0x2102 | 0x212d | 0x216d => 'C',
        0x210a => 'g',
        0x210b..=0x210d => 'H',
        0x210e => 'h',
        0x2110 | 0x2111 | 0x2160 => 'I',
        0x2112 | 0x216c => 'L',
        0x2113 | 0x217c => 'l',
        0x2115 => 'N',
        0x2119 => 'P',
        0x211a => 'Q',
        0x211b..=0x211d => 'R',
        0x2124 | 0x2128 => 'Z',
        0x212a => 'K',
        0x212c => 'B',
        0x212f | 0x2147 => 'e',
        0x2130 => 'E',
        0x2131 => 'F',
        0x2133 | 0x216f => 'M',
        0x2134 => 'o',
        0x2139 | 0x2148 | 0x2170 => 'i',
        0x2145 | 0x216e => 'D',
        0x2146 | 0x217e => 'd',
        0x2149 => 'j',
        0x2164 => 'V',
        0x2169 => 'X',
        0x2174 => 'v',
        0x2179 => 'x',
        0x217d => 'c',
        0x217f => 'm',
        // Circled.
        0x2460..=0x2468 => letter(b'1', code - 0x2460),
        0x24ea => '0',
        0x24b6..=0x24e9 => any_case(code - 0x24b6),
        // Phonetic extensions.
        0x1d43 => 'a',
        0x1d47 => 'b',
        0x1d48 => 'd',
        0x1d49 => 'e',
        0x1d4d => 'g',
        0x1d4f => 'k',
        0x1d50 => 'm',
        0x1d52 => 'o',
        0x1d56 => 'p',
        0x1d57 => 't',
        0x1d58 | 0x1d64 => 'u',
        0x1d5b | 0x1d65 => 'v',
        0x1d62 => 'i',
        0x1d63 => 'r',
        // Small forms.
        0xfe50..=0xfe6b => SMALL_FORMS.get((code - 0xfe50) as usize).map_or(character, |byte| match byte {
            0 => character,
            byte => char::from(*byte),
        }),
        // Mathematical letters and digits.
        0x1d400..=0x1d6a3 => any_case((code - 0x1d400) % 52),
        0x1d7ce..=0x1d7ff => letter(b'0', (code - 0x1d7ce) % 10),
        _ => character,
    }
}

/// From U+FE50 on; 0 for what folds to nothing in ASCII.
const SMALL_FORMS: &[u8; 28] = b",\0.\0;:?!\0(){}\0\0#&*+-<>=\0\\$%@";

/// Reports whether a text has a character of two or three bytes that folds to one of ASCII, of those whose first bytes
/// honest texts have as well. Takes linear time.
pub(super) fn has_foldable(text: &[u8]) -> bool {
    memchr::memchr3_iter(0xc5, 0xe1, 0xe2, text).any(|at| {
        let character = match text.get(at..) {
            Some([lead @ 0xc5, last, ..]) => u32::from(lead & 0x1f) << 6 | u32::from(last & 0x3f),
            Some([lead @ (0xe1 | 0xe2), middle, last, ..]) => {
                u32::from(lead & 0xf) << 12 | u32::from(middle & 0x3f) << 6 | u32::from(last & 0x3f)
            }
            _ => return false,
        };
        char::from_u32(character).is_some_and(|character| fold(character).is_ascii() && !character.is_ascii())
    })
}

/// Reports whether a character of UTF-8 that begins with this byte may fold to one of ASCII.
pub(super) const fn may_begin_foldable(lead: u8) -> bool {
    matches!(lead, 0xc5 | 0xca | 0xcb | 0xcd | 0xe1 | 0xe2 | 0xef | 0xf0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_fold_to_ascii() {
        for (text, expected) in [
            ("\u{ff1c}\u{ff53}\u{ff5e}", "<s~"),
            ("\u{1d42c}\u{1d400}\u{1d7d7}\u{1d69a}", "sA9q"),
            ("\u{24d0}\u{24cf}\u{2460}\u{24ea}", "aZ10"),
            ("\u{fe64}\u{fe65}\u{fe54}\u{fe59}\u{fe6b}\u{fe68}", "<>;(@\\"),
            ("\u{17f}\u{2bc}\u{2024}\u{2003}\u{208d}\u{212a}", "s'. (K"),
        ] {
            assert_eq!(text.chars().map(fold).collect::<String>(), expected);
        }
        for text in ["\u{df}\u{e9}\u{2019}\u{65e5}\u{2122}\u{fe51}\u{1d6a8}", "az09"] {
            assert_eq!(text.chars().map(fold).collect::<String>(), text);
        }
    }

    #[test]
    fn foldable_characters_are_found_in_texts() {
        for text in ["a \u{24d0}", "\u{17f}", "x\u{1d63}y", "\u{201c}a\u{201d} \u{2460}"] {
            assert!(has_foldable(text.as_bytes()), "{text}");
        }
        for text in ["", "a", "\u{201c}a\u{201d} \u{20ac}5 \u{2014} \u{17c}\u{f3}\u{142}w \u{1ea1} \u{2122}"]
        {
            assert!(!has_foldable(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn leads_of_foldable_characters_are_known() {
        for code in 0x80..=0x1_f000 {
            let Some(character) = char::from_u32(code) else { continue };
            if fold(character) != character {
                let lead = character.encode_utf8(&mut [0; 4]).as_bytes()[0];
                assert!(may_begin_foldable(lead), "{code:x}");
            }
        }
    }
}
