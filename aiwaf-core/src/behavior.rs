//! What a client did lately.

use std::time::Duration;

use smallvec::SmallVec;

use crate::scanning_paths::is_scanning_path;
use crate::state::{advance, hash_text};
use crate::timestamp::Timestamp;
use crate::verdict::AnomalyEvidence;

/// One request and its answer, as far as behaviour is concerned: from a live request or from a line of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientEvent<'a> {
    /// When the request arrived.
    pub time: Timestamp,
    /// The path in normal form: decoded, without tricks, in lower case.
    pub path: &'a [u8],
    /// The HTTP status of the answer.
    pub status: u16,
    /// From the request's arrival to the answer.
    pub response_time: Duration,
    /// How many different blocked keywords stand in path and query.
    pub keyword_hits: u32,
    /// Whether the site is known to answer this path.
    pub known_path: bool,
    /// Whether a page of the site itself sent the client here: a broken link or image is not the visitor's fault.
    pub from_own_site: bool,
    /// Whether a page embeds it, as an image or a script (`Sec-Fetch-Dest`): then its visitors had no choice. Logs don't
    /// tell; false.
    pub embedded: bool,
}

impl ClientEvent<'_> {
    /// Whether it asked in vain for a path that the site does not know.
    pub fn is_miss(&self) -> bool {
        matches!(self.status, 404 | 410) && !self.known_path
    }

    /// Whether it asked in vain for a path that only scanners ask for. A `Referer` is no excuse, for scanners invent
    /// one; being embedded is, or whoever may post images somewhere could make readers look like scanners.
    pub fn is_scanning(&self) -> bool {
        self.is_miss() && !self.embedded && is_scanning_path(self.path)
    }

    fn is_caused_by_a_page(&self) -> bool {
        self.from_own_site || self.embedded
    }
}

/// The last requests of one client: at most 64 of them, and none older than a window.
///
/// A client seen once takes 64 bytes, a busy one a kilobyte more. [`features`](crate::features) turns it into what the
/// model sees; feed it with the same events, in the order of their time, from requests and from logs.
///
/// ```
/// use std::time::Duration;
/// use aiwaf_core::{ClientEvent, ClientHistory, Timestamp, features};
///
/// let mut history = ClientHistory::new(Duration::from_mins(5));
/// let mut event = ClientEvent {
///     time: Timestamp::from_unix_seconds(1.7e9),
///     path: b"/wp-admin",
///     status: 404,
///     response_time: Duration::from_millis(3),
///     keyword_hits: 1,
///     known_path: false,
///     from_own_site: false,
///     embedded: false,
/// };
/// for _ in 0..3 {
///     let row = features(&event, &history); // first: a row is about what came before
///     history.record(&event);
///     assert_eq!(row.len(), aiwaf_core::FEATURE_COUNT);
///     event.time = event.time + Duration::from_secs(1);
/// }
/// assert_eq!(history.burst(event.time), 3);
/// ```
#[derive(Debug, Clone)]
pub struct ClientHistory {
    /// When the newest event was, in microseconds.
    newest: i64,
    /// In microseconds; an hour fits.
    window: u32,
    events: Events,
}

/// The events in the order of their time, never more than [`ClientHistory::MAX_EVENTS`].
#[derive(Debug, Clone)]
enum Events {
    /// At most one, without memory of its own.
    One(Option<Event>),
    Many(Vec<Event>),
}

impl Events {
    fn as_slice(&self) -> &[Event] {
        match self {
            Self::One(event) => event.as_slice(),
            Self::Many(events) => events,
        }
    }

    fn push(&mut self, event: Event) {
        match self {
            Self::One(empty @ None) => *empty = Some(event),
            Self::One(Some(first)) => {
                let mut events = Vec::with_capacity(4);
                events.extend([*first, event]);
                *self = Self::Many(events);
            }
            Self::Many(events) => events.push(event),
        }
    }

    /// Drops the oldest `count`.
    fn drop_oldest(&mut self, count: usize) {
        match self {
            Self::One(event) => *event = event.filter(|_| count == 0),
            Self::Many(events) if count >= events.len() => *self = Self::One(None),
            Self::Many(events) => drop(events.drain(..count)),
        }
    }
}

/// An event, compact: up to 64 of them for each of many clients.
#[derive(Debug, Clone, Copy)]
struct Event {
    /// The low bits of a count of microseconds; events are less than 2^32 of them apart.
    time: u32,
    path: u32,
    burst: u8,
    keyword_hits: u8,
    flags: u8,
}

impl Event {
    const NOT_FOUND: u8 = 1;
    /// Not found on an unknown path, not caused by a page, and not scanning.
    const PROBE: u8 = 2;
    /// See [`ClientEvent::is_scanning`].
    const SCANNING: u8 = 4;
    /// An answer of 4xx to a request that no page caused, unless the site just lacks an item of a known path.
    const REFUSED: u8 = 8;

    fn is(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

impl ClientHistory {
    /// Most requests that are remembered of a client.
    pub const MAX_EVENTS: usize = 64;

    /// How far back a burst is counted.
    pub const BURST_WINDOW: Duration = Duration::from_secs(10);

    /// The longest window, an hour; a longer one is cut to it.
    pub const MAX_WINDOW: Duration = Duration::from_hours(1);

    /// Nothing yet; what is older than `window` will be forgotten.
    pub fn new(window: Duration) -> Self {
        let window = window.min(Self::MAX_WINDOW).as_micros();
        Self {
            newest: i64::MIN,
            window: u32::try_from(window).unwrap_or(u32::MAX),
            events: Events::One(None),
        }
    }

    /// Appends an event. One with an earlier time than the last (a log is not always in order, a clock may be set
    /// back) counts as simultaneous with it. Constant time; allocates only while the history grows.
    pub fn record(&mut self, event: &ClientEvent<'_>) {
        self.record_hashed(event, hash_text(event.path));
    }

    /// Appends an event whose path has this hash.
    pub(crate) fn record_hashed(&mut self, event: &ClientEvent<'_>, path_hash: u64) {
        let burst = self.burst(event.time);
        let elapsed = advance(&mut self.newest, event.time.as_unix_micros(), OUT_OF_ORDER_MICROS);
        let events = self.events.as_slice();
        let window = u64::from(self.window);
        // The events are in order, and nearly always none has expired.
        let expired = events.iter().take_while(|earlier| self.age(**earlier, elapsed) >= window).count();
        let surplus = usize::from(events.len() - expired >= Self::MAX_EVENTS);
        if expired + surplus > 0 {
            self.events.drop_oldest(expired + surplus);
        }

        // An ordinary answer says nothing about the path.
        if event.status < 400 {
            return self.append(path_hash, burst, elapsed, 0, 0);
        }
        let scanning = event.is_scanning();
        let caused = event.is_caused_by_a_page();
        let not_found = matches!(event.status, 404 | 410);
        let refused = (400..500).contains(&event.status) && !(not_found && event.known_path);
        let mut flags = 0;
        for (flag, is) in [
            (Event::NOT_FOUND, not_found),
            (Event::PROBE, event.is_miss() && !caused && !scanning),
            (Event::SCANNING, scanning),
            (Event::REFUSED, refused && !caused),
        ] {
            flags |= if is { flag } else { 0 };
        }
        // Words in what the site knows are no probing.
        let keyword_hits = if event.known_path { 0 } else { event.keyword_hits };
        self.append(path_hash, burst, elapsed, keyword_hits, flags);
    }

    fn append(&mut self, path_hash: u64, burst: u8, elapsed: u64, keyword_hits: u32, flags: u8) {
        // With nothing before it, any number will do.
        let since_last = u32::try_from(elapsed).unwrap_or(0);
        let last = self.events.as_slice().last();
        let time = last.map_or(0, |last| last.time.wrapping_add(since_last));
        let keyword_hits = u8::try_from(keyword_hits).unwrap_or(u8::MAX);
        self.events.push(Event { time, path: low_bits(path_hash), burst, keyword_hits, flags });
    }

    /// How many requests came in the ten seconds before `time`, at most 64.
    pub fn burst(&self, time: Timestamp) -> u8 {
        let elapsed = self.elapsed(time);
        let events = self.events.as_slice();
        let earlier = events.partition_point(|event| self.age(*event, elapsed) > BURST_MICROS);
        u8::try_from(events.len() - earlier).unwrap_or(u8::MAX)
    }

    /// How many requests within the window before `time` were not found, at most 64.
    pub fn not_found(&self, time: Timestamp) -> u8 {
        let elapsed = self.elapsed(time);
        let events = self.events.as_slice().iter().rev();
        let recent = events.take_while(|event| self.age(**event, elapsed) < u64::from(self.window));
        u8::try_from(recent.filter(|event| event.is(Event::NOT_FOUND)).count()).unwrap_or(u8::MAX)
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        match &self.events {
            Events::One(_) => 0,
            Events::Many(events) => events.capacity() * size_of::<Event>(),
        }
    }

    /// What the requests that are remembered look like, taken together.
    pub fn evidence(&self) -> AnomalyEvidence {
        let total = self.events.as_slice().len();
        let mean = |value: fn(&Event) -> u8| {
            let sum: u16 = self.events.as_slice().iter().map(|event| u16::from(value(event))).sum();
            f32::from(sum) / f32::from(u16::try_from(total.max(1)).unwrap_or(u16::MAX))
        };
        AnomalyEvidence {
            total: count(total),
            scanning: self.different_paths(|event| event.is(Event::SCANNING)),
            not_found: self.different_paths(|event| event.is(Event::PROBE)),
            keyword_hits: mean(|event| event.keyword_hits),
            burst: mean(|event| event.burst),
            score: None,
        }
    }

    /// What the requests that are remembered are worth as evidence.
    pub fn suspicion(&self) -> Suspicion {
        suspicion(&self.evidence(), self.refused())
    }

    /// How many requests got an answer of 4xx that no page caused.
    pub(crate) fn refused(&self) -> u32 {
        count(self.events.as_slice().iter().filter(|event| event.is(Event::REFUSED)).count())
    }

    fn different_paths(&self, counts: impl Fn(Event) -> bool) -> u32 {
        let mut paths: SmallVec<[u32; Self::MAX_EVENTS]> =
            self.events.as_slice().iter().filter(|event| counts(**event)).map(|event| event.path).collect();
        paths.sort_unstable();
        paths.dedup();
        count(paths.len())
    }

    /// Microseconds from the newest event to `time`.
    fn elapsed(&self, time: Timestamp) -> u64 {
        advance(&mut self.newest.clone(), time.as_unix_micros(), OUT_OF_ORDER_MICROS)
    }

    /// How old `event` is, in microseconds, `elapsed` after the newest.
    fn age(&self, event: Event, elapsed: u64) -> u64 {
        let last = self.events.as_slice().last();
        let before_newest = last.map_or(0, |last| last.time.wrapping_sub(event.time));
        u64::from(before_newest).saturating_add(elapsed)
    }
}

/// What the behaviour of a client is worth: the table of `ai_anomaly` says what leads to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suspicion {
    /// Nothing: an ordinary client.
    None,
    /// One of several indicators, which are enough only if a model finds the client strange as well.
    Indicator,
    /// Enough by itself.
    Proof,
}

/// Applies the table at `ai_anomaly`'s detector.
pub(crate) fn suspicion(evidence: &AnomalyEvidence, refused: u32) -> Suspicion {
    let AnomalyEvidence { total, scanning, not_found, keyword_hits, burst, .. } = *evidence;
    if total < 5 {
        return Suspicion::None;
    }
    if scanning >= 5 || keyword_hits >= 2.0 {
        Suspicion::Proof
    } else if scanning >= 2
        || (not_found >= 10 && not_found * 2 >= total)
        || keyword_hits >= 1.0
        || (burst >= 25.0 && refused * 2 >= total)
    {
        Suspicion::Indicator
    } else {
        Suspicion::None
    }
}

/// Different probe paths within the window after which a client is a scanner: its other misses may teach keywords.
pub const SCANNER_THRESHOLD: u32 = 3;

/// Reports whether an event is part of an attack, so that its path may teach keywords: a miss on a probe path, with a
/// keyword in it, or of a client that requested [`SCANNER_THRESHOLD`] different probe paths (`scanning`). One definition
/// for serving and training.
pub fn is_part_of_attack(event: &ClientEvent<'_>, scanning: u32) -> bool {
    event.is_miss()
        && !event.embedded
        && (event.keyword_hits > 0 || scanning >= SCANNER_THRESHOLD || event.is_scanning())
}

#[allow(clippy::cast_possible_truncation)] // ten seconds
const BURST_MICROS: u64 = ClientHistory::BURST_WINDOW.as_micros() as u64;

/// Lines of a log, written when requests end, may be out of order by so much.
const OUT_OF_ORDER_MICROS: i64 = 60_000_000;

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[allow(clippy::cast_possible_truncation)] // meant: these bits of the hash tell 64 paths apart well enough
fn low_bits(hash: u64) -> u32 {
    hash as u32
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn event(path: &str, status: u16, seconds: f64) -> ClientEvent<'_> {
        ClientEvent {
            time: Timestamp::from_unix_seconds(1.7e9 + seconds),
            path: path.as_bytes(),
            status,
            response_time: Duration::from_millis(250),
            keyword_hits: 0,
            known_path: false,
            from_own_site: false,
            embedded: false,
        }
    }

    fn history(events: impl IntoIterator<Item = (&'static str, u16, f64)>) -> ClientHistory {
        let mut history = ClientHistory::new(Duration::from_mins(5));
        events.into_iter().for_each(|(path, status, time)| history.record(&event(path, status, time)));
        history
    }

    #[test]
    fn original_defect_27_a_burst_counts_what_came_before() {
        let mut history = ClientHistory::new(Duration::from_mins(5));
        let mut bursts = Vec::new();
        for time in [0.0, 1.0, 2.0, 10.0, 11.5, 100.0] {
            let event = event("/", 200, time);
            bursts.push(history.burst(event.time));
            history.record(&event);
        }
        assert_eq!(bursts, [0, 1, 2, 3, 2, 0]);
    }

    #[test]
    fn original_defect_27_the_cost_does_not_grow_with_the_number_of_requests() {
        let mut history = ClientHistory::new(Duration::from_mins(5));
        for request in 0..100_000 {
            history.record(&event("/", 404, f64::from(request) * 0.001));
        }
        assert_eq!(history.evidence().total, 64);
        assert_eq!(history.burst(Timestamp::from_unix_seconds(1.7e9 + 100.0)), 64);
        assert!(history.heap_bytes() <= 64 * size_of::<Event>());
    }

    #[test]
    fn different_paths_are_counted_once() {
        let evidence = history([
            ("/.env", 404, 0.0),
            ("/.env", 404, 1.0),
            ("/wp-admin", 404, 2.0),
            ("/missing", 404, 3.0),
            ("/missing", 404, 4.0),
            ("/.git/config", 200, 5.0),
            ("/", 200, 6.0),
        ])
        .evidence();
        assert_eq!((evidence.total, evidence.scanning, evidence.not_found), (7, 2, 1));
    }

    #[test]
    fn what_the_site_caused_or_knows_is_no_probe() {
        let mut history = history([]);
        history.record(&ClientEvent { from_own_site: true, ..event("/missing.png", 404, 0.0) });
        history.record(&ClientEvent { known_path: true, keyword_hits: 9, ..event("/products", 404, 0.0) });
        history.record(&ClientEvent { embedded: true, ..event("/.env", 404, 0.0) });
        let evidence = history.evidence();
        assert_eq!((evidence.scanning, evidence.not_found, evidence.keyword_hits), (0, 0, 0.0));
        assert_eq!(history.not_found(Timestamp::from_unix_seconds(1.7e9)), 3);
        // An invented referer does not help a scanner.
        history.record(&ClientEvent { from_own_site: true, ..event("/.env", 404, 0.0) });
        assert_eq!(history.evidence().scanning, 1);
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut history = history([("/a", 404, 0.0), ("/b", 404, 200.0)]);
        let late = Timestamp::from_unix_seconds(1.7e9 + 301.0);
        assert_eq!(history.not_found(late), 1);
        history.record(&event("/c", 404, 301.0));
        assert_eq!(history.evidence().total, 2);
        history.record(&event("/d", 404, 1_000_000.0));
        assert_eq!(history.evidence().total, 1);
        // A clock that is set back by a day: the client is not seen as bursting for a day.
        history.record(&event("/e", 404, 913_600.0));
        assert_eq!(history.burst(Timestamp::from_unix_seconds(1.7e9 + 913_650.0)), 0);
    }

    #[test]
    fn a_client_seen_once_is_small() {
        assert!(size_of::<ClientHistory>() <= 72, "{}", size_of::<ClientHistory>());
    }

    proptest! {
        #[test]
        fn bursts_agree_with_a_full_log(gaps in prop::collection::vec(0..8u32, 1..60)) {
            let mut history = ClientHistory::new(Duration::from_mins(5));
            let mut times: Vec<u32> = Vec::new();
            let mut time = 0;
            for gap in gaps {
                time += gap;
                let expected = times.iter().filter(|earlier| time - **earlier <= 10).count();
                let event = event("/", 200, f64::from(time));
                prop_assert_eq!(usize::from(history.burst(event.time)), expected);
                history.record(&event);
                times.push(time);
            }
        }

        #[test]
        fn odd_times_never_panic(times in prop::collection::vec(any::<i64>(), 0..200), window: u64) {
            let mut history = ClientHistory::new(Duration::from_micros(window));
            for time in times {
                let time = Timestamp::from_unix_micros(time);
                history.record(&ClientEvent { time, ..event("/", 404, 0.0) });
                prop_assert!(history.evidence().total <= 64);
                history.not_found(time);
            }
        }
    }
}
