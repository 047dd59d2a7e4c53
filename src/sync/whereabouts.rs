//! Whereabouts: a record waits for a place, and nobody knows whether its holder is still there, because a version of unknown outcome may
//! have moved it. Trying would tell, but a refused attempt counts against the unit: so the portal is asked for the holder by its key.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::FutureExt;
use tokio::time::Instant;

use super::contest::{self, Contest};
use super::cycle::{CycleError, Run};
use super::index::{At, Index};
use super::mart::{Mart, Version};
use super::rounds::side_by_side;
use crate::ledger::{Entry, Ledger, Mark, Settlement};
use crate::portal::{Ask, Held, Portal, Reading};
use crate::record::Key;
use crate::source::Source;
use crate::transport::{Failure, Trouble};

/// What was sent so short a time ago may not be seen yet, in seconds: a mart may commit late.
const COMMIT: i64 = 2;

/// What came of asking for one holder.
enum Answer {
    /// This is what the portal holds of it.
    Holds(Option<Held>),
    /// The portal cannot be asked.
    Unanswerable,
    /// Not now.
    Later,
}

impl<S: Source, P: Portal, L: Ledger> Run<'_, S, P, L> {
    /// Where nobody else can bring these contests further, the portal is asked for the holders that may have gone. Of whom it cannot be asked
    /// the place is tried: if the holder is there after all, the refusal says so. True when something is known that was not.
    pub(super) async fn look_for_holders(
        &mut self,
        open: &[Contest],
        until: Option<Instant>,
    ) -> Result<bool, CycleError> {
        let holders = self.doubtful_holders(open);
        self.looked_for.extend(holders.iter().map(|(at, _)| *at));
        let answers = self.ask_for(&holders, until).await;
        let (mut mart, now) = (Mart::new(self.feed.plan.schema, &self.feed.plan.encode)?, self.line.clock.now());
        let mut settlement = Settlement::default();
        let mut any = false;
        {
            let mut index = self.feed.index();
            for ((at, before), answer) in holders.iter().zip(answers) {
                // Another feed's removal may have taken it along meanwhile.
                if index.in_flight(*at) || index.entry(*at) != *before {
                    continue;
                }
                match answer {
                    Answer::Holds(held) => {
                        let version = held.map(|held| mart.read(&held));
                        settlement.entries.extend(found(&mut index, *at, version, now));
                    }
                    Answer::Unanswerable => {
                        let of_holder = open.iter().filter(|contest| contest.holder == before.key);
                        of_holder.for_each(|contest| index.does_not_hold(*at, contest.place));
                    }
                    Answer::Later => continue,
                }
                any = true;
            }
            settlement.counts = Some(index.counts());
        }
        if !settlement.entries.is_empty() {
            self.write(settlement).await?;
        }
        Ok(any)
    }

    fn doubtful_holders(&self, open: &[Contest]) -> Vec<(At, Entry)> {
        let index = self.feed.index();
        let doubtful = open.iter().filter(|contest| contest::may_be_free(contest, &index));
        let holders: BTreeSet<At> = doubtful.filter_map(|contest| index.find(contest.holder.id())).collect();
        // Of one without a mark everything is known.
        let is_marked = |at: &At| index.detail(*at).is_some_and(|detail| detail.mark.is_some());
        let is_doubtful = |at: &At| is_marked(at) && !self.looked_for.contains(at);
        holders.into_iter().filter(is_doubtful).map(|at| (at, index.entry(at))).collect()
    }

    /// Asks for holders, as many at once as may be under way, until time is over or the portal fails: of the first ones, in order.
    async fn ask_for(&self, holders: &[(At, Entry)], until: Option<Instant>) -> Vec<Answer> {
        let failed = AtomicBool::new(false);
        let goes_on = || {
            let is_over = until.is_some_and(|until| Instant::now() >= until);
            !is_over && !failed.load(Ordering::Relaxed) && self.line.standstill(self.feed).is_none()
        };
        let ask = |(_, entry): &(At, Entry)| {
            let (key, failed) = (entry.key.clone(), &failed);
            async move {
                let answer = self.ask_where(&key).await;
                failed.fetch_or(matches!(answer, Answer::Later), Ordering::Relaxed);
                answer
            }
        };
        let jobs = holders.iter().map(|holder| ask(holder).boxed()).collect();
        side_by_side(jobs, self.line.settings.in_flight, goes_on).await
    }

    async fn ask_where(&self, key: &Key) -> Answer {
        let (line, schema) = (self.line, self.feed.plan.schema);
        if line.portal.reading(schema) == Reading::Unsupported {
            return Answer::Unanswerable;
        }
        let Some(_place) = line.place_in_flight(false).await else { return Answer::Later };
        if line.standstill(self.feed).is_some() {
            return Answer::Later;
        }
        match line.portal.read_back(schema, Ask::Record(key)).await {
            Ok(held) => Answer::Holds(held.into_iter().find(|held| held.key == *key)),
            Err(failure) => self.not_told(key, &failure),
        }
    }

    /// Only a portal that asks to be left alone is left alone for this: whether it can be written to is not for a reader to say.
    fn not_told(&self, key: &Key, failure: &Failure) -> Answer {
        let (line, feed) = (self.line, self.feed.plan.schema.feed);
        tracing::debug!(portal = %line.name, feed, %key, "the portal does not say where the record is: {}", failure.text);
        match failure.trouble {
            Trouble::Maintenance { .. } | Trouble::Foreign { .. } | Trouble::Transient { retry_after: Some(_) } => {
                line.heed(self.feed, failure);
                Answer::Later
            }
            Trouble::Transient { retry_after: None } | Trouble::TimedOut => Answer::Later,
            Trouble::TooLarge
            | Trouble::Unattributed
            | Trouble::UnitBlocked
            | Trouble::FeedParked
            | Trouble::BatchAtFault
            | Trouble::Parked => Answer::Unanswerable,
        }
    }
}

/// The portal has shown what it holds of a record. Which version that is was not asked: the record is sent again before it counts as
/// accepted. But where it is, is known, and written down unless that may change by itself: gives the record as the ledger is to have it then.
fn found(index: &mut Index, at: At, version: Option<Version>, now: i64) -> Option<Entry> {
    let place = version.as_ref().and_then(|version| version.record.as_ref()).and_then(|record| record.place);
    index.is_at(at, place.unwrap_or(0));
    // What was lost a moment ago may still arrive; nobody knows how long ago an earlier process sent it.
    if index.detail(at).is_none_or(|detail| detail.since + COMMIT > now) {
        return None;
    }
    if version.is_some() {
        return Some(contest::in_doubt(index, at, now));
    }
    let mut entry = index.entry(at);
    if entry.accepted.is_some() {
        // It is not there: nothing may hang on it.
        entry.mark = Some(Mark::Removal);
        index.put_at(at, &entry, now);
    }
    Some(entry)
}
