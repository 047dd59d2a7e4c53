//! Words: what operators ask of the running daemon, heard within a second. A verb leaves its word in the ledger; it is forgotten once
//! what follows from it is durable.

use std::sync::Arc;
use std::time::Duration;

use super::{AnyLine, Shared};
use crate::ledger::{AnyLedger, Ledger, LedgerError, Word, WordId, WordKind};

/// How often the ledger is asked for words.
const PAUSE: Duration = Duration::from_secs(1);

/// What comes of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hearing {
    /// What follows from it is durable.
    Done,
    /// It stays where it is and is looked at again.
    Later,
}

impl Shared {
    /// Hears words until the daemon stops.
    pub(super) async fn hear(self: Arc<Self>, ledger: Arc<AnyLedger>) {
        while tokio::time::timeout(PAUSE, self.stopping.cancelled()).await.is_err() {
            if let Err(error) = self.hear_all(&ledger).await {
                tracing::error!("operators' words cannot be heard: {error}; the process ends");
                return self.fatal.cancel();
            }
        }
    }

    async fn hear_all(self: &Arc<Self>, ledger: &AnyLedger) -> Result<(), LedgerError> {
        let mut heard: Vec<WordId> = Vec::new();
        for (id, word) in ledger.words().await? {
            let hearing = match self.lines.iter().find(|line| line.name == word.portal) {
                Some(line) => self.take_up(line, &word).await?,
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

    #[expect(clippy::unused_async, reason = "what follows from a word is written to the ledger")]
    async fn take_up(self: &Arc<Self>, line: &Arc<AnyLine>, word: &Word) -> Result<Hearing, LedgerError> {
        let _ = line;
        match word.kind {
            WordKind::Audit | WordKind::Retry | WordKind::AcceptFuse | WordKind::ResumeUnit => Ok(Hearing::Later),
        }
    }
}
