//! `aiwaf logs`: text, JSON and the page.

use std::fmt::Write as _;
use std::io::Write as _;

use crate::geo_database::geo_database;
use crate::support::Place;

/// A line of the combined format, at this second of 2025-09-14.
fn line(second: u32, client: &str, request: &str, rest: &str) -> String {
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "{client} - - [14/Sep/2025:{hour:02}:{minute:02}:{second:02} +0000] \"{request} HTTP/1.1\" {rest}\n"
    )
}

/// Four requests of three clients; one was blocked.
fn small() -> String {
    [
        line(0, "192.0.2.1", "GET /a?x=1", r#"200 1024 "-" "Mozilla/5.0" 10ms - "-""#),
        line(60, "192.0.2.1", "GET /a", r#"200 1024 "-" "Mozilla/5.0" 20ms - "-""#),
        line(120, "2001:db8::7", "POST /login", r#"302 0 "-" "Mozilla/5.0" 30ms - "-""#),
        line(
            180,
            "203.0.113.9",
            "GET /.env",
            r#"403 19 "-" "curl/8.0" 0ms BLOCKED "Keyword block: .env" ip_keyword_block block"#,
        ),
    ]
    .concat()
}

fn json(place: &Place, arguments: &[&str]) -> serde_json::Value {
    let ran = place.run(&[&["logs", "--json"], arguments].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    serde_json::from_str(&ran.out).unwrap()
}

/// The figures that the documentation of the original shows.
#[test]
fn the_first_lines_are_those_of_the_original() {
    let mut log = String::new();
    for number in 0..1250 {
        let rest = if number < 45 {
            r#"403 0 "-" "BadBot/1.0" 85ms BLOCKED "Malicious keyword: .php""#
        } else {
            r#"200 1234 "-" "Mozilla/5.0" 85ms - "-""#
        };
        log += &line(number, "203.0.113.10", "GET /admin.php", rest);
    }
    let place = Place::new();
    place.write("logs/access.log", log);
    let ran = place.run(&["logs", "--log-dir", "logs", "--format", "combined"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for expected in [
        "\nAIWAF Access Log Analysis\n",
        "\nTotal Requests: 1,250\n",
        "\nBlocked Requests: 45 (3.6%)\n",
        "\nAverage Response Time: 85ms\n",
        "  Malicious keyword: .php        45   100%\n",
    ] {
        assert!(ran.out.contains(expected), "{expected:?} in {}", ran.out);
    }
}

#[test]
fn all_of_it_as_text() {
    let place = Place::new();
    place.write("aiwaf_logs/access.log", small());
    let ran = place.run(&["logs"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let expected = "
AIWAF Access Log Analysis
==================================================
Logs: 1 file (combined), 450 B, 4 lines
Period: 2025-09-14 00:00:00 to 2025-09-14 00:03:00 (UTC)
Total Requests: 4
Blocked Requests: 1 (25.0%)
Average Response Time: 15ms
95th Percentile: 30ms
99th Percentile: 30ms
Slowest: 30ms
Unique Clients: 3
Sent: 2.0 KiB

Requests over time (UTC, each column 1 minute)
     1 |### ### ### ###
       |### ### ### ###
       |### ### ### ###
       |### ### ### ###
       |### ### ### ###
     0 |### ### ### ###
        14 Sep  00:02

Blocked over time
     1 |            ###
       |            ###
     0 |            ###
        14 Sep  00:02

Status Codes
  STATUS         REQUESTS  SHARE
  200 OK                2  50.0%
  302 Found             1  25.0%
  403 Forbidden         1  25.0%

Protections
  PROTECTION        REQUESTS  SHARE
  ip_keyword_block         1   100%

Top Block Reasons
  REASON               REQUESTS  SHARE
  Keyword block: .env         1   100%

Top Blocked IPs
  CLIENT       BLOCKED  SHARE
  203.0.113.9        1   100%

Top Blocked Paths
  PATH   BLOCKED  SHARE
  /.env        1   100%

Top IPs
  CLIENT         REQUESTS  SHARE  BLOCKED
  192.0.2.1             2  50.0%
  203.0.113.9           1  25.0%        1
  2001:db8::/64         1  25.0%

Top Paths
  PATH    REQUESTS  SHARE  BLOCKED
  /a             2  50.0%
  /.env          1  25.0%        1
  /login         1  25.0%

Methods
  METHOD  REQUESTS  SHARE  BLOCKED
  GET            3  75.0%        1
  POST           1  25.0%

User Agents
  AGENT        REQUESTS  SHARE  BLOCKED
  Mozilla/5.0         3  75.0%
  curl/8.0            1  25.0%        1

Note: Percentiles of response times are within 0.8%.
";
    assert_eq!(ran.out, expected, "{}", ran.out);
}

#[test]
fn all_of_it_as_json() {
    let place = Place::new();
    place.write("access.log", small() + "nonsense\n");
    let ran = place.run(&["logs", "access.log", "--json"]);
    assert!(ran.code == 0 && ran.err.contains("1 of 5 lines is no request and was left out"), "{ran:?}");
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["logs"]["lines"], 5);
    assert_eq!(report["logs"]["formats"][0]["format"], "combined");
    assert_eq!(report["logs"]["unreadable_samples"][0]["text"], "nonsense");
    assert_eq!(report["unreadable_lines"], 1);
    assert_eq!((&report["requests"], &report["blocked"]), (&4.into(), &1.into()));
    assert_eq!(report["first"], "2025-09-14T00:00:00.000000Z");
    assert_eq!(report["response_time"]["average_ms"], 15.0);
    assert_eq!(report["distinct_clients"], serde_json::json!({"count": 3, "relative_error": null}));
    assert_eq!(
        report["reasons"],
        serde_json::json!({
            "entries": [{"name": "Keyword block: .env", "requests": 1, "blocked": 1, "missed": 0}],
            "known": 1,
            "most_missed": 0
        })
    );
    assert_eq!(
        report["timeline"]["buckets"][3],
        serde_json::json!({"start": "2025-09-14T00:03:00.000000Z", "requests": 1, "blocked": 1, "errors": 0})
    );
    assert_eq!(report["countries"], serde_json::Value::Null);
    place.write("access.log", small());
    assert_eq!(json(&place, &["access.log", "--top", "1"])["paths"]["entries"].as_array().unwrap().len(), 1);
}

#[test]
fn rotated_files_and_all_formats_are_read() {
    let place = Place::new();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(small().as_bytes()).unwrap();
    place.write("logs/access.log.2.gz", packed.finish().unwrap());
    place.write("logs/access.log.1", small());
    place.write(
        "logs/access.csv",
        "timestamp,ip,method,path,status_code,response_time_ms,blocked,block_reason\n\
         2025-09-14T15:02:42,203.0.113.10,GET,/admin.php,403,10,True,Malicious keyword: .php\n",
    );
    place.write(
        "logs/access.json",
        r#"{"timestamp": "2025-09-14T15:02:42", "ip": "203.0.113.10", "method": "GET", "path": "/admin.php", "status_code": 403, "blocked": true, "block_reason": "Malicious keyword: .php"}"#,
    );
    place.write("logs/error.log", small());
    let report = json(&place, &["--log-dir", "logs"]);
    assert_eq!((&report["requests"], &report["blocked"]), (&10.into(), &4.into()));
    assert_eq!(report["unreadable_lines"], 0);
    assert_eq!(report["distinct_clients"]["count"], 4);
    place.write("aiwaf.toml", "[logging]\ndir = \"logs\"\n");
    assert_eq!(json(&place, &[])["requests"], 10);
}

#[test]
fn only_the_period_counts() {
    let place = Place::new();
    place.write("access.log", small());
    let period = ["access.log", "--since", "2025-09-14T00:01:00", "--until", "2025-09-14T00:03:00"];
    let report = json(&place, &period);
    assert_eq!((&report["requests"], &report["outside_period"]), (&2.into(), &2.into()));
    let text = place.run(&["logs", "access.log", "--since", "1h"]);
    assert_eq!(text.code, 0);
    assert!(text.out.contains("Total Requests: 0\n"), "{}", text.out);
    assert!(text.out.contains("Note: 4 requests outside of the period were left out.\n"), "{}", text.out);
    let empty = place.run(&["logs", "access.log", "--since", "2025-09-15", "--until", "2025-09-14"]);
    assert!(empty.code == 2 && empty.err.contains("the period is empty"), "{empty:?}");
    assert_eq!(place.run(&["logs", "access.log", "--since", "yesterday"]).code, 2);
}

#[test]
fn standard_input_is_read_and_mistakes_are_named() {
    let place = Place::new();
    let ran = place.run_with(&["logs", "-"], small());
    assert!(ran.code == 0 && ran.out.contains("Total Requests: 4\n"), "{ran:?}");
    let missing = place.run(&["logs", "--log-dir", "nowhere"]);
    assert!(
        missing.code == 1 && missing.err.contains("nowhere") && missing.err.lines().count() == 1,
        "{missing:?}"
    );
    place.write("empty/notes.txt", "x");
    let nothing = place.run(&["logs", "empty"]);
    assert!(nothing.code == 1 && nothing.err.contains("no logs in empty"), "{nothing:?}");
    assert_eq!(place.run(&["logs", "--format", "xml"]).code, 2);
    place.write("access.log", small());
    let unwritable = place.run(&["logs", "access.log", "--html", "no/such/report.html"]);
    assert!(unwritable.code == 1 && unwritable.err.contains("no/such/report.html"), "{unwritable:?}");
    let geo = place.run(&["logs", "access.log", "--geo-db", "nowhere.mmdb"]);
    assert!(geo.code == 1 && geo.err.contains("nowhere.mmdb"), "{geo:?}");
}

#[test]
fn countries_are_told_by_a_database() {
    let place = Place::new();
    place.write("geo.mmdb", geo_database(&[(192, "DE"), (203, "US")])).write("access.log", small());
    let arguments = ["access.log", "--geo-db", "geo.mmdb", "--html", "report.html"];
    let report = json(&place, &arguments);
    assert_eq!(
        report["countries"],
        serde_json::json!([
            {"country": "DE", "requests": 2, "blocked": 0},
            {"country": null, "requests": 1, "blocked": 0},
            {"country": "US", "requests": 1, "blocked": 1}
        ])
    );
    let page = std::fs::read_to_string(place.path().join("report.html")).unwrap();
    assert!(page.contains("title=\"DE Germany\""));
    place.write("aiwaf.toml", "[geo_block]\ndatabase_path = \"geo.mmdb\"\n");
    let ran = place.run(&["logs", "access.log"]);
    let row = ran.out.lines().find(|line| line.contains("DE Germany")).unwrap_or_default();
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["DE", "Germany", "2", "50.0%"], "{}", ran.out);
}

/// What attackers could write into a log, in places where it is shown.
fn hostile() -> Vec<u8> {
    let values: [&[u8]; 6] = [
        b"<script>alert(1)</script>",
        b"\\\"><img src=x onerror=alert(1)>",
        b"' onmouseover='alert(1)",
        b"</style></svg></title><iframe src=javascript:alert(1)>",
        b"\x1b[2J\x1b]0;owned\x07\x9b31m\xe2\x80\xae",
        b"&lt;script&gt;",
    ];
    let mut log = Vec::new();
    for (number, value) in values.iter().enumerate() {
        log.extend_from_slice(
            format!("192.0.2.{number} - - [14/Sep/2025:00:00:0{number} +0000] \"GET /").as_bytes(),
        );
        log.extend_from_slice(value);
        log.extend_from_slice(b" HTTP/1.1\" 403 0 \"-\" \"");
        log.extend_from_slice(value);
        log.extend_from_slice(b"\" 1ms BLOCKED \"");
        log.extend_from_slice(value);
        log.extend_from_slice(b"\" ip_keyword_block block\n");
    }
    // A host name, and a method, as servers that look names up and don't check methods log them.
    log.extend_from_slice(
        b"<b>host</b> - - [14/Sep/2025:00:00:09 +0000] \"<svg/onload=alert(1)>\" 400 0 \"-\" \"-\"\n",
    );
    log
}

#[test]
fn hostile_text_reaches_no_terminal() {
    let place = Place::new();
    place.write("access.log", hostile());
    for arguments in [&["logs", "access.log"][..], &["logs", "access.log", "--json"]] {
        let ran = place.run(arguments);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let confusing =
            |character: char| (character.is_control() && character != '\n') || character == '\u{202e}';
        assert!(!ran.out.contains(confusing), "{:?}", ran.out);
        assert!(ran.out.contains(r"[2J"), "{}", ran.out);
    }
}

#[test]
fn hostile_text_stays_text_in_the_page() {
    let place = Place::new();
    place.write("access.log", hostile());
    let ran = place.run(&["logs", "access.log", "--html", "report.html"]);
    assert!(ran.code == 0 && ran.out.ends_with("Report written to report.html\n"), "{ran:?}");
    let page = std::fs::read_to_string(place.path().join("report.html")).unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.contains("&amp;lt;script"));
    check_page(&page);
}

/// Reads the page as a browser does: every tag and attribute must be one that the report uses, every quote closed, every
/// element closed in order.
fn check_page(page: &str) {
    const VOID: [&str; 5] = ["meta", "link", "line", "rect", "path"];
    const TAGS: [&str; 44] = [
        "html", "head", "meta", "link", "title", "style", "body", "header", "main", "footer", "section",
        "div", "h1", "h2", "p", "b", "q", "time", "dl", "dt", "dd", "ul", "li", "svg", "g", "rect", "line",
        "path", "text", "table", "thead", "tbody", "tr", "th", "td", "span", "abbr", "details", "summary",
        "caption", "figure", "br", "code", "em",
    ];
    const ATTRIBUTES: [&str; 27] = [
        "class",
        "title",
        "role",
        "aria-label",
        "aria-hidden",
        "scope",
        "colspan",
        "x",
        "y",
        "x1",
        "x2",
        "y1",
        "y2",
        "dy",
        "width",
        "height",
        "d",
        "viewBox",
        "lang",
        "charset",
        "http-equiv",
        "content",
        "name",
        "rel",
        "href",
        "open",
        "id",
    ];
    assert!(page.contains("default-src 'none'"));
    let (head, rest) = page.split_once("<style>").unwrap();
    let (style, body) = rest.split_once("</style>").unwrap();
    assert!(!style.contains("url(") && !style.contains("@import") && !style.contains('<'));
    let mut open: Vec<String> = Vec::new();
    for part in [head, body] {
        let mut rest = part.strip_prefix("<!DOCTYPE html>").unwrap_or(part);
        while let Some(at) = rest.find('<') {
            let (tag, after) = rest[at + 1..].split_once('>').unwrap();
            rest = after;
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop().as_deref(), Some(name), "closed");
                continue;
            }
            let (name, mut attributes) =
                tag.trim_end_matches('/').split_once([' ', '\n']).unwrap_or((tag, ""));
            assert!(TAGS.contains(&name), "{tag}");
            while let Some((attribute, value)) = attributes.trim().split_once("=\"") {
                assert!(ATTRIBUTES.contains(&attribute), "{attribute} in {tag}");
                let (value, more) = value.split_once('"').unwrap();
                assert!(attribute != "href" || value == "data:,", "{tag}");
                attributes = more;
            }
            assert_eq!(attributes.trim(), "", "{tag}");
            if !VOID.contains(&name) {
                open.push(name.to_owned());
            }
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn the_page_stands_alone_and_says_everything_as_text_too() {
    let place = Place::new();
    place.write("access.log", small());
    let ran = place.run(&["logs", "access.log", "--json", "--html", "report.html"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(serde_json::from_str::<serde_json::Value>(&ran.out).is_ok(), "{}", ran.out);
    let page = std::fs::read_to_string(place.path().join("report.html")).unwrap();
    check_page(&page);
    for expected in [
        "<b>3</b> clients made <b>4</b> requests between <time>2025-09-14 00:00:00</time>",
        "<b class=\"bad\">1</b> of them (25.0%) was blocked, most often for <q>Keyword block: .env</q>.",
        "aria-label=\"Requests over time, in columns of 1 minute. Most requests: 1 (14 Sep 00:00).\"",
        "<tr><th scope=\"row\">14 Sep 00:03</th><td>0</td><td>0</td><td>1</td></tr>",
        "<title>14 Sep 00:03\nAnswered: 0\nErrors (4xx, 5xx): 0\nBlocked: 1</title>",
        "1 file (combined), 450 B, 4 lines",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    place.write("access.log", "");
    place.run(&["logs", "access.log", "--html", "empty.html"]);
    let empty = std::fs::read_to_string(place.path().join("empty.html")).unwrap();
    check_page(&empty);
    assert!(empty.contains("There is no request in these logs."));
}

#[test]
fn estimates_are_called_so() {
    let mut log = String::new();
    for number in 0..12_000 {
        // A path that comes in late, after others were forgotten.
        let path = if number >= 9_000 && number % 2 == 0 { "/late".to_owned() } else { format!("/{number}") };
        let _ = write!(log, "{}", line(number, "192.0.2.1", &format!("GET {path}"), r#"200 1 "-" "x""#));
    }
    let place = Place::new();
    place.write("access.log", log);
    let ran = place.run(&["logs", "access.log", "--html", "report.html", "--top", "1"]);
    assert!(ran.out.contains("  /late   \u{2265} 1,500  12.5%\n"), "{}", ran.out);
    assert!(ran.out.contains("a count with \u{2265} may be up to 1 too low"), "{}", ran.out);
    let page = std::fs::read_to_string(place.path().join("report.html")).unwrap();
    check_page(&page);
    assert!(page.contains("title=\"at least 1,500, at most 1,501\""));
}

#[test]
fn whoever_has_read_enough_ends_it_quietly() {
    let place = Place::new();
    place.write("access.log", small());
    let mut child = place
        .command(&["logs", "access.log"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
