//! The command `aiwaf`.

use std::process::ExitCode;

fn main() -> ExitCode {
    aiwaf_cli::run()
}
