//! The catalogue: every kind of portal behind one type, so that the engine is built once whatever a hospital connects.

use std::sync::Arc;

use chrono::TimeDelta;

use super::ekdo::EkdoPortal;
use super::fer::FerPortal;
use super::nmo::NmoPortal;
use super::pos::PosPortal;
use super::sout::SoutPortal;
use super::{Abilities, Ask, Asked, Batch, Delivery, Finding, Held, Kind, Portal, Reading, Registered, Unfit};
use crate::record::{Key, Schema};
use crate::transport::{Failure, HostName, RefusedLogins, Tape, TokenOutlook};

/// A portal of any kind.
pub enum AnyPortal {
    /// The gateway of the federal electronic registry.
    Fer(Box<FerPortal>),
    /// The register of training in occupational safety.
    Sout(Box<SoutPortal>),
    /// The portal of continuous medical education.
    Nmo(Box<NmoPortal>),
    /// The platform of public voting.
    Pos(Box<PosPortal>),
    /// The service of electronic personnel documents.
    Ekdo(Box<EkdoPortal>),
}

impl AnyPortal {
    /// What is known of its kind.
    pub fn kind(&self) -> &'static Kind {
        match self {
            AnyPortal::Fer(_) => &super::fer::KIND,
            AnyPortal::Sout(_) => &super::sout::KIND,
            AnyPortal::Nmo(_) => &super::nmo::KIND,
            AnyPortal::Pos(_) => &super::pos::KIND,
            AnyPortal::Ekdo(_) => &super::ekdo::KIND,
        }
    }
}

impl Portal for AnyPortal {
    fn schemas(&self) -> &'static [&'static Schema] {
        match self {
            AnyPortal::Fer(portal) => portal.schemas(),
            AnyPortal::Sout(portal) => portal.schemas(),
            AnyPortal::Nmo(portal) => portal.schemas(),
            AnyPortal::Pos(portal) => portal.schemas(),
            AnyPortal::Ekdo(portal) => portal.schemas(),
        }
    }

    fn abilities(&self, schema: &Schema) -> Abilities {
        match self {
            AnyPortal::Fer(portal) => portal.abilities(schema),
            AnyPortal::Sout(portal) => portal.abilities(schema),
            AnyPortal::Nmo(portal) => portal.abilities(schema),
            AnyPortal::Pos(portal) => portal.abilities(schema),
            AnyPortal::Ekdo(portal) => portal.abilities(schema),
        }
    }

    fn begins(&self, schema: &Schema) -> bool {
        match self {
            AnyPortal::Fer(portal) => portal.begins(schema),
            AnyPortal::Sout(portal) => portal.begins(schema),
            AnyPortal::Nmo(portal) => portal.begins(schema),
            AnyPortal::Pos(portal) => portal.begins(schema),
            AnyPortal::Ekdo(portal) => portal.begins(schema),
        }
    }

    fn lacks_id(&self, code: &str) -> bool {
        match self {
            AnyPortal::Fer(portal) => portal.lacks_id(code),
            AnyPortal::Sout(portal) => portal.lacks_id(code),
            AnyPortal::Nmo(portal) => portal.lacks_id(code),
            AnyPortal::Pos(portal) => portal.lacks_id(code),
            AnyPortal::Ekdo(portal) => portal.lacks_id(code),
        }
    }

    fn most_records(&self, schema: &Schema) -> usize {
        match self {
            AnyPortal::Fer(portal) => portal.most_records(schema),
            AnyPortal::Sout(portal) => portal.most_records(schema),
            AnyPortal::Nmo(portal) => portal.most_records(schema),
            AnyPortal::Pos(portal) => portal.most_records(schema),
            AnyPortal::Ekdo(portal) => portal.most_records(schema),
        }
    }

    fn signs(&self, schema: &Schema) -> Option<bool> {
        match self {
            AnyPortal::Fer(portal) => portal.signs(schema),
            AnyPortal::Sout(portal) => portal.signs(schema),
            AnyPortal::Nmo(portal) => portal.signs(schema),
            AnyPortal::Pos(portal) => portal.signs(schema),
            AnyPortal::Ekdo(portal) => portal.signs(schema),
        }
    }

    async fn deliver(&self, schema: &'static Schema, batch: &Batch) -> Delivery {
        match self {
            AnyPortal::Fer(portal) => portal.deliver(schema, batch).await,
            AnyPortal::Sout(portal) => portal.deliver(schema, batch).await,
            AnyPortal::Nmo(portal) => portal.deliver(schema, batch).await,
            AnyPortal::Pos(portal) => portal.deliver(schema, batch).await,
            AnyPortal::Ekdo(portal) => portal.deliver(schema, batch).await,
        }
    }

    fn examine(&self, schema: &'static Schema, body: &mut Vec<u8>) -> Result<(), Unfit> {
        match self {
            AnyPortal::Fer(portal) => portal.examine(schema, body),
            AnyPortal::Sout(portal) => portal.examine(schema, body),
            AnyPortal::Nmo(portal) => portal.examine(schema, body),
            AnyPortal::Pos(portal) => portal.examine(schema, body),
            AnyPortal::Ekdo(portal) => portal.examine(schema, body),
        }
    }

    async fn inquire(&self, schema: &'static Schema, asked: &[Asked]) -> Result<Vec<Finding>, Failure> {
        match self {
            AnyPortal::Fer(portal) => portal.inquire(schema, asked).await,
            AnyPortal::Sout(portal) => portal.inquire(schema, asked).await,
            AnyPortal::Nmo(portal) => portal.inquire(schema, asked).await,
            AnyPortal::Pos(portal) => portal.inquire(schema, asked).await,
            AnyPortal::Ekdo(portal) => portal.inquire(schema, asked).await,
        }
    }

    async fn remove(&self, schema: &'static Schema, key: &Key) -> Delivery {
        match self {
            AnyPortal::Fer(portal) => portal.remove(schema, key).await,
            AnyPortal::Sout(portal) => portal.remove(schema, key).await,
            AnyPortal::Nmo(portal) => portal.remove(schema, key).await,
            AnyPortal::Pos(portal) => portal.remove(schema, key).await,
            AnyPortal::Ekdo(portal) => portal.remove(schema, key).await,
        }
    }

    fn reading(&self, schema: &Schema) -> Reading {
        match self {
            AnyPortal::Fer(portal) => portal.reading(schema),
            AnyPortal::Sout(portal) => portal.reading(schema),
            AnyPortal::Nmo(portal) => portal.reading(schema),
            AnyPortal::Pos(portal) => portal.reading(schema),
            AnyPortal::Ekdo(portal) => portal.reading(schema),
        }
    }

    async fn read_back(&self, schema: &'static Schema, ask: Ask<'_>) -> Result<Vec<Held>, Failure> {
        match self {
            AnyPortal::Fer(portal) => portal.read_back(schema, ask).await,
            AnyPortal::Sout(portal) => portal.read_back(schema, ask).await,
            AnyPortal::Nmo(portal) => portal.read_back(schema, ask).await,
            AnyPortal::Pos(portal) => portal.read_back(schema, ask).await,
            AnyPortal::Ekdo(portal) => portal.read_back(schema, ask).await,
        }
    }

    async fn registered(&self, schema: &'static Schema) -> Result<Vec<Registered>, Failure> {
        match self {
            AnyPortal::Fer(portal) => portal.registered(schema).await,
            AnyPortal::Sout(portal) => portal.registered(schema).await,
            AnyPortal::Nmo(portal) => portal.registered(schema).await,
            AnyPortal::Pos(portal) => portal.registered(schema).await,
            AnyPortal::Ekdo(portal) => portal.registered(schema).await,
        }
    }
}

impl AnyPortal {
    /// Makes sure of a token, as far as the portal lets that be proven, and looks at the portal's clock: its time minus ours, none where it
    /// told no time.
    pub async fn sign_in(&self) -> Result<Option<TimeDelta>, Failure> {
        match self {
            AnyPortal::Fer(portal) => portal.authenticate().await,
            AnyPortal::Sout(portal) => portal.authenticate().await,
            AnyPortal::Nmo(portal) => portal.authenticate().await,
            AnyPortal::Pos(portal) => portal.authenticate().await,
            AnyPortal::Ekdo(portal) => portal.authenticate().await,
        }?;
        Ok(self.clock_skew())
    }

    /// Has every request, those for tokens included, say this in its `Host` header.
    pub fn name_host(&self, host: HostName) {
        match self {
            AnyPortal::Fer(portal) => portal.name_host(host),
            AnyPortal::Sout(portal) => portal.name_host(host),
            AnyPortal::Nmo(portal) => portal.name_host(host),
            AnyPortal::Pos(portal) => portal.name_host(host),
            AnyPortal::Ekdo(portal) => portal.name_host(host),
        }
    }

    /// Has every exchange, those for tokens included, taken by a tape.
    pub fn record_to(&self, tape: Arc<dyn Tape>) {
        match self {
            AnyPortal::Fer(portal) => portal.record_to(tape),
            AnyPortal::Sout(portal) => portal.record_to(tape),
            AnyPortal::Nmo(portal) => portal.record_to(tape),
            AnyPortal::Pos(portal) => portal.record_to(tape),
            AnyPortal::Ekdo(portal) => portal.record_to(tape),
        }
    }

    /// Lets a refusal of the credentials outlive the process, where they are what a token is asked for by.
    pub fn remember_refusals(&self, refused: RefusedLogins) {
        match self {
            AnyPortal::Fer(portal) => portal.remember_refusals(refused),
            AnyPortal::Nmo(portal) => portal.remember_refusals(refused),
            AnyPortal::Ekdo(portal) => portal.remember_refusals(refused),
            AnyPortal::Sout(_) | AnyPortal::Pos(_) => {}
        }
    }

    /// How the token does; none where the portal is shown a key that has no end.
    pub fn token_outlook(&self) -> Option<TokenOutlook> {
        match self {
            AnyPortal::Fer(portal) => Some(portal.token_outlook()),
            AnyPortal::Sout(_) => None,
            AnyPortal::Nmo(portal) => Some(portal.token_outlook()),
            AnyPortal::Pos(portal) => Some(portal.token_outlook()),
            AnyPortal::Ekdo(portal) => Some(portal.token_outlook()),
        }
    }

    /// How far the portal's clock was ahead of ours at its last answer, to the second; none before the first one.
    pub fn clock_skew(&self) -> Option<TimeDelta> {
        match self {
            AnyPortal::Fer(portal) => portal.clock_skew(),
            AnyPortal::Sout(portal) => portal.clock_skew(),
            AnyPortal::Nmo(portal) => portal.clock_skew(),
            AnyPortal::Pos(portal) => portal.clock_skew(),
            AnyPortal::Ekdo(portal) => portal.clock_skew(),
        }
    }
}
