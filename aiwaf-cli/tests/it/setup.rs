//! `aiwaf config`, `aiwaf doctor`, and what helps people to find their way.

use std::process::Command;

use serde_json::json;

use crate::support::{Place, feed};

#[test]
fn settings_are_checked() {
    let place = Place::new();
    assert_eq!(place.text(&["config", "check"]), "The settings can be used: the defaults\n");
    place.write("aiwaf.toml", "[rate_limit]\nmax = 50\n");
    assert_eq!(place.json(&["config", "check", "--json"]), json!({"ok": true, "file": "aiwaf.toml"}));
    place.write("bad.toml", "[rate_limit]\nmax = 0\n");
    assert_eq!(
        place.error(&["config", "check", "bad.toml"], 1),
        "rate_limit.max = 0 is not allowed: give 1 to 100000"
    );
    place.write("typo.toml", "[rate_limit]\nmaxx = 5\n");
    assert!(
        place.error(&["config", "check", "typo.toml"], 1).starts_with("typo.toml: line 2 (`maxx = 5`): ")
    );
    let missing = place.error(&["config", "check", "none.toml"], 1);
    assert!(missing.contains("none.toml") && missing.matches("No such file").count() == 1, "{missing}");
    place.write("store.toml", "[storage]\nstore = \"sqlte:aiwaf.db\"\n");
    assert!(
        place.error(&["config", "check", "store.toml"], 1).starts_with("storage.store: \"sqlte\" is no kind")
    );
    place.write("rules.toml", "[attack_signatures]\nrule_files = [\"none.rules\"]\n");
    assert!(place.error(&["config", "check", "rules.toml"], 1).contains("none.rules"));
}

#[test]
fn settings_are_shown_with_their_origin() {
    let place = Place::new();
    place.write("aiwaf.toml", "[rate_limit]\nmax = 50\nwindow = 60\n[storage]\nstore = \"csv:here\"\n");
    let show = |arguments: &[&str]| {
        let mut command = place.command(&[&["config", "show"], arguments].concat());
        command.env("AIWAF_RATE_FLOOD", "300").env("AIWAF_HONEYPOT_MODE", "off");
        feed(&mut command, b"").out
    };
    assert_eq!(
        show(&["--changed"]),
        "  SETTING           VALUE       FROM\n\
         \x20 honeypot.mode     \"off\"       AIWAF_HONEYPOT_MODE\n\
         \x20 rate_limit.flood  300         AIWAF_RATE_FLOOD\n\
         \x20 rate_limit.max    50          aiwaf.toml\n\
         \x20 storage.store     \"csv:here\"  aiwaf.toml\n"
    );
    let rate: serde_json::Value = serde_json::from_str(&show(&["rate_limit", "--json"])).unwrap();
    assert_eq!(rate["rate_limit.window"], json!({"value": 60, "from": "aiwaf.toml"}));
    assert_eq!(rate["rate_limit.mode"], json!({"value": "enforce", "from": "default"}));
    assert!(show(&["--data-dir", "x", "storage"]).contains("storage.data_dir  \"x\"    --data-dir\n"));
    let shown = show(&["--store", "postgres://ada:secret@db/x", "storage.store"]);
    assert!(shown.contains("postgres://ada@db/x") && !shown.contains("secret"), "{shown}");
    assert!(place.error(&["config", "show", "rate_limits"], 2).ends_with("did you mean rate_limit?"));
    assert!(place.error(&["config", "show", "zzz"], 2).ends_with("`aiwaf config show` lists them all"));
    assert_eq!(show(&["ai_anomaly", "--changed"]), "Nothing differs from the defaults\n");
}

#[test]
fn a_settings_file_is_begun() {
    let place = Place::new();
    place.text(&["config", "init"]);
    let written = std::fs::read_to_string(place.path().join("aiwaf.toml")).unwrap();
    assert_eq!(written, aiwaf_middleware::SETTINGS_FILE);
    assert_eq!(place.text(&["config", "init", "-"]), written);
    assert_eq!(place.text(&["config", "show", "--changed"]), "Nothing differs from the defaults\n");
    assert!(place.error(&["config", "init"], 1).contains("is there already"));
    place.text(&["config", "init", "--force"]);
}

fn states(place: &Place) -> std::collections::BTreeMap<String, String> {
    let ran = place.run(&["doctor", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(ran.code == 0, json["ok"] == true);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    json["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| (text(&check["name"]), text(&check["state"])))
        .collect()
}

#[test]
fn doctor_finds_what_is_wrong() {
    let place = Place::new();
    let healthy = states(&place);
    assert!(healthy.values().all(|state| state == "ok" || state == "note"), "{healthy:?}");
    assert!(place.text(&["doctor"]).ends_with("\n0 failed, 0 warnings\n"));

    place.write("aiwaf_data/geo_blocked_countries.csv", "country,added_date\nKP,\n");
    place.write("aiwaf_data/blacklist.csv", "ip,reason,added_date\nbanana,,\n");
    place.write("aiwaf_data/model.aiwaf", "no model");
    let line = "10.0.0.1 - - [22/Nov/2026:18:14:14 +0000] \"GET / HTTP/1.1\" 200 0 \"-\" \"x\" 1ms - \"-\"\n";
    place.write("aiwaf_logs/access.log", line.repeat(60));
    let states = states(&place);
    for (check, state) in [
        ("country database", "failed"),
        ("lists", "warning"),
        ("model", "failed"),
        ("proxies", "warning"),
        ("logs", "ok"),
        ("list files", "ok"),
    ] {
        assert_eq!(states[check], state, "{check}");
    }
    let ran = place.run(&["doctor"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("AIWAF_TRUSTED_PROXIES=10.0.0.1"), "{}", ran.out);

    place.write("aiwaf.toml", "[storage]\ndata_dir = \"missing\"\n");
    assert_eq!(self::states(&place)["lists"], "failed");
    place.write("aiwaf.toml", "nonsense");
    assert_eq!(self::states(&place)["settings"], "failed");
}

#[test]
fn doctor_names_missing_proxies() {
    let place = Place::new();
    let line = |rest: &str| format!("time=2026-11-22T18:14:14.322175Z {rest}\n");
    let unknown = line("event=unknown_proxy proxy=10.0.0.7 message=\"10.0.0.7 forwards\"");
    place.write(
        "aiwaf_logs/aiwaf.log",
        line("event=startup version=1") + &unknown + &line("event=shutdown bans=0"),
    );
    let ran = place.run(&["doctor"]);
    assert!(ran.code == 0 && ran.out.contains("AIWAF_TRUSTED_PROXIES=10.0.0.7"), "{}", ran.out);
    assert_eq!(states(&place)["proxies"], "warning");

    // The service was started again, and warns no more; what clients send does not count.
    let forged = line("action=block target=\"/ event=unknown_proxy proxy=10.0.0.7 x\"");
    place.write("aiwaf_logs/aiwaf.log", unknown.clone() + &line("event=startup version=1") + &forged);
    assert_eq!(states(&place)["proxies"], "ok");

    place.write("aiwaf_logs/aiwaf.log", line("event=unknown_peer message=\"x\""));
    assert!(place.run(&["doctor"]).out.contains("PeerAddress"));

    place.write("aiwaf.toml", "[client]\ntrusted_proxies = [\"10.0.0.0/8\"]\n");
    place.write("aiwaf_logs/aiwaf.log", unknown);
    assert_eq!(states(&place)["proxies"], "ok");
}

#[cfg(unix)]
#[test]
fn doctor_sees_who_may_write_the_lists() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::new().with_lists();
    let file = place.path().join("aiwaf_data/blacklist.csv");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(states(&place)["list files"], "warning");
    let late = std::time::SystemTime::now() + std::time::Duration::from_hours(24);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::File::open(&file).unwrap().set_modified(late).unwrap();
    assert!(place.run(&["doctor"]).out.contains("was written in the future"));
}

#[test]
fn shells_and_readers_are_helped() {
    let place = Place::new();
    for (shell, sign) in
        [("bash", "complete -F _aiwaf"), ("zsh", "#compdef aiwaf"), ("fish", "complete -c aiwaf")]
    {
        assert!(place.text(&["completions", shell]).contains(sign), "{shell}");
    }
    let syntax = feed(Command::new("bash").arg("-n"), place.text(&["completions", "bash"]).as_bytes());
    assert!(syntax.code == 0 && syntax.err.is_empty(), "{syntax:?}");
    place.text(&["man", "pages"]);
    let page = std::fs::read_to_string(place.path().join("pages/aiwaf-exempt-path-add.1")).unwrap();
    assert!(page.starts_with(".ie") && page.contains("Health check"), "{page}");
}
