//! Audits that the daemon runs: in the background, beside the pool, one at a time a portal. One that a stop interrupts goes on at the
//! next start.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::Utc;
use tokio::task::JoinSet;

use super::AnyLine;
use super::words::{Hearing, unreadable};
use crate::ledger::{AnyLedger, LedgerError, Word, WordId};
use crate::sync::CycleError;
use crate::sync::audit::{AuditError, AuditOrder, AuditProgress};

/// A word that nobody took up for so long, in seconds, is no longer waited for by whoever said it.
const STALE: i64 = 600;

/// How an audit ended.
type Ended = (String, Result<AuditProgress, AuditError>);

/// The audits under way.
pub(super) struct Audits {
    ledger: Arc<AnyLedger>,
    running: JoinSet<Ended>,
    portals: BTreeSet<String>,
    /// Words that wait for another audit to end.
    waiting: BTreeSet<WordId>,
}

impl Audits {
    pub(super) fn new(ledger: Arc<AnyLedger>) -> Self {
        Audits { ledger, running: JoinSet::new(), portals: BTreeSet::new(), waiting: BTreeSet::new() }
    }

    /// Goes on with the audit that the last stop interrupted, if one was under way.
    pub(super) async fn go_on(&mut self, line: &Arc<AnyLine>) -> Result<(), LedgerError> {
        let left = AuditProgress::load(&*self.ledger, &line.name).await?;
        match left.filter(|left| left.is_left_by_daemon(Utc::now().timestamp())) {
            Some(left) => self.begin(line, AuditOrder { restart: false, ..left.order }).await,
            None => Ok(()),
        }
    }

    /// Takes up an operator's word. While another audit of the portal runs, it waits.
    pub(super) async fn take_up(
        &mut self,
        line: &Arc<AnyLine>,
        id: WordId,
        word: &Word,
    ) -> Result<Hearing, LedgerError> {
        let fresh = self.waiting.contains(&id) || Utc::now().timestamp().saturating_sub(word.said) < STALE;
        if fresh && self.portals.contains(&line.name) {
            self.waiting.insert(id);
            return Ok(Hearing::Later);
        }
        self.waiting.remove(&id);
        match serde_json::from_str::<AuditOrder>(&word.argument) {
            Ok(order) if fresh => self.begin(line, AuditOrder { by_daemon: true, ..order }).await?,
            Ok(_) => tracing::warn!(portal = %line.name, "an audit that was asked for long ago is not begun"),
            Err(_) => unreadable(word),
        }
        Ok(Hearing::Done)
    }

    async fn begin(&mut self, line: &Arc<AnyLine>, order: AuditOrder) -> Result<(), LedgerError> {
        match line.begin_audit(order).await {
            Ok(progress) => {
                let portal = line.name.clone();
                tracing::info!(%portal, resumed = progress.resumed, repair = progress.order.repair, "audit begun");
                self.portals.insert(portal.clone());
                let line = Arc::clone(line);
                self.running.spawn(async move { (portal, line.audit(progress).await) });
                Ok(())
            }
            Err(AuditError::Ledger(error)) => Err(error),
            Err(error) => {
                tracing::warn!(portal = %line.name, "audit refused: {error}");
                Ok(())
            }
        }
    }

    /// Waits until an audit ends. False when the process cannot go on either.
    pub(super) async fn one_ends(&mut self) -> bool {
        match self.running.join_next().await {
            Some(Ok((portal, result))) => {
                self.portals.remove(&portal);
                told(&portal, result)
            }
            Some(Err(error)) => {
                tracing::error!("an audit ended unexpectedly ({error}); the process ends and starts afresh");
                false
            }
            None => std::future::pending().await,
        }
    }

    /// Waits for the audits to leave off. Their lines have been told to stop, or will be.
    pub(super) async fn finish(mut self) {
        while let Some(ended) = self.running.join_next().await {
            if let Ok((portal, result)) = ended {
                told(&portal, result);
            }
        }
    }
}

/// Logs how an audit ended. False when the process cannot go on.
fn told(portal: &str, result: Result<AuditProgress, AuditError>) -> bool {
    match result {
        Ok(progress) => {
            let left: u64 = progress.feeds.iter().map(|feed| feed.left()).sum();
            let denied = progress.denied();
            if denied.is_empty() {
                tracing::info!(portal, left, "audit finished");
            } else {
                tracing::warn!(
                    portal,
                    left,
                    ?denied,
                    "audit finished, but the portal does not let these feeds be read"
                );
            }
            true
        }
        Err(AuditError::Stopped) => {
            tracing::info!(portal, "audit interrupted; it goes on at the next start");
            true
        }
        Err(error @ (AuditError::Ledger(_) | AuditError::Cycle(CycleError::Ledger(_) | CycleError::Delivery(_)))) => {
            tracing::error!(portal, "audit: {error}; the process ends");
            false
        }
        Err(error) => {
            tracing::warn!(portal, "audit not finished: {error}");
            true
        }
    }
}
