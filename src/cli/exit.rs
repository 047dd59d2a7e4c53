//! How a verb ends: outcomes, errors, exit codes.

use std::io;
use std::process::ExitCode;

use super::output::tell;

use crate::config::Problems;

/// How a verb that did its work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is well. Exit code 0.
    Done,
    /// A replay brought other verdicts than were recorded. Exit code 1.
    Different,
    /// The configuration that was to be checked has errors. Exit code 2.
    Misconfigured,
    /// Records are rejected, held, of unknown outcome, or stopped by the fuse. Exit code 3.
    Unfinished,
}

/// Why a verb could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// It was asked for something that does not exist. Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The configuration has errors. Exit code 2.
    #[error("{0}")]
    Configuration(Problems),
    /// Nobody reads what it prints any more. Exit code 0: `vitrina init | head` is no failure.
    #[error("the output was closed")]
    OutputClosed,
    /// Anything else. Exit code 1.
    #[error(transparent)]
    Failed(#[from] anyhow::Error),
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        CliError::Failed(error.into())
    }
}

/// Prints a mistake on the command line, or the help that was asked for.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    // When not even this can be printed, the exit code still says it.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Prints an error, if there is one, and gives the exit code.
pub(super) fn code(result: Result<Outcome, CliError>) -> ExitCode {
    match result {
        Ok(Outcome::Done) | Err(CliError::OutputClosed) => ExitCode::SUCCESS,
        Ok(Outcome::Different) => ExitCode::FAILURE,
        Ok(Outcome::Misconfigured) => ExitCode::from(2),
        Ok(Outcome::Unfinished) => ExitCode::from(3),
        Err(CliError::Usage(text)) => {
            tell(&format!("error: {text}"));
            ExitCode::from(2)
        }
        Err(CliError::Configuration(problems)) => {
            tell(&problems.to_string());
            ExitCode::from(2)
        }
        Err(CliError::Failed(error)) => {
            tell(&format!("error: {}", chain(&error)));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes on one line; a cause whose text the line already holds is left out.
fn chain(error: &anyhow::Error) -> String {
    let mut line = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !line.contains(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_names_each_cause_once() {
        let error = anyhow::anyhow!("connection refused").context("ledger: connection refused").context("cannot start");
        assert_eq!(chain(&error), "cannot start: ledger: connection refused");
    }
}
