//! Command: a program of the site's gets each notice as JSON on standard input.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process;

use super::channel::NoticeError;
use super::message::Notice;

/// A program with its arguments.
pub(super) struct Command {
    program: String,
    arguments: Vec<String>,
}

impl Command {
    pub(super) fn new(command: &[String]) -> Self {
        let (program, arguments) =
            command.split_first().map_or((String::new(), &[][..]), |(first, rest)| (first.clone(), rest));
        Command { program, arguments: arguments.to_vec() }
    }

    /// The program is there and may be run.
    pub(super) fn check(&self) -> Result<(), NoticeError> {
        let program = &self.program;
        let found = std::fs::metadata(program).map_err(|error| NoticeError(format!("{program}: {error}")))?;
        match found.is_file() && found.permissions().mode() & 0o111 != 0 {
            true => Ok(()),
            false => Err(NoticeError(format!("{program} is no program that may be run; chmod +x it"))),
        }
    }

    /// Runs it. What it prints is not kept: it may repeat anything.
    pub(super) async fn run(&self, notice: &Notice) -> Result<(), NoticeError> {
        let program = &self.program;
        let failed = |error: std::io::Error| NoticeError(format!("{program}: {error}"));
        let mut command = process::Command::new(program);
        command
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(failed)?;
        let json = serde_json::to_vec(notice).map_err(|error| NoticeError(error.to_string()))?;
        if let Some(mut input) = child.stdin.take() {
            // A program that does not read to the end may still have done its work: its exit code tells.
            drop(input.write_all(&json).await);
        }
        let status = child.wait().await.map_err(failed)?;
        match status.success() {
            true => Ok(()),
            false => Err(NoticeError(format!("{program} ended with {status}"))),
        }
    }
}
