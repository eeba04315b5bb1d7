//! The commands that read logs: replay, watch, geo-summary, train and model.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::json;

use crate::geo_database::geo_database;
use crate::support::Place;

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// A line of an access log at 15:00 and so many seconds.
fn line(second: u32, client: &str, target: &str, status: u16, agent: &str) -> String {
    let (minute, second) = (second / 60, second % 60);
    format!(
        "{client} - - [14/Sep/2025:15:{minute:02}:{second:02} +0000] \"GET {target} HTTP/1.1\" {status} 9 \"-\" \"{agent}\"\n"
    )
}

/// Two visitors, a scanner, a tool, and somebody in a hurry.
fn log() -> String {
    let mut log = String::new();
    for visit in 0..20 {
        log += &line(visit * 30, "192.0.2.1", "/", 200, BROWSER);
        log += &line(visit * 30 + 1, "192.0.2.2", "/shop", 200, BROWSER);
    }
    log += &line(610, "203.0.113.66", "/.env", 404, BROWSER);
    log += &line(611, "203.0.113.66", "/", 200, BROWSER);
    log += &line(612, "203.0.113.7", "/", 200, "curl/8.5.0");
    for request in 0..60 {
        log += &line(620 + request / 10, "198.51.100.7", "/api", 200, BROWSER);
    }
    log
}

#[test]
fn a_replay_says_who_would_have_been_denied_and_changes_no_list() {
    let place = Place::new();
    place.write("logs/access.log", log());
    place.write("bans.toml", "[ip_keyword_block]\nban_after = 1\n");
    assert_eq!(
        place.text(&["replay", "--log-dir", "logs", "--config", "bans.toml"]),
        "\n103 requests of 5 clients\n\
         Denied: 3 (2.9 %), of 2 clients; 3 blocked, 0 throttled, 1 ban; in the log: 0 denied\n\
         By protection: header_validation 1, ip_keyword_block 2\n\n\
         Clients that would have been denied (2):\n\
         \x20 CLIENT        REQUESTS  DENIED  FIRST                 REASON                                BY                 BANNED UNTIL\n\
         \x20 203.0.113.66         2       2  2025-09-14T15:10:10Z  Keyword block: .env                   ip_keyword_block   2025-09-14T16:10:10Z\n\
         \x20 203.0.113.7          1       1  2025-09-14T15:10:12Z  Suspicious user agent: Pattern: curl  header_validation\n"
    );
    let json = place.json(&[
        "replay",
        "logs/access.log",
        "--json",
        "--only",
        "ip_keyword_block",
        "--config",
        "bans.toml",
    ]);
    assert_eq!((&json["requests"], &json["denied"], &json["bans"]), (&json!(103), &json!(2), &json!(1)));
    assert_eq!(json["denied_clients"][0]["client"], "203.0.113.66");
    assert!(!place.path().join("aiwaf_data").exists());

    // Automatic bans of today say nothing about yesterday; what people decided applies.
    place.write(
        "aiwaf_data/blacklist.csv",
        "ip,reason,added_date,source\n192.0.2.1,auto,2026-01-01T00:00:00,rate_limit\n192.0.2.2,hand,2026-01-01T00:00:00,manual\n",
    );
    let json = place.json(&["replay", "logs/access.log", "--json", "--config", "bans.toml"]);
    let clients: Vec<&str> = json["denied_clients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["client"].as_str().unwrap())
        .collect();
    assert_eq!(clients, ["192.0.2.2", "203.0.113.66", "203.0.113.7"]);

    let ran = place.run_with(&["replay", "-", "--json"], log());
    assert!(ran.code == 0 && ran.out.contains("\"requests\": 103"), "{ran:?}");
    assert!(place.error(&["replay", "none.log"], 1).contains("none.log"));
    place.write("empty.log", "");
    assert!(place.error(&["replay", "empty.log"], 1).contains("no request"));
}

#[test]
fn a_replay_compares_two_configurations() {
    let place = Place::new();
    place.write("access.log", log());
    let bans = "[ip_keyword_block]\nban_after = 1\n";
    place.write("bans.toml", bans);
    place.write("strict.toml", format!("{bans}[rate_limit]\nmax = 50\n"));
    let text = place.text(&["replay", "access.log", "--config", "bans.toml", "--compare", "strict.toml"]);
    assert!(
        text.ends_with(
            "\nClients treated differently (1):\n\
             \x20 CLIENT        REQUESTS  DENIED NOW  COMPARED  REASON NOW  REASON COMPARED\n\
             \x20 198.51.100.7        60           0        10              rate_limit: Rate limit exceeded: 50 requests in 60s\n"
        ),
        "{text}"
    );
    let json =
        place.json(&["replay", "access.log", "--config", "bans.toml", "--compare", "strict.toml", "--json"]);
    assert_eq!((&json["current"]["denied"], &json["compared"]["denied"]), (&json!(3), &json!(13)));
    place.write("same.toml", bans);
    let text = place.text(&["replay", "access.log", "--config", "bans.toml", "--compare", "same.toml"]);
    assert!(text.ends_with("\nNo client would have been treated differently\n"));
}

#[test]
fn watching_shows_denials_as_they_come() {
    let place = Place::new();
    let old = "192.0.2.9 - - [14/Sep/2025:15:00:00 +0000] \"GET /old HTTP/1.1\" 403 9 \"-\" \"x\" 1ms BLOCKED \"Keyword block: old\" ip_keyword_block block\n";
    place.write("aiwaf_logs/access.log", old);
    let mut child = place
        .command(&["watch", "--interval", "0.05", "--for", "20s"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut seen = BufReader::new(child.stdout.take().unwrap()).lines();
    let path = place.path().join("aiwaf_logs/access.log");
    let append = |text: &str| {
        std::fs::File::options().append(true).open(&path).unwrap().write_all(text.as_bytes()).unwrap();
    };
    // Until the command has opened the log, what comes is old; so the line comes until it is seen.
    let (done, stop) = std::sync::mpsc::channel();
    let first = std::thread::scope(|scope| {
        scope.spawn(move || {
            while stop.recv_timeout(std::time::Duration::from_millis(100)).is_err() {
                append(&line(1, "192.0.2.1", "/fine", 200, BROWSER));
                append(&old.replace("/old", "/new").replace("block: old", "block: \\x1b[2J"));
            }
        });
        let first = seen.next().unwrap().unwrap();
        done.send(()).unwrap();
        first
    });
    assert_eq!(
        first,
        "2025-09-14T15:00:00Z 192.0.2.9 403 GET /new  ip_keyword_block: Keyword block: \u{fffd}[2J"
    );
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_is_in_the_log_already_can_be_watched() {
    let place = Place::new();
    let denied = "192.0.2.9 - - [14/Sep/2025:15:00:00 +0000] \"GET /a HTTP/1.1\" 429 9 \"-\" \"x\" 1ms BLOCKED \"Flood\" rate_limit throttle\n";
    place.write("one.log", denied.to_owned() + &line(1, "192.0.2.1", "/fine", 200, BROWSER));
    let watch = ["watch", "one.log", "--from-start", "--for", "1s", "--interval", "0.05"];
    let json = place.text(&[&watch[..], &["--json"]].concat());
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(json.trim()).unwrap(),
        json!({"time": "2025-09-14T15:00:00.000000Z", "client": "192.0.2.9", "method": "GET", "target": "/a",
            "status": 429, "denied": true, "protection": "rate_limit", "reason": "Flood"})
    );
    assert_eq!(place.text(&[&watch[..], &["--all"]].concat()).lines().count(), 2);
    assert_eq!(place.run(&["watch", "--interval", "0"]).code, 2);
}

#[test]
fn countries_are_counted() {
    let place = Place::new();
    place.write("geo.mmdb", geo_database(&[(192, "DE"), (203, "US")]));
    place.write("access.log", log());
    place.write("aiwaf_data/blacklist.csv", "ip,reason,added_date\n203.0.113.9,,\n");
    place.write("aiwaf_data/geo_blocked_countries.csv", "country,added_date\nUS,\n");
    let arguments = ["geo-summary", "access.log", "--database", "geo.mmdb"];
    assert_eq!(
        place.text(&arguments),
        "Using CSV storage: aiwaf_data\n\n\
         103 requests of 5 clients\n\
         \x20 CODE  COUNTRY        REQUESTS   SHARE  CLIENTS  DENIED  BANS  BLOCKED\n\
         \x20 -     unknown              60  58.3 %        1       0     0\n\
         \x20 DE    Germany              40  38.8 %        2       0     0\n\
         \x20 US    United States         3   2.9 %        2       0     1  yes\n"
    );
    let json = place.json(&[&arguments[..], &["--top", "1", "--limit", "10", "--json"]].concat());
    assert_eq!((&json["requests"], &json["countries"][0]["country"]), (&json!(10), &json!("DE")));
    assert_eq!(json["more_countries"], 1);
    assert!(place.error(&["geo-summary", "access.log"], 1).contains("AIWAF_GEOIP_DB_PATH"));
    let said = place.error(&["geo-summary", "--database", "access.log"], 1);
    assert!(said.contains("not a MaxMind database") && !said.contains("database_path"), "{said}");
}

#[test]
fn a_log_of_any_shape_can_be_described() {
    let place = Place::new();
    let line =
        |second: u32| format!("2025-09-14T15:00:{second:02}+00:00|200|203.0.113.9|GET /{second} HTTP/1.1\n");
    place.write("odd.log", (0..60).map(line).collect::<Vec<_>>().concat());
    let format = "$time_iso8601|$status|$remote_addr|$request";
    assert!(!place.run(&["logs", "odd.log", "--json"]).out.contains("\"requests\": 60"));
    assert_eq!(place.json(&["logs", "odd.log", "--json", "--format", format])["requests"], 60);
    assert!(place.error(&["train", "--dry-run", "odd.log"], 1).contains("log_format"));
    assert_eq!(place.json(&["train", "--dry-run", "odd.log", "--json", "--format", format])["parsed"], 60);
    assert!(place.error(&["logs", "odd.log", "--format", "$status"], 2).contains("$remote_addr"));
    assert!(place.error(&["logs", "odd.log", "--format", "w4c"], 2).contains("w3c"));
}

#[test]
fn logs_that_are_missing_are_said_with_what_to_do() {
    let place = Place::new();
    for command in ["logs", "train", "replay"] {
        let said = place.run(&[command]).err;
        assert!(said.contains("aiwaf_logs") && said.contains("AIWAF_LOG_DIR"), "{said}");
    }
    assert!(place.error(&["logs", "none.log"], 1).ends_with("check the spelling"));
}

#[test]
fn training_learns_and_the_model_is_looked_after() {
    let place = Place::new();
    let mut log = log();
    for (number, path) in
        ["/.git/config", "/phpmyadmin/", "/backup.sql", "/cgi-bin/x", "/vendor/phpunit"].iter().enumerate()
    {
        log += &line(700 + u32::try_from(number).unwrap(), "203.0.113.66", path, 404, "x");
    }
    for visit in 0..300 {
        log += &line(800 + visit * 5, &format!("192.0.2.{}", visit % 30), "/shop", 200, BROWSER);
    }
    place.write("logs/access.log", log).write("aiwaf.toml", "[ai_anomaly]\nmin_ai_logs = 100\n");
    let dry = place.text(&["train", "--dry-run", "--log-dir", "logs"]);
    assert!(
        dry.contains("203.0.113.66  Scanning") && dry.ends_with("Nothing was changed (--dry-run)\n"),
        "{dry}"
    );
    assert!(!place.path().join("aiwaf_data").exists());
    assert!(
        place
            .error(&["model", "--info"], 1)
            .starts_with("there is no model aiwaf_data/model.aiwaf: `aiwaf train`")
    );

    let said = place.text(&["train", "--log-dir", "logs", "--disable-ai"]);
    assert!(
        said.contains("Banned 1 client, ") && !place.path().join("aiwaf_data/model.aiwaf").exists(),
        "{said}"
    );
    assert!(place.text(&["list", "blacklist"]).contains("trainer"));

    let said = place.text(&["train", "--log-dir", "logs", "--verbose", "--html", "report.html"]);
    assert!(said.contains("Wrote the model to aiwaf_data/model.aiwaf\n"), "{said}");
    assert!(std::fs::read_to_string(place.path().join("report.html")).unwrap().contains("<svg"));
    assert_eq!(place.text(&["model", "--check"]), "aiwaf_data/model.aiwaf can be used\n");
    let info = place.json(&["model", "--info", "--json"]);
    assert_eq!(
        (&info["file"], info["features"].as_array().unwrap().len()),
        (&json!("aiwaf_data/model.aiwaf"), aiwaf_core::FEATURE_COUNT)
    );
    assert!(place.text(&["model"]).contains("  Trees      100 of "));
    let json = place.json(&["train", "--log-dir", "logs", "--json"]);
    assert_eq!((&json["dry_run"], &json["model_file"]), (&json!(false), &json!("aiwaf_data/model.aiwaf")));
    assert!(place.text(&["model", "--retrain", "--log-dir", "logs"]).contains("Wrote the model"));

    place.write("aiwaf_data/model.aiwaf", "damaged");
    assert_eq!(place.run(&["model", "--check"]).code, 1);
    assert!(place.text(&["--data-dir", "other", "train", "--log-dir", "logs"]).contains("other/model.aiwaf"));
    assert!(place.error(&["train", "--log-dir", "nowhere"], 1).contains("nowhere"));
}
