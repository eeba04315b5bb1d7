//! One pass over a value: what bytes it has, and which literals.

use std::collections::BTreeMap;

use crate::decode::Kinds;

/// Literals, looked for all at once, in any case and with any white space for a blank, and sets of bytes.
///
/// Each literal is known by three bytes of it that are rare in ordinary requests. Where such a triple stands, and only
/// there, the literals that are known by it are compared, if the text has the bytes beside which they matter. A step
/// takes loads that wait for none before them, which is half the time of a step of an automaton; comparisons are as many
/// as literals share a triple.
pub(super) struct Scanner {
    /// For each byte its letter, its [`Kinds`] and its sets, as in [`Facts`].
    bytes: Box<[u64; 256]>,
    /// The triples by which literals are known, a bit for each.
    known: Box<[u64; PAIRS]>,
    /// How many triples are known before those of each word of `known`.
    before: Box<[u32; PAIRS]>,
    /// What is known of the literals of each known triple, in the triples' order.
    slots: Vec<Slot>,
    /// The literals, those that are known by the same triple together.
    literals: Vec<Literal>,
}

/// The literals that are known by one triple.
struct Slot {
    /// Where they begin in [`Scanner::literals`]; they end where those of the next slot begin.
    start: u32,
    /// The byte sets of which one has to be there for any of them to matter.
    needed_sets: u64,
}

/// A literal, known by a triple.
struct Literal {
    number: usize,
    /// Where in the text the triple ends.
    end: usize,
    text: Box<[u8]>,
}

impl Literal {
    /// Whether this is the literal, in any case; a blank stands for any white space.
    fn is(&self, text: &[u8]) -> bool {
        let same = |(byte, own): (&u8, &u8)| {
            byte.to_ascii_lowercase() == *own || *own == b' ' && matches!(byte, b'\t'..=b'\r')
        };
        text.iter().zip(&self.text).all(same)
    }
}

/// A place in a text where a known triple ends: the triple's number, and behind it where that is.
#[derive(Clone, Copy, Default)]
struct Occurrence(u64);

impl Occurrence {
    const TRIPLE: u32 = 18;

    #[inline]
    const fn new(triple: usize, end: usize) -> Self {
        Self(triple as u64 | (end as u64) << Self::TRIPLE)
    }

    /// The place of the triple's pair among all, what its third letter is modulo 64, and where the triple ends.
    #[allow(clippy::cast_possible_truncation)] // both were a `usize`
    const fn parts(self) -> (usize, u32, usize) {
        ((self.0 >> 6) as usize % PAIRS, (self.0 % 64) as u32, (self.0 >> Self::TRIPLE) as usize)
    }
}

/// The memory in which places of known triples are kept until all bytes of a text are known.
#[derive(Default)]
pub(super) struct Occurrences([Occurrence; MAX_OCCURRENCES]);

/// As many as are in some kilobytes of prose. Literals at further places are compared whatever bytes there are.
const MAX_OCCURRENCES: usize = 32;

/// The set of which every text has a byte, beside the 32 of which only some have: for literals that always matter.
pub(super) const ANY_BYTE: u64 = 1 << 32;

/// What is known of the bytes of a value, together: letters in the lowest bits, then kinds, then 32 sets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts(u64);

impl Facts {
    /// Behind as many bits as a [`Pair`] has, of which a letter takes but some.
    const KINDS: u32 = 12;
    const SETS: u32 = 32;

    /// Which kinds of bytes there are.
    pub(super) const fn kinds(self) -> Kinds {
        Kinds::from_bits(self.0 >> Self::KINDS)
    }

    /// The byte sets of which there is a byte, a bit for each.
    pub(super) const fn byte_sets(self) -> u64 {
        self.0 >> Self::SETS
    }
}

/// The words of 64 bits that say of each triple whether it is known: one for each two letters, but for some that share
/// one.
const PAIRS: usize = 1 << 12;

/// The two letters that stand before a third one: their place among all pairs.
#[derive(Clone, Copy, Default)]
struct Pair(usize);

impl Pair {
    /// The pair that ends with this letter, or with the one in these [`Facts`].
    #[inline]
    const fn then(self, letter: u64) -> Self {
        #[allow(clippy::cast_possible_truncation)] // of what is cut off nothing counts
        let letter = letter as usize;
        Self((self.0 << 6 ^ letter) % PAIRS)
    }

    /// The number of the triple of this pair and a letter.
    const fn triple(self, letter: u64) -> usize {
        self.0 * 64 + (letter % 64) as usize
    }
}

impl Scanner {
    /// Literals of two bytes or more, which are numbered in this order, each with the byte sets of which the text has to
    /// have a byte as well; and for each byte in which sets it is, a bit for each.
    pub(super) fn new<'l>(literals: impl Iterator<Item = (&'l str, u64)>, byte_sets: &[u32; 256]) -> Self {
        let mut bytes = Box::new([0; 256]);
        for ((byte, sets), facts) in (0..=u8::MAX).zip(byte_sets).zip(&mut *bytes) {
            *facts =
                letter(byte) | Kinds::of_byte(byte).bits() << Facts::KINDS | u64::from(*sets) << Facts::SETS;
        }
        let ordinary = ordinary_triples();
        let mut by_triple: BTreeMap<usize, Vec<(u64, Literal)>> = BTreeMap::new();
        for (number, (text, needed_sets)) in literals.enumerate() {
            let text = text.as_bytes();
            let literal = |end| (needed_sets, Literal { number, end, text: text.into() });
            if let [first, second] = *text {
                // Whatever stands behind it.
                let pair = Pair::default().then(letter(first)).then(letter(second));
                for third in 0..64 {
                    by_triple.entry(pair.triple(third)).or_default().push(literal(3));
                }
            }
            let commonness = |(_, triple): &(usize, usize)| {
                let sharers = by_triple.get(triple).map_or(0, Vec::len);
                (ordinary.get(triple).copied().unwrap_or_default(), sharers)
            };
            if let Some((end, rarest)) = (3..).zip(triples(text)).min_by_key(commonness) {
                by_triple.entry(rarest).or_default().push(literal(end));
            }
        }
        #[allow(clippy::large_stack_arrays)] // for a moment, when rules are compiled
        let mut known = Box::new([0; PAIRS]);
        for triple in by_triple.keys() {
            known[triple / 64] |= 1 << (triple % 64);
        }
        let mut before = Box::new([0; PAIRS]);
        let mut count = 0;
        for (before, known) in before.iter_mut().zip(&*known) {
            *before = count;
            count += u64::count_ones(*known);
        }
        let mut start = 0;
        let slots = by_triple.values().map(|literals| {
            let needed_sets = literals.iter().fold(0, |needed, (sets, _)| needed | sets);
            let length = u32::try_from(literals.len()).unwrap_or(u32::MAX);
            let slot = Slot { start, needed_sets };
            start += length;
            slot
        });
        let slots = slots.collect();
        let literals = by_triple.into_values().flatten().map(|(_, literal)| literal).collect();
        Self { bytes, known, before, slots, literals }
    }

    /// Calls `found` with the number of each literal in `text`, perhaps repeatedly, but for those that do not matter
    /// beside the bytes that are there; says what is known of all bytes.
    pub(super) fn scan(
        &self,
        text: &[u8],
        occurrences: &mut Occurrences,
        mut found: impl FnMut(usize),
    ) -> Facts {
        let (mut facts, mut pair) = (0, Pair::default());
        let (Occurrences(occurrences), mut count) = (occurrences, 0);
        let mut step = |byte: u8, end: usize| {
            let fact = self.bytes[usize::from(byte)];
            facts |= fact;
            if self.known[pair.0] >> (fact % 64) & 1 != 0 {
                if count == MAX_OCCURRENCES {
                    self.compare(occurrences, u64::MAX, text, &mut found);
                    count = 0;
                }
                occurrences[count] = Occurrence::new(pair.triple(fact), end);
                count += 1;
            }
            pair = pair.then(fact);
        };
        // Two bytes at once, which halves what the loop itself takes.
        let (chunks, last) = text.as_chunks::<2>();
        for (index, &[first, second]) in chunks.iter().enumerate() {
            step(first, index * 2 + 1);
            step(second, index * 2 + 2);
        }
        if let [byte] = *last {
            step(byte, text.len());
        }
        let facts = Facts(facts);
        let sets = facts.byte_sets() | ANY_BYTE;
        if count > 0 {
            self.compare(occurrences.get(..count).unwrap_or_default(), sets, text, &mut found);
        }
        // The end counts as a third byte: a literal of two may stand there.
        if self.known[pair.0] & 1 != 0 {
            self.compare(&[Occurrence::new(pair.triple(0), text.len() + 1)], sets, text, &mut found);
        }
        facts
    }

    /// Compares the literals that are known by the triples at these occurrences, and matter beside bytes of these sets.
    #[inline(never)]
    fn compare(&self, occurrences: &[Occurrence], sets: u64, text: &[u8], found: &mut impl FnMut(usize)) {
        for &occurrence in occurrences {
            let (pair, third, end) = occurrence.parts();
            let earlier = self.known[pair] & ((1 << third) - 1);
            let index = (self.before[pair] + earlier.count_ones()) as usize;
            let Some(slot) = self.slots.get(index).filter(|slot| slot.needed_sets & sets != 0) else {
                continue;
            };
            let next = self.slots.get(index + 1).map_or(self.literals.len(), |next| next.start as usize);
            for literal in self.literals.get(slot.start as usize..next).unwrap_or_default() {
                let begin = end.checked_sub(literal.end);
                let part = begin.and_then(|begin| text.get(begin..begin + literal.text.len()));
                if part.is_some_and(|part| literal.is(part)) {
                    found(literal.number);
                }
            }
        }
    }
}

/// The triples in `text`.
fn triples(text: &[u8]) -> impl Iterator<Item = usize> {
    text.windows(3).map(|bytes| {
        let [.., third] = *bytes else { return 0 };
        let pair = bytes.iter().take(2).fold(Pair::default(), |pair, &byte| pair.then(letter(byte)));
        pair.triple(letter(third))
    })
}

/// How often each triple is in what ordinary requests consist of.
fn ordinary_triples() -> BTreeMap<usize, u32> {
    let mut counts = BTreeMap::new();
    for triple in triples(include_bytes!("ordinary.txt")) {
        *counts.entry(triple).or_default() += 1;
    }
    counts
}

fn letter(byte: u8) -> u64 {
    u64::from(LETTERS[usize::from(byte)])
}

/// A letter for each byte, the same for all white space, for all other control characters, for all bytes of UTF-8, and for
/// the two cases of a letter.
const LETTERS: [u8; 256] = {
    let mut letters = [0; 256];
    let mut next = 3;
    let mut index = 0;
    while index < 256 {
        #[allow(clippy::cast_possible_truncation)] // the index of a table for bytes
        let byte = index as u8;
        letters[index] = match byte {
            b'\t'..=b'\r' | b' ' => 2,
            0..=0x1f | 0x7f => 0,
            0x80.. => 1,
            b'a'..=b'z' => letters[byte.to_ascii_uppercase() as usize],
            _ => {
                next += 1;
                next - 1
            }
        };
        index += 1;
    }
    letters
};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn found(literals: &[&str], text: &str) -> BTreeSet<usize> {
        let mut numbers = BTreeSet::new();
        let scanner = Scanner::new(literals.iter().map(|literal| (*literal, ANY_BYTE)), &[0; 256]);
        scanner.scan(text.as_bytes(), &mut Occurrences::default(), |number| {
            numbers.insert(number);
        });
        numbers
    }

    proptest! {
        #[test]
        fn just_the_literals_in_a_text_are_found(
            literals in proptest::collection::vec("[a-c0-2 ./]{2,4}|[ -~]{2,6}", 1..12),
            text in "[a-cA-C0-2 \t\n./]{0,60}",
            at in any::<prop::sample::Index>(),
        ) {
            let lower: Vec<String> = literals.iter().map(|literal| literal.to_ascii_lowercase()).collect();
            let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
            let text = format!("{text}{}{text}", at.get(&literals));
            let plain = text.to_ascii_lowercase().replace(['\t', '\n'], " ");
            let expected = (0..lower.len()).filter(|&number| plain.contains(lower[number]));
            prop_assert_eq!(found(&lower, &text), expected.collect());
        }
    }

    #[test]
    fn facts_of_all_bytes_are_together() {
        let mut sets = [0; 256];
        sets[usize::from(b'(')] = 1 << 31;
        sets[usize::from(b'x')] = 1;
        let scanner = Scanner::new([].into_iter(), &sets);
        for text in ["x(", "a(x", "((x)"] {
            let facts = scanner.scan(text.as_bytes(), &mut Occurrences::default(), |_| {});
            assert_eq!((facts.byte_sets(), facts.kinds()), (1 << 31 | 1, Kinds::of(text.as_bytes())));
        }
    }
}
