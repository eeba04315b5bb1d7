//! The logs: `access.log`, `error.log` and `aiwaf.log`, written off the path of requests.
//!
//! A request puts its lines into a buffer in memory, which costs some hundred nanoseconds. One thread writes what has
//! gathered, many lines at a time, at most [`writer::REST`] later. If the disk can't keep up, the buffers fill to their
//! bound and lines are dropped and counted; if the disk fails, the service goes on without logs. Both are said once on
//! standard error, and in `aiwaf.log` as soon as that can be written.

mod event;
mod rotation;
mod writer;

pub(crate) use event::Event;

use std::cell::RefCell;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aiwaf_core::{AccessRecord, LogFormat, LoggingSettings, SecretNames, Timestamp};
use parking_lot::{Condvar, Mutex};

use self::rotation::RotatingFile;
use self::writer::Writer;
use crate::waf::Clock;

/// Takes lines for the three logs. Dropping it writes what waits.
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

/// What requests and the writer share.
struct Shared {
    pending: Mutex<Pending>,
    /// The writer has something to do.
    work: Condvar,
    /// The writer has written something.
    progress: Condvar,
}

/// What waits to be written.
#[derive(Default)]
struct Pending {
    buffers: [Buffer; LogName::ALL.len()],
    /// The writer sleeps until somebody wakes it.
    asleep: bool,
    /// Somebody waits for what is there.
    hurry: bool,
    stage: Stage,
    /// How many lines were ever taken, and how many of those are done with.
    taken: u64,
    done: u64,
}

/// How far the writer has come with its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    #[default]
    Running,
    /// It is to write what waits, and end.
    Stopping,
    Stopped,
}

/// The lines that wait for one file.
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
}

/// So many bytes may wait for one file, and as many again be on their way to the disk.
const CAPACITY: usize = 8 * 1024 * 1024;

/// With so many bytes the writer does not rest.
const PLENTY: usize = 256 * 1024;

/// A scratch buffer that has grown beyond this is not kept.
const SCRATCH: usize = 64 * 1024;

thread_local! {
    /// Lines are made here, so that no two threads wait for each other's formatting.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl RequestLog {
    /// Starts the writer. Files and their directory are created when there is something to write; a disk that does
    /// not let it is reported on standard error.
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

    /// Logs a request in `access.log`, and in `error.log` if it was answered with an error.
    pub(crate) fn request(&self, mut record: AccessRecord<'_>) {
        record.redact(&self.secrets);
        self.line(LogName::Access, |line| self.format.write(&record, line));
        if record.status >= 400 {
            self.line(LogName::Error, |line| event::push_error(&record, line));
        }
    }

    /// The parameters whose values no line shows.
    pub(crate) fn secrets(&self) -> &SecretNames {
        &self.secrets
    }

    /// Logs something in `aiwaf.log`.
    pub(crate) fn event(&self, time: Timestamp, event: &Event<'_>) {
        self.line(LogName::Aiwaf, |line| event.push(time, line));
    }

    fn line(&self, name: LogName, write: impl FnOnce(&mut Vec<u8>)) {
        // A request may be dropped while its thread ends, when the scratch buffer is gone already.
        let mut line = LINE.try_with(RefCell::take).unwrap_or_default();
        line.clear();
        write(&mut line);
        self.shared.take(name, &line);
        if line.capacity() <= SCRATCH {
            LINE.try_with(|kept| kept.replace(line)).ok();
        }
    }

    /// Waits until all lines so far are written or given up; `false` if that takes longer than `timeout`.
    pub(crate) fn flush(&self, timeout: Duration) -> bool {
        let until = Instant::now() + timeout.min(Duration::from_hours(1));
        let mut pending = self.shared.pending.lock();
        let target = pending.taken;
        pending.hurry = true;
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

    /// Writes what waits and ends the writer; later lines are dropped. Safe to call twice.
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

impl Shared {
    fn take(&self, name: LogName, line: &[u8]) {
        let mut pending = self.pending.lock();
        if pending.stage != Stage::Running {
            return;
        }
        let Some(buffer) = pending.buffers.get_mut(name as usize) else { return };
        if buffer.bytes.len() + line.len() > CAPACITY {
            buffer.dropped += 1;
            return;
        }
        buffer.bytes.extend_from_slice(line);
        buffer.lines += 1;
        let is_plenty = buffer.bytes.len() >= PLENTY && buffer.bytes.len() - line.len() < PLENTY;
        pending.taken += 1;
        // Waking a thread costs more than all the rest: only the first line after a silence does, and the one with
        // which there is plenty.
        let wake = std::mem::take(&mut pending.asleep) || is_plenty;
        drop(pending);
        if wake {
            self.work.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

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
    fn every_line_is_written_by_a_shutdown() {
        let dir = tempfile::tempdir().unwrap();
        let log = start(dir.path(), |settings| settings.format = LogFormat::Csv);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| log.request(record())));
            }
        });
        log.shutdown();
        log.request(record());
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
    fn a_flush_waits_until_lines_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let log = start(dir.path(), |_| {});
        for count in 1..=3 {
            log.request(record());
            assert!(log.flush(Duration::from_secs(10)));
            assert_eq!(fs::read_to_string(dir.path().join("access.log")).unwrap().lines().count(), count);
        }
    }

    #[test]
    fn lost_lines_are_counted_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs");
        fs::write(&logs, "a file where the directory should be").unwrap();
        let log = start(&logs, |_| {});
        for _ in 0..3 {
            log.request(record());
            assert!(log.flush(Duration::from_secs(10)));
        }
        fs::remove_file(&logs).unwrap();
        log.request(record());
        assert!(log.flush(Duration::from_secs(10)));
        log.shutdown();
        assert_eq!(fs::read_to_string(logs.join("access.log")).unwrap().lines().count(), 1);
        let told = fs::read_to_string(logs.join("aiwaf.log")).unwrap();
        assert!(told.contains("event=log_lines_lost file=access.log lines=3"), "{told}");
        assert!(told.contains("event=log_lines_lost file=error.log lines=3"), "{told}");
    }

    #[test]
    fn a_full_buffer_drops_and_tells() {
        let shared = Shared {
            pending: Mutex::new(Pending::default()),
            work: Condvar::new(),
            progress: Condvar::new(),
        };
        let line = vec![b'x'; CAPACITY / 2];
        for _ in 0..5 {
            shared.take(LogName::Access, &line);
        }
        let pending = shared.pending.lock();
        assert_eq!((pending.buffers[0].lines, pending.buffers[0].dropped), (2, 3));
        assert_eq!(pending.buffers[0].bytes.len(), CAPACITY);
    }
}
