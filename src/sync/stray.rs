//! Strays: what a portal tells of a record that no row was ever accepted for, such as a module that people entered at the portal by hand.
//! The register keeps the news under a code of its own; the portal is not asked about it, and nothing is sent or written back.

use super::exchange::of_stage;
use super::line::Line;
use crate::ledger::{Exchange, FeedId, Ledger, LedgerError, Settlement};
use crate::portal::Portal;
use crate::record::{Key, Receipt};
use crate::source::Source;

/// Code of a record that the portal speaks of and no feed has sent.
pub(super) const NOT_FED: &str = "NOT_FED";

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// Keeps what the portal tells of a record that this feed, which may be off, has not sent.
    pub(super) async fn keep_stray(&self, feed: &str, key: &Key, receipt: Receipt) -> Result<(), LedgerError> {
        let Some(line) = self.feed(feed) else {
            let id = self.ledger.feed(&self.name, feed).await?;
            return self.write_stray(id, self.stray(key, receipt)).await;
        };
        let _one_at_a_time = line.exchanging.lock().await;
        let row = self.stray(key, receipt);
        if let Some(mut register) = line.register() {
            register.put(row.clone(), row.changed);
        }
        self.write_stray(line.id, row).await?;
        line.count_exchanges(&*self.ledger).await
    }

    fn stray(&self, key: &Key, receipt: Receipt) -> Exchange {
        Exchange {
            key: key.clone(),
            version: None,
            state: of_stage(receipt.stage),
            receipt: Some(receipt),
            sent: None,
            changed: self.clock.now(),
            code: Some(NOT_FED.to_owned()),
            write_back: None,
        }
    }

    async fn write_stray(&self, feed: FeedId, row: Exchange) -> Result<(), LedgerError> {
        self.ledger.settle(feed, Settlement { exchanged: vec![row], ..Settlement::default() }).await
    }
}
