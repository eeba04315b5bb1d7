//! What a rule says of the words behind separators: a quick look before its pattern is tried on a long text.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::decode::run_without;

/// The words of which one has to stand behind a separator for a rule to match.
#[derive(Debug)]
pub(super) struct NextWords {
    /// For each byte whether it is a separator.
    separates: Box<[bool; 256]>,
    /// For each byte whether it may stand between a separator and the word.
    opens: Box<[bool; 256]>,
    /// How the words begin: their letters, digits and underscores up to the first other character, in lower case.
    beginnings: HashSet<Box<[u8]>, RandomState>,
}

impl NextWords {
    pub(super) fn new(separators: &str, words: &[String]) -> Self {
        let beginnings = words.iter().map(|word| {
            let word = word.to_ascii_lowercase().into_bytes();
            word[..length_of_word(&word)].into()
        });
        let table = |is_in: &dyn Fn(u8) -> bool| {
            let mut table = Box::new([false; 256]);
            for (cell, byte) in table.iter_mut().zip(0..=u8::MAX) {
                *cell = is_in(byte);
            }
            table
        };
        let separates = |byte| separators.as_bytes().contains(&byte);
        let opens = |byte| separates(byte) || matches!(byte, b'\t'..=b'\r') || b" \"'`+({!".contains(&byte);
        Self { separates: table(&separates), opens: table(&opens), beginnings: beginnings.collect() }
    }

    /// Whether one of the words may stand behind a separator in `text`: past white space, quotes and opening brackets.
    /// What is no word counts as well, and so does a word that is assigned to or is part of a path or of another name.
    /// Takes linear time.
    pub(super) fn may_be_in(&self, text: &[u8]) -> bool {
        let mut rest = text;
        while let Some(at) = run_without(rest, |byte| self.separates[usize::from(byte)]) {
            rest = &rest[at..];
            let opening = rest.iter().position(|byte| !self.opens[usize::from(*byte)]);
            rest = &rest[opening.unwrap_or(rest.len())..];
            let (word, behind) = rest.split_at(length_of_word(rest));
            let counts = match behind {
                _ if word.is_empty() => !rest.is_empty(),
                [b'=' | b'/' | b'\\' | b':' | b'%', ..] => true,
                [b'.', next, ..] if is_of_word(*next) => true,
                _ => self.contains(word),
            };
            if counts {
                return true;
            }
            rest = behind;
        }
        false
    }

    fn contains(&self, word: &[u8]) -> bool {
        let mut memory = [0; MAX_WORD];
        memory.get_mut(..word.len()).is_some_and(|lower| {
            lower.copy_from_slice(word);
            lower.make_ascii_lowercase();
            self.beginnings.contains(&*lower)
        })
    }
}

/// Words in rules are not longer.
pub(super) const MAX_WORD: usize = 32;

fn length_of_word(text: &[u8]) -> usize {
    text.iter().position(|byte| !is_of_word(*byte)).unwrap_or(text.len())
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_count_only_behind_separators() {
        let words = NextWords::new(";&\n", &["ls".into(), "apt-get".into()]);
        for (text, expected) in [
            ("ls; then", false),
            ("a; ls", true),
            ("a;;\t ('LS' -l)", true),
            ("a; lsof", false),
            ("a & apt-get x", true),
            ("a & aptitude", false),
            ("R&D; it is so.\nThanks. And bye.\n", false),
            ("a;/bin/x", true),
            ("a;x=1", true),
            ("a;b.exe", true),
            ("a;-x", true),
            ("a;", false),
            ("", false),
        ] {
            assert_eq!(words.may_be_in(text.as_bytes()), expected, "{text:?}");
        }
    }
}
