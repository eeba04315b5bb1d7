//! What the original leaves behind, as input.

use crate::support::Place;

#[test]
fn both_layouts_of_its_data_directory_are_read() {
    let place = Place::new();
    // By its middleware, and by its command line.
    place.write("middleware/blacklist.csv", "ip,reason,added_date,extended_request_info\n10.0.0.1,Flood,2025-09-14T10:30:00,\"{\"\"path\"\": \"\"/x\"\"}\"\n");
    place.write("middleware/whitelist.csv", "ip,added_date\n192.168.1.1,2025-09-14T10:30:00.123456\n");
    place.write("middleware/keywords.csv", "keyword,added_date\n.php,2025-09-14T10:30:00\n");
    place.write("middleware/geo_blocked_countries.csv", "country,added_date\nKP,2025-09-14T10:30:00\n");
    place.write(
        "middleware/path_exemptions.csv",
        "path,reason,added_date\n/health,Health check,2025-09-14T10:30:00\n",
    );
    place.write("command_line/blacklist.csv", "ip,timestamp,reason\n10.0.0.2,2025-09-14T11:30:00,Scanner\n");
    let listed = place.text(&["--data-dir", "middleware", "list", "all"]);
    for fact in ["10.0.0.1  Flood   2025-09-14T10:30:00Z", "192.168.1.1", ".php", "North Korea", "/health"] {
        assert!(listed.contains(fact), "{fact}: {listed}");
    }
    let listed = place.text(&["--data-dir", "command_line", "list", "blacklist"]);
    assert!(listed.contains("10.0.0.2  Scanner  2025-09-14T11:30:00Z"), "{listed}");

    // A change through the command keeps what the original knows beside it.
    place.text(&["--data-dir", "middleware", "remove", "blacklist", "10.9.9.9"]);
    place.text(&["--data-dir", "middleware", "add", "blacklist", "10.0.0.3"]);
    let info = &place.json(&["--data-dir", "middleware", "list", "blacklist", "--json"])["blacklist"][0];
    assert_eq!(info["extended_request_info"], "{\"path\": \"/x\"}");

    for directory in ["middleware", "command_line"] {
        place.text(&["import", directory]);
    }
    assert_eq!(place.json(&["stats", "--json"])["blacklisted"], 3);
}

#[test]
fn its_exports_are_read() {
    let place = Place::new();
    place.write(
        "production-config.json",
        r#"{
  "whitelist": ["192.168.1.100", "10.0.0.50"],
  "blacklist": {
    "203.0.113.10": {"timestamp": "2025-09-14T09:15:30.123456", "reason": "SQL injection attack detected"},
    "198.51.100.5": {"timestamp": "unknown", "reason": "Brute force login attempts"}
  },
  "keywords": ["union select", "eval("],
  "exported_at": "2025-09-14T14:30:00.000000",
  "storage_mode": "CSV"
}"#,
    );
    place.text(&["import", "production-config.json"]);
    let listed = place.text(&["list", "all"]);
    for fact in
        ["10.0.0.50", "SQL injection attack detected  2025-09-14T09:15:30Z", "attempts     unknown", "eval("]
    {
        assert!(listed.contains(fact), "{fact}: {listed}");
    }
}

#[test]
fn original_defect_03_the_command_takes_no_fruit_for_an_address() {
    let place = Place::new();
    assert!(place.error(&["add", "whitelist", "banana"], 2).contains("no IP address"));
    assert!(!place.path().join("aiwaf_data").exists());
}

#[test]
fn original_defect_32_a_data_directory_that_is_missing_is_an_error() {
    let place = Place::new();
    for arguments in [
        &["--data-dir", "typo", "stats"][..],
        &["list", "all", "--data-dir", "typo"],
        &["--store", "csv:typo", "stats"],
    ] {
        let error = place.error(arguments, 1);
        assert_eq!(
            error,
            "there is no data directory typo: check the spelling, or add something to create it"
        );
    }
    let error = place.error(&["--store", "sqlite:typo.db", "stats"], 1);
    assert!(error.starts_with("there is no database typo.db"), "{error}");
    place.text(&["--data-dir", "new", "add", "keyword", "abc"]);
    assert_eq!(place.json(&["--data-dir", "new", "stats", "--json"])["keywords"], 1);
}

#[test]
fn rows_that_make_no_sense_are_pointed_out() {
    let place = Place::new();
    place.write("aiwaf_data/blacklist.csv", "ip,reason,added_date\nbanana,x,\n10.0.0.1,fine,\n");
    let ran = place.run(&["stats"]);
    assert_eq!(ran.err, "aiwaf: 1 row of the lists can't be understood; --verbose names them\n");
    assert!(ran.out.contains("Blacklisted IPs: 1\n") && ran.out.ends_with("Rows Not Understood: 1\n"));
    let ran = place.run(&["stats", "--verbose"]);
    assert!(ran.err.starts_with("aiwaf: blacklist.csv, line 2: "), "{}", ran.err);
}
