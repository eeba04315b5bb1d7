//! `aiwaf doctor`: finds out what keeps the firewall from working.

mod checks;
mod proxies;

use std::process::ExitCode;

use serde::Serialize;

use crate::failure::FAILED;
use crate::output::{Cells, Column, Table};
use crate::session::Session;

/// Find out what keeps the firewall from working
///
/// Looks at the settings, the lists and who may write them, the logs, the model, the country database, the clock and
/// the proxies, and says how to mend what is wrong. The exit code is 1 if something is. A file is created and removed
/// where files must be written; nothing else is changed.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf doctor
  aiwaf doctor --json
  AIWAF_CONFIG=/etc/app/aiwaf.toml aiwaf doctor")]
pub(crate) struct DoctorArgs {}

/// What was looked at.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    /// What was found.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Ok,
    /// Nothing wrong, and worth knowing.
    Note,
    /// It works, and probably not as wanted.
    Warning,
    /// It does not work.
    Failed,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into(), mend: None }
    }

    fn note(name: &'static str, found: impl Into<String>) -> Self {
        Self { state: State::Note, ..Self::ok(name, found) }
    }

    fn warning(name: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { state: State::Warning, mend: Some(mend.into()), ..Self::ok(name, found) }
    }

    fn failed(name: &'static str, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { state: State::Failed, mend: Some(mend.into()), ..Self::ok(name, found) }
    }
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Failed => "FAILED",
        }
    }

    fn symbol(self) -> &'static str {
        match self {
            Self::Ok => "✅ ",
            Self::Note => "💡 ",
            Self::Warning => "⚠️  ",
            Self::Failed => "❌ ",
        }
    }
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    checks: Vec<Check>,
}

pub(crate) fn run(session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let checks = checks::all(session);
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let (failed, warnings) = (count(State::Failed), count(State::Warning));
    let report = Report { ok: failed == 0, checks };
    let out = &mut session.out;
    out.json(&report)?;
    if !out.is_json() {
        let style = out.style();
        let rows: Vec<(String, &str, &str)> = report
            .checks
            .iter()
            .flat_map(|check| {
                let state = format!("{}{}", out.symbol(check.state.symbol()), check.state.name());
                let mend = check.mend.as_deref().map(|mend| (String::new(), "", mend));
                std::iter::once((state, check.name, check.found.as_str())).chain(mend)
            })
            .collect();
        let table = Table::new([
            Column::new("STATE"),
            Column::new("CHECK"),
            Column::flexible("FOUND, AND WHAT TO DO"),
        ]);
        // The advice is what people read here, so it is never cut.
        let style = crate::output::Style { width: None, ..style };
        table.write(out.writer(), style, &rows, |(state, name, text), cells: &mut Cells| {
            cells.push(state);
            cells.push(name);
            cells.push(text);
        })?;
        out.text(format_args!("\n{failed} failed, {warnings} warnings\n"))?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}
