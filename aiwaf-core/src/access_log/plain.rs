//! A check of whole values, eight bytes at once.

/// The byte 1 in each place.
const ONES: u64 = u64::MAX / 0xff;

/// Reports whether every byte of `value` is printable ASCII but the bytes `others`, which must be ASCII.
///
/// Without a branch for each word, so that the compiler can turn the loop into vector instructions.
#[inline]
pub(super) fn is_printable_without<const COUNT: usize>(value: &[u8], others: [u8; COUNT]) -> bool {
    let (words, rest) = value.as_chunks::<8>();
    let mut found = 0;
    for word in words {
        found |= marks(u64::from_le_bytes(*word), others);
    }
    if !rest.is_empty() {
        // The last word overlaps the one before; short values are put twice into one word.
        if let Some(last) = value.last_chunk::<8>() {
            found |= marks(u64::from_le_bytes(*last), others);
        } else if let (Some(first), Some(last)) = (value.first_chunk::<4>(), value.last_chunk::<4>()) {
            let [first, last] = [*first, *last].map(|half| u64::from(u32::from_le_bytes(half)));
            found |= marks(first | (last << 32), others);
        } else if let ([first, ..], Some(middle), [.., last]) = (value, value.get(value.len() / 2), value) {
            found |= marks(
                u64::from_le_bytes([*first, *middle, *last, *first, *first, *first, *first, *first]),
                others,
            );
        }
    }
    found & (ONES << 7) == 0
}

/// Reports whether `value` holds `byte`, which must be ASCII. Cheaper than `memchr` for values of some words.
#[inline]
pub(super) fn contains(value: &[u8], byte: u8) -> bool {
    let (words, rest) = value.as_chunks::<8>();
    let mut found = 0;
    for word in words {
        let difference = u64::from_le_bytes(*word) ^ (ONES * u64::from(byte));
        found |= difference.wrapping_sub(ONES) & !difference;
    }
    found & (ONES << 7) != 0 || rest.contains(&byte)
}

/// The highest bit of at least one byte is set if a byte is not printable ASCII or one of `others`, else of none.
///
/// A borrow or carry into the next byte comes only from a byte for which that holds.
#[inline]
fn marks<const COUNT: usize>(word: u64, others: [u8; COUNT]) -> u64 {
    let below_blank = word.wrapping_sub(ONES * 0x20);
    let above_tilde = word.wrapping_add(ONES) | word;
    others.iter().fold(below_blank | above_tilde, |found, &other| {
        found | (word ^ (ONES * u64::from(other))).wrapping_sub(ONES)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_told_apart_at_every_place() {
        for length in 0..40 {
            let mut value = vec![b'a'; length];
            assert!(is_printable_without(&value, [b'"', b'\\']));
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    value[place] = byte;
                    let expected = matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
                    assert_eq!(
                        is_printable_without(&value, [b'"', b'\\']),
                        expected,
                        "{byte} at {place} of {length}"
                    );
                    assert_eq!(is_printable_without(&value, []), matches!(byte, b' '..=b'~'));
                }
                value[place] = b'a';
            }
        }
    }

    #[test]
    fn contained_byte_is_found_at_every_place() {
        for length in 0..40 {
            for other in [b'a', 0, 0xff, b'>', b'@', 0xbf] {
                let mut value = vec![other; length];
                assert!(!contains(&value, b'?'));
                for place in 0..length {
                    value[place] = b'?';
                    assert!(contains(&value, b'?'));
                    value[place] = other;
                }
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_a_check_byte_by_byte(value: Vec<u8>, text in "[ -~]{0,40}") {
            for value in [&value[..], text.as_bytes()] {
                let expected = value.iter().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\,; ".contains(byte));
                proptest::prop_assert_eq!(is_printable_without(value, [b'"', b'\\', b',', b';', b' ']), expected);
            }
        }
    }
}
