//! The behaviour that all stores share.

use std::rc::Rc;

use aiwaf_core::{BlacklistEntry, KeywordSource, ListChange, ListName, Timestamp};
use aiwaf_storage::{MAX_EXTENDED_REQUEST_INFO, MAX_KEYWORD, MAX_PATH, MAX_REASON, MemoryStore, Store};
use proptest::prelude::*;

use crate::support::*;

#[test]
fn a_new_store_is_empty_and_keeps_what_it_is_given() {
    on_every_store(|store| {
        assert_eq!(store.load().unwrap(), aiwaf_storage::Loaded::default());
        let full = BlacklistEntry {
            extended_request_info: Some(r#"{"path":"/x","agent":"=cmd, \"quoted\""}"#.into()),
            expires: Some(Timestamp::from_unix_micros(1_700_000_000_123_456)),
            offences: 3,
            reason: "=1+1, \"x\"; '=2".into(),
            ..automatic("2001:db8::/64", 9)
        };
        let changes = [
            whitelist("10.0.0.0/8"),
            ListChange::AddBlacklist(full.clone()),
            keyword("-- union, \"select\"", 7, KeywordSource::Learned),
            keyword("@import", 1, KeywordSource::Manual),
            country("DE"),
            exempt("*.css"),
        ];
        assert_eq!(store.apply(&changes).unwrap(), [true; 6]);
        let lists = store.load().unwrap().lists;
        assert_eq!(lists.blacklist, [full]);
        let keywords: Vec<_> =
            lists.keywords.iter().map(|entry| (entry.keyword.as_str(), entry.count)).collect();
        assert_eq!(keywords, [("-- union, \"select\"", 7), ("@import", 1)]);
        assert_eq!(lists.geo_blocked_countries[0].country.as_str(), "DE");
        assert_eq!((lists.whitelist.len(), lists.path_exemptions[0].path.as_str()), (1, "*.css"));
        assert_eq!(store.apply(&changes[..2]).unwrap(), [false, false]);
    });
}

#[test]
fn only_the_wanted_lists_are_read() {
    on_every_store(|store| {
        store.apply(&[whitelist("10.0.0.0/8"), add_ban("10.0.0.1"), country("DE"), exempt("*.css")]).unwrap();
        let all = store.load().unwrap().lists;
        let some = store.load_only(&[ListName::PathExemptions, ListName::Blacklist]).unwrap().lists;
        let expected =
            aiwaf_core::Lists { whitelist: Vec::new(), geo_blocked_countries: Vec::new(), ..all.clone() };
        assert_eq!(some, expected);
        assert_eq!(store.load_only(&ListName::ALL).unwrap().lists, all);
        assert_eq!(store.load_only(&[]).unwrap(), aiwaf_storage::Loaded::default());
    });
}

#[test]
fn removing_and_clearing_say_whether_something_was_there() {
    on_every_store(|store| {
        store.apply(&[add_ban("10.0.0.1"), add_ban("10.0.0.2"), add_ban("10.0.0.3")]).unwrap();
        let removal = ListChange::RemoveBlacklist(net("10.0.0.2"));
        assert_eq!(store.apply(&[removal.clone(), removal]).unwrap(), [true, false]);
        let left: Vec<_> = store.load().unwrap().lists.blacklist.iter().map(|ban| ban.network).collect();
        assert_eq!(left, [net("10.0.0.1"), net("10.0.0.3")]);
        let clear = ListChange::Clear(ListName::Blacklist);
        assert_eq!(store.apply(&[clear.clone(), clear]).unwrap(), [true, false]);
    });
}

#[test]
fn the_revision_tells_of_every_change() {
    on_every_store(|store| {
        let mut seen = vec![store.revision().unwrap()];
        for number in 0..20 {
            // The size stays, the content does not.
            let (add, remove) =
                (format!("10.0.0.{}", 10 + number % 2), format!("10.0.0.{}", 11 - number % 2));
            store.apply(&[add_ban(&add), ListChange::RemoveBlacklist(net(&remove))]).unwrap();
            let revision = store.revision().unwrap();
            assert!(!seen.contains(&revision), "{number}");
            assert_eq!(store.revision().unwrap(), revision);
            seen.push(revision);
        }
        store.apply(&[add_ban("10.0.0.11")]).unwrap();
        assert_eq!(seen.last(), Some(&store.revision().unwrap()), "nothing changed");
    });
}

#[test]
fn hostile_text_is_bounded_and_never_breaks_a_list() {
    on_every_store(|store| {
        let hostile = BlacklistEntry {
            reason: "x\r\n10.9.9.9,forged\0".repeat(1000),
            extended_request_info: Some("y".repeat(MAX_EXTENDED_REQUEST_INFO + 1)),
            expires: Some(Timestamp::from_unix_micros(i64::MAX)),
            ..automatic("10.0.0.1", 1)
        };
        let changes =
            [ListChange::AddBlacklist(hostile), keyword("\0 \n", 1, KeywordSource::Learned), exempt("  ")];
        assert_eq!(store.apply(&changes).unwrap(), [true, false, false]);
        let loaded = store.load().unwrap();
        assert_eq!(loaded.problems, []);
        let [entry] = loaded.lists.blacklist.as_slice() else { panic!("one ban") };
        assert_eq!(entry.reason.chars().count(), MAX_REASON);
        assert!(!entry.reason.contains(char::is_control));
        assert_eq!(entry.extended_request_info, None);
        assert!(entry.is_active(at(1_000_000_000)));
    });
}

#[test]
fn the_longest_texts_are_kept() {
    on_every_store(|store| {
        let path = format!("/{}xxx", "\u{1f600}".repeat((MAX_PATH - 4) / 4));
        let word = format!("{}x", "\u{1f600}x".repeat(MAX_KEYWORD / 5));
        assert_eq!((path.len(), word.len()), (MAX_PATH, MAX_KEYWORD));
        let add = [exempt(&path), keyword(&word, u64::MAX, KeywordSource::Learned)];
        assert_eq!(store.apply(&add).unwrap(), [true; 2]);
        store.apply(&add).unwrap();
        let lists = store.load().unwrap().lists;
        assert_eq!((&lists.path_exemptions[0].path, &lists.keywords[0].keyword), (&path, &word));
        assert_eq!(lists.keywords[0].count, i64::MAX as u64);
        let remove = [ListChange::RemovePathExemption(path), ListChange::RemoveKeyword(word)];
        assert_eq!(store.apply(&remove).unwrap(), [true; 2]);
    });
}

#[test]
fn original_defect_04_networks_are_networks_however_they_are_written() {
    on_every_store(|store| {
        let mapped = "::ffff:10.0.0.0/104".parse().unwrap();
        store.apply(&[add_ban("10.0.0.0/8"), whitelist("192.168.1.7/24")]).unwrap();
        assert_eq!(store.apply(&[ListChange::AddBlacklist(automatic("192.168.1.77", 9))]).unwrap(), [false]);
        assert_eq!(store.load().unwrap().lists.whitelist[0].network, net("192.168.1.0/24"));
        assert_eq!(store.apply(&[ListChange::RemoveBlacklist(mapped)]).unwrap(), [true]);
    });
}

#[test]
fn original_defect_10_a_removal_leaves_the_other_entries_as_they_were() {
    on_every_store(|store| {
        let entry = |network| BlacklistEntry {
            extended_request_info: Some(r#"{"path":"/x"}"#.into()),
            offences: 4,
            ..automatic(network, 77)
        };
        store
            .apply(&["10.0.0.1", "10.0.0.2"].map(|network| ListChange::AddBlacklist(entry(network))))
            .unwrap();
        store.apply(&[ListChange::RemoveBlacklist(net("10.0.0.1"))]).unwrap();
        assert_eq!(store.load().unwrap().lists.blacklist, [entry("10.0.0.2")]);
    });
}

#[test]
fn original_defect_05_keywords_have_one_order_and_nobody_adds_to_them() {
    on_every_store(|store| {
        assert_eq!(store.load().unwrap().lists.keywords, [], "built-in words are not stored");
        let words: Vec<String> = (0..50).map(|number| format!("word{}", number * 7 % 50)).collect();
        for word in &words {
            store.apply(&[keyword(word, 1, KeywordSource::Learned)]).unwrap();
        }
        let stored: Vec<String> =
            store.load().unwrap().lists.keywords.into_iter().map(|entry| entry.keyword).collect();
        assert_eq!(stored, words);
    });
}

#[test]
fn original_defect_13_bans_end_and_spare_the_whitelisted() {
    on_every_store(|store| {
        store.apply(&[whitelist("10.0.0.0/8")]).unwrap();
        let changes = [
            ListChange::AddBlacklist(automatic("10.1.2.3", 100)),
            ListChange::AddBlacklist(automatic("11.0.0.1", 100)),
            ListChange::AddBlacklist(automatic("11.0.0.2", 101)),
            add_ban("11.0.0.3"),
        ];
        assert_eq!(store.apply(&changes).unwrap(), [false, true, true, true]);
        assert_eq!(store.apply(&[ListChange::RemoveEndedBans(at(100))]).unwrap(), [true]);
        let left: Vec<_> = store.load().unwrap().lists.blacklist.iter().map(|ban| ban.network).collect();
        assert_eq!(left, [net("11.0.0.2"), net("11.0.0.3")]);
    });
}

fn any_change() -> impl Strategy<Value = ListChange> {
    let address =
        prop::sample::select(vec!["10.0.0.1", "10.0.0.0/30", "2001:db8::1", "2001:db8::/64", "10.0.0.2"]);
    let text = prop_oneof!["[=+'a,\" \r\n]{0,4}", "\\PC{0,8}"];
    let source = prop::sample::select(vec![KeywordSource::Manual, KeywordSource::Learned]);
    let list = prop::sample::select(ListName::ALL.to_vec());
    prop_oneof![
        3 => (address.clone(), any::<bool>(), text.clone(), any::<i64>(), prop::option::of(text.clone())).prop_map(
            |(address, is_automatic, reason, micros, extended_request_info)| {
                let entry = if is_automatic { automatic(address, micros % 1000) } else { ban(address) };
                let added = Some(Timestamp::from_unix_micros(micros));
                ListChange::AddBlacklist(BlacklistEntry { reason, added, extended_request_info, ..entry })
            }
        ),
        1 => address.clone().prop_map(|address| ListChange::RemoveBlacklist(net(address))),
        2 => address.clone().prop_map(whitelist),
        1 => address.prop_map(|address| ListChange::RemoveWhitelist(net(address))),
        3 => (text.clone(), any::<u64>(), source).prop_map(|(word, count, source)| keyword(&word, count, source)),
        1 => text.clone().prop_map(ListChange::RemoveKeyword),
        1 => "[A-C][A-B]".prop_map(|code| country(&code)),
        1 => "[A-C][A-B]".prop_map(|code| ListChange::RemoveCountry(code.parse().unwrap())),
        2 => text.clone().prop_map(|path| exempt(&path)),
        1 => text.prop_map(ListChange::RemovePathExemption),
        1 => (0i64..1000).prop_map(|time| ListChange::RemoveEndedBans(at(time))),
        1 => list.prop_map(ListChange::Clear),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn every_store_agrees_with_memory_after_any_changes(
        batches in prop::collection::vec(prop::collection::vec(any_change(), 0..20), 1..4)
    ) {
        let memory = MemoryStore::default();
        let homes = HOMES.with(Rc::clone);
        let stores: Vec<_> = homes.iter().map(Home::open).collect();
        let clear = ListName::ALL.map(ListChange::Clear);
        for store in &stores {
            store.apply(&clear).unwrap();
        }
        for batch in batches {
            let altered = memory.apply(&batch).unwrap();
            for (home, store) in homes.iter().zip(&stores) {
                let revision = store.revision().unwrap();
                prop_assert_eq!(&store.apply(&batch).unwrap(), &altered, "{}", store.mode());
                prop_assert_eq!(memory.load().unwrap(), home.open().load().unwrap(), "{}", store.mode());
                if !altered.contains(&true) {
                    prop_assert_eq!(store.revision().unwrap(), revision, "{}", store.mode());
                }
            }
        }
    }
}

thread_local! {
    /// Shared by all cases, for a database takes longer to create than to empty.
    static HOMES: Rc<Vec<Home>> = Rc::new(homes());
}
