//! The catalogue: every kind of portal behind one type, so that the engine is built once whatever a hospital connects.

use std::time::Duration;

use chrono::TimeDelta;

use super::fer::FerPortal;
use super::sout::SoutPortal;
use super::{Abilities, Ask, Asked, Batch, Delivery, Finding, Held, Portal, Reading};
use crate::record::{Key, Schema};
use crate::transport::Failure;

/// A portal of any kind.
#[allow(clippy::large_enum_variant, reason = "there is one of them for each portal that is connected")]
pub enum AnyPortal {
    /// The gateway of the federal electronic registry.
    Fer(FerPortal),
    /// The register of training in occupational safety.
    Sout(SoutPortal),
}

impl Portal for AnyPortal {
    fn schemas(&self) -> &'static [&'static Schema] {
        match self {
            AnyPortal::Fer(portal) => portal.schemas(),
            AnyPortal::Sout(portal) => portal.schemas(),
        }
    }

    fn abilities(&self, schema: &Schema) -> Abilities {
        match self {
            AnyPortal::Fer(portal) => portal.abilities(schema),
            AnyPortal::Sout(portal) => portal.abilities(schema),
        }
    }

    async fn deliver(&self, schema: &'static Schema, batch: &Batch) -> Delivery {
        match self {
            AnyPortal::Fer(portal) => portal.deliver(schema, batch).await,
            AnyPortal::Sout(portal) => portal.deliver(schema, batch).await,
        }
    }

    async fn inquire(&self, schema: &'static Schema, asked: &[Asked]) -> Result<Vec<Finding>, Failure> {
        match self {
            AnyPortal::Fer(portal) => portal.inquire(schema, asked).await,
            AnyPortal::Sout(portal) => portal.inquire(schema, asked).await,
        }
    }

    async fn remove(&self, schema: &'static Schema, key: &Key) -> Delivery {
        match self {
            AnyPortal::Fer(portal) => portal.remove(schema, key).await,
            AnyPortal::Sout(portal) => portal.remove(schema, key).await,
        }
    }

    fn reading(&self, schema: &Schema) -> Reading {
        match self {
            AnyPortal::Fer(portal) => portal.reading(schema),
            AnyPortal::Sout(portal) => portal.reading(schema),
        }
    }

    async fn read_back(&self, schema: &'static Schema, ask: Ask<'_>) -> Result<Vec<Held>, Failure> {
        match self {
            AnyPortal::Fer(portal) => portal.read_back(schema, ask).await,
            AnyPortal::Sout(portal) => portal.read_back(schema, ask).await,
        }
    }
}

impl AnyPortal {
    /// Proves address, TLS and credentials, and looks at the portal's clock: its time minus ours, none where it tells no time.
    pub async fn sign_in(&self) -> Result<Option<TimeDelta>, Failure> {
        match self {
            AnyPortal::Fer(portal) => {
                portal.authenticate().await?;
                Ok(portal.clock_skew())
            }
            AnyPortal::Sout(portal) => {
                portal.authenticate().await?;
                Ok(portal.clock_skew())
            }
        }
    }

    /// How long the token in use still lives; none before the first authentication.
    pub async fn token_remaining(&self) -> Option<Duration> {
        match self {
            AnyPortal::Fer(portal) => portal.token_remaining().await,
            // A key has no end.
            AnyPortal::Sout(_) => None,
        }
    }
}
