//! How far the work is, on a terminal.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use aiwaf_trainer::{Progress, ProgressUpdate};

/// A line on standard error that tells how far the reading is, and is gone when it is done; nothing if that is no
/// terminal.
pub(crate) struct ProgressLine {
    is_shown: bool,
    what: String,
    drawn: Option<Instant>,
}

/// No eye follows more.
const INTERVAL: Duration = Duration::from_millis(200);

impl ProgressLine {
    pub(crate) fn new() -> Self {
        Self { is_shown: std::io::stderr().is_terminal(), what: "reading".to_owned(), drawn: None }
    }

    fn draw(&self, update: ProgressUpdate) {
        let share = update.total_bytes.filter(|total| *total > 0).map(|total| {
            let percent = update.bytes.saturating_mul(100) / total;
            format!(" {}%", percent.min(100))
        });
        eprint!("\r\x1b[K{}{}: {} lines", self.what, share.unwrap_or_default(), update.lines);
        // Whatever keeps it from being shown will keep the answer from being shown, too.
        drop(std::io::stderr().flush());
    }
}

impl Progress for ProgressLine {
    fn begin(&mut self, what: &str) {
        what.clone_into(&mut self.what);
    }

    fn update(&mut self, update: ProgressUpdate) {
        if self.is_shown && self.drawn.is_none_or(|drawn| drawn.elapsed() >= INTERVAL) {
            self.draw(update);
            self.drawn = Some(Instant::now());
        }
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
