//! The thread that writes the logs.

use std::sync::Arc;
use std::time::Duration;

use super::event::Event;
use super::rotation::RotatingFile;
use super::{Buffer, LogName, PLENTY, Pending, Shared, Stage};
use crate::waf::Clock;

/// How long lines gather before they are written.
pub(super) const REST: Duration = Duration::from_millis(50);

pub(super) struct Writer {
    shared: Arc<Shared>,
    logs: [Log; LogName::ALL.len()],
    clock: Clock,
}

/// One log and how it fares.
struct Log {
    file: RotatingFile,
    /// What is being written; its memory goes back and forth.
    batch: Buffer,
    /// Lines that could not be written, and not be told of yet.
    lost: u64,
    /// Lines that found the buffer full, and were not told of yet.
    dropped: u64,
    /// The last batch had dropped lines, too: it is the same episode.
    overflowing: bool,
    /// Standard error has been told that the file can't be written.
    failing: bool,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, files: [RotatingFile; LogName::ALL.len()], clock: Clock) -> Self {
        let logs = files.map(|file| Log {
            file,
            batch: Buffer::default(),
            lost: 0,
            dropped: 0,
            overflowing: false,
            failing: false,
        });
        Self { shared, logs, clock }
    }

    /// Writes until it is told to stop, then what is left.
    pub(super) fn run(&mut self) {
        loop {
            let (done, stop) = self.wait();
            for log in &mut self.logs {
                log.write();
            }
            self.tell(stop);
            let mut pending = self.shared.pending.lock();
            pending.done = done;
            if stop {
                pending.stage = Stage::Stopped;
            }
            drop(pending);
            self.shared.progress.notify_all();
            if stop {
                return;
            }
        }
    }

    /// Waits until there is something to write, and takes it; also says up to which line, and whether to stop.
    fn wait(&mut self) -> (u64, bool) {
        let mut pending = self.shared.pending.lock();
        // Whether the buffer still overflows shows with the next batch, be it empty.
        let has_news = self.logs.iter().any(|log| log.dropped > 0);
        while !has_news
            && pending.stage == Stage::Running
            && !pending.hurry
            && pending.buffers.iter().all(Buffer::is_empty)
        {
            pending.asleep = true;
            self.shared.work.wait(&mut pending);
        }
        pending.asleep = false;
        if pending.stage == Stage::Running && !pending.hurry && !is_plenty(&pending) {
            // Woken early or not, what is there is written.
            self.shared.work.wait_for(&mut pending, REST);
        }
        pending.hurry = false;
        for (buffer, log) in pending.buffers.iter_mut().zip(&mut self.logs) {
            std::mem::swap(buffer, &mut log.batch);
        }
        (pending.taken, pending.stage != Stage::Running)
    }

    /// Tells what was lost, in `aiwaf.log`, if that can be written.
    fn tell(&mut self, stop: bool) {
        let mut lines = Vec::new();
        let time = (self.clock)();
        for (log, name) in self.logs.iter_mut().zip(LogName::ALL) {
            let file = name.file_name();
            // A number for the whole episode: so only when it is over.
            if log.dropped > 0 && (stop || !log.overflowing) {
                let details: [(_, &dyn std::fmt::Display); 2] = [("file", &file), ("lines", &log.dropped)];
                Event::Other { name: "log_buffer_full", details: &details }.push(time, &mut lines);
                log.dropped = 0;
            }
            if log.lost > 0 && !log.failing {
                let details: [(_, &dyn std::fmt::Display); 2] = [("file", &file), ("lines", &log.lost)];
                Event::Other { name: "log_lines_lost", details: &details }.push(time, &mut lines);
                log.lost = 0;
            }
        }
        let [_, _, log] = &mut self.logs;
        if !lines.is_empty() {
            log.write_lines(&lines);
        }
    }
}

fn is_plenty(pending: &Pending) -> bool {
    pending.buffers.iter().any(|buffer| buffer.bytes.len() >= PLENTY)
}

impl Log {
    fn write(&mut self) {
        self.overflowing = self.batch.dropped > 0;
        self.dropped += std::mem::take(&mut self.batch.dropped);
        self.batch.lines = 0;
        if self.batch.bytes.is_empty() {
            return;
        }
        let mut bytes = std::mem::take(&mut self.batch.bytes);
        self.write_lines(&bytes);
        bytes.clear();
        // After a burst the memory goes back.
        bytes.shrink_to(PLENTY);
        self.batch.bytes = bytes;
    }

    fn write_lines(&mut self, lines: &[u8]) {
        let written = self.file.write(lines);
        match written.result {
            Ok(()) => self.failing = false,
            Err(error) => {
                let rest = lines.get(written.bytes..).unwrap_or_default();
                self.lost += rest.split_inclusive(|&byte| byte == b'\n').count() as u64;
                if !self.failing {
                    self.failing = true;
                    eprintln!(
                        "aiwaf: writing {} failed: {error}; the service goes on without this log until it works \
                         again: make room, or let this user write there, or choose another directory (AIWAF_LOG_DIR)",
                        self.file.path().display()
                    );
                }
            }
        }
    }
}
