//! Every format against hostile records, and the original's defects.

use std::borrow::Cow;
use std::time::Duration;

use proptest::prelude::*;

use super::{
    AccessRecord, BlockAction, BlockMark, LineError, LineParser, LineWriter, LogEntry, LogFormat,
    LoggedClient,
};
use crate::protection::{Protection, ProtectionSet};
use crate::request::{Outcome, Request};
use crate::secret_names::SecretNames;
use crate::timestamp::Timestamp;
use crate::verdict::{Finding, Reason, Verdict};

type Bytes = Cow<'static, [u8]>;

/// What attackers put into fields, mixed with arbitrary bytes.
fn hostile() -> impl Strategy<Value = Bytes> {
    let pieces = prop::sample::select(vec![
        "\n",
        "\r\n",
        "\"",
        "\\",
        "\0",
        "\x1b[31m",
        "\u{2028}",
        "\u{202e}",
        "\u{85}",
        "=cmd|' /C calc'!A0",
        "+1",
        "-",
        "@SUM(1)",
        "\t",
        ",",
        ";",
        " ",
        "/",
        "GET",
        "HTTP/1.1",
        "\\x41",
        "\\-",
        "\\n",
        "\" 200 5 \"-\" \"-\" 9ms",
        "[01/Jan/2000:00:00:00 +0000]",
        "é€😀",
        "True",
        "{",
        "}",
        "\u{feff}",
        "\u{ff1d}",
        "BLOCKED",
        "250ms",
        "timestamp",
        "ip",
        "null",
        "a",
        "[truncated]",
    ]);
    let piece = prop_oneof![
        4 => pieces.prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(piece, 0..7).prop_map(|pieces| Cow::Owned(pieces.concat()))
}

/// A hostile value that is sometimes longer than what is written.
fn hostile_field() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        40 => hostile(),
        1 => (hostile(), 1usize..3000).prop_map(|(value, times)| Cow::Owned(value.repeat(times))),
    ]
}

fn clients() -> impl Strategy<Value = LoggedClient<'static>> {
    prop_oneof![
        any::<std::net::IpAddr>().prop_map(LoggedClient::Address),
        hostile().prop_map(LoggedClient::Name),
        Just(LoggedClient::Name(Cow::Borrowed(b"192.0.2.1"))),
    ]
}

fn marks() -> impl Strategy<Value = BlockMark<'static>> {
    let protection = prop::option::of(prop::sample::select(Protection::ALL.to_vec()));
    let action = prop::sample::select(vec![BlockAction::Block, BlockAction::Throttle]);
    (hostile_field(), protection, action, any::<bool>()).prop_map(
        |(reason, protection, action, monitored)| BlockMark { reason, protection, action, monitored },
    )
}

fn records() -> impl Strategy<Value = AccessRecord<'static>> {
    let method = prop_oneof![Just(Cow::Borrowed(&b"PATCH"[..])), hostile()];
    let protocol = prop_oneof![Just(Cow::Borrowed(&b"HTTP/2.0"[..])), hostile()];
    let time = prop_oneof![any::<i64>(), 0..4_000_000_000_000_000i64].prop_map(Timestamp::from_unix_micros);
    let taken = prop_oneof![any::<u64>(), 0..10_000_000_000u64].prop_map(Duration::from_nanos);
    let answer = (any::<u16>(), any::<Option<u64>>(), prop::option::of(taken));
    let headers = (prop::option::of(hostile_field()), prop::option::of(hostile_field()));
    (time, clients(), method, hostile_field(), protocol, answer, headers, prop::option::of(marks())).prop_map(
        |(
            time,
            client,
            method,
            target,
            protocol,
            (status, bytes, response_time),
            (referer, user_agent),
            block,
        )| {
            AccessRecord {
                time,
                client,
                method,
                target,
                protocol,
                status,
                bytes,
                referer,
                user_agent,
                response_time,
                block,
            }
        },
    )
}

fn written(format: LogFormat, record: &AccessRecord<'_>) -> Vec<u8> {
    let mut line = Vec::new();
    format.write(record, &mut line);
    line
}

/// One line of printable UTF-8 that reads back as what the format carries, and that is of this format.
fn check_round_trip(format: LogFormat, record: &AccessRecord<'_>) -> Result<(), TestCaseError> {
    let line = written(format, record);
    let text = std::str::from_utf8(&line).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let inside = text.strip_suffix('\n').ok_or_else(|| TestCaseError::fail("no line break"))?;
    prop_assert!(!inside.chars().any(super::escape::is_confusing), "{inside:?}");
    prop_assert!(line.len() <= LogFormat::MAX_LINE);

    let carried = format.carried(record);
    prop_assert_eq!(&format.parse_line(&line)?, &carried, "{}", inside);
    prop_assert_eq!(&format.carried(&carried), &carried);
    prop_assert_eq!(&written(format, &carried), &line);

    let mut parser = LineParser::new(format);
    if let Some(header) = format.header() {
        prop_assert_eq!(parser.parse(header.as_bytes())?, None);
    }
    prop_assert_eq!(parser.parse(&line)?, Some(carried));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn lines_are_the_reference_lines(record in records()) {
        for format in LogFormat::ALL {
            let line = written(format, &record);
            let expected = super::reference::write(format, &record);
            prop_assert_eq!(String::from_utf8_lossy(&line), String::from_utf8_lossy(&expected));
        }
    }

    #[test]
    fn borrowed_entries_are_written_as_records(
        base in records(),
        path in hostile_field(),
        query in hostile_field(),
        agent in hostile_field(),
        is_monitored: bool,
        reason in ".{0,12}",
    ) {
        let address = std::net::IpAddr::from([192, 0, 2, 7]);
        let (method, protocol) =
            (String::from_utf8_lossy(&base.method), String::from_utf8_lossy(&base.protocol));
        let headers = [("Referer", &*path), ("User-Agent", &*agent)];
        let request = Request::new(address, base.time)
            .with_method(&method)
            .with_path(&*path)
            .with_query(&*query)
            .with_protocol(&protocol)
            .with_headers(&headers);
        let outcome = Outcome::new(base.status, base.response_time.unwrap_or_default());
        let mut verdict = Verdict::allow(ProtectionSet::ALL);
        let finding = Finding::block(Protection::GeoBlock, Reason::Blacklisted(reason.into()));
        if is_monitored {
            verdict.monitored.push(finding);
        } else if base.block.is_some() {
            verdict.action = finding.action;
            verdict.finding = Some(finding);
        }
        let mut record = AccessRecord::from_request(&request, &outcome, &verdict);
        record.bytes = base.bytes;
        let mut entry = LogEntry::new(&request, &outcome, &verdict);
        entry.bytes = base.bytes;
        let mut writer = LineWriter::new();
        let secrets = SecretNames::new(["a", "ip"]);
        for is_redacted in [false, true] {
            if is_redacted {
                record.redact(&secrets);
                entry.redact(&secrets);
            }
            for format in LogFormat::ALL {
                let mut line = Vec::new();
                writer.write(format, &entry, &mut line);
                let expected = super::reference::write(format, &record);
                prop_assert_eq!(String::from_utf8_lossy(&line), String::from_utf8_lossy(&expected));
            }
        }
    }

    #[test]
    fn combined_reads_what_it_writes(record in records()) {
        check_round_trip(LogFormat::Combined, &record)?;
    }

    #[test]
    fn common_reads_what_it_writes(record in records()) {
        check_round_trip(LogFormat::Common, &record)?;
    }

    #[test]
    fn csv_reads_what_it_writes(record in records()) {
        check_round_trip(LogFormat::Csv, &record)?;
    }

    #[test]
    fn json_reads_what_it_writes(record in records()) {
        check_round_trip(LogFormat::Json, &record)?;
        let line = written(LogFormat::Json, &record);
        prop_assert!(serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&line).is_ok());
    }

    #[test]
    fn formats_are_told_apart(mut record in records()) {
        record.client = LoggedClient::Address(std::net::Ipv6Addr::LOCALHOST.into());
        for format in LogFormat::ALL {
            prop_assert_eq!(LogFormat::detect(&written(format, &record)), Some(format));
        }
    }

    #[test]
    fn no_line_makes_a_parser_panic(line in hostile_field(), prefix in 0usize..5) {
        let prefix = ["", "h - - [14/Sep/2025:15:02:41 +0000] \"", "h - - [14/Sep/2025:15:02:41 +0000] \"GET / X/1\" 1 -",
            "2025-09-14T15:02:41,", "{\"timestamp\": \""][prefix];
        let line = [prefix.as_bytes(), &line].concat();
        for format in LogFormat::ALL {
            let mut parser = LineParser::new(format);
            // Whatever the answer: a record that was read can be written and read again.
            if let Ok(Some(record)) = parser.parse(&line) {
                check_round_trip(format, &record)?;
            }
        }
        let _ = LogFormat::detect(&line);
    }
}

fn sample() -> AccessRecord<'static> {
    let time = Timestamp::parse_iso8601("2025-09-14T15:02:41Z").unwrap();
    let mut record = AccessRecord::new(time, "127.0.0.1".parse().unwrap());
    record.method = b"GET".into();
    record.target = b"/api/data".into();
    record.protocol = b"HTTP/1.1".into();
    record.status = 200;
    record.bytes = Some(1234);
    record.referer = Some(b"http://example.com".into());
    record.user_agent = Some(b"Mozilla/5.0".into());
    record.response_time = Some(Duration::from_millis(50));
    record
}

fn blocked() -> AccessRecord<'static> {
    let mut record = sample();
    record.target = b"/admin.php".into();
    record.status = 403;
    record.block =
        Some(BlockMark::new("Malicious keyword: .php").with_protection(Protection::IpKeywordBlock));
    record
}

fn parse(line: &str) -> AccessRecord<'_> {
    LogFormat::Combined.parse_line(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn formats_look_as_documented() {
    let text = |format, record: &AccessRecord<'_>| String::from_utf8(written(format, record)).unwrap();
    let (passed, blocked) = (sample(), blocked());
    assert_eq!(
        text(LogFormat::Combined, &passed),
        "127.0.0.1 - - [14/Sep/2025:15:02:41 +0000] \"GET /api/data HTTP/1.1\" 200 1234 \"http://example.com\" \
         \"Mozilla/5.0\" 50ms - \"-\"\n"
    );
    assert_eq!(
        text(LogFormat::Common, &passed),
        "127.0.0.1 - - [14/Sep/2025:15:02:41 +0000] \"GET /api/data HTTP/1.1\" 200 1234\n"
    );
    assert_eq!(
        text(LogFormat::Csv, &passed),
        "2025-09-14T15:02:41,127.0.0.1,GET,/api/data,200,50,False,,HTTP/1.1,1234,http://example.com,Mozilla/5.0,\
         50000,,,False\n"
    );
    assert!(text(LogFormat::Csv, &blocked).starts_with(
        "2025-09-14T15:02:41,127.0.0.1,GET,/admin.php,403,50,True,\"Malicious keyword: .php\","
    ));
    assert_eq!(
        text(LogFormat::Json, &blocked),
        "{\"timestamp\": \"2025-09-14T15:02:41\", \"ip\": \"127.0.0.1\", \"method\": \"GET\", \"path\": \
         \"/admin.php\", \"status_code\": 403, \"blocked\": true, \"block_reason\": \"Malicious keyword: .php\", \
         \"protocol\": \"HTTP/1.1\", \"bytes\": 1234, \"referer\": \"http://example.com\", \"user_agent\": \
         \"Mozilla/5.0\", \"response_time_ms\": 50, \"protection\": \"ip_keyword_block\", \"action\": \"block\"}\n"
    );
}

#[test]
fn the_originals_own_examples_are_read() {
    let line = r#"203.0.113.10 - - [14/Sep/2025:15:02:42 +0000] "GET /admin.php HTTP/1.1" 403 0 "-" "BadBot/1.0" 10ms BLOCKED "Malicious keyword: .php""#;
    let from_combined = parse(line);
    let mark = from_combined.block.clone().unwrap();
    assert_eq!((&*mark.reason, mark.protection), (&b"Malicious keyword: .php"[..], None));

    let mut csv = LineParser::new(LogFormat::Csv);
    let header = b"timestamp,ip,method,path,status_code,response_time_ms,blocked,block_reason\n";
    assert_eq!(csv.parse(header), Ok(None));
    let row = b"2025-09-14T15:02:42,203.0.113.10,GET,/admin.php\\x,403,10,True,Malicious keyword: .php\r\n";
    let from_csv = csv.parse(row).unwrap().unwrap();
    assert_eq!(&*from_csv.target, br"/admin.php\x");
    assert_eq!(from_csv.block, from_combined.block);
    assert_eq!(from_csv.time, from_combined.time);
    assert_eq!(LogFormat::Csv.parse_line(row), Ok(from_csv));

    let json = br#"{"timestamp": "2025-09-14T15:02:42", "ip": "203.0.113.10", "method": "GET", "path": "/admin.php", "status_code": 403, "blocked": true, "block_reason": "Malicious keyword: .php"}"#;
    let from_json = LogFormat::Json.parse_line(json).unwrap();
    assert_eq!(from_json.block, from_combined.block);
}

/// A newline in a path forged log lines, quotes were not escaped, and csv cells ran as formulas.
#[test]
fn original_defect_22_no_value_forges_a_line_a_field_or_a_formula() {
    let forged =
        "/x HTTP/1.1\" 404 0\n198.51.100.7 - - [14/Sep/2025:15:02:41 +0000] \"GET /wp-login.php HTTP/1.1";
    let mut record = sample();
    record.target = forged.as_bytes().into();
    record.user_agent = Some(b"a\" 1ms BLOCKED \"forged\" honeypot block\r\n\"".into());
    record.referer = Some(b"=HYPERLINK(\"http://evil\")".into());
    for format in LogFormat::ALL {
        let line = written(format, &record);
        assert_eq!(line.iter().position(|&byte| byte == b'\n'), Some(line.len() - 1), "{format}");
        assert_eq!(format.parse_line(&line).unwrap(), format.carried(&record), "{format}");
    }
    let csv = written(LogFormat::Csv, &record);
    let csv = String::from_utf8(csv).unwrap();
    assert!(!csv.contains(",=") && !csv.contains(",\"="), "{csv}");
    // Percent-encoded line breaks stay as they were sent.
    record.target = b"/%0a198.51.100.7".into();
    assert!(written(LogFormat::Combined, &record).windows(5).any(|window| window == b"/%0a1"));
}

/// Patch requests, IPv6, missing lengths, blanks in paths and response times were not read.
#[test]
fn original_defect_23_its_own_and_other_logs_are_read() {
    let cases = [
        ("PATCH", "/a", r#"2001:db8::7 - - [14/Sep/2025:15:02:41 +0000] "PATCH /a HTTP/1.1" 200 - "-" "x""#),
        (
            "GET",
            "/a b",
            r#"192.0.2.7 - bob smith [14/Sep/2025:15:02:41 +0900] "GET /a b HTTP/2.0" 200 7 "-" "x" 250ms - "-""#,
        ),
        ("GET", "/a\"b", r#"192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] "GET /a\"b HTTP/1.1" 200 7"#),
        ("GET", "/a\"b", r#"192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] "GET /a"b HTTP/1.1" 200 7"#),
        ("GET", "/a\\", r#"192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] "GET /a\" 200 7"#),
        ("GET", "/a", r#"host.example - - [14/Sep/2025:15:02:41 +0000] "GET /a" 200 7"#),
        ("", "-", r#"192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] "-" 408 - "-" "-""#),
        ("", "quit now", r#"192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] "quit now" 400 226 "-" "-""#),
        (
            "",
            "\x16\x03\x01",
            r#"192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] "\x16\x03\x01" 400 226 "-" "-" "10.0.0.1""#,
        ),
    ];
    for (method, target, line) in cases {
        let record = parse(line);
        assert_eq!((&*record.method, &*record.target), (method.as_bytes(), target.as_bytes()), "{line}");
    }
    let timed = |tail: &str| {
        let line = format!(r#"192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] "GET / HTTP/1.1" 200 7 {tail}"#);
        parse(&line).response_time
    };
    assert_eq!(timed(r#""9.75" "x""#), None);
    assert_eq!(timed(r#""9.75" "x" 9.75"#), None);
    assert_eq!(timed(r#""9.75" "12ms""#), None);
    assert_eq!(timed(r#""9.75" "x" 250ms"#), Some(Duration::from_millis(250)));
    assert_eq!(timed(r#""-" "x" 250ms - "-""#), Some(Duration::from_millis(250)));
}

/// Local time was logged with a zone of +0000.
#[test]
fn original_defect_24_times_are_utc() {
    let mut record = sample();
    record.time = Timestamp::parse_iso8601("2025-09-15T00:02:41.5+09:00").unwrap();
    let line = String::from_utf8(written(LogFormat::Combined, &record)).unwrap();
    assert!(line.contains("[14/Sep/2025:15:02:41 +0000]"), "{line}");
    for format in [LogFormat::Csv, LogFormat::Json] {
        let line = String::from_utf8(written(format, &record)).unwrap();
        assert!(line.contains("2025-09-14T15:02:41.500000"), "{line}");
    }
}

#[test]
fn original_defect_25_throttled_requests_are_blocked_in_every_format() {
    let mut record = sample();
    record.status = 429;
    let mark = BlockMark::new("Rate limit exceeded").with_protection(Protection::RateLimit);
    record.block = Some(mark.with_action(BlockAction::Throttle));
    for (format, marked) in [
        (LogFormat::Combined, " BLOCKED \""),
        (LogFormat::Csv, ",True,"),
        (LogFormat::Json, "\"blocked\": true"),
    ] {
        let line = String::from_utf8(written(format, &record)).unwrap();
        assert!(line.contains(marked), "{line}");
        let read = format.parse_line(line.as_bytes()).unwrap().block.unwrap();
        assert_eq!((read.action, read.protection), (BlockAction::Throttle, Some(Protection::RateLimit)));
    }
}

/// A long referer cost seconds. A parser whose cost grows with the square of the length would take hours for these.
#[test]
fn original_defect_26_long_lines_are_read_in_linear_time() {
    let start = r#"192.0.2.7 - - [14/Sep/2025:15:02:41 +0000] ""#;
    for piece in ["\" ", "\\\"", "\"", "[", " ", "\" 200 ", "\" 1 1 \"", "\\", "a ", "\" \""] {
        let long = piece.repeat(200_000);
        for head in
            [start.to_owned(), format!("{start}GET / HTTP/1.1\" 200 5 \""), "a ".to_owned(), "{\"".to_owned()]
        {
            let line = head + &long;
            let _ = LogFormat::detect(line.as_bytes());
            let _ = LogFormat::Combined.parse_line(line.as_bytes());
            let _ = LogFormat::Csv.parse_line(line.as_bytes());
        }
    }
}

#[test]
fn csv_headers_are_heeded_but_clients_cannot_send_them() {
    let mut parser = LineParser::new(LogFormat::Csv);
    assert_eq!(parser.parse("\u{feff}\"Path\",extra,IP,status_code,timestamp\r\n".as_bytes()), Ok(None));
    assert_eq!(parser.parse(b""), Ok(None));
    let row = b"\"/a \"\"b\"\"\",?,2001:db8::1,200,2025-09-14 15:02:41+02:00";
    let record = parser.parse(row).unwrap().unwrap();
    assert_eq!(&*record.target, b"/a \"b\"");
    assert_eq!(record.time, Timestamp::parse_iso8601("2025-09-14T13:02:41Z").unwrap());
    // Every name of a header, but not where the time stands.
    let forged = parser.parse(b"timestamp,ip,path,status_code,2025-09-14T15:02:41");
    assert_eq!(forged, Err(LineError::Invalid { field: "status_code" }));
    assert!(parser.parse(row).is_ok());
    // Another version appended to the file.
    assert_eq!(parser.parse(b"path,ip,status_code,method,timestamp"), Ok(None));
    assert_eq!(parser.parse(b"/x,::1,404,PUT,2025-09-14T15:02:41").unwrap().unwrap().status, 404);
}

#[test]
fn the_longest_lines_are_bounded() {
    let worst: Bytes = Cow::Owned([vec![0; AccessRecord::MAX_FIELD - 1], vec![0xff]].concat());
    let short: Bytes = Cow::Owned([vec![0; AccessRecord::MAX_WORD - 1], vec![0xff]].concat());
    let mut record = sample();
    record.client = LoggedClient::Name(short.clone());
    (record.method, record.protocol) = (short.clone(), short);
    (record.target, record.referer, record.user_agent) =
        (worst.clone(), Some(worst.clone()), Some(worst.clone()));
    record.block = Some(BlockMark { reason: worst, ..BlockMark::new("") });
    for format in LogFormat::ALL {
        let line = written(format, &record);
        assert!(line.len() <= LogFormat::MAX_LINE, "{format}: {}", line.len());
        assert_eq!(format.parse_line(&line).unwrap(), format.carried(&record));
    }
}

#[test]
fn errors_name_the_field() {
    let error = |format: LogFormat, line: &str| format.parse_line(line.as_bytes()).unwrap_err().to_string();
    assert!(error(LogFormat::Combined, "nonsense here").contains("no time"));
    assert!(error(LogFormat::Combined, "a - - [32/Sep/2025:15:02:41 +0000] \"").contains("unreadable time"));
    assert!(error(LogFormat::Combined, "a - - [14/Sep/2025:15:02:41 +0000] \"GET").contains("request"));
    assert!(error(LogFormat::Csv, "2025-09-14T15:02:41,::1,GET,/,abc").contains("status_code"));
    assert!(error(LogFormat::Csv, "2025-09-14T15:02:41,\"::1").contains("not closed"));
    assert!(error(LogFormat::Json, "{\"timestamp\": 5}").contains("column"));
}
