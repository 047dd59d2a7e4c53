//! Delivering: one request's records are marked, sent, and judged, in smaller pieces where the portal wants it so.

use std::collections::BTreeMap;

use super::line::{FeedLine, Line};
use super::outgoing::Outgoing;
use super::pieces::{Next, Pieces};
use super::settle::Settled;
use super::standstill::Trial;
use crate::ledger::{Ledger, LedgerError};
use crate::portal::{Cure, Delivery, Portal};
use crate::record::{Key, Receipt};
use crate::source::Source;
use crate::transport::{Failure, Trouble};

/// Code of a record that is too large even alone.
pub(super) const TOO_LARGE: &str = "TOO_LARGE";
/// Code of a record that the portal refused alone, without naming it.
pub(super) const REFUSED: &str = "REFUSED";

/// What became of one record of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The portal holds it, and gave this back for it.
    Accepted { receipt: Option<Box<Receipt>> },
    /// The portal took a part of it, under an id of its own.
    Begun { remote_id: String },
    /// The portal refused it by name, or refused it when it was sent alone. An earlier piece may have brought it there all the same.
    Rejected { code: String, text: String, holder: Option<Key>, cure: Cure, maybe_applied: bool },
    /// Nobody judged it.
    Open { maybe_applied: bool, waits: Waits },
}

/// What a record that nobody judged waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// The end of the portal's pause: then it goes out at once.
    Portal,
    /// A pause of its own, which grows.
    Itself,
}

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// Sends one planned request and settles every record of it.
    pub(super) async fn deliver(&self, feed: &FeedLine<S>, outgoing: Outgoing) -> Result<Settled, LedgerError> {
        let mut trial = self.trial().await;
        if self.standstill(feed).is_some() {
            outgoing.put_back(&mut feed.index());
            return Ok(Settled { put_back: outgoing.len() as u64, ..Settled::default() });
        }
        let mark = match self.ledger.mark(feed.id, &outgoing.entries).await {
            Ok(mark) => mark,
            Err(error) => {
                outgoing.put_back(&mut feed.index());
                return Err(error);
            }
        };
        let once = outgoing.entries.iter().map(|entry| feed.repeats_harm(entry.remote_id.as_deref()));
        let (suspicions, in_a_row) = {
            let suspects = feed.suspects();
            let known = outgoing.entries.iter().map(|entry| suspects.suspicion(entry.key.id()));
            (known.collect::<Vec<_>>(), suspects.in_a_row(&outgoing.entries))
        };
        let mut pieces = Pieces::of(outgoing.len(), feed.batch_now())
            .only_once(once)
            .suspecting(suspicions)
            .after_refusing(in_a_row)
            .at_random(self.dice());
        if self.breaker().distrusts() {
            pieces = pieces.carefully();
        }
        self.send_pieces(feed, &outgoing, &mut pieces, &mut trial).await?;
        drop(trial);
        feed.suspects().learn(&outgoing.entries, &pieces);
        self.learn_size(feed, &pieces.lesson()).await?;
        let failure = pieces.failure.take();
        let proven = outgoing.stands_for().filter(|_| pieces.proves_a_unit());
        let mut settled = self.settle(feed, mark, outgoing, pieces.outcomes(self.standstill(feed).is_some())).await?;
        settled.failure = failure;
        if let Some(unit) = proven {
            settled.released.extend(self.end_pause(&unit).await?);
        }
        Ok(settled)
    }

    async fn send_pieces(
        &self,
        feed: &FeedLine<S>,
        outgoing: &Outgoing,
        pieces: &mut Pieces,
        trial: &mut Option<Trial<'_>>,
    ) -> Result<(), LedgerError> {
        while let Some(mut positions) = pieces.next() {
            if self.stopping.is_cancelled() || self.standstill(feed).is_some() || feed.has_searched_enough() {
                break;
            }
            // A pause that began meanwhile keeps the rest of its unit back.
            positions.retain(|position| !self.is_held_back(outgoing, *position));
            if positions.is_empty() {
                continue;
            }
            let delivery = if positions.len() == outgoing.batch.len() {
                self.portal.deliver(feed.plan.schema, &outgoing.batch).await
            } else {
                self.portal.deliver(feed.plan.schema, &outgoing.batch.pick(&positions)).await
            };
            match delivery {
                Delivery::Judged(verdicts) => {
                    self.judged(feed);
                    *trial = None;
                    let (alone, accepted) = (positions.len() == 1, pieces.accepted());
                    let refused = pieces.judge(positions, verdicts);
                    if pieces.accepted() > accepted {
                        feed.suspects().accept();
                    }
                    feed.searched(pieces.is_bisected() || (alone && !refused.is_empty()));
                    self.count_refusals(outgoing, &refused).await?;
                }
                Delivery::Blocked { unit, failure } if self.is_own_unit(&unit) => {
                    self.set_apart(pieces, outgoing, positions, &unit, failure).await?;
                }
                Delivery::Failed(failure) | Delivery::Blocked { failure, .. } => {
                    self.take_failure(feed, pieces, outgoing, positions, failure).await?;
                }
            }
        }
        Ok(())
    }

    /// The portal has blocked this unit, and says so: it pauses, and the records of others are sent without it.
    async fn set_apart(
        &self,
        pieces: &mut Pieces,
        outgoing: &Outgoing,
        positions: Vec<usize>,
        unit: &Key,
        failure: Failure,
    ) -> Result<(), LedgerError> {
        self.block_unit(unit, &failure.text).await?;
        let is_of_unit = |at: &usize| outgoing.entries.get(*at).is_some_and(|entry| entry.unit.as_ref() == Some(unit));
        let (blocked, others): (Vec<_>, Vec<_>) = positions.into_iter().partition(is_of_unit);
        if blocked.is_empty() {
            // Without it nothing would be sent that was not refused just now.
            pieces.leave_open(&others, false);
            pieces.failure = Some(failure);
            return Ok(());
        }
        pieces.leave_open(&blocked, false);
        pieces.add([others]);
        Ok(())
    }

    /// True when the record's unit is paused, unless this very record stands for it.
    fn is_held_back(&self, outgoing: &Outgoing, position: usize) -> bool {
        let unit = outgoing.entries.get(position).and_then(|entry| entry.unit.as_ref());
        !outgoing.alone && unit.is_some_and(|unit| self.units.holds_back(unit.id()))
    }

    async fn count_refusals(&self, outgoing: &Outgoing, refused: &[usize]) -> Result<(), LedgerError> {
        for unit in refused.iter().filter_map(|position| outgoing.entries.get(*position)?.unit.as_ref()) {
            self.count_refusal(unit).await?;
        }
        Ok(())
    }

    async fn take_failure(
        &self,
        feed: &FeedLine<S>,
        pieces: &mut Pieces,
        outgoing: &Outgoing,
        positions: Vec<usize>,
        failure: Failure,
    ) -> Result<(), LedgerError> {
        match failure.trouble {
            Trouble::TooLarge | Trouble::Unattributed | Trouble::Foreign { .. } => {
                feed.searched(failure.trouble == Trouble::Unattributed);
                match pieces.refused(positions.clone(), &failure) {
                    Next::GoOn => {}
                    Next::Guilty(position) => self.count_refusals(outgoing, &[position]).await?,
                    Next::GiveUp => {
                        let failure = failure.of_portal();
                        self.heed(feed, &failure);
                        pieces.give_up(positions, failure);
                    }
                }
            }
            Trouble::UnitBlocked => self.split_by_unit(pieces, outgoing, positions, &failure).await?,
            Trouble::Transient { .. }
            | Trouble::TimedOut
            | Trouble::Maintenance { .. }
            | Trouble::FeedParked
            | Trouble::BatchAtFault
            | Trouble::Parked => {
                self.heed(feed, &failure);
                pieces.give_up(positions, failure);
            }
        }
        Ok(())
    }

    /// The portal has blocked a unit and does not say which: each unit is tried alone, and the one that is blocked pauses.
    async fn split_by_unit(
        &self,
        pieces: &mut Pieces,
        outgoing: &Outgoing,
        positions: Vec<usize>,
        failure: &Failure,
    ) -> Result<(), LedgerError> {
        let mut units: BTreeMap<Option<Key>, Vec<usize>> = BTreeMap::new();
        for position in positions {
            let unit = outgoing.entries.get(position).and_then(|entry| entry.unit.clone());
            units.entry(unit).or_default().push(position);
        }
        if units.len() > 1 {
            pieces.add(units.into_values());
            return Ok(());
        }
        for (unit, positions) in units {
            pieces.leave_open(&positions, false);
            match unit {
                Some(unit) => self.block_unit(&unit, &failure.text).await?,
                // No unit of ours: the feed tries again after the pauses of its own.
                None => pieces.failure = Some(failure.clone()),
            }
        }
        Ok(())
    }
}
