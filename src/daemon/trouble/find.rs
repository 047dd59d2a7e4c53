//! Finding: from a snapshot of the process to the list of what is wrong. Pure, so that the page, the notices and the verbs cannot differ.

use chrono::DateTime;

use super::causes;
use super::known::Known;
use super::stuck::Stuck;
use super::{Told, Trouble, TroubleKind};
use crate::daemon::Status;
use crate::record::Actor;

/// Everything that the list is made from.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    /// Feeds, portals and booking.
    pub status: &'a Status,
    /// Records that do not flow, by cause.
    pub stuck: &'a [Stuck],
    /// How bookings were answered lately; none where this process answers none.
    pub booking: Option<BookingRate>,
    /// The room that the ledger's disk has; none where that cannot be told.
    pub space: Option<Space>,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub now: i64,
}

/// How bookings were answered lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BookingRate {
    /// Answers.
    pub answered: u64,
    /// Of these with the code 18.
    pub failed: u64,
}

/// The room of the ledger's disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Free bytes.
    pub free: u64,
}

/// A trouble before it is known since when it stands.
#[derive(Debug)]
pub(super) struct Found {
    pub kind: TroubleKind,
    pub portal: Option<String>,
    pub feed: Option<String>,
    pub code: Option<String>,
    /// Tells it from others of its kind and portal, the same as long as it stands.
    pub about: String,
    pub count: u64,
    pub who: Actor,
    pub text: Told,
    pub remedy: Told,
    /// What the state itself says of the time it began.
    pub since: Option<i64>,
}

impl Found {
    /// Names the cause.
    pub(super) fn cause(&self) -> String {
        [self.kind.name(), self.portal.as_deref().unwrap_or_default(), &self.about].join("/")
    }

    /// The trouble, which stands since the earlier of what its state says and what is known of it.
    fn dated(self, known: &Known, now: i64) -> Trouble {
        let cause = self.cause();
        let known = known.since(&cause);
        let since = self.since.into_iter().chain(known).min().unwrap_or(now).min(now);
        Trouble {
            kind: self.kind,
            cause,
            portal: self.portal,
            feed: self.feed,
            code: self.code,
            count: self.count,
            who: self.who,
            text: self.text,
            remedy: self.remedy,
            since: DateTime::from_timestamp(since, 0).unwrap_or_default(),
        }
    }
}

/// What is wrong, the gravest first.
pub fn troubles(snapshot: &Snapshot<'_>, known: &Known) -> Vec<Trouble> {
    let mut found = causes::of_process(snapshot);
    for portal in &snapshot.status.portals {
        found.extend(causes::of_portal(snapshot, portal, known));
    }
    found.extend(causes::of_feeds(snapshot));
    found.extend(snapshot.stuck.iter().map(causes::stuck));
    let mut troubles: Vec<Trouble> = found.into_iter().map(|found| found.dated(known, snapshot.now)).collect();
    troubles.sort_by(|one, other| {
        let rank = |trouble: &Trouble| (trouble.who == Actor::Nobody, trouble.kind, trouble.since);
        rank(one).cmp(&rank(other)).then_with(|| one.cause.cmp(&other.cause))
    });
    troubles
}
