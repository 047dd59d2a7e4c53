//! Freshness: what a booking has changed goes to the gateway at once, read by its keys, ahead of everything else. One task for each portal
//! gathers what comes within half a second: the mart takes a few larger requests more quickly than many small ones, and by then the gateway has
//! heard our answer and knows the booking that we send.
//!
//! The gateway writes the slot and the booking of what it was told is done by itself. If the registrar undoes it before our look, the rows say
//! what the ledger says, and the mart does not: so both are doubted at once, durably, and sent whatever they say. So is a slot that a citizen was
//! offered and the hospital refused: it was the mart that offered it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::after::count;
use super::{AnyLine, Shared};
use crate::record::Key;
use crate::serve::booking::{Cause, Changed};
use crate::sync::{CycleError, CycleReport};

/// How long changes are gathered.
const GATHERING: Duration = Duration::from_millis(500);
/// Most records of a feed that are looked at by key in one go. What is beyond is left to the feed's own turn.
const MOST: usize = 5000;

/// The feed of slots.
pub(super) const SLOT: &str = "slot";
const REFERRAL: &str = "referral";
/// The feed of bookings.
pub(super) const BOOK: &str = "book";

/// What is to be looked at for one portal.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    /// What has come and is not doubted yet.
    news: Mutex<Wanted>,
    asked: Notify,
    /// What waits for its look.
    wanted: Mutex<Wanted>,
    noted: Notify,
    /// Bookings that the gateway has been told of, and that have no row in the feed, with what they hang on.
    homeless: Mutex<BTreeMap<Key, Hangs>>,
    /// True once the feed has had the row of a booking: it has them all, and one that has none is gone.
    has_bookings: AtomicBool,
    is_warned: AtomicBool,
}

type Hangs = Vec<(&'static str, Key)>;

/// Records by their feeds.
#[derive(Debug, Default)]
struct Wanted {
    looks: BTreeMap<&'static str, BTreeSet<Key>>,
    /// Those of them that the gateway writes itself.
    doubts: BTreeMap<&'static str, BTreeSet<Key>>,
    /// What bookings hang on, as the answers say.
    hangs: BTreeMap<Key, Hangs>,
    /// There were more.
    overflowed: bool,
}

/// The look was the end: the ledger has failed.
struct Fatal;

impl Fresh {
    /// Asks for a look at what has changed.
    pub(super) fn want(&self, changed: &Changed) {
        lock(&self.news).take_in(changed);
        self.asked.notify_one();
    }
}

fn ends(line: &AnyLine, feed: &str, error: &dyn std::fmt::Display) -> Fatal {
    tracing::error!(portal = line.name, feed, "{error}; the process ends");
    Fatal
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take<T: Default>(mutex: &Mutex<T>) -> T {
    std::mem::take(&mut *lock(mutex))
}

impl Wanted {
    fn take_in(&mut self, changed: &Changed) {
        let named = [(SLOT, &changed.slot), (REFERRAL, &changed.referral), (BOOK, &changed.book)];
        for (feed, key) in named {
            let Some(key) = key else { continue };
            self.add(feed, key.clone(), changed.cause != Cause::Untold && feed != REFERRAL);
        }
        if let Some(book) = changed.book.as_ref().filter(|_| changed.cause == Cause::Told) {
            let hangs = named.into_iter().filter(|(feed, _)| *feed != BOOK);
            self.hangs.insert(book.clone(), hangs.filter_map(|(feed, key)| Some((feed, key.clone()?))).collect());
        }
    }

    fn add(&mut self, feed: &'static str, key: Key, doubted: bool) {
        let looks = self.looks.entry(feed).or_default();
        if looks.len() >= MOST && !looks.contains(&key) {
            self.overflowed = true;
            return;
        }
        if doubted {
            self.doubts.entry(feed).or_default().insert(key.clone());
        }
        looks.insert(key);
    }

    /// Adds what the bookings hang on, as far as the line remembers them.
    fn add_parents(&mut self, line: &AnyLine) {
        for book in self.looks(BOOK) {
            let doubted = self.doubts.get(BOOK).is_some_and(|doubts| doubts.contains(&book));
            for (feed, parent) in line.parents_of_record(BOOK, &book) {
                self.add(feed, parent, doubted && feed == SLOT);
            }
        }
    }

    fn add_all(&mut self, other: Wanted) {
        for (feed, keys) in other.looks {
            for key in keys {
                let doubted = other.doubts.get(feed).is_some_and(|doubts| doubts.contains(&key));
                self.add(feed, key, doubted);
            }
        }
        self.hangs.extend(other.hangs);
        self.overflowed |= other.overflowed;
    }

    fn looks(&self, feed: &str) -> BTreeSet<Key> {
        self.looks.get(feed).cloned().unwrap_or_default()
    }

    fn doubts(&self, feed: &str) -> Vec<Key> {
        self.doubts.get(feed).into_iter().flatten().cloned().collect()
    }
}

impl Shared {
    /// Brings what bookings change to one portal until the daemon stops. Says at its beginning whether the gateway's bookings come here.
    pub(super) async fn keep_fresh(self: Arc<Self>, number: usize) {
        let (Some(line), Some(fresh)) = (self.lines.get(number), self.fresh.get(number)) else { return };
        tokio::join!(self.compare_webhook(line), self.doubt(line, fresh), self.follow(line, fresh));
    }

    /// Doubts at once what the gateway writes itself: a process that dies before the look knows it at its next start.
    async fn doubt(&self, line: &AnyLine, fresh: &Fresh) {
        loop {
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                () = fresh.asked.notified() => {}
            }
            if self.doubt_news(line, fresh).await.is_err() {
                return self.fatal.cancel();
            }
            fresh.noted.notify_one();
        }
    }

    async fn doubt_news(&self, line: &AnyLine, fresh: &Fresh) -> Result<(), Fatal> {
        let mut news = take(&fresh.news);
        news.add_parents(line);
        for feed in [SLOT, BOOK] {
            line.doubt(feed, &news.doubts(feed)).await.map_err(|error| ends(line, feed, &error))?;
        }
        lock(&fresh.wanted).add_all(news);
        Ok(())
    }

    /// Doubts what was answered while the process was stopping. Nothing is answered any more.
    pub(super) async fn doubt_the_last(&self) {
        for (line, fresh) in self.lines.iter().zip(&self.fresh) {
            let _the_process_ends_anyway = self.doubt_news(line, fresh).await;
        }
    }

    async fn follow(&self, line: &Arc<AnyLine>, fresh: &Fresh) {
        loop {
            let gathered = async {
                fresh.noted.notified().await;
                tokio::time::sleep(GATHERING).await;
            };
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                () = gathered => {}
            }
            if self.look_at(line, fresh, take(&fresh.wanted)).await.is_err() {
                return self.fatal.cancel();
            }
        }
    }

    /// Slots and referrals first: a booking waits for both.
    async fn look_at(&self, line: &Arc<AnyLine>, fresh: &Fresh, mut wanted: Wanted) -> Result<(), Fatal> {
        if wanted.overflowed {
            [SLOT, REFERRAL, BOOK].into_iter().for_each(|feed| self.aftermath.want(&line.name, feed));
        }
        let (mut slots, mut referrals) = (wanted.looks(SLOT), wanted.looks(REFERRAL));
        self.look(line, SLOT, &slots, &wanted.doubts(SLOT)).await?;
        self.look(line, REFERRAL, &referrals, &[]).await?;
        let books = wanted.looks(BOOK);
        let report = self.look(line, BOOK, &books, &wanted.doubts(BOOK)).await?;
        if !books.is_empty() && line.feed(BOOK).is_some() {
            self.house(line, fresh, &wanted, report).await?;
        }
        // A booking that was read for the first time says only now what it hangs on.
        wanted.add_parents(line);
        (slots, referrals) = (&wanted.looks(SLOT) - &slots, &wanted.looks(REFERRAL) - &referrals);
        self.look(line, SLOT, &slots, &wanted.doubts(SLOT)).await?;
        self.look(line, REFERRAL, &referrals, &[]).await?;
        Ok(())
    }

    /// A booking whose row is gone before our look is at the mart all the same, by the gateway's hand: it becomes ours, so that a complete read
    /// takes it away. Where no booking has a row, the query is at fault, and the citizens' bookings stay.
    async fn house(
        &self,
        line: &AnyLine,
        fresh: &Fresh,
        wanted: &Wanted,
        report: Option<CycleReport>,
    ) -> Result<(), Fatal> {
        let portal = line.name.as_str();
        let unfound = match report.filter(CycleReport::complete) {
            Some(report) => report.unfound,
            // Nobody could look. One that has a row after all is sent by the feed's own turn.
            None => wanted.looks(BOOK).into_iter().collect(),
        };
        if unfound.len() < wanted.looks(BOOK).len() {
            fresh.has_bookings.store(true, Ordering::Relaxed);
        }
        let homeless = {
            let mut homeless = lock(&fresh.homeless);
            homeless.extend(
                unfound.into_iter().filter_map(|key| wanted.hangs.get(&key).cloned().map(|hangs| (key, hangs))),
            );
            while homeless.len() > MOST {
                homeless.pop_first();
            }
            if homeless.is_empty() {
                return Ok(());
            }
            fresh.has_bookings.load(Ordering::Relaxed).then(|| std::mem::take(&mut *homeless))
        };
        let Some(homeless) = homeless else {
            if !fresh.is_warned.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    portal,
                    feed = BOOK,
                    "a booking that was just made is not among the rows of the feed; its query is to give every booking, with its \
                     book_ext_id as id"
                );
            }
            return Ok(());
        };
        self.aftermath.want(portal, BOOK);
        line.take_over(BOOK, homeless.into_iter().collect()).await.map_err(|error| ends(line, BOOK, &error))
    }

    async fn look(
        &self,
        line: &Arc<AnyLine>,
        feed: &'static str,
        keys: &BTreeSet<Key>,
        doubted: &[Key],
    ) -> Result<Option<CycleReport>, Fatal> {
        if keys.is_empty() || line.feed(feed).is_none() {
            return Ok(None);
        }
        let portal = line.name.as_str();
        let doubted: Vec<Key> = doubted.iter().filter(|key| keys.contains(key)).cloned().collect();
        let report = match Box::pin(line.look_doubting(feed, keys.iter().cloned().collect(), &doubted)).await {
            Ok(report) => report,
            Err(error @ (CycleError::Ledger(_) | CycleError::Delivery(_))) => {
                return Err(ends(line, feed, &error));
            }
            Err(error) => {
                tracing::warn!(portal, feed, "what a booking changed could not be looked at: {error}");
                self.aftermath.want(portal, feed);
                return Ok(None);
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
        Ok(Some(report))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(slot: u128) -> Changed {
        let key = |number| Some(Key::Guid(number));
        Changed { slot: key(slot), book: key(slot + 1), referral: key(slot + 2), cause: Cause::Told }
    }

    #[test]
    fn what_changes_twice_is_looked_at_once() {
        let fresh = Fresh::default();
        [1, 1, 5].into_iter().for_each(|slot| fresh.want(&changed(slot)));
        let wanted = take(&fresh.news);
        assert_eq!([SLOT, BOOK, REFERRAL].map(|feed| wanted.looks(feed).len()), [2, 2, 2]);
        assert!(take(&fresh.news).looks.is_empty());
    }

    #[test]
    fn what_the_gateway_writes_itself_is_doubted_and_nothing_else() {
        let doubts = |changed: &Changed| {
            let mut wanted = Wanted::default();
            wanted.take_in(changed);
            [SLOT, BOOK, REFERRAL].map(|feed| wanted.doubts(feed).len())
        };
        assert_eq!(doubts(&changed(1)), [1, 1, 0]);
        assert_eq!(doubts(&Changed { cause: Cause::Untold, ..changed(1) }), [0, 0, 0], "it was told 18");
        let refused = Changed { slot: Some(Key::Guid(1)), cause: Cause::Refused, ..Changed::default() };
        assert_eq!(doubts(&refused), [1, 0, 0], "the mart offered it: what the ledger says is no proof");
    }

    #[test]
    fn what_waits_for_its_look_loses_no_doubt_to_what_comes_after() {
        let (mut first, mut second) = (Wanted::default(), Wanted::default());
        first.take_in(&changed(1));
        second.take_in(&Changed { cause: Cause::Untold, ..changed(1) });
        first.add_all(second);
        assert_eq!((first.doubts(SLOT).len(), first.hangs[&Key::Guid(2)].len()), (1, 2));
    }

    #[test]
    fn more_than_a_look_can_take_is_left_to_the_feeds_turn() {
        let fresh = Fresh::default();
        (0..=MOST as u128).for_each(|slot| fresh.want(&changed(slot * 3)));
        let wanted = take(&fresh.news);
        assert!(wanted.overflowed && wanted.looks(SLOT).len() == MOST);
    }
}
