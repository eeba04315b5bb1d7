//! The normal form of a query.

use super::Buffer;
use super::parameter::{Parameter, Part, Place};
use super::percent::{self, Decoder};

/// Writes the normal form of `raw` into `out`: `+` as a blank, escapes decoded to the last, runs of white space as
/// one blank, no other control characters, ASCII letters in lower case. `&` and `=` stay where they are.
pub(crate) fn normalize_query(raw: &[u8], out: &mut Buffer) {
    // Most queries stand for themselves but for their case.
    let means_more =
        |byte: u8| u8::from(!byte.is_ascii_graphic()) | u8::from(byte == b'%') | u8::from(byte == b'+');
    // Without branches: this runs over every query.
    if raw.iter().fold(0, |any, &byte| any | means_more(byte)) == 0 {
        out.clear();
        out.extend_from_slice(raw);
        out.make_ascii_lowercase();
        return;
    }
    let blank_or_none = |byte| matches!(byte, b'\t'..=b'\r').then_some(b' ');
    Decoder::rewrite(raw, out, blank_or_none, |byte| if byte == b'+' { b' ' } else { byte });
    out.make_ascii_lowercase();
    if memchr::memmem::find(out, b"  ").is_some() {
        let mut after_blank = false;
        out.retain(|byte| !(std::mem::replace(&mut after_blank, *byte == b' ') && *byte == b' '));
    }
}

/// Visits name and value of each `name=value` of a query or an urlencoded body, at most `max` of them; what is more
/// comes in one piece, as [`Part::Raw`], and the answer is then false. A name that comes again soon (`id[]=1&id[]=2`) is
/// given once.
///
/// Values come as sent: decoding them is the business of [`Forms`](super::Forms). Names are decoded once.
pub(crate) fn urlencoded_parameters(
    raw: &[u8],
    place: Place,
    max: usize,
    visit: &mut (impl FnMut(Parameter<'_>) + ?Sized),
) -> bool {
    let mut decoded_name = Buffer::new();
    let mut rest = raw;
    let mut recent_names = [&b""[..]; RECENT_NAMES];
    for number in 0..max {
        // Nothing between two `&` is no parameter.
        while let [b'&', after @ ..] = rest {
            rest = after;
        }
        if rest.is_empty() {
            return true;
        }
        let (raw_name, is_escaped, after) = split_name(rest);
        let (value, after) = match after.strip_prefix(b"=") {
            Some(after) => after.split_at(memchr::memchr(b'&', after).unwrap_or(after.len())),
            None => (&[][..], after),
        };
        rest = after.get(1..).unwrap_or_default();
        let name = if is_escaped {
            percent::decode_once(raw_name, place.has_plus_for_blank(), &mut decoded_name);
            &*decoded_name
        } else {
            raw_name
        };
        if !raw_name.is_empty() && !recent_names.contains(&raw_name) {
            recent_names[number % RECENT_NAMES] = raw_name;
            visit(Parameter { name, value: raw_name, part: Part::Name, place });
        }
        if !value.is_empty() {
            visit(Parameter { name, value, part: Part::Value, place });
        }
    }
    if !rest.is_empty() {
        visit(Parameter { name: b"", value: rest, part: Part::Raw, place });
    }
    rest.is_empty()
}

/// So many names are remembered.
const RECENT_NAMES: usize = 4;

/// The name that begins here, whether anything in it stands for something else, and what follows it.
fn split_name(text: &[u8]) -> (&[u8], bool, &[u8]) {
    // Names are short, so that a search of many bytes at once does not pay.
    let mut is_escaped = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'=' | b'&' => {
                let (name, after) = text.split_at(at);
                return (name, is_escaped, after);
            }
            b'%' | b'+' => is_escaped = true,
            _ => {}
        }
    }
    (text, is_escaped, b"")
}
