//! `aiwaf route-shell`: walks through the routes of a service, and exempts some.

mod prompt;
mod shell;
mod tree;

use std::collections::HashSet;
use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aiwaf_core::Settings;
use aiwaf_trainer::{parse_routes, read_routes};
use anyhow::bail;

use self::shell::{Next, Shell};
use self::tree::{Node, route_of};
use crate::failure::{FAILED, one_line, usage_error, with_causes};
use crate::logs;
use crate::output::{Output, ProgressLine, counted, note};
use crate::session::Session;
use crate::stores::Access;

/// Walk through the routes of a service, and exempt some
///
/// The routes come from a file (one a line, or an OpenAPI document), or from access logs: the paths that were answered.
/// Commands are ls, cd, up, pwd, exempt, help and exit; on a terminal with history and completion, and from a pipe for
/// scripts.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf route-shell --routes openapi.json
  aiwaf route-shell --log /var/log/nginx/access.log
  printf 'cd api\\nls\\nexempt health\\n' | aiwaf route-shell --routes routes.txt")]
pub(crate) struct RouteShellArgs {
    /// The routes: one a line, or an OpenAPI document in JSON or YAML [default: openapi.json if it is there, else logs]
    #[arg(long, value_name = "FILE", conflicts_with = "log")]
    routes: Option<PathBuf>,

    /// Take the routes from logs: files or directories [default: the directory of the logs]
    #[arg(long, value_name = "PATH")]
    log: Vec<PathBuf>,

    /// The original's way to name an application, which a Rust service has not
    #[arg(long, value_name = "MODULE:FUNCTION", hide = true)]
    app: Option<String>,
}

/// Where an OpenAPI document usually is.
const OPENAPI: &str = "openapi.json";

/// So many different paths of a log become routes.
const MAX_ROUTES: usize = 10_000;

pub(crate) fn run(args: &RouteShellArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    if args.app.is_some() {
        return Err(usage_error(
            "a Rust service can't be loaded to ask for its routes: name them by --routes (a file, or openapi.json), or take \
             them from a log by --log",
        ));
    }
    let settings = session.settings()?.clone();
    let routes = routes(args, &settings)?;
    let mut root = Node::default();
    for route in &routes {
        root.insert(route);
    }
    let manager = session.manager(Access::Create, false)?;
    let mut shell = Shell::new(root, manager, settings.exemptions);
    session.out.text(format_args!("{}; `help` shows the commands\n", counted(routes.len(), "route")))?;
    if std::io::stdin().is_terminal() && session.out.style().width.is_some() {
        prompt::interact(&mut shell, &mut session.out)?;
        return Ok(ExitCode::SUCCESS);
    }
    script(&mut shell, &mut session.out)
}

/// Carries out the lines of standard input; what fails is said, and the rest goes on.
fn script(shell: &mut Shell, out: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let mut failed = false;
    for line in std::io::stdin().lock().lines() {
        match shell.execute(&line?, out) {
            Ok(Next::Command) => {}
            Ok(Next::End) => break,
            Err(error) => {
                failed = true;
                note(one_line(&with_causes(&error)));
            }
        }
    }
    Ok(if failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

fn routes(args: &RouteShellArgs, settings: &Settings) -> anyhow::Result<Vec<String>> {
    if let Some(path) = &args.routes {
        return Ok(read_routes(path)?);
    }
    if args.log.is_empty() && Path::new(OPENAPI).exists() {
        return Ok(read_routes(OPENAPI)?);
    }
    let mut routes = HashSet::new();
    let sources = logs::find(&args.log, None, settings)?;
    let summary = sources.read(&mut ProgressLine::new(), |line| {
        let record = &line.record;
        if !(200..400).contains(&record.status) || routes.len() >= MAX_ROUTES {
            return;
        }
        let path =
            record.path_and_query().split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
        if let Ok(path) = std::str::from_utf8(path)
            && path.starts_with('/')
        {
            routes.insert(route_of(path));
        }
    })?;
    logs::name_problems(&summary);
    // In one spelling, and without what can be no path.
    let mut routes = parse_routes(&routes.into_iter().collect::<Vec<_>>().join("\n"));
    routes.sort();
    if routes.is_empty() {
        bail!("these logs hold no request that was answered: name routes by --routes");
    }
    Ok(routes)
}
