//! What operators ask of a line: to let a tripped fuse go, and to send refused records again.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::accept::AcceptFuse;
use super::gone::fuse_place;
use super::line::Line;
use super::retry::RetryWord;
use crate::ledger::{Ledger, LedgerError, Note, Settlement, State};
use crate::portal::Portal;
use crate::record::Key;
use crate::source::Source;

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// Lets the removals go that a feed's fuse holds back: those that were shown, and no others. False when
    /// it holds none back, or others by now.
    pub async fn accept_fuse(&self, feed: &str, word: &AcceptFuse) -> Result<bool, LedgerError> {
        let Some(feed) = self.feed(feed) else { return Ok(false) };
        let Some(mut fuse) = feed.fuse().filter(|fuse| word.is_about(fuse)) else { return Ok(false) };
        fuse.accepted = true;
        let place = fuse_place(&self.name, feed.plan.schema.feed);
        let Ok(body) = serde_json::to_string(&fuse) else { return Ok(false) };
        self.ledger.set_note(&Note { place, body }).await?;
        *feed.fuse.lock().unwrap_or_else(PoisonError::into_inner) = Some(fuse);
        // Only a full scan can tell what is still gone.
        let progress = feed.ask_for_full_scan();
        self.ledger.set_progress(feed.id, progress).await?;
        Ok(true)
    }

    /// Makes refused records of a feed due: they are read again and sent in its next cycle. Gives their number.
    pub async fn retry(&self, feed: &str, word: &RetryWord) -> Result<usize, LedgerError> {
        let Some(feed) = self.feed(feed) else { return Ok(0) };
        let named: Option<BTreeSet<Key>> = word.named().map(|keys| keys.into_iter().collect());
        let refusals = self.ledger.refusals(feed.id).await?;
        let is_meant =
            |code: &str, key: &Key| word.fits(code) && named.as_ref().is_none_or(|named| named.contains(key));
        let meant = refusals.iter().filter_map(|refusal| Some((&refusal.code, refusal.key.as_ref()?)));
        let now = self.clock.now();
        if let Some(mut register) = feed.register().filter(|_| named.is_none()) {
            register.ask_now(now);
        }
        let mut settlement = Settlement::default();
        let mut due = 0;
        {
            let mut index = feed.index();
            for (_, key) in meant.filter(|(code, key)| is_meant(code, key)) {
                let Some(at) = index.find(key.id()).filter(|at| !index.in_flight(*at)) else { continue };
                if !matches!(index.state(at), State::Rejected | State::Held) {
                    continue;
                }
                let mut entry = index.entry(at);
                // Durable: should the process end before its next cycle, the next one sends it.
                entry.next_attempt = Some(now);
                index.put_at(at, &entry, now);
                index.make_due(at);
                settlement.entries.push(entry);
                due += 1;
            }
        }
        self.ledger.settle(feed.id, settlement).await?;
        Ok(due)
    }
}
