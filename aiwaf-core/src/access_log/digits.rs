//! Decimal numbers in bytes, without the detour over text.

use std::time::Duration;

/// Appends `number` in decimal.
pub(super) fn push(out: &mut Vec<u8>, mut number: u64) {
    let mut buffer = [b'0'; 20];
    let mut length = 0;
    for slot in buffer.iter_mut().rev() {
        *slot = b'0' + (number % 10) as u8;
        number /= 10;
        length += 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(buffer.get(buffer.len() - length..).unwrap_or_default());
}

/// Appends the last `width` digits of `number`, with leading zeros; `width` is at most 20.
pub(super) fn push_padded(out: &mut Vec<u8>, mut number: u64, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    for slot in out.iter_mut().skip(start).rev() {
        *slot = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Reads all of `text` as a decimal number; `None` if it is empty, too large or holds anything but digits.
pub(super) fn parse(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Reads seconds with or without decimals (`0.25`); digits beyond the sixth are cut. `None` for anything else and for
/// more than ten digits of whole seconds.
pub(super) fn parse_seconds(text: &[u8]) -> Option<Duration> {
    let point = text.iter().position(|&byte| byte == b'.').unwrap_or(text.len());
    let (whole, decimals) = text.split_at_checked(point)?;
    let whole = if whole.len() > 10 { return None } else { parse(whole)? };
    let mut micros = 0;
    let decimals = decimals.strip_prefix(b".").unwrap_or_default();
    if decimals.len() > 20 || !decimals.iter().all(u8::is_ascii_digit) {
        return None;
    }
    for place in 0..6 {
        micros = micros * 10 + u64::from(decimals.get(place).map_or(0, |digit| digit - b'0'));
    }
    Some(Duration::from_micros(whole * 1_000_000 + micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn numbers_read_back(number: u64) {
            let mut out = Vec::new();
            push(&mut out, number);
            let expected = number.to_string().into_bytes();
            proptest::prop_assert_eq!(&out, &expected);
            proptest::prop_assert_eq!(parse(&out), Some(number));
        }
    }

    #[test]
    fn seconds_have_decimals() {
        for (text, micros) in [("0.25", 250_000), ("3", 3_000_000), ("1.", 1_000_000), ("0.0000019", 1)] {
            assert_eq!(parse_seconds(text.as_bytes()), Some(Duration::from_micros(micros)), "{text}");
        }
        for text in ["", "-", ".5", "-1", "1e9", "1.2.3", "99999999999", "0.1s"] {
            assert_eq!(parse_seconds(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn only_digits_are_numbers() {
        for text in ["", "-1", "+1", "1.5", " 1", "18446744073709551616"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        let mut out = Vec::new();
        push_padded(&mut out, 42, 4);
        assert_eq!(out, b"0042");
    }
}
