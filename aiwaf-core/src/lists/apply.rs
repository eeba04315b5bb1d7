//! How changes alter the lists: the one place that knows, for every store.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use ipnet::IpNet;

use super::entry::{
    BlacklistEntry, CountryEntry, KeywordEntry, KeywordSource, ListChange, ListName, Lists,
    PathExemptionEntry, WhitelistEntry,
};
use crate::bans::MAX_AUTOMATIC_BANS;
use crate::client::canonical_network;
use crate::country::CountryCode;
use crate::timestamp::Timestamp;

impl Lists {
    /// Carries out `changes` in order, and says of each whether it altered anything.
    ///
    /// What stays keeps its order, and what is new comes last. No key may stand twice on a list, which holds for what
    /// stores load and for what this leaves. Costs the length of the lists that are touched plus the number of changes;
    /// every [`ListChange::Clear`] and [`ListChange::RemoveEndedBans`] costs the length of its list once more.
    ///
    /// ```
    /// use aiwaf_core::{BlacklistEntry, ListChange, Lists, Timestamp, parse_network};
    ///
    /// let network = parse_network("203.0.113.9")?;
    /// let mut lists = Lists::default();
    /// let ban = BlacklistEntry::manual(network, "scanner", Timestamp::UNIX_EPOCH);
    /// let changed = lists.apply(&[ListChange::AddBlacklist(ban.clone()), ListChange::AddBlacklist(ban)]);
    /// assert_eq!(changed, [true, false]);
    /// # Ok::<(), aiwaf_core::InvalidNetwork>(())
    /// ```
    pub fn apply(&mut self, changes: &[ListChange]) -> Vec<bool> {
        self.apply_within(changes, MAX_AUTOMATIC_BANS)
    }

    /// As [`apply`](Self::apply), with a maximum number of automatic bans (`bans.max_automatic`; `apply` has its default,
    /// 200,000). When a change adds one beyond that, the least valuable are removed, those of the fewest offences that
    /// expire first, and a sixteenth more, so that this is rare. A longer list can still be read and shrunk: nothing is
    /// removed unless an automatic ban is added.
    pub fn apply_within(&mut self, changes: &[ListChange], max_automatic: usize) -> Vec<bool> {
        let results = self.apply_all(changes);
        let is_grown = |(change, &is_change): (&ListChange, &bool)| {
            is_change && matches!(change, ListChange::AddBlacklist(entry) if entry.source.is_automatic())
        };
        if self.blacklist.len() > max_automatic && changes.iter().zip(&results).any(is_grown) {
            self.evict_automatic_bans(max_automatic);
        }
        results
    }

    fn apply_all(&mut self, changes: &[ListChange]) -> Vec<bool> {
        let indexed = changes.len() > SCANNED_CHANGES;
        let mut whitelist = Table::new(&mut self.whitelist, indexed);
        let mut blacklist = Table::new(&mut self.blacklist, indexed);
        let mut keywords = Table::new(&mut self.keywords, indexed);
        let mut countries = Table::new(&mut self.geo_blocked_countries, indexed);
        let mut paths = Table::new(&mut self.path_exemptions, indexed);
        changes
            .iter()
            .map(|change| match change {
                ListChange::AddWhitelist(entry) => {
                    let network = canonical_network(entry.network);
                    whitelist.put(WhitelistEntry { network, ..entry.clone() })
                }
                ListChange::RemoveWhitelist(network) => whitelist.remove(&canonical_network(*network)),
                ListChange::AddBlacklist(entry) => {
                    let network = canonical_network(entry.network);
                    if entry.source.is_automatic() && covers(&mut whitelist, network) {
                        return false;
                    }
                    blacklist.put(BlacklistEntry { network, ..entry.clone() })
                }
                ListChange::RemoveBlacklist(network) => blacklist.remove(&canonical_network(*network)),
                ListChange::RemoveEndedBans(time) => blacklist.remove_ended(*time),
                ListChange::AddKeyword(entry) => keywords.put(entry.clone()),
                ListChange::RemoveKeyword(keyword) => keywords.remove(keyword),
                ListChange::AddCountry(entry) => countries.put(entry.clone()),
                ListChange::RemoveCountry(country) => countries.remove(country),
                ListChange::AddPathExemption(entry) => paths.put(entry.clone()),
                ListChange::RemovePathExemption(path) => paths.remove(path),
                ListChange::Clear(ListName::Whitelist) => whitelist.clear(),
                ListChange::Clear(ListName::Blacklist) => blacklist.clear(),
                ListChange::Clear(ListName::Keywords) => keywords.clear(),
                ListChange::Clear(ListName::GeoBlockedCountries) => countries.clear(),
                ListChange::Clear(ListName::PathExemptions) => paths.clear(),
            })
            .collect()
    }
}

/// Up to so many changes it is cheaper to scan a list for each than to index it.
const SCANNED_CHANGES: usize = 8;

/// What stands on a list under a key.
trait Keyed: PartialEq {
    type Key: Clone + Eq + Hash;

    fn key(&self) -> &Self::Key;
    fn added(&mut self) -> &mut Option<Timestamp>;
    /// What stands on the list once `self` is added where `old` stands.
    fn succeed(self, old: &Self) -> Self;
}

/// One list while changes are applied to it; removed slots of an indexed one are swept at the end.
struct Table<'a, T: Keyed> {
    entries: &'a mut Vec<T>,
    indexed: bool,
    index: Option<HashMap<T::Key, usize>>,
    removed: HashSet<usize>,
    lengths: Option<PrefixLengths>,
}

impl<'a, T: Keyed> Table<'a, T> {
    fn new(entries: &'a mut Vec<T>, indexed: bool) -> Self {
        Self { entries, indexed, index: None, removed: HashSet::new(), lengths: None }
    }

    fn index(&mut self) -> Option<&mut HashMap<T::Key, usize>> {
        if self.indexed && self.index.is_none() {
            let slots = self.entries.iter().enumerate().map(|(slot, entry)| (entry.key().clone(), slot));
            self.index = Some(slots.collect());
        }
        self.index.as_mut()
    }

    fn find(&mut self, key: &T::Key) -> Option<usize> {
        match self.index() {
            Some(index) => index.get(key).copied(),
            None => self.entries.iter().position(|entry| entry.key() == key),
        }
    }

    fn put(&mut self, mut new: T) -> bool {
        if let Some(slot) = self.find(new.key())
            && let Some(old) = self.entries.get_mut(slot)
        {
            new = new.succeed(old);
            let added = std::mem::replace(new.added(), *old.added());
            let changed = new != *old;
            *new.added() = added;
            if changed {
                *old = new;
            }
            return changed;
        }
        let slot = self.entries.len();
        let key = new.key().clone();
        if let Some(index) = self.index() {
            index.insert(key, slot);
        }
        self.lengths = None;
        self.entries.push(new);
        true
    }

    fn remove(&mut self, key: &T::Key) -> bool {
        if let Some(index) = self.index() {
            return index.remove(key).is_some_and(|slot| self.removed.insert(slot));
        }
        let slot = self.entries.iter().position(|entry| entry.key() == key);
        slot.map(|slot| self.entries.remove(slot)).is_some()
    }

    fn clear(&mut self) -> bool {
        let changed = self.entries.len() > self.removed.len();
        self.entries.clear();
        self.removed.clear();
        self.index = None;
        changed
    }

    fn sweep(&mut self) {
        if !self.removed.is_empty() {
            let mut slot = 0;
            self.entries.retain(|_| {
                slot += 1;
                !self.removed.contains(&(slot - 1))
            });
            self.removed.clear();
        }
        self.index = None;
    }
}

impl<T: Keyed> Drop for Table<'_, T> {
    fn drop(&mut self) {
        self.sweep();
    }
}

impl Table<'_, BlacklistEntry> {
    fn remove_ended(&mut self, time: Timestamp) -> bool {
        self.sweep();
        let before = self.entries.len();
        self.entries.retain(|ban| ban.is_active(time));
        self.entries.len() < before
    }
}

/// Whether one entry of the whitelist holds the whole network.
fn covers(whitelist: &mut Table<'_, WhitelistEntry>, network: IpNet) -> bool {
    if !whitelist.indexed {
        return whitelist.entries.iter().any(|entry| entry.network.contains(&network));
    }
    let lengths = *whitelist.lengths.get_or_insert_with(|| PrefixLengths::of(whitelist.entries));
    (0..=network.prefix_len()).any(|length| {
        lengths.has(&network, length)
            && IpNet::new(network.addr(), length).is_ok_and(|wider| whitelist.find(&wider.trunc()).is_some())
    })
}

/// Which prefix lengths a list of networks has, so that only these are looked up: one bit each, IPv4 and IPv6.
#[derive(Clone, Copy, Default)]
struct PrefixLengths {
    v4: u64,
    v6: [u128; 2],
}

impl PrefixLengths {
    fn of(entries: &[WhitelistEntry]) -> Self {
        let mut lengths = Self::default();
        for entry in entries {
            let length = entry.network.prefix_len();
            match (entry.network, length) {
                (IpNet::V4(_), _) => lengths.v4 |= 1 << length,
                (IpNet::V6(_), 128) => lengths.v6[1] |= 1,
                (IpNet::V6(_), _) => lengths.v6[0] |= 1 << length,
            }
        }
        lengths
    }

    fn has(self, network: &IpNet, length: u8) -> bool {
        match (network, length) {
            (IpNet::V4(_), _) => self.v4 >> length & 1 == 1,
            (IpNet::V6(_), 128) => self.v6[1] == 1,
            (IpNet::V6(_), _) => self.v6[0] >> length & 1 == 1,
        }
    }
}

impl Keyed for WhitelistEntry {
    type Key = IpNet;

    fn key(&self) -> &IpNet {
        &self.network
    }

    fn added(&mut self) -> &mut Option<Timestamp> {
        &mut self.added
    }

    fn succeed(self, _: &Self) -> Self {
        self
    }
}

impl Keyed for BlacklistEntry {
    type Key = IpNet;

    fn key(&self) -> &IpNet {
        &self.network
    }

    fn added(&mut self) -> &mut Option<Timestamp> {
        &mut self.added
    }

    fn succeed(self, old: &Self) -> Self {
        if !self.source.is_automatic() {
            return self;
        }
        // What has ended counts no longer: the new ban was made in the knowledge of it, and may have forgiven it.
        if self.added.is_some_and(|time| !old.is_active(time)) {
            return self;
        }
        if !old.source.is_automatic() {
            return old.clone();
        }
        let expires = match (self.expires, old.expires) {
            (Some(new), Some(old)) => Some(new.max(old)),
            _ => None,
        };
        Self { expires, offences: self.offences.max(old.offences), ..self }
    }
}

impl Keyed for KeywordEntry {
    type Key = String;

    fn key(&self) -> &String {
        &self.keyword
    }

    fn added(&mut self) -> &mut Option<Timestamp> {
        &mut self.added
    }

    fn succeed(self, old: &Self) -> Self {
        match self.source {
            KeywordSource::Manual => self,
            KeywordSource::Learned => {
                let count = old.count.saturating_add(self.count);
                // The time of a learned keyword is that of its last sighting.
                let added = match old.source {
                    KeywordSource::Learned => old.added.max(self.added),
                    KeywordSource::Manual => old.added,
                };
                Self { count, added, ..old.clone() }
            }
        }
    }
}

impl Keyed for CountryEntry {
    type Key = CountryCode;

    fn key(&self) -> &CountryCode {
        &self.country
    }

    fn added(&mut self) -> &mut Option<Timestamp> {
        &mut self.added
    }

    fn succeed(self, _: &Self) -> Self {
        self
    }
}

impl Keyed for PathExemptionEntry {
    type Key = String;

    fn key(&self) -> &String {
        &self.path
    }

    fn added(&mut self) -> &mut Option<Timestamp> {
        &mut self.added
    }

    fn succeed(self, _: &Self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lists::BanSource;
    use crate::protection::Protection;

    const AUTOMATIC: BanSource = BanSource::Protection(Protection::RateLimit);

    fn net(text: &str) -> IpNet {
        crate::client::parse_network(text).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_micros(seconds * 1_000_000)
    }

    fn ban(network: &str, source: BanSource, expires: Option<i64>) -> BlacklistEntry {
        BlacklistEntry {
            source,
            expires: expires.map(at),
            ..BlacklistEntry::manual(net(network), "x", at(1))
        }
    }

    #[test]
    fn an_automatic_ban_yields_to_people_until_their_ban_ends() {
        let mut lists = Lists::default();
        lists.apply(&[ListChange::AddBlacklist(ban("10.0.0.1", BanSource::Manual, Some(100)))]);
        let automatic = ban("10.0.0.1", AUTOMATIC, Some(500));
        assert_eq!(lists.apply(&[ListChange::AddBlacklist(automatic.clone())]), [false]);
        let later = BlacklistEntry { added: Some(at(100)), ..automatic };
        assert_eq!(lists.apply(&[ListChange::AddBlacklist(later.clone())]), [true]);
        assert_eq!(lists.blacklist, [later]);
    }

    #[test]
    fn automatic_bans_never_shorten_each_other() {
        let mut lists = Lists::default();
        let changed = lists.apply(&[
            ListChange::AddBlacklist(ban("10.0.0.1", AUTOMATIC, Some(500))),
            ListChange::AddBlacklist(ban("10.0.0.1", BanSource::Trainer, Some(400))),
        ]);
        assert_eq!(changed, [true, true]);
        assert_eq!(lists.blacklist, [ban("10.0.0.1", BanSource::Trainer, Some(500))]);
    }

    #[test]
    fn a_ban_that_ended_does_not_make_the_next_one_longer() {
        let mut lists = Lists::default();
        let old = BlacklistEntry { offences: 5, ..ban("10.0.0.1", AUTOMATIC, Some(100)) };
        let new = BlacklistEntry { added: Some(at(100)), ..ban("10.0.0.1", AUTOMATIC, Some(200)) };
        lists.apply(&[ListChange::AddBlacklist(old), ListChange::AddBlacklist(new)]);
        assert_eq!((lists.blacklist[0].offences, lists.blacklist[0].expires), (1, Some(at(200))));
    }

    #[test]
    fn original_defect_13_the_trainer_does_not_ban_who_is_whitelisted() {
        let entry = WhitelistEntry { network: net("10.0.0.0/8"), reason: String::new(), added: None };
        for padding in [0, SCANNED_CHANGES] {
            let mut lists = Lists { whitelist: vec![entry.clone()], ..Lists::default() };
            let mut changes = vec![ListChange::RemoveKeyword("nothing".into()); padding];
            changes.push(ListChange::AddBlacklist(ban("10.9.8.7", BanSource::Trainer, None)));
            changes.push(ListChange::AddBlacklist(ban("10.9.8.7", BanSource::Manual, None)));
            changes.push(ListChange::AddBlacklist(ban("0.0.0.0/0", AUTOMATIC, None)));
            assert_eq!(lists.apply(&changes)[padding..], [false, true, true]);
        }
    }

    #[test]
    fn bans_that_ended_are_removed_and_no_others() {
        let mut lists = Lists::default();
        for (address, end) in [("10.0.0.1", None), ("10.0.0.2", Some(5)), ("10.0.0.3", Some(6))] {
            lists.apply(&[ListChange::AddBlacklist(ban(address, AUTOMATIC, end))]);
        }
        let sweep = [ListChange::RemoveEndedBans(at(5)), ListChange::RemoveEndedBans(at(5))];
        assert_eq!(lists.apply(&sweep), [true, false]);
        let left: Vec<_> = lists.blacklist.iter().map(|ban| ban.network).collect();
        assert_eq!(left, [net("10.0.0.1"), net("10.0.0.3")]);
    }

    /// What the documentation of [`ListChange`] says, as plainly as it can be written, one change at a time.
    fn model(lists: &mut Lists, change: &ListChange) -> bool {
        let before = lists.clone();
        match change.clone() {
            ListChange::AddWhitelist(new) => {
                match lists.whitelist.iter_mut().find(|old| old.network == new.network) {
                    Some(old) if old.reason == new.reason => {}
                    Some(old) => *old = new,
                    None => lists.whitelist.push(new),
                }
            }
            ListChange::RemoveWhitelist(network) => lists.whitelist.retain(|old| old.network != network),
            ListChange::AddBlacklist(mut new) => {
                let automatic = new.source.is_automatic();
                if automatic && lists.whitelist.iter().any(|white| white.network.contains(&new.network)) {
                    return false;
                }
                let Some(old) = lists.blacklist.iter_mut().find(|old| old.network == new.network) else {
                    lists.blacklist.push(new);
                    return true;
                };
                let has_ended = new.added.is_some_and(|time| !old.is_active(time));
                if automatic && !has_ended {
                    if !old.source.is_automatic() {
                        return false;
                    }
                    new.offences = new.offences.max(old.offences);
                    new.expires = new.expires.zip(old.expires).map(|(new, old)| new.max(old));
                }
                if (BlacklistEntry { added: old.added, ..new.clone() }) != *old {
                    *old = new;
                }
            }
            ListChange::RemoveBlacklist(network) => lists.blacklist.retain(|old| old.network != network),
            ListChange::RemoveEndedBans(time) => lists.blacklist.retain(|old| old.is_active(time)),
            ListChange::AddKeyword(new) => {
                match lists.keywords.iter_mut().find(|old| old.keyword == new.keyword) {
                    Some(old) if new.source == KeywordSource::Learned => {
                        if new.count > 0 && old.source == KeywordSource::Learned {
                            old.added = old.added.max(new.added);
                        }
                        old.count += new.count;
                    }
                    Some(old) if old.source == new.source && old.count == new.count => {}
                    Some(old) => *old = new,
                    None => lists.keywords.push(new),
                }
            }
            ListChange::RemoveKeyword(keyword) => lists.keywords.retain(|old| old.keyword != keyword),
            ListChange::Clear(ListName::Whitelist) => lists.whitelist.clear(),
            ListChange::Clear(ListName::Blacklist) => lists.blacklist.clear(),
            ListChange::Clear(ListName::Keywords) => lists.keywords.clear(),
            other => panic!("not generated: {other:?}"),
        }
        *lists != before
    }

    fn any_change() -> impl Strategy<Value = ListChange> {
        let network =
            prop::sample::select(vec!["10.0.0.1", "10.0.0.0/30", "10.0.0.2", "2001:db8::1", "2001:db8::/64"])
                .prop_map(net);
        let source =
            prop::sample::select(vec![BanSource::Manual, BanSource::Import, BanSource::Trainer, AUTOMATIC]);
        let time = prop::option::of((0i64..4).prop_map(at));
        let ban = (network.clone(), source, time.clone(), time.clone(), 1u32..3).prop_map(
            |(network, source, added, expires, offences)| {
                let reason = String::new();
                let extended_request_info = None;
                BlacklistEntry { network, reason, source, added, expires, offences, extended_request_info }
            },
        );
        let keyword = prop::sample::select(vec!["a", "b"]).prop_map(String::from);
        let learned = prop::sample::select(vec![KeywordSource::Manual, KeywordSource::Learned]);
        let list = prop::sample::select(vec![ListName::Whitelist, ListName::Blacklist, ListName::Keywords]);
        prop_oneof![
            2 => (network.clone(), "[ab]", time.clone()).prop_map(|(network, reason, added)| {
                ListChange::AddWhitelist(WhitelistEntry { network, reason, added })
            }),
            2 => network.clone().prop_map(ListChange::RemoveWhitelist),
            6 => ban.prop_map(ListChange::AddBlacklist),
            2 => network.prop_map(ListChange::RemoveBlacklist),
            1 => (0i64..4).prop_map(|time| ListChange::RemoveEndedBans(at(time))),
            3 => (keyword.clone(), 0u64..3, learned, time).prop_map(|(keyword, count, source, added)| {
                ListChange::AddKeyword(KeywordEntry { keyword, count, source, added })
            }),
            1 => keyword.prop_map(ListChange::RemoveKeyword),
            1 => list.prop_map(ListChange::Clear),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_model(
            batches in prop::collection::vec(prop::collection::vec(any_change(), 0..24), 1..4)
        ) {
            let (mut lists, mut expected) = (Lists::default(), Lists::default());
            for batch in batches {
                let changed = lists.apply(&batch);
                let model: Vec<bool> = batch.iter().map(|change| model(&mut expected, change)).collect();
                prop_assert_eq!(changed, model);
                prop_assert_eq!(&lists, &expected);
            }
        }
    }
}
