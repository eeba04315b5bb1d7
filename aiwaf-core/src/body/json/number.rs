//! How numbers are spelled.

/// Numbers of more bytes are judged: no application needs them, and some fall over them.
pub(super) const MAX_NUMBER: usize = 64;

/// Whether numbers have such bytes.
pub(super) fn is_part_of_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

/// Where the number ends that begins at `start`, as RFC 8259 spells it.
#[inline]
pub(super) fn end_of_number(text: &[u8], start: usize) -> Option<usize> {
    let whole = start + usize::from(text.get(start) == Some(&b'-'));
    let mut end = end_of_digits(text, whole)?;
    if text.get(whole) == Some(&b'0') && end > whole + 1 {
        return None;
    }
    if text.get(end) == Some(&b'.') {
        end = end_of_digits(text, end + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(end) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'-' | b'+')));
        end = end_of_digits(text, end + 1 + sign)?;
    }
    Some(end)
}

/// Where the digits end that begin at `start`, if there are any.
#[inline]
fn end_of_digits(text: &[u8], start: usize) -> Option<usize> {
    let mut end = start;
    while text.get(end).is_some_and(u8::is_ascii_digit) {
        end += 1;
    }
    (end > start).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_goes_on_as_far_as_it_is_one() {
        for (text, end) in [
            ("0", Some(1)),
            ("-0", Some(2)),
            ("17,", Some(2)),
            ("1.50]", Some(4)),
            ("2e10", Some(4)),
            ("-2.5E-3 ", Some(7)),
            ("1-1", Some(1)),
            ("", None),
            ("-", None),
            ("01", None),
            (".5", None),
            ("1.", None),
            ("1.e5", None),
            ("1e", None),
            ("1e+", None),
            ("+1", None),
        ] {
            assert_eq!(end_of_number(text.as_bytes(), 0), end, "{text}");
            assert_eq!(end_of_number(format!("[{text}").as_bytes(), 1), end.map(|end| end + 1), "{text}");
        }
    }
}
