//! Character references of HTML and XML.

use super::Buffer;
use super::scratch::{Scratch, Writer};

/// Gives `value`, which is in lower case, with all character references replaced by what they stand for: by number, with
/// or without the semicolon, and those names that attacks are spelled with. NUL is dropped.
///
/// What is itself escaped (`&amp;lt;`) is undone up to [`MAX_DEPTH`] times, which bounds the work.
pub(super) fn decode<'b>(value: &[u8], out: &'b mut Scratch) -> &'b [u8] {
    let mut out = out.writer(value.len());
    out.extend(value);
    for _ in 0..MAX_DEPTH {
        let (length, again) = decode_once(out.text_mut());
        out.truncate(length);
        if !again {
            break;
        }
    }
    out.finish()
}

/// Writes `value` into `out` with each reference replaced once; says whether there may have been any. Otherwise `out` is
/// left as it is.
pub(crate) fn decode_references(value: &[u8], out: &mut Buffer) -> bool {
    let any = memchr::memchr(b'&', value).is_some();
    if any {
        out.clear();
        out.extend_from_slice(value);
        let (length, _) = decode_once(out);
        out.truncate(length);
    }
    any
}

/// How often a reference may itself have been escaped.
const MAX_DEPTH: usize = 4;

/// Undoes one level in place; gives the length of what is left, and whether that has another `&` in it.
fn decode_once(text: &mut [u8]) -> (usize, bool) {
    let Some(first) = memchr::memchr(b'&', text) else { return (text.len(), false) };
    let mut made_ampersand = false;
    let mut read = first;
    let mut written = first;
    while read < text.len() {
        // An ampersand stands here. What stays as it is begins with it, or behind the reference.
        let (mut kept, mut search) = (read, read + 1);
        if let Some((character, length)) = reference(&text[search..]) {
            made_ampersand |= character == '&';
            search += length;
            kept = search;
            // No reference is shorter than what it stands for.
            let mut writer = Writer::new(&mut text[written..kept]);
            writer.push_character(character);
            written += writer.text().len();
        }
        let next = memchr::memchr(b'&', &text[search..]).map_or(text.len(), |after| search + after);
        if written != kept {
            text.copy_within(kept..next, written);
        }
        written += next - kept;
        read = next;
    }
    (written, made_ampersand)
}

/// What the reference means whose text after the `&` begins here, and how long that text is.
fn reference(text: &[u8]) -> Option<(char, usize)> {
    match text {
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16).map(|(code, length)| (code, length + 2)),
        [b'#', digits @ ..] => number(digits, 10).map(|(code, length)| (code, length + 1)),
        _ => {
            let end = text.iter().take(MAX_NAME + 1).position(|byte| !byte.is_ascii_alphabetic())?;
            let name = &text[..end];
            let (_, character) = NAMES.iter().find(|(known, _)| *known == name)?;
            let semicolon = text[end] == b';';
            // Only the oldest names stand without a semicolon.
            let complete = semicolon || matches!(name, b"lt" | b"gt" | b"amp" | b"quot");
            complete.then_some((*character, end + usize::from(semicolon)))
        }
    }
}

/// The character of a number, and how many bytes it and its semicolon take.
fn number(text: &[u8], base: u32) -> Option<(char, usize)> {
    let length = text.iter().position(|&byte| !char::from(byte).is_digit(base)).unwrap_or(text.len());
    let digits = text.get(..length).filter(|digits| !digits.is_empty())?;
    let code = digits.iter().try_fold(0u32, |code, &digit| {
        code.checked_mul(base)?.checked_add(char::from(digit).to_digit(base)?)
    })?;
    let character = char::from_u32(code)?;
    Some((character, length + usize::from(text.get(length) == Some(&b';'))))
}

/// The longest of the names.
const MAX_NAME: usize = 7;

/// Names of ASCII characters that mean something in HTML, JavaScript or SQL.
const NAMES: [(&[u8], char); 32] = [
    (b"amp", '&'),
    (b"apos", '\''),
    (b"ast", '*'),
    (b"bsol", '\\'),
    (b"colon", ':'),
    (b"comma", ','),
    (b"commat", '@'),
    (b"dollar", '$'),
    (b"equals", '='),
    (b"excl", '!'),
    (b"grave", '`'),
    (b"gt", '>'),
    (b"hat", '^'),
    (b"lbrace", '{'),
    (b"lbrack", '['),
    (b"lcub", '{'),
    (b"lowbar", '_'),
    (b"lpar", '('),
    (b"lsqb", '['),
    (b"lt", '<'),
    (b"nbsp", ' '),
    (b"newline", '\n'),
    (b"num", '#'),
    (b"percnt", '%'),
    (b"period", '.'),
    (b"quest", '?'),
    (b"quot", '"'),
    (b"rpar", ')'),
    (b"semi", ';'),
    (b"sol", '/'),
    (b"tab", '\t'),
    (b"verbar", '|'),
];
