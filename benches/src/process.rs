//! What this process has used, as Linux accounts for it.

use std::io;
use std::time::Duration;

/// CPU time of all threads of this process since it began, in steps of 10 ms.
///
/// # Errors
/// If `/proc/self/stat` can't be read or understood; elsewhere than on Linux.
pub fn cpu_time() -> io::Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    parse_cpu_ticks(&stat)
        .map(|ticks| Duration::from_millis(ticks * MILLIS_PER_TICK))
        .ok_or_else(|| unexpected("/proc/self/stat", &stat))
}

/// Bytes of this process that are in memory.
///
/// # Errors
/// If `/proc/self/statm` can't be read or understood; elsewhere than on Linux.
pub fn resident_bytes() -> io::Result<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: Option<u64> = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.map(|pages| pages * PAGE_BYTES).ok_or_else(|| unexpected("/proc/self/statm", &statm))
}

/// Linux shows times in hundredths of a second, whatever it counts in.
const MILLIS_PER_TICK: u64 = 10;

/// The size of a page on the machines that this is measured on.
const PAGE_BYTES: u64 = 4096;

/// User and system time, the 14th and 15th field. The second field, the program's name in brackets, may hold anything.
fn parse_cpu_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn unexpected(file: &str, text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{file} is not as expected: {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b 1) S 1 7 7 0 -1 4194304 100 0 0 0 250 75 3 4 20 0 1 0 100 1 1";
        assert_eq!(parse_cpu_ticks(stat), Some(325));
        assert_eq!(parse_cpu_ticks("7 (a) S 1"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_that_is_used_shows() {
        let before = resident_bytes().unwrap();
        let filled = vec![1u8; 64 << 20];
        let growth = resident_bytes().unwrap().saturating_sub(before);
        assert!(growth > 32 << 20, "{growth}");
        assert!(cpu_time().unwrap() < Duration::from_hours(1));
        drop(filled);
    }
}
