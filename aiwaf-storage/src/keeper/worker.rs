//! The keeper's thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aiwaf_core::{ListChange, ListName, Lists, Timestamp};
use parking_lot::MutexGuard;

use super::{KeeperOptions, Published, PublishedAdditions, Shared, State, StoreEvent, later};
use crate::error::StoreError;
use crate::store::{Additions, Revision, RowProblem, Store};

/// So many bans, or an eighth of the blacklist, are published one by one before it is published as a whole again: each
/// publication costs time in proportion to those before it.
const MIN_ADDITIONS: usize = 10_000;
/// How long one try to store a batch waits for other writers, so that lists are published and a stop ends meanwhile.
const PATIENCE: Duration = Duration::from_millis(200);
/// For how long others may be at work before the store counts as failing.
const LONGEST_LOCK: Duration = Duration::from_secs(5);
/// How often a store that tells of changes is looked at. A thread that sleeps until the server speaks would need the
/// socket, which diesel does not hand out.
const GLANCE: Duration = Duration::from_millis(25);
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
    /// Why some of the lists could not be read, if so.
    unreadable: Option<String>,
    /// All lists as they were published last, without the blacklist.
    small_lists: Lists,
    /// Whether the blacklist has been published, which must not be lost again.
    has_blacklist: bool,
    /// How many bans may still be added before all lists are published again.
    additions_left: usize,
    problems: (Vec<RowProblem>, usize),
    /// When the first of the published bans ends.
    first_end: Option<Timestamp>,
    /// Since when others have kept the store locked.
    locked_since: Option<Instant>,
    /// Until when the thread rests, even if it is told of a change.
    rested: Instant,
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

    fn failed(&mut self, error: String) {
        self.next = Instant::now() + self.back_off;
        self.back_off = (self.back_off * 2).min(LONGEST_BACK_OFF);
        self.failure = Some(error);
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

/// Makes both lists the old one, or both the new one.
fn carry<T: Clone>(is_lost: bool, old: &mut Vec<T>, new: &mut Vec<T>) {
    if is_lost {
        new.clone_from(old);
    } else {
        old.clone_from(new);
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
            unreadable: None,
            small_lists: Lists::default(),
            has_blacklist: false,
            additions_left: 0,
            problems: (Vec::new(), 0),
            first_end: None,
            locked_since: None,
            rested: Instant::now(),
            write: Schedule::new(),
            read: Schedule::new(),
            next_sweep: Instant::now(),
            shed: 0,
            next_shed_report: Instant::now(),
        }
    }

    /// Loads and publishes the lists for the first time.
    pub(super) fn start(&mut self) -> Result<(), StoreError> {
        let error = match self.load() {
            Ok(None) => return Ok(()),
            Ok(Some(error)) => error,
            Err(error) if self.options.must_load => return Err(error),
            Err(error) => error.to_string(),
        };
        self.read.failed(error.clone());
        {
            let mut state = self.shared.state.lock();
            state.failure = Some(error.clone());
            state.times_lost += 1;
        }
        (self.report)(StoreEvent::Lost { error });
        Ok(())
    }

    /// Loads and publishes the lists if they may have changed, or if what is stored is not published; says why some of
    /// them could not be read.
    fn load(&mut self) -> Result<Option<String>, StoreError> {
        // Before the lists are read: a change in between is found by the next poll.
        let revision = self.store.revision()?;
        if self.revision.as_ref() == Some(&revision) && self.published == self.stored {
            return Ok(self.unreadable.clone());
        }
        if self.unreadable.is_none() && self.load_additions()? {
            return Ok(None);
        }
        let (mut loaded, failures) = self.store.load_readable()?;
        let failed: Vec<ListName> = failures.iter().map(|failure| failure.list).collect();
        let is_blacklist_lost = failed.contains(&ListName::Blacklist);
        let must_load = self.options.must_load && self.revision.is_none();
        self.unreadable = None;
        for failure in failures {
            if must_load || (is_blacklist_lost && self.has_blacklist) {
                return Err(failure.error);
            }
            self.unreadable.get_or_insert(failure.error.to_string());
        }
        self.keep(&failed, &mut loaded.lists);
        self.has_blacklist = !is_blacklist_lost;
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
        Ok(self.unreadable.clone())
    }

    /// Takes what could not be read from the lists before, and remembers these, but for the blacklist, which can be long.
    fn keep(&mut self, failed: &[ListName], lists: &mut Lists) {
        let old = &mut self.small_lists;
        for list in ListName::ALL {
            let is_lost = failed.contains(&list);
            match list {
                ListName::Blacklist => {}
                ListName::Whitelist => carry(is_lost, &mut old.whitelist, &mut lists.whitelist),
                ListName::Keywords => carry(is_lost, &mut old.keywords, &mut lists.keywords),
                ListName::GeoBlockedCountries => {
                    carry(is_lost, &mut old.geo_blocked_countries, &mut lists.geo_blocked_countries);
                }
                ListName::PathExemptions => {
                    carry(is_lost, &mut old.path_exemptions, &mut lists.path_exemptions);
                }
            }
        }
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
            // Without the lock, for a change must not wait for this.
            let is_idle = self.read.failure.is_none() && self.write.failure.is_none();
            let glance =
                if is_idle { MutexGuard::unlocked(&mut state, || self.store.was_told()) } else { None };
            if glance == Some(true) && now >= self.rested {
                return Some(self.take(&mut state, false));
            }
            let glance = glance.map_or(next, |_| next.min(now + GLANCE));
            shared.work.wait_until(&mut state, glance);
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
            Ok(None) => self.read.succeeded(self.options.poll_interval),
            Ok(Some(error)) => {
                // The others go on as ever.
                self.read.succeeded(self.options.poll_interval);
                self.read.failure = Some(error);
            }
            Err(error) => self.read.failed(error.to_string()),
        }
        let rest = (start.elapsed() * 4).min(self.options.poll_interval);
        self.rested = Instant::now() + rest;
        if self.write.failure.is_none() {
            self.write.succeeded(rest);
        }
        let failure = self.write.failure.clone().or_else(|| self.read.failure.clone());
        let shed = {
            let mut state = self.shared.state.lock();
            state.published = self.published;
            state.failure.clone_from(&failure);
            state.times_lost += u64::from(failure.is_some() && !was_lost);
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
        match self.store.apply_soon(&self.batch, PATIENCE) {
            Ok(_) => {
                self.batch.clear();
                self.stored = self.batch_through;
                self.write.failure = None;
                self.locked_since = None;
            }
            // Others are at work; that is no failure yet, and changes may wait.
            Err(StoreError::Locked { .. })
                if self.write.failure.is_none()
                    && self.locked_since.get_or_insert_with(Instant::now).elapsed() < LONGEST_LOCK => {}
            Err(error) => self.write.failed(error.to_string()),
        }
    }
}
