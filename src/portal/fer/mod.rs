//! The FER 2.0 gateway («Витрина данных „Запись к врачу“»): its tables, its wire, its answers.
//!
//! A write replaces the whole record under its id, so a repetition does no harm; a removal is one request a record.

mod answer;
mod auth;
mod reads;
mod remedy;
mod schema;
mod webhook;
mod wire;
mod wire_words;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing {
    //! What must hold of the reading of the gateway's answers.
    pub(crate) use super::answer::fuzzing::{read, removal, upsert};
    pub(crate) use super::auth::fuzzing::auth;
    pub(crate) use super::webhook::fuzzing::webhook;
}

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Map, Value};
use url::Url;

pub use reads::Read;
pub use schema::{ReferralRequired, SCHEMAS, schemas};
pub use webhook::{Reachability, Registration, WebhookMethods, WebhookStanding, shown_address};

use super::{Abilities, Ask, Batch, Delivery, Held, Kind, Portal, Reading};
use crate::record::{Key, Schema, guid};
use crate::transport::{
    Bearer, Body, ClientError, ClientSettings, Failure, HostName, HttpClient, Level, Packed, Pauses, Rate,
    RefusedLogins, Tape, TokenOutlook, Witness,
};
use answer::Reply;
use wire::{Call, Wire};

/// Longest wait for a connection: a gateway that is up answers within a network round trip.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What the gateway's client needs to know.
#[derive(Debug, Clone)]
pub struct FerSettings {
    /// Address of the gateway, up to but without `/api` and `/auth.svc`.
    pub url: Url,
    /// OID of the medical organisation.
    pub username: String,
    /// Its password.
    pub password: SecretString,
    /// Longest wait for a whole answer.
    pub timeout: Duration,
    /// Most requests in any second, authentication and removals included.
    pub requests_per_second: NonZeroU32,
    /// How hard bodies are compressed.
    pub gzip_level: Level,
    /// PEM file with root certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// How long nobody asks again after a failed authentication.
    pub pauses: Pauses,
    /// How a registered webhook is changed and removed.
    pub webhook: WebhookMethods,
    /// Which part of the document says what a referral must hold.
    pub referral_required: ReferralRequired,
}

/// What is known of every gateway of this kind.
pub(super) static KIND: Kind =
    Kind { name: "fer", schemas: SCHEMAS, remedies: remedy::CASES, unnamed: &[], wire_words: &wire_words::WORDS };

/// The gateway.
pub struct FerPortal {
    wire: Wire,
    oid: String,
    gzip_level: Level,
    webhook_methods: WebhookMethods,
    schemas: &'static [&'static Schema],
}

impl FerPortal {
    /// A client of the gateway. Connects to nothing; the first request authenticates. `witness` is told of every request.
    pub fn new(settings: FerSettings, witness: Option<Witness>) -> Result<Self, ClientError> {
        let client_settings = ClientSettings {
            url: &settings.url,
            // Well under the time-out, so that a connection that never came is told from an answer that never came.
            connect_timeout: CONNECT_TIMEOUT.min(settings.timeout / 2),
            timeout: settings.timeout,
            ca_file: settings.ca_file.as_deref(),
        };
        let client = HttpClient::new(&client_settings, witness)?;
        let rate = Arc::new(Rate::new(settings.requests_per_second));
        let oid = settings.username.clone();
        let login = auth::Login::new(client.clone(), Arc::clone(&rate), settings.username, settings.password);
        let wire = Wire::new(client, rate, login, settings.pauses);
        Ok(FerPortal {
            wire,
            oid,
            gzip_level: settings.gzip_level,
            webhook_methods: settings.webhook,
            schemas: schema::schemas(settings.referral_required),
        })
    }

    /// Has every request say this in its `Host` header: see [`HttpClient::name_host`].
    pub fn name_host(&self, host: HostName) {
        self.wire.client().name_host(host);
    }

    /// Has every exchange taken by a tape: see [`HttpClient::record_to`].
    pub fn record_to(&self, tape: Arc<dyn Tape>) {
        self.wire.client().record_to(tape);
    }

    /// Fetches a token if there is none: proves address, TLS and credentials.
    pub async fn authenticate(&self) -> Result<(), Failure> {
        self.wire.tokens().bearer().await.map(|_: Bearer| ())
    }

    /// Lets a refusal of the credentials outlive the process.
    pub fn remember_refusals(&self, refused: RefusedLogins) {
        self.wire.tokens().remember(refused);
    }

    /// How the token does.
    pub fn token_outlook(&self) -> TokenOutlook {
        self.wire.tokens().outlook()
    }

    /// How far the gateway's clock was ahead of ours at its last answer, to the second; none before the first answer.
    pub fn clock_skew(&self) -> Option<TimeDelta> {
        self.wire.client().clock_skew()
    }

    /// Reads records back from the mart, as the gateway gives them. An id that is not there gives none. The mart commits with
    /// a delay: what was written a moment ago may be missing.
    pub async fn read(&self, read: &Read<'_>) -> Result<Vec<Map<String, Value>>, Failure> {
        reads::read(&self.wire, read).await
    }

    /// Says which unit a refusal speaks of, where its text names one by id, OID or name. The gateway itself is asked what OIDs and names
    /// stand for: reading is not blocked.
    async fn naming(&self, reply: &Reply, delivery: Delivery) -> Delivery {
        let (Some(named), Delivery::Failed(failure)) = (reply.blocked(), &delivery) else { return delivery };
        let unit = match guid::parse(named) {
            Some(id) => Some(Key::Guid(id)),
            None => self.read(&Read::Units(&self.oid)).await.ok().and_then(|units| reads::unit_called(named, units)),
        };
        match unit {
            Some(unit) => Delivery::Blocked { unit, failure: failure.clone() },
            None => delivery,
        }
    }
}

/// The body of an upsert: `{"data":[…]}`.
fn framed(batch: &Batch) -> Vec<u8> {
    [br#"{"data":["#.as_slice(), batch.joined(), b"]}"].concat()
}

impl Portal for FerPortal {
    fn schemas(&self) -> &'static [&'static Schema] {
        self.schemas
    }

    fn abilities(&self, _schema: &Schema) -> Abilities {
        Abilities::KEYED
    }

    async fn deliver(&self, schema: &'static Schema, batch: &Batch) -> Delivery {
        if batch.is_empty() {
            return Delivery::Judged(Vec::new());
        }
        let packed = Packed::of(&framed(batch), self.gzip_level);
        let call = Call { method: Method::POST, path: &["api", schema.feed], query: &[], body: Body::Gzip(&packed) };
        match self.wire.call(&call).await {
            Ok(reply) => self.naming(&reply, answer::judge(batch, &reply)).await,
            Err(failure) => Delivery::Failed(failure),
        }
    }

    async fn remove(&self, schema: &'static Schema, key: &Key) -> Delivery {
        let id = key.to_string();
        let query = [("id", id.as_str())];
        let call = Call { method: Method::DELETE, path: &["api", schema.feed], query: &query, body: Body::AsBuilt };
        match self.wire.call(&call).await {
            Ok(reply) => self.naming(&reply, answer::judge_removal(key, &reply)).await,
            Err(failure) => Delivery::Failed(failure),
        }
    }
    fn reading(&self, schema: &Schema) -> Reading {
        reads::reading(schema)
    }

    async fn read_back(&self, schema: &'static Schema, ask: Ask<'_>) -> Result<Vec<Held>, Failure> {
        let Some(read) = reads::asked(schema, ask, &self.oid) else { return Ok(Vec::new()) };
        let records = self.read(&read).await?;
        records.into_iter().map(|record| reads::held(schema, record)).collect()
    }
}
