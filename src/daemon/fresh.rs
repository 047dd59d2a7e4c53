//! Freshness: what a booking has changed goes to the gateway at once, read by its keys, ahead of everything else. One task for each portal
//! gathers what comes within half a second: the mart takes a few larger requests more quickly than many small ones, and by then the gateway has
//! heard our answer and knows the booking that we send.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::after::count;
use super::{AnyLine, Shared};
use crate::record::Key;
use crate::serve::booking::Changed;
use crate::sync::CycleError;

/// How long changes are gathered.
const GATHERING: Duration = Duration::from_millis(500);
/// Most records of a feed that are looked at by key in one go. What is beyond is left to the feed's own turn.
const MOST: usize = 5000;

const SLOT: &str = "slot";
const REFERRAL: &str = "referral";
const BOOK: &str = "book";

/// What is to be looked at for one portal.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    wanted: Mutex<Wanted>,
    asked: Notify,
}

/// Records by their feeds.
#[derive(Debug, Default)]
struct Wanted {
    slots: BTreeSet<Key>,
    referrals: BTreeSet<Key>,
    books: BTreeSet<Key>,
    /// There were more.
    overflowed: bool,
}

/// The look was the end: the ledger has failed.
struct Fatal;

impl Fresh {
    /// Asks for a look at what has changed.
    pub(super) fn want(&self, changed: &Changed) {
        {
            let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            wanted.add(SLOT, changed.slot.clone());
            wanted.add(REFERRAL, changed.referral.clone());
            wanted.add(BOOK, changed.book.clone());
        }
        self.asked.notify_one();
    }

    fn take(&self) -> Wanted {
        std::mem::take(&mut *self.wanted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Wanted {
    fn add(&mut self, feed: &str, key: Option<Key>) {
        let set = match feed {
            SLOT => &mut self.slots,
            REFERRAL => &mut self.referrals,
            BOOK => &mut self.books,
            _ => return,
        };
        let Some(key) = key else { return };
        if set.len() < MOST {
            set.insert(key);
        } else {
            self.overflowed = true;
        }
    }

    /// Adds what the bookings hang on, as far as the line remembers them.
    fn add_parents(&mut self, line: &AnyLine) {
        for book in self.books.clone() {
            for (feed, parent) in line.parents_of_record(BOOK, &book) {
                self.add(feed, Some(parent));
            }
        }
    }
}

impl Shared {
    /// Brings what bookings change to one portal until the daemon stops. Says at its beginning whether the gateway's bookings come here.
    pub(super) async fn keep_fresh(self: Arc<Self>, number: usize) {
        let (Some(line), Some(fresh)) = (self.lines.get(number), self.fresh.get(number)) else { return };
        tokio::join!(self.compare_webhook(line), self.follow(line, fresh));
    }

    async fn follow(&self, line: &Arc<AnyLine>, fresh: &Fresh) {
        loop {
            let gathered = async {
                fresh.asked.notified().await;
                tokio::time::sleep(GATHERING).await;
            };
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                () = gathered => {}
            }
            if self.look_at(line, fresh.take()).await.is_err() {
                return self.fatal.cancel();
            }
        }
    }

    /// Slots and referrals first: a booking waits for both.
    async fn look_at(&self, line: &Arc<AnyLine>, mut wanted: Wanted) -> Result<(), Fatal> {
        if wanted.overflowed {
            [SLOT, REFERRAL, BOOK].into_iter().for_each(|feed| self.aftermath.want(&line.name, feed));
        }
        wanted.add_parents(line);
        self.look(line, SLOT, &wanted.slots).await?;
        self.look(line, REFERRAL, &wanted.referrals).await?;
        self.look(line, BOOK, &wanted.books).await?;
        // A booking that was read for the first time says only now what it hangs on.
        let (slots, referrals) = (wanted.slots.clone(), wanted.referrals.clone());
        wanted.add_parents(line);
        self.look(line, SLOT, &wanted.slots.difference(&slots).cloned().collect()).await?;
        self.look(line, REFERRAL, &wanted.referrals.difference(&referrals).cloned().collect()).await
    }

    async fn look(&self, line: &Arc<AnyLine>, feed: &'static str, keys: &BTreeSet<Key>) -> Result<(), Fatal> {
        if keys.is_empty() || line.feed(feed).is_none() {
            return Ok(());
        }
        let portal = line.name.as_str();
        let report = match Box::pin(line.look(feed, keys.iter().cloned().collect())).await {
            Ok(report) => report,
            Err(error @ (CycleError::Ledger(_) | CycleError::Delivery(_))) => {
                tracing::error!(portal, feed, "{error}; the process ends");
                return Err(Fatal);
            }
            Err(error) => {
                tracing::warn!(portal, feed, "what a booking changed could not be looked at: {error}");
                self.aftermath.want(portal, feed);
                return Ok(());
            }
        };
        count(&self.metrics, portal, feed, &report);
        let (rows, sent, accepted) = (report.rows, report.sent, report.accepted);
        tracing::debug!(portal, feed, asked = keys.len(), rows, sent, accepted, "looked at what bookings changed");
        report.released.iter().for_each(|released| self.poke(line, released));
        let all_came = report.rows >= keys.len() as u64;
        let all_went = report.stop.is_none() && report.failures + report.held + report.postponed == 0;
        if !all_came || !all_went {
            self.aftermath.want(portal, feed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(slot: u128) -> Changed {
        Changed { slot: Some(Key::Guid(slot)), book: Some(Key::Guid(slot + 1)), referral: None }
    }

    #[test]
    fn what_changes_twice_is_looked_at_once() {
        let fresh = Fresh::default();
        [1, 1, 5].into_iter().for_each(|slot| fresh.want(&changed(slot)));
        let wanted = fresh.take();
        assert_eq!((wanted.slots.len(), wanted.books.len(), wanted.referrals.len()), (2, 2, 0));
        assert!(fresh.take().slots.is_empty());
    }

    #[test]
    fn more_than_a_look_can_take_is_left_to_the_feeds_turn() {
        let fresh = Fresh::default();
        (0..=MOST as u128).for_each(|slot| fresh.want(&changed(slot * 2)));
        let wanted = fresh.take();
        assert!(wanted.overflowed && wanted.slots.len() == MOST);
    }
}
