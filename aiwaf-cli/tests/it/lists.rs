//! The commands that show and change lists.

use serde_json::json;

use crate::support::Place;

#[test]
fn stats_counts() {
    let place = Place::new().with_lists();
    assert_eq!(
        place.text(&["stats"]),
        "Using CSV storage: aiwaf_data\n\n\
         AIWAF Statistics\n\
         ==================================================\n\
         Whitelisted IPs: 2\n\
         Blacklisted IPs: 2\n\
         Blocked Keywords: 2\n\
         Storage Mode: CSV\n\
         Data Directory: aiwaf_data\n\
         Blocked Countries: 1\n\
         Exempt Paths: 1\n"
    );
    assert_eq!(
        place.json(&["stats", "--json"]),
        json!({"whitelisted": 2, "blacklisted": 2, "keywords": 2, "geo_blocked_countries": 1, "path_exemptions": 1,
            "storage_mode": "CSV", "location": "aiwaf_data", "rows_not_understood": 0})
    );
}

#[test]
fn list_shows_every_fact() {
    let place = Place::new().with_lists();
    assert_eq!(
        place.text(&["list", "all"]),
        "Using CSV storage: aiwaf_data\n\n\
         Whitelisted IPs (2):\n\
         \x20 ADDRESS         REASON  ADDED\n\
         \x20 192.168.1.0/24  office  2025-09-01T08:00:00Z\n\
         \x20 2001:db8::7             unknown\n\n\
         Blacklisted IPs (2):\n\
         \x20 ADDRESS          REASON                         ADDED                 UNTIL                 BY\n\
         \x20 203.0.113.10     SQL injection attack detected  2025-09-14T09:15:30Z  removed               manual\n\
         \x20 198.51.100.0/24  Flood pattern                  2025-09-14T10:22:15Z  2099-01-01T00:00:00Z  rate_limit\n\n\
         Blocked Keywords (2):\n\
         \x20 KEYWORD       SOURCE   COUNT  ADDED\n\
         \x20 union select  manual       1  2025-09-14T09:00:00Z\n\
         \x20 xmlrpc        learned      7  2025-09-14T09:30:00Z\n\n\
         Blocked Countries (1):\n\
         \x20 CODE  COUNTRY      ADDED\n\
         \x20 KP    North Korea  2025-09-14T09:00:00Z\n\n\
         Exempt Paths (1):\n\
         \x20 PATH     REASON        ADDED\n\
         \x20 /health  Health check  2025-09-14T09:00:00Z\n"
    );
    assert_eq!(
        place.json(&["--json", "list", "all"]),
        json!({
            "whitelist": [
                {"address": "192.168.1.0/24", "reason": "office", "added": "2025-09-01T08:00:00.000000Z"},
                {"address": "2001:db8::7", "reason": "", "added": null},
            ],
            "blacklist": [
                {"address": "203.0.113.10", "reason": "SQL injection attack detected", "source": "manual",
                    "added": "2025-09-14T09:15:30.000000Z", "expires": null, "offences": 1},
                {"address": "198.51.100.0/24", "reason": "Flood pattern", "source": "rate_limit",
                    "added": "2025-09-14T10:22:15.000000Z", "expires": "2099-01-01T00:00:00.000000Z", "offences": 3,
                    "extended_request_info": "{\"path\":\"/x\"}"},
            ],
            "keywords": [
                {"keyword": "union select", "source": "manual", "count": 1, "added": "2025-09-14T09:00:00.000000Z"},
                {"keyword": "xmlrpc", "source": "learned", "count": 7, "added": "2025-09-14T09:30:00.000000Z"},
            ],
            "geo_blocked_countries": [
                {"country": "KP", "name": "North Korea", "added": "2025-09-14T09:00:00.000000Z"}],
            "path_exemptions": [
                {"path": "/health", "reason": "Health check", "added": "2025-09-14T09:00:00.000000Z"}],
        })
    );
    assert_eq!(place.json(&["geo", "list", "--json"])["geo_blocked_countries"][0]["country"], "KP");
    assert_eq!(place.json(&["exempt-path", "list", "--json"])["path_exemptions"][0]["path"], "/health");
    assert!(place.text(&["exempt-path", "list"]).ends_with("/health  Health check  2025-09-14T09:00:00Z\n"));
}

#[test]
fn list_selects() {
    let place = Place::new().with_lists();
    let addresses = |arguments: &[&str]| {
        let json = place.json(&[&["list", "blacklist", "--json"], arguments].concat());
        let entries = json["blacklist"].as_array().unwrap().clone();
        entries.iter().map(|entry| entry["address"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(addresses(&["--sort", "added"]), ["198.51.100.0/24", "203.0.113.10"]);
    assert_eq!(addresses(&["--sort", "address", "--limit", "1"]), ["198.51.100.0/24"]);
    assert_eq!(addresses(&["--since", "2025-09-14T10:00:00"]), ["198.51.100.0/24"]);
    assert_eq!(addresses(&["--contains", "198.51.100.77"]), ["198.51.100.0/24"]);
    assert_eq!(addresses(&["--since", "1h"]), [""; 0]);
    assert!(place.text(&["list", "blacklist", "--limit", "1"]).ends_with("  ... and 1 more\n"));
    assert!(place.error(&["list", "blacklist", "--since", "yesterday"], 2).contains("2025-09-14"));
}

#[test]
fn values_come_from_arguments_files_and_standard_input() {
    let place = Place::new();
    place.write("feed.txt", "# feed\n203.0.113.1 # scanner\n\n203.0.113.0/25;x\r\n");
    let ran = place.run_with(
        &["add", "blacklist", "192.0.2.1", "-", "--file", "feed.txt", "--reason", "feed"],
        "2001:db8::/32\n192.0.2.1\n",
    );
    assert_eq!(
        ran.out,
        "Using CSV storage: aiwaf_data\n\
         Added 192.0.2.1 to the blacklist\n\
         Added 2001:db8::/32 to the blacklist\n\
         192.0.2.1 is already on the blacklist\n\
         Added 203.0.113.1 to the blacklist\n\
         Added 203.0.113.0/25 to the blacklist\n\
         Added 4 of 5 to the blacklist\n"
    );
    let listed = place.json(&["list", "blacklist", "--json"]);
    assert_eq!(listed["blacklist"].as_array().unwrap().len(), 4);
    assert!(listed["blacklist"].as_array().unwrap().iter().all(|entry| entry["reason"] == "feed"));

    let ran = place.run_with(&["remove", "blacklist", "--file", "-", "--json"], "203.0.113.1\n203.0.113.2\n");
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        json,
        json!({"list": "blacklist", "dry_run": false, "changed": 1, "unchanged": 1, "results": [
            {"value": "203.0.113.1", "changed": true}, {"value": "203.0.113.2", "changed": false}]})
    );
    place.write("bad.txt", "192.0.2.7\n192.0.2.300\n");
    let error = place.error(&["add", "blacklist", "--file", "bad.txt"], 1);
    assert!(error.starts_with("bad.txt:2: \"192.0.2.300\" is no IP address"), "{error}");
    assert!(!place.text(&["list", "blacklist"]).contains("192.0.2.7"), "all or nothing");
    place.write("empty.txt", "# nothing\n");
    assert!(place.error(&["add", "keyword", "--file", "empty.txt"], 1).contains("no value"));
    assert_eq!(place.run(&["add", "blacklist"]).code, 2);
}

#[test]
fn bans_can_end() {
    let place = Place::new();
    let out = place.text(&["add", "blacklist", "203.0.113.0/24", "--for", "4h"]);
    assert!(out.contains("Added 203.0.113.0/24 to the blacklist\nUntil 20"), "{out}");
    let entry = place.json(&["list", "blacklist", "--json"])["blacklist"][0].clone();
    let time = |key: &str| aiwaf_core::Timestamp::parse_iso8601(entry[key].as_str().unwrap()).unwrap();
    assert_eq!(time("expires").since(time("added")).as_secs(), 4 * 3600);
    assert_eq!(entry["source"], "manual");
    let error = place.error(&["add", "whitelist", "10.0.0.1", "--for", "4h"], 2);
    assert_eq!(error, "only bans end: leave --for out, or add to the blacklist");
    let ran = place.run(&["add", "blacklist", "10.0.0.1", "--for", "4 parsecs"]);
    assert!(ran.code == 2 && ran.err.contains("give one such as 90s"), "{ran:?}");
}

#[test]
fn a_ban_that_does_nothing_is_pointed_out() {
    let place = Place::new().with_lists();
    let ran = place.run(&["add", "blacklist", "192.168.1.7"]);
    assert_eq!(ran.code, 0);
    assert_eq!(
        ran.err,
        "aiwaf: 192.168.1.7 may enter all the same, for 192.168.1.0/24 is whitelisted: \
         `aiwaf remove whitelist 192.168.1.0/24` ends that\n"
    );
    let ran = place.run(&["add", "keyword", "abcdef", "--reason", "x"]);
    assert!(ran.code == 0 && ran.err.contains("--reason has no effect"), "{ran:?}");
}

#[test]
fn what_is_not_there_is_said_with_what_was_meant() {
    let place = Place::new().with_lists();
    let last_line = |arguments: &[&str]| place.text(arguments).lines().last().unwrap().to_owned();
    assert_eq!(
        last_line(&["remove", "blacklist", "203.0.113.1"]),
        "203.0.113.1 is not on the blacklist: did you mean 203.0.113.10?"
    );
    assert_eq!(
        last_line(&["remove", "blacklist", "198.51.100.9"]),
        "198.51.100.9 is not on the blacklist: it is there as a part of 198.51.100.0/24"
    );
    assert_eq!(
        last_line(&["remove", "blacklist", "203.0.0.0/8"]),
        "203.0.0.0/8 is not on the blacklist: only parts of it are there, such as 203.0.113.10"
    );
    assert_eq!(
        last_line(&["remove", "keyword", "union selct"]),
        "union selct is not on the blocked keywords: did you mean \"union select\"?"
    );
    assert_eq!(
        last_line(&["exempt-path", "remove", "/helth"]),
        "/helth is not on the exempt paths: did you mean /health?"
    );
    assert_eq!(last_line(&["geo", "remove", "US"]), "US is not on the blocked countries");
}

#[test]
fn wrong_values_are_refused_with_a_suggestion() {
    let place = Place::new();
    for (arguments, error) in [
        (
            &["add", "blacklist", "banana"] as &[&str],
            "\"banana\" is no IP address or network: give one such as",
        ),
        (&["add", "whitelist", "10.0.0.*"], "did you mean 10.0.0.0/24?"),
        (&["remove", "blacklist", "http://10.0.0.1/"], "did you mean 10.0.0.1?"),
        (&["add", "whitelist", "0.0.0.0/0"], "is every client there is"),
        (&["geo", "add", "UK"], "UK is the code of no country: did you mean GB (United Kingdom)?"),
        (&["geo", "add", "Germany"], "\"Germany\" is no country code: did you mean DE (Germany)?"),
        (&["geo", "remove", "Germany"], "\"Germany\" is no country code"),
        (&["exempt-path", "add", "health"], "did you mean \"/health\"?"),
        (&["exempt-path", "add", "*"], "it would exempt everything"),
        (&["add", "keyword", "x"], "give a longer one"),
    ] {
        let text = place.error(arguments, 2);
        assert!(text.contains(error), "{arguments:?}: {text}");
    }
    let ran = place.run(&["add", "blaklist", "10.0.0.1"]);
    assert!(ran.code == 2 && ran.err.contains("blacklist"), "{ran:?}");
    assert!(!place.path().join("aiwaf_data/blacklist.csv").exists(), "nothing was stored");
}

#[test]
fn dry_runs_say_what_would_change_and_change_nothing() {
    let place = Place::new().with_lists();
    let before = place.text(&["list", "all"]);
    let said = |arguments: &[&str]| place.text(arguments).lines().skip(1).collect::<Vec<_>>().join("\n");
    assert_eq!(said(&["add", "keyword", "abc", "--dry-run"]), "Would add abc to the blocked keywords");
    assert_eq!(
        said(&["remove", "whitelist", "2001:db8::7", "--dry-run"]),
        "Would remove 2001:db8::7 from the whitelist"
    );
    assert_eq!(said(&["clear", "blacklist", "--dry-run"]), "Would remove 3 entries from the blacklist");
    assert_eq!(said(&["geo", "add", "US", "--dry-run"]), "Would add US to the blocked countries");
    assert_eq!(said(&["exempt-path", "add", "/x", "--dry-run"]), "Would add /x to the exempt paths");
    place.write("b.json", r#"{"whitelist": ["10.9.9.9"], "keywords": []}"#);
    assert_eq!(
        said(&["import", "--replace", "--dry-run", "b.json"]),
        "Would import b.json\n  the whitelist: 1 added (10.9.9.9)\n  \
         the whitelist: 2 removed (192.168.1.0/24, 2001:db8::7)\n  \
         the blocked keywords: 2 removed (union select, xmlrpc)"
    );
    assert_eq!(place.text(&["list", "all"]), before);
}

#[test]
fn clearing_needs_a_yes() {
    let place = Place::new().with_lists();
    let error = place.error(&["clear", "keywords", "--data-dir", "aiwaf_data", "--json"], 2);
    assert!(error.contains("add --yes"), "{error}");
    assert_eq!(
        place.json(&["clear", "all", "--yes", "--json"]),
        json!({"dry_run": false, "cleared": [
            {"list": "whitelist", "removed": 2}, {"list": "blacklist", "removed": 3},
            {"list": "keywords", "removed": 2}, {"list": "geo_blocked_countries", "removed": 1},
            {"list": "path_exemptions", "removed": 1}]})
    );
    assert_eq!(place.json(&["stats", "--json"])["keywords"], 0);
    assert!(place.text(&["clear", "keywords"]).ends_with("Removed 0 entries from the blocked keywords\n"));
}

#[test]
fn a_backup_comes_back_as_it_was() {
    let place = Place::new().with_lists();
    let before = place.text(&["list", "all"]);
    assert_eq!(
        place.text(&["export", "backup.json"]),
        "Using CSV storage: aiwaf_data\nConfiguration exported to backup.json\n"
    );
    let backup: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(place.path().join("backup.json")).unwrap()).unwrap();
    assert_eq!(backup["whitelist"], json!(["192.168.1.0/24", "2001:db8::7"]));
    assert_eq!(backup["blacklist"]["203.0.113.10"]["reason"], "SQL injection attack detected");
    assert_eq!((&backup["storage_mode"], &backup["keywords"][0]), (&json!("CSV"), &json!("union select")));
    let piped = place.text(&["export", "-"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&piped).unwrap()["keywords"], backup["keywords"]);

    place.text(&["clear", "all", "--yes"]);
    let report = place.json(&["import", "backup.json", "--json"]);
    assert_eq!((&report["changed"], &report["lists"][1]["added"]), (&json!(true), &json!(3)));
    assert_eq!(place.text(&["list", "all"]), before);
    assert!(
        place
            .text(&["import", "backup.json"])
            .ends_with("Nothing to change: backup.json is on the lists already\n")
    );

    assert_eq!(
        place
            .text(&["export", "-", "--format", "blacklist"])
            .lines()
            .filter(|line| !line.starts_with('#'))
            .count(),
        2
    );
    assert!(place.text(&["export", "-", "--format", "nginx"]).contains("deny 203.0.113.10;"));
    assert!(place.text(&["export", "-", "--format", "ipset"]).contains("add aiwaf-v4 203.0.113.10"));
    assert!(place.error(&["export", "-", "--format", "ipset", "--set-name", "a b"], 2).contains("a b"));
    assert!(place.error(&["export", "missing/backup.json"], 1).starts_with("writing missing/backup.json: "));
}

#[test]
fn what_was_added_is_said_as_it_stands_on_the_list() {
    let place = Place::new();
    let said = place.text(&["add", "blacklist", "203.0.113.9/24", " 198.51.100.7 "]);
    assert!(said.contains("Added 203.0.113.0/24 to the blacklist\nAdded 198.51.100.7 to"), "{said}");
    let said = place.text(&["remove", "blacklist", "203.0.113.77/24"]);
    assert!(said.ends_with("Removed 203.0.113.0/24 from the blacklist\n"), "{said}");
    let said = place.text(&["geo", "add", "us"]);
    assert!(said.contains("Added US to the blocked countries\n"), "{said}");
    assert!(said.contains("a service without one blocks no country"), "{said}");
    place.write("aiwaf.toml", "[geo_block]\ndatabase_path = \"geo.mmdb\"\n");
    assert!(place.text(&["geo", "add", "de"]).ends_with("Added DE to the blocked countries\n"));
}

#[test]
fn lists_that_nobody_else_sees_are_pointed_out() {
    let place = Place::new();
    let ran = place.run(&["--store", "memory:", "add", "blacklist", "203.0.113.9"]);
    assert!(ran.code == 0 && ran.err.contains("no service sees them"), "{ran:?}");
    place.text(&["--store", "memory:", "add", "blacklist", "203.0.113.9", "--dry-run"]);
}

#[test]
fn feeds_are_imported() {
    let place = Place::new();
    place.write("drop.txt", "; feed\n203.0.113.0/24 ; SBL1\n2001:db8::/32\n");
    let said = place.text(&["import", "--list", "blacklist", "--reason", "drop", "--for", "2d", "drop.txt"]);
    assert!(said.ends_with("  the blacklist: 2 added (203.0.113.0/24, 2001:db8::/32)\n"), "{said}");
    let first = place.json(&["list", "blacklist", "--json"])["blacklist"][0].clone();
    assert_eq!((&first["reason"], &first["source"]), (&json!("drop: SBL1"), &json!("import")));
    assert!(first["expires"].is_string());

    place.write("bad.txt", "203.0.113.9\nbanana\n");
    let ran = place.run(&["import", "--list", "whitelist", "bad.txt"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("aiwaf: whitelist, line 2: \"banana\" is no IP address"), "{}", ran.err);
    assert!(ran.err.ends_with("because one value is wrong: mend that, or leave it out by --skip-invalid\n"));
    let ran = place.run(&["import", "--list", "whitelist", "--skip-invalid", "bad.txt"]);
    assert!(ran.code == 0 && ran.out.ends_with("1 value was left out\n"), "{ran:?}");
    assert!(place.error(&["import", "bad.txt"], 2).contains("--list blacklist"));
    assert!(
        place
            .error(&["import", "--list", "whitelist", "--for", "1h", "bad.txt"], 2)
            .contains("only bans end")
    );
    assert!(place.error(&["import", "missing.json"], 1).starts_with("importing missing.json: "));
    place.write("empty.txt", "banana\n").write("elsewhere/readme.txt", "no lists");
    let ran = place.run(&["import", "--list", "whitelist", "--skip-invalid", "empty.txt"]);
    assert!(
        ran.out.contains("Nothing to change: the rest of empty.txt is on the lists already\n"),
        "{ran:?}"
    );
    assert!(place.error(&["import", "elsewhere"], 2).contains("holds no lists"));
}
