//! SQLite files as people, crashes and other versions leave them.

use std::fs;
use std::path::PathBuf;

use aiwaf_core::{BanSource, ListChange};
use aiwaf_storage::{SqliteStore, Store, StoreError};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use tempfile::TempDir;

use crate::support::*;

fn sqlite() -> (TempDir, PathBuf, SqliteStore) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("aiwaf.db");
    let store = SqliteStore::open(&path).unwrap();
    (directory, path, store)
}

/// Does what a person does with a tool.
fn edit(path: &std::path::Path, script: &str) {
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    connection.batch_execute(script).unwrap();
}

fn bans(store: &SqliteStore) -> Vec<String> {
    let lists = store.load().unwrap().lists;
    lists.blacklist.iter().map(|ban| aiwaf_core::display_network(&ban.network)).collect()
}

#[test]
fn an_edit_by_hand_is_noticed_and_has_defaults() {
    let (_directory, path, store) = sqlite();
    let before = store.revision().unwrap();
    edit(&path, "INSERT INTO aiwaf_blacklist (network) VALUES ('203.0.113.0/24')");
    assert_ne!(store.revision().unwrap(), before);
    let ban = store.load().unwrap().lists.blacklist.remove(0);
    assert_eq!((ban.source, ban.offences, ban.expires), (BanSource::Manual, 1, None));
    assert_eq!(store.apply(&[ListChange::RemoveBlacklist(net("203.0.113.7/24"))]).unwrap(), [true]);
    assert_eq!(bans(&store), [""; 0]);
}

#[test]
fn original_defect_03_rows_that_make_no_sense_are_reported_and_kept() {
    let (_directory, path, store) = sqlite();
    edit(
        &path,
        "INSERT INTO aiwaf_blacklist (network, source) VALUES
             ('banana', ''), ('10.0.0.7/24', 'manual'), ('10.0.0.1', 'magic'), ('10.0.0.2', 'manual');
         INSERT INTO aiwaf_keywords (keyword) VALUES ('.ENV'), ('');
         INSERT INTO aiwaf_geo_blocked_countries (country) VALUES ('de'), ('Germany');",
    );
    assert_eq!(bans(&store), ["10.0.0.1", "10.0.0.2"]);
    let loaded = store.load().unwrap();
    let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 7, "{problems:#?}");
    assert!(
        problems[0].starts_with("table aiwaf_blacklist, line 1: \"banana\" is no IP address"),
        "{problems:?}"
    );
    assert!(problems[1].contains("has no effect until it is written \"10.0.0.0/24\": \"10.0.0.7/24\""));
    assert!(problems[2].contains("is not understood, so the ban counts as manual: \"magic\""));
    assert!(problems[3].contains("has no effect until it is written \".env\": \".ENV\""));
    let everything = store.apply(&[add_ban("10.0.0.3")]).and_then(|_| store.load()).unwrap();
    assert_eq!(everything.problems, loaded.problems);
    edit(
        &path,
        "WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < 1500)
         INSERT INTO aiwaf_blacklist (network) SELECT 'junk' || number FROM numbers",
    );
    let loaded = store.load().unwrap();
    assert_eq!((loaded.problems.len(), loaded.more_problems), (104, 1403));
}

#[test]
fn original_defect_12_a_file_that_is_gone_or_broken_is_no_empty_store() {
    let (directory, path, store) = sqlite();
    store.apply(&[add_ban("10.0.0.1")]).unwrap();
    for error in [
        SqliteStore::open_existing(directory.path().join("other.db")).unwrap_err(),
        SqliteStore::open(directory.path().join("missing/aiwaf.db")).unwrap_err(),
    ] {
        assert!(error.to_string().contains("create it, or check the spelling"), "{error}");
    }
    let error = SqliteStore::open(directory.path()).unwrap_err();
    assert!(error.to_string().contains("a directory is where a file should be"), "{error}");

    let moved = directory.path().join("moved.db");
    fs::rename(&path, &moved).unwrap();
    assert!(
        store.load().is_err() && store.revision().is_err() && store.apply(&[add_ban("10.0.0.3")]).is_err()
    );
    assert!(!path.exists());
    fs::rename(&moved, &path).unwrap();
    assert_eq!(bans(&store), ["10.0.0.1"]);

    write(
        &directory,
        "junk.db",
        "ip,reason,added_date\n10.0.0.1,this is CSV and long enough to be looked at\n".repeat(9),
    );
    let error = SqliteStore::open(directory.path().join("junk.db")).unwrap_err();
    assert!(error.to_string().contains("move this one away"), "{error}");
    assert!(read(&directory, "junk.db").starts_with("ip,reason"));
}

#[test]
fn a_file_that_is_replaced_with_its_journal_is_noticed() {
    let (directory, path, store) = sqlite();
    store.apply(&[add_ban("10.0.0.1")]).unwrap();
    let before = store.revision().unwrap();
    let backup = directory.path().join("backup.db");
    SqliteStore::open(&backup).unwrap().apply(&[add_ban("10.0.0.2")]).unwrap();
    for leftover in ["aiwaf.db-wal", "aiwaf.db-shm"] {
        fs::remove_file(directory.path().join(leftover)).unwrap();
    }
    fs::rename(&backup, &path).unwrap();
    assert_ne!(store.revision().unwrap(), before);
    assert_eq!(bans(&store), ["10.0.0.2"]);
}

#[test]
fn tables_that_were_dropped_are_an_error_until_they_are_back() {
    let (_directory, path, store) = sqlite();
    edit(&path, "ALTER TABLE aiwaf_keywords RENAME TO lost");
    let error = store.load().unwrap_err();
    assert!(error.to_string().contains("something else changed the tables"), "{error}");
    edit(&path, "ALTER TABLE lost RENAME TO aiwaf_keywords");
    store.load().unwrap();
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let (_directory, path, store) = sqlite();
    store.apply(&[add_ban("10.0.0.1")]).unwrap();
    drop(store);
    edit(&path, "UPDATE aiwaf_meta SET schema_version = 99");
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 99, .. }), "{error}");
    assert!(error.to_string().contains("update this program"), "{error}");
    edit(&path, "UPDATE aiwaf_meta SET schema_version = 1");
    assert_eq!(bans(&SqliteStore::open(&path).unwrap()), ["10.0.0.1"]);
}

#[test]
fn tables_of_others_stay_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("application.db");
    edit(
        &path,
        "CREATE TABLE blacklist (x); CREATE TABLE __diesel_schema_migrations (version TEXT PRIMARY KEY, run_on); INSERT INTO __diesel_schema_migrations VALUES ('20990101000000', '')",
    );
    let store = SqliteStore::open(&path).unwrap();
    store.apply(&[add_ban("10.0.0.1")]).unwrap();
    assert_eq!(bans(&store), ["10.0.0.1"]);
}

#[test]
fn a_write_that_fails_leaves_the_old_lists() {
    let (_directory, path, store) = sqlite();
    store.apply(&[add_ban("10.0.0.1")]).unwrap();
    // A trigger that fails in the middle of a batch stands for any refusal of a write.
    edit(
        &path,
        "CREATE TRIGGER refuse BEFORE INSERT ON aiwaf_blacklist WHEN new.network = '10.0.0.3' BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END",
    );
    let error = store.apply(&[add_ban("10.0.0.2"), add_ban("10.0.0.3")]).unwrap_err();
    assert!(error.to_string().contains("make room on the disk"), "{error}");
    assert_eq!(bans(&store), ["10.0.0.1"]);
}

#[test]
fn a_directory_that_can_not_be_written_is_a_clear_error_and_leaves_the_old_lists() {
    let (directory, path, store) = sqlite();
    store.apply(&[add_ban("10.0.0.1")]).unwrap();
    drop(store);
    // In place of the journal, so that nothing can be written, whoever runs this.
    let journal = directory.path().join("aiwaf.db-wal");
    fs::create_dir(&journal).unwrap();
    let error = SqliteStore::open(&path).and_then(|store| store.apply(&[add_ban("10.0.0.2")])).unwrap_err();
    assert!(error.to_string().contains("let the user that runs this read and write"), "{error}");
    fs::remove_dir(&journal).unwrap();
    assert_eq!(bans(&SqliteStore::open(&path).unwrap()), ["10.0.0.1"]);
}

#[test]
fn a_long_list_is_one_transaction() {
    let (_directory, _, store) = sqlite();
    let before = store.revision().unwrap();
    let bans: Vec<_> = (0..10_001u32)
        .map(|number| ListChange::AddBlacklist(automatic(&std::net::Ipv4Addr::from(number).to_string(), 9)))
        .collect();
    assert!(store.apply(&bans).unwrap().into_iter().all(|altered| altered));
    assert_ne!(store.revision().unwrap(), before);
    assert_eq!(store.load().unwrap().lists.blacklist.len(), bans.len());
    assert!(!store.apply(&bans).unwrap().contains(&true));
    assert_eq!(store.apply(&[ListChange::RemoveEndedBans(at(9))]).unwrap(), [true]);
    assert_eq!(store.load().unwrap().lists, aiwaf_core::Lists::default());
}
