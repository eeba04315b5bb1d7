//! Backups in and out: exactly, or not at all.

use std::collections::HashSet;
use std::sync::Arc;

use aiwaf_core::{
    BanSource, BlacklistEntry, CountryEntry, KeywordEntry, KeywordSource, ListName, Lists,
    PathExemptionEntry, Timestamp, WhitelistEntry,
};
use aiwaf_storage::{Backup, ImportMode, ImportOptions, Manager, MemoryStore, PlainList, Store, export_json};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::*;

const MERGE: ImportOptions = ImportOptions { mode: ImportMode::Merge, dry_run: false, skip_invalid: false };
const REPLACE: ImportOptions = ImportOptions { mode: ImportMode::Replace, ..MERGE };

/// The example of the original's documentation.
const OF_THE_ORIGINAL: &str = r#"{
  "whitelist": [
    "192.168.1.100",
    "10.0.0.50"
  ],
  "blacklist": {
    "203.0.113.10": {
      "timestamp": "2025-09-14T09:15:30.123456",
      "reason": "SQL injection attack detected"
    },
    "198.51.100.5": {
      "timestamp": "Unknown",
      "reason": "Brute force login attempts"
    }
  },
  "keywords": ["union select", "<script>"],
  "exported_at": "2025-09-14T14:30:00.000000",
  "storage_mode": "CSV"
}"#;

fn manager(store: impl Store + 'static) -> Manager {
    Manager::new(Arc::new(store))
}

fn memory(lists: &Lists) -> Manager {
    let manager = manager(MemoryStore::default());
    let backup = Backup::from_json(&*json(lists)).unwrap();
    manager.import(&backup, REPLACE).unwrap();
    manager
}

fn json(lists: &Lists) -> Vec<u8> {
    let mut out = Vec::new();
    export_json(lists, "Memory", at(9), &mut out).unwrap();
    out
}

fn lists_of(manager: &Manager) -> Lists {
    manager.load().unwrap().lists
}

#[test]
fn backups_of_the_original_are_taken() {
    let manager = manager(MemoryStore::default());
    manager.add_geo_blocked_country("CN", at(1)).unwrap();
    let report = manager.import(&Backup::from_json(OF_THE_ORIGINAL.as_bytes()).unwrap(), REPLACE).unwrap();
    assert!(report.is_change());
    let lists = lists_of(&manager);
    assert_eq!(
        lists.whitelist.iter().map(|entry| entry.network).collect::<Vec<_>>(),
        [net("192.168.1.100"), net("10.0.0.50")]
    );
    let [first, second] = lists.blacklist.as_slice() else { panic!("{lists:?}") };
    assert_eq!(first.added, Timestamp::parse_iso8601("2025-09-14T09:15:30.123456Z"));
    assert_eq!((first.reason.as_str(), first.source), ("SQL injection attack detected", BanSource::Import));
    assert_eq!((second.added, second.expires, second.offences), (None, None, 1));
    assert_eq!(lists.keywords[1].keyword, "<script>");
    assert_eq!(lists.geo_blocked_countries.len(), 1, "the original's backup says nothing about countries");
}

#[test]
fn the_original_finds_what_it_looks_for() {
    let lists = Lists {
        blacklist: vec![BlacklistEntry { added: None, ..automatic("2001:db8::/64", 9) }, ban("10.0.0.1")],
        ..Lists::default()
    };
    let manager = memory(&lists);
    manager.add_to_whitelist("10.0.0.0/8", "office", at(1)).unwrap();
    manager.add_keyword(".env", at(1)).unwrap();
    let mut out = Vec::new();
    manager.export_json(&mut out, at(1_700_000_000)).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(value["whitelist"], serde_json::json!(["10.0.0.0/8"]));
    assert_eq!(value["keywords"], serde_json::json!([".env"]));
    let bans = value["blacklist"].as_object().unwrap();
    assert_eq!(bans["10.0.0.1"]["timestamp"], "1970-01-01T00:00:01.000000Z");
    assert_eq!(bans["10.0.0.1"]["reason"], "scanner");
    assert_eq!(bans["2001:db8::/64"]["timestamp"], "");
    assert_eq!(bans["2001:db8::/64"]["source"], "rate_limit");
    assert_eq!(value["exported_at"], "2023-11-14T22:13:20.000000Z");
    assert_eq!(value["storage_mode"], "Memory");
}

#[test]
fn original_defect_10_directories_of_either_layout_are_taken() {
    for (header, row) in [
        (
            "ip,reason,added_date,extended_request_info",
            "10.0.0.1,flood,2025-09-14T10:30:00,\"{\"\"a\"\":1}\"",
        ),
        ("ip,timestamp,reason", "10.0.0.1,2025-09-14T10:30:00,flood"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        write(&directory, "blacklist.csv", format!("{header}\n{row}\n"));
        write(&directory, "whitelist.csv", "ip,added_date\n192.168.1.0/24,2025-09-14T10:30:00\n");
        let backup = Backup::from_directory(directory.path()).unwrap();
        assert_eq!(backup.holds(), [ListName::Whitelist, ListName::Blacklist]);
        let manager = manager(MemoryStore::default());
        manager.add_keyword("stays", at(1)).unwrap();
        manager.import(&backup, REPLACE).unwrap();
        let lists = lists_of(&manager);
        assert_eq!(lists.blacklist[0].reason, "flood");
        assert_eq!(lists.blacklist[0].added, Timestamp::parse_iso8601("2025-09-14T10:30:00Z"));
        assert_eq!(lists.whitelist[0].network, net("192.168.1.0/24"));
        assert_eq!(lists.keywords[0].keyword, "stays");

        write(&directory, "blacklist.csv", format!("{header}\n{row}\nbanana,x\n"));
        let error = manager.import(&Backup::from_directory(directory.path()).unwrap(), MERGE).unwrap_err();
        assert!(error.to_string().contains("blacklist.csv, line 3: \"banana\" is no IP address"), "{error}");
    }
    assert!(Backup::from_directory(tempfile::tempdir().unwrap().path()).is_err(), "an empty directory");
    assert!(Backup::from_directory("no/such/directory").is_err());
}

#[test]
fn original_defect_03_one_bad_value_keeps_everything_out() {
    let cases = [
        (
            r#"{"whitelist": ["10.0.0.1"],
            "blacklist": {"banana": {"reason": "x"}}}"#,
            "blacklist, line 2: \"banana\" is no IP address",
        ),
        (r#"{"whitelist": ["0.0.0.0/0"]}"#, "every client"),
        (r#"{"whitelist": ["=1+1"]}"#, "whitelist, line 1: \"=1+1\" is no IP address"),
        (
            r#"{"blacklist": {"10.0.0.1": {"timestamp": "yesterday"}}}"#,
            "blacklist[\"10.0.0.1\"].timestamp, line 1: \"yesterday\" is no time",
        ),
        (
            "{\"blacklist\": {\"10.0.0.1\": {\n\"expires\": \"soon\"}}}",
            "blacklist[\"10.0.0.1\"].expires, line 2",
        ),
        (r#"{"blacklist": {"10.0.0.1": {"source": "rate_limits"}}}"#, "did you mean `rate_limit`"),
        (r#"{"keywords": ["ok", "/"]}"#, "one character stands in nearly every request"),
        (
            r#"{"keywords": ["ok"], "keyword_details": {"ok": {"source": "guessed"}}}"#,
            "\"guessed\" is no source",
        ),
        (r#"{"geo_blocked_countries": ["Germany"]}"#, "is no country code"),
        (r#"{"path_exemptions": {"*": {}}}"#, "it would exempt everything"),
    ];
    for (text, expected) in cases {
        let manager = manager(MemoryStore::default());
        let backup = Backup::from_json(text.as_bytes()).unwrap();
        for options in [MERGE, REPLACE, ImportOptions { dry_run: true, ..MERGE }] {
            let error = manager.import(&backup, options).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(lists_of(&manager), Lists::default());
    }
}

#[test]
fn what_is_invalid_can_be_left_out() {
    let mut entries: Vec<String> = (0..300).map(|number| format!("\"junk{number}\"")).collect();
    entries.push("\"10.0.0.1\"".into());
    let text = format!("{{\"whitelist\": [{}]}}", entries.join(",\n"));
    let backup = Backup::from_json(text.as_bytes()).unwrap();
    assert_eq!((backup.invalid().len(), backup.more_invalid()), (Backup::MAX_INVALID, 200));
    assert_eq!(backup.invalid()[99].line, Some(100));
    let manager = manager(MemoryStore::default());
    let error = manager.import(&backup, MERGE).unwrap_err().to_string();
    assert!(error.starts_with("nothing is imported, because 300 values are not valid"), "{error}");
    let report = manager.import(&backup, ImportOptions { skip_invalid: true, ..MERGE }).unwrap();
    assert_eq!((report.skipped.len(), report.more_skipped), (100, 200));
    assert_eq!(lists_of(&manager).whitelist.len(), 1);
}

#[test]
fn no_backup_is_an_error_with_its_place() {
    let deep = format!("{{\"x\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let info = format!(
        "{{\"blacklist\": {{\"10.0.0.1\": {{\"extended_request_info\": {}1{}}}}}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    for (text, expected) in [
        ("", "line 1 column 0"),
        ("[]", "line 1"),
        ("{\n\"whitelist\": [1]}", "line 2 column"),
        ("{\"whitelist\": [], \"whitelist\": []}", "duplicate field `whitelist`"),
        ("{\"blacklist\": {\"10.0.0.1\": {\"offences\": -1}}}", "column"),
        ("{\"blacklist\": {\"10.0.0.1\": 7}}", "or the reason"),
        ("{\"rows\": []}", "none of `whitelist`"),
        ("{\"format\": 2, \"whitelist\": []}", "update this program"),
        (deep.as_str(), "none of `whitelist`"),
        (info.as_str(), "recursion limit"),
    ] {
        let error = Backup::from_json(text.as_bytes()).map(drop).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

#[test]
fn other_spellings_of_a_backup_are_taken() {
    let text = "\u{feff}{\"blacklist\": {\"10.0.0.1\": \"a reason\", \"10.0.0.2\": null, \"10.0.0.1/32\": \"later\", \
         \"10.0.0.3\": {\"extended_request_info\": {\"path\": \"/x\"}, \"else\": [1, {}]}}, \
         \"geo_blocked_countries\": [\"cn\"], \"path_exemptions\": [\"\\/health\"], \"more\": {\"a\": 1.5}}";
    let backup = Backup::from_json(text.as_bytes()).unwrap();
    assert_eq!(backup.invalid(), []);
    let bans = &backup.lists().blacklist;
    assert_eq!((bans.len(), bans[0].reason.as_str()), (3, "later"));
    assert_eq!(bans[2].extended_request_info.as_deref(), Some("{\"path\":\"/x\"}"));
    assert_eq!(backup.lists().path_exemptions[0].path, "/health");
}

#[test]
fn a_dry_run_says_what_would_change() {
    let manager = manager(MemoryStore::default());
    manager.add_all_to_blacklist(&["10.0.0.1", "10.0.0.2", "10.0.0.9"], "old", at(1)).unwrap();
    manager.add_to_whitelist("10.9.0.0/16", "", at(1)).unwrap();
    let text = r#"{"blacklist": {"10.0.0.2": {"reason": "old", "source": "manual"}, "10.0.0.9": {"reason": "new"},
        "10.0.1.0/24": "new"}}"#;
    let backup = Backup::from_json(text.as_bytes()).unwrap();
    let before = lists_of(&manager);
    for (mode, removed, changed) in [(ImportMode::Merge, 0, 1), (ImportMode::Replace, 1, 2)] {
        let report = manager.import(&backup, ImportOptions { mode, dry_run: true, ..MERGE }).unwrap();
        let difference = &report.differences[1];
        assert_eq!(difference.list, ListName::Blacklist);
        assert_eq!(difference.added.examples, ["10.0.1.0/24"]);
        // Replacing takes over the backup's unknown time of addition as well.
        assert_eq!(difference.changed.count, changed, "{difference:?}");
        assert_eq!(difference.removed.count, removed);
        assert_eq!(report.differences[0].unchanged, 1, "the whitelist is not spoken of");
        assert_eq!(lists_of(&manager), before);
    }
    manager.import(&backup, REPLACE).unwrap();
    assert_eq!(lists_of(&manager).blacklist, backup.lists().blacklist);
    assert!(!manager.import(&backup, REPLACE).unwrap().is_change());
}

#[test]
fn merging_respects_people_and_counts_once() {
    let manager = manager(MemoryStore::default());
    manager.add_keyword("manual", at(1)).unwrap();
    manager.apply(&[keyword("learned", 5, KeywordSource::Learned), add_ban("10.0.0.1")]).unwrap();
    let backup = memory(&Lists::default());
    backup
        .apply(&[
            keyword("manual", 9, KeywordSource::Learned),
            keyword("learned", 7, KeywordSource::Learned),
            aiwaf_core::ListChange::AddBlacklist(automatic("10.0.0.1", 50)),
        ])
        .unwrap();
    let backup = Backup::from_json(&*json(&lists_of(&backup))).unwrap();
    for _ in 0..2 {
        manager.import(&backup, MERGE).unwrap();
        let lists = lists_of(&manager);
        let counts: Vec<_> =
            lists.keywords.iter().map(|entry| (entry.keyword.as_str(), entry.source, entry.count)).collect();
        let expected = [("manual", KeywordSource::Manual, 1), ("learned", KeywordSource::Learned, 7)];
        assert_eq!(counts, expected);
        assert_eq!(lists.blacklist, [ban("10.0.0.1")]);
    }
}

prop_compose! {
    fn any_time()(time in prop::option::of(prop_oneof![0i64..2_000_000_000_000_000, any::<i64>()]))
        -> Option<Timestamp> { time.map(Timestamp::from_unix_micros) }
}

/// Lists as a store may hold them: keys that a person may give, other texts of any kind.
fn any_lists() -> impl Strategy<Value = Lists> {
    let v4 = (any::<u32>(), 1u8..=32)
        .prop_map(|(bits, length)| ipnet::IpNet::new(std::net::Ipv4Addr::from(bits).into(), length).unwrap());
    let v6 = (any::<u128>(), 1u8..=128)
        .prop_map(|(bits, length)| ipnet::IpNet::new(std::net::Ipv6Addr::from(bits).into(), length).unwrap());
    let network = prop_oneof![v4, v6].prop_map(aiwaf_core::canonical_network);
    let source =
        prop::sample::select(vec![BanSource::Manual, BanSource::Import, BanSource::Trainer, AUTOMATIC]);
    let text = "[a-c,\"'\\\\\n<\u{0}\u{e4}\u{2028}]{0,6}";
    let ban = (network.clone(), text, source, any_time(), any_time(), any::<u32>(), prop::option::of(text));
    let ban = ban.prop_map(|(network, reason, source, added, expires, offences, extended_request_info)| {
        BlacklistEntry { network, reason, source, added, expires, offences, extended_request_info }
    });
    let whitelist = (network, text, any_time()).prop_map(|(network, reason, added)| WhitelistEntry {
        network,
        reason,
        added,
    });
    let learned = prop::sample::select(vec![KeywordSource::Manual, KeywordSource::Learned]);
    let keyword = ("[a-z][a-z<.\"\\\\ \u{e4}]{0,6}[a-z]", any::<u64>(), learned, any_time())
        .prop_map(|(keyword, count, source, added)| KeywordEntry { keyword, count, source, added });
    let country = ("[A-Z]{2}", any_time())
        .prop_map(|(code, added)| CountryEntry { country: code.parse().unwrap(), added });
    let path = ("/[a-z\"\\\\*]{0,5}[a-z]", text, any_time())
        .prop_map(|(path, reason, added)| PathExemptionEntry { path, reason, added });
    (vec(ban, 0..8), vec(whitelist, 0..4), vec(keyword, 0..5), vec(country, 0..3), vec(path, 0..3)).prop_map(
        |(blacklist, whitelist, keywords, geo_blocked_countries, path_exemptions)| {
            // No key stands twice on a list.
            fn unique<T, K: std::hash::Hash + Eq>(entries: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
                let mut seen = HashSet::new();
                entries.into_iter().filter(|entry| seen.insert(key(entry))).collect()
            }
            Lists {
                whitelist: unique(whitelist, |entry| entry.network),
                blacklist: unique(blacklist, |entry| entry.network),
                keywords: unique(keywords, |entry| entry.keyword.trim().to_owned()),
                geo_blocked_countries: unique(geo_blocked_countries, |entry| entry.country),
                path_exemptions: unique(path_exemptions, |entry| entry.path.clone()),
            }
        },
    )
}

/// Puts any lists onto a store, bans before the whitelist that would keep automatic ones away.
fn fill(store: &dyn Store, lists: &Lists) {
    use aiwaf_core::ListChange::*;
    let mut changes: Vec<_> = lists.blacklist.iter().cloned().map(AddBlacklist).collect();
    changes.extend(lists.whitelist.iter().cloned().map(AddWhitelist));
    changes.extend(lists.keywords.iter().cloned().map(AddKeyword));
    changes.extend(lists.geo_blocked_countries.iter().cloned().map(AddCountry));
    changes.extend(lists.path_exemptions.iter().cloned().map(AddPathExemption));
    store.apply(&changes).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_is_exported_comes_back_exactly(lists in any_lists(), other in any_lists()) {
        let from = manager(MemoryStore::default());
        fill(&**from.store(), &lists);
        let mut out = Vec::new();
        from.export_json(&mut out, at(1)).unwrap();
        let backup = Backup::from_json(&*out).unwrap();
        prop_assert_eq!(backup.invalid(), []);
        let (_directory, csv) = csv();
        for to in [manager(MemoryStore::default()), manager(csv)] {
            fill(&**to.store(), &other);
            to.import(&backup, REPLACE).unwrap();
            prop_assert_eq!(lists_of(&to), lists_of(&from));
        }
    }

    #[test]
    fn merging_twice_is_merging_once_and_the_report_is_right(lists in any_lists(), other in any_lists()) {
        let from = manager(MemoryStore::default());
        fill(&**from.store(), &lists);
        let backup = Backup::from_json(&*json(&lists_of(&from))).unwrap();
        let to = manager(MemoryStore::default());
        fill(&**to.store(), &other);
        let before = lists_of(&to);
        let planned = to.import(&backup, ImportOptions { dry_run: true, ..MERGE }).unwrap();
        let done = to.import(&backup, MERGE).unwrap();
        prop_assert_eq!(&planned, &done);
        let once = lists_of(&to);
        prop_assert_eq!(planned.is_change(), once != before);
        prop_assert_eq!(once.blacklist.len(), before.blacklist.len() + done.differences[1].added.count);
        prop_assert!(!to.import(&backup, MERGE).unwrap().is_change());
        prop_assert_eq!(lists_of(&to), once);
    }

    #[test]
    fn hostile_bytes_change_nothing_and_break_nothing(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        cut in 0usize..700,
        flip in any::<(prop::sample::Index, u8)>(),
    ) {
        let mut text = OF_THE_ORIGINAL.as_bytes().to_vec();
        text[flip.0.index(OF_THE_ORIGINAL.len())] = flip.1;
        text.truncate(cut);
        for text in [&bytes, &text] {
            let backups = [
                Backup::from_json(&**text).ok(),
                Backup::from_plain_list(&**text, &PlainList::blacklist("", at(1))).ok(),
            ];
            for backup in backups.into_iter().flatten() {
                let manager = manager(MemoryStore::default());
                let imported = manager.import(&backup, MERGE);
                let lists = lists_of(&manager);
                let expected = if imported.is_ok() { backup.lists().clone() } else { Lists::default() };
                prop_assert_eq!(lists, expected);
            }
        }
    }
}
