//! Who may never be banned.

use aiwaf_core::{BlacklistEntry, Lists};
use ipnet::IpNet;

/// The networks of the whitelist.
pub(crate) struct Whitelist(Vec<IpNet>);

impl Whitelist {
    pub(crate) fn new(lists: &Lists) -> Self {
        Self(IpNet::aggregate(&lists.whitelist.iter().map(|entry| entry.network).collect()))
    }

    /// Whether a network touches the whitelist: a ban of a whole IPv6 network would hit the one client in it that may
    /// pass, as far as people see it.
    pub(crate) fn contains(&self, network: &IpNet) -> bool {
        self.0.iter().any(|allowed| allowed.contains(network) || network.contains(allowed))
    }

    /// The bans of clients that are whitelisted, all of them.
    pub(crate) fn pointless_bans<'l>(&self, lists: &'l Lists) -> Vec<&'l BlacklistEntry> {
        let is_allowed = |ban: &&BlacklistEntry| self.0.iter().any(|allowed| allowed.contains(&ban.network));
        lists.blacklist.iter().filter(is_allowed).collect()
    }
}
