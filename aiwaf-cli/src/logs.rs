//! The access logs that are meant.

use std::io;
use std::path::{Path, PathBuf};

use aiwaf_core::{LineFormat, LogFormat, Settings};
use aiwaf_trainer::{ReadSummary, SourceError, Sources};

use crate::output::{counted, note};

/// Finds logs: those that were named (`-` is standard input), else those in `log_dir`, else those in the directory of
/// the settings.
pub(crate) fn find(
    named: &[PathBuf],
    log_dir: Option<&Path>,
    settings: &Settings,
) -> anyhow::Result<Sources> {
    if named.is_empty() {
        let directory = log_dir.unwrap_or(Path::new(&settings.logging.dir));
        let mend = match log_dir {
            Some(_) => "check the spelling",
            None => "name logs, or their directory by AIWAF_LOG_DIR or logging.dir of the settings",
        };
        return Sources::find([directory]).map_err(|error| with_remedy(error, mend));
    }
    let files = named.iter().filter(|path| path.as_os_str() != "-");
    let mut sources = Sources::find(files).map_err(|error| with_remedy(error, "check the spelling"))?;
    if named.iter().any(|path| path.as_os_str() == "-") {
        sources.add_reader("standard input", std::io::stdin());
    }
    Ok(sources)
}

/// What is missing, and how to find it.
fn with_remedy(error: SourceError, mend: &str) -> anyhow::Error {
    match &error {
        SourceError::Path { error: cause, .. } if cause.kind() == io::ErrorKind::NotFound => {
            anyhow::anyhow!("{error}: {mend}")
        }
        _ => error.into(),
    }
}

/// The format of logs as somebody names it: one of ours, `w3c`, or what nginx's directive `log_format` has.
pub(crate) fn line_format(text: &str) -> Result<LineFormat, String> {
    if text.contains('$') {
        return text.parse().map(LineFormat::Pattern).map_err(|error| format!("{error}"));
    }
    if text == LineFormat::W3c.name() {
        return Ok(LineFormat::W3c);
    }
    let own = text.parse::<LogFormat>().map(LineFormat::Own);
    own.map_err(|error| {
        format!("{error}; or w3c, or a pattern such as '$remote_addr [$time_local] \"$request\" $status'")
    })
}

/// Says what could not be read.
pub(crate) fn name_problems(summary: &ReadSummary) {
    for problem in &summary.problems {
        note(format_args!("{}: {}", problem.source, problem.what));
    }
    let unparsed = &summary.unparsed;
    if let Some(sample) = unparsed.samples.first() {
        note(format_args!(
            "{}; the first is {}:{}: {}",
            left_out(unparsed.lines, summary.lines),
            sample.source,
            sample.number,
            sample.cause
        ));
    }
}

/// Says that so many lines of so many are no requests.
pub(crate) fn left_out(bad: u64, read: u64) -> String {
    let lines = counted(read, "line");
    let (are, were) = if bad == 1 { ("is no request", "was") } else { ("are no requests", "were") };
    format!("{bad} of {lines} {are} and {were} left out")
}
