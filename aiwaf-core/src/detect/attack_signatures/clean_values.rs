//! Memory of values that were judged clean, so that what every request repeats is judged once.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use super::keyed_hash::{Digest, HashKey, Tag};

/// The values that no rule matched, of one set of rules, by their tags.
///
/// - *Clean* means that no rule matched, before exclusions, demotion, asset paths and the score are considered. A value is
///   clean by itself, whatever request it is part of.
/// - Only tags are kept: 16 bytes for each value, which nobody can turn back into it. Two values have the same tag with
///   a probability of at most 2^-63 ([`HashKey`]), and nothing shows a client which values are remembered but the time
///   that a request takes.
/// - A value is admitted the second time it is judged. What is never repeated displaces nothing.
/// - An admitted value displaces one that was not asked for since the last admission to its set. A client that sends
///   made-up values twice each can displace rare values, but not those that other requests repeat meanwhile; all that it
///   gains is that the displaced ones are judged again.
/// - Reads take no lock and write nothing, except for the first one after an admission. A look-up touches one cache line.
///
/// Takes 128 KiB for up to 6,144 values, and 4 KiB for the key.
pub(super) struct CleanValues {
    key: HashKey,
    sets: Box<[Set]>,
}

/// Sets of values; a value can be in one of them only.
const SETS: usize = 2048;

/// Values of a set.
const WAYS: usize = 3;

/// Bits of [`Set::recent`] that say which values were asked for lately.
const USED: u64 = (1 << WAYS) - 1;

/// Bits of [`Set::recent`] that say how many other values were judged since the candidate, up to three.
const AGE: u64 = 3 << WAYS;

/// Another value more in [`AGE`].
const OLDER: u64 = 1 << WAYS;

/// Bits of [`Set::recent`] that are those of the candidate's tag.
const CANDIDATE: u64 = !(USED | AGE);

/// One cache line.
#[repr(align(64))]
#[derive(Default)]
struct Set {
    /// Odd while a value is being admitted; grows with each admission.
    version: AtomicU64,
    /// Which of the values were asked for lately, and a part of the tag of a value that was judged once and is admitted
    /// the next time.
    recent: AtomicU64,
    tags: [[AtomicU64; 2]; WAYS],
}

impl CleanValues {
    pub(super) fn new() -> Self {
        Self { key: HashKey::random(), sets: (0..SETS).map(|_| Set::default()).collect() }
    }

    /// Begins the tag of several fields.
    pub(super) fn digest(&self) -> Digest<'_> {
        self.key.digest()
    }

    /// The tag of a single field. None if it is too long.
    pub(super) fn tag(&self, kind: u8, text: &[u8]) -> Option<Tag> {
        self.key.tag(kind, text)
    }

    /// Reports whether the value with this tag is known to be clean.
    #[inline]
    pub(super) fn contains(&self, Tag([low, high]): Tag) -> bool {
        let Some(set) = self.set(low, high) else { return false };
        let version = set.version.load(Ordering::Acquire);
        let way = set.tags.iter().position(|[own_low, own_high]| {
            own_low.load(Ordering::Relaxed) == low && own_high.load(Ordering::Relaxed) == high
        });
        // Both halves must be of one value: an admission in between is a miss.
        fence(Ordering::Acquire);
        let is_stable = version.is_multiple_of(2) && set.version.load(Ordering::Relaxed) == version;
        let Some(way) = way.filter(|_| is_stable) else { return false };
        if set.recent.load(Ordering::Relaxed) & 1 << way == 0 {
            set.recent.fetch_or(1 << way, Ordering::Relaxed);
        }
        true
    }

    /// Notes that a value was judged clean, which is not known yet.
    #[cold]
    pub(super) fn insert(&self, Tag([low, high]): Tag) {
        let Some(set) = self.set(low, high) else { return };
        let recent = set.recent.load(Ordering::Relaxed);
        if (recent ^ high) & CANDIDATE != 0 {
            // A candidate stays for three others: values that come in turns must not keep each other out. What another
            // thread notes meanwhile may get lost, which costs a second judgment.
            let is_replaced = recent & AGE == AGE || recent & CANDIDATE == 0;
            let next = if is_replaced { recent & USED | high & CANDIDATE } else { recent + OLDER };
            set.recent.store(next, Ordering::Relaxed);
            return;
        }
        let version = set.version.load(Ordering::Relaxed);
        let admits = version.is_multiple_of(2)
            && set
                .version
                .compare_exchange(version, version + 1, Ordering::Acquire, Ordering::Relaxed)
                .is_ok();
        if !admits {
            return;
        }
        fence(Ordering::Release);
        let unused = (!recent & USED).trailing_zeros() as usize;
        match set.tags.get(unused) {
            Some([own_low, own_high]) => {
                own_low.store(low, Ordering::Relaxed);
                own_high.store(high, Ordering::Relaxed);
            }
            // All are in use. Those that still are say so again before another candidate is admitted.
            None => set.recent.store(0, Ordering::Relaxed),
        }
        set.version.store(version + 2, Ordering::Release);
    }

    #[inline]
    fn set(&self, low: u64, high: u64) -> Option<&Set> {
        let mixed = (low ^ high).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        #[allow(clippy::cast_possible_truncation)] // eleven bits
        self.sets.get((mixed >> (u64::BITS - SETS.ilog2())) as usize)
    }
}

/// What is remembered of the `Cookie` header of a client: the tag of the last one that was judged clean.
///
/// It means something to the engine that wrote it only. Takes 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CleanCookie([u64; 2]);

impl CleanCookie {
    /// Reports whether the cookies with this tag were judged clean.
    pub(super) fn is(self, Tag(tag): Tag) -> bool {
        // No cookies have the tag of a record that remembers none.
        self.0 == tag && self != Self::default()
    }

    pub(super) fn remember(&mut self, Tag(tag): Tag) {
        self.0 = tag;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    /// Judges a value as a caller does; reports whether it was known.
    fn judge(values: &CleanValues, number: u32) -> bool {
        let tag = values.tag(0, &number.to_le_bytes()).unwrap();
        let known = values.contains(tag);
        if !known {
            values.insert(tag);
        }
        known
    }

    #[test]
    fn value_is_admitted_on_second_sight() {
        let values = CleanValues::new();
        assert_eq!([1, 1, 1, 2, 1].map(|number| judge(&values, number)), [false, false, true, false, true]);
    }

    #[test]
    fn values_in_turns_are_both_admitted() {
        let values = CleanValues::new();
        for number in (0..600).cycle().take(600 * 12) {
            judge(&values, number);
        }
        // Some share a set with more than there is room for.
        let known = (0..600).filter(|number| judge(&values, *number)).count();
        assert!(known > 580, "{known}");
    }

    #[test]
    fn values_that_are_in_use_outlive_a_flood() {
        let values = CleanValues::new();
        let regulars = 0..200;
        regulars.clone().cycle().take(1000).for_each(|number| {
            judge(&values, number);
        });
        let mut judged_again = 0;
        for number in 1000..101_000 {
            // Every made-up value comes often enough to be admitted.
            (0..3).for_each(|_| {
                judge(&values, number);
            });
            if number % 100 == 0 {
                judged_again += regulars.clone().filter(|number| !judge(&values, *number)).count();
            }
        }
        assert!(judged_again < 1000, "{judged_again} of 200,000");
        // What nobody asks for makes room.
        assert!(!judge(&values, 2000));
    }

    #[test]
    fn halves_of_two_values_are_no_value() {
        let values = CleanValues::new();
        let colliding: Vec<Tag> = (0..1_000_000u32)
            .filter_map(|number| values.tag(0, &number.to_le_bytes()))
            .filter(|Tag([low, high])| {
                std::ptr::eq(values.set(*low, *high).unwrap(), &raw const values.sets[7])
            })
            .take(40)
            .collect();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for tag in colliding.iter().cycle().take(200_000) {
                    values.insert(*tag);
                    values.insert(*tag);
                }
                done.store(true, Ordering::Relaxed);
            });
            while !done.load(Ordering::Relaxed) {
                for (first, second) in colliding.iter().zip(colliding.iter().skip(1)) {
                    assert!(!values.contains(Tag([first.0[0], second.0[1]])));
                }
            }
        });
    }

    #[test]
    fn a_fresh_record_knows_no_cookie() {
        let mut cookie = CleanCookie::default();
        assert!(!cookie.is(Tag([0, 0])));
        cookie.remember(Tag([1, 2]));
        assert!(cookie.is(Tag([1, 2])) && !cookie.is(Tag([2, 1])));
    }
}
