//! Between the engine, which can't wait, and the store, which takes its time: write-behind and change detection.

mod queue;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use aiwaf_core::{BlacklistEntry, ChangeSink, ListChange, Lists, Timestamp};
use parking_lot::{Condvar, Mutex};

use self::queue::Queue;
use self::worker::Worker;
use crate::error::StoreError;
use crate::store::{RowProblem, Store};

/// Keeps an engine's lists and their home in step, on a thread of its own.
///
/// - **Changes** go into a bounded queue and are stored in batches soon after. [`ChangeSink::submit`] waits for no
///   disk. If the queue is full, automatic bans and learned keywords are dropped first, and counted.
/// - **What others change**, by hand, by command or in another process, is noticed within
///   [`KeeperOptions::poll_interval`] and published.
/// - **If the store fails**, nothing is lost and nobody is let in: the last lists stay in force, changes wait, and are
///   stored when the store is back. One event tells that it failed, one that it is back. If only some lists can't be
///   read, as with a broken first line of one CSV file, that list stays as it was and the others go on; if it is the
///   blacklist, all do, for only the engine remembers it.
/// - **If another process keeps it locked**, changes wait too, and what others change is still published; it counts as
///   failed after 5 s.
/// - **Bans that ended** are removed from the store after [`KeeperOptions::keep_ended_bans`].
/// - Under load the thread rests four times as long as the last batch took, a poll interval at most, so that an attack
///   on long lists costs no more than a fifth of a processor.
///
/// Dropping it stores what waits, as [`ListKeeper::shutdown`] does.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use aiwaf_core::{BlacklistEntry, ChangeSink, ListChange, Timestamp, parse_network};
/// use aiwaf_storage::{KeeperOptions, ListKeeper, MemoryStore, Store};
///
/// let store = Arc::new(MemoryStore::default());
/// let publish = Box::new(|published: aiwaf_storage::Published| println!("{:?}", published.lists));
/// let report = Box::new(|event| eprintln!("{event}"));
/// let keeper = ListKeeper::start(store.clone(), KeeperOptions::default(), publish, report)?;
/// let ban = BlacklistEntry::manual(parse_network("203.0.113.9")?, "scanner", Timestamp::UNIX_EPOCH);
/// keeper.submit(ListChange::AddBlacklist(ban));
/// keeper.flush(Duration::from_secs(5))?;
/// assert_eq!(store.load()?.lists.blacklist.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ListKeeper {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    stop_patience: Duration,
}

/// How a [`ListKeeper`] works.
#[derive(Clone)]
pub struct KeeperOptions {
    /// How often it looks for changes of others; 10 ms to 1 s, by default 500 ms.
    pub poll_interval: Duration,
    /// For how many networks, words and paths changes may wait, and as many again while a batch is being stored; by
    /// default 65,536. A quarter more is reserved for changes that people make.
    pub capacity: usize,
    /// How long a ban that ended is kept, so that a repeated offence is known as one even after a restart; should be the
    /// engine's [`aiwaf_core::BanSettings::forgive_after`], and is by default a week, as that is.
    pub keep_ended_bans: Duration,
    /// How often bans that ended are looked for; by default 60 s.
    pub sweep_interval: Duration,
    /// How long a stop waits for a store that fails or is locked; by default 5 s. One that does not answer at all is
    /// given up a second later.
    pub stop_patience: Duration,
    /// Whether to start only if the lists can be loaded; by default true. Otherwise a store that fails at the start is
    /// treated like one that fails later: it is reported, and its lists are in force as soon as it works. If only some
    /// lists can't be read, the others are in force.
    pub must_load: bool,
    /// Gets bans that were added while nothing else changed, where the store can tell that
    /// ([`Store::additions_since`]): then one ban more on a long list costs next to nothing. Called by one thread at a
    /// time, as what publishes all lists. By default `None`: all lists are loaded and published with every change.
    pub publish_additions: Option<Arc<dyn Fn(PublishedAdditions) + Send + Sync>>,
    /// What time it is; by default [`system_clock`].
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

impl Default for KeeperOptions {
    fn default() -> Self {
        Self {
            poll_interval: Duration::from_millis(500),
            capacity: 65_536,
            keep_ended_bans: Duration::from_hours(7 * 24),
            sweep_interval: Duration::from_mins(1),
            stop_patience: Duration::from_secs(5),
            must_load: true,
            publish_additions: None,
            clock: Arc::new(system_clock),
        }
    }
}

impl fmt::Debug for KeeperOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeeperOptions")
            .field("poll_interval", &self.poll_interval)
            .field("capacity", &self.capacity)
            .field("keep_ended_bans", &self.keep_ended_bans)
            .field("sweep_interval", &self.sweep_interval)
            .field("stop_patience", &self.stop_patience)
            .field("must_load", &self.must_load)
            .finish_non_exhaustive()
    }
}

/// The time of the machine.
pub fn system_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::UNIX_EPOCH + since
}

/// How much longer than [`KeeperOptions::stop_patience`] a stop waits for a call of the store to return.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// The moment after `wait`; a wait without end is a year.
fn later(wait: Duration) -> Instant {
    Instant::now() + wait.min(Duration::from_hours(24 * 365))
}

/// Lists that are in force from now on.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// All lists, as the store holds them.
    pub lists: Lists,
    /// They hold all changes up to this number, which [`ChangeSink::submit`] returned.
    pub through: u64,
}

/// Bans that are in force from now on, beside the lists that were published before.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedAdditions {
    /// The bans; some of them may have been published already.
    pub bans: Vec<BlacklistEntry>,
    /// With them, the lists hold all changes up to this number, which [`ChangeSink::submit`] returned.
    pub through: u64,
}

/// What operators should know about the store.
///
/// A program with metrics of its own counts them where it hears of them, in the `report` of [`ListKeeper::start`]; one
/// that is asked for its metrics reads [`ListKeeper::failure`], [`ListKeeper::times_lost`] and [`ListKeeper::shed`].
///
/// ```
/// use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
/// use aiwaf_storage::StoreEvent;
///
/// static STORE_IS_LOST: AtomicBool = AtomicBool::new(false);
/// static CHANGES_SHED: AtomicU64 = AtomicU64::new(0);
///
/// let report = |event: StoreEvent| match event {
///     StoreEvent::Lost { .. } => STORE_IS_LOST.store(true, Ordering::Relaxed),
///     StoreEvent::Back => STORE_IS_LOST.store(false, Ordering::Relaxed),
///     StoreEvent::Shed { changes } => drop(CHANGES_SHED.fetch_add(changes, Ordering::Relaxed)),
///     other => eprintln!("{other}"),
/// };
/// report(StoreEvent::Shed { changes: 3 });
/// assert_eq!(CHANGES_SHED.load(Ordering::Relaxed), 3);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreEvent {
    /// The store can't be read or written; said once, until it is back.
    #[error("the lists' store fails, so the last lists stay in force and changes wait: {error}")]
    Lost {
        /// Why, and how to mend it.
        error: String,
    },
    /// The store can be read and written again, and nothing waits any more.
    #[error("the lists' store works again")]
    Back,
    /// Rows that can't be understood; said again only if they change.
    #[error("{} rows of the lists can't be understood: {}", .problems.len() + .more, describe(.problems, *.more))]
    Problems {
        /// The rows.
        problems: Vec<RowProblem>,
        /// How many more there are.
        more: usize,
    },
    /// Changes were dropped because too many waited; said once a minute at most.
    #[error("{changes} changes of the lists were dropped because too many were waiting")]
    Shed {
        /// How many, since the last such event.
        changes: u64,
    },
    /// The keeper had to stop before everything was stored.
    #[error("{changes} changes of the lists could not be stored before the stop: {error}")]
    Unwritten {
        /// How many.
        changes: usize,
        /// Why.
        error: String,
    },
}

/// The first rows, and how many more there are.
fn describe(problems: &[RowProblem], more: usize) -> String {
    let mut parts: Vec<String> = problems.iter().take(DESCRIBED).map(ToString::to_string).collect();
    let rest = problems.len().saturating_sub(DESCRIBED) + more;
    if rest > 0 {
        parts.push(format!("and {rest} more"));
    }
    parts.join("; ")
}

/// How many rows that can't be understood an event names.
const DESCRIBED: usize = 5;

/// Changes that are not stored yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{waiting} changes of the lists are not stored yet: {error}")]
pub struct NotStored {
    /// How many.
    pub waiting: u64,
    /// Why, and how to mend it.
    pub error: String,
}

/// What the keeper and its thread share.
struct Shared {
    state: Mutex<State>,
    /// The thread has something to do.
    work: Condvar,
    /// The thread has done something.
    progress: Condvar,
}

struct State {
    queue: Queue,
    /// Somebody waits for the next batch.
    hurry: bool,
    /// Until when to try to store the rest; set once, to stop.
    stop_by: Option<Instant>,
    stopped: bool,
    /// The number up to which changes are published.
    published: u64,
    /// Why the store fails, if it does.
    failure: Option<String>,
    times_lost: u64,
}

impl ListKeeper {
    /// Loads and publishes the lists, on this thread, then starts the thread.
    ///
    /// `publish` gets the lists whenever they changed, `report` what operators should know; both are called by one
    /// thread at a time, and what they hold up waits.
    ///
    /// # Errors
    /// [`StoreError`] if the lists can't be loaded, unless [`KeeperOptions::must_load`] says otherwise: a service that
    /// starts without them lets everybody in.
    pub fn start(
        store: Arc<dyn Store>,
        options: KeeperOptions,
        publish: Box<dyn Fn(Published) + Send>,
        report: Box<dyn Fn(StoreEvent) + Send>,
    ) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                queue: Queue::new(options.capacity),
                hurry: false,
                stop_by: None,
                stopped: false,
                published: 0,
                failure: None,
                times_lost: 0,
            }),
            work: Condvar::new(),
            progress: Condvar::new(),
        });
        let stop_patience = options.stop_patience;
        let place = store.location().map_or_else(|| store.mode().to_owned(), |(_, place)| place);
        let mut worker = Worker::new(Arc::clone(&shared), store, options, publish, report);
        worker.start()?;
        let thread = std::thread::Builder::new().name("aiwaf-lists".to_owned()).spawn(move || worker.run());
        let thread = thread.map_err(StoreError::io("starting the thread for", place.as_ref()))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)), stop_patience })
    }

    /// The number of the last change that was taken.
    pub fn submitted(&self) -> u64 {
        self.shared.state.lock().queue.last()
    }

    /// The number up to which changes are stored and published.
    pub fn published(&self) -> u64 {
        self.shared.state.lock().published
    }

    /// How many changes were dropped because too many were waiting.
    pub fn shed(&self) -> u64 {
        self.shared.state.lock().queue.shed()
    }

    /// How often the store was lost since the start, which it may be at the moment ([`ListKeeper::failure`]).
    pub fn times_lost(&self) -> u64 {
        self.shared.state.lock().times_lost
    }

    /// Why the store fails, if it does.
    pub fn failure(&self) -> Option<String> {
        self.shared.state.lock().failure.clone()
    }

    /// Waits until everything submitted so far is stored and published.
    ///
    /// # Errors
    /// [`NotStored`] if that takes longer than `timeout`.
    pub fn flush(&self, timeout: Duration) -> Result<(), NotStored> {
        let until = later(timeout);
        let mut state = self.shared.state.lock();
        let target = state.queue.last();
        state.hurry = true;
        self.shared.work.notify_all();
        while state.published < target {
            if state.stopped || self.shared.progress.wait_until(&mut state, until).timed_out() {
                let waiting = target.saturating_sub(state.published);
                if waiting == 0 {
                    break;
                }
                let error =
                    state.failure.clone().unwrap_or_else(|| "the store is slow; wait longer".to_owned());
                return Err(NotStored { waiting, error });
            }
        }
        Ok(())
    }

    /// Stores everything that waits and ends the thread; later changes are dropped. Safe to call twice.
    ///
    /// # Errors
    /// [`NotStored`] if the store failed for longer than [`KeeperOptions::stop_patience`].
    pub fn shutdown(&self) -> Result<(), NotStored> {
        let thread = self.thread.lock().take();
        let mut state = self.shared.state.lock();
        let stop_by = *state.stop_by.get_or_insert(later(self.stop_patience));
        self.shared.work.notify_all();
        // A callback that owns the keeper may drop it on the keeper's own thread, which can't wait for itself.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != std::thread::current().id()) {
            while !state.stopped {
                // A store that does not even answer is left to itself.
                if self.shared.progress.wait_until(&mut state, stop_by + STOP_GRACE).timed_out() {
                    break;
                }
            }
            let has_stopped = state.stopped;
            drop(state);
            let error = if has_stopped {
                thread.join().is_err().then_some("the thread of the lists ended by a panic in a callback")
            } else {
                Some("the store does not answer: look what keeps it busy")
            };
            if let Some(error) = error {
                self.shared.state.lock().failure = Some(error.to_owned());
            }
        } else {
            drop(state);
        }
        let state = self.shared.state.lock();
        let waiting = state.queue.last().saturating_sub(state.published);
        if waiting == 0 {
            return Ok(());
        }
        Err(NotStored { waiting, error: state.failure.clone().unwrap_or_default() })
    }
}

impl ChangeSink for ListKeeper {
    fn submit(&self, change: ListChange) -> u64 {
        let mut state = self.shared.state.lock();
        if state.stopped || state.stop_by.is_some() {
            return state.queue.refuse();
        }
        let number = state.queue.push(&change);
        drop(state);
        self.shared.work.notify_one();
        number
    }
}

impl Drop for ListKeeper {
    fn drop(&mut self) {
        // What could not be stored has been reported.
        self.shutdown().ok();
    }
}

impl fmt::Debug for ListKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.state.lock();
        f.debug_struct("ListKeeper")
            .field("submitted", &state.queue.last())
            .field("published", &state.published)
            .field("failure", &state.failure)
            .finish_non_exhaustive()
    }
}
