//! How an error becomes one line on standard error and an exit code.

use std::fmt;
use std::io;
use std::process::ExitCode;

use clap::error::ErrorKind;

/// The exit code of a command that failed.
pub(crate) const FAILED: u8 = 1;
/// The exit code of a command that was called wrongly.
const USAGE: u8 = 2;

/// An error in how the command was called: it ends with exit code 2.
#[derive(Debug)]
struct UsageError(String);

/// What is wrong with how the command was called.
pub(crate) fn usage_error(message: impl fmt::Display) -> anyhow::Error {
    anyhow::Error::new(UsageError(message.to_string()))
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// Says what went wrong, in one line, and gives the exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    if is_closed_pipe(error) {
        // `aiwaf list all | head` has got what it asked for.
        return ExitCode::SUCCESS;
    }
    eprintln!("aiwaf: {}", one_line(&with_causes(error)));
    ExitCode::from(if error.chain().any(<dyn std::error::Error>::is::<UsageError>) { USAGE } else { FAILED })
}

/// The error and its causes. Many errors say their cause themselves, which need not be said again.
pub(crate) fn with_causes(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if said.is_empty() {
            said = cause;
        } else if !said.contains(&cause) {
            said.push_str(": ");
            said.push_str(&cause);
        }
    }
    said
}

/// Says what is wrong with the arguments, in one line; or shows the help that was asked for.
pub(crate) fn report_usage(error: &clap::Error) -> ExitCode {
    let is_whole_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if !error.use_stderr() || is_whole_help {
        // A reader of the help who has enough closes the pipe, which is no failure.
        let _ = error.print();
        return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
    }
    eprintln!("aiwaf: {}", one_line(&usage_line(&error.to_string())));
    ExitCode::from(USAGE)
}

/// What clap says in a paragraph, in a line.
fn usage_line(text: &str) -> String {
    let mut usage = "aiwaf";
    let mut said: Vec<&str> = Vec::new();
    // What the standard library says of a number is no help to people.
    let text = text.replace("invalid digit found in string", "give a whole number, such as 10");
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(shown) = line.strip_prefix("Usage: ") {
            // Up to the first option or argument it names the command.
            usage = command_of(shown);
        } else if !line.starts_with("For more information") && !is_tip_for_a_negative(line) {
            said.push(line.strip_prefix("error: ").unwrap_or(line));
        }
    }
    let mut joined = String::new();
    for part in said {
        let is_list = joined.ends_with(':');
        joined.push_str(if joined.is_empty() {
            ""
        } else if is_list {
            " "
        } else {
            "; "
        });
        joined.push_str(part);
    }
    format!("{joined} (see `{usage} --help`)")
}

/// No command takes a value that begins so; clap does not know it.
fn is_tip_for_a_negative(line: &str) -> bool {
    let value = line.strip_prefix("tip: to pass '-");
    value.is_some_and(|value| value.starts_with(|first: char| first.is_ascii_digit()))
}

/// The command's name with its subcommands.
fn command_of(usage: &str) -> &str {
    let end = usage.find(['[', '<', '-']).unwrap_or(usage.len());
    usage.get(..end).unwrap_or(usage).trim_end()
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(is_broken_pipe)
}

fn is_broken_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// The text in one line that a terminal shows as it is.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_no_failure_wherever_it_is_noticed() {
        let error = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).context("writing");
        assert!(is_closed_pipe(&error));
        assert!(!is_closed_pipe(&io::Error::from(io::ErrorKind::NotFound).into()));
    }

    #[test]
    fn usage_errors_are_one_line() {
        let text = "error: the following required arguments were not provided:\n  <LIST>\n\nUsage: aiwaf list \
                    [OPTIONS] <LIST>\n\nFor more information, try '--help'.\n";
        assert_eq!(
            usage_line(text),
            "the following required arguments were not provided: <LIST> (see `aiwaf list --help`)"
        );
        let text = "error: unrecognized subcommand 'stat'\n\n  tip: a similar subcommand exists: 'stats'\n\n\
                    Usage: aiwaf [OPTIONS] <COMMAND>\n";
        assert_eq!(
            usage_line(text),
            "unrecognized subcommand 'stat'; tip: a similar subcommand exists: 'stats' (see `aiwaf --help`)"
        );
    }

    #[test]
    fn numbers_are_asked_for_in_words_that_help() {
        let text = "error: unexpected argument '-4' found\n\n  tip: to pass '-4' as a value, use '-- -4'\n\n\
                    Usage: aiwaf add [OPTIONS] <LIST> [VALUES]...\n";
        assert_eq!(usage_line(text), "unexpected argument '-4' found (see `aiwaf add --help`)");
        let text = "error: invalid value 'x' for '--limit <N>': invalid digit found in string\n";
        assert_eq!(
            usage_line(text),
            "invalid value 'x' for '--limit <N>': give a whole number, such as 10 (see `aiwaf --help`)"
        );
    }

    #[test]
    fn a_cause_is_said_once() {
        let cause = io::Error::from(io::ErrorKind::NotFound);
        let named = anyhow::anyhow!("reading x failed: {cause}; check the path");
        assert_eq!(with_causes(&anyhow::Error::from(cause).context("a")), "a: entity not found");
        let error = anyhow::Error::from(io::Error::from(io::ErrorKind::NotFound)).context(named.to_string());
        assert_eq!(with_causes(&error), "reading x failed: entity not found; check the path");
    }

    #[test]
    fn nothing_breaks_the_line() {
        assert_eq!(one_line("a\nb\x1b[31m"), "a b [31m");
    }
}
