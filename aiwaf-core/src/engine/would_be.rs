//! What would have happened if the protections in monitor mode had been in force.

use crate::bans::{BanSettings, Bans, EarlierBan};
use crate::client::ClientKey;
use crate::lists::BanRecord;
use crate::request::Request;
use crate::state::{BoundedMap, hash_text};
use crate::timestamp::Timestamp;
use crate::verdict::Finding;

/// Remembers what monitored protections would have done, so that their counts are those of enforcing: whom they would
/// have banned, and which requests would not have reached the service. Nothing of it touches a real ban.
pub(super) struct WouldBe {
    bans: Bans,
    banned: BoundedMap<ClientKey, BanRecord>,
    /// Requests that are being answered although they would have been denied.
    denied: BoundedMap<(ClientKey, Timestamp, u64), ()>,
}

const MAX_BANNED: usize = 100_000;

/// As many as may be in the service at the same time; those that are never observed are pushed out.
const MAX_DENIED: usize = 16_384;

impl WouldBe {
    pub(super) fn new(settings: BanSettings, ipv6_prefix: u8) -> Self {
        Self {
            bans: Bans::new(settings, ipv6_prefix),
            banned: BoundedMap::new(MAX_BANNED),
            denied: BoundedMap::new(MAX_DENIED),
        }
    }

    /// Counts a hit, and bans the client if it is enough of them. `listed` is its real ban.
    pub(super) fn register(
        &self,
        client: ClientKey,
        finding: &Finding,
        ban_after: u32,
        time: Timestamp,
        listed: Option<EarlierBan>,
    ) {
        let would_be = self.banned.get(&client, |ban| EarlierBan::from(&*ban));
        let earlier = [listed, would_be].into_iter().flatten().max_by_key(|ban| ban.end);
        if let Some(entry) = self.bans.register(client, finding, ban_after, time, earlier) {
            let ban = BanRecord::new(&entry, entry.reason.as_str().into());
            self.banned.update(client, || ban.clone(), |known| *known = ban.clone());
        }
    }

    /// Why the client would be banned now; `None` if it would not.
    pub(super) fn banned(&self, client: ClientKey, time: Timestamp) -> Option<Box<str>> {
        self.banned.get(&client, |ban| ban.is_active(time).then(|| Box::from(&*ban.reason))).flatten()
    }

    /// Notes a request that passes only because protections merely watch.
    pub(super) fn deny(&self, request: &Request<'_>, client: ClientKey) {
        self.denied.update(key(request, client), || (), |()| ());
    }

    /// Whether the request was noted as such; forgets it.
    pub(super) fn was_denied(&self, request: &Request<'_>, client: ClientKey) -> bool {
        let key = key(request, client);
        let denied = self.denied.get(&key, |()| ()).is_some();
        if denied {
            self.denied.remove(&key);
        }
        denied
    }
}

fn key(request: &Request<'_>, client: ClientKey) -> (ClientKey, Timestamp, u64) {
    (client, request.time, hash_text(request.path))
}
