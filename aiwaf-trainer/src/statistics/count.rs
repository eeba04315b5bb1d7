//! Counting whole logs, on all cores.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use super::log_statistics::LogStatistics;
use super::options::StatisticsOptions;
use crate::progress::{Progress, ProgressUpdate};
use crate::sources::{ReadSummary, SourceError, Sources};

/// Reads logs and counts what is in them. Files are shared out to as many threads as there are cores, at most 16, so
/// several of them are read at once; one file is read by one thread. What can't be read is in the summary, and its lines are
/// counted as unreadable.
///
/// ```
/// use aiwaf_trainer::Sources;
/// use aiwaf_trainer::statistics::{StatisticsOptions, count_logs};
///
/// let log = br#"192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] "GET /a HTTP/1.1" 404 - "-" "x""#;
/// let mut sources = Sources::new();
/// sources.add_reader("standard input", &log[..]);
/// let (statistics, read) = count_logs(sources, &StatisticsOptions::default(), &mut ())?;
/// assert_eq!((statistics.summary(10, 96).requests, read.lines), (1, 1));
/// # Ok::<(), aiwaf_trainer::SourceError>(())
/// ```
///
/// # Errors
/// [`SourceError`] if there is nothing to read, or a file that was named can't be opened any more.
///
/// # Panics
/// If counting panics on one of the threads, which is a mistake in this crate.
pub fn count_logs(
    sources: Sources,
    options: &StatisticsOptions,
    progress: &mut dyn Progress,
) -> Result<(LogStatistics, ReadSummary), SourceError> {
    if sources.is_empty() {
        return Err(SourceError::Nothing);
    }
    let total_bytes = sources.total_bytes();
    let cores = thread::available_parallelism().map_or(1, Into::into);
    let shares = share_out(sources.split(), cores.min(MAX_THREADS));
    let (sender, updates) = sync_channel(shares.len() * 2);
    thread::scope(|scope| {
        let workers = shares.into_iter().enumerate().map(|(worker, share)| {
            let sender = sender.clone();
            scope.spawn(move || count_share(share, options, worker, &sender))
        });
        let workers: Vec<_> = workers.collect();
        drop(sender);
        let mut read = vec![ProgressUpdate::default(); workers.len()];
        // Ends when the last thread has dropped its sender.
        for (worker, update) in updates {
            if let Some(known) = read.get_mut(worker) {
                *known = update;
            }
            let bytes = read.iter().map(|update| update.bytes).sum();
            let lines = read.iter().map(|update| update.lines).sum();
            progress.update(ProgressUpdate { bytes, total_bytes, lines });
        }
        let mut statistics = LogStatistics::new(options.clone());
        let mut summary = ReadSummary::default();
        for worker in workers {
            let (counted, read) = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            statistics.merge(counted);
            summary.merge(read);
        }
        statistics.note_unreadable(summary.unparsed.lines);
        Ok((statistics, summary))
    })
}

/// More would wait for the disk.
const MAX_THREADS: usize = 16;

/// Gives each file, the longest first, to whoever has least to read. The same files are shared out in the same way
/// each time, so that estimates don't change from one run to the next.
fn share_out(mut sources: Vec<Sources>, threads: usize) -> Vec<Vec<Sources>> {
    sources.sort_by_key(|source| std::cmp::Reverse(source.total_bytes()));
    let threads = threads.clamp(1, sources.len().max(1));
    let mut shares: Vec<(u64, Vec<Sources>)> =
        std::iter::repeat_with(Default::default).take(threads).collect();
    for source in sources {
        if let Some((bytes, share)) = shares.iter_mut().min_by_key(|(bytes, share)| (*bytes, share.len())) {
            *bytes = bytes.saturating_add(source.total_bytes().unwrap_or(0));
            share.push(source);
        }
    }
    shares.into_iter().map(|(_, share)| share).collect()
}

fn count_share(
    share: Vec<Sources>,
    options: &StatisticsOptions,
    worker: usize,
    updates: &SyncSender<(usize, ProgressUpdate)>,
) -> Result<(LogStatistics, ReadSummary), SourceError> {
    let mut statistics = LogStatistics::new(options.clone());
    let mut summary = ReadSummary::default();
    for sources in share {
        let (bytes, lines) = (summary.bytes, summary.lines);
        let mut report = |update: ProgressUpdate| {
            let sum = ProgressUpdate { bytes: bytes + update.bytes, lines: lines + update.lines, ..update };
            // Whoever shows it may miss one; the next says more.
            let _ = updates.try_send((worker, sum));
        };
        summary.merge(sources.read(&mut report, |line| statistics.note(&line.record))?);
    }
    Ok((statistics, summary))
}
