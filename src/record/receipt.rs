//! Receipts: what a portal gave back for a record that it took.

use serde::{Deserialize, Serialize};

/// What a portal gave back for a record. Ids, codes, addresses, and reasons that name no person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Receipt {
    /// How far the record got.
    pub stage: Stage,
    /// The portal's own id of the record.
    pub remote_id: Option<String>,
    /// The set in which it was sent, where the portal numbers sets.
    pub set_id: Option<String>,
    /// Its number in the register behind the portal.
    pub base_no: Option<String>,
    /// Where it can be seen.
    pub url: Option<String>,
    /// The portal's own word for where it stands: `in_progress`.
    pub status: Option<String>,
    /// The portal's words why it stands there. Belongs to the status beside it.
    pub reason: Option<String>,
    /// Whether it went out signed, where the portal takes it either way. Noted by us when it is sent.
    pub signed: Option<bool>,
}

impl Receipt {
    /// True when it says nothing but how far the record got.
    pub fn is_empty(&self) -> bool {
        let Receipt { stage: _, remote_id, set_id, base_no, url, status, reason, signed } = self;
        signed.is_none() && [remote_id, set_id, base_no, url, status, reason].into_iter().all(Option::is_none)
    }

    /// With what an earlier one says where this one says nothing.
    pub fn over(self, earlier: Receipt) -> Receipt {
        let reason = if self.status.is_some() { self.reason } else { self.reason.or(earlier.reason) };
        Receipt {
            stage: self.stage,
            remote_id: self.remote_id.or(earlier.remote_id),
            set_id: self.set_id.or(earlier.set_id),
            base_no: self.base_no.or(earlier.base_no),
            url: self.url.or(earlier.url),
            status: self.status.or(earlier.status),
            reason,
            signed: self.signed.or(earlier.signed),
        }
    }
}

/// How far a record got that the portal took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It was taken; the portal has yet to say what became of it.
    Sent,
    /// Nothing more is to come.
    #[default]
    Confirmed,
    /// People or checks behind the portal turned it down: its row must change.
    TurnedDown,
}
