//! `aiwaf demo`: a guided tour on a temporary data directory.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use aiwaf_core::Timestamp;
use aiwaf_storage::system_clock;
use anyhow::Context;
use clap::Parser;
use rustyline::error::ReadlineError;

use crate::args::Args;
use crate::output::Output;
use crate::session::Session;

/// Take a guided tour: the most useful commands, on lists that are thrown away
///
/// Everything happens in a temporary directory; your lists and logs are not touched. On a terminal it waits for enter
/// after each step.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf demo
  aiwaf demo --no-wait | less")]
pub(crate) struct DemoArgs {
    /// Don't wait for enter between the steps
    #[arg(long)]
    no_wait: bool,
}

/// What is said, and what is done.
const STEPS: [(&str, &[&str]); 9] = [
    ("An empty set of lists, in CSV files that you can read and edit:", &["stats"]),
    ("Your office is never turned away:", &["add", "whitelist", "192.168.1.0/24", "--reason", "office"]),
    (
        "An attacker is, for four hours; services that are running notice within a second:",
        &["add", "blacklist", "203.0.113.10", "--reason", "SQL injection attempts", "--for", "4h"],
    ),
    (
        "Words that only attackers ask for are blocked in paths and queries:",
        &["add", "keyword", "union select"],
    ),
    ("This is what is on the lists now:", &["list", "all"]),
    ("Why is somebody turned away?", &["explain", "203.0.113.10"]),
    (
        "What would happen to a request?",
        &["explain", "--request", "GET /search?q=union%20select", "--browser"],
    ),
    ("Who would have been blocked yesterday? Here is a log of a small site:", &["replay", "access.log"]),
    ("A backup holds everything, and `aiwaf import` brings it back:", &["export", "backup.json"]),
];

pub(crate) fn run(args: &DemoArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let place =
        tempfile::Builder::new().prefix("aiwaf-demo-").tempdir().context("creating a temporary directory")?;
    std::fs::write(place.path().join("access.log"), sample_log(system_clock()))?;
    std::fs::create_dir(place.path().join("aiwaf_data"))?;
    // An empty file, so that the settings of this machine have no part in it.
    std::fs::write(place.path().join("aiwaf.toml"), "")?;
    let style = session.out.style();
    let waits = !args.no_wait && style.width.is_some() && std::io::stdin().is_terminal();
    let symbol = session.out.symbol("🎬 ");
    let writer = session.out.writer();
    writeln!(writer, "{symbol}A tour of aiwaf, in a directory that is thrown away at the end.")?;
    for (said, words) in STEPS {
        let (bold, plain) = (style.bold(), style.plain());
        writeln!(writer, "\n{bold}{said}{plain}\n$ aiwaf {}\n", shown(words))?;
        step(words, place.path(), &mut Output::new(&mut *writer, style, false))?;
        if waits {
            writeln!(writer)?;
            writer.flush()?;
            // An editor reads it, because ctrl-c is a key to it and no signal, which would leave the directory behind.
            match rustyline::DefaultEditor::new()?.readline("[enter] ") {
                Ok(_) => {}
                Err(ReadlineError::Eof | ReadlineError::Interrupted) => break,
                Err(error) => return Err(error.into()),
            }
        }
    }
    writeln!(
        writer,
        "\nThat was the tour; `aiwaf --help` shows all commands, and each has examples in its own help."
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Runs a command as somebody would who is in `place`.
fn step(words: &[&str], place: &Path, out: &mut Output<'_>) -> anyhow::Result<()> {
    let at = |name: &str| place.join(name).into_os_string();
    let mut arguments = vec!["aiwaf".into(), "--config".into(), at("aiwaf.toml")];
    arguments.extend(["--data-dir".into(), at("aiwaf_data")]);
    // Files that the tour names lie in its own directory.
    arguments.extend(words.iter().map(|word| {
        let is_file = matches!(*word, "access.log" | "backup.json");
        if is_file { at(word) } else { word.into() }
    }));
    if words.first() == Some(&"explain") {
        arguments.extend(["--log-dir".into(), at("aiwaf_logs")]);
    }
    let args = Args::try_parse_from(arguments)?;
    let mut text = Vec::new();
    let session_out = Output::new(&mut text, out.style(), false);
    super::run(&args.command, &mut Session::new(&args.global, session_out))?;
    // The temporary directory is of no interest.
    let prefix = format!("{}/", place.display());
    let text = String::from_utf8_lossy(&text).replace(&prefix, "");
    out.writer().write_all(text.as_bytes())?;
    Ok(())
}

/// The command as somebody would type it.
fn shown(words: &[&str]) -> String {
    let quoted = |word: &&str| {
        let is_plain = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:".contains(&byte));
        if is_plain { (*word).to_owned() } else { format!("'{word}'") }
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// An hour of a small site, with three visitors, a scanner, and somebody in a hurry.
fn sample_log(now: Timestamp) -> String {
    use aiwaf_core::{AccessRecord, LogFormat};
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    const BROWSER: &[u8] = b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    let mut log = Vec::new();
    let start = now - Duration::from_hours(1);
    let mut add = |second: u64, client: [u8; 4], target: &str, status: u16, agent: &[u8]| {
        let client = IpAddr::V4(Ipv4Addr::from(client));
        let mut record = AccessRecord::new(start + Duration::from_secs(second), client);
        record.method = b"GET".into();
        record.target = target.as_bytes().into();
        record.protocol = b"HTTP/1.1".into();
        record.status = status;
        record.bytes = Some(512);
        record.user_agent = Some(agent.into());
        record.response_time = Some(Duration::from_millis(12));
        LogFormat::Combined.write(&record, &mut log);
    };
    for minute in 0..10 {
        for visitor in 1..4 {
            let page = ["/", "/shop", "/about"][usize::from(visitor - 1)];
            add(minute * 60 + u64::from(visitor) * 7, [192, 0, 2, visitor], page, 200, BROWSER);
        }
    }
    for (second, target) in ["/.env", "/wp-login.php", "/.git/config", "/backup.sql"].iter().enumerate() {
        add(700 + second as u64, [203, 0, 113, 66], target, 404, b"Mozilla/5.0 zgrab/0.x");
    }
    for request in 0..150 {
        add(800 + request / 10, [198, 51, 100, 7], "/api/items", 200, BROWSER);
    }
    String::from_utf8_lossy(&log).into_owned()
}
