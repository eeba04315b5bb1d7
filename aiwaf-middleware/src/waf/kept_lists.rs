//! The lists of an engine, kept by a store.

use std::fmt::Display;
use std::sync::{Arc, OnceLock, Weak};

use aiwaf_core::{ChangeSink, Engine, ListChange};
use aiwaf_storage::{KeeperOptions, ListKeeper, Published, PublishedAdditions, Store, StoreEvent};

use super::{Clock, Error};
use crate::request_log::{Event, RequestLog};

/// The way from the engine to the keeper of the lists, which can only start when the engine is there.
pub(super) struct KeptLists {
    keeper: OnceLock<(Arc<ListKeeper>, Option<Arc<RequestLog>>)>,
    clock: Clock,
}

impl KeptLists {
    pub(super) fn new(clock: Clock) -> Self {
        Self { keeper: OnceLock::new(), clock }
    }

    /// Loads the lists into the engine and keeps them from now on.
    pub(super) fn start(
        &self,
        store: Arc<dyn Store>,
        engine: &Arc<Engine>,
        log: Option<Arc<RequestLog>>,
        clock: &Clock,
        must_load: bool,
    ) -> Result<Arc<ListKeeper>, Error> {
        // The engine owns the keeper, which must not own the engine.
        let weak: Weak<Engine> = Arc::downgrade(engine);
        let target = Weak::clone(&weak);
        let publish_additions = move |added: PublishedAdditions| {
            if let Some(engine) = target.upgrade() {
                engine.publish_additions(&added.bans, added.through);
            }
        };
        let options = KeeperOptions {
            publish_additions: Some(Arc::new(publish_additions)),
            clock: Arc::clone(clock),
            must_load,
            // As long as a repeated offence counts as one.
            keep_ended_bans: engine.settings().bans.forgive_after,
            ..KeeperOptions::default()
        };
        let publish = Box::new(move |published: Published| {
            if let Some(engine) = weak.upgrade() {
                engine.publish(&published.lists, published.through);
            }
        });
        let (event_log, event_clock) = (log.clone(), Arc::clone(clock));
        let report = Box::new(move |event: StoreEvent| {
            eprintln!("aiwaf: {event}");
            if let Some(log) = &event_log {
                let details: [(_, &dyn Display); 1] = [("message", &event)];
                log.event(event_clock(), &Event::Other { name: store_event_name(&event), details: &details });
            }
        });
        let keeper = Arc::new(ListKeeper::start(store, options, publish, report)?);
        self.keeper.get_or_init(|| (Arc::clone(&keeper), log));
        Ok(keeper)
    }
}

impl ChangeSink for KeptLists {
    fn submit(&self, change: ListChange) -> u64 {
        // Nobody judges requests before the keeper is there.
        let Some((keeper, log)) = self.keeper.get() else { return u64::MAX };
        if let (Some(log), ListChange::AddKeyword(entry)) = (log, &change) {
            let details: [(_, &dyn Display); 2] = [("keyword", &entry.keyword), ("count", &entry.count)];
            log.event((self.clock)(), &Event::Other { name: "keyword_learned", details: &details });
        }
        keeper.submit(change)
    }
}

fn store_event_name(event: &StoreEvent) -> &'static str {
    match event {
        StoreEvent::Lost { .. } => "store_lost",
        StoreEvent::Back => "store_back",
        StoreEvent::Problems { .. } => "list_problems",
        StoreEvent::Shed { .. } => "list_changes_shed",
        StoreEvent::Unwritten { .. } => "list_changes_unwritten",
        _ => "store",
    }
}
