//! The worker of one channel: plans, delivers, writes down, and tries again with growing pauses where it could not.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::NoticeStatus;
use super::channel::{Channel, NoticeError};
use super::message::{Notice, Voice};
use super::plan::{Memory, Rules};
use crate::daemon::status::rfc3339;
use crate::daemon::trouble::Seen;
use crate::ledger::{AnyLedger, Ledger, LedgerError, Note, NoteKind, NotePlace};
use crate::sync::Clock;
use crate::telemetry::Metrics;

/// First and longest pause after a notice that could not be delivered, in seconds.
const FIRST_PAUSE: i64 = 10;
const LONGEST_PAUSE: i64 = 15 * 60;

/// One channel at work.
pub(super) struct Worker {
    pub channel: Arc<Channel>,
    pub standing: Arc<Standing>,
    pub voice: Voice,
    pub rules: Rules,
    pub ledger: Arc<AnyLedger>,
    pub metrics: Metrics,
    pub clock: Clock,
}

/// How a channel does, for whoever asks.
#[derive(Debug, Default)]
pub(super) struct Standing(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Since when it fails, and by what.
    failing: Option<(i64, String)>,
    last: Option<i64>,
}

impl Standing {
    pub(super) fn status(&self, channel: &str) -> NoticeStatus {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failing = state.failing.as_ref();
        NoticeStatus {
            channel: channel.to_owned(),
            state: if failing.is_some() { "failing" } else { "ok" }.to_owned(),
            why: failing.map(|(_, why)| why.clone()),
            since: failing.and_then(|(since, _)| rfc3339(*since)),
            last: state.last.and_then(rfc3339),
        }
    }

    fn delivered(&self, now: i64) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State { failing: None, last: Some(now) };
    }

    /// True when it has not failed before.
    fn failed(&self, why: &str, now: i64) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = state.failing.as_ref().map(|(since, _)| *since);
        state.failing = Some((since.unwrap_or(now), why.to_owned()));
        since.is_none()
    }
}

impl Worker {
    /// Tells until told to stop.
    pub(super) async fn run(self, mut seen: watch::Receiver<Arc<Seen>>, stop: CancellationToken) {
        let channel = self.channel.name();
        self.metrics.announce_notices(channel);
        let mut memory = match self.load().await {
            Ok(memory) => memory,
            Err(error) => {
                tracing::warn!(channel, "what was told cannot be read ({error}); it may be told again");
                Memory::default()
            }
        };
        let mut pause = FIRST_PAUSE;
        let mut not_before = 0;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = seen.changed() => if changed.is_err() { return },
            }
            let latest = Arc::clone(&seen.borrow_and_update());
            // A clock that steps back shortens the pause.
            if (not_before - pause..not_before).contains(&self.clock.now()) {
                memory.sight(&latest.troubles, self.clock.now());
                continue;
            }
            let told = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                told = self.tell(&mut memory, &latest) => told,
            };
            match told {
                Ok(()) => pause = FIRST_PAUSE,
                Err(_) => {
                    not_before = self.clock.now() + pause;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Tells everything that is to be told.
    async fn tell(&self, memory: &mut Memory, seen: &Seen) -> Result<(), NoticeError> {
        memory.sight(&seen.troubles, self.clock.now());
        while let Some(tell) = memory.plan(&self.rules, &seen.troubles, self.clock.now()) {
            let notice = Notice::of(&self.voice, &tell, &seen.feeds);
            let delivered = self.channel.deliver(&notice).await;
            self.note(&notice, &delivered);
            delivered?;
            memory.has_told(&tell, self.clock.now());
            self.keep(memory).await;
        }
        if memory.tidy(&self.rules, self.clock.now()) {
            self.keep(memory).await;
        }
        Ok(())
    }

    /// Shows and logs what came of a notice.
    fn note(&self, notice: &Notice, delivered: &Result<(), NoticeError>) {
        let (channel, kind) = (self.channel.name(), notice.kind);
        self.metrics.count_notice(channel, delivered.is_ok());
        match delivered {
            Ok(()) => {
                self.standing.delivered(self.clock.now());
                tracing::info!(channel, kind, items = notice.items.len(), "people were told");
            }
            Err(error) if self.standing.failed(&error.0, self.clock.now()) => {
                tracing::warn!(channel, kind, "a notice could not be delivered and is tried again: {error}");
            }
            Err(error) => tracing::debug!(channel, kind, "a notice could still not be delivered: {error}"),
        }
    }

    async fn load(&self) -> Result<Memory, LedgerError> {
        let place = self.place();
        let note = self.ledger.notes(&place.portal).await?.into_iter().find(|note| note.place == place);
        // A note of another version is as good as none.
        Ok(note.and_then(|note| serde_json::from_str(&note.body).ok()).unwrap_or_default())
    }

    /// What cannot be written down may be told again after a restart: no reason to tell nothing.
    async fn keep(&self, memory: &Memory) {
        let body = serde_json::to_string(memory).unwrap_or_default();
        if let Err(error) = self.ledger.set_note(&Note { place: self.place(), body }).await {
            tracing::warn!(channel = self.channel.name(), "what was told cannot be noted: {error}");
        }
    }

    fn place(&self) -> NotePlace {
        let (portal, feed) = (String::new(), String::new());
        NotePlace { portal, feed, kind: NoteKind::Told, name: self.channel.name().to_owned() }
    }
}
