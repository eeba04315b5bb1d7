//! What would happen to a request, protection by protection.

use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::Arc;

use aiwaf_core::{
    CountryLookup, Engine, Finding, Mode, Protection, Request, Settings, UNKNOWN_CLIENT, Verdict,
};
use aiwaf_storage::system_clock;
use serde::Serialize;

use super::ExplainArgs;
use crate::commands::inspect::Matched;
use crate::engine;
use crate::failure::usage_error;
use crate::output::{Cells, Column, Output, Table, printable};
use crate::session::Session;
use crate::stores::Access;

/// What becomes of the request.
#[derive(Serialize)]
struct Explanation<'a> {
    action: &'static str,
    protection: Option<&'static str>,
    reason: Option<String>,
    matched: Option<Matched<'a>>,
    /// Whether the client would be banned by it, and until when.
    ban: Option<Ban>,
    protections: Vec<Opinion<'a>>,
}

#[derive(Serialize)]
struct Ban {
    until: Option<String>,
}

/// What one protection says.
#[derive(Serialize)]
struct Opinion<'a> {
    protection: &'static str,
    /// `off`, `monitor` or `enforce`.
    mode: Mode,
    /// Whether the policy asks it about this path; always false if it is off.
    applies: bool,
    /// `allow`, `throttle` or `block`, were it the only one.
    action: &'static str,
    reason: Option<String>,
    matched: Option<Matched<'a>>,
}

/// What a browser sends when somebody types an address.
const BROWSER: [(&str, &str); 8] = [
    ("Host", "localhost"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "en-US,en;q=0.5"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "none"),
];

pub(super) fn explain(
    args: &ExplainArgs,
    client: Option<IpAddr>,
    session: &mut Session<'_>,
) -> anyhow::Result<ExitCode> {
    let line = args.request.as_deref().unwrap_or_default();
    let (method, target, protocol) = request_line(line)?;
    let headers = headers(args)?;
    let request = Request::new(client.unwrap_or(UNKNOWN_CLIENT), system_clock())
        .with_method(method)
        .with_uri(target)
        .with_protocol(protocol)
        .with_headers(&headers)
        .with_body(args.body.as_bytes());

    let mut settings = session.settings()?.clone();
    args.selection.apply(&mut settings);
    let mut lists = session.store(Access::Existing)?.load()?.lists;
    // Engines are built from them, one for each protection; the other entries make no difference to this client.
    let address = client.unwrap_or(UNKNOWN_CLIENT).to_canonical();
    lists.whitelist.retain(|entry| entry.network.contains(&address));
    lists.blacklist.retain(|ban| ban.network.contains(&address));
    let countries =
        engine::countries(&settings)?.map(|countries| Arc::new(countries) as Arc<dyn CountryLookup>);
    let build = |settings: Settings| -> anyhow::Result<Engine> {
        let mut builder = Engine::builder().lists(lists.clone());
        if let Some(countries) = &countries {
            builder = builder.countries(Arc::clone(countries));
        }
        engine::build(builder, settings)
    };
    let whole = build(settings.clone())?.inspect(&request);
    let mut alone = Vec::new();
    for protection in Protection::ALL.into_iter().filter(|protection| *protection != Protection::Logging) {
        let is_on = settings.enabled_protections().contains(protection);
        let verdict = if is_on && whole.applied.contains(protection) {
            let mut only = settings.clone();
            only.protections.preset = None;
            only.protections.enabled = vec![protection];
            Some(build(only)?.inspect(&request))
        } else {
            None
        };
        alone.push((protection, is_on, verdict));
    }
    let finding = whole.finding.as_ref();
    let explanation = Explanation {
        action: whole.action.name(),
        protection: finding.map(|finding| finding.protection.name()),
        reason: finding.map(|finding| finding.reason.to_string()),
        matched: finding.and_then(Matched::new),
        ban: whole.ban.as_ref().map(|ban| Ban { until: ban.expires.map(|end| end.to_string()) }),
        protections: alone
            .iter()
            .map(|(protection, is_on, verdict)| opinion(*protection, *is_on, verdict.as_ref(), &settings))
            .collect(),
    };
    session.out.json(&explanation)?;
    if !session.out.is_json() {
        let is_whitelisted = whole.applied.without(Protection::Logging).is_empty();
        explanation.show(line, is_whitelisted, &mut session.out)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What the protection says, as the only one; in monitor mode, what it would have said.
fn opinion<'a>(
    protection: Protection,
    is_on: bool,
    verdict: Option<&'a Verdict>,
    settings: &Settings,
) -> Opinion<'a> {
    let finding: Option<&Finding> =
        verdict.and_then(|verdict| verdict.finding.as_ref().or(verdict.monitored.first()));
    Opinion {
        protection: protection.name(),
        mode: if is_on { settings.mode(protection) } else { Mode::Off },
        applies: verdict.is_some(),
        action: finding.map_or("allow", |finding| finding.action.name()),
        reason: finding.map(|finding| finding.reason.to_string()),
        matched: finding.and_then(Matched::new),
    }
}

/// Method, target and protocol.
fn request_line(line: &str) -> anyhow::Result<(&str, &str, &str)> {
    let mut parts = line.split_whitespace();
    let (method, target, protocol) = (parts.next(), parts.next(), parts.next());
    match (method, target, protocol.unwrap_or("HTTP/1.1"), parts.next()) {
        (Some(method), Some(target), protocol, None) if protocol.starts_with("HTTP/") => {
            Ok((method, target, protocol))
        }
        _ => Err(usage_error(format_args!(
            "{:?} is no request: give method and target, such as 'GET /search?q=1' (a blank in the target is %20)",
            line.chars().take(100).collect::<String>()
        ))),
    }
}

fn headers(args: &ExplainArgs) -> anyhow::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    for header in &args.header {
        let Some((name, value)) = header.split_once(':').filter(|(name, _)| !name.trim().is_empty()) else {
            return Err(usage_error(format_args!(
                "{:?} is no header: give its name, a colon and its value",
                header.chars().take(100).collect::<String>()
            )));
        };
        headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    if args.browser {
        for (name, value) in BROWSER {
            if !headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
    }
    Ok(headers)
}

impl Explanation<'_> {
    fn show(&self, line: &str, is_whitelisted: bool, out: &mut Output<'_>) -> anyhow::Result<()> {
        let symbol = if self.action == "allow" { "🟢 " } else { "🔴 " };
        out.heading(symbol, format_args!("{}: {}", printable(line), self.action))?;
        if let (Some(protection), Some(reason)) = (self.protection, &self.reason) {
            out.text(format_args!("{protection}: {}\n", printable(reason)))?;
        }
        if let Some(ban) = &self.ban {
            let until = ban.until.as_deref().unwrap_or("it is removed");
            out.text(format_args!("It would ban the client until {until}\n"))?;
        }
        if is_whitelisted {
            out.text(format_args!(
                "No protection is asked: the client is whitelisted, or the path is exempt\n"
            ))?;
        }
        out.text(format_args!("\n"))?;
        let style = out.style();
        let table = Table::new([
            Column::new("PROTECTION"),
            Column::new("SAYS"),
            Column::flexible("REASON"),
            Column::flexible("PART"),
        ]);
        table.write(out.writer(), style, &self.protections, |opinion, cells: &mut Cells| {
            cells.push(opinion.protection);
            match (opinion.mode, opinion.applies) {
                (Mode::Off, _) => cells.push("off"),
                (_, false) => cells.push("not asked"),
                (Mode::Monitor, true) if opinion.reason.is_some() => {
                    cells.push(format_args!("would {}", opinion.action));
                }
                _ => cells.push(opinion.action),
            }
            cells.push(opinion.reason.as_deref().unwrap_or_default());
            match &opinion.matched {
                Some(matched) => cells.push(matched),
                None => cells.push(""),
            }
        })?;
        Ok(())
    }
}
