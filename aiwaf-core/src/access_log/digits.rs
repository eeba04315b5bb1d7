//! Decimal numbers in bytes, without the detour over text.

use std::time::Duration;

/// Appends `number` in decimal. Short numbers, which most are, become one store of a fixed size.
#[inline]
pub(super) fn push(out: &mut Vec<u8>, number: u64) {
    match number {
        0..=9 => out.push(b'0' + (number % 10) as u8),
        10..=99 => out.extend_from_slice(&pair(number)),
        100..=999 => push_three(out, number),
        1000..=9999 => {
            let [[thousands, hundreds], [tens, ones]] = [pair(number / 100), pair(number)];
            out.extend_from_slice(&[thousands, hundreds, tens, ones]);
        }
        _ => push_long(out, number),
    }
}

#[inline(never)]
fn push_long(out: &mut Vec<u8>, mut number: u64) {
    let mut buffer = [b'0'; 20];
    let mut start = buffer.len();
    for slot in buffer.iter_mut().rev() {
        *slot = b'0' + (number % 10) as u8;
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(buffer.get(start..).unwrap_or_default());
}

/// The last two digits of `number`.
#[inline]
pub(super) const fn pair(number: u64) -> [u8; 2] {
    let number = (number % 100) as u32;
    [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]
}

/// Appends the last three digits of `number`, with leading zeros.
#[inline]
pub(super) fn push_three(out: &mut Vec<u8>, number: u64) {
    let number = (number % 1000) as u32;
    let [tens, ones] = pair(u64::from(number % 100));
    out.extend_from_slice(&[b'0' + (number / 100) as u8, tens, ones]);
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
        push_three(&mut out, 42);
        assert_eq!(out, b"042");
    }
}
