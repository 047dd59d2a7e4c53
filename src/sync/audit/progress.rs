//! What an audit has come to: kept in a note, so that it can be followed from outside and goes on where it stopped.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ledger::{Ledger, LedgerError, Note, NoteKind, NotePlace};
use crate::record::Key;

/// How long an interrupted audit can be gone on with, in seconds: what it saw is too old afterwards.
const FRESH: i64 = 24 * 3600;
/// Most differences that one audit lists; the rest are counted.
pub(super) const MOST_LISTED: usize = 10_000;

/// What an audit is asked to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditOrder {
    /// Names whoever asked, so that they know their audit by its progress.
    pub ticket: String,
    /// The feeds; none means all.
    #[serde(default)]
    pub feeds: Vec<String>,
    /// Mend what differs.
    #[serde(default)]
    pub repair: bool,
    /// Look at the children of every parent, not only of those that children need (bookings of recorded slots).
    #[serde(default)]
    pub deep: bool,
    /// When mending, leave what the portal holds and the source does not have.
    #[serde(default)]
    pub keep_foreign: bool,
    /// Begin anew even if an interrupted audit could be gone on with.
    #[serde(default)]
    pub restart: bool,
    /// True when the daemon runs it, and so goes on with it after a restart.
    #[serde(default)]
    pub by_daemon: bool,
}

/// How a record differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// In the source and fit to be sent, not at the portal.
    Missing,
    /// At the portal with another content.
    Stale,
    /// At the portal, not in the source.
    Foreign,
}

/// One record that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Its key.
    pub key: String,
    /// How it differs.
    pub kind: Kind,
    /// Names of the fields that differ, where it is stale.
    pub fields: Vec<String>,
    /// True when it was mended.
    pub repaired: bool,
}

/// Numbers of one feed's audit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tally {
    /// Records that are the same on both sides.
    pub equal: u64,
    /// Of these, records that the ledger did not know like this.
    pub unknown: u64,
    /// Of these, records that were entered into it.
    pub adopted: u64,
    /// Rows that are not at the portal and could not be sent: refused, or without their parent.
    pub unsendable: u64,
    /// Rows that nobody asked the portal about: bookings of slots that are not recorded.
    pub unchecked: u64,
    /// Rows that were sent and that the register does not show yet.
    pub on_the_way: u64,
    /// Differences beyond those that are listed, by kind: missing, stale, foreign.
    pub unlisted: [u64; 3],
    /// Of these, how many were mended.
    pub mended: u64,
}

/// Where the audit of one feed is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Not begun. Set when the audit is ordered.
    Waiting,
    /// Records are read back; everything up to and with this key (of a parent, or of the feed itself) is done.
    Reading {
        /// The key; none at the beginning.
        after: Option<String>,
    },
    /// What seemed to differ is looked at a second time. Set when all is read.
    Confirming,
    /// Compared. Set when nothing is left to be looked at.
    Compared,
    /// The feed cannot be read back: the portal has no way to, or denies it. Set instead of reading, or when that ends.
    Unreadable,
}

/// The audit of one feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedAudit {
    /// The feed.
    pub feed: String,
    /// Where it is.
    pub stage: Stage,
    /// Steps of the stage that are done, and how many there are.
    pub steps: (u64, u64),
    /// Its numbers.
    pub tally: Tally,
    /// What seems to differ and is to be looked at once more.
    pub suspects: BTreeMap<String, Kind>,
    /// What differs.
    pub differences: Vec<Difference>,
    /// Why it could not be read, where that was denied; for people.
    #[serde(default)]
    pub denied: Option<String>,
}

/// How an audit stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditState {
    /// It runs, or was interrupted.
    Running,
    /// It came to its end.
    Finished,
    /// It could not go on; the next one with the same order goes on here.
    Failed {
        /// Why.
        why: String,
    },
}

/// What an audit has come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditProgress {
    /// What was asked.
    pub order: AuditOrder,
    /// How it stands.
    pub state: AuditState,
    /// True when it goes on with an interrupted one.
    pub resumed: bool,
    /// When it was begun: seconds since 1970-01-01T00:00:00Z.
    pub begun: i64,
    /// When this was written: seconds since 1970-01-01T00:00:00Z.
    pub updated: i64,
    /// The feeds, parents first.
    pub feeds: Vec<FeedAudit>,
    /// Why it waits for the portal at the moment, if it does.
    pub waits: Option<String>,
}

impl FeedAudit {
    fn new(feed: &str) -> Self {
        FeedAudit {
            feed: feed.to_owned(),
            stage: Stage::Waiting,
            steps: (0, 0),
            tally: Tally::default(),
            suspects: BTreeMap::new(),
            differences: Vec::new(),
            denied: None,
        }
    }

    /// It could not be read to its end: what was seen until then says nothing of the whole.
    pub(super) fn give_up(&mut self, why: String) {
        *self = FeedAudit { stage: Stage::Unreadable, denied: Some(why), ..FeedAudit::new(&self.feed) };
    }

    /// Differences of a kind, listed or not.
    pub fn count(&self, kind: Kind) -> u64 {
        let listed = self.differences.iter().filter(|difference| difference.kind == kind).count() as u64;
        listed + self.tally.unlisted[kind as usize]
    }

    /// Differences that were not mended, listed or not.
    pub fn left(&self) -> u64 {
        let listed = self.differences.iter().filter(|difference| !difference.repaired).count() as u64;
        listed + self.tally.unlisted.iter().sum::<u64>().saturating_sub(self.tally.mended)
    }
}

impl AuditProgress {
    pub(super) fn new<'a>(order: AuditOrder, feeds: impl Iterator<Item = &'a str>, now: i64) -> Self {
        AuditProgress {
            order,
            state: AuditState::Running,
            resumed: false,
            begun: now,
            updated: now,
            feeds: feeds.map(FeedAudit::new).collect(),
            waits: None,
        }
    }

    /// The feeds that the portal did not let be read.
    pub fn denied(&self) -> Vec<&str> {
        self.feeds.iter().filter(|feed| feed.denied.is_some()).map(|feed| feed.feed.as_str()).collect()
    }

    /// True when an audit with this order can go on from here.
    pub(super) fn serves(&self, order: &AuditOrder, feeds: &[&str], now: i64) -> bool {
        let same = AuditOrder {
            ticket: order.ticket.clone(),
            restart: order.restart,
            by_daemon: order.by_daemon,
            ..self.order.clone()
        };
        let fresh = (0..FRESH).contains(&now.saturating_sub(self.updated));
        let feeds = self.feeds.iter().map(|feed| feed.feed.as_str()).eq(feeds.iter().copied());
        self.state != AuditState::Finished && !order.restart && fresh && feeds && same == *order
    }

    /// True when a daemon ran it, did not end it, and should go on with it.
    pub fn is_left_by_daemon(&self, now: i64) -> bool {
        self.order.by_daemon && self.state == AuditState::Running && (0..FRESH).contains(&(now - self.updated))
    }

    /// Suspects and differences that are listed.
    pub(super) fn listed(&self) -> usize {
        self.feeds.iter().map(|feed| feed.suspects.len() + feed.differences.len()).sum()
    }

    /// What the ledger remembers of the portal's last audit, if it can be understood.
    pub async fn load(ledger: &impl Ledger, portal: &str) -> Result<Option<AuditProgress>, LedgerError> {
        let place = place(portal);
        let note = ledger.notes(portal).await?.into_iter().find(|note| note.place == place);
        // A note of another version says nothing that could be gone on with.
        Ok(note.and_then(|note| serde_json::from_str(&note.body).ok()))
    }

    /// Writes it down.
    pub(super) async fn save(&mut self, ledger: &impl Ledger, portal: &str, now: i64) -> Result<(), LedgerError> {
        self.updated = now;
        let body = serde_json::to_string(self).map_err(|error| LedgerError::Storage {
            action: "writing the progress of an audit",
            reason: error.to_string(),
        })?;
        ledger.set_note(&Note { place: place(portal), body }).await
    }
}

fn place(portal: &str) -> NotePlace {
    NotePlace { portal: portal.to_owned(), feed: String::new(), kind: NoteKind::Audit, name: String::new() }
}

/// A key as the note has it.
pub(super) fn named(key: &str) -> Key {
    Key::parse(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn order(ticket: &str) -> AuditOrder {
        AuditOrder { ticket: ticket.to_owned(), ..AuditOrder::default() }
    }

    #[test]
    fn only_a_fresh_unfinished_audit_of_the_same_order_is_gone_on_with() {
        let progress = AuditProgress::new(order("a"), ["mo"].into_iter(), NOW);
        assert!(progress.serves(&order("b"), &["mo"], NOW + 60));
        assert!(!progress.serves(&order("b"), &["mo"], NOW + FRESH), "too old");
        assert!(!progress.serves(&order("b"), &["mo"], NOW - 60), "written in the future");
        assert!(!progress.serves(&order("b"), &["mo", "slot"], NOW + 60), "other feeds");
        assert!(!progress.serves(&AuditOrder { repair: true, ..order("b") }, &["mo"], NOW + 60), "repair");
        assert!(!progress.serves(&AuditOrder { restart: true, ..order("b") }, &["mo"], NOW + 60), "restart");
        let finished = AuditProgress { state: AuditState::Finished, ..progress };
        assert!(!finished.serves(&order("b"), &["mo"], NOW + 60), "finished");
    }

    #[test]
    fn differences_beyond_the_list_count_as_left() {
        let mut feed = FeedAudit::new("slot");
        let mended = Difference { key: "1".into(), kind: Kind::Stale, fields: Vec::new(), repaired: true };
        feed.differences = vec![mended.clone(), Difference { repaired: false, ..mended }];
        feed.tally.unlisted[Kind::Stale as usize] = 5;
        assert_eq!((feed.count(Kind::Stale), feed.left()), (7, 6));
    }
}
