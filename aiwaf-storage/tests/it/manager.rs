//! The manager, on every store.

use std::sync::Arc;

use aiwaf_core::ListName;
use aiwaf_storage::{Manager, MemoryStore};

use crate::support::*;

fn on_every_manager(test: impl Fn(&Manager)) {
    test(&Manager::new(Arc::new(MemoryStore::default())));
    for home in homes() {
        test(&Manager::new(home.open()));
    }
}

#[test]
fn adds_lists_counts_and_removes() {
    on_every_manager(|manager| {
        let now = at(50);
        assert!(manager.add_to_whitelist("192.168.1.7/24", "office", now).unwrap());
        assert!(!manager.add_to_whitelist("192.168.1.0/24", "office", at(60)).unwrap());
        let bans =
            manager.add_all_to_blacklist(&["10.0.0.1", "10.0.0.2", "10.0.0.1"], "incident", now).unwrap();
        assert_eq!(bans, [true, true, false]);
        assert!(manager.add_keyword(" Union Select ", now).unwrap());
        assert!(!manager.add_keyword("union select", now).unwrap());
        assert!(manager.add_geo_blocked_country("cn", now).unwrap());
        assert!(manager.add_path_exemption("/health", "probe", now).unwrap());
        manager.apply(&[aiwaf_core::ListChange::AddBlacklist(automatic("10.0.0.3", 55))]).unwrap();

        let stats = manager.stats(now).unwrap();
        assert_eq!((stats.whitelisted, stats.blacklisted, stats.keywords), (1, 3, 1));
        assert_eq!((stats.geo_blocked_countries, stats.path_exemptions, stats.problems), (1, 1, 0));
        assert_eq!((stats.mode, stats.location), (manager.store().mode(), manager.store().location()));
        assert_eq!(manager.list_blacklist(at(55)).unwrap().len(), 2, "one has ended");
        assert_eq!(manager.list_whitelist().unwrap()[0].added, Some(now), "since the first time");
        assert_eq!(manager.list_keywords().unwrap()[0].keyword, "union select");
        assert_eq!(manager.list_geo_blocked_countries().unwrap()[0].country.as_str(), "CN");
        assert_eq!(manager.list_path_exemptions().unwrap()[0].reason, "probe");

        assert!(manager.remove_from_blacklist("10.0.0.1").unwrap());
        assert!(!manager.remove_from_blacklist("10.0.0.1").unwrap());
        assert!(manager.remove_from_whitelist("192.168.1.0/24").unwrap());
        assert_eq!(manager.remove_keywords(&["UNION SELECT", "x"]).unwrap(), [true, false]);
        assert!(manager.remove_geo_blocked_country("CN").unwrap());
        assert!(manager.remove_path_exemption("/health").unwrap());
        assert!(manager.clear(ListName::Blacklist).unwrap() && !manager.clear(ListName::Blacklist).unwrap());
    });
}

#[test]
fn paths_that_no_request_reaches_are_refused_with_the_plain_one() {
    on_every_manager(|manager| {
        for (text, plain) in [
            ("/a/../b", "/b"),
            ("/a//b/", "/a/b/"),
            ("/./a", "/a"),
            ("/a/..", "/"),
            ("//", "/"),
            ("/../..", "/"),
            ("/a/b/.", "/a/b"),
        ] {
            let error = manager.add_path_exemption(text, "", at(1)).unwrap_err().to_string();
            assert!(error.ends_with(&format!("did you mean {plain:?}?")), "{text}: {error}");
        }
        for text in ["/", "/a", "/a/", "/.well-known/", "/a..b/...", "*.css"] {
            assert!(manager.add_path_exemption(text, "", at(1)).unwrap(), "{text}");
        }
    });
}

#[test]
fn original_defect_03_bad_input_is_refused_and_nothing_is_stored() {
    on_every_manager(|manager| {
        let before = manager.store().revision().unwrap();
        let error = manager.add_all_to_blacklist(&["10.0.0.1", "banana"], "", at(1)).unwrap_err();
        assert!(error.to_string().starts_with("\"banana\" is no IP address or network"), "{error}");
        for text in ["0.0.0.0/0", "::/0", "=1+1", ""] {
            assert!(manager.add_to_whitelist(text, "", at(1)).is_err(), "{text}");
        }
        let error = manager.add_path_exemption("health", "", at(1)).unwrap_err().to_string();
        assert!(error.contains("did you mean \"/health\"?"), "{error}");
        for text in ["", "*", "/*", "*.*", "/a?b", "/a\nb", &"/x".repeat(2000)] {
            assert!(manager.add_path_exemption(text, "", at(1)).is_err(), "{text}");
        }
        for text in ["", "  ", "/", "a\0b", &"x".repeat(2000)] {
            assert!(manager.add_keyword(text, at(1)).is_err(), "{text}");
        }
        let error = manager.add_geo_blocked_country("Germany", at(1)).unwrap_err().to_string();
        assert!(error.contains("\"Germany\"") && error.contains("such as US or DE"), "{error}");
        assert_eq!(manager.store().revision().unwrap(), before);
    });
}
