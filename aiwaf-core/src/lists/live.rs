//! The lists in force: the last published snapshot, and the bans that are newer than it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;

use crate::client::ClientKey;
use crate::lists::entry::{BlacklistEntry, ListChange, Lists};
use crate::lists::port::ChangeSink;
use crate::lists::snapshot::{BanRecord, Snapshot, SnapshotSettings};
use crate::state::BoundedMap;
use crate::timestamp::Timestamp;

/// The lists in force.
///
/// A ban is in force at once, in a small map beside the snapshot, and leaves that map when a snapshot that contains
/// it is published.
pub(crate) struct LiveLists {
    snapshot: ArcSwap<Snapshot>,
    settings: SnapshotSettings,
    recent: BoundedMap<ClientKey, RecentBan>,
    /// Spares most requests the look into an empty map.
    any_recent: AtomicBool,
    home: Home,
    /// Maximum number of automatic bans on the lists that are kept here.
    max_automatic: usize,
}

/// Where changes are kept.
enum Home {
    /// Somebody else keeps the lists and publishes what becomes of them.
    Elsewhere(Arc<dyn ChangeSink>),
    /// Nobody does: learned keywords are kept here, bans in the map of recent ones.
    Here(Mutex<Lists>),
}

struct RecentBan {
    record: BanRecord,
    /// The number under which the sink took note of it.
    sequence: u64,
}

/// Bans newer than the snapshot; beyond that the one asked for longest ago is forgotten until it is published.
const MAX_RECENT_BANS: usize = 200_000;

impl LiveLists {
    pub(crate) fn new(
        lists: Lists,
        settings: SnapshotSettings,
        max_automatic: usize,
        sink: Option<Arc<dyn ChangeSink>>,
    ) -> Self {
        Self {
            snapshot: ArcSwap::from_pointee(Snapshot::new(&lists, &settings)),
            settings,
            recent: BoundedMap::new(max_automatic.min(MAX_RECENT_BANS)),
            any_recent: AtomicBool::new(false),
            max_automatic,
            home: sink.map_or_else(|| Home::Here(Mutex::new(lists)), Home::Elsewhere),
        }
    }

    /// The snapshot to judge one request by.
    pub(crate) fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// Puts `lists` in force, which contain all changes that the sink numbered up to `contained`.
    pub(crate) fn publish(&self, lists: &Lists, contained: u64) {
        let snapshot = Arc::new(Snapshot::new(lists, &self.settings));
        match &self.home {
            Home::Elsewhere(_) => self.snapshot.store(snapshot),
            Home::Here(own) => {
                // Under one lock: what is learned meanwhile must be added to these lists, not to the ones before.
                let mut own = own.lock();
                own.clone_from(lists);
                self.snapshot.store(snapshot);
            }
        }
        self.forget_recent(contained);
    }

    /// Puts more bans in force, with which the lists contain all changes that the sink numbered up to `contained`.
    pub(crate) fn publish_additions(&self, bans: &[BlacklistEntry], contained: u64) {
        match &self.home {
            Home::Elsewhere(_) => self.snapshot.store(Arc::new(self.snapshot.load().with(bans))),
            Home::Here(own) => {
                // Under one lock, as above.
                let mut own = own.lock();
                let changes: Vec<_> = bans.iter().cloned().map(ListChange::AddBlacklist).collect();
                own.apply_within(&changes, self.max_automatic);
                self.snapshot.store(Arc::new(self.snapshot.load().with(bans)));
            }
        }
        self.forget_recent(contained);
    }

    /// Forgets the bans that the snapshot contains.
    fn forget_recent(&self, contained: u64) {
        self.recent.retain(|_, ban| ban.sequence > contained);
        if self.recent.len() == 0 {
            self.any_recent.store(false, Ordering::Release);
            // A ban may have come between the two lines; then its own store of `true` follows or is repeated here.
            if self.recent.len() > 0 {
                self.any_recent.store(true, Ordering::Release);
            }
        }
    }

    /// Bans a client, from its next request on.
    pub(crate) fn ban(&self, client: ClientKey, entry: BlacklistEntry) {
        let record = BanRecord::new(&entry, entry.reason.as_str().into());
        self.recent.update(
            client,
            || RecentBan { record: record.clone(), sequence: u64::MAX },
            |ban| {
                *ban = RecentBan { record: record.clone(), sequence: u64::MAX };
            },
        );
        self.any_recent.store(true, Ordering::Release);
        if let Home::Elsewhere(sink) = &self.home {
            let sequence = sink.submit(ListChange::AddBlacklist(entry));
            self.recent.get(&client, |ban| ban.sequence = sequence);
        }
    }

    /// Lifts the bans of clients that are not published yet.
    pub(crate) fn lift_recent(&self, is_lifted: impl Fn(ClientKey) -> bool) {
        self.recent.retain(|client, _| !is_lifted(*client));
    }

    /// The ban of a client that is in force or was in force last, with `look` at it.
    pub(crate) fn find_ban<R>(
        &self,
        snapshot: &Snapshot,
        client: ClientKey,
        address: IpAddr,
        time: Timestamp,
        look: impl Fn(&BanRecord) -> R,
    ) -> Option<R> {
        let published = snapshot.ban(address);
        if let Some(ban) = published
            && ban.is_active(time)
        {
            return Some(look(ban));
        }
        if self.any_recent.load(Ordering::Acquire)
            && let Some(recent) = self.recent.get(&client, |ban| look(&ban.record))
        {
            return Some(recent);
        }
        published.map(look)
    }

    /// Takes note of a learned keyword or another change that is no ban.
    pub(crate) fn record(&self, change: ListChange) {
        match &self.home {
            Home::Elsewhere(sink) => {
                sink.submit(change);
            }
            Home::Here(lists) => {
                let mut lists = lists.lock();
                lists.apply(&[change]);
                self.snapshot.store(Arc::new(Snapshot::new(&lists, &self.settings)));
            }
        }
    }
}
