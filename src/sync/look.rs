//! A look at named records: somebody knows that their rows have just changed, and the portal is to hear of it before the feed's turn comes.
//! They are read by key and sent; everything that follows from a whole read, what is gone above all, is left to ordinary cycles.
//!
//! Where somebody else writes the same records at the portal, a row that says what the ledger says is no reason to send nothing: the portal may
//! hold something else. Such records are *doubted*: durably, before they are looked at, and until the portal has accepted them anew.

use std::sync::Arc;

use chrono_tz::Tz;

use super::cycle::{CycleError, Order, Run, Wanted};
use super::index::Index;
use super::line::{FeedLine, Line};
use super::report::{CycleReport, Stop};
use super::units::Claims;
use super::watermark::Watermark;
use crate::ledger::{Entry, Ledger, LedgerError, Settlement};
use crate::portal::Portal;
use crate::record::{Key, Row, RowChunk};
use crate::source::{Column, Query, Read, RowStream, Source};

/// Some cells of a row as texts.
#[derive(Clone, PartialEq, Eq)]
pub struct TextRow {
    /// The texts, in the order in which they were asked for.
    pub texts: Vec<Option<String>>,
    /// The clock of times without a zone.
    pub zone: Tz,
}

impl std::fmt::Debug for TextRow {
    /// How many; what stands in them may be a person's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextRow").field("texts", &self.texts.len()).finish_non_exhaustive()
    }
}

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// Reads these records of a feed by key and sends what is new of them, ahead of what else waits for a place in flight. One that the source
    /// does not give back is left as it is, and named in the report.
    pub async fn look(self: &Arc<Self>, feed: &str, keys: Vec<Key>) -> Result<CycleReport, CycleError> {
        self.look_doubting(feed, keys, &[]).await
    }

    /// As [`Self::look`]; those of them that are `doubted` are sent even if nothing is new of them. What an ordinary cycle sent of them since they
    /// were doubted first does not count: it may have come before the other one's.
    pub async fn look_doubting(
        self: &Arc<Self>,
        feed: &str,
        keys: Vec<Key>,
        doubted: &[Key],
    ) -> Result<CycleReport, CycleError> {
        let feed = self.feeds.get(feed).ok_or_else(|| CycleError::NoSuchFeed(feed.to_owned()))?;
        // No query can name keys that its rows may not bring.
        if keys.is_empty() || !feed.plan.schema.derived_key.is_empty() {
            return Ok(CycleReport::default());
        }
        let _one_at_a_time = feed.cycle.lock().await;
        self.doubt_all(feed, doubted).await?;
        if let Some(stop) = self.standstill(feed) {
            let stop = if stop == Stop::PortalFailed { Stop::PortalPaused } else { stop };
            return Ok(CycleReport { stop: Some(stop), ..CycleReport::default() });
        }
        let _claims = Claims::of(&self.units, feed.plan.schema.feed);
        let mut run = Run::begin(self, feed, Order::default());
        run.urgent = true;
        run.look(keys).await
    }

    /// Somebody else may have written these records at the portal: each is sent once more, whatever its row says. Durable when this returns.
    pub async fn doubt(&self, feed: &str, keys: &[Key]) -> Result<(), LedgerError> {
        match self.feeds.get(feed) {
            Some(feed) => self.doubt_all(feed, keys).await,
            None => Ok(()),
        }
    }

    pub(super) async fn doubt_all(&self, feed: &FeedLine<S>, keys: &[Key]) -> Result<(), LedgerError> {
        self.restate(feed, |index, now| {
            let known = keys.iter().filter_map(|key| index.find(key.id())).collect::<Vec<_>>();
            known.into_iter().filter_map(|at| index.doubt(at, now)).collect()
        })
        .await
    }

    /// Somebody else has brought these records to the portal, each with the parents it hangs on, and no row has them. Those that are not known
    /// are ours from here on: unless a row comes after all, a complete read takes them away again, under the fuse.
    pub async fn take_over(
        &self,
        feed: &str,
        records: Vec<(Key, Vec<(&'static str, Key)>)>,
    ) -> Result<(), LedgerError> {
        let Some(feed) = self.feeds.get(feed) else { return Ok(()) };
        self.restate(feed, |index, now| {
            let unknown: Vec<_> = records.into_iter().filter(|(key, _)| index.find(key.id()).is_none()).collect();
            let own = |(key, hangs): (Key, Vec<(&str, Key)>)| {
                let mut parents = [None, None];
                for (parent, edge) in parents.iter_mut().zip(feed.plan.schema.holding_edges()) {
                    *parent = hangs.iter().find(|(feed, _)| *feed == edge.feed).map(|(_, key)| key.clone());
                }
                index.take_over(key, parents, now)
            };
            unknown.into_iter().map(own).collect()
        })
        .await
    }

    /// States records anew beside whatever cycle runs, in the index and in the ledger.
    async fn restate(
        &self,
        feed: &FeedLine<S>,
        state: impl FnOnce(&mut Index, i64) -> Vec<Entry>,
    ) -> Result<(), LedgerError> {
        // A journal that is shortened meanwhile would lose what is not in it yet.
        let _not_shortened = feed.journal.read().await;
        let settlement = {
            let mut index = feed.index();
            let entries = state(&mut index, self.clock.now());
            let mut steps = Vec::with_capacity(entries.len());
            for entry in entries {
                steps.extend(index.find(entry.key.id()).into_iter().flat_map(|at| index.steps_before(at)));
                steps.push(entry);
            }
            Settlement { entries: steps, counts: Some(index.counts()), ..Settlement::default() }
        };
        if settlement.entries.is_empty() { Ok(()) } else { self.ledger.settle(feed.id, settlement).await }
    }

    /// Texts of these columns in the row of one record, as its source has it now. Nothing follows from it. None where no row has the key.
    pub async fn row(&self, feed: &str, key: &Key, columns: &[&str]) -> Result<Option<TextRow>, CycleError> {
        let Some(feed) = self.feeds.get(feed) else { return Ok(None) };
        let plan = &feed.plan;
        let keys = std::slice::from_ref(key);
        let query = Query { label: plan.schema.feed, sql: &plan.query };
        let mut rows = plan.source.read(query, Read::Keys { column: plan.schema.key, keys }).await?;
        let places: Vec<Option<usize>> = columns.iter().map(|name| Column::position(rows.columns(), name)).collect();
        let mut chunk = RowChunk::default();
        if !rows.next(&mut chunk).await? {
            return Ok(None);
        }
        let texts = |row: Row<'_>| places.iter().map(|place| row.cell((*place)?).to_text()).collect();
        Ok(chunk.rows().next().map(|row| TextRow { texts: texts(row), zone: plan.encode.zone }))
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
        let read = self.read_and_settle(Wanted::Named(keys.clone()), &mut watermark, &mut findings).await;
        self.leave_undecided();
        self.feed.index().forget_strangers();
        read?;
        self.forget_put_back();
        let counts = {
            let mut index = self.feed.index();
            if self.report.complete() {
                let came = |key: &Key| index.find(key.id()).is_some_and(|at| !index.is_unseen(at));
                self.report.unfound = keys.into_iter().filter(|key| !came(key)).collect();
            }
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
