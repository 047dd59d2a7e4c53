//! What is known of causes from before: since when each has stood. It is a note of the ledger, so that a restart does not make an old trouble
//! a new one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Trouble;
use crate::ledger::{Ledger, LedgerError, Note, NoteKind, NotePlace};

/// A cause that was not seen for so long is over. A portal that fails again in between had not recovered, and a process that has just
/// started needs this long to see what still stands. In seconds.
pub(in crate::daemon) const OVER_AFTER: i64 = 300;

/// Since when each cause stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    causes: BTreeMap<String, Dated>,
    /// Since when nothing is wrong.
    well_since: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Dated {
    since: i64,
    seen: i64,
}

/// The body of the note.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Body {
    causes: BTreeMap<String, i64>,
    #[serde(default)]
    well_since: Option<i64>,
}

impl Known {
    /// Since when a cause stands, if it was known before.
    pub(super) fn since(&self, cause: &str) -> Option<i64> {
        self.causes.get(cause).map(|dated| dated.since)
    }

    /// Since when nothing is wrong; none while something is.
    pub fn well_since(&self) -> Option<i64> {
        self.well_since
    }

    /// Takes what stands at `now`. True when what the note says has changed.
    pub(super) fn take(&mut self, troubles: &[Trouble], now: i64) -> bool {
        let before = self.body();
        for trouble in troubles {
            let since = trouble.since.timestamp();
            let dated = self.causes.entry(trouble.cause.clone()).or_insert(Dated { since, seen: now });
            *dated = Dated { since, seen: now };
        }
        self.causes.retain(|_, dated| (now - OVER_AFTER..=now).contains(&dated.seen));
        self.well_since = troubles.is_empty().then(|| self.well_since.unwrap_or(now));
        before != self.body()
    }

    fn body(&self) -> String {
        let causes = self.causes.iter().map(|(cause, dated)| (cause.clone(), dated.since)).collect();
        serde_json::to_string(&Body { causes, well_since: self.well_since }).unwrap_or_default()
    }

    /// What the ledger remembers, read at `now`. A note of another version is as good as none.
    pub async fn load(ledger: &impl Ledger, now: i64) -> Result<Self, LedgerError> {
        let notes = ledger.notes("").await?;
        let note = notes.into_iter().find(|note| note.place == place());
        let body: Body = note.and_then(|note| serde_json::from_str(&note.body).ok()).unwrap_or_default();
        let dated = |(cause, since): (String, i64)| (cause, Dated { since: since.min(now), seen: now });
        Ok(Known { causes: body.causes.into_iter().map(dated).collect(), well_since: body.well_since })
    }

    /// Writes it down.
    pub(super) async fn keep(&self, ledger: &impl Ledger) -> Result<(), LedgerError> {
        ledger.set_note(&Note { place: place(), body: self.body() }).await
    }
}

/// A note of the process, of no portal.
fn place() -> NotePlace {
    NotePlace { portal: String::new(), feed: String::new(), kind: NoteKind::Trouble, name: String::new() }
}
