//! The bans without the whitelisted clients among them, for programs that know no whitelist.

use aiwaf_core::{BlacklistEntry, Lists, Timestamp};
use ipnet::IpNet;

/// The bans in force at `time`, each with the networks that are left of it when the whitelist is cut out.
///
/// Costs a binary search for each ban, and up to 128 networks for each whitelisted network inside of one.
pub(super) fn remaining_bans(
    lists: &Lists,
    time: Timestamp,
) -> impl Iterator<Item = (&BlacklistEntry, Vec<IpNet>)> {
    let networks: Vec<IpNet> = lists.whitelist.iter().map(|entry| entry.network).collect();
    // Disjoint, and in ascending order, IPv4 first.
    let mut whitelist = IpNet::aggregate(&networks);
    whitelist.sort_unstable();
    let bans = lists.blacklist.iter().filter(move |ban| ban.is_active(time));
    bans.map(move |ban| {
        let mut left = Vec::with_capacity(1);
        cut(ban.network, &whitelist, &mut left);
        (ban, left)
    })
}

fn cut(network: IpNet, whitelist: &[IpNet], left: &mut Vec<IpNet>) {
    let (first, last) = (network.network(), network.broadcast());
    let from = whitelist.partition_point(|entry| entry.broadcast() < first);
    let to = whitelist.partition_point(|entry| entry.network() <= last);
    let inside = whitelist.get(from..to).unwrap_or_default();
    if inside.is_empty() {
        // No set takes a network of every client: two halves are as good.
        if network.prefix_len() == 0 { halves(network, inside, left) } else { left.push(network) }
    } else if !inside.iter().any(|entry| entry.contains(&network)) {
        halves(network, inside, left);
    }
}

fn halves(network: IpNet, whitelist: &[IpNet], left: &mut Vec<IpNet>) {
    // A single address has no halves, and is whitelisted or not.
    if let Ok(halves) = network.subnets(network.prefix_len() + 1) {
        halves.for_each(|half| cut(half, whitelist, left));
    }
}

#[cfg(test)]
mod tests {
    use aiwaf_core::{WhitelistEntry, parse_network};
    use proptest::prelude::*;

    use super::*;

    fn left(ban: IpNet, whitelist: &[IpNet]) -> Vec<IpNet> {
        let entry = |network| WhitelistEntry { network, reason: String::new(), added: None };
        let lists = Lists {
            whitelist: whitelist.iter().copied().map(entry).collect(),
            blacklist: vec![BlacklistEntry::manual(ban, "", Timestamp::UNIX_EPOCH)],
            ..Lists::default()
        };
        remaining_bans(&lists, Timestamp::UNIX_EPOCH).flat_map(|(_, left)| left).collect()
    }

    fn net(text: &str) -> IpNet {
        parse_network(text).unwrap()
    }

    #[test]
    fn whitelisted_clients_are_cut_out() {
        let texts = |networks: Vec<IpNet>| networks.iter().map(IpNet::to_string).collect::<Vec<_>>();
        assert_eq!(texts(left(net("10.0.0.0/30"), &[net("10.0.0.1")])), ["10.0.0.0/32", "10.0.0.2/31"]);
        assert_eq!(texts(left(net("10.0.0.1"), &[net("10.0.0.0/8")])), [""; 0]);
        assert_eq!(texts(left(net("::/0"), &[net("10.0.0.0/8")])), ["::/1", "8000::/1"]);
    }

    proptest! {
        #[test]
        fn a_client_is_left_unless_it_is_whitelisted(
            ban in (0u32..16, 26u8..=32),
            whitelist in prop::collection::vec((0u32..64, 24u8..=32), 0..6),
        ) {
            let network = |(low, length): (u32, u8)| {
                IpNet::new(std::net::Ipv4Addr::from(0x0A00_0000 + low).into(), length).unwrap().trunc()
            };
            let (ban, whitelist) = (network(ban), whitelist.into_iter().map(network).collect::<Vec<_>>());
            let left = left(ban, &whitelist);
            for low in 0..64u32 {
                let client = std::net::IpAddr::from(std::net::Ipv4Addr::from(0x0A00_0000 + low));
                let is_left = left.iter().filter(|network| network.contains(&client)).count();
                let expected = ban.contains(&client) && !whitelist.iter().any(|entry| entry.contains(&client));
                prop_assert_eq!(is_left, usize::from(expected));
            }
        }
    }
}
