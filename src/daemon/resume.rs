//! Resuming: which feeds look at their database as soon as a portal that rested lets requests pass. Urgent ones first; the others once an
//! urgent one has got through, so that they do not stand in its way.

use std::collections::{BTreeMap, BTreeSet};

/// Feeds that wait for their portals.
#[derive(Debug, Default)]
pub(super) struct Resuming {
    portals: BTreeMap<String, Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Feeds that were skipped or cut short; true for urgent ones.
    feeds: BTreeMap<&'static str, bool>,
    /// Urgent feeds that were sent ahead and have not come through yet.
    ahead: BTreeSet<&'static str>,
}

impl Resuming {
    /// A cycle was skipped or cut short because the portal rests.
    pub(super) fn wait(&mut self, portal: &str, feed: &'static str, urgent: bool) {
        let waiting = self.portals.entry(portal.to_owned()).or_default();
        waiting.ahead.remove(feed);
        waiting.feeds.insert(feed, urgent);
    }

    /// A cycle ended otherwise: the portal let it through, or it never came to the portal.
    pub(super) fn came_through(&mut self, portal: &str, feed: &'static str) {
        if let Some(waiting) = self.portals.get_mut(portal) {
            waiting.ahead.remove(feed);
            waiting.feeds.remove(feed);
        }
    }

    /// The feeds that are to be poked now. `lets_pass` says whether requests of a feed may go out.
    pub(super) fn pokes(&mut self, portal: &str, lets_pass: impl Fn(&'static str) -> bool) -> Vec<&'static str> {
        let Some(waiting) = self.portals.get_mut(portal) else { return Vec::new() };
        let ready = waiting.feeds.iter().filter(|(feed, _)| lets_pass(feed));
        let (urgent, others): (Vec<_>, Vec<_>) = ready.map(|(feed, urgent)| (*feed, *urgent)).partition(|(_, is)| *is);
        let poked = if !urgent.is_empty() {
            waiting.ahead.extend(urgent.iter().map(|(feed, _)| *feed));
            urgent
        } else if waiting.ahead.is_empty() {
            others
        } else {
            return Vec::new();
        };
        let poked: Vec<&'static str> = poked.into_iter().map(|(feed, _)| feed).collect();
        waiting.feeds.retain(|feed, _| !poked.contains(feed));
        poked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resting(feeds: &[(&'static str, bool)]) -> Resuming {
        let mut resuming = Resuming::default();
        feeds.iter().for_each(|(feed, urgent)| resuming.wait("fer", feed, *urgent));
        resuming
    }

    #[test]
    fn nobody_is_poked_while_the_portal_rests() {
        let mut resuming = resting(&[("mo", false), ("slot", true)]);
        assert!(resuming.pokes("fer", |_| false).is_empty());
        assert!(resuming.pokes("other", |_| true).is_empty());
    }

    #[test]
    fn urgent_feeds_go_ahead_and_the_others_follow_once_they_are_through() {
        let mut resuming = resting(&[("mo", false), ("book", false), ("slot", true)]);
        assert_eq!(resuming.pokes("fer", |_| true), ["slot"]);
        assert!(resuming.pokes("fer", |_| true).is_empty(), "slots are on their way");
        resuming.came_through("fer", "slot");
        assert_eq!(resuming.pokes("fer", |_| true), ["book", "mo"]);
        assert!(resuming.pokes("fer", |_| true).is_empty(), "once is enough");
    }

    #[test]
    fn an_urgent_feed_that_meets_the_next_rest_waits_again_with_the_others_behind_it() {
        let mut resuming = resting(&[("mo", false), ("slot", true)]);
        assert_eq!(resuming.pokes("fer", |_| true), ["slot"]);
        resuming.wait("fer", "slot", true);
        assert!(resuming.pokes("fer", |_| false).is_empty());
        assert_eq!(resuming.pokes("fer", |_| true), ["slot"]);
    }

    #[test]
    fn without_an_urgent_feed_all_go_at_once() {
        assert_eq!(resting(&[("mo", false), ("book", false)]).pokes("fer", |_| true), ["book", "mo"]);
    }

    #[test]
    fn an_urgent_feed_that_is_parked_by_itself_holds_nobody_up() {
        let mut resuming = resting(&[("mo", false), ("slot", true)]);
        assert_eq!(resuming.pokes("fer", |feed| feed != "slot"), ["mo"]);
        assert_eq!(resuming.pokes("fer", |_| true), ["slot"]);
    }

    #[test]
    fn a_feed_that_ran_meanwhile_is_not_poked() {
        let mut resuming = resting(&[("mo", false)]);
        resuming.came_through("fer", "mo");
        assert!(resuming.pokes("fer", |_| true).is_empty());
    }
}
