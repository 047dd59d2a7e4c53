//! The `vitrina` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    vitrina::cli::main()
}
