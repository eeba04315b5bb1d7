//! The logs: `access.log`, `error.log` and `aiwaf.log`, written off the path of requests.
//!
//! A request makes its lines in a buffer of its thread and copies them into a shared one, under a lock that is held for
//! the copy. One thread writes what is pending, many lines at a time, at most [`writer::FLUSH_INTERVAL`] later. If the
//! disk can't keep up, the buffers fill to their bound and lines are dropped and counted. If the disk fails, the service
//! goes on without logs and warns once on standard error. Dropped and lost lines are reported in `aiwaf.log` when the
//! outage is over.

mod event;
mod rotation;
mod writer;

pub(crate) use event::Event;

use std::cell::RefCell;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aiwaf_core::{LineWriter, LogEntry, LogFormat, LoggingSettings, SecretNames, Timestamp};
use parking_lot::{Condvar, Mutex};

use self::rotation::RotatingFile;
use self::writer::Writer;
use crate::waf::Clock;

/// Takes lines for the three logs. Dropping it writes what is pending.
pub(crate) struct RequestLog {
    shared: Arc<Shared>,
    format: LogFormat,
    secrets: SecretNames,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// One of the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LogName {
    Access,
    Error,
    Aiwaf,
}

impl LogName {
    const ALL: [Self; 3] = [Self::Access, Self::Error, Self::Aiwaf];

    const fn file_name(self) -> &'static str {
        match self {
            Self::Access => "access.log",
            Self::Error => "error.log",
            Self::Aiwaf => "aiwaf.log",
        }
    }
}

/// State that requests and the writer thread share.
struct Shared {
    pending: Mutex<Pending>,
    /// Notified when the writer has work.
    work: Condvar,
    /// Notified when the writer has written a batch.
    progress: Condvar,
}

/// Lines that wait for the writer.
#[derive(Default)]
struct Pending {
    buffers: [Buffer; LogName::ALL.len()],
    /// The writer sleeps until it is notified.
    is_asleep: bool,
    /// A flush waits for the lines that are pending.
    flush_requested: bool,
    stage: Stage,
    /// Lines accepted since the start, and how many of those are written or lost.
    taken: u64,
    done: u64,
}

/// Life cycle of the writer thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    #[default]
    Running,
    /// It is to write what is pending, and end.
    Stopping,
    Stopped,
}

/// Lines that wait for one file.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    lines: u64,
    dropped: u64,
}

impl Buffer {
    fn is_empty(&self) -> bool {
        self.lines == 0 && self.dropped == 0
    }

    /// Appends `line`, or drops and counts it if the buffer is full. Reports whether the buffer has just reached
    /// [`FLUSH_BYTES`].
    fn append(&mut self, line: &[u8]) -> bool {
        let before = self.bytes.len();
        if before + line.len() > CAPACITY {
            self.dropped += 1;
            return false;
        }
        self.bytes.extend_from_slice(line);
        self.lines += 1;
        before < FLUSH_BYTES && self.bytes.len() >= FLUSH_BYTES
    }
}

/// Maximum bytes that wait for one file; as many again may be on their way to the disk.
const CAPACITY: usize = 8 * 1024 * 1024;

/// Pending bytes from which the writer writes at once instead of waiting for more.
const FLUSH_BYTES: usize = 256 * 1024;

/// Maximum capacity in bytes of a scratch buffer that is kept.
const MAX_SCRATCH: usize = 64 * 1024;

/// Where a thread makes its lines.
#[derive(Default)]
struct Scratch {
    lines: Vec<u8>,
    writer: LineWriter,
}

thread_local! {
    /// Lines are made here, so that the lock is held only while they are copied.
    static SCRATCH: RefCell<Scratch> =
        const { RefCell::new(Scratch { lines: Vec::new(), writer: LineWriter::new() }) };
}

impl RequestLog {
    /// Starts the writer thread. Files and their directory are created with the first line; failing to do so is reported on
    /// standard error.
    pub(crate) fn start(settings: &LoggingSettings, clock: Clock) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            pending: Mutex::new(Pending::default()),
            work: Condvar::new(),
            progress: Condvar::new(),
        });
        let files = LogName::ALL.map(|name| {
            let header = if name == LogName::Access { settings.format.header() } else { None };
            let path = std::path::Path::new(&settings.dir).join(name.file_name());
            RotatingFile::new(path, header, settings.rotate_bytes, settings.keep_files)
        });
        let mut writer = Writer::new(Arc::clone(&shared), files, clock);
        let thread = std::thread::Builder::new().name("aiwaf-logs".to_owned()).spawn(move || writer.run())?;
        let secrets = SecretNames::new(&settings.redact_parameters);
        Ok(Self { shared, format: settings.format, secrets, thread: Mutex::new(Some(thread)) })
    }

    /// Logs a request in `access.log`, and in `error.log` if the response is an error. Allocates nothing unless a value
    /// holds a secret or is very long.
    pub(crate) fn entry(&self, mut entry: LogEntry<'_>) {
        entry.redact(&self.secrets);
        with_scratch(|Scratch { lines, writer }| {
            writer.write(self.format, &entry, lines);
            let access = lines.len();
            if entry.status >= 400 {
                event::push_error(&entry, writer, lines);
            }
            let (access, error) = lines.split_at_checked(access).unwrap_or_default();
            self.shared.append([(LogName::Access, access), (LogName::Error, error)]);
        });
    }

    /// The parameters whose values no line shows.
    pub(crate) fn secrets(&self) -> &SecretNames {
        &self.secrets
    }

    /// Logs an event in `aiwaf.log`.
    pub(crate) fn event(&self, time: Timestamp, event: &Event<'_>) {
        with_scratch(|Scratch { lines, writer }| {
            event.push(time, writer, lines);
            self.shared.append([(LogName::Aiwaf, lines)]);
        });
    }

    /// Waits until all lines so far are written or lost; returns `false` if that takes longer than `timeout`.
    pub(crate) fn flush(&self, timeout: Duration) -> bool {
        let until = Instant::now() + timeout.min(Duration::from_hours(1));
        let mut pending = self.shared.pending.lock();
        let target = pending.taken;
        pending.flush_requested = true;
        self.shared.work.notify_one();
        while pending.done < target {
            if pending.stage == Stage::Stopped
                || self.shared.progress.wait_until(&mut pending, until).timed_out()
            {
                return pending.done >= target;
            }
        }
        true
    }

    /// Writes what is pending and ends the writer; later lines are dropped. May be called twice.
    pub(crate) fn shutdown(&self) {
        {
            let mut pending = self.shared.pending.lock();
            if pending.stage == Stage::Running {
                pending.stage = Stage::Stopping;
            }
            self.shared.work.notify_one();
        }
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            eprintln!("aiwaf: the thread of the logs ended by a panic; lines may be missing");
        }
    }
}

impl Drop for RequestLog {
    fn drop(&mut self) {
        self.shutdown();
    }
}

/// Calls `make` with the empty scratch of this thread.
fn with_scratch(make: impl FnOnce(&mut Scratch)) {
    // A request may be dropped while its thread ends, when the scratch is gone already.
    let mut scratch = SCRATCH.try_with(RefCell::take).unwrap_or_default();
    scratch.lines.clear();
    make(&mut scratch);
    if scratch.lines.capacity() <= MAX_SCRATCH {
        SCRATCH.try_with(|kept| kept.replace(scratch)).ok();
    }
}

impl Shared {
    /// Hands lines to the writer; empty ones are none. Holds the lock only while they are copied.
    fn append<const COUNT: usize>(&self, lines: [(LogName, &[u8]); COUNT]) {
        let mut pending = self.pending.lock();
        if pending.stage != Stage::Running {
            return;
        }
        let mut reached_flush_bytes = false;
        for (name, line) in lines {
            let Some(buffer) = pending.buffers.get_mut(name as usize).filter(|_| !line.is_empty()) else {
                continue;
            };
            let before = buffer.lines;
            reached_flush_bytes |= buffer.append(line);
            pending.taken += buffer.lines - before;
        }
        // Notifying costs more than all the rest, so only the first line after a silence does, and the one that reaches
        // `FLUSH_BYTES`.
        let notify = std::mem::take(&mut pending.is_asleep) || reached_flush_bytes;
        drop(pending);
        if notify {
            self.work.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use aiwaf_core::AccessRecord;

    use super::*;

    const TIME: Timestamp = Timestamp::from_unix_micros(1_757_845_800_000_000);

    fn record() -> AccessRecord<'static> {
        let mut record = AccessRecord::new(TIME, "203.0.113.9".parse().unwrap());
        record.status = 404;
        record.method = b"GET".into();
        record.target = b"/a\n\"b\xff".into();
        record
    }

    fn start(dir: &std::path::Path, change: impl FnOnce(&mut LoggingSettings)) -> RequestLog {
        let mut settings =
            LoggingSettings { dir: dir.to_str().unwrap().into(), ..LoggingSettings::default() };
        change(&mut settings);
        RequestLog::start(&settings, Arc::new(|| TIME)).unwrap()
    }

    #[test]
    fn shutdown_writes_every_line() {
        let dir = tempfile::tempdir().unwrap();
        let log = start(dir.path(), |settings| settings.format = LogFormat::Csv);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| log.entry(LogEntry::from(&record()))));
            }
        });
        log.shutdown();
        log.entry(LogEntry::from(&record()));
        let access = fs::read_to_string(dir.path().join("access.log")).unwrap();
        assert_eq!(access.lines().count(), 4001, "a header and 4,000 requests");
        assert!(access.starts_with(LogFormat::Csv.header().unwrap()));
        let errors = fs::read_to_string(dir.path().join("error.log")).unwrap();
        assert_eq!(errors.lines().count(), 4000);
        assert!(errors.starts_with(
            "time=2025-09-14T10:30:00.000000Z client=203.0.113.9 status=404 method=GET target=\"/a\\n\\\"b\\xff\"\n"
        ));
    }

    #[test]
    fn flush_waits_for_lines() {
        let dir = tempfile::tempdir().unwrap();
        let log = start(dir.path(), |_| {});
        for count in 1..=3 {
            log.entry(LogEntry::from(&record()));
            assert!(log.flush(Duration::from_secs(10)));
            assert_eq!(fs::read_to_string(dir.path().join("access.log")).unwrap().lines().count(), count);
        }
    }

    #[test]
    fn lost_lines_are_counted_and_reported() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs");
        fs::write(&logs, "a file where the directory should be").unwrap();
        let log = start(&logs, |_| {});
        for _ in 0..3 {
            log.entry(LogEntry::from(&record()));
            assert!(log.flush(Duration::from_secs(10)));
        }
        fs::remove_file(&logs).unwrap();
        log.entry(LogEntry::from(&record()));
        assert!(log.flush(Duration::from_secs(10)));
        log.shutdown();
        assert_eq!(fs::read_to_string(logs.join("access.log")).unwrap().lines().count(), 1);
        let told = fs::read_to_string(logs.join("aiwaf.log")).unwrap();
        assert!(told.contains("event=log_lines_lost file=access.log lines=3"), "{told}");
        assert!(told.contains("event=log_lines_lost file=error.log lines=3"), "{told}");
    }

    #[test]
    fn full_buffer_drops_and_counts() {
        let shared = Shared {
            pending: Mutex::new(Pending::default()),
            work: Condvar::new(),
            progress: Condvar::new(),
        };
        let line = vec![b'x'; CAPACITY / 2];
        for _ in 0..5 {
            shared.append([(LogName::Access, &line)]);
        }
        let pending = shared.pending.lock();
        assert_eq!((pending.buffers[0].lines, pending.buffers[0].dropped), (2, 3));
        assert_eq!(pending.buffers[0].bytes.len(), CAPACITY);
    }
}
