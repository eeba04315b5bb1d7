//! One pass over a value that tells which decoders can change anything.

use super::compatibility::may_begin_foldable;

/// Which kinds of bytes a value has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kinds(u16);

impl Kinds {
    /// What begins an escape of URLs, an overlong UTF-8 character or a compatibility form, or is NUL.
    pub(super) const ESCAPE: Self = Self(1);
    /// `+`.
    pub(super) const PLUS: Self = Self(1 << 1);
    /// `A` to `Z`.
    pub(super) const UPPER: Self = Self(1 << 2);
    /// `&`.
    pub(super) const AMPERSAND: Self = Self(1 << 3);
    /// `\`.
    pub(super) const BACKSLASH: Self = Self(1 << 4);
    /// `/`.
    pub(super) const SLASH: Self = Self(1 << 5);
    /// What may begin a comment of SQL beside `/` (`-` and `#`), and white space.
    pub(super) const COMMENT: Self = Self(1 << 6);
    /// What a shell takes away: quotes, `$` and `^`.
    pub(super) const QUOTING: Self = Self(1 << 7);
    /// What is in neither alphabet of Base64.
    pub(super) const NOT_BASE64: Self = Self(1 << 8);
    /// What begins a character of UTF-8 that may be a compatibility form, but mostly is none.
    pub(super) const FOLDABLE: Self = Self(1 << 10);
    /// White space but the blank, and `#`: what SQL takes for a blank or a comment whatever stands beside it.
    pub(super) const BREAK: Self = Self(1 << 9);

    /// The kinds of one byte.
    pub(crate) const fn of_byte(byte: u8) -> Self {
        Self(KINDS[byte as usize])
    }

    /// The kinds as a number, of which the lower 16 bits are taken.
    pub(crate) const fn bits(self) -> u64 {
        self.0 as u64
    }

    /// The kinds of which this is [`bits`](Self::bits), whatever the bits above are.
    #[allow(clippy::cast_possible_truncation)] // the bits above are somebody else's
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits as u16)
    }

    /// The kinds of all bytes of a value.
    pub(crate) fn of(value: &[u8]) -> Self {
        // Two chains of `or`, so that each need not wait for the one before.
        let (pairs, last) = value.as_chunks::<2>();
        let (mut even, mut odd) = (last.first().map_or(0, |&byte| KINDS[usize::from(byte)]), 0);
        for &[first, second] in pairs {
            even |= KINDS[usize::from(first)];
            odd |= KINDS[usize::from(second)];
        }
        Self(even | odd)
    }

    /// Whether there are any bytes of one of these kinds.
    pub(super) const fn any(self, kinds: Self) -> bool {
        self.0 & kinds.0 != 0
    }

    pub(super) const fn and(self, kinds: Self) -> Self {
        Self(self.0 | kinds.0)
    }
}

const KINDS: [u16; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        #[allow(clippy::cast_possible_truncation)] // the index of a table for bytes
        let byte = index as u8;
        let mut kinds = match byte {
            // Leads of overlong characters and of compatibility forms, and of honest ones as well.
            b'%' | 0 | 0xc0 | 0xc1 | 0xe0 | 0xca | 0xcb | 0xcd | 0xef | 0xf0 => Kinds::ESCAPE,
            lead if may_begin_foldable(lead) => Kinds::FOLDABLE,
            b'+' => Kinds::PLUS,
            b'A'..=b'Z' => Kinds::UPPER,
            b'&' => Kinds::AMPERSAND,
            b'\\' => Kinds::BACKSLASH,
            b'/' => Kinds::SLASH,
            b'#' | b'\t'..=b'\r' => Kinds::COMMENT.and(Kinds::BREAK),
            b'-' | b' ' => Kinds::COMMENT,
            b'\'' | b'"' | b'$' | b'^' | b'`' => Kinds::QUOTING,
            _ => Kinds(0),
        };
        let base64 =
            byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=' | b'%' | b' ');
        if !base64 {
            kinds = kinds.and(Kinds::NOT_BASE64);
        }
        table[index] = kinds.0;
        index += 1;
    }
    table
};

/// How many bytes there are before the first `special` one; `None` if there is none. `special` should have no branches.
#[inline]
pub(crate) fn run_without(text: &[u8], special: impl Fn(u8) -> bool) -> Option<usize> {
    // Sixteen bytes at once, without branches, for as long as there is nothing.
    let is_ordinary =
        |chunk: &&[u8; 16]| chunk.iter().fold(0, |any, &byte| any | u8::from(special(byte))) == 0;
    let (chunks, _) = text.as_chunks::<16>();
    let ordinary = chunks.iter().take_while(is_ordinary).count() * 16;
    Some(ordinary + text[ordinary..].iter().position(|&byte| special(byte))?)
}
