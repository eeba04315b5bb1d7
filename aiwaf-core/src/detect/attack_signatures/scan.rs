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
    /// Number of triples that are known before those of each word of `known`.
    before: Box<[u32; PAIRS]>,
    /// For each known triple, in their order, its place in `slots`. A literal of two bytes is known by 64 triples, which
    /// share a slot: that keeps the tables small enough for a cache.
    slot_of: Vec<u32>,
    /// The literals of each known triple.
    slots: Vec<Slot>,
    /// The literals, those of a slot together.
    literals: Vec<Literal>,
    /// The texts of all literals.
    texts: Vec<u8>,
}

/// The literals that are known by one triple.
struct Slot {
    /// Their places in [`Scanner::literals`].
    start: u32,
    end: u32,
    /// The byte sets of which one has to be there for any of them to matter.
    needed_sets: u64,
}

/// A literal, known by a triple.
struct Literal {
    number: u32,
    /// Where in the literal the triple ends.
    triple_end: u32,
    /// The place of its text in [`Scanner::texts`].
    start: u32,
    length: u32,
}

/// Reports whether a text is this literal, in any case; a blank stands for any white space.
fn is_literal(text: &[u8], literal: &[u8]) -> bool {
    let same = |(byte, own): (&u8, &u8)| {
        byte.to_ascii_lowercase() == *own || *own == b' ' && matches!(byte, b'\t'..=b'\r')
    };
    text.iter().zip(literal).all(same)
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
        // Places are 32 bits: rule files are far smaller than 4 GiB.
        let place = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let mut texts = Vec::new();
        // The literals of each triple: which they are, and where they end.
        let mut by_triple: BTreeMap<usize, Vec<(usize, u32)>> = BTreeMap::new();
        let mut all = Vec::new();
        for (number, (text, needed_sets)) in literals.enumerate() {
            let text = text.as_bytes();
            all.push((needed_sets, place(texts.len()), place(text.len())));
            texts.extend_from_slice(text);
            if let [first, second] = *text {
                // Whatever stands behind it.
                let pair = Pair::default().then(letter(first)).then(letter(second));
                for third in 0..64 {
                    by_triple.entry(pair.triple(third)).or_default().push((number, 3));
                }
            }
            let commonness = |(_, triple): &(u32, usize)| {
                let sharers = by_triple.get(triple).map_or(0, Vec::len);
                (ordinary.get(triple).copied().unwrap_or_default(), sharers)
            };
            if let Some((end, rarest)) = (3..).zip(triples(text)).min_by_key(commonness) {
                by_triple.entry(rarest).or_default().push((number, end));
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
        let (mut slots, mut literals) = (Vec::new(), Vec::new());
        let mut places: BTreeMap<Vec<(usize, u32)>, u32> = BTreeMap::new();
        let slot_of = by_triple.into_values().map(|own| {
            *places.entry(own).or_insert_with_key(|own| {
                let start = place(literals.len());
                let mut needed_sets = 0;
                for &(number, triple_end) in own {
                    let (needed, start, length) = all.get(number).copied().unwrap_or_default();
                    needed_sets |= needed;
                    literals.push(Literal { number: place(number), triple_end, start, length });
                }
                slots.push(Slot { start, end: place(literals.len()), needed_sets });
                place(slots.len() - 1)
            })
        });
        let slot_of = slot_of.collect();
        Self { bytes, known, before, slot_of, slots, literals, texts }
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
            let slot = self.slot_of.get(index).and_then(|slot| self.slots.get(*slot as usize));
            let Some(slot) = slot.filter(|slot| slot.needed_sets & sets != 0) else { continue };
            for literal in self.literals.get(slot.start as usize..slot.end as usize).unwrap_or_default() {
                let (start, length) = (literal.start as usize, literal.length as usize);
                let begin = end.checked_sub(literal.triple_end as usize);
                let part = begin.and_then(|begin| text.get(begin..begin + length));
                let own = self.texts.get(start..start + length).unwrap_or_default();
                if part.is_some_and(|part| is_literal(part, own)) {
                    found(literal.number as usize);
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
///
/// Common bytes have letters in a row, so that ordinary text uses few cache lines of [`Scanner::known`]; and only rare
/// ones have letters that are the same modulo 64.
const LETTERS: [u8; 256] = {
    const CONTROL: u8 = 0;
    const UNICODE: u8 = 1;
    let mut letters = [u8::MAX; 256];
    let mut next = UNICODE + 1;
    let mut index = 0;
    while index < LETTERS_IN_ORDER.len() {
        let byte = LETTERS_IN_ORDER[index];
        letters[byte as usize] = next;
        letters[byte.to_ascii_uppercase() as usize] = next;
        next += 1;
        index += 1;
    }
    index = 0;
    while index < 256 {
        #[allow(clippy::cast_possible_truncation)] // the index of a table for bytes
        let byte = index as u8;
        letters[index] = match byte {
            b'\t'..=b'\r' => letters[b' ' as usize],
            0..=0x1f | 0x7f => CONTROL,
            0x80.. => UNICODE,
            _ => letters[index],
        };
        index += 1;
    }
    letters
};

/// All bytes that have a letter of their own, in the order of the letters.
const LETTERS_IN_ORDER: &[u8] = b"!\"#$'(aeinorst01234567cdlmpu89bfghvwxk-=./_&;%jqyz:,?+ )*<>@[\\]^`{|}~";

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
    fn every_byte_has_a_letter() {
        let mut letters: Vec<u8> = (b' '..0x7f).map(|byte| LETTERS[usize::from(byte)]).collect();
        letters.sort_unstable();
        letters.dedup();
        // Of 95 printable bytes, 26 are the other case of another.
        assert_eq!(letters, (2..71).collect::<Vec<u8>>());
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
