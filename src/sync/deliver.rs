//! Delivering: one request's records are marked, sent, and judged, in smaller pieces where the portal wants it so.

use std::collections::{BTreeMap, VecDeque};

use super::line::{FeedLine, Line};
use super::outgoing::Outgoing;
use super::settle::Settled;
use crate::ledger::{Ledger, LedgerError};
use crate::portal::{Delivery, Portal, Verdict};
use crate::record::Key;
use crate::source::Source;
use crate::transport::{Failure, Trouble};

/// Most requests that one planned request may be cut into before the rest waits for a later cycle.
const MOST_PIECES: usize = 200;
/// Most records of one planned request that are found guilty one by one; with more, something else is wrong, and a portal blocks who goes on.
const MOST_REFUSED_ALONE: usize = 20;

/// What became of one record of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The portal holds it.
    Accepted { remote_id: Option<String> },
    /// The portal refused it by name, or refused it when it was sent alone.
    Rejected { code: String, text: String, holder: Option<Key>, maybe_applied: bool },
    /// Nobody judged it.
    Open { maybe_applied: bool },
}

/// The pieces of one planned request and what became of its records.
struct Pieces {
    outcomes: Vec<Option<Outcome>>,
    /// Records that an earlier piece may have brought to the portal: what is heard of a later one does not take that back.
    maybe_applied: Vec<bool>,
    queue: VecDeque<Vec<usize>>,
    failure: Option<Failure>,
    refused_alone: usize,
}

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// Sends one planned request and settles every record of it.
    pub(super) async fn deliver(&self, feed: &FeedLine<S>, outgoing: Outgoing) -> Result<Settled, LedgerError> {
        if !self.breaker().lets_pass(self.clock.now()) {
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
        let mut pieces = Pieces::of(outgoing.len());
        let mut sent = 0;
        while let Some(mut positions) = pieces.queue.pop_front() {
            self.leave_out_paused_units(&mut positions, &outgoing);
            if positions.is_empty() {
                continue;
            }
            let stop = sent == MOST_PIECES || pieces.refused_alone >= MOST_REFUSED_ALONE;
            if stop || self.stopping.is_cancelled() || !self.breaker().lets_pass(self.clock.now()) {
                break;
            }
            sent += 1;
            let delivery = if positions.len() == outgoing.batch.len() {
                self.portal.deliver(feed.plan.schema, &outgoing.batch).await
            } else {
                self.portal.deliver(feed.plan.schema, &outgoing.batch.pick(&positions)).await
            };
            match delivery {
                Delivery::Judged(verdicts) => {
                    self.breaker().succeed(self.clock.now());
                    pieces.judge(positions, verdicts);
                }
                Delivery::Failed(failure) => self.take_failure(&mut pieces, &outgoing, positions, failure),
            }
        }
        let failure = pieces.failure.take();
        let outcomes = pieces.outcomes();
        let mut settled = self.settle(feed, mark, outgoing, outcomes).await?;
        settled.failure = failure;
        Ok(settled)
    }

    /// A unit may have been blocked since the request was planned, or by another request since its last piece went out.
    fn leave_out_paused_units(&self, positions: &mut Vec<usize>, outgoing: &Outgoing) {
        let paused: Vec<_> = self.paused_units().into_iter().map(|(unit, _)| unit).collect();
        positions.retain(|position| {
            let unit = outgoing.entries.get(*position).and_then(|entry| entry.unit.as_ref());
            unit.is_none_or(|unit| !paused.contains(&unit.id()))
        });
    }

    fn take_failure(&self, pieces: &mut Pieces, outgoing: &Outgoing, positions: Vec<usize>, failure: Failure) {
        match failure.trouble {
            Trouble::TooLarge | Trouble::Unattributed => {
                self.breaker().succeed(self.clock.now());
                pieces.halve_or_refuse(positions, &failure);
            }
            Trouble::UnitBlocked => self.split_by_unit(pieces, outgoing, positions, &failure),
            Trouble::Transient { .. }
            | Trouble::TimedOut
            | Trouble::Maintenance { .. }
            | Trouble::FeedParked
            | Trouble::Parked => {
                {
                    let mut rng = self.rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    self.breaker().fail(&failure, self.clock.now(), &mut *rng);
                }
                pieces.leave_open(&positions, failure.maybe_applied);
                pieces.queue.clear();
                pieces.failure = Some(failure);
            }
        }
    }

    /// The portal has blocked a unit and does not say which: each unit is tried alone, and the one that is blocked pauses.
    fn split_by_unit(&self, pieces: &mut Pieces, outgoing: &Outgoing, positions: Vec<usize>, failure: &Failure) {
        let mut units: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for position in positions {
            let unit = outgoing.entries.get(position).and_then(|entry| entry.unit.clone());
            units.entry(unit).or_default().push(position);
        }
        if units.len() > 1 {
            pieces.queue.extend(units.into_values());
            return;
        }
        for (unit, positions) in units {
            if let Some(unit) = unit {
                self.pause_unit(&unit, failure);
            }
            pieces.leave_open(&positions, false);
        }
    }

    /// The portal has blocked a unit.
    pub(super) fn pause_unit(&self, unit: &Key, failure: &Failure) {
        let until = self.clock.now().saturating_add(self.settings.unit_pause.as_secs().cast_signed());
        tracing::error!(portal = %self.name, %unit, "a unit is blocked and pauses; ask the portal's support to lift it: {}", failure.text);
        self.units.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(unit.id(), until);
    }
}

impl Pieces {
    /// One piece of all records.
    fn of(records: usize) -> Self {
        let all = VecDeque::from([(0..records).collect()]);
        Pieces {
            outcomes: vec![None; records],
            maybe_applied: vec![false; records],
            queue: all,
            failure: None,
            refused_alone: 0,
        }
    }

    /// What became of each record, all pieces together.
    fn outcomes(self) -> Vec<Outcome> {
        let records = self.outcomes.into_iter().zip(self.maybe_applied);
        let outcome = |(outcome, doubt): (Option<Outcome>, bool)| match outcome {
            Some(Outcome::Accepted { remote_id }) => Outcome::Accepted { remote_id },
            Some(Outcome::Rejected { code, text, holder, .. }) => {
                Outcome::Rejected { code, text, holder, maybe_applied: doubt }
            }
            Some(Outcome::Open { .. }) | None => Outcome::Open { maybe_applied: doubt },
        };
        records.map(outcome).collect()
    }

    /// Takes the verdicts on a piece. Records that the answer does not mention are asked about once more, together, then in ever
    /// smaller pieces; one that is not even mentioned alone stays open.
    fn judge(&mut self, positions: Vec<usize>, verdicts: Vec<Verdict>) {
        let asked = positions.len();
        let mut unknown = Vec::new();
        let mut verdicts = verdicts.into_iter();
        for position in positions {
            match verdicts.next().unwrap_or(Verdict::Unknown) {
                Verdict::Accepted { remote_id } => self.outcomes[position] = Some(Outcome::Accepted { remote_id }),
                Verdict::Rejected { code, text, holder } => {
                    self.outcomes[position] = Some(Outcome::Rejected { code, text, holder, maybe_applied: false })
                }
                Verdict::Unknown => {
                    self.leave_open(&[position], true);
                    unknown.push(position);
                }
            }
        }
        if unknown.len() == asked {
            self.halve(unknown);
        } else if !unknown.is_empty() {
            self.queue.push_back(unknown);
        }
    }

    fn halve(&mut self, mut positions: Vec<usize>) {
        if positions.len() > 1 {
            let right = positions.split_off(positions.len() / 2);
            // Depth first: each culprit is found before the next is looked for.
            self.queue.push_front(right);
            self.queue.push_front(positions);
        }
    }

    fn halve_or_refuse(&mut self, positions: Vec<usize>, failure: &Failure) {
        if let [position] = positions[..] {
            let code = if failure.trouble == Trouble::TooLarge { "TOO_LARGE" } else { "REFUSED" };
            let (code, text) = (code.into(), failure.text.clone());
            self.outcomes[position] = Some(Outcome::Rejected { code, text, holder: None, maybe_applied: false });
            self.refused_alone += 1;
        } else {
            self.leave_open(&positions, failure.maybe_applied);
            self.halve(positions);
        }
    }

    fn leave_open(&mut self, positions: &[usize], maybe_applied: bool) {
        for &position in positions {
            self.maybe_applied[position] |= maybe_applied;
            self.outcomes[position] = None;
        }
    }
}
