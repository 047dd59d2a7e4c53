//! The feeds of the demo: every kind of record that its hospital has for one of the five portals.

use std::fmt;

use super::fer::Subsystem;

/// A feed. Those of the gateway are its subsystems; the others are kept by offices of the hospital that have nothing to do with schedules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feed {
    /// A subsystem of the FER gateway.
    Fer(Subsystem),
    /// Tests in occupational safety.
    Training,
    /// Courses of the hospital's education platform.
    Module,
    /// How specialists fared with them.
    Result,
    /// Polls.
    Poll,
    /// Votings.
    Voting,
    /// What was voted on.
    VotingObject,
    /// Personnel documents.
    Document,
}

impl Feed {
    /// The feeds of the offices, parents before children.
    pub const OFFICES: [Feed; 7] =
        [Feed::Training, Feed::Module, Feed::Result, Feed::Poll, Feed::Voting, Feed::VotingObject, Feed::Document];

    /// All feeds, portal by portal.
    pub fn all() -> impl Iterator<Item = Feed> {
        Subsystem::ALL.into_iter().map(Feed::Fer).chain(Feed::OFFICES)
    }

    /// The portal: its kind, which is also its name in the demo's configuration.
    pub fn portal(self) -> &'static str {
        match self {
            Feed::Fer(_) => "fer",
            Feed::Training => "sout",
            Feed::Module | Feed::Result => "nmo",
            Feed::Poll | Feed::Voting | Feed::VotingObject => "pos",
            Feed::Document => "ekdo",
        }
    }

    /// Its name at that portal.
    pub fn name(self) -> &'static str {
        match self {
            Feed::Fer(subsystem) => subsystem.name(),
            Feed::Training => "training",
            Feed::Module => "module",
            Feed::Result => "result",
            Feed::Poll => "poll",
            Feed::Voting => "voting",
            Feed::VotingObject => "voting_object",
            Feed::Document => "document",
        }
    }
}

impl From<Subsystem> for Feed {
    fn from(subsystem: Subsystem) -> Self {
        Feed::Fer(subsystem)
    }
}

impl fmt::Display for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.portal(), self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::PortalKind;

    #[test]
    fn the_feeds_are_all_that_the_program_knows() {
        let mut ours: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        Feed::all().for_each(|feed| ours.entry(feed.portal()).or_default().push(feed.name()));
        for kind in PortalKind::ALL {
            let mut known: Vec<&str> = kind.feeds().collect();
            let mut ours = ours.remove(kind.name()).unwrap_or_default();
            known.sort_unstable();
            ours.sort_unstable();
            assert_eq!(ours, known, "{}", kind.name());
        }
        assert!(ours.is_empty(), "{ours:?}");
    }
}
