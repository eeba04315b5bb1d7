//! Files in, requests out: formats, compression, order, damage.

use std::fs;
use std::io::Write;
use std::path::Path;

use aiwaf_core::LogFormat;
use aiwaf_trainer::{ReadSummary, SourceError, Sources};

/// A line of the combined format, at this second.
fn line(second: u32, path: &str) -> String {
    let (minute, second) = (second / 60, second % 60);
    format!(
        "192.0.2.7 - - [14/Sep/2025:15:{minute:02}:{second:02} +0000] \"GET {path} HTTP/1.1\" 200 7 \"-\" \"x\"\n"
    )
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// The paths that were asked for, in the order of reading.
fn read(sources: Sources) -> (Vec<String>, ReadSummary) {
    let mut paths = Vec::new();
    let summary = sources
        .read(&mut (), |line| paths.push(String::from_utf8_lossy(&line.record.target).into_owned()))
        .unwrap();
    (paths, summary)
}

fn find(path: &Path) -> Sources {
    Sources::find([path]).unwrap()
}

#[test]
fn rotated_and_compressed_files_are_read_in_the_order_of_time() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(directory.path().join(name), bytes).unwrap();
    write("access.log", line(50, "/5").as_bytes());
    write("access.log.1", line(40, "/4").as_bytes());
    // Two members in one file, as some rotations append them.
    write("access.log.2.gz", &[gzip(&line(20, "/2")), gzip(&line(30, "/3"))].concat());
    write("access.log.10.zst", &zstd::encode_all(line(10, "/1").as_bytes(), 1).unwrap());
    write("error.log", line(10, "/error").as_bytes());
    let (paths, summary) = read(find(directory.path()));
    assert_eq!(paths, ["/1", "/2", "/3", "/4", "/5"]);
    assert_eq!((summary.lines, summary.parsed, summary.formats[0].files), (5, 5, 4));
    assert_eq!(summary.first.unwrap().to_string(), "2025-09-14T15:00:10.000000Z");
    assert!(summary.problems.is_empty());
}

#[test]
fn logs_of_the_same_time_are_merged_and_each_has_its_format() {
    let directory = tempfile::tempdir().unwrap();
    let mut combined = String::new();
    let mut json = Vec::new();
    for second in 0..100 {
        if second % 3 == 0 {
            combined += &line(second, &format!("/{second}"));
        } else {
            let time = format!("2025-09-14T15:{:02}:{:02}", second / 60, second % 60);
            json.push(format!(
                "{{\"time\":\"{time}\",\"remote_addr\":\"::1\",\"status\":200,\"uri\":\"/{second}\"}}\n"
            ));
        }
    }
    fs::write(directory.path().join("a.log"), combined).unwrap();
    fs::write(directory.path().join("b.jsonl"), json.concat()).unwrap();
    let (paths, summary) = read(find(directory.path()));
    assert_eq!(paths, (0..100).map(|second| format!("/{second}")).collect::<Vec<_>>());
    let formats: Vec<_> = summary.formats.iter().map(|count| (count.format.as_str(), count.lines)).collect();
    assert_eq!(formats, [("json", 66), ("combined", 34)]);
}

#[test]
fn garbage_at_the_beginning_hides_neither_format_nor_time() {
    let directory = tempfile::tempdir().unwrap();
    let garbage = "thread main: starting up, nothing of this is a request\n".repeat(200);
    fs::write(directory.path().join("access.log"), garbage.clone() + &line(20, "/2")).unwrap();
    fs::write(directory.path().join("access.log.1"), line(10, "/1") + &line(30, "/3")).unwrap();
    let (paths, summary) = read(find(directory.path()));
    assert_eq!(paths, ["/1", "/2", "/3"]);
    assert_eq!((summary.lines, summary.parsed), (203, 3));
    // What never becomes a log is given up in the end.
    fs::write(directory.path().join("access.log"), garbage.repeat(100) + &line(20, "/2")).unwrap();
    assert_eq!(read(find(directory.path())).1.parsed, 2);
}

#[test]
fn lines_that_are_no_requests_are_counted_and_shown() {
    let mut log = line(1, "/a");
    log += "\nnonsense \u{1b}[31m\n";
    log += &"x".repeat(400 * 1024);
    log += "\n";
    log += &line(2, "/b");
    let mut sources = Sources::new();
    sources.add_reader("-", std::io::Cursor::new(log));
    let (paths, summary) = read(sources);
    assert_eq!(paths, ["/a", "/b"]);
    assert_eq!((summary.lines, summary.parsed, summary.without_request), (5, 2, 1));
    assert_eq!(summary.unparsed.lines, 2);
    let sample = &summary.unparsed.samples[0];
    assert_eq!((sample.number, sample.cause.as_str()), (3, "unreadable time"));
    assert_eq!(sample.text, "nonsense \\x1b[31m");
    assert_eq!(summary.unparsed.samples[1].cause, "longer than any server writes");
}

#[test]
fn a_first_line_that_is_too_long_does_not_hide_the_rest() {
    // As a log looks that was truncated while its server went on writing: zeros up to where it was.
    let mut log = "\0".repeat(1024 * 1024);
    log += "\n";
    log += &line(1, "/a");
    log += &line(2, "/b");
    let mut sources = Sources::new();
    sources.add_reader("-", std::io::Cursor::new(log));
    let (paths, summary) = read(sources);
    assert_eq!(paths, ["/a", "/b"]);
    assert_eq!((summary.parsed, summary.unparsed.lines), (2, 1));
}

#[test]
fn files_that_break_off_are_said_and_do_not_end_the_reading() {
    let directory = tempfile::tempdir().unwrap();
    let text: String = (0..20_000).map(|second| line(second % 3600, &format!("/{second}"))).collect();
    let whole = gzip(&text);
    fs::write(directory.path().join("cut.log.gz"), &whole[..whole.len() / 2]).unwrap();
    fs::write(directory.path().join("whole.log"), line(3599, "/whole")).unwrap();
    let (paths, summary) = read(find(directory.path()));
    assert!(paths.len() > 1000, "{}", paths.len());
    assert!(paths.iter().any(|path| path == "/whole"));
    assert_eq!(summary.problems.len(), 1);
    assert!(summary.problems[0].source.ends_with("cut.log.gz"), "{:?}", summary.problems);
}

#[test]
fn files_of_no_format_are_counted_line_by_line() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("sshd.log"), "Invalid user a\nInvalid user b\n\n").unwrap();
    let (paths, summary) = read(find(directory.path()));
    assert!(paths.is_empty());
    assert_eq!((summary.lines, summary.unparsed.lines, summary.without_request), (3, 2, 1));
    assert_eq!(summary.formats[0].format, "unknown");
}

#[test]
fn a_format_can_be_given() {
    let pattern: aiwaf_core::LogPattern = "$status|$remote_addr|$msec|$uri".parse().unwrap();
    let mut sources = Sources::new();
    sources.add_reader("-", &b"404|192.0.2.7|1757862161.5|/x\n"[..]);
    let (paths, summary) = read(sources.with_format(aiwaf_core::LineFormat::Pattern(pattern)));
    assert_eq!((paths, summary.formats[0].format.as_str()), (vec!["/x".to_owned()], "pattern"));
}

/// The original could not read its own logs.
#[test]
fn original_defect_23_all_our_formats_are_read_from_files() {
    for format in LogFormat::ALL {
        let time = aiwaf_core::Timestamp::from_unix_seconds(1.7e9);
        let mut record = aiwaf_core::AccessRecord::new(time, "2001:db8::7".parse().unwrap());
        record.method = b"PATCH".into();
        record.target = b"/a b,\"c\"".into();
        record.status = 200;
        let mut text = format.header().unwrap_or_default().as_bytes().to_vec();
        format.write(&record, &mut text);
        let mut sources = Sources::new();
        sources.add_reader("-", std::io::Cursor::new(text));
        let (paths, summary) = read(sources);
        assert_eq!(paths, ["/a b,\"c\""], "{format}");
        assert_eq!((summary.parsed, summary.unparsed.lines), (1, 0), "{format}");
    }
}

#[test]
fn nothing_to_read_is_an_error() {
    assert!(matches!(Sources::new().read(&mut (), |_| {}), Err(SourceError::Nothing)));
    let error = Sources::find([Path::new("/nowhere/access.log")]).err().unwrap();
    assert!(error.to_string().contains("/nowhere/access.log"), "{error}");
}

#[test]
fn progress_is_said_up_to_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let text: String = (0..60_000).map(|second| line(second % 3600, "/")).collect();
    fs::write(directory.path().join("access.log"), &text).unwrap();
    let mut updates = Vec::new();
    let sources = find(directory.path());
    assert_eq!(sources.count_lines(), Some(60_000));
    let summary = sources.read(&mut |update| updates.push(update), |_| {}).unwrap();
    assert!(updates.len() > 3 && updates.iter().map(|update| update.bytes).is_sorted());
    assert_eq!(summary.bytes, text.len() as u64);
    assert_eq!(updates.last().map(|update| (update.bytes, update.lines)), Some((text.len() as u64, 60_000)));
}
