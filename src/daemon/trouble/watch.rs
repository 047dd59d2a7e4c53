//! The watch: looks every few seconds at what is wrong, keeps the last finding for whoever shows it, and wakes who tells people of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use super::Trouble;
use super::find::{BookingRate, Snapshot, Space, troubles};
use super::known::Known;
use super::stuck::{Stuck, stuck_records};
use crate::daemon::{FeedStatus, Shared, Status};
use crate::ledger::{AnyLedger, FeedSummary, Ledger, LedgerError};
use crate::portal::Kind;
use crate::serve::booking::BookingStatus;

/// How often it looks.
const PAUSE: Duration = Duration::from_secs(2);
/// Records that do not flow are counted anew at the latest after this time, and never for more than this part of it.
const RECOUNT: Duration = Duration::from_secs(60);
const RECOUNT_PART: u32 = 20;
/// How far back answers to bookings count.
const BOOKING_WINDOW: Duration = Duration::from_secs(15 * 60);
/// The code of a booking that failed.
const FAILED: u8 = 18;

/// What the last look has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// What is wrong, the gravest first.
    pub troubles: Vec<Trouble>,
    /// Since when nothing is: seconds since 1970-01-01T00:00:00Z.
    pub well_since: Option<i64>,
    /// The feeds in short.
    pub feeds: Vec<Brief>,
}

/// A feed in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// The portal's name.
    pub portal: String,
    /// The feed's name.
    pub feed: String,
    /// Records the portal holds as wanted.
    pub accepted: u64,
    /// Records to be sent, and those that wait for another.
    pub waiting: u64,
    /// Records refused, and those of unknown outcome.
    pub rejected: u64,
    /// End of the last cycle that did all it had to: seconds since 1970-01-01T00:00:00Z.
    pub last_success: Option<i64>,
}

/// The watch of a process. It outlives reloads.
#[derive(Debug)]
pub struct Watch {
    memory: Mutex<Memory>,
    seen: watch::Sender<Arc<Seen>>,
}

#[derive(Debug, Default)]
struct Memory {
    known: Option<Known>,
    counted: BTreeMap<(String, String), Counted>,
    bookings: Bookings,
}

/// The causes of a feed when they were last counted.
#[derive(Debug)]
struct Counted {
    of: [u64; 3],
    next: Instant,
    soonest: Instant,
    stuck: Vec<Stuck>,
}

/// Counters of bookings, sampled.
#[derive(Debug, Default)]
struct Bookings {
    samples: VecDeque<(Instant, BookingRate)>,
}

impl Default for Watch {
    fn default() -> Self {
        Watch { memory: Mutex::default(), seen: watch::Sender::new(Arc::default()) }
    }
}

impl Watch {
    /// What the last look has seen.
    pub fn seen(&self) -> Arc<Seen> {
        Arc::clone(&self.seen.borrow())
    }

    /// Hears of each look from now on; who is slow hears of the latest alone.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Seen>> {
        self.seen.subscribe()
    }

    /// Shows a finding.
    pub(in crate::daemon) fn publish(&self, seen: Seen) {
        self.seen.send_replace(Arc::new(seen));
    }

    /// Looks at a process that stands like this. Portals are of these kinds.
    pub(in crate::daemon) async fn look(
        &self,
        ledger: &AnyLedger,
        status: &Status,
        kinds: &BTreeMap<String, &'static Kind>,
    ) -> Result<(), LedgerError> {
        let now = Utc::now().timestamp();
        let mut memory = self.memory.lock().await;
        let stuck = memory.count(ledger, kinds).await?;
        let booking = status.booking.as_ref().map(|booking| memory.bookings.rate(booking));
        let space = ledger.room().map(|room| Space { free: room.free });
        let mut known = match memory.known.take() {
            Some(known) => known,
            None => Known::load(ledger, now).await?,
        };
        let troubles = troubles(&Snapshot { status, stuck: &stuck, booking, space, now }, &known);
        let changed = known.take(&troubles, now);
        let well_since = known.well_since();
        let kept = if changed { known.keep(ledger).await } else { Ok(()) };
        memory.known = Some(known);
        drop(memory);
        let feeds = status.feeds.iter().map(Brief::from).collect();
        self.publish(Seen { troubles, well_since, feeds });
        kept
    }
}

impl From<&FeedStatus> for Brief {
    fn from(feed: &FeedStatus) -> Self {
        let last = feed.last_success.as_deref().and_then(|last| DateTime::parse_from_rfc3339(last).ok());
        Brief {
            portal: feed.portal.clone(),
            feed: feed.feed.clone(),
            accepted: feed.accepted,
            waiting: feed.pending + feed.held,
            rejected: feed.rejected + feed.unknown,
            last_success: last.map(|last| last.timestamp()),
        }
    }
}

impl Memory {
    /// The causes for which records do not flow. A feed is read again when its numbers change, and now and then.
    async fn count(
        &mut self,
        ledger: &AnyLedger,
        kinds: &BTreeMap<String, &'static Kind>,
    ) -> Result<Vec<Stuck>, LedgerError> {
        let mut all = Vec::new();
        let feeds = ledger.feeds().await?;
        for feed in feeds.iter().filter(|feed| kinds.contains_key(&feed.portal)) {
            let of = [feed.counts.rejected, feed.counts.held, feed.counts.unknown];
            let place = (feed.portal.clone(), feed.feed.clone());
            if !self.counted.get(&place).is_some_and(|counted| counted.holds(of)) {
                let counted = Counted::read(ledger, feed, of, kinds.get(&feed.portal).copied()).await?;
                self.counted.insert(place.clone(), counted);
            }
            all.extend(self.counted.get(&place).into_iter().flat_map(|counted| counted.stuck.iter().cloned()));
        }
        Ok(all)
    }
}

impl Counted {
    /// True when it need not, or may not yet, be counted anew.
    fn holds(&self, of: [u64; 3]) -> bool {
        let now = Instant::now();
        now < self.soonest || (self.of == of && (now < self.next || of == [0; 3]))
    }

    async fn read(
        ledger: &AnyLedger,
        feed: &FeedSummary,
        of: [u64; 3],
        kind: Option<&'static Kind>,
    ) -> Result<Self, LedgerError> {
        let begun = Instant::now();
        let stuck = match of {
            [0, 0, 0] => Vec::new(),
            _ => stuck_records(ledger, (&feed.portal, &feed.feed, feed.id), kind).await?,
        };
        let soonest = Instant::now() + begun.elapsed() * RECOUNT_PART;
        Ok(Counted { of, next: soonest + RECOUNT, soonest, stuck })
    }
}

impl Bookings {
    /// How bookings were answered within the window.
    fn rate(&mut self, booking: &BookingStatus) -> BookingRate {
        let mut total = BookingRate::default();
        for answered in &booking.answered {
            total.answered += answered.count;
            total.failed += if answered.code == FAILED { answered.count } else { 0 };
        }
        let now = Instant::now();
        while self.samples.len() > 1 && self.samples.get(1).is_some_and(|(at, _)| now - *at >= BOOKING_WINDOW) {
            self.samples.pop_front();
        }
        // What was answered before the first look counts as lately.
        let first = match self.samples.front() {
            Some((at, sample)) if now - *at >= BOOKING_WINDOW => *sample,
            Some(_) | None => BookingRate::default(),
        };
        if self.samples.back().is_none_or(|(_, last)| *last != total) {
            self.samples.push_back((now, total));
        }
        BookingRate {
            answered: total.answered.saturating_sub(first.answered),
            failed: total.failed.saturating_sub(first.failed),
        }
    }
}

impl Shared {
    /// Looks until the daemon stops.
    pub(in crate::daemon) async fn watch_over(self: Arc<Self>) {
        let kinds: BTreeMap<String, &'static Kind> =
            self.lines.iter().map(|line| (line.name.clone(), line.portal().kind())).collect();
        loop {
            if let Err(error) = self.watch.look(&self.ledger, &self.current(), &kinds).await {
                tracing::warn!("what is wrong cannot be told anew: {error}");
            }
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}

/// What is wrong as far as the ledger alone can tell, for verbs beside a daemon that does not answer: with since when nothing is.
pub async fn troubles_in_ledger(
    ledger: &AnyLedger,
    status: &Status,
    kind: impl Fn(&str) -> Option<&'static Kind>,
) -> Result<Seen, LedgerError> {
    let now = Utc::now().timestamp();
    let known = Known::load(ledger, now).await?;
    let mut stuck = Vec::new();
    for feed in ledger.feeds().await? {
        if let Some(kind) = kind(&feed.portal) {
            stuck.extend(stuck_records(ledger, (&feed.portal, &feed.feed, feed.id), Some(kind)).await?);
        }
    }
    let space = ledger.room().map(|room| Space { free: room.free });
    let troubles = troubles(&Snapshot { status, stuck: &stuck, booking: None, space, now }, &known);
    let well_since = known.well_since().filter(|_| troubles.is_empty());
    Ok(Seen { troubles, well_since, feeds: Vec::new() })
}
