//! Notices: people are told what is wrong, by mail, by a webhook, by a program of theirs. Each way is a task of its own that holds nothing
//! up: it looks at what the watch sees, tells what is new of it, and writes down in the ledger what it has told, so that a restart
//! repeats nothing. There is no queue: a way that could not tell for an hour tells the state of then, not of an hour ago.

mod channel;
mod command;
mod mail;
mod message;
mod plan;
#[cfg(test)]
mod tests;
mod webhook;
mod words;
mod worker;

use std::sync::Arc;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

pub use channel::NoticeError;
pub use message::Notice;

use super::tasks::Tasks;
use super::trouble::Watch;
use crate::config::{Config, NotifyConfig};
use crate::ledger::AnyLedger;
use crate::sync::Clock;
use crate::telemetry::Metrics;
use channel::Channel;
use message::Voice;
use plan::Rules;
use worker::{Standing, Worker};

/// All ways of telling that a configuration names.
pub struct Notices {
    voice: Voice,
    rules: Rules,
    ways: Vec<(Arc<Channel>, Arc<Standing>)>,
}

/// How one way of telling does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeStatus {
    /// `mail`, `webhook` or `command`.
    pub channel: String,
    /// `ok`, or `failing` while a notice could not be delivered and is tried again.
    pub state: String,
    /// Why, for people.
    pub why: Option<String>,
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// When the last notice was delivered, RFC 3339.
    pub last: Option<String>,
}

impl Notices {
    /// The ways that a configuration names; none where it tells nobody.
    pub fn open(config: &Config) -> Result<Option<Self>, NoticeError> {
        let Some(notify) = &config.notify else { return Ok(None) };
        let zone = config.sources.values().next().map_or(Tz::UTC, |source| source.timezone);
        Notices::of(notify, zone).map(Some)
    }

    /// The ways of a section; times are told on this clock.
    pub fn of(notify: &NotifyConfig, zone: Tz) -> Result<Self, NoticeError> {
        let channels = Channel::all(notify)?.into_iter();
        Ok(Notices {
            voice: Voice { host: host(), language: notify.language, zone },
            rules: Rules { quiet: notify.quiet, digest: notify.digest, always: notify.always, zone },
            ways: channels.map(|channel| (Arc::new(channel), Arc::default())).collect(),
        })
    }

    /// Tells of what the watch sees until told to stop.
    pub(super) fn start(
        &self,
        tasks: &mut Tasks,
        (ledger, watch, metrics): (&Arc<AnyLedger>, &Arc<Watch>, &Metrics),
        clock: Clock,
        stop: &CancellationToken,
    ) {
        for (channel, standing) in &self.ways {
            let worker = Worker {
                channel: Arc::clone(channel),
                standing: Arc::clone(standing),
                voice: self.voice.clone(),
                rules: self.rules,
                ledger: Arc::clone(ledger),
                metrics: metrics.clone(),
                clock,
            };
            tasks.spawn("notices", worker.run(watch.subscribe(), stop.clone()));
        }
    }

    /// How each way does.
    pub fn status(&self) -> Vec<NoticeStatus> {
        self.ways.iter().map(|(channel, standing)| standing.status(channel.name())).collect()
    }

    /// Sends a notice that says it is a trial, each way. Gives what came of each.
    pub async fn try_out(&self) -> Vec<(&'static str, Result<(), NoticeError>)> {
        let notice = Notice::trial(&self.voice);
        let sent = self.ways.iter().map(|(channel, _)| async { (channel.name(), channel.deliver(&notice).await) });
        futures_util::future::join_all(sent).await
    }

    /// Looks whether each way is there, and sends nothing. Gives the configuration's key of each that is not.
    pub async fn check(&self) -> Vec<(&'static str, NoticeError)> {
        let checked = self.ways.iter().map(|(channel, _)| async { (channel.key(), channel.check().await) });
        let checked = futures_util::future::join_all(checked).await;
        checked.into_iter().filter_map(|(key, checked)| Some((key, checked.err()?))).collect()
    }
}

/// The machine's name.
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
