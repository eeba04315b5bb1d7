//! `cargo xtask replay`: requests from files, sent to a running server.

mod request;
mod tally;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use flate2::bufread::MultiGzDecoder;

use self::request::RecordedRequest;
use self::tally::{Group, Tally};
use crate::http::{Client, Server};
use crate::options::{Options, UsageError};
use crate::table::Table;

const USAGE: &str = "\
Sends the requests in files to a server on this machine, and prints how it answered.

Usage: cargo xtask replay [OPTIONS] URL FILE...

URL is http://HOST:PORT; only loopback addresses are allowed. A FILE has one JSON object a line, .gz too:
  {\"uri\":\"/a?b=c\",\"method\":\"GET\",\"headers\":{\"User-Agent\":\"..\"},\"body\":\"..\",
   \"id\":\"..\",\"label\":\"attack\",\"source\":\"..\",\"category\":\"..\"}
Only uri is required; a header may be a list of values, body_base64 holds a body of bytes.

One connection, one request after the other, in the order of the files. Targets are not normalised; only spaces and
control characters are percent-encoded. Headers of the connection are dropped, Host is set if it is missing.

Options:
  --distinct-clients   sends an X-Forwarded-For: an address of its own for every line, out of 10.0.0.0/8, and one for
                       each client_ip that lines name. Then one ban does not decide about all that follows. The server
                       must trust 127.0.0.1 (AIWAF_TRUSTED_PROXIES=127.0.0.1)
  --rate N             at most so many requests a second [default: 2000]
  --max N              at most so many requests [default: 200000]
  --seconds N          at most so many seconds [default: 300]
  --json               one JSON document instead of the table

'allowed' are answers other than 400, 403 and 429. A 400 mostly means that the server could not read the request, so
that no firewall saw it. Exit codes: 0 done, 1 a file can't be read or the server does not answer, 2 usage.
";

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let flags = ["--distinct-clients", "--json", "--help", "-h"];
    let options = Options::parse(arguments, &flags, &["--rate", "--max", "--seconds"])?;
    if options.has("--help") || options.has("-h") {
        print!("{USAGE}");
        return Ok(());
    }
    let limits = Limits {
        rate: options.number("--rate", 2000)?,
        requests: options.number("--max", 200_000)?,
        time: Duration::from_secs(options.number("--seconds", 300)?.into()),
    };
    let Some((url, files)) = options.positional.split_first().filter(|(_, files)| !files.is_empty()) else {
        return Err(UsageError::new("replay needs a URL and at least one file; see --help").into());
    };
    let server = Server::from_url(url).map_err(UsageError::new)?;
    let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    let replayed = replay(&server, &files, &limits, options.has("--distinct-clients"))?;

    if options.has("--json") {
        println!("{}", replayed.tally.to_json(replayed.cut_short.as_deref()));
    } else {
        print!("{}", replayed.table());
    }
    for problem in replayed.problems() {
        eprintln!("xtask: {problem}");
    }
    let answered = replayed.tally.totals().values().any(|counts| counts.requests > counts.errors);
    if !answered {
        bail!("no request was answered by {url}: is the server running, and are there lines in the files?");
    }
    Ok(())
}

/// How much is sent, and how fast.
pub(crate) struct Limits {
    /// Requests a second.
    pub(crate) rate: u32,
    pub(crate) requests: u32,
    pub(crate) time: Duration,
}

/// The outcome of a replay.
#[derive(Default)]
pub(crate) struct Replayed {
    tally: Tally,
    /// Ids by label and by whether the request was denied (403 or 429).
    denied: BTreeMap<(String, bool), Vec<String>>,
    /// How often a request was not answered, and the first such line, by the reason.
    errors: BTreeMap<String, (u64, String)>,
    /// Why some lines were not sent.
    cut_short: Option<String>,
}

impl Replayed {
    /// The ids of the lines labelled `label` that were denied, or that were not.
    pub(crate) fn ids(&self, label: &str, denied: bool) -> &[String] {
        self.denied.get(&(label.to_owned(), denied)).map_or(&[], Vec::as_slice)
    }

    /// The counts, for people.
    pub(crate) fn table(&self) -> Table {
        self.tally.to_table()
    }

    /// What kept this from being complete, if anything: limits, or requests without an answer.
    pub(crate) fn problems(&self) -> Vec<String> {
        let unanswered = self.errors.iter().map(|(reason, (count, example))| {
            format!("{count} requests were not answered, such as {example}: {reason}")
        });
        let cut_short = self.cut_short.iter().map(|reason| format!("not everything was sent: {reason}"));
        unanswered.chain(cut_short).collect()
    }
}

/// Sends the lines of `files` to `server`, one after the other.
///
/// # Errors
/// If a file can't be read or a line is no request; it names both.
pub(crate) fn replay(
    server: &Server,
    files: &[PathBuf],
    limits: &Limits,
    distinct_clients: bool,
) -> anyhow::Result<Replayed> {
    let mut client = Client::new(server.address);
    let mut addresses = distinct_clients.then(Addresses::default);
    let mut replayed = Replayed::default();
    let mut sent = 0u32;
    let start = Instant::now();
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.split(".jsonl").next().unwrap_or_default().to_owned();
        for (number, line) in open(path)?.lines().enumerate() {
            let place = || format!("{}:{}", path.display(), number + 1);
            let line = line.with_context(|| format!("reading {}", place()))?;
            if line.trim().is_empty() {
                continue;
            }
            let mut request: RecordedRequest = serde_json::from_str(&line)
                .with_context(|| format!("{} is no request; give one JSON object a line", place()))?;
            if let Some(reason) = limits.reached(sent, start) {
                replayed.cut_short = Some(format!("{reason}; the first line left out is {}", place()));
                return Ok(replayed);
            }
            if request.source.is_empty() {
                request.source.clone_from(&name);
            }
            if request.id.is_empty() {
                request.id = place();
            }
            limits.wait_for_turn(sent, start);
            sent += 1;
            let from = addresses.as_mut().map(|addresses| addresses.of(request.client_ip).to_string());
            let outcome =
                request.to_wire(&server.authority, from.as_deref()).map_err(|error| error.to_string());
            let outcome = outcome
                .and_then(|wire| client.send(&wire, request.is_head()).map_err(|error| error.to_string()));
            replayed.note(request, outcome.map(|answer| answer.status));
        }
    }
    Ok(replayed)
}

impl Replayed {
    fn note(&mut self, request: RecordedRequest, outcome: Result<u16, String>) {
        let RecordedRequest { id, source, category, label, .. } = request;
        match &outcome {
            Ok(status) => {
                let denied = matches!(status, 403 | 429);
                self.denied.entry((label.clone(), denied)).or_default().push(id);
            }
            Err(reason) => self.errors.entry(reason.clone()).or_insert((0, id)).0 += 1,
        }
        self.tally.count(Group { label, source, category }, outcome.ok());
    }
}

impl Limits {
    fn reached(&self, sent: u32, start: Instant) -> Option<String> {
        if sent >= self.requests {
            Some(format!("--max {} is reached", self.requests))
        } else if start.elapsed() >= self.time {
            Some(format!("--seconds {} is reached", self.time.as_secs()))
        } else {
            None
        }
    }

    fn wait_for_turn(&self, sent: u32, start: Instant) {
        let due = Duration::from_secs_f64(f64::from(sent) / f64::from(self.rate));
        std::thread::sleep(due.saturating_sub(start.elapsed()));
    }
}

/// Gives out addresses of 10.0.0.0/8.
#[derive(Default)]
struct Addresses {
    last: u32,
    by_client: HashMap<IpAddr, Ipv4Addr>,
}

impl Addresses {
    /// The address of a client that lines name, or a new one.
    fn of(&mut self, client: Option<IpAddr>) -> Ipv4Addr {
        match client {
            None => self.next(),
            Some(client) => {
                if let Some(known) = self.by_client.get(&client) {
                    return *known;
                }
                let address = self.next();
                self.by_client.insert(client, address);
                address
            }
        }
    }

    fn next(&mut self) -> Ipv4Addr {
        self.last = (self.last + 1) & 0x00ff_ffff;
        Ipv4Addr::from_bits(0x0a00_0000 | self.last)
    }
}

/// Opens a file of lines, decompressed if its name ends in `.gz`.
pub(crate) fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let file = BufReader::new(file);
    if path.extension().is_some_and(|extension| extension == "gz") {
        Ok(Box::new(BufReader::new(MultiGzDecoder::new(file))))
    } else {
        Ok(Box::new(file))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;

    /// Answers 403 to targets with "bad", else 200, and hands back the addresses it was forwarded for.
    fn server(requests: usize) -> (Server, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let handle = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut stream = BufReader::new(stream);
            let mut clients = Vec::new();
            for _ in 0..requests {
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    stream.read_line(&mut head).unwrap();
                }
                clients.extend(
                    head.lines().filter_map(|line| line.strip_prefix("X-Forwarded-For: ")).map(Into::into),
                );
                let status = if head.contains("bad") { "403 F" } else { "200 OK" };
                write!(stream.get_mut(), "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
            }
            clients
        });
        (Server::from_url(&url).unwrap(), handle)
    }

    const LIMITS: Limits = Limits { rate: 100_000, requests: 3, time: Duration::from_mins(1) };
    const LINES: &str = concat!(
        r#"{"id":"1","label":"benign","uri":"/","client_ip":"192.0.2.1"}"#,
        "\n\n",
        r#"{"id":"2","label":"attack","uri":"/bad"}"#,
        "\n",
        r#"{"id":"3","label":"benign","uri":"/","client_ip":"192.0.2.1"}"#,
        "\n",
        r#"{"id":"4","uri":"/"}"#,
        "\n"
    );

    #[test]
    fn sends_and_counts_up_to_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("set.jsonl.gz");
        let mut packed =
            flate2::write::GzEncoder::new(File::create(&path).unwrap(), flate2::Compression::fast());
        packed.write_all(LINES.as_bytes()).unwrap();
        packed.finish().unwrap();

        let (to, handle) = server(3);
        let replayed = replay(&to, &[path], &LIMITS, true).unwrap();
        assert_eq!(handle.join().unwrap(), ["10.0.0.1", "10.0.0.2", "10.0.0.1"]);
        assert_eq!(
            (replayed.ids("attack", true), replayed.ids("attack", false)),
            (&["2".to_owned()][..], &[][..])
        );
        assert_eq!(replayed.ids("benign", false), ["1", "3"]);
        assert!(replayed.cut_short.unwrap().contains("set.jsonl.gz:5"));
        assert!(replayed.tally.groups.keys().all(|group| group.source == "set"));
    }

    #[test]
    fn a_line_that_is_no_request_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("set.jsonl");
        std::fs::write(&path, "\n{\"uri\": 5}\n").unwrap();
        let server = Server::from_url("http://127.0.0.1:9").unwrap();
        let error = replay(&server, &[path], &LIMITS, false).err().unwrap();
        assert!(format!("{error:#}").contains("set.jsonl:2"), "{error:#}");
    }

    #[test]
    fn usage_is_checked_before_anything_is_sent() {
        for arguments in [
            &["http://192.0.2.1/", "x.jsonl"] as &[&str],
            &["http://127.0.0.1:1"],
            &["http://127.0.0.1:1", "x", "--rate", "0"],
            &["http://127.0.0.1:1", "x", "--fast"],
        ] {
            let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
            assert!(run(&arguments).unwrap_err().is::<UsageError>(), "{arguments:?}");
        }
    }
}
