//! A set of countries that costs one bit to ask.

use crate::country::CountryCode;

/// Any number of countries in 88 bytes; asking costs a shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CountrySet([u64; WORDS]);

/// Enough for the 676 codes of two letters.
const WORDS: usize = (26 * 26usize).div_ceil(64);

impl CountrySet {
    /// No country.
    pub const EMPTY: Self = Self([0; WORDS]);

    /// Puts `country` in.
    pub fn insert(&mut self, country: CountryCode) {
        let (word, bit) = place(country);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    /// Takes `country` out.
    pub fn remove(&mut self, country: CountryCode) {
        let (word, bit) = place(country);
        if let Some(word) = self.0.get_mut(word) {
            *word &= !bit;
        }
    }

    /// Whether `country` is in it.
    pub fn contains(&self, country: CountryCode) -> bool {
        let (word, bit) = place(country);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Whether no country is in it.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; WORDS]
    }
}

impl FromIterator<CountryCode> for CountrySet {
    fn from_iter<I: IntoIterator<Item = CountryCode>>(countries: I) -> Self {
        let mut set = Self::EMPTY;
        countries.into_iter().for_each(|country| set.insert(country));
        set
    }
}

/// The word and the bit of a code; its two letters are upper case by construction.
fn place(country: CountryCode) -> (usize, u64) {
    let index =
        country.as_str().bytes().fold(0, |index, letter| index * 26 + usize::from(letter.wrapping_sub(b'A')));
    (index / 64, 1 << (index % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<CountryCode> {
        let letters = || 'A'..='Z';
        letters()
            .flat_map(|first| letters().map(move |second| format!("{first}{second}").parse().unwrap()))
            .collect()
    }

    #[test]
    fn every_code_has_a_bit_of_its_own() {
        for country in all() {
            let set = CountrySet::from_iter([country]);
            assert_eq!(all().into_iter().filter(|other| set.contains(*other)).collect::<Vec<_>>(), [country]);
        }
    }

    #[test]
    fn countries_come_and_go() {
        let mut set = CountrySet::from_iter(all());
        assert!(all().into_iter().all(|country| set.contains(country)));
        for country in all() {
            set.remove(country);
        }
        assert!(set.is_empty());
        assert_eq!(set, CountrySet::default());
    }
}
