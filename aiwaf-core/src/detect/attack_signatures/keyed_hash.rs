//! Keyed hashes by which a value is recognized without being kept.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

/// Random key of one instance, from which all its [`Tag`]s are made.
///
/// The hash is NH of UMAC (RFC 4418, section 5.2.2) with words of 64 bits. For any two different texts, the share of
/// keys that give both the same tag is at most 2^-63. That is proven, not assumed: a text that collides can only be
/// guessed, as neither the key nor a tag ever leaves the process. Costs half an instruction a byte.
pub(super) struct HashKey(Box<[[u64; 2]]>);

/// Pairs of words of a key. A pair hashes 16 bytes, so that texts of up to about 4 KiB have a tag.
const PAIRS: usize = 256;

/// Keyed hash of a text. The same for the same text and key only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag(pub(super) [u64; 2]);

/// Hash of a list of fields that is being made.
pub(super) struct Digest<'k> {
    /// Part of the key that is not used yet.
    key: &'k [[u64; 2]],
    sum: u128,
    /// Whether the key is too short for the fields.
    is_too_long: bool,
}

impl HashKey {
    /// A key of the process's secure random numbers.
    pub(super) fn random() -> Self {
        // SipHash with a secret key from the operating system, used as a generator.
        let random = RandomState::new();
        Self((0..PAIRS).map(|pair| [random.hash_one((pair, 0)), random.hash_one((pair, 1))]).collect())
    }

    pub(super) fn digest(&self) -> Digest<'_> {
        Digest { key: &self.0, sum: 0, is_too_long: false }
    }

    /// The tag of a single field.
    pub(super) fn tag(&self, kind: u8, text: &[u8]) -> Option<Tag> {
        let mut digest = self.digest();
        digest.add(kind, text);
        digest.tag()
    }
}

impl Digest<'_> {
    /// Appends a field: its kind and its text.
    #[inline]
    pub(super) fn add(&mut self, kind: u8, text: &[u8]) {
        // Kind and length come first, so that no two lists of fields are the same words.
        let head = u64::from(kind) << 56 | text.len() as u64;
        let (chunks, rest) = text.as_chunks::<16>();
        let pairs = chunks.len() + 1 + usize::from(rest.len() > 8 || !chunks.is_empty() && !rest.is_empty());
        let Some((key, unused)) = self.key.split_at_checked(pairs) else {
            self.is_too_long = true;
            return;
        };
        self.key = unused;
        let [first_key, key @ ..] = key else { return };
        let mut sum = self.sum;
        for (key, chunk) in key.iter().zip(chunks) {
            let (low, high) = words(chunk);
            sum = sum.wrapping_add(product(*key, low, high));
        }
        let mut short = 0;
        if let (Some(last), [_, ..]) = (text.last_chunk::<16>(), rest) {
            // Some bytes come twice, which is quicker than to tell how many are left.
            let (low, high) = words(last);
            sum = sum.wrapping_add(key.last().map_or(0, |key| product(*key, low, high)));
        } else if let (Some(first), Some(last)) = (rest.first_chunk::<8>(), rest.last_chunk::<8>()) {
            short = u64::from_le_bytes(*first);
            if let Some(key) = key.first() {
                sum = sum.wrapping_add(product(*key, u64::from_le_bytes(*last), 0));
            }
        } else if let (Some(first), Some(last)) = (rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
            short = u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32;
        } else {
            short = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
        self.sum = sum.wrapping_add(product(*first_key, head, short));
    }

    /// Whether nothing was appended.
    pub(super) fn is_empty(&self) -> bool {
        self.key.len() == PAIRS && !self.is_too_long
    }

    /// The tag of all fields. None if they are too long.
    #[allow(clippy::cast_possible_truncation)] // the halves of the sum
    pub(super) fn tag(&self) -> Option<Tag> {
        (!self.is_too_long).then_some(Tag([self.sum as u64, (self.sum >> 64) as u64]))
    }
}

#[inline]
fn words(chunk: &[u8; 16]) -> (u64, u64) {
    #[allow(clippy::cast_possible_truncation)] // the halves of the number
    let halves = |both: u128| (both as u64, (both >> 64) as u64);
    halves(u128::from_le_bytes(*chunk))
}

#[inline]
fn product([first, second]: [u64; 2], low: u64, high: u64) -> u128 {
    u128::from(first.wrapping_add(low)) * u128::from(second.wrapping_add(high))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tags_differ_unless_fields_are_the_same(
            lists in proptest::collection::vec(
                proptest::collection::vec((0u8..3, proptest::collection::vec(0u8..2, 0..40)), 0..4),
                2..40,
            ),
        ) {
            let key = HashKey::random();
            let mut known = HashMap::new();
            for fields in lists {
                let mut digest = key.digest();
                for (kind, text) in &fields {
                    digest.add(*kind, text);
                }
                let Tag(tag) = digest.tag().unwrap();
                prop_assert_eq!(digest.is_empty(), fields.is_empty());
                prop_assert_eq!(known.entry(tag).or_insert_with(|| fields.clone()), &fields);
            }
        }
    }

    #[test]
    fn every_byte_counts() {
        let key = HashKey::random();
        for length in 0..70 {
            let text = vec![b'a'; length];
            let tag = key.tag(1, &text);
            assert_eq!(tag, key.tag(1, &text));
            assert_ne!(tag, key.tag(2, &text));
            assert_ne!(tag, HashKey::random().tag(1, &text));
            for at in 0..length {
                let mut other = text.clone();
                other[at] = b'b';
                assert_ne!(tag, key.tag(1, &other), "{at} of {length}");
            }
        }
    }

    #[test]
    fn long_texts_have_no_tag() {
        let key = HashKey::random();
        assert!(key.tag(1, &[b'a'; 4000]).is_some());
        assert_eq!(key.tag(1, &[b'a'; 5000]), None);
        let mut digest = key.digest();
        (0..=PAIRS).for_each(|_| digest.add(1, b""));
        assert_eq!(digest.tag(), None);
    }
}
