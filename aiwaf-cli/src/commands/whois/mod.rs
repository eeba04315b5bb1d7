//! `aiwaf whois`: whom an address or a domain belongs to.

mod client;
mod referral;

use std::process::ExitCode;
use std::time::Duration;

use aiwaf_core::{display_network, parse_network};
use serde::Serialize;

use self::client::Server;
use crate::failure::usage_error;
use crate::output::printable;
use crate::session::Session;

/// Show whom an address or a domain belongs to
///
/// Asks the registry's whois servers over TCP port 43, beginning with IANA's, and follows their referrals. Needs the
/// internet. Comments of the servers are left out, unless --verbose asks for them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf whois 203.0.113.9
  aiwaf whois example.com --json
  aiwaf whois AS64496
  aiwaf whois 203.0.113.9 --server whois.ripe.net")]
pub(crate) struct WhoisArgs {
    /// An address, a network, a domain, or the number of an autonomous system
    target: String,

    /// The server to ask first, with its port if it is not 43
    #[arg(long, value_name = "HOST[:PORT]", default_value = "whois.iana.org")]
    server: String,

    /// How long each server may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: u64,
}

/// What one server said.
#[derive(Debug, Serialize)]
struct Answer {
    server: String,
    text: String,
}

#[derive(Serialize)]
struct Report<'a> {
    target: &'a str,
    answers: Vec<Answer>,
}

/// The registry, the region, the provider; more would be a circle.
const MAX_SERVERS: usize = 5;

pub(crate) fn run(args: &WhoisArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let target = check_target(&args.target)?;
    let Some(first) = Server::parse(&args.server) else {
        return Err(usage_error(format_args!(
            "{:?} is no name of a server: give one such as whois.ripe.net",
            args.server
        )));
    };
    let timeout = Duration::from_secs(args.timeout);
    let mut answers: Vec<Answer> = Vec::new();
    let mut next = Some(first.clone());
    while let Some(server) = next.take().filter(|_| answers.len() < MAX_SERVERS) {
        let asked = client::ask(&server, &server.query(&target), timeout, first.is_inside());
        let text = match asked {
            Ok(text) => text,
            // What the registry said is worth more than nothing.
            Err(error) if !answers.is_empty() => {
                crate::output::note(format_args!("the referral to {server} leads nowhere: {error:#}"));
                break;
            }
            Err(error) => return Err(error),
        };
        let referral = referral::find(&text);
        answers.push(Answer { server: server.to_string(), text });
        // Who refers back to one that was asked already knows no more.
        next = referral.filter(|next| answers.iter().all(|answer| answer.server != next.to_string()));
    }
    let out = &mut session.out;
    if !out.is_json()
        && let Some(answer) = answers.last()
    {
        out.heading("🔎 ", format_args!("{target}, as {} says:", answer.server))?;
        for line in answer.text.lines().filter(|line| session.global.verbose || is_fact(line)) {
            out.text(format_args!("{}\n", printable(line.trim_end())))?;
        }
    }
    out.json(&Report { target: &target, answers })?;
    Ok(ExitCode::SUCCESS)
}

/// Neither blank nor a comment.
fn is_fact(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with(['%', '#', '>']) && !line.starts_with("Comment:")
}

/// The target as it is sent: one word, so that it stays one query.
fn check_target(text: &str) -> anyhow::Result<String> {
    let text = text.trim();
    if let Ok(network) = parse_network(text) {
        return Ok(display_network(&network));
    }
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(is_letter);
    let is_system = text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("as"))
        && text.len() > 2
        && text.bytes().skip(2).all(|byte| byte.is_ascii_digit());
    let domain = text.trim_end_matches('.');
    if is_system || domain.len() <= 253 && domain.contains('.') && domain.split('.').all(is_label) {
        return Ok(domain.to_ascii_lowercase());
    }
    let shown: String = text.chars().take(64).collect();
    Err(usage_error(format_args!(
        "{shown:?} is no address and no domain: give one such as 203.0.113.9 or example.com (domains of other scripts \
         by their xn-- name)"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_one_word() {
        for (text, sent) in [
            ("203.0.113.9", "203.0.113.9"),
            ("Example.COM.", "example.com"),
            ("AS64496", "as64496"),
            ("2001:db8::/32", "2001:db8::/32"),
        ] {
            assert_eq!(check_target(text).unwrap(), sent);
        }
        for text in ["", "localhost", "a b.com", "x.com\r\ny", "-T dn example.de", "a..b", "exämple.com"] {
            assert!(check_target(text).is_err(), "{text}");
        }
    }
}
