//! Which entries are shown, and in which order.

use std::cmp::Reverse;

use aiwaf_core::{Timestamp, parse_network};
use aiwaf_storage::both;
use ipnet::IpNet;

use super::{Listed, Selected};
use crate::span::Moment;

/// What a person says about it.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct QueryArgs {
    /// The order [default: that of addition]
    #[arg(long, value_name = "KEY")]
    sort: Option<Order>,

    /// The other way round
    #[arg(long)]
    reverse: bool,

    /// At most so many of each list
    #[arg(long, value_name = "N")]
    limit: Option<usize>,

    /// Only what was added since then: 2h (two hours ago), 7d, 2025-09-14
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,

    /// Only what contains this text, in any case; an address is found in the networks that hold it, too
    #[arg(long, value_name = "TEXT")]
    contains: Option<String>,
}

/// By what entries are put in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Order {
    /// By address, keyword, code or path
    #[value(alias = "address", alias = "keyword", alias = "path", alias = "country")]
    Name,
    /// The newest first
    Added,
    /// By reason
    Reason,
    /// Those that end soonest first; those without an end last
    Until,
    /// The highest count of hits or offences first
    Count,
}

/// What is asked for at a certain time.
pub(crate) struct Query {
    sort: Option<Order>,
    reverse: bool,
    limit: usize,
    since: Option<Timestamp>,
    contains: Option<Wanted>,
}

/// A text to be found.
struct Wanted {
    /// In lower case.
    text: String,
    network: Option<IpNet>,
}

impl QueryArgs {
    /// The query, if it is `now`.
    pub(crate) fn at(&self, now: Timestamp) -> Query {
        Query {
            sort: self.sort,
            reverse: self.reverse,
            limit: self.limit.unwrap_or(usize::MAX),
            since: self.since.map(|moment| moment.resolve(now)),
            contains: self
                .contains
                .as_ref()
                .map(|text| Wanted { text: text.to_lowercase(), network: parse_network(text).ok() }),
        }
    }
}

impl Query {
    /// The entries that fit, in order, up to the limit.
    pub(crate) fn select<'a, T: Listed>(&self, entries: &'a [T]) -> Selected<'a, T> {
        let mut selected: Vec<&T> = entries.iter().filter(|entry| self.fits(*entry)).collect();
        if let Some(order) = self.sort {
            order.sort(&mut selected);
        }
        if self.reverse {
            selected.reverse();
        }
        let matching = selected.len();
        selected.truncate(self.limit);
        Selected { entries: selected, matching }
    }

    fn fits<T: Listed>(&self, entry: &T) -> bool {
        // What nobody knows the time of may be new: it is not left out silently.
        self.since.is_none_or(|since| entry.added().is_none_or(|added| added >= since))
            && self.contains.as_ref().is_none_or(|wanted| wanted.is_in(entry))
    }
}

impl Wanted {
    fn is_in<T: Listed>(&self, entry: &T) -> bool {
        let holds = |network: IpNet| self.network.is_some_and(|wanted| network.contains(&wanted));
        entry.network().is_some_and(holds)
            || contains(&entry.name(), &self.text)
            || contains(entry.reason(), &self.text)
    }
}

impl Order {
    fn sort<T: Listed>(self, entries: &mut Vec<&T>) {
        match self {
            Self::Name => sort_by(entries, T::rank),
            Self::Added => sort_by(entries, |entry| Reverse(entry.added())),
            Self::Reason => sort_by(entries, T::reason),
            Self::Until => sort_by(entries, |entry| (entry.until().is_none(), entry.until())),
            Self::Count => sort_by(entries, |entry| Reverse(entry.count())),
        }
    }
}

/// Stable, so that equal ones stay in the order of addition. The keys lie together, for fetching them from all over the
/// memory for each comparison is what takes most of the time otherwise. Two threads fetch and sort a half each.
fn sort_by<'a, T: Sync, K: Ord + Send>(entries: &mut Vec<&'a T>, key: impl Fn(&'a T) -> K + Sync) {
    let sorted = |part: &[&'a T]| {
        let mut keyed: Vec<(K, &T)> = part.iter().map(|entry| (key(entry), *entry)).collect();
        keyed.sort_by(|(left, _), (right, _)| left.cmp(right));
        keyed
    };
    // A short list is sorted before a thread has begun.
    let middle = if entries.len() < MIN_SHARED { entries.len() } else { entries.len() / 2 };
    let (first, second) = entries.split_at(middle);
    let mut keyed = if second.is_empty() {
        sorted(first)
    } else {
        let (mut first, second) = both(|| sorted(first), || sorted(second));
        first.extend(second);
        // What is in order already is only merged.
        first.sort_by(|(left, _), (right, _)| left.cmp(right));
        first
    };
    entries.clear();
    entries.extend(keyed.drain(..).map(|(_, entry)| entry));
}

/// So many entries are sorted by two threads.
const MIN_SHARED: usize = 10_000;

/// Whether the text contains another, which is in lower case, in any case.
fn contains(text: &str, wanted: &str) -> bool {
    if text.is_ascii() {
        // Most texts, and without a copy of each of a million of them.
        let mut windows = text.as_bytes().windows(wanted.len().max(1));
        return wanted.is_empty() || windows.any(|part| part.eq_ignore_ascii_case(wanted.as_bytes()));
    }
    text.to_lowercase().contains(wanted)
}

#[cfg(test)]
mod tests {
    use aiwaf_core::BlacklistEntry;

    use super::*;

    fn entries() -> Vec<BlacklistEntry> {
        let entry = |network: &str, reason: &str, added: i64, expires: Option<i64>| BlacklistEntry {
            added: Some(Timestamp::from_unix_micros(added)),
            expires: expires.map(Timestamp::from_unix_micros),
            ..BlacklistEntry::manual(parse_network(network).unwrap(), reason, Timestamp::UNIX_EPOCH)
        };
        vec![
            entry("10.0.0.10", "Flood", 1, None),
            entry("10.0.0.9", "probe", 3, Some(9)),
            entry("203.0.113.0/24", "feed", 2, Some(5)),
        ]
    }

    fn names(query: &QueryArgs) -> Vec<String> {
        let entries = entries();
        let selected = query.at(Timestamp::from_unix_micros(4)).select(&entries);
        selected.entries.iter().map(|entry| entry.name()).collect()
    }

    #[test]
    fn a_long_list_is_sorted_as_a_short_one_is() {
        let numbers: Vec<usize> = (0..=2 * MIN_SHARED).map(|number| number * 7919 % 10_007).collect();
        let mut shared: Vec<&usize> = numbers.iter().collect();
        sort_by(&mut shared, |number| *number % 100);
        let mut expected: Vec<&usize> = numbers.iter().collect();
        expected.sort_by_key(|number| **number % 100);
        assert!(shared.iter().zip(&expected).all(|(one, other)| std::ptr::eq(*one, *other)), "stable");
    }

    #[test]
    fn entries_are_put_in_order() {
        let by = |sort| names(&QueryArgs { sort, ..QueryArgs::default() });
        assert_eq!(by(None), ["10.0.0.10", "10.0.0.9", "203.0.113.0/24"]);
        assert_eq!(by(Some(Order::Name)), ["10.0.0.9", "10.0.0.10", "203.0.113.0/24"]);
        assert_eq!(by(Some(Order::Added)), ["10.0.0.9", "203.0.113.0/24", "10.0.0.10"]);
        assert_eq!(by(Some(Order::Until)), ["203.0.113.0/24", "10.0.0.9", "10.0.0.10"]);
        let last =
            QueryArgs { sort: Some(Order::Added), reverse: true, limit: Some(1), ..QueryArgs::default() };
        assert_eq!(names(&last), ["10.0.0.10"]);
    }

    #[test]
    fn entries_are_found_by_text_by_address_and_by_time() {
        let containing =
            |text: &str| names(&QueryArgs { contains: Some(text.into()), ..QueryArgs::default() });
        assert_eq!(containing("203.0.113.77"), ["203.0.113.0/24"]);
        assert_eq!(containing("fLOOD"), ["10.0.0.10"]);
        assert_eq!(containing("10.0.0."), ["10.0.0.10", "10.0.0.9"]);
        assert_eq!(containing("").len(), 3);
        let since = Some(Moment::At(Timestamp::from_unix_micros(2)));
        assert_eq!(names(&QueryArgs { since, ..QueryArgs::default() }), ["10.0.0.9", "203.0.113.0/24"]);
    }

    proptest::proptest! {
        #[test]
        fn texts_are_found_as_in_lower_case(text in "[aAbB\u{e4}\u{c4}]{0,6}", wanted in "[aAb\u{e4}\u{c4}]{0,3}") {
            let wanted = wanted.to_lowercase();
            proptest::prop_assert_eq!(contains(&text, &wanted), text.to_lowercase().contains(&wanted));
        }
    }
}
