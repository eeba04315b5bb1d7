//! `aiwaf export`: writes the lists to a file.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aiwaf_core::{ListName, Lists};
use aiwaf_storage::{
    BackupError, ExportedList, export_ipset, export_json, export_nginx_deny, export_plain_list, system_clock,
};
use anyhow::Context;
use serde::Serialize;

use crate::failure::usage_error;
use crate::session::Session;

/// Write the lists to a file
///
/// The JSON format holds everything and is what `aiwaf import` reads; the original reads it, too. The others hold
/// addresses for other programs. The file is put in place as a whole, so nobody ever reads half of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf export backup.json
  aiwaf export \"backup-$(date +%Y%m%d).json\"
  aiwaf export - | gzip > backup.json.gz
  aiwaf export --format nginx /etc/nginx/blacklist.conf
  aiwaf export --format ipset - | ipset restore")]
pub(crate) struct ExportArgs {
    /// The file; `-` is standard output
    file: PathBuf,

    /// What to write
    #[arg(long, value_enum, default_value = "json")]
    format: Format,

    /// The name of the sets, for ipset: -v4 and -v6 are put behind it
    #[arg(long, value_name = "NAME", default_value = "aiwaf")]
    set_name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A backup of all lists
    Json,
    /// The blacklist, one address or network a line
    Blacklist,
    /// The whitelist, one address or network a line
    Whitelist,
    /// The blacklist as `deny` lines for nginx
    Nginx,
    /// The blacklist as commands for `ipset restore`
    Ipset,
}

#[derive(Serialize)]
struct Report<'a> {
    exported_to: &'a str,
    whitelisted: usize,
    blacklisted: usize,
    keywords: usize,
    geo_blocked_countries: usize,
    path_exemptions: usize,
}

pub(crate) fn run(args: &ExportArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    if args.file.as_os_str() == "-" {
        // What else is said would end up in the backup.
        let manager = session.quiet_manager()?;
        let loaded = ManuallyDrop::new(manager.load()?);
        write(args, &loaded.lists, manager.store().mode(), session.out.writer())?;
        return Ok(ExitCode::SUCCESS);
    }
    let (manager, loaded) = session.lists(&ListName::ALL)?;
    let mode = manager.store().mode();
    replace(&args.file, |file| write(args, &loaded.lists, mode, file))?;
    let place = args.file.display().to_string();
    let what = if args.format == Format::Json { "Configuration" } else { "Addresses" };
    session.out.done(format_args!("{what} exported to {place}"))?;
    let lists = &loaded.lists;
    session.out.json(&Report {
        exported_to: &place,
        whitelisted: lists.whitelist.len(),
        blacklisted: lists.blacklist.len(),
        keywords: lists.keywords.len(),
        geo_blocked_countries: lists.geo_blocked_countries.len(),
        path_exemptions: lists.path_exemptions.len(),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn write(args: &ExportArgs, lists: &Lists, mode: &str, out: &mut dyn Write) -> anyhow::Result<()> {
    let now = system_clock();
    match args.format {
        Format::Json => export_json(lists, mode, now, out),
        Format::Blacklist => export_plain_list(lists, ExportedList::Blacklist, now, out),
        Format::Whitelist => export_plain_list(lists, ExportedList::Whitelist, now, out),
        Format::Nginx => export_nginx_deny(lists, now, out),
        Format::Ipset => export_ipset(lists, &args.set_name, now, out),
    }
    .map_err(|error| match error {
        BackupError::SetName(_) => usage_error(error),
        error => error.into(),
    })?;
    Ok(())
}

/// Puts a new file in place of `path`, whole.
fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let place = || format!("writing {}", path.display());
    // Behind a symbolic link the file is replaced, not the link; devices and pipes can't be replaced.
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        let mut file = BufWriter::new(OpenOptions::new().write(true).open(path).with_context(place)?);
        write(&mut file)?;
        return file.flush().with_context(place);
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".aiwaf-");
    // As readable as any new file, because other programs are to read it.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(directory).with_context(place)?;
    let mut buffered = BufWriter::new(file.as_file_mut());
    write(&mut buffered)?;
    buffered.flush().with_context(place)?;
    drop(buffered);
    file.as_file().sync_all().with_context(place)?;
    file.persist(path).map_err(|error| error.error).with_context(place)?;
    Ok(())
}
