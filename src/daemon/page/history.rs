//! History: how each feed did over the last 24 hours, in pieces of five minutes. A note of the ledger keeps it, so that a restart leaves no
//! gap but the time when no daemon ran. How many requests each portal got of late stands beside it, in memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::Utc;

use crate::daemon::{FeedStatus, Shared};
use crate::ledger::{Ledger, LedgerError, Note, NoteKind, NotePlace};

/// How long a piece is, in seconds.
pub(super) const PIECE: i64 = 300;
/// How far back the history goes, in seconds.
pub(super) const DAY: i64 = 24 * 3600;
/// How often it looks.
const PAUSE: Duration = Duration::from_secs(10);
/// Looks that the rate of a portal's requests is of: one minute.
const LOOKS: usize = 7;

/// The worst of one piece: when it began, seconds of lag, records that waited to be sent, records that a person or another record kept back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(from = "(i64, u64, u64, u64)", into = "(i64, u64, u64, u64)")]
pub(super) struct Piece {
    pub at: i64,
    pub lag: u64,
    pub pending: u64,
    pub stuck: u64,
}

/// What is remembered of all feeds.
#[derive(Debug, Default)]
pub(in crate::daemon) struct History {
    state: Mutex<State>,
}

type Place = (String, String);

#[derive(Debug, Default)]
struct State {
    feeds: BTreeMap<Place, VecDeque<Piece>>,
    requests: BTreeMap<String, VecDeque<(i64, u64)>>,
}

impl From<(i64, u64, u64, u64)> for Piece {
    fn from((at, lag, pending, stuck): (i64, u64, u64, u64)) -> Self {
        Piece { at, lag, pending, stuck }
    }
}

impl From<Piece> for (i64, u64, u64, u64) {
    fn from(Piece { at, lag, pending, stuck }: Piece) -> Self {
        (at, lag, pending, stuck)
    }
}

impl Piece {
    fn of(feed: &FeedStatus, now: i64) -> Self {
        let (lag, pending) = (feed.lag_seconds, feed.pending);
        let stuck = feed.held + feed.rejected + feed.unknown;
        Piece { at: now - now.rem_euclid(PIECE), lag, pending, stuck }
    }

    /// The worst of both.
    fn and(self, other: Piece) -> Self {
        Piece {
            at: self.at,
            lag: self.lag.max(other.lag),
            pending: self.pending.max(other.pending),
            stuck: self.stuck.max(other.stuck),
        }
    }
}

impl History {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how a feed is at `now`. True when that begins a piece: the ones before are to be kept.
    fn see(&self, feed: &FeedStatus, now: i64) -> bool {
        let piece = Piece::of(feed, now);
        let mut state = self.state();
        let pieces = state.feeds.entry((feed.portal.clone(), feed.feed.clone())).or_default();
        while pieces.front().is_some_and(|first| first.at < now - DAY) {
            pieces.pop_front();
        }
        match pieces.back_mut() {
            Some(last) if last.at == piece.at => {
                *last = last.and(piece);
                false
            }
            // A clock that was set back: what it says lies ahead is no history.
            Some(last) if last.at > piece.at => {
                pieces.retain(|known| known.at < piece.at);
                pieces.push_back(piece);
                true
            }
            Some(_) | None => {
                pieces.push_back(piece);
                true
            }
        }
    }

    /// Notes how many requests a portal has got so far.
    fn count(&self, portal: &str, requests: u64, now: i64) {
        let mut state = self.state();
        let looks = state.requests.entry(portal.to_owned()).or_default();
        looks.push_back((now, requests));
        while looks.len() > LOOKS {
            looks.pop_front();
        }
    }

    /// The last 24 hours of a feed, the oldest first.
    pub(super) fn of(&self, portal: &str, feed: &str, now: i64) -> Vec<Piece> {
        let state = self.state();
        let pieces = state.feeds.get(&(portal.to_owned(), feed.to_owned()));
        pieces.into_iter().flatten().filter(|piece| (now - DAY..=now).contains(&piece.at)).copied().collect()
    }

    /// Requests to a portal in a minute, as of the last minute; none before two looks.
    pub(super) fn per_minute(&self, portal: &str) -> Option<u64> {
        let state = self.state();
        let looks = state.requests.get(portal)?;
        let ((from, before), (to, after)) = (looks.front()?, looks.back()?);
        let seconds = u64::try_from(to - from).ok().filter(|seconds| *seconds > 0)?;
        Some((after.saturating_sub(*before) * 60).div_ceil(seconds))
    }

    /// Reads what the ledger keeps of these portals. A note of another version is as good as none.
    pub(super) async fn load(&self, ledger: &impl Ledger, portals: &[&str], now: i64) -> Result<(), LedgerError> {
        for portal in portals {
            for note in ledger.notes(portal).await?.into_iter().filter(|note| note.place.kind == NoteKind::History) {
                let mut pieces: VecDeque<Piece> = serde_json::from_str(&note.body).unwrap_or_default();
                pieces.retain(|piece| (now - DAY..=now).contains(&piece.at));
                let NotePlace { portal, feed, .. } = note.place;
                // What was seen since the start is newer than what is kept.
                self.state().feeds.entry((portal, feed)).or_insert(pieces);
            }
        }
        Ok(())
    }

    async fn keep(&self, ledger: &impl Ledger, (portal, feed): Place) -> Result<(), LedgerError> {
        let pieces = self.state().feeds.get(&(portal.clone(), feed.clone())).cloned().unwrap_or_default();
        let body = serde_json::to_string(&pieces).unwrap_or_default();
        let place = NotePlace { portal, feed, kind: NoteKind::History, name: String::new() };
        ledger.set_note(&Note { place, body }).await
    }
}

impl Shared {
    /// Remembers how the feeds do until the daemon stops.
    pub(in crate::daemon) async fn remember(self: Arc<Self>) {
        let portals: Vec<&str> = self.lines.iter().map(|line| line.name.as_str()).collect();
        if let Err(error) = self.history.load(&*self.ledger, &portals, Utc::now().timestamp()).await {
            tracing::warn!("the last 24 hours of the feeds cannot be read: {error}");
        }
        let mut last = false;
        loop {
            if let Err(error) = self.look_back(last).await {
                tracing::warn!("the last hours of the feeds cannot be kept: {error}");
            }
            if last {
                return;
            }
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => last = true,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// One look. What is new is written down when a piece is over, and the last time.
    async fn look_back(&self, last: bool) -> Result<(), LedgerError> {
        let now = Utc::now().timestamp();
        for line in &self.lines {
            self.history.count(&line.name, self.metrics.requests_to(&line.name), now);
        }
        for feed in self.current().feeds {
            if self.history.see(&feed, now) || last {
                self.history.keep(&*self.ledger, (feed.portal, feed.feed)).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Counts, MemoryLedger, Progress};

    const NOW: i64 = 1_780_000_200;

    fn feed(pending: u64, since: Option<i64>, now: i64) -> FeedStatus {
        let counts = Counts { pending, rejected: 1, oldest_pending: since, ..Counts::default() };
        FeedStatus::new("fer", "slot", &counts, &Progress::default(), now)
    }

    #[test]
    fn a_piece_is_the_worst_of_its_five_minutes() {
        let history = History::default();
        assert!(history.see(&feed(5, Some(NOW - 7), NOW), NOW));
        assert!(!history.see(&feed(0, None, NOW + 10), NOW + 10));
        assert_eq!(history.of("fer", "slot", NOW + 10), [Piece { at: NOW, lag: 7, pending: 5, stuck: 1 }]);
        assert!(history.see(&feed(0, None, NOW + PIECE), NOW + PIECE), "a new piece begins");
    }

    #[tokio::test]
    async fn a_restart_keeps_a_day_and_no_more() {
        let (ledger, history) = (MemoryLedger::new(), History::default());
        history.see(&feed(9, None, NOW - DAY - PIECE), NOW - DAY - PIECE);
        history.see(&feed(2, None, NOW - PIECE), NOW - PIECE);
        history.keep(&ledger, ("fer".into(), "slot".into())).await.unwrap();
        let (ledger, next) = (ledger.crash(), History::default());
        next.load(&ledger, &["fer"], NOW).await.unwrap();
        let kept: Vec<u64> = next.of("fer", "slot", NOW).iter().map(|piece| piece.pending).collect();
        assert_eq!(kept, [2]);
    }

    #[test]
    fn a_clock_that_was_set_back_leaves_nothing_that_lies_ahead() {
        let history = History::default();
        history.see(&feed(9, None, NOW + 3600), NOW + 3600);
        history.see(&feed(2, None, NOW), NOW);
        assert_eq!(history.of("fer", "slot", NOW + 7200).len(), 1);
    }

    #[test]
    fn the_rate_of_requests_is_of_the_last_minute() {
        let history = History::default();
        assert_eq!(history.per_minute("fer"), None);
        for look in 0_i64..20 {
            history.count("fer", if look < 10 { 0 } else { 10 * (look.unsigned_abs() - 9) }, NOW + look * 10);
        }
        assert_eq!(history.per_minute("fer"), Some(60));
    }
}
