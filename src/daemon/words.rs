//! Words: what operators ask of the running daemon, heard within a second. A verb leaves its word in the ledger; it is forgotten once
//! what follows from it is durable.

use std::sync::Arc;
use std::time::Duration;

use super::audits::Audits;
use super::{AnyLine, Shared};
use crate::ledger::{AnyLedger, Ledger, LedgerError, Word, WordId, WordKind};

/// How often the ledger is asked for words.
const PAUSE: Duration = Duration::from_secs(1);

/// What comes of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hearing {
    /// What follows from it is durable.
    Done,
    /// It stays where it is and is looked at again.
    Later,
}

impl Shared {
    /// Hears words until the daemon stops, and runs what takes long of what they ask for.
    pub(super) async fn hear(self: Arc<Self>, ledger: Arc<AnyLedger>) {
        let mut audits = Audits::new(Arc::clone(&ledger));
        if let Err(error) = self.listen(&ledger, &mut audits).await {
            tracing::error!("operators' words cannot be heard: {error}; the process ends");
            self.fatal.cancel();
        }
        audits.finish().await;
    }

    async fn listen(&self, ledger: &AnyLedger, audits: &mut Audits) -> Result<(), LedgerError> {
        for line in &self.lines {
            audits.go_on(line).await?;
        }
        loop {
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return Ok(()),
                well = audits.one_ends() => if !well {
                    self.fatal.cancel();
                },
                () = tokio::time::sleep(PAUSE) => self.hear_all(ledger, audits).await?,
            }
        }
    }

    async fn hear_all(&self, ledger: &AnyLedger, audits: &mut Audits) -> Result<(), LedgerError> {
        let mut heard: Vec<WordId> = Vec::new();
        for (id, word) in ledger.words().await? {
            let hearing = match self.lines.iter().find(|line| line.name == word.portal) {
                Some(line) => take_up(line, &word, audits).await?,
                None => {
                    tracing::warn!(portal = %word.portal, "a word about a portal that is not configured is dropped");
                    Hearing::Done
                }
            };
            if hearing == Hearing::Done {
                heard.push(id);
            }
        }
        if heard.is_empty() { Ok(()) } else { ledger.heard(&heard).await }
    }
}

async fn take_up(line: &Arc<AnyLine>, word: &Word, audits: &mut Audits) -> Result<Hearing, LedgerError> {
    match word.kind {
        WordKind::Audit => audits.take_up(line, &word.argument).await,
        WordKind::Retry | WordKind::AcceptFuse | WordKind::ResumeUnit => Ok(Hearing::Later),
    }
}
