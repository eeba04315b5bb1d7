//! `aiwaf explain`: why a client is turned away, and what would happen to a request.

mod client;
mod history;
mod request;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::engine::Selection;
use crate::failure::usage_error;
use crate::session::Session;
use crate::suggest;

/// Explain why a client is turned away, or what would happen to a request
///
/// About a client: whether it is banned, whitelisted or throttled; since when, until when, why, and which request it was,
/// from the lists and the logs. About a request: what each protection says of it, and what comes of that. A request is
/// judged as the first one of its client, by the lists of this machine; nothing is changed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf explain 203.0.113.9
  aiwaf explain 203.0.113.9 --log-dir /var/log/app --json
  aiwaf explain --request 'GET /search?q=1' -H 'User-Agent: curl/8.5.0'
  aiwaf explain --request 'GET /.env' --browser
  aiwaf explain --request 'POST /login' --browser --body 'user=ada' 203.0.113.9")]
pub(crate) struct ExplainArgs {
    /// The client: an address
    #[arg(required_unless_present = "request")]
    client: Option<String>,

    /// A request: method, target and, if it matters, protocol
    #[arg(long, value_name = "LINE")]
    request: Option<String>,

    /// A header of the request
    #[arg(long, short = 'H', value_name = "NAME: VALUE", requires = "request")]
    header: Vec<String>,

    /// The body of the request
    #[arg(long, value_name = "TEXT", requires = "request", default_value = "")]
    body: String,

    /// Add the headers that a browser sends, where -H does not say otherwise
    #[arg(long, requires = "request")]
    browser: bool,

    /// The directory of the logs [default: AIWAF_LOG_DIR, else logging.dir of the settings]
    #[arg(long, value_name = "DIR")]
    log_dir: Option<PathBuf>,

    #[command(flatten)]
    selection: Selection,
}

pub(crate) fn run(args: &ExplainArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let client = args.client.as_deref().map(address).transpose()?;
    if args.request.is_some() {
        return request::explain(args, client, session);
    }
    match client {
        Some(client) => client::explain(client, args.log_dir.as_deref(), session),
        None => Err(usage_error("name a client, or a request by --request")),
    }
}

fn address(text: &str) -> anyhow::Result<IpAddr> {
    text.trim().parse::<IpAddr>().map(|address| address.to_canonical()).map_err(|_| {
        let shown: String = text.chars().take(64).collect();
        let meant = suggest::address(text).filter(|meant| meant.parse::<IpAddr>().is_ok());
        let meant = meant.map_or_else(
            || "give one such as 203.0.113.9 or 2001:db8::7".to_owned(),
            |meant| format!("did you mean {meant}?"),
        );
        usage_error(format_args!("{shown:?} is no address of a client: {meant}"))
    })
}
