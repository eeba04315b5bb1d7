//! What the lock file says of our last write, so that others need not read a long file again to know what it added.

use std::fs;

/// How a file looked, as the operating system describes it: size, identity, time of the last change of the content, and
/// of anything. All zero for a file that is missing.
pub(super) type Stamp = [u64; 4];

/// What the lock file says.
///
/// It is a hint that nobody's data depends on: a ledger that is missing, torn or older than the file merely means that
/// the whole file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ledger {
    /// How often we wrote.
    pub(super) generation: u64,
    /// The write since which the blacklist has only been appended to, by us alone.
    pub(super) chain: u64,
    /// How the blacklist looked after our last write.
    pub(super) stamp: Stamp,
    /// The size that the blacklist has after the append that is being made, or that a crash cut short; 0 if there is none.
    pub(super) pending: u64,
}

impl Ledger {
    /// Reads what [`Ledger::to_text`] made; of anything else, the number at the start.
    pub(super) fn parse(text: &[u8]) -> Self {
        let text = std::str::from_utf8(text).unwrap_or_default();
        let mut numbers = text.split_ascii_whitespace().map(|digits| digits.parse::<u64>().ok());
        let mut next = || numbers.next().flatten();
        let generation = next().unwrap_or(0);
        let fields = (next(), [next(), next(), next(), next()], next(), next());
        if let (Some(chain), [Some(a), Some(b), Some(c), Some(d)], Some(pending), Some(sum)) = fields {
            let ledger = Self { generation, chain, stamp: [a, b, c, d], pending };
            if ledger.sum() == sum {
                return ledger;
            }
        }
        Self { generation, ..Self::default() }
    }

    /// The text of the lock file, always of the same length.
    pub(super) fn to_text(self) -> String {
        let [a, b, c, d] = self.stamp;
        let numbers = [self.generation, self.chain, a, b, c, d, self.pending, self.sum()];
        let mut text = numbers.map(|number| format!("{number:020}")).join(" ");
        text.push('\n');
        text
    }

    /// The part of the blacklist that counts, if it looks like this: an append that is not done yet does not.
    pub(super) fn settled(&self, found: Stamp) -> Stamp {
        let [[length, identity, ..], [size, same, ..]] = [self.stamp, found];
        if identity == same && length < size && size <= self.pending { self.stamp } else { found }
    }

    /// Tells a text that was read while it was being written.
    fn sum(&self) -> u64 {
        let [a, b, c, d] = self.stamp;
        let numbers = [self.generation, self.chain, a, b, c, d, self.pending];
        // The multiplier of a common 64-bit hash; any odd number does.
        numbers.into_iter().fold(1, |sum: u64, number| (sum ^ number).wrapping_mul(0x0000_0100_0000_01B3))
    }
}

#[cfg(unix)]
pub(super) fn stamp(found: &fs::Metadata) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    let nanos =
        |seconds: i64, nanos: i64| seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos).cast_unsigned();
    [
        found.len(),
        found.ino(),
        nanos(found.mtime(), found.mtime_nsec()),
        nanos(found.ctime(), found.ctime_nsec()),
    ]
}

#[cfg(not(unix))]
pub(super) fn stamp(found: &fs::Metadata) -> Stamp {
    let since_1970 = |time: std::io::Result<std::time::SystemTime>| {
        let since = time.ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    };
    [found.len(), since_1970(found.created()), since_1970(found.modified()), 0]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_ledger_is_a_count_at_most() {
        for (text, generation) in [("", 0), ("00000000000000000007", 7), ("junk 1 2", 0), ("9 1 2 3", 9)] {
            assert_eq!(Ledger::parse(text.as_bytes()), Ledger { generation, ..Ledger::default() }, "{text}");
        }
        let text = Ledger { generation: 3, chain: 2, stamp: [9, 8, 7, 6], pending: 11 }.to_text();
        let torn = text.replace("08 ", "09 ");
        assert_eq!(Ledger::parse(torn.as_bytes()), Ledger { generation: 3, ..Ledger::default() });
    }

    #[test]
    fn an_append_that_is_not_done_does_not_count() {
        let ledger = Ledger { stamp: [100, 7, 1, 1], pending: 130, ..Ledger::default() };
        assert_eq!(ledger.settled([120, 7, 2, 2]), ledger.stamp);
        assert_eq!(ledger.settled([130, 7, 2, 2]), ledger.stamp);
        for other in [[100, 7, 1, 1], [131, 7, 2, 2], [120, 8, 2, 2], [90, 7, 2, 2]] {
            assert_eq!(ledger.settled(other), other);
        }
    }

    proptest! {
        #[test]
        fn reads_back(numbers in any::<([u64; 4], u64, u64, u64)>()) {
            let (stamp, generation, chain, pending) = numbers;
            let ledger = Ledger { generation, chain, stamp, pending };
            prop_assert_eq!(Ledger::parse(ledger.to_text().as_bytes()), ledger);
        }
    }
}
