//! Whether the demo came out right: every portal against the hospital, and against the daemon's register of exchange.

use std::path::Path;

use anyhow::Result;

use crate::daemon::{FeedStatus, RegisterStatus, Status};
use crate::demo::feed::Feed;
use crate::demo::hospital::{Differences, Expected, Hospital, compare};
use crate::demo::mocks::Mocks;

/// Where portals, register and hospital differ. What the gateway should hold is given; what the offices say is asked, because it tells
/// what the portals' receipts brought back.
pub(super) async fn differences(
    hospital: &Hospital,
    mocks: &Mocks,
    papers: &Path,
    status: &Status,
    expected: &Expected,
) -> Result<Differences> {
    let mut differences = compare(expected, |subsystem| mocks.fer().snapshot(subsystem));
    for (feed, wanted) in hospital.expected_of_offices(papers).await? {
        differences.compare(feed, &wanted, &mocks.held(feed, &wanted));
        let register = status_of(feed, status).and_then(|known| known.register.as_ref());
        differences.unconfirmed(feed, unconfirmed(register, wanted.len() as u64));
    }
    Ok(differences)
}

/// What the daemon says of a feed.
pub(super) fn status_of(feed: Feed, status: &Status) -> Option<&FeedStatus> {
    status.feeds.iter().find(|known| known.portal == feed.portal() && known.feed == feed.name())
}

/// How many records a register does not call confirmed, or has yet to write back. Rows of what was withdrawn stay in it as confirmed.
fn unconfirmed(register: Option<&RegisterStatus>, wanted: u64) -> u64 {
    register.map_or(wanted, |register| {
        let open = register.ready + register.sent + register.refused + register.unknown;
        open.max(register.write_back).max(wanted.saturating_sub(register.confirmed))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_is_done_when_all_is_confirmed_and_written_back() {
        let done = RegisterStatus {
            ready: 0,
            sent: 0,
            confirmed: 8,
            refused: 0,
            unknown: 0,
            write_back: 0,
            drafts: 0,
            drafts_since: None,
        };
        assert_eq!(unconfirmed(Some(&done), 7), 0, "what was withdrawn stays in it");
        assert_eq!(unconfirmed(Some(&done), 9), 1);
        assert_eq!(unconfirmed(Some(&RegisterStatus { sent: 2, ..done.clone() }), 8), 2);
        assert_eq!(unconfirmed(Some(&RegisterStatus { write_back: 3, ..done }), 8), 3);
        assert_eq!(unconfirmed(None, 4), 4, "no register, no confirmation");
    }
}
