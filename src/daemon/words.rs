//! Words: what operators ask of the process that holds the ledger. A verb leaves its word there; a running daemon hears it within a
//! second, `sync` at its start. It is forgotten once what follows from it is durable.

use std::sync::Arc;
use std::time::Duration;

use super::audits::Audits;
use super::{AnyLine, Shared};
use crate::ledger::{AnyLedger, Ledger, LedgerError, Word, WordId, WordKind};
use crate::record::Key;
use crate::sync::{AcceptFuse, ResolveWord, Resolved, ResumeWord, RetryWord};

/// How often the daemon asks the ledger for words.
const PAUSE: Duration = Duration::from_secs(1);

/// What comes of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hearing {
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
    hear_all(lines, ledger, None).await
}

/// As [`hear_words`]. Without `audits` this process runs none: they are left to one that does.
async fn hear_all(
    lines: &[Arc<AnyLine>],
    ledger: &AnyLedger,
    mut audits: Option<&mut Audits>,
) -> Result<Vec<(Arc<AnyLine>, String)>, LedgerError> {
    let mut heard: Vec<WordId> = Vec::new();
    let mut pokes = Vec::new();
    for (id, word) in ledger.words().await? {
        let Some(line) = lines.iter().find(|line| line.name == word.portal) else {
            tracing::warn!(portal = %word.portal, "a word about a portal that is not configured is dropped");
            heard.push(id);
            continue;
        };
        let hearing = match (word.kind, &mut audits) {
            (WordKind::Audit, Some(audits)) => audits.take_up(line, id, &word).await?,
            _ => take_up(line, &word).await?,
        };
        if hearing == Hearing::Done {
            heard.push(id);
            // What concerns the whole portal gives every feed work.
            let feeds = line.feeds();
            let named = feeds
                .iter()
                .map(|feed| feed.plan.schema.feed)
                .filter(|feed| word.feed.is_empty() || word.feed == *feed);
            pokes.extend(named.map(|feed| (Arc::clone(line), feed.to_owned())));
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
        WordKind::ResumeUnit => match ResumeWord::of_json(&word.argument) {
            Some(order) => {
                line.resume_unit(&Key::parse(&order.unit)).await?;
                tracing::info!(portal, unit = %order.unit, "an operator has ended a unit's pause");
            }
            None => unreadable(word),
        },
        WordKind::Resolve => match ResolveWord::of_json(&word.argument) {
            Some(order) => match line.resolve(feed, &order).await? {
                Resolved::Done => {
                    tracing::info!(portal, feed, key = %order.key, "an operator has said what became of a record");
                }
                Resolved::NotUnknown => tracing::warn!(
                    portal,
                    feed,
                    key = %order.key,
                    "an operator has said what became of a record, but that is known by now"
                ),
                Resolved::Busy => return Ok(Hearing::Later),
            },
            None => unreadable(word),
        },
        WordKind::Audit => return Ok(Hearing::Later),
    }
    Ok(Hearing::Done)
}

pub(super) fn unreadable(word: &Word) {
    tracing::warn!(portal = %word.portal, feed = %word.feed, "a word that this version does not understand is dropped");
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
                () = tokio::time::sleep(PAUSE) => {
                    let pokes = hear_all(&self.lines, ledger, Some(&mut *audits)).await?;
                    pokes.iter().for_each(|(line, feed)| self.poke(line, feed));
                }
            }
        }
    }
}
