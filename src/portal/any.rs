//! The catalogue: every kind of portal behind one type, so that the engine is built once whatever a hospital connects.

use std::time::Duration;

use super::fer::FerPortal;
use super::{Abilities, Batch, Delivery, Portal};
use crate::record::{Key, Schema};

/// A portal of any kind.
pub enum AnyPortal {
    /// The gateway of the federal electronic registry.
    Fer(FerPortal),
}

impl Portal for AnyPortal {
    fn schemas(&self) -> &'static [&'static Schema] {
        match self {
            AnyPortal::Fer(portal) => portal.schemas(),
        }
    }

    fn abilities(&self, schema: &Schema) -> Abilities {
        match self {
            AnyPortal::Fer(portal) => portal.abilities(schema),
        }
    }

    async fn deliver(&self, schema: &'static Schema, batch: &Batch) -> Delivery {
        match self {
            AnyPortal::Fer(portal) => portal.deliver(schema, batch).await,
        }
    }

    async fn remove(&self, schema: &'static Schema, key: &Key) -> Delivery {
        match self {
            AnyPortal::Fer(portal) => portal.remove(schema, key).await,
        }
    }
}

impl AnyPortal {
    /// How long the token in use still lives; none before the first authentication.
    pub async fn token_remaining(&self) -> Option<Duration> {
        match self {
            AnyPortal::Fer(portal) => portal.token_remaining().await,
        }
    }
}
