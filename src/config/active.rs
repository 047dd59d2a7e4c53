//! Active feeds: which feeds are on, and what each reads. A feed is on when it has a section, or when a source has its default view.
//!
//! Which views exist only the sources know. The question and the decision are pure; asking is left to the caller.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;

use super::Config;
use super::feeds::FeedConfig;
use super::portals::{PortalConfig, PortalKind};
use super::problem::Problems;

/// A table or view of a source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relation {
    /// The source's name.
    pub source: String,
    /// The relation's name.
    pub name: String,
}

/// A feed that is on.
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveFeed {
    /// The portal's name.
    pub portal: String,
    /// The feed's name.
    pub feed: &'static str,
    /// The statement that gives its rows.
    pub query: String,
    /// The view it reads, when it has no query of its own.
    pub view: Option<String>,
    /// The source's time zone.
    pub zone: Tz,
    /// Most records of one request.
    pub batch: u32,
    /// Its settings.
    pub config: FeedConfig,
}

/// The views that a feed without a query may read: the first that exists.
pub(super) fn default_views(portal: &str, kind: PortalKind, feed: &str) -> Vec<String> {
    let mut views = vec![format!("vitrina_{portal}_{feed}")];
    if portal != kind.name() {
        views.push(format!("vitrina_{}_{feed}", kind.name()));
    }
    views
}

impl Config {
    /// The relations whose existence decides which feeds are on. Ask each source about its own, then call [`Config::active_feeds`].
    pub fn relations_in_question(&self) -> BTreeSet<Relation> {
        let mut relations = BTreeSet::new();
        for (name, portal, feed) in self.all_feeds() {
            relations.extend(self.candidates(name, portal, feed).into_iter().flatten());
        }
        relations
    }

    /// The feeds that are on, by portal, parents before children, given the relations that exist; and what is wrong with them.
    pub fn active_feeds(&self, existing: &BTreeSet<Relation>) -> (Vec<ActiveFeed>, Problems) {
        let mut problems = Problems::default();
        let mut active = Vec::new();
        for (name, portal, feed) in self.all_feeds() {
            match self.decide(name, portal, feed, existing) {
                Ok(found) => active.extend(found),
                Err(text) => problems.error(format!("portals.{name}.feeds.{feed}"), text),
            }
        }
        refuse_shared_views(&active, &mut problems);
        for name in self.portals.keys() {
            if problems.errors() == 0 && !active.iter().any(|feed| &feed.portal == name) {
                let text = "no feed is on: none has a section, and no source has a default view (vitrina init --views prints them)";
                problems.warning(format!("portals.{name}.feeds"), text);
            }
        }
        (active, problems)
    }

    fn all_feeds(&self) -> impl Iterator<Item = (&str, &PortalConfig, &'static str)> {
        self.portals
            .iter()
            .flat_map(|(name, portal)| portal.kind().feeds().map(move |feed| (name.as_str(), portal, feed)))
    }

    /// For each source that the feed may read from, its default views there. Empty when the feed has a query.
    fn candidates(&self, name: &str, portal: &PortalConfig, feed: &str) -> Vec<Vec<Relation>> {
        let views = default_views(name, portal.kind(), feed);
        let sources: Vec<&String> = match portal.feeds.get(feed) {
            Some(section) if section.query.is_some() => Vec::new(),
            Some(section) => vec![&section.source],
            None => self.sources.keys().collect(),
        };
        let relation = |source: &String, view: &String| Relation { source: source.clone(), name: view.clone() };
        sources.into_iter().map(|source| views.iter().map(|view| relation(source, view)).collect()).collect()
    }

    fn decide(
        &self,
        name: &str,
        portal: &PortalConfig,
        feed: &'static str,
        existing: &BTreeSet<Relation>,
    ) -> Result<Option<ActiveFeed>, String> {
        let section = portal.feeds.get(feed);
        if let Some((section, query)) = section.and_then(|section| Some((section, section.query.clone()?))) {
            return Ok(Some(self.activate(name, portal, feed, section.clone(), query, None)));
        }
        let candidates = self.candidates(name, portal, feed);
        let found: Vec<Relation> =
            candidates.into_iter().filter_map(|views| views.into_iter().find(|view| existing.contains(view))).collect();
        match (section, found.as_slice()) {
            (_, [view]) => {
                let config =
                    section.cloned().unwrap_or_else(|| FeedConfig::without_section(portal.kind(), feed, &view.source));
                let query = format!("SELECT * FROM {}", view.name);
                Ok(Some(self.activate(name, portal, feed, config, query, Some(view.name.clone()))))
            }
            (None, []) => Ok(None),
            (Some(section), []) => {
                let views = default_views(name, portal.kind(), feed).join(" nor ");
                Err(format!("has no query, and source {} has no view {views}", section.source))
            }
            (_, several) => {
                let sources: Vec<&str> = several.iter().map(|view| view.source.as_str()).collect();
                Err(format!("the sources {} all have a view for it; say which with source", sources.join(", ")))
            }
        }
    }

    fn activate(
        &self,
        name: &str,
        portal: &PortalConfig,
        feed: &'static str,
        config: FeedConfig,
        query: String,
        view: Option<String>,
    ) -> ActiveFeed {
        let zone = self.sources.get(&config.source).map_or(Tz::UTC, |source| source.timezone);
        let batch = config.batch.unwrap_or(portal.batch);
        ActiveFeed { portal: name.to_owned(), feed, query, view, zone, batch, config }
    }
}

fn refuse_shared_views(active: &[ActiveFeed], problems: &mut Problems) {
    let mut readers: BTreeMap<(&str, &str), &ActiveFeed> = BTreeMap::new();
    for feed in active {
        let Some(view) = &feed.view else { continue };
        if let Some(other) = readers.insert((&feed.config.source, view), feed) {
            let text = format!(
                "reads the view {view} by default, as {}.{} does; give it a query or the view vitrina_{}_{}",
                other.portal, other.feed, feed.portal, feed.feed
            );
            problems.error(format!("portals.{}.feeds.{}", feed.portal, feed.feed), text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::of_text;

    const TWO_PORTALS: &str = r#"
        [sources.mis]
        url = "sqlite:/mis.db"
        [portals.fer]
        kind = "fer"
        url = "http://127.0.0.1:1"
        username = "u"
        password = "p"
        [portals.test]
        kind = "fer"
        url = "http://127.0.0.1:2"
        username = "u"
        password = "p"
        batch = 7
        [portals.test.feeds.mo]
        query = "SELECT 1"
        [portals.test.feeds.slot]
        batch = 3
    "#;

    fn decide(views: &[&str]) -> (Vec<(String, &'static str, String)>, Problems) {
        let config = of_text(TWO_PORTALS).expect("a configuration").config;
        let view = |name: &&str| Relation { source: "mis".into(), name: (*name).into() };
        let (active, problems) = config.active_feeds(&views.iter().map(view).collect());
        (active.into_iter().map(|feed| (feed.portal, feed.feed, feed.query)).collect(), problems)
    }

    #[test]
    fn the_sources_are_asked_about_every_view_that_may_be_read() {
        let config = of_text(TWO_PORTALS).expect("a configuration").config;
        let names: Vec<String> = config.relations_in_question().into_iter().map(|relation| relation.name).collect();
        assert!(names.contains(&"vitrina_fer_slot".into()) && names.contains(&"vitrina_test_slot".into()));
        assert!(!names.contains(&"vitrina_test_mo".into()), "a feed with a query reads no view");
    }

    #[test]
    fn a_view_of_the_portal_comes_before_one_of_the_kind() {
        let (active, problems) = decide(&["vitrina_test_slot", "vitrina_fer_slot"]);
        let slot = |portal: &str, view: &str| (portal.to_owned(), "slot", format!("SELECT * FROM {view}"));
        assert!(problems.is_empty(), "{problems}");
        assert_eq!(active[0], slot("fer", "vitrina_fer_slot"));
        assert_eq!(active[1], ("test".into(), "mo", "SELECT 1".into()));
        assert_eq!(active[2], slot("test", "vitrina_test_slot"));
    }

    #[test]
    fn two_portals_on_one_view_are_an_error_and_so_is_a_section_without_a_view() {
        let (_, problems) = decide(&["vitrina_fer_slot"]);
        assert!(
            problems.to_string().contains("portals.test.feeds.slot: reads the view vitrina_fer_slot"),
            "{problems}"
        );
        let (_, problems) = decide(&[]);
        assert!(problems.to_string().contains("has no view vitrina_test_slot nor vitrina_fer_slot"), "{problems}");
    }

    #[test]
    fn a_feed_takes_its_own_batch_before_that_of_its_portal() {
        let config = of_text(TWO_PORTALS).expect("a configuration").config;
        let views = ["vitrina_test_slot", "vitrina_test_book"];
        let existing = views.iter().map(|name| Relation { source: "mis".into(), name: (*name).into() }).collect();
        let batches: Vec<u32> = config.active_feeds(&existing).0.iter().map(|feed| feed.batch).collect();
        assert_eq!(batches, [7, 3, 7]);
    }
}
