//! `aiwaf import`: puts a backup or a list of addresses onto the lists.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aiwaf_storage::{
    Backup, BackupError, Difference, ImportMode, ImportOptions, PlainList, Sample, StoreError, system_clock,
};
use anyhow::{Context, bail};
use flate2::bufread::MultiGzDecoder;
use serde::Serialize;

use super::edit::describe;
use crate::failure::usage_error;
use crate::input::open_file;
use crate::output::{Output, note};
use crate::session::Session;
use crate::span::Span;
use crate::stores::Access;

/// Put a backup, a data directory or a list of addresses onto the lists
///
/// Reads what `aiwaf export` writes, here or by the original; the data directory of either; and plain lists with one
/// address a line, as threat feeds publish them, of which --list says what they are for. All of it is checked first: if
/// a value is wrong, nothing is imported. What is on the lists already stays, unless --replace says otherwise.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf import backup.json
  aiwaf import --dry-run production-config.json
  aiwaf import --replace production-config.json
  aiwaf import /srv/old-app/aiwaf_data
  curl -s https://example.com/drop.txt | aiwaf import --list blacklist --reason drop --for 2d -")]
pub(crate) struct ImportArgs {
    /// The file (.gz, too) or directory; `-` is standard input
    source: PathBuf,

    /// Make the lists those of the backup: what it does not have goes. Lists that it does not speak of stay
    #[arg(long)]
    replace: bool,

    /// Leave out values that are wrong, instead of refusing everything
    #[arg(long)]
    skip_invalid: bool,

    /// It is a plain list of addresses, for this list
    #[arg(long, value_name = "LIST")]
    list: Option<PlainTarget>,

    /// Why, for the addresses of a plain list
    #[arg(long, default_value = "", requires = "list")]
    reason: String,

    /// How long the bans of a plain list last, such as 4h or 2d [default: until they are removed]
    #[arg(long = "for", value_name = "TIME", requires = "list")]
    duration: Option<Span>,

    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum PlainTarget {
    Whitelist,
    Blacklist,
}

pub(crate) fn run(args: &ImportArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    let place = || format!("importing {}", args.source.display());
    let backup = read(args).with_context(place)?;
    let manager = session.manager(Access::Create, args.dry_run)?;
    let options = ImportOptions {
        mode: if args.replace { ImportMode::Replace } else { ImportMode::Merge },
        dry_run: args.dry_run,
        skip_invalid: args.skip_invalid,
    };
    let report = match manager.import(&backup, options) {
        Err(BackupError::Invalid { invalid, more }) => {
            for problem in &invalid {
                note(problem);
            }
            bail!(
                "nothing was imported from {}, because {}: mend that, or leave it out by --skip-invalid",
                args.source.display(),
                match invalid.len() + more {
                    1 => "one value is wrong".to_owned(),
                    count => format!("{count} values are wrong"),
                }
            );
        }
        report => report.with_context(place)?,
    };
    for problem in &report.skipped {
        note(format_args!("left out: {problem}"));
    }
    let skipped = report.skipped.len() + report.more_skipped;
    let out = &mut session.out;
    out.json(&Report {
        dry_run: args.dry_run,
        changed: report.is_change(),
        skipped,
        lists: report.differences.iter().map(ListReport::new).collect(),
    })?;
    let verb = if args.dry_run { "Would import" } else { "Imported" };
    if report.is_change() {
        out.done(format_args!("{verb} {}", args.source.display()))?;
    } else {
        let rest = if skipped > 0 { "the rest of " } else { "" };
        out.done(format_args!("Nothing to change: {rest}{} is on the lists already", args.source.display()))?;
    }
    report.differences.iter().try_for_each(|difference| show(difference, out))?;
    if skipped > 0 {
        let values = if skipped == 1 { "value was" } else { "values were" };
        out.text(format_args!("{skipped} {values} left out\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn read(args: &ImportArgs) -> anyhow::Result<Backup> {
    let from_stdin = args.source.as_os_str() == "-";
    if !from_stdin && args.source.is_dir() {
        return Backup::from_directory(&args.source).map_err(|error| match error {
            BackupError::Store(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                usage_error(
                    "it holds no lists: name a directory with files such as blacklist.csv, or one backup",
                )
            }
            error => error.into(),
        });
    }
    let mut source = open(&args.source, from_stdin)?;
    let Some(target) = args.list else {
        if !looks_like_json(&mut source)? {
            return Err(usage_error(
                "it is no backup in JSON: if it is a list of addresses, say which by --list blacklist or --list \
                 whitelist; if it is a file of a data directory, give the directory",
            ));
        }
        return Ok(Backup::from_json(source)?);
    };
    let now = system_clock();
    let list = match (target, args.duration) {
        (PlainTarget::Whitelist, Some(_)) => {
            return Err(usage_error("only bans end: leave --for out, or import to the blacklist"));
        }
        (PlainTarget::Whitelist, None) => PlainList::whitelist(&args.reason, now),
        (PlainTarget::Blacklist, None) => PlainList::blacklist(&args.reason, now),
        (PlainTarget::Blacklist, Some(span)) => {
            PlainList::blacklist(&args.reason, now).with_expiry(now + span.0)
        }
    };
    Ok(Backup::from_plain_list(source, &list)?)
}

/// Opens and unpacks; what it reads is bounded by whoever reads.
fn open(path: &Path, from_stdin: bool) -> anyhow::Result<Box<dyn BufRead>> {
    let source: Box<dyn Read> =
        if from_stdin { Box::new(io::stdin().lock()) } else { Box::new(open_file(path)?) };
    let mut source = BufReader::new(source);
    if source.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(BufReader::new(MultiGzDecoder::new(source))));
    }
    Ok(Box::new(source))
}

/// Whether the first character is an object's, or there is none.
fn looks_like_json(source: &mut dyn BufRead) -> io::Result<bool> {
    let text = source.fill_buf()?;
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    Ok(text.trim_ascii_start().first().is_none_or(|first| matches!(first, b'{' | b'[')))
}

#[derive(Serialize)]
struct Report<'a> {
    dry_run: bool,
    changed: bool,
    skipped: usize,
    lists: Vec<ListReport<'a>>,
}

#[derive(Serialize)]
struct ListReport<'a> {
    list: &'static str,
    added: usize,
    changed: usize,
    removed: usize,
    unchanged: usize,
    added_examples: &'a [String],
    changed_examples: &'a [String],
    removed_examples: &'a [String],
}

impl<'a> ListReport<'a> {
    fn new(difference: &'a Difference) -> Self {
        Self {
            list: difference.list.name(),
            added: difference.added.count,
            changed: difference.changed.count,
            removed: difference.removed.count,
            unchanged: difference.unchanged,
            added_examples: &difference.added.examples,
            changed_examples: &difference.changed.examples,
            removed_examples: &difference.removed.examples,
        }
    }
}

fn show(difference: &Difference, out: &mut Output<'_>) -> anyhow::Result<()> {
    let parts =
        [("added", &difference.added), ("changed", &difference.changed), ("removed", &difference.removed)];
    for (verb, sample) in parts.into_iter().filter(|(_, sample)| sample.count > 0) {
        let list = describe(difference.list);
        out.text(format_args!("  {list}: {} {verb} ({})\n", sample.count, examples(sample)))?;
    }
    Ok(())
}

fn examples(sample: &Sample) -> String {
    let named =
        sample.examples.iter().map(|name| crate::output::printable(name)).collect::<Vec<_>>().join(", ");
    if sample.count > sample.examples.len() { format!("{named}, ...") } else { named }
}
