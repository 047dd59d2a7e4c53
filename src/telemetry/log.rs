//! The log: one line an event, on standard error, where systemd's journal reads it.

mod line;
mod repeats;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format;

use line::Line;

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Standard error, whatever became of it. A reader that has gone, or a file that is full, is no reason to end: the line is lost, and the
/// work goes on.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        drop(io::stderr().lock().write_all(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts the log. `RUST_LOG` overrides `level` (`error`, `warn`, `info`, `debug`, `trace`). A second start changes nothing.
pub fn start(level: &str, form: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("warn,vitrina={level}")));
    let journal = journal_reads();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Stderr);
    let started = match (form, journal) {
        (LogFormat::Json, _) => {
            let inner = format().with_target(false).json();
            let fields = tracing_subscriber::fmt::format::JsonFields::new();
            builder.fmt_fields(fields).event_format(Line::new(inner, form, journal)).try_init()
        }
        // The journal keeps the time and the level itself.
        (LogFormat::Text, true) => {
            let inner = format().with_target(false).with_ansi(false).with_level(false).without_time();
            builder.with_ansi(false).event_format(Line::new(inner, form, journal)).try_init()
        }
        (LogFormat::Text, false) => {
            let ansi = io::stderr().is_terminal();
            let inner = format().with_target(false).with_ansi(ansi);
            builder.with_ansi(ansi).event_format(Line::new(inner, form, journal)).try_init()
        }
    };
    drop(started);
}

/// True when standard error leads to systemd's journal: a program that was started from a service inherits the variable, but not the stream.
fn journal_reads() -> bool {
    let Some(named) = std::env::var("JOURNAL_STREAM").ok() else { return false };
    let stderr = io::stderr().as_fd().try_clone_to_owned().map(File::from).and_then(|file| file.metadata());
    stderr.is_ok_and(|stderr| is_named(&named, stderr.dev(), stderr.ino()))
}

/// True when a `JOURNAL_STREAM` names this file.
fn is_named(stream: &str, device: u64, inode: u64) -> bool {
    let parts = stream.split_once(':').and_then(|(device, inode)| Some((device.parse().ok()?, inode.parse().ok()?)));
    parts == Some((device, inode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_the_journals_only_if_the_variable_names_it() {
        assert!(is_named("8:1234", 8, 1234));
        for other in ["8:1235", "9:1234", "8", "", "a:b"] {
            assert!(!is_named(other, 8, 1234), "{other}");
        }
    }
}
