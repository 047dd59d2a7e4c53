//! Trouble: what is wrong, since when, who must act and what helps. One list serves the page, the notices, `vitrina status` and
//! `/api/status`: [`troubles`] makes it from a [`Snapshot`] of what the process, or the ledger alone, can tell.
//!
//! A trouble is one *cause*, however many records it has. It names keys of units, codes, fields and numbers, never a value of a record.

mod causes;
mod explain;
mod find;
mod known;
mod stuck;
#[cfg(test)]
mod tests;
mod watch;
mod words;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::record::{Actor, Language, Phrase};

pub use explain::{Point, points, remedy_text};
pub use find::{BookingRate, Snapshot, Space, troubles};
pub use known::Known;
pub(super) use known::OVER_AFTER;
pub use stuck::{Stuck, stuck_records};
pub use watch::{Brief, Seen, Watch, troubles_in_ledger};

/// What kind of trouble it is, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TroubleKind {
    /// The ledger fails, or is about to.
    Ledger,
    /// Citizens' bookings fail, or one is of unknown outcome.
    Booking,
    /// The portal refuses the account, an address, or what records travel in.
    PortalRefused,
    /// The portal does not answer, or answers that it cannot.
    PortalDown,
    /// A feed is not brought up to date.
    Freshness,
    /// A department's records wait.
    UnitBlocked,
    /// Removals are held back.
    Fuse,
    /// Records are refused, or of unknown outcome, and a person must act.
    Rejected,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What kind of thing.
    pub kind: TroubleKind,
    /// Names the cause, the same as long as it stands and after a restart.
    pub cause: String,
    /// The portal; none for what concerns the whole process.
    pub portal: Option<String>,
    /// The feed; none for what concerns the whole portal.
    pub feed: Option<String>,
    /// The portal's code, or ours.
    pub code: Option<String>,
    /// How many records, units or feeds it has.
    pub count: u64,
    /// Who must act.
    pub who: Actor,
    /// What is wrong.
    pub text: Told,
    /// What to do.
    pub remedy: Told,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// A text in each language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// In English.
    pub en: String,
    /// In Russian.
    pub ru: String,
}

impl TroubleKind {
    /// Every kind, the gravest first.
    pub const ALL: [TroubleKind; 8] = [
        TroubleKind::Ledger,
        TroubleKind::Booking,
        TroubleKind::PortalRefused,
        TroubleKind::PortalDown,
        TroubleKind::Freshness,
        TroubleKind::UnitBlocked,
        TroubleKind::Fuse,
        TroubleKind::Rejected,
    ];

    /// Its name in JSON, notices and metrics.
    pub fn name(self) -> &'static str {
        match self {
            TroubleKind::Ledger => "ledger",
            TroubleKind::Booking => "booking",
            TroubleKind::PortalRefused => "portal_refused",
            TroubleKind::PortalDown => "portal_down",
            TroubleKind::Freshness => "freshness",
            TroubleKind::UnitBlocked => "unit_blocked",
            TroubleKind::Fuse => "fuse",
            TroubleKind::Rejected => "rejected",
        }
    }
}

impl Trouble {
    /// Where it is, as `fer`, `fer.slot` or the process itself.
    pub fn place(&self, language: Language) -> String {
        match (&self.portal, &self.feed) {
            (Some(portal), Some(feed)) => format!("{portal}.{feed}"),
            (Some(portal), None) => portal.clone(),
            (None, _) => words::PROCESS.said_in(language).to_owned(),
        }
    }
}

impl Told {
    /// A phrase about these things.
    pub(super) fn of(phrase: Phrase, about: &[&dyn std::fmt::Display]) -> Self {
        Told { en: phrase.about_in(Language::English, about), ru: phrase.about_in(Language::Russian, about) }
    }

    /// Its form in a language.
    pub fn said_in(&self, language: Language) -> &str {
        match language {
            Language::English => &self.en,
            Language::Russian => &self.ru,
        }
    }

    /// Both texts, one after the other.
    pub(super) fn and(self, more: &Told) -> Self {
        Told { en: format!("{} {}", self.en, more.en), ru: format!("{} {}", self.ru, more.ru) }
    }
}
