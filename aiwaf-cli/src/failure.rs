//! How an error becomes one line on standard error and an exit code.

use std::fmt;
use std::io;
use std::process::ExitCode;

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
    eprintln!("aiwaf: {}", one_line(&format!("{error:#}")));
    ExitCode::from(if error.is::<UsageError>() { USAGE } else { FAILED })
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
    fn nothing_breaks_the_line() {
        assert_eq!(one_line("a\nb\x1b[31m"), "a b [31m");
    }
}
