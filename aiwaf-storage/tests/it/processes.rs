//! Several processes and threads on one data directory.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use aiwaf_core::ListChange;
use aiwaf_storage::{CsvStore, Store};

use crate::support::*;

const WORKER: &str = "AIWAF_STORAGE_TEST_WORKER";
const PROCESSES: u32 = 8;
const ENTRIES: u32 = 200;

fn address(worker: u32, entry: u32) -> String {
    format!("10.{worker}.0.{entry}")
}

/// Does nothing unless `original_defect_11_no_update_is_lost_between_processes` starts it as a process of its own.
#[test]
fn worker() {
    let Ok(task) = std::env::var(WORKER) else { return };
    let (number, directory) = task.split_once(' ').unwrap();
    let number: u32 = number.parse().unwrap();
    let store = CsvStore::open(directory).unwrap();
    for start in (0..ENTRIES).step_by(20) {
        let batch: Vec<_> = (start..start + 20).map(|entry| add_ban(&address(number, entry))).collect();
        assert_eq!(store.apply(&batch).unwrap(), [true; 20]);
        if start % 40 == 0 {
            let removal = ListChange::RemoveBlacklist(net(&address(number, start)));
            assert_eq!(store.apply(&[removal]).unwrap(), [true]);
        }
    }
}

#[test]
fn original_defect_11_no_update_is_lost_between_processes() {
    // Not opened yet, so that the processes also compete for creating it.
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("data");
    let workers: Vec<_> = (0..PROCESSES)
        .map(|number| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "processes::worker"])
                .env(WORKER, format!("{number} {}", directory.display()))
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut worker in workers {
        assert!(worker.wait().unwrap().success());
    }
    let loaded = CsvStore::open_existing(&directory).unwrap().load().unwrap();
    assert_eq!(loaded.problems, []);
    let found: BTreeSet<_> = loaded.lists.blacklist.iter().map(|ban| ban.network).collect();
    let kept =
        |worker| (0..ENTRIES).filter(|entry| entry % 40 != 0).map(move |entry| net(&address(worker, entry)));
    let expected: BTreeSet<_> = (0..PROCESSES).flat_map(kept).collect();
    assert_eq!(found.len(), loaded.lists.blacklist.len());
    assert!(found == expected, "{} of {}", found.len(), expected.len());
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
