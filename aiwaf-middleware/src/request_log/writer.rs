//! The thread that writes the logs.

use std::sync::Arc;
use std::time::Duration;

use aiwaf_core::LineWriter;

use super::event::Event;
use super::rotation::RotatingFile;
use super::{Buffer, FLUSH_BYTES, LogName, Pending, Shared, Stage};
use crate::waf::Clock;

/// Time that lines gather before they are written.
pub(super) const FLUSH_INTERVAL: Duration = Duration::from_millis(50);

pub(super) struct Writer {
    shared: Arc<Shared>,
    logs: [Log; LogName::ALL.len()],
    clock: Clock,
}

/// One log and its state.
struct Log {
    file: RotatingFile,
    /// The lines that are being written; its memory is swapped with that of the pending ones.
    batch: Buffer,
    /// Lines that could not be written and are not reported yet.
    lost: u64,
    /// Lines that were dropped because the buffer was full and are not reported yet.
    dropped: u64,
    /// The last batch had dropped lines: the overflow goes on.
    overflowing: bool,
    /// Standard error was warned that the file can't be written.
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

    /// Writes until it is stopped, then what is left.
    pub(super) fn run(&mut self) {
        loop {
            let (done, stop) = self.wait();
            for log in &mut self.logs {
                log.write();
            }
            self.report(stop);
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

    /// Waits for lines and takes them; returns the number of the last one, and whether to stop.
    fn wait(&mut self) -> (u64, bool) {
        let mut pending = self.shared.pending.lock();
        // The next batch shows whether the overflow is over, even if it is empty.
        let has_news = self.logs.iter().any(|log| log.dropped > 0);
        while !has_news
            && pending.stage == Stage::Running
            && !pending.flush_requested
            && pending.buffers.iter().all(Buffer::is_empty)
        {
            pending.is_asleep = true;
            self.shared.work.wait(&mut pending);
        }
        pending.is_asleep = false;
        if pending.stage == Stage::Running && !pending.flush_requested && !has_full_batch(&pending) {
            // Notified early or not, what is pending is written.
            self.shared.work.wait_for(&mut pending, FLUSH_INTERVAL);
        }
        pending.flush_requested = false;
        for (buffer, log) in pending.buffers.iter_mut().zip(&mut self.logs) {
            std::mem::swap(buffer, &mut log.batch);
        }
        (pending.taken, pending.stage != Stage::Running)
    }

    /// Reports dropped and lost lines in `aiwaf.log`, if that can be written.
    fn report(&mut self, stop: bool) {
        let mut lines = Vec::new();
        let mut writer = LineWriter::new();
        let time = (self.clock)();
        for (log, name) in self.logs.iter_mut().zip(LogName::ALL) {
            let file = name.file_name();
            // One number for the whole overflow, so only when it is over.
            if log.dropped > 0 && (stop || !log.overflowing) {
                let details: [(_, &dyn std::fmt::Display); 2] = [("file", &file), ("lines", &log.dropped)];
                Event::Other { name: "log_buffer_full", details: &details }.push(
                    time,
                    &mut writer,
                    &mut lines,
                );
                log.dropped = 0;
            }
            if log.lost > 0 && !log.failing {
                let details: [(_, &dyn std::fmt::Display); 2] = [("file", &file), ("lines", &log.lost)];
                Event::Other { name: "log_lines_lost", details: &details }.push(
                    time,
                    &mut writer,
                    &mut lines,
                );
                log.lost = 0;
            }
        }
        let [_, _, log] = &mut self.logs;
        if !lines.is_empty() {
            log.write_lines(&lines);
        }
    }
}

fn has_full_batch(pending: &Pending) -> bool {
    pending.buffers.iter().any(|buffer| buffer.bytes.len() >= FLUSH_BYTES)
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
        // Frees the memory of a burst.
        bytes.shrink_to(FLUSH_BYTES);
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
