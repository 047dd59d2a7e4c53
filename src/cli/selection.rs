//! `PORTAL[.FEED]`: which feeds a verb is about.

use std::convert::Infallible;
use std::str::FromStr;

use crate::config::Config;

use super::CliError;

/// A portal, or one feed of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The portal's name.
    pub portal: String,
    /// The feed's name; none means all of them.
    pub feed: Option<String>,
}

impl Selection {
    /// True when it covers this feed.
    pub fn covers(&self, portal: &str, feed: &str) -> bool {
        self.portal == portal && self.feed.as_deref().is_none_or(|selected| selected == feed)
    }

    /// Fails when the configuration has no such portal, or its kind no such feed.
    pub fn check(&self, config: &Config) -> Result<(), CliError> {
        let Some(portal) = config.portals.get(&self.portal) else {
            let known: Vec<&str> = config.portals.keys().map(String::as_str).collect();
            return Err(CliError::Usage(format!("there is no portal {:?}; known: {}", self.portal, known.join(", "))));
        };
        let known: Vec<&str> = portal.kind().feeds().collect();
        match &self.feed {
            Some(feed) if !known.contains(&feed.as_str()) => {
                let text = format!("portal {} has no feed {feed:?}; known: {}", self.portal, known.join(", "));
                Err(CliError::Usage(text))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The feed that it names, for verbs that are about one feed.
    pub fn one_feed(&self, config: &Config) -> Result<&str, CliError> {
        self.check(config)?;
        self.feed.as_deref().ok_or_else(|| {
            let portal = &self.portal;
            CliError::Usage(format!("name the feed too: {portal}.FEED, for example {portal}.slot"))
        })
    }
}

impl FromStr for Selection {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let (portal, feed) = match text.split_once('.') {
            Some((portal, feed)) => (portal, Some(feed.to_owned())),
            None => (text, None),
        };
        Ok(Selection { portal: portal.to_owned(), feed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portal_covers_all_its_feeds_and_a_feed_only_itself() {
        let parse = |text: &str| text.parse::<Selection>().expect("any text is a selection");
        assert!(parse("fer").covers("fer", "slot"));
        assert!(parse("fer.slot").covers("fer", "slot"));
        assert!(!parse("fer.slot").covers("fer", "book"));
        assert!(!parse("fer").covers("fer2", "slot"));
    }
}
