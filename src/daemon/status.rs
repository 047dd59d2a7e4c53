//! Status: what `vitrina status`, `/api/status` and the gauges of `/metrics` show.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};

use super::notices::NoticeStatus;
use super::trouble::Trouble;
use crate::ledger::{Counts, ExchangeCounts, Progress};
use crate::serve::booking::BookingStatus;
use crate::sync::{Drafts, PausedUnit, Tripped, UnitTrouble};
use crate::transport::Health;

/// Everything there is to see.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The feeds, by portal, parents first.
    pub feeds: Vec<FeedStatus>,
    /// The portals.
    pub portals: Vec<PortalStatus>,
    /// Booking, where this process answers it.
    #[serde(default)]
    pub booking: Option<BookingStatus>,
    /// What is wrong, the gravest first.
    #[serde(default)]
    pub troubles: Vec<Trouble>,
    /// How each way of telling people does.
    #[serde(default)]
    pub notices: Vec<NoticeStatus>,
    /// Since when nothing is, RFC 3339; none while something is.
    #[serde(default)]
    pub well_since: Option<String>,
}

/// One feed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeedStatus {
    /// The portal's name.
    pub portal: String,
    /// The feed's name.
    pub feed: String,
    /// `parked` (a person must act: the portal refuses the feed's address, or what its records travel in), `ok`, `behind` (records wait to be sent), `attention` (records are rejected, held or
    /// unknown, lie at the portal as drafts that it did not send on, or the fuse has tripped), `new` (never run to its end).
    pub state: String,
    /// Why it is parked, for people.
    #[serde(default)]
    pub why: Option<String>,
    /// Until when it is parked, RFC 3339.
    #[serde(default)]
    pub until: Option<String>,
    /// Age of the oldest change not yet acknowledged, in seconds.
    pub lag_seconds: u64,
    /// End of the last cycle that did all it had to, RFC 3339.
    pub last_success: Option<String>,
    /// Records the portal holds as wanted.
    pub accepted: u64,
    /// Records to be sent.
    pub pending: u64,
    /// Records that wait for a parent.
    pub held: u64,
    /// Records refused.
    pub rejected: u64,
    /// Records of unknown outcome.
    pub unknown: u64,
    /// What a tripped fuse holds back, if one has.
    pub fuse: Option<FuseStatus>,
    /// How many records of its register of exchange stand where, if it has one.
    #[serde(default)]
    pub register: Option<RegisterStatus>,
    /// True for slots: citizens see them grow stale.
    #[serde(default)]
    pub urgent: bool,
    /// The longest pause that its schedule leaves between two runs, in seconds.
    #[serde(default)]
    pub pause_seconds: Option<u64>,
    /// Why its last run could not be done: the source or the query failed.
    #[serde(default)]
    pub failing: Option<FailingStatus>,
}

/// A feed whose runs cannot be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailingStatus {
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// Why, for people.
    pub why: String,
}

/// A register of exchange, counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterStatus {
    /// To be sent, or to be sent again.
    pub ready: u64,
    /// Taken by the portal, to be confirmed.
    pub sent: u64,
    /// Done.
    pub confirmed: u64,
    /// Turned down.
    pub refused: u64,
    /// Sent, and nobody knows what became of them.
    pub unknown: u64,
    /// To be written back to the source, in whatever state.
    pub write_back: u64,
    /// Of those sent: went out signed, and the portal kept them as drafts. A person must send them on from the site.
    #[serde(default)]
    pub drafts: u64,
    /// When the oldest of these was sent, RFC 3339.
    #[serde(default)]
    pub drafts_since: Option<String>,
}

impl From<ExchangeCounts> for RegisterStatus {
    fn from(counts: ExchangeCounts) -> Self {
        let ExchangeCounts { ready, sent, confirmed, refused, unknown, write_back } = counts;
        RegisterStatus { ready, sent, confirmed, refused, unknown, write_back, drafts: 0, drafts_since: None }
    }
}

/// A fuse that has tripped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FuseStatus {
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// Records whose rows are gone.
    pub removals: u64,
    /// What would be removed, for people.
    pub reason: String,
}

/// One portal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PortalStatus {
    /// Its name.
    pub portal: String,
    /// `open`, `paused`, `parked` (a person must act), `stopped` (no daemon runs), `waiting` (the daemon starts, and waits for what `why` says).
    pub state: String,
    /// Until when, RFC 3339.
    pub until: Option<String>,
    /// Why, for people.
    pub why: Option<String>,
    /// What has been wrong with it since its last answer that passed, a pause that is over included.
    #[serde(default)]
    pub incident: Option<IncidentStatus>,
    /// How many units are paused.
    pub units_paused: usize,
    /// Which.
    #[serde(default)]
    pub units: Vec<UnitStatus>,
}

/// A portal that has not been well since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentStatus {
    /// Since when, RFC 3339.
    pub since: Option<String>,
    /// True when it refuses the account and a person must act; false when it is down.
    pub refused: bool,
    /// Why, for people.
    pub why: String,
}

/// A unit whose records wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitStatus {
    /// Its key.
    pub unit: String,
    /// Until when, RFC 3339. In the past: one of its records is about to be tried alone.
    pub until: Option<String>,
    /// Why, for people.
    pub why: String,
    /// True when the portal has blocked it; false when it is paused before the portal does.
    #[serde(default)]
    pub blocked: bool,
}

impl From<&PausedUnit> for UnitStatus {
    fn from(paused: &PausedUnit) -> Self {
        UnitStatus {
            unit: paused.unit.to_string(),
            until: rfc3339(paused.until),
            why: paused.why.to_string(),
            blocked: paused.why == UnitTrouble::Blocked,
        }
    }
}

impl FeedStatus {
    /// A feed with these numbers at `now`.
    pub fn new(portal: &str, feed: &str, counts: &Counts, progress: &Progress, now: i64) -> Self {
        let state = if counts.rejected + counts.held + counts.unknown > 0 {
            "attention"
        } else if progress.last_success.is_none() {
            "new"
        } else if counts.pending > 0 {
            "behind"
        } else {
            "ok"
        };
        FeedStatus {
            portal: portal.to_owned(),
            feed: feed.to_owned(),
            state: state.to_owned(),
            why: None,
            until: None,
            lag_seconds: counts.oldest_pending.map_or(0, |since| now.saturating_sub(since).max(0).unsigned_abs()),
            last_success: progress.last_success.and_then(rfc3339),
            accepted: counts.accepted,
            pending: counts.pending,
            held: counts.held,
            rejected: counts.rejected,
            unknown: counts.unknown,
            fuse: None,
            register: None,
            urgent: false,
            pause_seconds: None,
            failing: None,
        }
    }

    /// The same feed with its timetable, and why its last run could not be done, if it could not.
    pub fn timed(self, urgent: bool, pause: Option<Duration>, failing: Option<(i64, String)>) -> Self {
        let failing = failing.map(|(since, why)| FailingStatus { since: rfc3339(since), why });
        FeedStatus { urgent, pause_seconds: pause.map(|pause| pause.as_secs()), failing, ..self }
    }

    /// The same feed with what its fuse holds back.
    pub fn fused(mut self, fuse: Option<FuseStatus>) -> Self {
        if fuse.is_some() {
            self.state = "attention".to_owned();
        }
        self.fuse = fuse;
        self
    }

    /// The same feed with the numbers of its register.
    pub fn registered(self, counts: Option<ExchangeCounts>) -> Self {
        FeedStatus { register: counts.map(RegisterStatus::from), ..self }
    }

    /// The same feed with the drafts that lie at the portal.
    pub fn drafted(mut self, drafts: Drafts) -> Self {
        if let Some(register) = self.register.as_mut().filter(|_| drafts.count > 0) {
            register.drafts = drafts.count;
            register.drafts_since = drafts.oldest.and_then(rfc3339);
            self.state = "attention".to_owned();
        }
        self
    }

    /// The same feed, parked.
    pub fn parked(self, until: i64, why: String) -> Self {
        FeedStatus { state: "parked".to_owned(), why: Some(why), until: rfc3339(until), ..self }
    }
}

impl FuseStatus {
    /// A fuse as it is shown.
    pub fn of(fuse: &Tripped) -> Self {
        FuseStatus { since: rfc3339(fuse.since), removals: fuse.removals(), reason: fuse.reason() }
    }
}

impl PortalStatus {
    /// A portal that does like this.
    pub fn new(portal: &str, health: &Health, units: &[PausedUnit]) -> Self {
        let (state, until, why) = match health {
            Health::Open => ("open", None, None),
            Health::Paused { until, why, .. } => ("paused", Some(*until), Some(why.clone())),
            Health::Parked { until, why } => ("parked", Some(*until), Some(why.clone())),
        };
        PortalStatus {
            portal: portal.to_owned(),
            state: state.to_owned(),
            until: until.and_then(rfc3339),
            why,
            incident: None,
            units_paused: units.len(),
            units: units.iter().map(UnitStatus::from).collect(),
        }
    }

    /// The same portal with what has been wrong with it since its last answer that passed.
    pub fn since(self, incident: Option<(i64, &Health)>) -> Self {
        let incident = incident.and_then(|(since, health)| match health {
            Health::Open => None,
            Health::Paused { why, .. } => {
                Some(IncidentStatus { since: rfc3339(since), refused: false, why: why.clone() })
            }
            Health::Parked { why, .. } => {
                Some(IncidentStatus { since: rfc3339(since), refused: true, why: why.clone() })
            }
        });
        PortalStatus { incident, ..self }
    }

    /// A portal of a daemon that is not up yet.
    pub fn waiting(portal: &str, why: &str) -> Self {
        let open = PortalStatus::new(portal, &Health::Open, &[]);
        PortalStatus { state: "waiting".to_owned(), why: Some(why.to_owned()), ..open }
    }

    /// A portal that no daemon serves at the moment, with the units that the ledger remembers as paused.
    pub fn stopped(portal: &str, units: &[PausedUnit]) -> Self {
        PortalStatus { state: "stopped".to_owned(), ..PortalStatus::new(portal, &Health::Open, units) }
    }
}

pub(super) fn rfc3339(seconds: i64) -> Option<String> {
    DateTime::from_timestamp(seconds, 0).map(|moment| moment.to_rfc3339_opts(SecondsFormat::Secs, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Key;

    fn state(counts: Counts, last_success: Option<i64>) -> String {
        let progress = Progress { last_success, ..Progress::default() };
        FeedStatus::new("fer", "slot", &counts, &progress, 100).state
    }

    #[test]
    fn a_parked_feed_says_why() {
        let feed = FeedStatus::new("fer", "slot", &Counts::default(), &Progress::default(), 0).parked(60, "x".into());
        assert_eq!((feed.state.as_str(), feed.why.as_deref()), ("parked", Some("x")));
        assert_eq!(feed.until.as_deref(), Some("1970-01-01T00:01:00Z"));
    }

    #[test]
    fn a_register_is_shown_where_there_is_one() {
        let feed = FeedStatus::new("sout", "training", &Counts::default(), &Progress::default(), 0);
        let shown = feed.registered(Some(ExchangeCounts { sent: 2, write_back: 1, ..ExchangeCounts::default() }));
        assert_eq!(
            serde_json::to_value(shown.register).unwrap(),
            serde_json::json!({"ready": 0, "sent": 2, "confirmed": 0, "refused": 0, "unknown": 0, "write_back": 1,
                               "drafts": 0, "drafts_since": null})
        );
    }

    #[test]
    fn drafts_that_were_not_sent_on_need_a_person() {
        let progress = Progress { last_success: Some(1), ..Progress::default() };
        let feed = FeedStatus::new("sout", "training", &Counts::default(), &progress, 0);
        let feed = feed.registered(Some(ExchangeCounts { sent: 2, ..ExchangeCounts::default() }));
        assert_eq!(feed.clone().drafted(Drafts::default()).state, "ok");
        let feed = feed.drafted(Drafts { count: 2, oldest: Some(60), ..Drafts::default() });
        let register = feed.register.unwrap();
        assert_eq!((feed.state.as_str(), register.drafts), ("attention", 2));
        assert_eq!(register.drafts_since.as_deref(), Some("1970-01-01T00:01:00Z"));
    }

    #[test]
    fn paused_units_are_listed_beside_their_number() {
        let why = UnitTrouble::Budget { refused: 101, window: 3600 };
        let unit = PausedUnit { unit: Key::parse("u"), until: 60, why, times: 1 };
        let portal = PortalStatus::stopped("fer", &[unit]);
        assert_eq!((portal.units_paused, portal.state.as_str()), (1, "stopped"));
        assert_eq!(
            serde_json::to_value(&portal.units).unwrap(),
            serde_json::json!([{
                "unit": "u",
                "until": "1970-01-01T00:01:00Z",
                "why": "the portal refused 101 of its records within 1h",
                "blocked": false,
            }])
        );
    }

    #[test]
    fn what_needs_a_person_is_told_before_what_needs_time() {
        assert_eq!(state(Counts { held: 1, pending: 1, ..Counts::default() }, Some(1)), "attention");
        assert_eq!(state(Counts { pending: 1, ..Counts::default() }, Some(1)), "behind");
        assert_eq!(state(Counts::default(), None), "new");
        assert_eq!(state(Counts::default(), Some(1)), "ok");
    }
}
