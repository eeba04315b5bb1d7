//! Lists of others in, and rules for others out: nothing but addresses.

use std::sync::Arc;

use aiwaf_core::{BanSource, BlacklistEntry, Lists, WhitelistEntry};
use aiwaf_storage::{
    Backup, BackupError, ExportedList, ImportOptions, Manager, MemoryStore, PlainList, export_ipset,
    export_json, export_nginx_deny, export_plain_list,
};

use crate::support::*;

#[test]
fn plain_lists_of_all_kinds_are_taken() {
    let feed = b"\xEF\xBB\xBF; Spamhaus\r\n# FireHOL\r\n\r\n  203.0.113.0/24 ; SBL1\r\n198.51.100.7# x\xFF\n\
        198.51.100.7\n2001:DB8::/32";
    let list = PlainList::blacklist("feed", at(5)).with_expiry(at(99));
    let backup = Backup::from_plain_list(&feed[..], &list).unwrap();
    assert_eq!(backup.invalid(), []);
    let bans = &backup.lists().blacklist;
    let networks: Vec<_> = bans.iter().map(|ban| ban.network).collect();
    assert_eq!(networks, [net("203.0.113.0/24"), net("198.51.100.7"), net("2001:db8::/32")]);
    assert_eq!(bans[0].reason, "feed: SBL1");
    assert_eq!(
        (bans[2].source, bans[2].added, bans[2].expires),
        (BanSource::Import, Some(at(5)), Some(at(99)))
    );

    let long = format!("{}\n10.0.0.1 # {}", "1".repeat(1_000_000), "y".repeat(1_000_000));
    let backup = Backup::from_plain_list(long.as_bytes(), &PlainList::whitelist("", at(5))).unwrap();
    assert_eq!(backup.lists().whitelist[0].reason.len(), aiwaf_storage::MAX_REASON);
    assert!(backup.invalid()[0].to_string().len() < 300);
    for (line, expected) in [
        ("10.0.0.1-10.0.0.9", "whitelist, line 2: \"10.0.0.1-10.0.0.9\" is a range"),
        ("10.0.0.1 - 10.0.0.9", "is a range"),
        ("10.0.0.1, 10.0.0.2", "more than one address"),
        ("10.0.0.1\t5", "more than one address"),
        ("0.0.0.0/0", "every client"),
        ("example.com", "is no IP address"),
        ("10.0.0.0/255.0.0.0", "is no IP address"),
    ] {
        let text = format!("10.0.0.3\n{line}\n");
        let backup = Backup::from_plain_list(text.as_bytes(), &PlainList::whitelist("", at(5))).unwrap();
        let manager = Manager::new(Arc::new(MemoryStore::default()));
        let error = manager.import(&backup, ImportOptions::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(manager.load().unwrap().lists, Lists::default());
    }
}

fn hostile_bans() -> Lists {
    let reasons = ["a\nadd aiwaf-v4 0.0.0.0/1", "x;\r\nallow all;", "\u{2028}deny all;\u{85}#", "", "# ; \0"];
    let ban = |(number, reason): (usize, &&str)| BlacklistEntry {
        reason: (*reason).into(),
        ..ban(&format!("10.0.0.{number}"))
    };
    let mut blacklist: Vec<_> = reasons.iter().enumerate().map(ban).collect();
    blacklist.push(automatic("10.0.1.1", 50));
    blacklist.push(automatic("2001:db8::/64", 5_000_000));
    blacklist.push(automatic("10.0.9.0/30", 101));
    let white = |network| WhitelistEntry { network, reason: String::new(), added: None };
    Lists { blacklist, whitelist: vec![white(net("10.0.9.1")), white(net("10.0.0.3"))], ..Lists::default() }
}

#[test]
fn rules_for_others_hold_nothing_but_bans() {
    let mut out = Vec::new();
    export_nginx_deny(&hostile_bans(), at(100), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<&str> =
        text.split(['\n', '\r', '\u{85}', '\u{2028}']).filter(|line| !line.is_empty()).collect();
    assert!(lines.iter().all(|line| line.starts_with("deny ")), "{text}");
    assert!(lines.contains(&"deny 10.0.0.0; # a add aiwaf-v4 0.0.0.0/1"), "{text}");
    assert!(!text.contains("10.0.0.3;") && !text.contains("10.0.9.0/30"), "whitelisted: {text}");
    assert!(lines.contains(&"deny 10.0.9.2/31; # scanner") && !text.contains("10.0.1.1"), "{text}");

    let mut out = Vec::new();
    export_ipset(&hostile_bans(), "aiwaf", at(100), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let added: Vec<&str> = text.lines().filter(|line| line.starts_with("add ")).collect();
    assert_eq!(
        added,
        [
            "add aiwaf-v4 10.0.0.0/32 -exist",
            "add aiwaf-v4 10.0.0.1/32 -exist",
            "add aiwaf-v4 10.0.0.2/32 -exist",
            "add aiwaf-v4 10.0.0.4/32 -exist",
            "add aiwaf-v4 10.0.9.0/32 timeout 1 -exist",
            "add aiwaf-v4 10.0.9.2/31 timeout 1 -exist",
            "add aiwaf-v6 2001:db8::/64 timeout 2147483 -exist",
        ]
    );
    assert_eq!(text.lines().count(), added.len() + 4);
    for name in ["", "a b", "x\nadd", "-f", &"x".repeat(29)] {
        let refused = export_ipset(&Lists::default(), name, at(1), &mut Vec::new());
        assert!(matches!(refused, Err(BackupError::SetName(_))), "{name}");
    }
}

#[test]
fn an_exported_plain_list_reads_back() {
    let lists = hostile_bans();
    let mut out = Vec::new();
    export_plain_list(&lists, ExportedList::Blacklist, at(100), &mut out).unwrap();
    let list = PlainList::blacklist("", at(100));
    let backup = Backup::from_plain_list(&*out, &list).unwrap();
    assert_eq!(backup.invalid(), []);
    let active = lists.blacklist.iter().filter(|ban| ban.is_active(at(100))).map(|ban| ban.network);
    assert!(backup.lists().blacklist.iter().map(|ban| ban.network).eq(active));
    let mut out = Vec::new();
    export_plain_list(&lists, ExportedList::Whitelist, at(100), &mut out).unwrap();
    assert_eq!(out, b"10.0.9.1\n10.0.0.3\n");
}

#[test]
fn a_full_disk_is_an_error() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let lists = hostile_bans();
    assert!(matches!(export_json(&lists, "CSV", at(1), Full), Err(BackupError::Write(_))));
    assert!(export_nginx_deny(&lists, at(1), Full).is_err());
    assert!(export_ipset(&lists, "aiwaf", at(1), Full).is_err());
    assert!(export_plain_list(&lists, ExportedList::Whitelist, at(1), Full).is_err());
}
