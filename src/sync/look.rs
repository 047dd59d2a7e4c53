//! A look at named records: somebody knows that their rows have just changed, and the portal is to hear of it before the feed's turn comes.
//! They are read by key and sent; everything that follows from a whole read, what is gone above all, is left to ordinary cycles.

use std::sync::Arc;

use super::cycle::{CycleError, Order, Run, Wanted};
use super::line::Line;
use super::report::{CycleReport, Stop};
use super::units::Claims;
use super::watermark::Watermark;
use crate::ledger::{Ledger, Settlement};
use crate::portal::Portal;
use crate::record::Key;
use crate::source::Source;

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// Reads these records of a feed by key and sends what is new of them, ahead of what else waits for a place in flight. One that the source
    /// does not give back is left as it is: `rows` of the report tells how many came.
    pub async fn look(self: &Arc<Self>, feed: &str, keys: Vec<Key>) -> Result<CycleReport, CycleError> {
        let feed = self.feeds.get(feed).ok_or_else(|| CycleError::NoSuchFeed(feed.to_owned()))?;
        // No query can name keys that its rows may not bring.
        if keys.is_empty() || !feed.plan.schema.derived_key.is_empty() {
            return Ok(CycleReport::default());
        }
        let _one_at_a_time = feed.cycle.lock().await;
        if let Some(stop) = self.standstill(feed) {
            let stop = if stop == Stop::PortalFailed { Stop::PortalPaused } else { stop };
            return Ok(CycleReport { stop: Some(stop), ..CycleReport::default() });
        }
        let _claims = Claims::of(&self.units, feed.plan.schema.feed);
        let mut run = Run::begin(self, feed, Order::default());
        run.urgent = true;
        run.look(keys).await
    }

    /// The records that one hangs on, as far as its feed remembers it: their feeds and keys.
    pub fn parents_of_record(&self, feed: &str, key: &Key) -> Vec<(&'static str, Key)> {
        let Some(feed) = self.feeds.get(feed) else { return Vec::new() };
        let index = feed.index();
        let Some(at) = index.find(key.id()) else { return Vec::new() };
        let edges = feed.plan.schema.holding_edges().map(|edge| edge.feed);
        edges.zip(index.parents(at)).filter_map(|(feed, parent)| Some((feed, parent?))).collect()
    }
}

impl<S: Source, P: Portal, L: Ledger> Run<'_, S, P, L> {
    async fn look(mut self, keys: Vec<Key>) -> Result<CycleReport, CycleError> {
        // Only whole reads make findings that are kept.
        let (mut watermark, mut findings) = (Watermark::none(), Vec::new());
        let read = self.read_and_settle(Wanted::Named(keys), &mut watermark, &mut findings).await;
        self.leave_undecided();
        self.feed.index().forget_strangers();
        read?;
        self.forget_put_back();
        let counts = {
            let mut index = self.feed.index();
            index.find_oldest_pending();
            index.counts()
        };
        self.write_if_new(Settlement { counts: Some(counts), ..Settlement::default() }, counts).await?;
        if self.feed.index().release_places() > 0 {
            self.report.released.insert(self.feed.plan.schema.feed);
        }
        Ok(self.report)
    }
}
