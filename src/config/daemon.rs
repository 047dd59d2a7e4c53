//! The process: its workers, its stop, its logs.

use std::time::Duration;

use serde::Deserialize;

use super::shape::{Key, Scalar};

/// How the process runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DaemonConfig {
    /// Feeds that run at one time; one of these workers is kept for slots.
    pub workers: usize,
    /// How long what is in flight may take to finish when the process is asked to stop.
    #[serde(with = "humantime_serde")]
    pub grace: Duration,
    /// What is logged.
    pub log_level: LogLevel,
    /// How it is logged.
    pub log_format: LogFormat,
}

/// What is logged: this and everything graver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// A person must act.
    Error,
    /// A person should look.
    Warn,
    /// What was done.
    Info,
    /// Why it was done.
    Debug,
    /// Every step.
    Trace,
}

/// How it is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Default of `grace`.
pub(super) const GRACE: &str = "20s";

/// Keys of the process.
pub(super) const KEYS: &[Key] = &[
    Key::or("workers", "4", Scalar::Integer { min: 2, max: 64 }),
    Key::or("grace", GRACE, Scalar::seconds(0, 600)),
    Key::or("log_level", "info", Scalar::Word(&["error", "warn", "info", "debug", "trace"])),
    Key::or("log_format", "text", Scalar::Word(&["text", "json"])),
];

impl LogLevel {
    /// Its word, as the configuration and log filters write it.
    pub fn name(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}
