//! The example, run as a user runs it: started, visited, attacked, stopped, and its files read.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use crate::http::{Client, Server};
use crate::metadata::{Metadata, cargo, root};
use crate::replay::{Limits, replay};
use crate::run::run as run_command;

/// Hand-written visits and attacks, of which all attacks must be denied and no visit.
const REQUESTS: &str = "aiwaf-middleware/tests/data/requests.jsonl";

/// The example must have started, and must have stopped when asked to, within this time.
const TIME_LIMIT: Duration = Duration::from_secs(20);

/// Runs the check.
pub(crate) fn run() -> anyhow::Result<()> {
    let build = ["build", "--release", "--package", "aiwaf-middleware", "--example", "protected_app"];
    run_command(cargo().args(build))?;
    let program = Metadata::read()?.target_directory.join("release/examples/protected_app");
    visit_and_attack(&program).context("protected_app, one client")?;
    replay_requests(&program).context("protected_app, requests from a file")
}

/// Probes that ban together: each adds little evidence, since it comes from a browser.
const PROBES: [&str; 8] = [
    "/.env",
    "/.git/config",
    "/.svn/entries",
    "/.aws/credentials",
    "/.ssh/id_rsa",
    "/.htpasswd",
    "/.hg/hgrc",
    "/phpmyadmin/",
];

/// One client: it may browse until it attacks, then it is banned.
fn visit_and_attack(program: &Path) -> anyhow::Result<()> {
    // Clients on the machine itself are never banned.
    let example = Example::start(program, &[("AIWAF_TRUSTED_PROXIES", "127.0.0.1")])?;
    let mut client = Client::new(example.server.address);
    let visits = [
        ("/", 200),
        ("/login", 200),
        ("/search?q=lamp", 200),
        ("/api/items", 200),
        ("/health", 200),
        ("/no-such-page", 404),
    ];
    let attacks = PROBES.map(|probe| (probe, 403));
    for (target, status) in visits.into_iter().chain(attacks).chain([("/", 403), ("/health", 200)]) {
        let answer = client.send(&browser_get(target, &example.server.authority), false);
        let answer = answer.with_context(|| format!("GET {target}"))?;
        let body = String::from_utf8_lossy(&answer.body);
        ensure!(answer.status == status, "GET {target}: {} instead of {status}: {body}", answer.status);
        ensure!(status != 403 || body == r#"{"error":"blocked"}"#, "GET {target}: answered {body}");
    }
    let files = example.stop()?;
    // What is exempt from everything is not logged either.
    let lines = files.lines("logs/access.log")?;
    let expected = visits.len() - 1 + PROBES.len() + 1;
    ensure!(
        lines.len() == expected,
        "access.log has {} lines instead of {expected}: {lines:#?}",
        lines.len()
    );
    for (file, text) in [
        ("logs/error.log", PROBES[0]),
        ("logs/aiwaf.log", "Keyword block"),
        ("data/blacklist.csv", "203.0.113.9"),
    ] {
        let lines = files.lines(file)?;
        ensure!(lines.iter().any(|line| line.contains(text)), "{file} does not say {text:?}: {lines:#?}");
    }
    println!("one client: browsed, attacked, was banned; logs and lists say so");
    Ok(())
}

fn browser_get(target: &str, host: &str) -> Vec<u8> {
    format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
         Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
         Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\n\
         X-Forwarded-For: 203.0.113.9\r\n\r\n"
    )
    .into_bytes()
}

/// Many clients: the hand-written requests.
fn replay_requests(program: &Path) -> anyhow::Result<()> {
    let example = Example::start(program, &[("AIWAF_TRUSTED_PROXIES", "127.0.0.1")])?;
    let limits = Limits { rate: 1000, requests: 10_000, time: TIME_LIMIT };
    let replayed = replay(&example.server, &[root().join(REQUESTS)], &limits, true)?;
    print!("{}", replayed.table());
    example.stop()?;
    for (label, denied) in [("attack", false), ("benign", true)] {
        let wrong = replayed.ids(label, denied);
        let what = if denied { "denied" } else { "let through" };
        ensure!(wrong.is_empty(), "{label} requests were {what}: {}", wrong.join(", "));
        ensure!(!replayed.ids(label, !denied).is_empty(), "{REQUESTS} has no {label} requests");
    }
    let problems = replayed.problems();
    ensure!(problems.is_empty(), "{}", problems.join("; "));
    Ok(())
}

/// A running example with directories of its own.
struct Example {
    process: Running,
    server: Server,
    directory: TempDir,
}

impl Example {
    fn start(program: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir().context("making a directory for the example")?;
        let mut command = Command::new(program);
        // Only these settings count, whatever this process was given.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AIWAF_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(directory.path())
            .env("AIWAF_DEMO_ADDR", "127.0.0.1:0")
            .env("AIWAF_DATA_DIR", directory.path().join("data"))
            .env("AIWAF_LOG_DIR", directory.path().join("logs"))
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let process = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        let mut process = Running(process);
        let output = process.0.stdout.take().context("reading what the example prints")?;
        let server = Server::from_url(&listening_on(output)?).map_err(anyhow::Error::msg)?;
        Ok(Self { process, server, directory })
    }

    /// Asks it to stop, as service managers do, and waits until it has.
    fn stop(mut self) -> anyhow::Result<Files> {
        // The shell's own `kill`: not every machine has the program.
        let id = self.process.0.id().to_string();
        run_command(Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]))?;
        let start = Instant::now();
        loop {
            match self.process.0.try_wait().context("waiting for the example")? {
                Some(status) if status.success() => return Ok(Files(self.directory)),
                Some(status) => bail!("the example ended with {status} when it was asked to stop"),
                None if start.elapsed() > TIME_LIMIT => {
                    bail!("the example did not stop when it was asked to")
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

/// A process that does not outlive this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        if let Err(error) = self.0.kill().and_then(|()| self.0.wait()) {
            eprintln!("xtask: the process {} could not be ended: {error}", self.0.id());
        }
    }
}

/// The URL in the line that says that the example is ready.
fn listening_on(output: ChildStdout) -> anyhow::Result<String> {
    let (send, receive) = mpsc::channel();
    // Reads on to the end, so that the example never waits for a reader.
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            println!("  {line}");
            if let Some(url) = line.strip_prefix("listening on ") {
                // Nobody listens any more if it took too long; that is said there.
                send.send(url.to_owned()).ok();
            }
        }
    });
    receive.recv_timeout(TIME_LIMIT).context("the example did not say where it listens")
}

/// What an example left behind.
struct Files(TempDir);

impl Files {
    fn lines(&self, name: &str) -> anyhow::Result<Vec<String>> {
        let path = self.0.path().join(name);
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {name}"))?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}
