//! `aiwaf completions` and `aiwaf man`: help for shells and readers.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::json;

use crate::args::Args;
use crate::session::Session;

/// Write what a shell needs to complete commands
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf completions bash > /etc/bash_completion.d/aiwaf
  aiwaf completions zsh > ~/.zfunc/_aiwaf
  aiwaf completions fish > ~/.config/fish/completions/aiwaf.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Write the manual pages
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aiwaf man /usr/local/share/man/man1
  aiwaf man . && man ./aiwaf-explain.1")]
pub(crate) struct ManArgs {
    /// The directory, which is created if it is missing
    directory: PathBuf,
}

pub(crate) fn completions(args: &CompletionsArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    // Collected first, because the generator panics where it can't write, as into a pipe that is closed.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "aiwaf", &mut script);
    if args.shell == Shell::Fish {
        script.extend_from_slice(values_for_fish(&Args::command()).as_bytes());
    }
    session.out.writer().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// The values of arguments without a flag, such as the lists of `aiwaf list`, which the generator leaves out for fish.
fn values_for_fish(root: &clap::Command) -> String {
    let mut lines = String::new();
    for command in root.get_subcommands() {
        let arguments = command.get_positionals();
        for value in arguments.flat_map(clap::Arg::get_possible_values).filter(|value| !value.is_hide_set()) {
            let (name, value_name) = (command.get_name(), value.get_name());
            let help = value.get_help().map(ToString::to_string).unwrap_or_default().replace('\'', "\\'");
            // Writing to a string can't fail.
            let _ = writeln!(
                lines,
                "complete -c aiwaf -n \"__fish_aiwaf_using_subcommand {name}\" -f -a \"{value_name}\" -d '{help}'"
            );
        }
    }
    lines
}

pub(crate) fn man(args: &ManArgs, session: &mut Session<'_>) -> anyhow::Result<ExitCode> {
    fs::create_dir_all(&args.directory).with_context(|| format!("creating {}", args.directory.display()))?;
    let mut command = Args::command();
    command.build();
    let mut pages = 0;
    write_pages(&command, "aiwaf", &args.directory, &mut pages)?;
    session.out.json(&json!({"directory": args.directory, "pages": pages}))?;
    session.out.done(format_args!("Wrote {pages} manual pages into {}", args.directory.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn write_pages(
    command: &clap::Command,
    name: &str,
    directory: &Path,
    pages: &mut usize,
) -> anyhow::Result<()> {
    let path = directory.join(format!("{name}.1"));
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).title(name.to_owned()).render(&mut page)?;
    fs::write(&path, page).with_context(|| format!("writing {}", path.display()))?;
    *pages += 1;
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        write_pages(inner, &format!("{name}-{}", inner.get_name()), directory, pages)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fish_knows_the_lists() {
        let lines = values_for_fish(&Args::command());
        assert!(
            lines.contains(
                "complete -c aiwaf -n \"__fish_aiwaf_using_subcommand list\" -f -a \"blacklist\" -d 'Clients that are \
                 turned away'\n"
            ),
            "{lines}"
        );
        assert!(lines.contains("using_subcommand completions\" -f -a \"zsh\""), "{lines}");
    }
}
