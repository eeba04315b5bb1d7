//! What all commands have in common.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::support::Place;

#[test]
fn the_other_name_is_the_same_command() {
    let place = Place::new().with_lists();
    let output = Command::new(env!("CARGO_BIN_EXE_aiwaf-console"))
        .args(["stats"])
        .current_dir(place.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), place.text(&["stats"]));
}

#[test]
fn wrong_usage_is_told_from_failure() {
    let place = Place::new();
    for arguments in
        [&["stat"][..], &["list"], &["list", "everything"], &["--data-dir"], &["stats", "--fast"], &[]]
    {
        assert_eq!(place.run(arguments).code, 2, "{arguments:?}");
    }
    assert!(place.run(&["stat"]).err.contains("stats"), "it suggests");
    assert!(!place.error(&["list", "all", "--limit", "-1"], 2).contains("'-- -1'"), "that would be no help");
    assert_eq!(place.run(&["--help"]).code, 0);
    assert_eq!(place.run(&["--data-dir", "a", "--store", "memory:", "stats"]).code, 2);
}

#[test]
fn the_lists_are_found_by_flag_then_environment_then_settings() {
    let place = Place::new();
    for (directory, count) in [("flag", 1), ("variable", 2), ("file", 3), ("aiwaf_data", 4)] {
        let rows = (0..count).map(|number| format!("word{number},\n")).collect::<Vec<_>>().concat();
        place.write(&format!("{directory}/keywords.csv"), format!("keyword,added_date\n{rows}"));
    }
    let count = |arguments: &[&str], variable: Option<&str>| {
        let mut command = place.command(&[arguments, &["stats", "--json"]].concat());
        if let Some(value) = variable {
            command.env("AIWAF_DATA_DIR", value);
        }
        let output = command.output().unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["keywords"].as_u64().unwrap()
    };
    assert_eq!(count(&[], None), 4);
    place.write("aiwaf.toml", "[storage]\ndata_dir = \"file\"\n");
    assert_eq!(count(&[], None), 3);
    assert_eq!(count(&[], Some("variable")), 2);
    assert_eq!(count(&["--data-dir", "flag"], Some("variable")), 1);
    assert_eq!(count(&["--store", "csv:flag"], Some("variable")), 1);
    place.write("other.toml", "[storage]\ndata_dir = \"flag\"\n");
    assert_eq!(count(&["--config", "other.toml"], None), 1);

    place.write("aiwaf.toml", "[storage]\ndata_dirr = \"file\"\n");
    assert!(place.error(&["stats"], 1).contains("aiwaf.toml: line 2"));
    assert_eq!(count(&["--data-dir", "flag"], None), 1, "who names the lists needs no settings");
}

#[test]
fn every_kind_of_store_is_served() {
    let place = Place::new();
    let store = ["--store", "sqlite:lists.db"];
    place.text(&[&store[..], &["add", "blacklist", "203.0.113.0/24", "--reason", "feed"]].concat());
    let listed = place.text(&[&store[..], &["list", "blacklist"]].concat());
    assert!(
        listed.starts_with("Using SQLite storage: lists.db\n") && listed.contains("203.0.113.0/24  feed"),
        "{listed}"
    );
    // A wrong argument is wrong usage; a wrong setting is none.
    assert!(place.error(&["--store", "redis://x", "stats"], 2).contains("is no kind of storage"));
    assert!(place.error(&["--store", "sqlite:", "stats"], 2).contains("`sqlite:` names no file"));
    place.write("aiwaf.toml", "[storage]\nstore = \"redis://x\"\n");
    assert!(place.error(&["stats"], 1).contains("is no kind of storage"));
}

#[test]
fn a_closed_pipe_ends_the_command_quietly() {
    let place = Place::new();
    let rows = (0..50_000u32)
        .map(|number| format!("{},,\n", std::net::Ipv4Addr::from_bits(number << 8)))
        .collect::<Vec<_>>()
        .concat();
    place.write("aiwaf_data/blacklist.csv", format!("ip,reason,added_date\n{rows}"));
    let mut child =
        place.command(&["list", "blacklist"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn what_attackers_wrote_reaches_no_terminal_as_commands() {
    let place = Place::new();
    place.write("aiwaf_data/keywords.csv", "keyword,added_date\n\"a\u{1b}]0;x\u{7}b\",\n");
    place.write("aiwaf_data/blacklist.csv", "ip,reason,added_date\n10.0.0.1,\"x\u{1b}[2Jy\u{202e}z\",\n");
    let out = place.run(&["list", "all"]).out;
    assert!(!out.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{out:?}");
    assert!(out.contains("10.0.0.1  x"));
}
