//! Following up: what has to be done about exchanges whatever the source says: asking the portal, and writing back. Each cycle does it on the
//! way; between cycles it is done alone, without a look at the source.

use super::inquiry::FollowUp;
use super::line::{FeedLine, Line};
use crate::ledger::{Ledger, LedgerError};
use crate::portal::Portal;
use crate::source::Source;

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// True when a feed has something to follow up now.
    pub fn has_follow_up(&self, feed: &str) -> bool {
        self.feed(feed)
            .is_some_and(|feed| feed.register.is_some() && (self.has_inquiries(feed) || self.has_write_backs(feed)))
    }

    /// True when any feed may ever have something to follow up.
    pub fn keeps_registers(&self) -> bool {
        self.feeds.values().any(|feed| feed.register.is_some())
    }

    /// Does what is to be followed up, for a while. Nothing while a cycle of the feed runs: that does it itself.
    pub async fn follow_up(&self, feed: &str) -> Result<FollowUp, LedgerError> {
        let Some(feed) = self.feed(feed) else { return Ok(FollowUp::default()) };
        let Ok(_no_cycle) = feed.cycle.try_lock() else { return Ok(FollowUp::default()) };
        self.follow_up_within(feed, true).await
    }

    /// As [`Self::follow_up`], within a cycle.
    pub(super) async fn follow_up_within(&self, feed: &FeedLine<S>, in_slices: bool) -> Result<FollowUp, LedgerError> {
        let mut done = FollowUp::default();
        if feed.register.is_none() {
            return Ok(done);
        }
        let until = || in_slices.then(|| tokio::time::Instant::now() + self.settings.slice);
        self.inquire(feed, until(), &mut done).await?;
        self.write_back(feed, until(), &mut done).await?;
        feed.count_exchanges(&*self.ledger).await?;
        Ok(done)
    }
}
