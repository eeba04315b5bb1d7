//! Changes that wait to be stored: bounded, one place for each thing that changes.

use std::collections::{BTreeMap, HashMap};

use aiwaf_core::{CountryCode, KeywordSource, ListChange, ListName, Lists, canonical_network};
use ipnet::IpNet;

use crate::fit::fit;
use crate::memory::is_addition;

/// The number of a change that was not taken. No publication reaches it.
pub(super) const SHED: u64 = u64::MAX;

/// A bounded queue in which the changes of one key become one.
#[derive(Debug)]
pub(super) struct Queue {
    capacity: usize,
    last: u64,
    shed: u64,
    places: HashMap<Key, u64>,
    slots: BTreeMap<u64, Slot>,
}

/// What a change is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Network(ListName, IpNet),
    Text(ListName, String),
    Country(CountryCode),
    EndedBans,
    Everything(ListName),
}

/// What is to happen to one key: something is taken away, then something is added; or one of both.
#[derive(Debug)]
struct Slot {
    key: Key,
    removal: Option<ListChange>,
    addition: Option<ListChange>,
}

impl Queue {
    /// For `capacity` keys, and a quarter more that only people's changes may fill.
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, last: 0, shed: 0, places: HashMap::new(), slots: BTreeMap::new() }
    }

    /// The number of the last change that was taken.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// How many changes were not taken because the queue was full.
    pub(super) fn shed(&self) -> u64 {
        self.shed
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Takes a change and returns its number, or [`SHED`].
    pub(super) fn push(&mut self, change: &ListChange) -> u64 {
        let Some(change) = fit(change) else {
            // It can't be stored, so it is as good as stored.
            return self.last;
        };
        let key = Key::of(&change);
        if !self.places.contains_key(&key) && self.slots.len() >= self.limit(&change) {
            return self.refuse();
        }
        if let ListChange::Clear(list) = change {
            self.forget(list);
        }
        let old = self.places.remove(&key).and_then(|place| self.slots.remove(&place));
        let (removal, addition) = if is_addition(&change) {
            match old {
                Some(Slot { removal, addition: Some(old), .. }) => combine(removal, &old, change),
                old => (old.and_then(|old| old.removal), Some(change)),
            }
        } else {
            (Some(change), None)
        };
        self.last += 1;
        self.places.insert(key.clone(), self.last);
        self.slots.insert(self.last, Slot { key, removal, addition });
        self.last
    }

    /// Counts a change that is not taken.
    pub(super) fn refuse(&mut self) -> u64 {
        self.shed += 1;
        SHED
    }

    /// All changes, in an order that has the effect of the one in which they came.
    pub(super) fn drain(&mut self) -> Vec<ListChange> {
        self.places.clear();
        let slots = std::mem::take(&mut self.slots);
        slots.into_values().flat_map(|slot| [slot.removal, slot.addition]).flatten().collect()
    }

    fn limit(&self, change: &ListChange) -> usize {
        let is_automatic = match change {
            ListChange::AddBlacklist(entry) => entry.source.is_automatic(),
            ListChange::AddKeyword(entry) => entry.source == KeywordSource::Learned,
            _ => false,
        };
        if is_automatic { self.capacity } else { self.capacity.saturating_add(self.capacity / 4) }
    }

    /// Drops what is about a list that is being emptied.
    fn forget(&mut self, list: ListName) {
        self.slots.retain(|_, slot| slot.key.list() != list);
        self.places.retain(|key, _| key.list() != list);
    }
}

impl Key {
    fn of(change: &ListChange) -> Self {
        let list = change.list();
        match change {
            ListChange::AddWhitelist(entry) => Self::Network(list, canonical_network(entry.network)),
            ListChange::AddBlacklist(entry) => Self::Network(list, canonical_network(entry.network)),
            ListChange::RemoveWhitelist(network) | ListChange::RemoveBlacklist(network) => {
                Self::Network(list, canonical_network(*network))
            }
            ListChange::AddKeyword(entry) => Self::Text(list, entry.keyword.clone()),
            ListChange::AddPathExemption(entry) => Self::Text(list, entry.path.clone()),
            ListChange::RemoveKeyword(text) | ListChange::RemovePathExemption(text) => {
                Self::Text(list, text.clone())
            }
            ListChange::AddCountry(entry) => Self::Country(entry.country),
            ListChange::RemoveCountry(country) => Self::Country(*country),
            ListChange::RemoveEndedBans(_) => Self::EndedBans,
            _ => Self::Everything(list),
        }
    }

    fn list(&self) -> ListName {
        match self {
            Self::Network(list, _) | Self::Text(list, _) | Self::Everything(list) => *list,
            Self::Country(_) => ListName::GeoBlockedCountries,
            Self::EndedBans => ListName::Blacklist,
        }
    }
}

/// Two additions of one key as one, by the rules of [`Lists::apply`] itself.
fn combine(
    removal: Option<ListChange>,
    old: &ListChange,
    new: ListChange,
) -> (Option<ListChange>, Option<ListChange>) {
    let mut lists = Lists::default();
    lists.apply(&[old.clone(), new]);
    let Lists { mut whitelist, mut blacklist, mut keywords, mut geo_blocked_countries, mut path_exemptions } =
        lists;
    let combined = match old {
        ListChange::AddWhitelist(_) => whitelist.pop().map(ListChange::AddWhitelist),
        ListChange::AddBlacklist(_) => blacklist.pop().map(ListChange::AddBlacklist),
        ListChange::AddKeyword(_) => keywords.pop().map(ListChange::AddKeyword),
        ListChange::AddCountry(_) => geo_blocked_countries.pop().map(ListChange::AddCountry),
        _ => path_exemptions.pop().map(ListChange::AddPathExemption),
    };
    // An automatic ban that follows one of people, which has ended, would not replace what they stored before that.
    let removal = match (old, &combined) {
        (ListChange::AddBlacklist(old), Some(ListChange::AddBlacklist(new)))
            if new.source.is_automatic() && !old.source.is_automatic() =>
        {
            Some(ListChange::RemoveBlacklist(new.network))
        }
        _ => removal,
    };
    (removal, combined)
}

#[cfg(test)]
mod tests {
    use aiwaf_core::{BanSource, BlacklistEntry, KeywordEntry, Timestamp, WhitelistEntry, parse_network};
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_micros(seconds * 1_000_000)
    }

    fn ban(number: u32, source: BanSource, end: i64) -> ListChange {
        let network = IpNet::from(std::net::IpAddr::from(number.to_be_bytes()));
        let ban = BlacklistEntry::manual(network, "x", at(1));
        ListChange::AddBlacklist(BlacklistEntry { source, expires: Some(at(end)), ..ban })
    }

    #[test]
    fn a_full_queue_sheds_automatic_changes_first() {
        let mut queue = Queue::new(4);
        for number in 0..4 {
            assert_eq!(queue.push(&ban(number, BanSource::Trainer, 9)), u64::from(number) + 1);
        }
        assert_eq!(queue.push(&ban(4, BanSource::Trainer, 9)), SHED);
        assert_eq!(queue.push(&ban(3, BanSource::Trainer, 10)), 5, "what waits already can change");
        assert_eq!(queue.push(&ban(5, BanSource::Manual, 9)), 6);
        assert_eq!(queue.push(&ban(6, BanSource::Manual, 9)), SHED);
        assert_eq!((queue.len(), queue.shed(), queue.last()), (5, 2, 6));
        assert_eq!(queue.drain().len(), 5);
        assert_eq!(queue.push(&ban(7, BanSource::Trainer, 9)), 7);
    }

    fn any_change() -> impl Strategy<Value = ListChange> {
        let network = prop::sample::select(vec!["10.0.0.1", "10.0.0.0/30", "10.0.0.2"])
            .prop_map(|text| parse_network(text).unwrap());
        let source = prop::sample::select(vec![BanSource::Manual, BanSource::Trainer]);
        let keyword = prop::sample::select(vec!["a", "b"]).prop_map(String::from);
        let learned = prop::sample::select(vec![KeywordSource::Manual, KeywordSource::Learned]);
        prop_oneof![
            5 => (0u32..3, source, 0i64..3).prop_map(|(number, source, end)| ban(0x0A00_0000 + number, source, end)),
            2 => network.clone().prop_map(ListChange::RemoveBlacklist),
            1 => network.clone().prop_map(ListChange::RemoveWhitelist),
            3 => (keyword.clone(), 0u64..3, learned).prop_map(|(keyword, count, source)| {
                ListChange::AddKeyword(KeywordEntry { keyword, count, source, added: None })
            }),
            1 => keyword.prop_map(ListChange::RemoveKeyword),
            1 => network.prop_map(|network| {
                ListChange::AddWhitelist(WhitelistEntry { network, reason: String::new(), added: None })
            }),
            1 => Just(ListChange::Clear(ListName::Blacklist)),
        ]
    }

    /// The lists, except that a whitelisted client may or may not be banned as well: the whitelist wins anyway.
    fn effect(mut lists: Lists) -> Lists {
        let whitelist = lists.whitelist.clone();
        lists.blacklist.retain(|ban| !whitelist.iter().any(|white| white.network.contains(&ban.network)));
        lists.blacklist.sort_by_key(|ban| ban.network);
        lists.keywords.sort_by(|left, right| left.keyword.cmp(&right.keyword));
        lists.whitelist.sort_by_key(|white| white.network);
        lists
    }

    proptest! {
        #[test]
        fn joined_changes_have_the_effect_of_the_single_ones(
            before in prop::collection::vec(any_change(), 0..6),
            changes in prop::collection::vec(any_change(), 0..12),
        ) {
            // Whether an automatic ban counts depends on the whitelist at that moment, which joining may move.
            let changes: Vec<ListChange> = changes.into_iter()
                .filter(|change| !matches!(change.list(), ListName::Whitelist))
                .collect();
            let mut single = Lists::default();
            single.apply(&before);
            let mut joined = single.clone();
            single.apply(&changes);
            let mut queue = Queue::new(100);
            for change in &changes {
                queue.push(change);
            }
            joined.apply(&queue.drain());
            prop_assert_eq!(effect(joined), effect(single));
        }
    }
}
