//! Words: what operators ask of the process that holds the ledger. A verb leaves its word there; a running daemon hears it within a
//! second, `sync` at its start. It is forgotten once what follows from it is durable.

use std::sync::Arc;
use std::time::Duration;

use super::{AnyLine, Shared};
use crate::ledger::{AnyLedger, Ledger, LedgerError, Word, WordId, WordKind};
use crate::sync::{AcceptFuse, RetryWord};

/// How often the daemon asks the ledger for words.
const PAUSE: Duration = Duration::from_secs(1);

/// What comes of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hearing {
    /// What follows from it is durable.
    Done,
    /// It is not for this process to hear.
    Later,
}

/// Hears the words that have been left. Gives the feeds that have work now.
pub async fn hear_words(
    lines: &[Arc<AnyLine>],
    ledger: &AnyLedger,
) -> Result<Vec<(Arc<AnyLine>, String)>, LedgerError> {
    let mut heard: Vec<WordId> = Vec::new();
    let mut pokes = Vec::new();
    for (id, word) in ledger.words().await? {
        let Some(line) = lines.iter().find(|line| line.name == word.portal) else {
            tracing::warn!(portal = %word.portal, "a word about a portal that is not configured is dropped");
            heard.push(id);
            continue;
        };
        if take_up(line, &word).await? == Hearing::Done {
            heard.push(id);
            pokes.push((Arc::clone(line), word.feed));
        }
    }
    if !heard.is_empty() {
        ledger.heard(&heard).await?;
    }
    Ok(pokes)
}

async fn take_up(line: &AnyLine, word: &Word) -> Result<Hearing, LedgerError> {
    let (portal, feed) = (word.portal.as_str(), word.feed.as_str());
    match word.kind {
        WordKind::Retry => match RetryWord::of_json(&word.argument) {
            Some(order) => {
                let records = line.retry(feed, &order).await?;
                tracing::info!(portal, feed, records, "an operator has asked for refused records to be tried again");
            }
            None => unreadable(word),
        },
        WordKind::AcceptFuse => match AcceptFuse::of_json(&word.argument) {
            Some(set) if line.accept_fuse(feed, &set).await? => {
                tracing::warn!(portal, feed, "an operator has let the removals go that the fuse held back");
            }
            Some(_) => tracing::warn!(
                portal,
                feed,
                "an operator has let removals go, but the fuse holds back others by now: see `vitrina fuse list`"
            ),
            None => unreadable(word),
        },
        WordKind::Audit | WordKind::ResumeUnit => return Ok(Hearing::Later),
    }
    Ok(Hearing::Done)
}

fn unreadable(word: &Word) {
    tracing::warn!(portal = %word.portal, feed = %word.feed, "a word that this version does not understand is dropped");
}

impl Shared {
    /// Hears words until the daemon stops.
    pub(super) async fn hear(self: Arc<Self>, ledger: Arc<AnyLedger>) {
        while tokio::time::timeout(PAUSE, self.stopping.cancelled()).await.is_err() {
            match hear_words(&self.lines, &ledger).await {
                Ok(pokes) => pokes.iter().for_each(|(line, feed)| self.poke(line, feed)),
                Err(error) => {
                    tracing::error!("operators' words cannot be heard: {error}; the process ends");
                    return self.fatal.cancel();
                }
            }
        }
    }
}
