//! Feeds: what of a source goes to a portal, and when.

use std::time::Duration;

use serde::Deserialize;

use super::names;
use super::portals::PortalKind;
use super::schedule::{self, Schedule};
use super::shape::{Key, Scalar, Shape, Texts};

/// One feed of a portal.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Section")]
pub struct FeedConfig {
    /// Name of the source.
    pub source: String,
    /// When it runs by itself.
    pub schedule: Schedule,
    /// The statement that gives its rows; without one a view is read.
    pub query: Option<String>,
    /// Column with the change time; without one every run reads every row.
    pub changed_at: Option<String>,
    /// Longest time between two full scans when `changed_at` is set.
    pub full_every: Duration,
    /// How often, between full scans, all keys are read when `changed_at` is set, so that a row that vanished is noticed.
    pub sweep_every: Duration,
    /// How far a read by change time reaches back behind the last one.
    pub overlap: Duration,
    /// Most records of one request; without one the portal's `batch` counts.
    pub batch: Option<u32>,
    /// Statements that write what the portal gave back for a record into the source, in one transaction.
    pub write_back: Option<Vec<String>>,
}

/// A feed's section as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    source: String,
    #[serde(default, with = "humantime_serde")]
    every: Option<Duration>,
    cron: Option<String>,
    query: Option<String>,
    changed_at: Option<String>,
    #[serde(with = "humantime_serde")]
    full_every: Duration,
    #[serde(with = "humantime_serde")]
    sweep_every: Duration,
    #[serde(with = "humantime_serde")]
    overlap: Duration,
    batch: Option<u32>,
    write_back: Option<Vec<String>>,
}

/// When a feed runs unless its section says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usual {
    /// So long after the last time.
    Every(Duration),
    /// At the times of this cron expression.
    Cron(&'static str),
}

/// Default of `full_every`.
const FULL_EVERY: Duration = Duration::from_secs(3600);
/// Default of `overlap`.
const OVERLAP: Duration = Duration::from_secs(300);
/// The feed that the document wants at the portal within thirty seconds: the one whose schema says that it is urgent.
pub(super) const SLOT: &str = "slot";

/// Largest batch that can be configured for any portal.
pub(super) const LARGEST_BATCH: u32 = 20_000;
/// A batch; what a kind of portal can carry is looked at later.
pub(super) const BATCH: Scalar = Scalar::Integer { min: 1, max: LARGEST_BATCH as i64 };
/// A night's hour at which registers that are filled once a day are sent to.
const NIGHTLY: &str = "0 30 1 * * *";
/// Most statements of one transaction.
const MOST_STATEMENTS: usize = 16;

/// Keys of a feed.
pub(super) const KEYS: &[Key] = &[
    Key::may("source", Shape::text(names::any)),
    Key::may("every", Shape::Scalar(Scalar::seconds(1, 31 * 24 * 3600))),
    Key::may("cron", Shape::text(schedule::cron)),
    Key::may("query", Shape::text(names::query)),
    Key::may("changed_at", Shape::text(names::column)),
    Key::or("full_every", "1h", Scalar::seconds(1, 31 * 24 * 3600)),
    Key::may("sweep_every", Shape::Scalar(Scalar::seconds(1, 31 * 24 * 3600))),
    Key::or("overlap", "5m", Scalar::seconds(0, 24 * 3600)),
    Key::may("batch", Shape::Scalar(BATCH)),
    Key::may("write_back", Shape::Texts(Texts { check: names::statement, alone: true, most: MOST_STATEMENTS })),
];

/// What the statements of `write_back` are filled with.
pub fn write_back_parameters(kind: PortalKind) -> &'static [&'static str] {
    match kind {
        PortalKind::Sout => {
            &["key", "remote_id", "status", "portal_status", "reason", "url", "base_no", "set_id", "registered_at"]
        }
        PortalKind::Fer | PortalKind::Nmo | PortalKind::Pos | PortalKind::Ekdo => {
            &["key", "remote_id", "status", "portal_status", "reason", "url"]
        }
    }
}

impl FeedConfig {
    /// A feed that has no section, only a view in this source.
    pub fn without_section(kind: PortalKind, feed: &str, source: &str) -> FeedConfig {
        FeedConfig {
            source: source.to_owned(),
            schedule: usual(kind, feed, false).schedule(),
            query: None,
            changed_at: None,
            full_every: FULL_EVERY,
            sweep_every: sweep_every(kind, feed),
            overlap: OVERLAP,
            batch: None,
            write_back: None,
        }
    }
}

/// The longest time that the document allows from the change of a slot to the portal.
pub(super) const SLOT_LIMIT: Duration = Duration::from_secs(30);
/// How often every other feed of FER is to be at the portal, by the document.
pub(super) const FEED_LIMIT: Duration = Duration::from_secs(3600);

/// When a feed runs when nothing is said: slots as the document asks, or more often where only changes are read, because thirty
/// seconds are the limit from the change to the portal; sets of training records at night, everything else every hour.
pub(super) fn usual(kind: PortalKind, feed: &str, reads_changes: bool) -> Usual {
    match (kind, feed) {
        (PortalKind::Fer, SLOT) if reads_changes => Usual::Every(Duration::from_secs(10)),
        (PortalKind::Fer, SLOT) => Usual::Every(SLOT_LIMIT),
        (PortalKind::Sout, _) => Usual::Cron(NIGHTLY),
        _ => Usual::Every(Duration::from_secs(3600)),
    }
}

/// Default of `sweep_every`: a slot that was deleted must not be bookable for longer than one that was changed.
pub(super) fn sweep_every(kind: PortalKind, feed: &str) -> Duration {
    match (kind, feed) {
        (PortalKind::Fer, SLOT) => SLOT_LIMIT,
        _ => Duration::from_secs(300),
    }
}

impl Usual {
    /// As a schedule.
    fn schedule(self) -> Schedule {
        match self {
            Usual::Every(every) => Schedule::Every(every),
            // A test reads the expression; a day is what it comes to.
            Usual::Cron(cron) => cron.parse().unwrap_or(Schedule::Every(Duration::from_secs(24 * 3600))),
        }
    }
}

impl TryFrom<Section> for FeedConfig {
    type Error = String;

    fn try_from(section: Section) -> Result<Self, String> {
        let schedule = match (section.every, section.cron) {
            (Some(every), None) => Schedule::Every(every),
            (None, Some(cron)) => cron.parse().map_err(|error: schedule::ScheduleError| error.to_string())?,
            (Some(_), Some(_)) | (None, None) => return Err("a feed has either every or cron".into()),
        };
        Ok(FeedConfig {
            source: section.source,
            schedule,
            query: section.query,
            changed_at: section.changed_at,
            full_every: section.full_every,
            sweep_every: section.sweep_every,
            overlap: section.overlap,
            batch: section.batch,
            write_back: section.write_back,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::shape::Need;
    use humantime_serde::re::humantime::parse_duration;

    #[test]
    fn a_feed_without_a_section_has_the_defaults_of_the_keys() {
        let default = |name: &str| {
            let key = KEYS.iter().find(|key| key.name == name).expect("a key");
            let Need::Default(text) = key.need else { panic!("{name} has no default") };
            parse_duration(text).expect("a duration")
        };
        let feed = FeedConfig::without_section(PortalKind::Fer, "mo", "mis");
        assert_eq!((feed.full_every, feed.overlap), (default("full_every"), default("overlap")));
    }

    #[test]
    fn slots_are_swept_by_the_documents_ceiling() {
        let swept = |feed| FeedConfig::without_section(PortalKind::Fer, feed, "mis").sweep_every;
        assert_eq!((swept("slot"), swept("book")), (Duration::from_secs(30), Duration::from_secs(300)));
        assert_eq!(sweep_every(PortalKind::Pos, "slot"), Duration::from_secs(300));
    }

    #[test]
    fn what_runs_often_by_default_is_what_the_schemas_call_urgent() {
        for schema in crate::portal::fer::SCHEMAS {
            assert_eq!(schema.feed == SLOT, schema.urgent, "{}", schema.feed);
        }
    }

    #[test]
    fn slots_run_by_the_documents_ceiling() {
        let fer = |feed| FeedConfig::without_section(PortalKind::Fer, feed, "mis").schedule;
        assert_eq!(fer("slot"), Schedule::Every(Duration::from_secs(30)));
        assert_eq!(fer("book"), Schedule::Every(Duration::from_secs(3600)));
        assert_eq!(usual(PortalKind::Fer, "slot", true), Usual::Every(Duration::from_secs(10)));
    }

    #[test]
    fn training_records_go_out_once_a_night_and_documents_every_hour() {
        let schedule = |kind, feed| FeedConfig::without_section(kind, feed, "mis").schedule;
        assert_eq!(schedule(PortalKind::Sout, "training"), NIGHTLY.parse().expect("a cron expression"));
        assert_eq!(schedule(PortalKind::Ekdo, "document"), Schedule::Every(Duration::from_secs(3600)));
    }
}
