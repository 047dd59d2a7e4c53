//! Settling: what the portal said of a request becomes memory, first in the ledger, then in the index.

use std::collections::BTreeSet;

use super::contest::{self, Contest};
use super::deliver::{Outcome, Waits};
use super::exchange::{Told, code_of};
use super::index::{At, Index};
use super::inquiry::{TURNED_DOWN, turn_down, turned_down};
use super::line::{FeedLine, Line};
use super::outgoing::Outgoing;
use super::plan::{PLACE, refusal};
use super::report::Live;
use super::said::Said;
use super::unknown::how_sent;
use crate::ledger::{Close, Entry, Ledger, LedgerError, Mark, MarkId, Refusal, Settlement, State};
use crate::portal::{Cure, Portal};
use crate::record::{KeyId, Receipt, Stage};
use crate::source::Source;
use crate::transport::Failure;

/// What came of one request, counted.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) accepted: Vec<KeyId>,
    /// Records that stand as they did before they were sent, as far as their children care.
    pub(super) as_before: Vec<KeyId>,
    pub(super) refused: u64,
    pub(super) postponed: u64,
    /// Records of which nobody knows whether the portal took them.
    pub(super) unknown: u64,
    /// Feeds whose waiting records may go now.
    pub(super) released: BTreeSet<&'static str>,
    /// Records that were refused because another holds their place.
    pub(super) contested: Vec<Contest>,
    /// Records put back, because the portal was to be left alone before anything was sent.
    pub(super) put_back: u64,
    /// Why the request as a whole came to nothing, if it did.
    pub(super) failure: Option<Failure>,
}

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// Writes down what became of each record of a request.
    pub(super) async fn settle(
        &self,
        feed: &FeedLine<S>,
        mark: MarkId,
        outgoing: Outgoing,
        outcomes: Vec<Outcome>,
    ) -> Result<Settled, LedgerError> {
        let now = self.clock.now();
        let outcomes = self.over_earlier_receipts(feed, &outgoing, outcomes).await?;
        let (settlement, mut settled) = {
            let mut index = feed.index();
            self.state_anew(feed, &mut index, mark, outgoing, outcomes, now)
        };
        self.ledger.settle(feed.id, settlement).await?;
        Live::add(&feed.live.accepted, settled.accepted.len() as u64);
        self.warn_of_unknown(feed, settled.unknown);
        settled.released.extend(self.release_children(feed, &settled.accepted));
        settled.released.extend(self.release_held(feed, &settled.as_before));
        Ok(settled)
    }

    /// Moves the index and says what the ledger is to write. Should the ledger then fail, the process ends, and the open mark makes
    /// the next one ask the portal again.
    fn state_anew(
        &self,
        feed: &FeedLine<S>,
        index: &mut Index,
        mark: MarkId,
        outgoing: Outgoing,
        outcomes: Vec<Outcome>,
        now: i64,
    ) -> (Settlement, Settled) {
        let name = feed.plan.schema.feed;
        let mut settled = Settled::default();
        let mut settlement = Settlement::default();
        let mut lost_at = None;
        let contests = hear_holders(name, index, &outgoing, &outcomes, now);
        let records = outgoing.entries.into_iter().zip(outgoing.at).zip(outgoing.before);
        for ((((mut entry, at), before), outcome), contest) in records.zip(outcomes).zip(contests) {
            let superseded = index.is_superseded(at);
            // Where it was seen meanwhile stands behind its mark in the journal.
            let was_seen = index.seen_at(at).is_some();
            let doubted = index.is_doubted(at);
            let sent = (entry.mark, entry.place);
            let mut told = Told::of(&outcome, now);
            let mut goes_on = false;
            let mut waits_for = None;
            let restated = match outcome {
                Outcome::Accepted { receipt } => {
                    settled.accepted.push(entry.key.id());
                    if index.detail(at).is_some() {
                        settlement.cleared.push(entry.key.clone());
                    }
                    entry.close_mark();
                    index.note_place(at, entry.place, before.is_some());
                    let named = receipt.as_ref().is_some_and(|receipt| receipt.remote_id.is_some());
                    let turned_down_at_once = self.take_receipt(feed, &mut entry, receipt.as_deref());
                    if let Some(refused) = turned_down_at_once {
                        settled.accepted.pop();
                        settled.refused += 1;
                        told.code = Some(refused.code.clone());
                        settlement.refused.push(refused);
                    }
                    if superseded && entry.state == State::Accepted {
                        entry.state = State::Pending;
                    }
                    superseded || named || was_seen || doubted || entry.state != State::Accepted
                }
                Outcome::Begun { remote_id } => {
                    goes_on = entry.remote_id.as_deref() != Some(remote_id.as_str());
                    entry.remote_id = Some(remote_id.into_boxed_str());
                    self.postpone(index, at, &mut entry, None, now);
                    if goes_on {
                        entry.mark = entry.mark.and_then(Mark::version).map(Mark::Begun);
                        (entry.attempts, entry.next_attempt) = (0, None);
                        settled.released.insert(name);
                    } else {
                        settled.postponed += 1;
                    }
                    true
                }
                Outcome::Rejected { code, text, holder: _, cure, maybe_applied } => {
                    settled.refused += 1;
                    if entry.accepted.is_some() {
                        settled.as_before.push(entry.key.id());
                    }
                    let key = Some(entry.key.clone());
                    let unsent = if maybe_applied { None } else { Some(before) };
                    self.reject(index, at, &mut entry, unsent, cure, now);
                    if let Some((contest, learnt)) = contest {
                        settlement.entries.extend(learnt);
                        let text = contest::waiting(name, &contest.holder);
                        settlement.refused.push(refusal(key, State::Held, PLACE, Vec::new(), text, now));
                        entry.state = State::Held;
                        entry.next_attempt = None;
                        waits_for = Some(contest.place);
                        settled.contested.push(contest);
                    } else {
                        let said = Said::of_portal(text);
                        settlement.refused.push(refusal(key, State::Rejected, &code, Vec::new(), said, now));
                    }
                    true
                }
                Outcome::Open { maybe_applied, waits } => {
                    let unsent = if maybe_applied { None } else { Some(before) };
                    match waits {
                        Waits::Itself => self.postpone(index, at, &mut entry, unsent, now),
                        Waits::Portal => {
                            as_before(index, at, &mut entry, unsent);
                            (entry.state, entry.next_attempt) = (State::Pending, None);
                            // A process that starts anew knows of no pause of the portal's, but of this.
                            let feed_rests = feed.rest(now).is_some();
                            entry.attempts = entry.attempts.saturating_add(u16::from(!feed_rests));
                        }
                    }
                    if entry.mark.is_some() && self.must_know_first(feed, &entry) {
                        settled.unknown += 1;
                        settlement.refused.push(self.not_known(&mut entry, superseded, now));
                        told.code = code_of(entry.state);
                        told.receipt = how_sent(self.portal.signs(feed.plan.schema));
                        lost_at = lost_at.or_else(|| feed.register().map(|mut register| register.lost_at(now)));
                        told.sent = lost_at.or(told.sent);
                    } else {
                        settled.postponed += 1;
                    }
                    true
                }
            };
            index.put_at(at, &entry, now);
            if let Some(mut register) = feed.register() {
                let again = now.saturating_add(self.settings.exchange.inquire_every.as_secs().cast_signed());
                settlement.exchanged.push(register.state(&entry, told, again, now));
            }
            if entry.mark == sent.0 {
                index.may_hold(at, sent.1);
            }
            if let Some(place) = waits_for {
                index.wait_for_place(place, at);
            }
            if superseded || goes_on {
                index.make_due(at);
            }
            if let Some(anew) = doubted.then(|| index.doubt(at, now)).flatten() {
                entry = anew;
            }
            if restated {
                // The mark itself is replayed as acknowledged when others of its batch were.
                settlement.entries.extend(index.steps_before(at));
                settlement.entries.push(entry);
            }
        }
        let close = if settled.accepted.is_empty() { Close::Restated } else { Close::Acknowledged };
        settlement.close = vec![(mark, close)];
        settlement.counts = Some(index.counts());
        (settlement, settled)
    }

    /// Takes what the portal gave back for a record that it took. A record may be turned down with the very answer that takes it.
    fn take_receipt(&self, feed: &FeedLine<S>, entry: &mut Entry, receipt: Option<&Receipt>) -> Option<Refusal> {
        let receipt = receipt?;
        if let Some(remote_id) = &receipt.remote_id {
            entry.remote_id = Some(remote_id.as_str().into());
        }
        if receipt.stage != Stage::TurnedDown {
            return None;
        }
        turn_down(feed, entry);
        let (key, text) = (Some(entry.key.clone()), turned_down(receipt));
        Some(refusal(key, State::Rejected, TURNED_DOWN, Vec::new(), text, self.clock.now()))
    }

    /// The portal refused this version by name: it holds what it held before.
    fn reject(&self, index: &Index, at: At, entry: &mut Entry, unsent: Option<Option<Mark>>, cure: Cure, now: i64) {
        as_before(index, at, entry, unsent);
        entry.state = State::Rejected;
        entry.attempts = entry.attempts.saturating_add(1);
        entry.next_attempt = match cure {
            Cure::Row => None,
            Cure::Time => Some(now.saturating_add(self.settings.slow_retry.as_secs().cast_signed())),
        };
    }

    /// Nobody judged this version. If it was certainly not applied, the mark is what it was before.
    fn postpone(&self, index: &Index, at: At, entry: &mut Entry, unsent: Option<Option<Mark>>, now: i64) {
        as_before(index, at, entry, unsent);
        entry.state = State::Pending;
        let delay = {
            let mut rng = self.rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            self.settings.retry.delay(entry.attempts, &mut *rng)
        };
        entry.attempts = entry.attempts.saturating_add(1);
        entry.next_attempt = Some(now.saturating_add(delay.as_secs().cast_signed().max(1)));
    }

    /// Children that wait for these records, or were refused while these were otherwise, are to be looked at again.
    pub(super) fn release_children(&self, feed: &FeedLine<S>, accepted: &[KeyId]) -> BTreeSet<&'static str> {
        self.release(feed, accepted, |state| matches!(state, State::Held | State::Rejected | State::Yielded))
    }

    /// Children that were held because these records were under way are to be looked at again. For one that was refused nothing has changed.
    fn release_held(&self, feed: &FeedLine<S>, parents: &[KeyId]) -> BTreeSet<&'static str> {
        self.release(feed, parents, |state| matches!(state, State::Held | State::Yielded))
    }

    fn release(&self, feed: &FeedLine<S>, parents: &[KeyId], waits: impl Fn(State) -> bool) -> BTreeSet<&'static str> {
        if parents.is_empty() {
            return BTreeSet::new();
        }
        let mut released = BTreeSet::new();
        let mut parents = parents.to_vec();
        parents.sort_unstable();
        for child in feed.children.iter().filter_map(|name| self.feeds.get(name)) {
            let mut index = child.index();
            if !index.any_waits() {
                continue;
            }
            let waiting: Vec<_> = index.detailed().filter(|(_, state, _)| waits(*state)).map(|(at, ..)| at).collect();
            for at in waiting {
                let names_one =
                    index.parents(at).iter().flatten().any(|parent| parents.binary_search(&parent.id()).is_ok());
                if names_one {
                    index.make_due(at);
                    released.insert(child.plan.schema.feed);
                }
            }
        }
        released
    }
}

/// Hears which records the portal says are in the way, before any record of the request is settled: the answer may speak of others of the
/// same request, and not all of them have moved. Gives the contest of each record that is refused for another, in the order of the request.
fn hear_holders(
    feed: &str,
    index: &mut Index,
    outgoing: &Outgoing,
    outcomes: &[Outcome],
    now: i64,
) -> Vec<Option<(Contest, Option<Entry>)>> {
    let hear = |(entry, outcome): (&Entry, &Outcome)| match outcome {
        Outcome::Rejected { code, text, holder: Some(holder), .. } => {
            let (contest, learnt) = contest::of_refusal(feed, index, entry, holder.clone(), (code, text), now)?;
            // One that is in this very request is about to be stated anew.
            let is_here = |learnt: &Entry| index.find(learnt.key.id()).is_some_and(|at| outgoing.at.contains(&at));
            Some((contest, learnt.filter(|learnt| !is_here(learnt))))
        }
        Outcome::Rejected { .. } | Outcome::Accepted { .. } | Outcome::Begun { .. } | Outcome::Open { .. } => None,
    };
    outgoing.entries.iter().zip(outcomes).map(hear).collect()
}

/// Status and place of an entry speak of the accepted version: those of a version that was not accepted go back. `unsent` is what was in
/// doubt before, if this version was certainly not applied.
fn as_before(index: &Index, at: At, entry: &mut Entry, unsent: Option<Option<Mark>>) {
    if let Some(before) = unsent {
        // That is so still, even of this very version: an earlier request may have brought it there.
        entry.mark = before;
    }
    let in_doubt = entry.mark.is_some();
    let known = index.entry(at);
    let held = known.accepted.is_some();
    if in_doubt && (held || known.mark.is_some()) {
        // What may be there in several versions is past only when all of them are.
        entry.expires = known.expires.zip(entry.expires).map(|(one, other)| one.max(other));
    } else if held {
        entry.expires = known.expires;
    }
    entry.status = known.status.filter(|_| held);
    // In flight for the first time, a record only claims its place. One that was in doubt before may have been seen at one.
    entry.place = known.place.filter(|_| held || known.mark.is_some());
    if let Some(seen) = index.seen_at(at) {
        entry.place = Some(seen);
        // Whatever version is there, this is where it is: a mark of the acknowledged version says so.
        entry.mark = entry.accepted.map(Mark::Version).filter(|_| unsent.is_some()).or(entry.mark);
    }
}
