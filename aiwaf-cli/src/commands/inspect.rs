//! `aiwaf inspect`: judges requests that are given as data.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use aiwaf_core::{BodyStream, Engine, Finding, Outcome, RequestLine, Timestamp, UNKNOWN_CLIENT, Verdict};
use aiwaf_storage::system_clock;
use serde::Serialize;

use crate::engine::{self, CountryBehind, Selection};
use crate::failure::{FAILED, one_line};
use crate::input::{Line, Lines, files_or_stdin};
use crate::logs;
use crate::session::Session;
use crate::stores::Access;

/// Judge requests, given as lines of JSON
///
/// Reads one JSON object a line, from files (.gz too) or standard input, and writes for each what the firewall would
/// do: {"id","action","protection","reason","matched"}. `action` is allow, throttle or block; `matched` says which part
/// of the request it was. Protections in monitor mode are listed under "monitored" if they would have objected.
///
/// Only "uri" is required: {"id":"1","time":1700000000.25,"client_ip":"203.0.113.9","method":"GET","uri":"/a?b=c",
/// "protocol":"HTTP/1.1","headers":{"User-Agent":".."},"body":".."}; "body_base64" holds a body of bytes.
///
/// Without --stateless the lists of this machine apply, and the lines are one story: a client that is banned by one
/// line is banned in the next, and an allowed request was answered by the line's "status", or 200. A line without "time" is from now, one without "client_ip" is from 0.0.0.0. Nothing is
/// stored. Lines that are no request are named on standard error, and the exit code is 1 then.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf inspect requests.jsonl
  aiwaf inspect --stateless --only header_validation requests.jsonl.gz
  echo '{\"uri\":\"/.env\"}' | aiwaf inspect --stateless")]
pub(crate) struct InspectArgs {
    /// The files; `-` or none is standard input
    files: Vec<PathBuf>,

    /// Judge every line alone: from a client that never came before, without lists
    #[arg(long)]
    stateless: bool,

    #[command(flatten)]
    selection: Selection,
}

/// The longest line that is read, in bytes: no server takes a larger request to judge it.
const MAX_LINE: usize = 32 * 1024 * 1024;

/// So many bad lines are named one by one.
const MAX_NAMED: u64 = 100;

/// Judges the lines of the files.
pub(crate) fn run(args: &InspectArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let mut settings = session.settings()?.clone();
    args.selection.apply(&mut settings);
    let mut builder = Engine::builder();
    let countries = engine::countries(&settings)?.map(CountryBehind::new);
    if let Some(countries) = &countries {
        builder = builder.countries(Arc::clone(countries) as _);
    }
    if !args.stateless {
        builder = builder.lists(session.store(Access::Existing)?.load()?.lists);
    }
    let mut judge =
        Judge { engine: engine::build(builder, settings)?, countries, fresh: args.stateless.then_some(0) };

    let out = session.out.writer();
    let (mut read, mut bad) = (0u64, 0u64);
    for path in files_or_stdin(&args.files) {
        let mut lines = Lines::open(&path, MAX_LINE)?;
        while let Some(line) = lines.next_line()? {
            let parsed = match line {
                Line::Text(text) if text.trim_ascii().is_empty() => continue,
                Line::Text(text) => RequestLine::parse(text).map_err(|error| error.to_string()),
                Line::TooLong => Err(format!("the line is longer than {MAX_LINE} bytes")),
            };
            read += 1;
            match parsed {
                Ok(request) => judge.write(&request, || lines.place(), out)?,
                Err(problem) => {
                    bad += 1;
                    if bad <= MAX_NAMED {
                        eprintln!("aiwaf: {}: {}", lines.place(), one_line(&problem));
                    }
                }
            }
            // Whoever feeds this line by line waits for the answer before sending the next.
            if lines.would_wait() {
                out.flush()?;
            }
        }
    }
    if bad == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("aiwaf: {}", logs::left_out(bad, read));
    Ok(ExitCode::from(FAILED))
}

/// Judges one request after the other.
struct Judge {
    engine: Engine,
    countries: Option<Arc<CountryBehind>>,
    /// If every request comes from a client that never came before: how many such clients there were.
    fresh: Option<u32>,
}

impl Judge {
    fn write(
        &mut self,
        line: &RequestLine,
        place: impl FnOnce() -> String,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let verdict = self.judge(line, system_clock);
        let id = if line.id.is_empty() { place() } else { line.id.clone() };
        serde_json::to_writer(&mut *out, &Judged::new(&id, &verdict)).map_err(std::io::Error::from)?;
        out.write_all(b"\n")?;
        Ok(())
    }

    fn judge(&mut self, line: &RequestLine, now: impl FnOnce() -> Timestamp) -> Verdict {
        let time = line.time.unwrap_or_else(now);
        let client = line.client.unwrap_or(UNKNOWN_CLIENT);
        if let Some(countries) = &self.countries {
            countries.set_client(line.client);
        }
        // All that the engine remembers before an answer is seen, it remembers by client. So a client that never came
        // is the same as an engine that was just built, and a thousand times cheaper.
        let is_alone = self.fresh.is_some();
        let client = match &mut self.fresh {
            Some(clients) => {
                *clients = clients.wrapping_add(1);
                IpAddr::V4(Ipv4Addr::from_bits(*clients))
            }
            None => client,
        };
        let request = line.request(client, time);
        let mut transaction = self.engine.begin(&request);
        self.engine.request_head(&mut transaction, &request);
        if transaction.wants_body() && !request.body.is_empty() {
            self.engine.request_body(&mut transaction, &request, BodyStream::Sent, request.body, true);
        }
        // The next lines are judged as a service would: by what it answered.
        if !is_alone {
            let outcome = Outcome::new(line.status.unwrap_or(200), Duration::ZERO);
            self.engine.response(&mut transaction, &request, &outcome);
        }
        transaction.into_verdict()
    }
}

/// What is written about a request.
#[derive(Serialize)]
struct Judged<'a> {
    id: &'a str,
    action: &'static str,
    protection: Option<&'static str>,
    reason: Option<String>,
    matched: Option<Matched<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    monitored: Vec<Objection<'a>>,
}

/// An objection that had no consequence.
#[derive(Serialize)]
struct Objection<'a> {
    action: &'static str,
    protection: &'static str,
    reason: String,
    matched: Option<Matched<'a>>,
}

/// Which part of the request it was.
#[derive(Serialize)]
pub(crate) struct Matched<'a> {
    field: String,
    start: usize,
    end: usize,
    text: &'a str,
}

impl<'a> Judged<'a> {
    fn new(id: &'a str, verdict: &'a Verdict) -> Self {
        let finding = verdict.finding.as_ref();
        Self {
            id,
            action: verdict.action.name(),
            protection: finding.map(|finding| finding.protection.name()),
            reason: finding.map(|finding| finding.reason.to_string()),
            matched: finding.and_then(Matched::new),
            monitored: verdict.monitored.iter().map(Objection::new).collect(),
        }
    }
}

impl<'a> Objection<'a> {
    fn new(finding: &'a Finding) -> Self {
        Self {
            action: finding.action.name(),
            protection: finding.protection.name(),
            reason: finding.reason.to_string(),
            matched: Matched::new(finding),
        }
    }
}

impl std::fmt::Display for Matched<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.field)?;
        if self.text.is_empty() { Ok(()) } else { write!(f, ": {}", self.text) }
    }
}

impl<'a> Matched<'a> {
    pub(crate) fn new(finding: &'a Finding) -> Option<Self> {
        let matched = finding.matched.as_ref()?;
        Some(Self {
            field: matched.field.to_string(),
            start: matched.start,
            end: matched.end,
            text: &matched.text,
        })
    }
}

#[cfg(test)]
mod tests {
    use aiwaf_core::Settings;

    use super::*;

    /// A client that never came before is judged as by an engine that was just built.
    #[test]
    fn stateless_lines_are_judged_as_by_a_new_engine() {
        let lines = [
            r#"{"uri":"/.env","client_ip":"203.0.113.9","time":1.0}"#,
            r#"{"uri":"/","client_ip":"203.0.113.9","time":1.1}"#,
            r#"{"uri":"/form","method":"POST","body":"a=b","time":1.2,
                "headers":{"Content-Type":"application/x-www-form-urlencoded","User-Agent":"Mozilla/5.0"}}"#,
            r#"{"uri":"/?id=not-a-uuid&uuid=x","headers":{"User-Agent":"Mozilla/5.0","Accept":"*/*"},"time":1.3}"#,
            r#"{"uri":"/a","headers":{"User-Agent":"curl/8"},"time":0.5}"#,
        ];
        // Few requests are a flood here, and none of these is one: each client comes once.
        let mut settings = Settings::default();
        settings.rate_limit.max = 2;
        settings.rate_limit.flood = 3;
        let engine = || Engine::builder().settings(settings.clone()).build().unwrap();
        let mut judge = Judge { engine: engine(), countries: None, fresh: Some(0) };
        for round in 0..3 {
            for text in lines {
                let line = RequestLine::parse(text.as_bytes()).unwrap();
                let mut alone = Judge { engine: engine(), countries: None, fresh: Some(round) };
                let (together, alone) = (judge.judge(&line, system_clock), alone.judge(&line, system_clock));
                assert_eq!((together.action, together.finding), (alone.action, alone.finding), "{text}");
            }
        }
    }
}
