//! Printing what a verb was asked for.

use std::io::{self, ErrorKind, Write};

use super::CliError;

/// Says something to people on standard error. Nothing depends on whether they hear it.
pub(super) fn tell(text: &str) {
    drop(writeln!(io::stderr().lock(), "{text}"));
}

/// Writes a text to the standard output. A reader that has gone away ends the verb without complaint.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(CliError::OutputClosed),
        Err(error) => Err(error.into()),
    }
}
