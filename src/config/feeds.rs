//! Feeds: what of a source goes to a portal, and when.

use std::time::Duration;

use serde::Deserialize;

use super::names;
use super::schedule::{self, Schedule};
use super::shape::{Key, Scalar, Shape};

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
    /// How far a read by change time reaches back behind the last one.
    pub overlap: Duration,
    /// Most records of one request; without one the portal's `batch` counts.
    pub batch: Option<u32>,
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
    overlap: Duration,
    batch: Option<u32>,
}

/// Default of `full_every`.
const FULL_EVERY: Duration = Duration::from_secs(3600);
/// Default of `overlap`.
const OVERLAP: Duration = Duration::from_secs(300);
/// The feed that the document wants at the portal within thirty seconds: the one whose schema says that it is urgent.
pub(super) const SLOT: &str = "slot";

/// Largest batch that can be configured.
pub(super) const BATCH: Scalar = Scalar::Integer { min: 1, max: 20_000 };

/// Keys of a feed.
pub(super) const KEYS: &[Key] = &[
    Key::may("source", Shape::text(names::any)),
    Key::may("every", Shape::Scalar(Scalar::seconds(1, 31 * 24 * 3600))),
    Key::may("cron", Shape::text(schedule::cron)),
    Key::may("query", Shape::text(names::query)),
    Key::may("changed_at", Shape::text(names::column)),
    Key::or("full_every", "1h", Scalar::seconds(1, 31 * 24 * 3600)),
    Key::or("overlap", "5m", Scalar::seconds(0, 24 * 3600)),
    Key::may("batch", Shape::Scalar(BATCH)),
    Key::later("write_back", "write-back"),
];

impl FeedConfig {
    /// A feed that has no section, only a view in this source.
    pub fn without_section(feed: &str, source: &str) -> FeedConfig {
        FeedConfig {
            source: source.to_owned(),
            schedule: Schedule::Every(default_every(feed, false)),
            query: None,
            changed_at: None,
            full_every: FULL_EVERY,
            overlap: OVERLAP,
            batch: None,
        }
    }
}

/// How often a feed runs when nothing is said: slots as the document asks, or more often where only changes are read, because thirty
/// seconds are the limit from the change to the portal.
pub(super) fn default_every(feed: &str, reads_changes: bool) -> Duration {
    match (feed, reads_changes) {
        (SLOT, false) => Duration::from_secs(30),
        (SLOT, true) => Duration::from_secs(10),
        _ => Duration::from_secs(3600),
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
            overlap: section.overlap,
            batch: section.batch,
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
        let feed = FeedConfig::without_section("mo", "mis");
        assert_eq!((feed.full_every, feed.overlap), (default("full_every"), default("overlap")));
    }

    #[test]
    fn what_runs_often_by_default_is_what_the_schemas_call_urgent() {
        for schema in crate::portal::fer::SCHEMAS {
            assert_eq!(schema.feed == SLOT, schema.urgent, "{}", schema.feed);
        }
    }

    #[test]
    fn slots_run_by_the_documents_ceiling() {
        assert_eq!(FeedConfig::without_section("slot", "mis").schedule, Schedule::Every(Duration::from_secs(30)));
        assert_eq!(FeedConfig::without_section("book", "mis").schedule, Schedule::Every(Duration::from_secs(3600)));
        assert_eq!(default_every("slot", true), Duration::from_secs(10));
    }
}
