//! The bound on automatic bans: which of them go first.

use std::collections::HashSet;

use super::entry::Lists;
use crate::timestamp::Timestamp;

impl Lists {
    /// Leaves `max` automatic bans, or fewer.
    pub(super) fn evict_automatic_bans(&mut self, max: usize) {
        let mut automatic: Vec<(u32, Timestamp, usize)> = self
            .blacklist
            .iter()
            .enumerate()
            .filter(|(_, ban)| ban.source.is_automatic())
            .map(|(slot, ban)| (ban.offences, ban.expires.unwrap_or(END_OF_TIME), slot))
            .collect();
        if automatic.len() <= max {
            return;
        }
        let surplus = (automatic.len() - max + max / 16).min(automatic.len());
        automatic.sort_unstable();
        let evicted: HashSet<usize> = automatic.iter().take(surplus).map(|&(_, _, slot)| slot).collect();
        let mut slot = 0;
        self.blacklist.retain(|_| {
            slot += 1;
            !evicted.contains(&(slot - 1))
        });
    }
}

/// When a ban without an end expires, for the order.
const END_OF_TIME: Timestamp = Timestamp::from_unix_micros(i64::MAX);

#[cfg(test)]
mod tests {
    use ipnet::IpNet;

    use crate::lists::{BanSource, BlacklistEntry, ListChange, Lists};
    use crate::protection::Protection;
    use crate::timestamp::Timestamp;

    const AUTOMATIC: BanSource = BanSource::Protection(Protection::RateLimit);

    fn net(text: &str) -> IpNet {
        crate::client::parse_network(text).unwrap()
    }

    fn ban(network: &str, source: BanSource, expires: Option<i64>) -> BlacklistEntry {
        let at = |seconds: i64| Timestamp::from_unix_micros(seconds * 1_000_000);
        let expires = expires.map(at);
        BlacklistEntry { source, expires, ..BlacklistEntry::manual(net(network), "x", at(1)) }
    }

    #[test]
    fn automatic_bans_are_capped_and_manual_ones_are_not() {
        let mut lists = Lists::default();
        let address = |number: u32| std::net::Ipv4Addr::from(0x0a00_0000 | number).to_string();
        let manual: Vec<_> = (0..300)
            .map(|number| ListChange::AddBlacklist(ban(&address(number), BanSource::Manual, None)))
            .collect();
        lists.apply_within(&manual, 100);
        let repeated = BlacklistEntry { offences: 2, ..ban(&address(1000), AUTOMATIC, Some(1)) };
        lists.apply_within(&[ListChange::AddBlacklist(repeated)], 100);
        for number in 0..1000u32 {
            let entry = ban(&address(2000 + number), AUTOMATIC, Some(i64::from(number) + 10));
            lists.apply_within(&[ListChange::AddBlacklist(entry)], 100);
            let automatic = lists.blacklist.iter().filter(|ban| ban.source.is_automatic()).count();
            assert!(automatic <= 100, "{number}: {automatic}");
        }
        let has = |number| lists.blacklist.iter().any(|ban| ban.network == net(&address(number)));
        assert!((0..300).all(has), "manual");
        assert!(has(1000), "repeated");
        assert!(!has(2000) && has(2999), "what expires first goes first");
    }

    #[test]
    fn list_over_its_bound_can_be_shrunk() {
        let mut lists = Lists::default();
        let address = |number: u32| std::net::Ipv4Addr::from(0x0a00_0000 | number).to_string();
        lists.blacklist = (0..500).map(|number| ban(&address(number), AUTOMATIC, Some(9))).collect();
        let removal = ListChange::RemoveBlacklist(net(&address(7)));
        assert_eq!(lists.apply_within(&[removal], 100), [true]);
        assert_eq!(lists.blacklist.len(), 499);
        lists.apply_within(&[ListChange::AddBlacklist(ban("192.0.2.1", AUTOMATIC, Some(99)))], 100);
        assert!(lists.blacklist.len() <= 100);
        assert!(lists.blacklist.iter().any(|ban| ban.network == net("192.0.2.1")));
    }
}
