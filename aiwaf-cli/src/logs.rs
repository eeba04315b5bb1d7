//! The access logs that are meant.

use std::path::{Path, PathBuf};

use aiwaf_core::Settings;
use aiwaf_trainer::{ReadSummary, Sources};

use crate::output::note;

/// Finds logs: those that were named (`-` is standard input), else those in `log_dir`, else those in the directory of
/// the settings.
pub(crate) fn find(
    named: &[PathBuf],
    log_dir: Option<&Path>,
    settings: &Settings,
) -> anyhow::Result<Sources> {
    if named.is_empty() {
        return Ok(Sources::find([log_dir.unwrap_or(Path::new(&settings.logging.dir))])?);
    }
    let files = named.iter().filter(|path| path.as_os_str() != "-");
    let mut sources = Sources::find(files)?;
    if named.iter().any(|path| path.as_os_str() == "-") {
        sources.add_reader("standard input", std::io::stdin());
    }
    Ok(sources)
}

/// Says what could not be read.
pub(crate) fn name_problems(summary: &ReadSummary) {
    for problem in &summary.problems {
        note(format_args!("{}: {}", problem.source, problem.what));
    }
    let unparsed = &summary.unparsed;
    if let Some(sample) = unparsed.samples.first() {
        note(format_args!(
            "{} of {} lines are no requests and were left out; the first is {}:{}: {}",
            unparsed.lines, summary.lines, sample.source, sample.number, sample.cause
        ));
    }
}
