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
    Rejected { code: String, text: String, holder: Option<Key> },
    /// Nobody judged it.
    Open { maybe_applied: bool },
}

/// The pieces of one planned request and what became of its records.
struct Pieces {
    outcomes: Vec<Option<Outcome>>,
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
        let paused: Vec<_> = self.paused_units().into_iter().map(|(unit, _)| unit).collect();
        let waits = |unit: &Option<Key>| unit.as_ref().is_some_and(|unit| paused.contains(&unit.id()));
        let mut pieces = Pieces::of(outgoing.entries.iter().map(|entry| !waits(&entry.unit)));
        let mut sent = 0;
        while let Some(positions) = pieces.queue.pop_front() {
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
        let unsent = Outcome::Open { maybe_applied: false };
        let outcomes = pieces.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| unsent.clone())).collect();
        let mut settled = self.settle(feed, mark, outgoing, outcomes).await?;
        settled.failure = failure;
        Ok(settled)
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
                pieces.leave_open(positions, failure.maybe_applied);
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
            pieces.leave_open(positions, false);
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
    /// One piece of all records that may be sent.
    fn of(may_be_sent: impl Iterator<Item = bool>) -> Self {
        let may_be_sent: Vec<bool> = may_be_sent.collect();
        let all: Vec<usize> = (0..may_be_sent.len()).filter(|position| may_be_sent[*position]).collect();
        let queue = if all.is_empty() { VecDeque::new() } else { VecDeque::from([all]) };
        Pieces { outcomes: vec![None; may_be_sent.len()], queue, failure: None, refused_alone: 0 }
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
                    self.outcomes[position] = Some(Outcome::Rejected { code, text, holder })
                }
                Verdict::Unknown => {
                    self.outcomes[position] = Some(Outcome::Open { maybe_applied: true });
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
            self.outcomes[position] =
                Some(Outcome::Rejected { code: code.into(), text: failure.text.clone(), holder: None });
            self.refused_alone += 1;
        } else {
            for position in &positions {
                self.outcomes[*position] = Some(Outcome::Open { maybe_applied: failure.maybe_applied });
            }
            self.halve(positions);
        }
    }

    fn leave_open(&mut self, positions: Vec<usize>, maybe_applied: bool) {
        for position in positions {
            self.outcomes[position] = Some(Outcome::Open { maybe_applied });
        }
    }
}
