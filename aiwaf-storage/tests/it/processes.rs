//! Several processes and threads on one data directory.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use aiwaf_core::ListChange;
use aiwaf_storage::{CsvStore, Store};

use crate::support::*;

const WORKER: &str = "AIWAF_STORAGE_TEST_WORKER";
const PROCESSES: u32 = 8;
/// How many entries each process adds for good, and how many it adds and removes again.
const ENTRIES: u32 = 1000;
const BATCH: u32 = 20;

fn address(worker: u32, entry: u32) -> String {
    format!("10.{worker}.{}.{}", entry / 256, entry % 256)
}

/// Does nothing unless `original_defect_11_no_update_is_lost_between_processes` starts it as a process of its own.
#[test]
fn worker() {
    let Ok(task) = std::env::var(WORKER) else { return };
    let (number, url) = task.split_once(' ').unwrap();
    let number: u32 = number.parse().unwrap();
    let store = aiwaf_storage::open(url).unwrap();
    // Those from `ENTRIES` on go again, each batch as soon as it is there.
    for start in (0..ENTRIES).step_by(BATCH as usize) {
        let entries = (start..start + BATCH).flat_map(|entry| [entry, ENTRIES + entry]);
        let additions: Vec<_> = entries.map(|entry| add_ban(&address(number, entry))).collect();
        assert!(store.apply(&additions).unwrap().into_iter().all(|altered| altered));
        let removals: Vec<_> = (start..start + BATCH)
            .map(|entry| ListChange::RemoveBlacklist(net(&address(number, ENTRIES + entry))))
            .collect();
        assert!(store.apply(&removals).unwrap().into_iter().all(|altered| altered));
    }
}

#[test]
fn original_defect_11_no_update_is_lost_between_processes() {
    // Not opened yet, so that the processes also compete for creating it.
    for home in homes() {
        let workers: Vec<_> = (0..PROCESSES)
            .map(|number| start("processes::worker", &format!("{number} {}", home.url)))
            .collect();
        for mut worker in workers {
            assert!(worker.wait().unwrap().success(), "{}", home.url);
        }
        let loaded = home.open().load().unwrap();
        assert_eq!(loaded.problems, []);
        let found: BTreeSet<_> = loaded.lists.blacklist.iter().map(|ban| ban.network).collect();
        let kept = |worker| (0..ENTRIES).map(move |entry| net(&address(worker, entry)));
        let expected: BTreeSet<_> = (0..PROCESSES).flat_map(kept).collect();
        assert_eq!(found.len(), loaded.lists.blacklist.len());
        assert!(found == expected, "{} of {} in {}", found.len(), expected.len(), home.url);
    }
}

/// Starts one of these tests as a process of its own.
fn start(test: &str, task: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", test])
        .env(WORKER, task)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// How many bans `victim` adds at once: so many that a kill can hit in the middle of a write.
const AT_ONCE: u32 = 200;

/// Adds one batch of bans after the other until it is killed, and says each time when it is stored. Does nothing unless
/// `what_was_stored_survives_a_kill` starts it.
#[test]
fn victim() {
    let Ok(task) = std::env::var(WORKER) else { return };
    let (start, url) = task.split_once(' ').unwrap();
    let store = aiwaf_storage::open(url).unwrap();
    for batch in start.parse::<u32>().unwrap().. {
        let bans: Vec<_> = (batch * AT_ONCE..(batch + 1) * AT_ONCE)
            .map(|number| add_ban(&std::net::Ipv4Addr::from(0x0A00_0000 + number).to_string()))
            .collect();
        store.apply(&bans).unwrap();
        println!("stored {batch}");
    }
}

#[test]
fn what_was_stored_survives_a_kill() {
    for home in homes() {
        drop(home.open());
        let mut next = 0u32;
        for round in 0..8 {
            let mut victim = start("processes::victim", &format!("{next} {}", home.url));
            let lines = BufReader::new(victim.stdout.take().unwrap()).lines().map_while(Result::ok);
            // What it says after this many was stored as well, up to where the pipe ends.
            let mut last = None;
            for (count, number) in
                lines.filter_map(|line| line.strip_prefix("stored ")?.parse::<u32>().ok()).enumerate()
            {
                last = Some(number);
                if count == 2 + round % 4 {
                    // Not always at the moment when it has just stored something.
                    (0..round * 20_000).for_each(|_| std::hint::spin_loop());
                    victim.kill().unwrap();
                }
            }
            victim.wait().unwrap();
            let last = last.expect("it stored something");
            // Before anything is repaired, and after.
            let [unrepaired, repaired] = [home.reopen(), home.open()].map(|store| store.load().unwrap());
            assert_eq!(unrepaired.problems, [], "{}", home.url);
            assert_eq!(unrepaired.lists, repaired.lists, "{}", home.url);
            let stored = u32::try_from(repaired.lists.blacklist.len()).unwrap();
            // At most the batch that was not acknowledged comes on top, and never half of it.
            let allowed = [(last + 1) * AT_ONCE, (last + 2) * AT_ONCE];
            assert!(allowed.contains(&stored), "{stored} for {last} in {}", home.url);
            next = stored / AT_ONCE;
        }
    }
}

/// Adds bans until no file may grow any more, then says how many it has stored and why the next ones could not be. Does
/// nothing unless `what_does_not_fit_leaves_what_is_there` starts it.
#[test]
fn filler() {
    let Ok(url) = std::env::var(WORKER) else { return };
    let store = aiwaf_storage::open(&url).unwrap();
    for batch in 0u32.. {
        let bans: Vec<_> = (batch * 50..(batch + 1) * 50)
            .map(|number| add_ban(&std::net::Ipv4Addr::from(0x0A00_0000 + number).to_string()))
            .collect();
        if let Err(error) = store.apply(&bans) {
            assert_eq!(u32::try_from(store.load().unwrap().lists.blacklist.len()), Ok(batch * 50));
            println!("stored {} {error}", batch * 50);
            return;
        }
    }
}

/// A limit on the size of files is the full disk that can be had without a disk of one's own: a write stores a part and
/// then fails.
#[cfg(unix)]
#[test]
fn what_does_not_fit_leaves_what_is_there() {
    let limited = "trap '' XFSZ; ulimit -f 300; exec \"$0\" --exact --nocapture processes::filler";
    for home in homes().into_iter().filter(|home| !home.url.starts_with("postgres")) {
        let filler = Command::new("sh")
            .args(["-c", limited])
            .arg(std::env::current_exe().unwrap())
            .env(WORKER, &home.url)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&filler.stdout);
        assert!(filler.status.success(), "{text}{}", String::from_utf8_lossy(&filler.stderr));
        let line = text.lines().find_map(|line| line.strip_prefix("stored ")).unwrap();
        let (stored, error) = line.split_once(' ').unwrap();
        assert!(error.contains("; "), "says how to mend it: {error}");
        let stored: usize = stored.parse().unwrap();
        assert!(stored >= 100, "{line}");
        let store = home.reopen();
        let loaded = store.load().unwrap();
        assert_eq!((loaded.lists.blacklist.len(), loaded.problems), (stored, vec![]), "{}", home.url);
        assert_eq!(store.apply(&[add_ban("192.0.2.1")]).unwrap(), [true]);
        assert_eq!(home.open().load().unwrap().lists.blacklist.len(), stored + 1);
    }
}

#[test]
fn readers_never_see_half_a_file() {
    let (directory, store) = csv();
    store.apply(&(0..200).map(|entry| add_ban(&address(0, entry))).collect::<Vec<_>>()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (1..4)
            .map(|number| {
                let directory = directory.path();
                scope.spawn(move || {
                    let store = CsvStore::open(directory).unwrap();
                    for entry in 0..20 {
                        store.apply(&[add_ban(&address(number, entry))]).unwrap();
                    }
                })
            })
            .collect();
        let reader = scope.spawn(|| {
            let mut last = 200;
            while !done.load(Ordering::Relaxed) {
                let loaded = store.load().unwrap();
                assert_eq!(loaded.problems, []);
                assert!(loaded.lists.blacklist.len() >= last);
                last = loaded.lists.blacklist.len();
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    assert_eq!(store.load().unwrap().lists.blacklist.len(), 260);
}
