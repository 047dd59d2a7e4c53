//! The causes of each kind of trouble, one function a kind.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::DateTime;

use super::find::{Found, Snapshot};
use super::known::Known;
use super::stuck::Stuck;
use super::{Told, TroubleKind, words};
use crate::daemon::status::{FeedStatus, PortalStatus, UnitStatus};
use crate::record::{Actor, Phrase};

/// How long a portal may be down before somebody is asked to act: a restart or a night's maintenance goes by itself. In seconds.
const PATIENCE: i64 = 15 * 60;
/// What slots, and what other feeds, may be late beyond three of their pauses.
const URGENT_SLACK: Duration = Duration::from_secs(5 * 60);
const SLACK: Duration = Duration::from_secs(30 * 60);
/// How long an outcome of a booking may be unknown before a person looks. In seconds.
const UNCERTAIN: i64 = 5 * 60;
/// From so many failed answers on, and from this part of all on, citizens cannot book.
const FAILURES: u64 = 5;
const FAILED_PART: u64 = 5;
/// Less room than this is too little: a rewrite of the journal needs as much as it holds.
const LEAST_SPACE: u64 = 500 << 20;

/// What concerns the process as a whole: its ledger and bookings.
pub(super) fn of_process(snapshot: &Snapshot<'_>) -> Vec<Found> {
    [disk(snapshot), uncertain(snapshot), bookings_fail(snapshot)].into_iter().flatten().collect()
}

fn of_process_itself(kind: TroubleKind, code: &str, count: u64, text: Told, remedy: Told) -> Found {
    Found {
        kind,
        portal: None,
        feed: None,
        code: Some(code.to_owned()),
        about: code.to_owned(),
        count,
        who: Actor::Operator,
        text,
        remedy,
        since: None,
    }
}

fn disk(snapshot: &Snapshot<'_>) -> Option<Found> {
    let space = snapshot.space.filter(|space| space.free < LEAST_SPACE)?;
    let text = Told::of(words::LEDGER_DISK, &[&(space.free >> 20)]);
    let remedy = Told::of(words::LEDGER_DISK_REMEDY, &[]);
    Some(of_process_itself(TroubleKind::Ledger, "DISK", 1, text, remedy))
}

fn uncertain(snapshot: &Snapshot<'_>) -> Option<Found> {
    let since = |text: &Option<String>| seconds(text.as_deref()?);
    let since = |uncertain: &crate::serve::booking::UncertainStatus| since(&uncertain.since).unwrap_or(snapshot.now);
    let all = snapshot.status.booking.iter().flat_map(|booking| &booking.uncertain);
    let old: Vec<i64> = all.map(since).filter(|since| snapshot.now - since >= UNCERTAIN).collect();
    let first = *old.iter().min()?;
    let text = Told::of(words::BOOKING_UNCERTAIN, &[&old.len()]);
    let remedy = Told::of(words::BOOKING_UNCERTAIN_REMEDY, &[]);
    let found = of_process_itself(TroubleKind::Booking, "UNCERTAIN", old.len() as u64, text, remedy);
    Some(Found { since: Some(first), ..found })
}

fn bookings_fail(snapshot: &Snapshot<'_>) -> Option<Found> {
    let rate = snapshot.booking?;
    if rate.failed < FAILURES || rate.failed * FAILED_PART < rate.answered {
        return None;
    }
    let text = Told::of(words::BOOKING_FAILS, &[&rate.answered, &rate.failed]);
    let remedy = Told::of(words::BOOKING_FAILS_REMEDY, &[]);
    Some(of_process_itself(TroubleKind::Booking, "18", rate.failed, text, remedy))
}

/// What concerns a portal as a whole, and its units.
pub(super) fn of_portal(snapshot: &Snapshot<'_>, portal: &PortalStatus, known: &Known) -> Vec<Found> {
    let own = refused_or_down(portal).map(|found| asks_nobody_yet(found, known, snapshot.now));
    own.into_iter().chain(portal.units.iter().map(|unit| unit_waits(portal, unit))).collect()
}

fn refused_or_down(portal: &PortalStatus) -> Option<Found> {
    let incident = portal.incident.as_ref()?;
    let name = &portal.portal;
    let (kind, who, text, remedy) = if incident.refused {
        (TroubleKind::PortalRefused, Actor::Operator, words::PORTAL_REFUSED, words::PORTAL_REFUSED_REMEDY)
    } else {
        (TroubleKind::PortalDown, Actor::Portal, words::PORTAL_DOWN, words::PORTAL_DOWN_REMEDY)
    };
    Some(Found {
        kind,
        portal: Some(name.clone()),
        feed: None,
        code: None,
        about: String::new(),
        count: 1,
        who,
        text: Told::of(text, &[name, &unended(&incident.why)]),
        remedy: Told::of(remedy, &[name]),
        since: incident.since.as_deref().and_then(seconds),
    })
}

/// A portal that has been down for a short time is nobody's work yet.
fn asks_nobody_yet(found: Found, known: &Known, now: i64) -> Found {
    let since = found.since.into_iter().chain(known.since(&found.cause())).min().unwrap_or(now);
    if found.kind == TroubleKind::PortalDown && now - since < PATIENCE {
        return Found { who: Actor::Nobody, remedy: Told::of(words::PORTAL_DOWN_WAIT, &[]), ..found };
    }
    found
}

fn unit_waits(portal: &PortalStatus, unit: &UnitStatus) -> Found {
    let (code, who, text, remedy) = if unit.blocked {
        ("405", Actor::Portal, words::UNIT_BLOCKED, words::UNIT_BLOCKED_REMEDY)
    } else {
        ("BUDGET", Actor::Data, words::UNIT_PAUSED, words::UNIT_PAUSED_REMEDY)
    };
    Found {
        kind: TroubleKind::UnitBlocked,
        portal: Some(portal.portal.clone()),
        feed: None,
        code: Some(code.to_owned()),
        about: format!("{code}/{}", unit.unit),
        count: 1,
        who,
        text: Told::of(text, &[&unit.unit]),
        remedy: Told::of(remedy, &[&portal.portal]),
        since: None,
    }
}

/// What concerns feeds: parked ones, fuses, drafts, and those that are late.
pub(super) fn of_feeds(snapshot: &Snapshot<'_>) -> Vec<Found> {
    let feeds = || snapshot.status.feeds.iter();
    let mut found: Vec<Found> = feeds().flat_map(|feed| [parked(feed), fuse(feed), drafts(feed)]).flatten().collect();
    let mut unread: BTreeMap<(&str, &str), Found> = BTreeMap::new();
    for feed in feeds().filter(|feed| is_on_its_own(snapshot, feed)) {
        match &feed.failing {
            // A database that is away is one cause, however many feeds it has.
            Some(failing) => match unread.get_mut(&(feed.portal.as_str(), failing.why.as_str())) {
                Some(cause) => *cause = also_unread(cause, feed),
                None => {
                    unread.extend(is_unread(snapshot, feed).map(|cause| ((&*feed.portal, &*failing.why), cause)));
                }
            },
            None => found.extend(is_late(snapshot, feed)),
        }
    }
    found.extend(unread.into_values());
    found
}

fn of_feed(kind: TroubleKind, feed: &FeedStatus, who: Actor, text: Told, remedy: Phrase) -> Found {
    Found {
        kind,
        portal: Some(feed.portal.clone()),
        feed: Some(feed.feed.clone()),
        code: None,
        about: feed.feed.clone(),
        count: 1,
        who,
        text,
        remedy: Told::of(remedy, &[&name(feed)]),
        since: None,
    }
}

fn parked(feed: &FeedStatus) -> Option<Found> {
    let why = feed.why.as_ref()?;
    let text = Told::of(words::FEED_PARKED, &[&name(feed), &unended(why)]);
    Some(of_feed(TroubleKind::PortalRefused, feed, Actor::Mapping, text, words::FEED_PARKED_REMEDY))
}

fn fuse(feed: &FeedStatus) -> Option<Found> {
    let fuse = feed.fuse.as_ref()?;
    let text = Told::of(words::FUSE, &[&name(feed), &fuse.removals]);
    let found = of_feed(TroubleKind::Fuse, feed, Actor::Operator, text, words::FUSE_REMEDY);
    Some(Found { count: fuse.removals, since: fuse.since.as_deref().and_then(seconds), ..found })
}

fn drafts(feed: &FeedStatus) -> Option<Found> {
    let register = feed.register.as_ref().filter(|register| register.drafts > 0)?;
    let text = Told::of(words::DRAFTS, &[&name(feed), &register.drafts]);
    let found = of_feed(TroubleKind::Rejected, feed, Actor::Operator, text, words::DRAFTS_REMEDY);
    let since = register.drafts_since.as_deref().and_then(seconds);
    let about = format!("{}/DRAFT", feed.feed);
    Some(Found { code: Some("DRAFT".to_owned()), about, count: register.drafts, since, ..found })
}

/// False for a feed whose lateness follows from another trouble: its portal's, its own parking, a unit's.
fn is_on_its_own(snapshot: &Snapshot<'_>, feed: &FeedStatus) -> bool {
    let portal = snapshot.status.portals.iter().find(|portal| portal.portal == feed.portal);
    let is_well =
        |portal: &PortalStatus| portal.state == "open" && portal.incident.is_none() && portal.units.is_empty();
    feed.why.is_none() && portal.is_some_and(is_well)
}

/// How late the feed may be, in seconds.
fn limit(feed: &FeedStatus) -> i64 {
    let slack = if feed.urgent { URGENT_SLACK } else { SLACK };
    let pause = Duration::from_secs(feed.pause_seconds.unwrap_or_default());
    i64::try_from((3 * pause + slack).as_secs()).unwrap_or(i64::MAX)
}

/// A feed whose source has failed for longer than the feed may be late.
fn is_unread(snapshot: &Snapshot<'_>, feed: &FeedStatus) -> Option<Found> {
    let failing = feed.failing.as_ref()?;
    let begun = failing.since.as_deref().and_then(seconds);
    let since = feed.last_success.as_deref().and_then(seconds).or(begun)?;
    if snapshot.now - since < limit(feed) {
        return None;
    }
    let text = Told::of(words::SOURCE_FAILS, &[&name(feed), &unended(&failing.why)]);
    let found = of_feed(TroubleKind::Freshness, feed, Actor::Operator, text, words::SOURCE_FAILS_REMEDY);
    // The same cause when more feeds join it.
    let about = format!("SOURCE/{}", failing.why);
    Some(Found { code: Some("SOURCE".to_owned()), about, since: begun.or(Some(since)), ..found })
}

/// The same cause with one more feed: it is the portal's then.
fn also_unread(cause: &Found, feed: &FeedStatus) -> Found {
    let why = feed.failing.as_ref().map(|failing| failing.why.as_str()).unwrap_or_default();
    Found {
        feed: None,
        portal: cause.portal.clone(),
        code: cause.code.clone(),
        about: cause.about.clone(),
        count: cause.count + 1,
        text: Told::of(words::SOURCE_FAILS, &[&feed.portal, &unended(why)]),
        remedy: cause.remedy.clone(),
        ..*cause
    }
}

fn is_late(snapshot: &Snapshot<'_>, feed: &FeedStatus) -> Option<Found> {
    let limit = limit(feed);
    if feed.pending > 0 && i64::try_from(feed.lag_seconds).unwrap_or(i64::MAX) >= limit {
        let text = Told::of(words::BEHIND, &[&name(feed), &feed.pending]);
        let found = of_feed(TroubleKind::Freshness, feed, Actor::Operator, text, words::BEHIND_REMEDY);
        let since = snapshot.now.checked_sub_unsigned(feed.lag_seconds);
        let about = format!("{}/LAG", feed.feed);
        return Some(Found { code: Some("LAG".to_owned()), about, count: feed.pending, since, ..found });
    }
    let last = feed.last_success.as_deref().and_then(seconds)?;
    // Without a timetable nobody knows when it should have run.
    if feed.pause_seconds.is_none() || feed.lag_seconds > 0 || snapshot.now - last < limit {
        return None;
    }
    let text = Told::of(words::SILENT, &[&name(feed)]);
    let found = of_feed(TroubleKind::Freshness, feed, Actor::Operator, text, words::SILENT_REMEDY);
    let about = format!("{}/SILENT", feed.feed);
    Some(Found { code: Some("SILENT".to_owned()), about, since: Some(last), ..found })
}

/// Records that do not flow.
pub(super) fn stuck(stuck: &Stuck) -> Found {
    let place = format!("{}.{}", stuck.portal, stuck.feed);
    let fault = match (&stuck.field, stuck.rule) {
        (Some(field), Some(rule)) => format!("{} {field}: {}", stuck.code, rule.name()),
        (Some(_) | None, _) => stuck.code.clone(),
    };
    let said = if stuck.unknown { words::UNKNOWN } else { words::REJECTED };
    let told = |phrase: Phrase| Told::of(phrase, &[]);
    Found {
        kind: TroubleKind::Rejected,
        portal: Some(stuck.portal.clone()),
        feed: Some(stuck.feed.clone()),
        code: Some(stuck.code.clone()),
        // One code may stand for several faults, each with a remedy of its own.
        about: format!("{}/{fault}/{}", stuck.feed, stuck.remedy.meaning.en),
        count: stuck.count,
        who: stuck.remedy.actor,
        text: Told::of(said, &[&place, &fault, &stuck.count]).and(&told(stuck.remedy.meaning)),
        remedy: told(stuck.remedy.action).and(&Told::of(words::SEE_REJECTS, &[&place])),
        since: Some(stuck.since),
    }
}

fn name(feed: &FeedStatus) -> String {
    format!("{}.{}", feed.portal, feed.feed)
}

/// A text that is to end a sentence which has its own full stop.
fn unended(text: &str) -> &str {
    text.trim_end_matches(['.', ' '])
}

/// RFC 3339 as seconds since 1970-01-01T00:00:00Z.
fn seconds(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.timestamp())
}
