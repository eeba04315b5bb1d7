//! The keeper's thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aiwaf_core::{ListChange, Timestamp};
use parking_lot::MutexGuard;

use super::{KeeperOptions, Published, PublishedAdditions, Shared, State, StoreEvent, later};
use crate::error::StoreError;
use crate::store::{Additions, Revision, RowProblem, Store};

/// So many bans, or an eighth of the blacklist, are published one by one before it is published as a whole again: each
/// publication costs time in proportion to those before it.
const MIN_ADDITIONS: usize = 10_000;
const FIRST_BACK_OFF: Duration = Duration::from_millis(100);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(5);

pub(super) struct Worker {
    shared: Arc<Shared>,
    store: Arc<dyn Store>,
    options: KeeperOptions,
    publish: Box<dyn Fn(Published) + Send>,
    report: Box<dyn Fn(StoreEvent) + Send>,
    /// What is being stored; kept until it is.
    batch: Vec<ListChange>,
    /// The number of the last change in the batch, and in the store.
    batch_through: u64,
    stored: u64,
    published: u64,
    revision: Option<Revision>,
    /// How many bans may still be added before all lists are published again.
    additions_left: usize,
    problems: (Vec<RowProblem>, usize),
    /// When the first of the published bans ends.
    first_end: Option<Timestamp>,
    write: Schedule,
    read: Schedule,
    next_sweep: Instant,
    shed: u64,
    next_shed_report: Instant,
}

/// When something is tried next, and why it failed the last time.
struct Schedule {
    next: Instant,
    back_off: Duration,
    failure: Option<String>,
}

impl Schedule {
    fn new() -> Self {
        Self { next: Instant::now(), back_off: FIRST_BACK_OFF, failure: None }
    }

    fn succeeded(&mut self, rest: Duration) {
        *self = Self { next: Instant::now() + rest, back_off: FIRST_BACK_OFF, failure: None };
    }

    fn failed(&mut self, error: &StoreError) {
        self.next = Instant::now() + self.back_off;
        self.back_off = (self.back_off * 2).min(LONGEST_BACK_OFF);
        self.failure = Some(error.to_string());
    }
}

/// Tells those who wait when the thread ends, even by a panic of a callback.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.state.lock().stopped = true;
        self.0.progress.notify_all();
    }
}

impl Worker {
    pub(super) fn new(
        shared: Arc<Shared>,
        store: Arc<dyn Store>,
        options: KeeperOptions,
        publish: Box<dyn Fn(Published) + Send>,
        report: Box<dyn Fn(StoreEvent) + Send>,
    ) -> Self {
        let poll_interval = options.poll_interval.clamp(Duration::from_millis(10), Duration::from_secs(1));
        Self {
            shared,
            store,
            options: KeeperOptions { poll_interval, ..options },
            publish,
            report,
            batch: Vec::new(),
            batch_through: 0,
            stored: 0,
            published: 0,
            revision: None,
            additions_left: 0,
            problems: (Vec::new(), 0),
            first_end: None,
            write: Schedule::new(),
            read: Schedule::new(),
            next_sweep: Instant::now(),
            shed: 0,
            next_shed_report: Instant::now(),
        }
    }

    /// Loads and publishes the lists for the first time.
    pub(super) fn start(&mut self) -> Result<(), StoreError> {
        match self.load() {
            Err(error) if !self.options.must_load => {
                self.read.failed(&error);
                let error = error.to_string();
                self.shared.state.lock().failure = Some(error.clone());
                (self.report)(StoreEvent::Lost { error });
                Ok(())
            }
            loaded => loaded,
        }
    }

    /// Loads and publishes the lists if they may have changed, or if what is stored is not published.
    pub(super) fn load(&mut self) -> Result<(), StoreError> {
        // Before the lists are read: a change in between is found by the next poll.
        let revision = self.store.revision()?;
        if self.revision.as_ref() == Some(&revision) && self.published == self.stored {
            return Ok(());
        }
        if self.load_additions()? {
            return Ok(());
        }
        let loaded = self.store.load()?;
        self.revision = Some(revision);
        self.published = self.stored;
        self.additions_left = MIN_ADDITIONS.max(loaded.lists.blacklist.len() / 8);
        self.first_end = loaded.lists.blacklist.iter().filter_map(|ban| ban.expires).min();
        (self.publish)(Published { lists: loaded.lists, through: self.stored });
        let problems = (loaded.problems, loaded.more_problems);
        if self.problems != problems {
            self.problems.clone_from(&problems);
            if !problems.0.is_empty() {
                (self.report)(StoreEvent::Problems { problems: problems.0, more: problems.1 });
            }
        }
        Ok(())
    }

    /// Publishes what was added, if that is all that changed.
    fn load_additions(&mut self) -> Result<bool, StoreError> {
        let (Some(publish), Some(known)) = (&self.options.publish_additions, &self.revision) else {
            return Ok(false);
        };
        let Some(Additions { bans, revision }) = self.store.additions_since(known)? else { return Ok(false) };
        let Some(left) = self.additions_left.checked_sub(bans.len()) else { return Ok(false) };
        self.additions_left = left;
        self.revision = Some(revision);
        self.published = self.stored;
        self.first_end = bans.iter().filter_map(|ban| ban.expires).chain(self.first_end).min();
        publish(PublishedAdditions { bans, through: self.stored });
        Ok(true)
    }

    pub(super) fn run(mut self) {
        let ending = Ending(Arc::clone(&self.shared));
        while let Some(hurry) = self.wait() {
            self.work(hurry);
        }
        let rest = self.batch.len() + self.shared.state.lock().queue.len();
        if rest > 0 {
            let error = self.write.failure.take().unwrap_or_default();
            (self.report)(StoreEvent::Unwritten { changes: rest, error });
        }
        drop(ending);
    }

    /// Waits until there is something to do, and takes what waits; `None` is the end.
    fn wait(&mut self) -> Option<bool> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state.lock();
        loop {
            let now = Instant::now();
            let has_work = !self.batch.is_empty() || state.queue.len() > 0;
            let next = if has_work { self.read.next.min(self.write.next) } else { self.read.next };
            if let Some(stop_by) = state.stop_by {
                let is_done = !has_work && self.published == state.queue.last();
                if is_done || now >= stop_by {
                    return None;
                }
                // A store that works gets everything at once; one that fails is asked now and then.
                if self.write.failure.is_none() && self.read.failure.is_none() {
                    return Some(self.take(&mut state, true));
                }
                if now >= next {
                    return Some(self.take(&mut state, false));
                }
                shared.work.wait_until(&mut state, next.min(stop_by));
                continue;
            }
            if state.hurry || now >= next {
                let hurry = std::mem::take(&mut state.hurry);
                return Some(self.take(&mut state, hurry));
            }
            shared.work.wait_until(&mut state, next);
        }
    }

    fn take(&mut self, state: &mut MutexGuard<'_, State>, hurry: bool) -> bool {
        if self.batch.is_empty() && (hurry || Instant::now() >= self.write.next) {
            self.batch_through = state.queue.last();
            self.batch = state.queue.drain();
        }
        hurry
    }

    fn work(&mut self, hurry: bool) {
        let start = Instant::now();
        let was_lost = self.write.failure.is_some() || self.read.failure.is_some();
        if hurry || start >= self.write.next {
            self.sweep();
            self.store_batch();
        }
        match self.load() {
            Ok(()) => self.read.succeeded(self.options.poll_interval),
            Err(error) => self.read.failed(&error),
        }
        if self.write.failure.is_none() {
            let rest = start.elapsed() * 4;
            self.write.succeeded(rest.min(self.options.poll_interval));
        }
        let failure = self.write.failure.clone().or_else(|| self.read.failure.clone());
        let shed = {
            let mut state = self.shared.state.lock();
            state.published = self.published;
            state.failure.clone_from(&failure);
            state.queue.shed()
        };
        self.shared.progress.notify_all();
        match failure {
            Some(error) if !was_lost => (self.report)(StoreEvent::Lost { error }),
            None if was_lost => (self.report)(StoreEvent::Back),
            _ => {}
        }
        // Under attack this would be news with every batch.
        if shed > self.shed && start >= self.next_shed_report {
            (self.report)(StoreEvent::Shed { changes: shed - self.shed });
            self.shed = shed;
            self.next_shed_report = later(Duration::from_mins(1));
        }
    }

    /// Adds the removal of bans that ended to the batch, if there are any and it is time.
    fn sweep(&mut self) {
        if Instant::now() < self.next_sweep || self.write.failure.is_some() {
            return;
        }
        let time = (self.options.clock)() - self.options.keep_ended_bans;
        if self.first_end.is_some_and(|end| end <= time) {
            self.batch.push(ListChange::RemoveEndedBans(time));
        }
        self.next_sweep = later(self.options.sweep_interval);
    }

    fn store_batch(&mut self) {
        if self.batch.is_empty() {
            self.stored = self.stored.max(self.batch_through);
            return;
        }
        match self.store.apply(&self.batch) {
            Ok(_) => {
                self.batch.clear();
                self.stored = self.batch_through;
                self.write.failure = None;
            }
            Err(error) => self.write.failed(&error),
        }
    }
}
