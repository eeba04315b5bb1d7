//! The command `aiwaf-console`: `aiwaf` by the other name that the original gives it.

use std::process::ExitCode;

fn main() -> ExitCode {
    aiwaf_cli::run()
}
