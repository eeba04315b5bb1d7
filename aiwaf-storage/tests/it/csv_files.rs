//! CSV files as people, spreadsheets, crashes and the original leave them.

use std::fs;

use aiwaf_core::{BanSource, KeywordSource, ListChange, Timestamp};
use aiwaf_storage::{CsvStore, Revision, Store, StoreError};

use crate::support::*;

fn bans(store: &CsvStore) -> Vec<String> {
    let lists = store.load().unwrap().lists;
    lists.blacklist.iter().map(|ban| aiwaf_core::display_network(&ban.network)).collect()
}

fn problems(store: &CsvStore) -> Vec<String> {
    store.load().unwrap().problems.iter().map(ToString::to_string).collect()
}

#[test]
fn files_are_created_with_the_originals_columns_first() {
    let (directory, _store) = csv();
    assert_eq!(
        read(&directory, "blacklist.csv"),
        "ip,reason,added_date,source,expires,offences,extended_request_info\n"
    );
    assert_eq!(read(&directory, "whitelist.csv"), "ip,added_date,reason\n");
    assert_eq!(read(&directory, "keywords.csv"), "keyword,added_date,source,count\n");
    assert_eq!(read(&directory, "geo_blocked_countries.csv"), "country,added_date\n");
    assert_eq!(read(&directory, "path_exemptions.csv"), "path,reason,added_date\n");
}

#[test]
fn missing_and_empty_files_are_empty_lists_but_a_missing_directory_is_an_error() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let error = CsvStore::open_existing(&path).unwrap_err();
    assert!(error.to_string().contains("create it, or check the spelling"), "{error}");
    fs::create_dir(&path).unwrap();
    write(&path, "blacklist.csv", "");
    let store = CsvStore::open_existing(&path).unwrap();
    assert_eq!(store.load().unwrap(), aiwaf_storage::Loaded::default());
    assert!(!path.join("whitelist.csv").exists());
    store.apply(&[add_ban("10.0.0.1"), whitelist("10.0.0.2")]).unwrap();
    assert_eq!((bans(&store).len(), store.load().unwrap().lists.whitelist.len()), (1, 1));
    fs::remove_dir_all(&path).unwrap();
    assert!(
        store.load().is_err() && store.revision().is_err() && store.apply(&[add_ban("10.0.0.3")]).is_err()
    );
}

#[test]
fn original_defect_03_junk_is_never_an_entry() {
    let (directory, store) = csv();
    let junk: Vec<String> = (0..1500).map(|number| format!("=HYPERLINK(\"x\"){number},junk,\r\n")).collect();
    let junk = junk.concat();
    let file = format!("ip,reason,added_date\r\nbanana,x,\r\n10.0.0.1,fine,\r\n{junk}");
    write(&directory, "blacklist.csv", &file);
    let loaded = store.load().unwrap();
    assert_eq!(bans(&store), ["10.0.0.1"]);
    assert_eq!(loaded.problems.len() + loaded.more_problems, 1501);
    assert!(loaded.problems.len() <= 100);
    let first = loaded.problems[0].to_string();
    assert!(first.starts_with("blacklist.csv, line 2: \"banana\" is no IP address or network"), "{first}");
    store.apply(&[add_ban("10.0.0.2")]).unwrap();
    let text = read(&directory, "blacklist.csv");
    assert!(text.contains(&junk) && text.contains("\nbanana,x,\r\n"), "junk is kept as it was");
    store
        .apply(&[ListChange::AddBlacklist(aiwaf_core::BlacklistEntry {
            reason: "=cmd|' /C calc'!A0".into(),
            ..ban("10.0.0.3")
        })])
        .unwrap();
    assert!(read(&directory, "blacklist.csv").contains("\n10.0.0.3,'=cmd|"));
    assert_eq!(store.load().unwrap().lists.blacklist[2].reason, "=cmd|' /C calc'!A0");
}

#[test]
fn original_defect_04_networks_are_networks() {
    let (directory, store) = csv();
    write(
        &directory,
        "whitelist.csv",
        "ip,added_date\n192.168.1.7/24,2025-09-14T10:30:00\n::ffff:10.0.0.1,\n",
    );
    let lists = store.load().unwrap().lists;
    let networks: Vec<_> = lists.whitelist.iter().map(|entry| entry.network).collect();
    assert_eq!(networks, [net("192.168.1.0/24"), net("10.0.0.1")]);
    assert_eq!(store.apply(&[ListChange::RemoveWhitelist(net("192.168.1.0/24"))]).unwrap(), [true]);
}

#[test]
fn original_defect_10_both_layouts_are_read_and_nothing_is_dropped() {
    let (directory, store) = csv();
    let original = "ip,reason,added_date,extended_request_info\r\n\
        10.0.0.1,Suspicious activity,2025-09-14T10:30:00.123456,\"{\"\"path\"\": \"\"/x\"\"}\"\r\n\
        10.0.0.2,Flood pattern,2025-09-14T11:15:00,{}\r\n";
    write(&directory, "blacklist.csv", original);
    store.apply(&[ListChange::RemoveBlacklist(net("10.0.0.2"))]).unwrap();
    assert_eq!(
        read(&directory, "blacklist.csv"),
        "ip,reason,added_date,extended_request_info,source,expires,offences\r\n\
         10.0.0.1,Suspicious activity,2025-09-14T10:30:00.123456,\"{\"\"path\"\": \"\"/x\"\"}\"\r\n"
    );
    let ban = store.load().unwrap().lists.blacklist.remove(0);
    assert_eq!(ban.extended_request_info.as_deref(), Some("{\"path\": \"/x\"}"));
    assert_eq!((ban.source, ban.expires, ban.offences), (BanSource::Manual, None, 1));

    let command_line = "ip,timestamp,reason\n10.0.0.3,2025-09-14T09:15:30,SQL injection\n";
    write(&directory, "blacklist.csv", command_line);
    let ban = store.load().unwrap().lists.blacklist.remove(0);
    assert_eq!(ban.reason, "SQL injection");
    assert_eq!(ban.added, Timestamp::parse_iso8601("2025-09-14T09:15:30"));
}

#[test]
fn unknown_columns_and_unreadable_cells_survive() {
    let (directory, store) = csv();
    let file =
        "\u{feff}Note,IP,reason,added_date,expires\nmine,10.0.0.1,old,last week,soon\nyours,10.0.0.2,x,,\n";
    write(&directory, "blacklist.csv", file);
    assert_eq!(bans(&store), ["10.0.0.1", "10.0.0.2"]);
    let problems = problems(&store);
    assert!(problems[0].contains("line 2: \"last week\" is not understood"), "{problems:?}");
    assert!(problems[1].contains("\"soon\" is not understood, so the ban has no end"), "{problems:?}");
    store.apply(&[ListChange::AddBlacklist(automatic("10.0.0.2", 5)), add_ban("10.0.0.2")]).unwrap();
    let text = read(&directory, "blacklist.csv");
    assert!(text.contains("\nmine,10.0.0.1,old,last week,soon\n"), "{text}");
    assert!(text.contains("\nyours,10.0.0.2,scanner,"), "{text}");
}

#[test]
fn a_file_cut_short_is_reported_and_kept() {
    let (directory, store) = csv();
    write(
        &directory,
        "blacklist.csv",
        "ip,reason,added_date\n10.0.0.1,x,\n\"10.0.0.2,never closed\n10.0.0.3,x,\n10.0.0.12",
    );
    for _ in 0..2 {
        let problems = problems(&store);
        assert!(problems[0].contains("line 3: opens a quote and does not close it"), "{problems:?}");
        assert!(
            problems[1].contains("is cut off; the row is kept, but has no effect: \"10.0.0.12\""),
            "{problems:?}"
        );
        store.apply(&[add_ban("10.0.0.4")]).unwrap();
        assert_eq!(bans(&store), ["10.0.0.1", "10.0.0.3", "10.0.0.4"]);
        let text = read(&directory, "blacklist.csv");
        assert!(text.contains("\n\"10.0.0.2,never closed\n") && text.ends_with("\n10.0.0.12"), "{text}");
    }
}

#[test]
fn bytes_that_are_no_text_survive() {
    let (directory, store) = csv();
    write(&directory, "keywords.csv", b"keyword,added_date\n\xff\xfe,\n.env,\n");
    store.apply(&[keyword("wp-admin", 1, KeywordSource::Manual)]).unwrap();
    let bytes = fs::read(directory.path().join("keywords.csv")).unwrap();
    assert!(bytes.windows(4).any(|window| window == b"\n\xff\xfe,"));
    assert_eq!(store.load().unwrap().lists.keywords.len(), 2);
}

#[test]
fn the_last_of_two_rows_counts() {
    let (directory, store) = csv();
    write(&directory, "blacklist.csv", "ip,reason\n10.0.0.1,first\n10.0.0.2,x\n10.0.0.1,last\n");
    assert_eq!(store.load().unwrap().lists.blacklist[0].reason, "last");
    assert!(problems(&store)[0].contains("line 4: replaces line 2"));
    store.apply(&[ListChange::RemoveBlacklist(net("10.0.0.1"))]).unwrap();
    assert_eq!(bans(&store), ["10.0.0.2"]);
}

#[test]
fn a_file_without_its_key_column_is_an_error_and_no_empty_list() {
    let (directory, store) = csv();
    for text in ["10.0.0.1,x\n", "\0\0\0\0", "\"ip,reason\n"] {
        write(&directory, "blacklist.csv", text);
        let error = store.load().unwrap_err();
        assert!(matches!(error, StoreError::Header { .. }), "{error}");
        assert!(error.to_string().contains("make it `ip,reason,added_date,"), "{error}");
        assert!(store.apply(&[add_ban("10.0.0.2")]).is_err());
        assert_eq!(read(&directory, "blacklist.csv"), text);
    }
}

#[test]
fn original_defect_12_a_store_that_fails_is_no_empty_store() {
    let parent = tempfile::tempdir().unwrap();
    write(&parent, "data", "a file where a directory should be");
    for path in [parent.path().join("data"), parent.path().join("data/below")] {
        let error = CsvStore::open(&path).unwrap_err();
        assert!(error.to_string().contains("choose another data directory"), "{error}");
        assert!(CsvStore::open_existing(&path).is_err());
    }
    let (directory, store) = csv();
    store.apply(&[add_ban("10.0.0.1")]).unwrap();
    fs::remove_file(directory.path().join("keywords.csv")).unwrap();
    fs::create_dir(directory.path().join("keywords.csv")).unwrap();
    let error = store.load().unwrap_err();
    assert!(error.to_string().contains("a directory is where a file should be"), "{error}");
}

#[test]
fn a_write_that_fails_leaves_the_old_lists() {
    let (directory, store) = csv();
    store.apply(&[add_ban("10.0.0.1")]).unwrap();
    let before = read(&directory, "blacklist.csv");
    fs::remove_file(directory.path().join(".lock")).unwrap();
    fs::create_dir(directory.path().join(".lock")).unwrap();
    let error = store.apply(&[add_ban("10.0.0.2")]).unwrap_err();
    assert!(error.to_string().contains(".lock"), "{error}");
    assert_eq!(read(&directory, "blacklist.csv"), before);
    assert_eq!(bans(&store), ["10.0.0.1"]);
}

#[test]
fn leftovers_of_a_crash_are_harmless_and_cleaned() {
    let (directory, store) = csv();
    store.apply(&[add_ban("10.0.0.1")]).unwrap();
    write(&directory, ".aiwaf-x1y2z3.tmp", "ip,reason,added_date\n10.0.0.9,ha");
    write(&directory, "notes.tmp", "mine");
    let store = CsvStore::open(directory.path()).unwrap();
    assert_eq!(bans(&store), ["10.0.0.1"]);
    assert!(!directory.path().join(".aiwaf-x1y2z3.tmp").exists());
    assert!(directory.path().join("notes.tmp").exists());
}

/// The networks that came since `revision`, or nothing if everything must be read again.
fn additions(store: &CsvStore, revision: &Revision) -> Option<Vec<ipnet::IpNet>> {
    let additions = store.additions_since(revision).unwrap()?;
    assert_eq!(additions.revision, store.revision().unwrap());
    Some(additions.bans.into_iter().map(|ban| ban.network).collect())
}

#[test]
fn new_bans_are_read_without_the_rest() {
    let (directory, store) = csv();
    let other = CsvStore::open(directory.path()).unwrap();
    other.apply(&[add_ban("10.0.0.1"), whitelist("10.9.9.9")]).unwrap();
    let first = store.revision().unwrap();
    assert_eq!(additions(&store, &first), Some(vec![]));
    other.apply(&[add_ban("10.0.0.2"), add_ban("2001:db8::/64")]).unwrap();
    store.apply(&[ListChange::AddBlacklist(automatic("10.0.0.3", 9))]).unwrap();
    let second = store.revision().unwrap();
    let expected = ["10.0.0.2", "2001:db8::/64", "10.0.0.3"].map(net);
    assert_eq!(additions(&store, &first).unwrap(), expected);
    assert_eq!(additions(&other, &second), Some(vec![]));

    other.apply(&[whitelist("10.8.8.8")]).unwrap();
    assert_eq!(additions(&store, &second), None, "another list changed");
    let third = store.revision().unwrap();
    other.apply(&[add_ban("10.0.0.4"), ListChange::RemoveBlacklist(net("10.0.0.1"))]).unwrap();
    assert_eq!(additions(&store, &third), None, "something was removed");
    let fourth = store.revision().unwrap();
    other.apply(&[add_ban("10.0.0.5"), ListChange::AddBlacklist(automatic("10.0.0.3", 99))]).unwrap();
    assert_eq!(additions(&store, &fourth), None, "something was altered");
    assert_eq!(bans(&store).len(), 5);
}

#[test]
fn an_edit_by_hand_is_never_taken_for_an_addition() {
    let (directory, store) = csv();
    store.apply(&[add_ban("10.0.0.1")]).unwrap();
    let before = store.revision().unwrap();
    let text = read(&directory, "blacklist.csv");
    // In place, longer, and with another first row; then something is added in the usual way.
    write(&directory, "blacklist.csv", text.replace("10.0.0.1,scanner", "10.0.0.2,somebody else,"));
    let edited = store.revision().unwrap();
    assert_eq!(additions(&store, &before), None);
    store.apply(&[add_ban("10.0.0.3")]).unwrap();
    assert_eq!(additions(&store, &before), None);
    assert_eq!(additions(&store, &edited), None);
    let known = store.revision().unwrap();
    store.apply(&[add_ban("10.0.0.4")]).unwrap();
    assert_eq!(additions(&store, &known).unwrap(), [net("10.0.0.4")]);
    fs::remove_file(directory.path().join(".lock")).unwrap();
    assert_eq!(additions(&store, &known), None);
    store.apply(&[add_ban("10.0.0.5")]).unwrap();
    assert_eq!(additions(&store, &known), None);
}

#[cfg(unix)]
#[test]
fn bans_are_appended_and_everything_else_is_rewritten() {
    use std::os::unix::fs::MetadataExt;
    let (directory, store) = csv();
    let path = directory.path().join("blacklist.csv");
    let file = || fs::metadata(&path).unwrap().ino();
    write(&directory, "blacklist.csv", "ip,reason,added_date\n10.0.0.1,x,\nbanana,x,\n");
    let first = file();
    store.apply(&[add_ban("10.0.0.2")]).unwrap();
    let second = file();
    assert_ne!(first, second, "the file lacked columns");
    store.apply(&[add_ban("10.0.0.3"), add_ban("10.0.0.2")]).unwrap();
    assert_eq!(file(), second);
    assert!(read(&directory, "blacklist.csv").contains("\n10.0.0.1,x,\nbanana,x,\n10.0.0.2,"));
    store.apply(&[ListChange::RemoveBlacklist(net("10.0.0.2")), add_ban("10.0.0.2")]).unwrap();
    assert_eq!(bans(&store), ["10.0.0.1", "10.0.0.3", "10.0.0.2"]);
}

#[cfg(unix)]
#[test]
fn the_mode_of_a_file_stays() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, store) = csv();
    let path = directory.path().join("blacklist.csv");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode() & 0o007, 0, "not for everybody");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
    store.apply(&[add_ban("10.0.0.1")]).unwrap();
    assert_eq!(mode(), 0o604);
}

#[test]
fn an_edit_by_hand_changes_the_revision() {
    let (directory, store) = csv();
    let before = store.revision().unwrap();
    write(&directory, "blacklist.csv", "ip\n10.0.0.1\n");
    assert_ne!(store.revision().unwrap(), before);
}

#[test]
fn lists_in_a_directory_that_can_not_be_written_are_read() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("blacklist.csv"), "ip,reason,added_date\n192.0.2.9,known,\n")
        .unwrap();
    // In place of the lock, so that nothing can be written, whoever runs this.
    std::fs::create_dir(directory.path().join(".lock")).unwrap();
    let store = CsvStore::open(directory.path()).unwrap();
    assert_eq!(store.load().unwrap().lists.blacklist.len(), 1);
    let change = ListChange::RemoveBlacklist(aiwaf_core::parse_network("192.0.2.9").unwrap());
    assert!(store.apply(&[change]).is_err(), "and a change says what is wrong");
}
