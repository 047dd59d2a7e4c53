//! Exchanges between cycles: portals are asked what became of what they took, and what they gave back is written back, when that is due and
//! not when the feed's turn comes.

use std::sync::Arc;
use std::time::Duration;

use super::{AnyLine, Shared};

/// How often a line is asked whether something is due.
const PAUSE: Duration = Duration::from_secs(1);

impl Shared {
    /// Follows up a line's exchanges until the daemon stops.
    pub(super) async fn follow_up(self: Arc<Self>, line: Arc<AnyLine>) {
        loop {
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
            for feed in line.feeds().into_iter().map(|feed| feed.plan.schema.feed) {
                if self.stopping.is_cancelled() || !line.has_follow_up(feed) {
                    continue;
                }
                match line.follow_up(feed).await {
                    Ok(done) => {
                        let (portal, settled, written_back) = (line.name.as_str(), done.settled, done.written_back);
                        if settled + written_back > 0 {
                            tracing::info!(portal, feed, settled, written_back, refused = done.refused, "followed up");
                        }
                        done.released.into_iter().for_each(|released| self.poke(&line, released));
                    }
                    Err(error) => {
                        tracing::error!(portal = %line.name, feed, "{error}; the process ends");
                        return self.fatal.cancel();
                    }
                }
            }
        }
    }
}
