//! CPU time and memory of this process, as Linux accounts for them.

use std::io;
use std::time::Duration;

/// CPU time of this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// Of all its present threads.
    pub total: Duration,
    /// Of the threads with the given name.
    pub named: Duration,
}

impl CpuTime {
    /// CPU time of all present threads since they began, and of those with the name `thread`, of which Linux keeps 15
    /// bytes. Exact to the microsecond, unlike `/proc/self/stat`, which counts in steps of 10 ms.
    ///
    /// # Errors
    /// If `/proc/self/task` can't be read; elsewhere than on Linux.
    pub fn now(thread: &str) -> io::Result<Self> {
        let mut times = Self::default();
        for task in std::fs::read_dir("/proc/self/task")? {
            let task = task?.path();
            // A thread that has just ended has no files left.
            let (Ok(name), Ok(statistics)) =
                (std::fs::read_to_string(task.join("comm")), std::fs::read_to_string(task.join("schedstat")))
            else {
                continue;
            };
            let time = parse_schedstat(&statistics).ok_or_else(|| unexpected("schedstat", &statistics))?;
            times.total += time;
            if name.trim_end_matches('\n') == truncated_name(thread) {
                times.named += time;
            }
        }
        Ok(times)
    }

    /// Time that passed since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            total: self.total.saturating_sub(earlier.total),
            named: self.named.saturating_sub(earlier.named),
        }
    }
}

/// The part of a thread's name that Linux keeps.
fn truncated_name(name: &str) -> &str {
    name.get(..15).unwrap_or(name)
}

/// Bytes of this process that are in memory.
///
/// # Errors
/// If `/proc/self/statm` can't be read; elsewhere than on Linux.
pub fn resident_bytes() -> io::Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: Option<u64> = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.map(|pages| pages * PAGE_BYTES).ok_or_else(|| unexpected("/proc/self/statm", &statm))
}

/// The size of a page on the machines that this is measured on.
const PAGE_BYTES: u64 = 4096;

/// Nanoseconds on a CPU, the first field.
fn parse_schedstat(statistics: &str) -> Option<Duration> {
    let nanoseconds = statistics.split_ascii_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

fn unexpected(file: &str, text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{file} is not as expected: {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_field_is_the_time() {
        assert_eq!(parse_schedstat("2500 17 3\n"), Some(Duration::from_nanos(2500)));
        assert_eq!(parse_schedstat(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn busy_thread_is_found_by_name() {
        let busy = std::thread::Builder::new().name("a name that is too long".into()).spawn(|| {
            let start = std::time::Instant::now();
            let mut sum = 0u64;
            while start.elapsed() < Duration::from_millis(60) {
                sum = std::hint::black_box(sum + 1);
            }
            CpuTime::now("a name that is too long").unwrap()
        });
        let times = busy.unwrap().join().unwrap();
        assert!(times.named > Duration::ZERO && times.total >= times.named, "{times:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_that_is_used_shows() {
        let before = resident_bytes().unwrap();
        let filled = vec![1u8; 64 << 20];
        let growth = resident_bytes().unwrap().saturating_sub(before);
        assert!(growth > 32 << 20, "{growth}");
        drop(filled);
    }
}
