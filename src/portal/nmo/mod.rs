//! The portal of continuous medical education («Портал непрерывного образования»), as an online education platform speaks to it: modules
//! and what specialists made of them.
//!
//! A module is created once and updated from then on; which of the two it is the ledger says, and the portal's `already_exists` and
//! `not_found` correct it. A module that is withdrawn is not deleted but declared no longer current. Higher and secondary professional
//! education are two portals with one document. Nothing that is repeated does harm.

mod answer;
mod auth;
mod by_pin;
mod evaluation;
mod module;
mod plan;
mod remedy;
mod result;
mod schema;
mod wire;
mod wire_words;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing {
    //! What must hold of the reading of the portal's answers.
    pub(crate) use super::answer::fuzzing::answer;
    pub(crate) use super::auth::fuzzing::auth;
}

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

pub use by_pin::ByPin;
pub use evaluation::{Evaluation, evaluation};
pub use plan::PlanStatus;
pub use schema::{MODULE_FEED, SCHEMAS};

use super::{Abilities, Asked, Batch, Delivery, Finding, Inquiry, Kind, Portal, Removal, Unfit, Verdict};
use crate::record::{Key, Schema};
use crate::transport::{
    Bearer, ClientError, ClientSettings, Failure, HostName, HttpClient, Mishap, Pauses, Rate, RefusedLogins, Tape,
    TokenOutlook, Witness,
};
use wire::Wire;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What the portal's client needs to know.
#[derive(Debug, Clone)]
pub struct NmoSettings {
    /// Address of the portal, up to but without `/rest`.
    pub url: Url,
    /// The login of the platform's REST client.
    pub client_id: SecretString,
    /// Its password.
    pub client_secret: SecretString,
    /// The portal's user that stands for the platform.
    pub username: SecretString,
    /// Its password.
    pub password: SecretString,
    /// Longest wait for a whole answer.
    pub timeout: Duration,
    /// Most requests in any second, authentication included.
    pub requests_per_second: NonZeroU32,
    /// PEM file with root certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// How long nobody asks again after a failed authentication.
    pub pauses: Pauses,
    /// Ask whether a module is in the specialist's plan before its beginning is told.
    pub check_plan: bool,
    /// SNILS of the technical reviewer: what is told of this person is not told to the portal.
    pub reviewer_snils: Option<SecretString>,
}

/// What is known of every portal of this kind.
pub(super) static KIND: Kind =
    Kind { name: "nmo", schemas: SCHEMAS, remedies: remedy::CASES, unnamed: &[], wire_words: &wire_words::WORDS };

/// The portal.
pub struct NmoPortal {
    wire: Wire,
    check_plan: bool,
    /// Eleven digits.
    reviewer: Option<SecretString>,
}

impl NmoPortal {
    /// A client of the portal. Connects to nothing; the first request authenticates. `witness` is told of every request.
    pub fn new(settings: NmoSettings, witness: Option<Witness>) -> Result<Self, ClientError> {
        let client_settings = ClientSettings {
            url: &settings.url,
            // Well under the time-out, so that a connection that never came is told from an answer that never came.
            connect_timeout: CONNECT_TIMEOUT.min(settings.timeout / 2),
            timeout: settings.timeout,
            ca_file: settings.ca_file.as_deref(),
        };
        let client = HttpClient::new(&client_settings, witness)?;
        let rate = Arc::new(Rate::new(settings.requests_per_second));
        let account = auth::Account {
            client_id: settings.client_id,
            client_secret: settings.client_secret,
            username: settings.username,
            password: settings.password,
        };
        let login = auth::Login::new(client.clone(), Arc::clone(&rate), account);
        let reviewer = settings.reviewer_snils.map(|snils| digits_of(snils.expose_secret()).into());
        Ok(NmoPortal {
            wire: Wire::new(client, rate, login, settings.pauses),
            check_plan: settings.check_plan,
            reviewer,
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

    /// How far the portal's clock was ahead of ours at its last answer, to the second; none before the first answer.
    pub fn clock_skew(&self) -> Option<TimeDelta> {
        self.wire.client().clock_skew()
    }

    /// The module to which a specialist's pin belongs («Получение идентификатора модуля по СНИЛС и ПИН»).
    /// Nothing is asked about the technical reviewer.
    pub async fn module_by_pin(&self, snils: &str, pin: &str) -> Result<ByPin, Failure> {
        let snils = digits_of(snils);
        if self.reviewer.as_ref().is_some_and(|reviewer| reviewer.expose_secret() == snils) {
            return Ok(ByPin::Reviewer);
        }
        by_pin::ask(&self.wire, &snils, pin).await
    }

    /// How a module stands in the plan of a specialist, eleven digits.
    pub async fn plan_status(&self, module: &str, snils: &str, pin: Option<&str>) -> Result<PlanStatus, Failure> {
        plan::ask(&self.wire, module, snils, pin).await
    }

    /// How a module fared in the technical evaluation; none for one that the portal does not know.
    pub async fn evaluation_of(&self, module: &str) -> Result<Option<Evaluation>, Failure> {
        evaluation::ask(&self.wire, module).await
    }

    async fn deliver_one(&self, schema: &'static Schema, batch: &Batch, at: usize) -> Result<Verdict, Failure> {
        let known = batch.records().get(at).is_some_and(|record| record.known);
        let unreadable = || Mishap::Unsendable { reason: "a record is not the JSON that was made of it".into() };
        let body = serde_json::from_slice(batch.body(at)).map_err(|_| unreadable())?;
        if is_module(schema) {
            return module::deliver(&self.wire, body, known).await;
        }
        result::deliver(&self.wire, body, self.reviewer.as_ref(), self.check_plan).await
    }
}

fn is_module(schema: &Schema) -> bool {
    schema.feed == schema::MODULE_FEED
}

/// The digits of a number that may be printed with signs between them.
fn digits_of(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

impl Portal for NmoPortal {
    fn schemas(&self) -> &'static [&'static Schema] {
        SCHEMAS
    }

    fn abilities(&self, schema: &Schema) -> Abilities {
        let module = is_module(schema);
        Abilities {
            idempotent: true,
            update: true,
            removal: if module { Removal::Deactivation } else { Removal::Unsupported },
            inquiry: if module { Inquiry::UntilConfirmed } else { Inquiry::Never },
            registered: true,
            examines: module,
        }
    }

    /// One request or two for each record. The first failure ends the batch: what was judged before it counts, the rest is unknown.
    async fn deliver(&self, schema: &'static Schema, batch: &Batch) -> Delivery {
        let mut verdicts = Vec::with_capacity(batch.len());
        for at in 0..batch.len() {
            match self.deliver_one(schema, batch, at).await {
                Ok(verdict) => verdicts.push(verdict),
                Err(failure) if verdicts.is_empty() => return Delivery::Failed(failure),
                // Sent again by itself, the rest meets the failure as its first record.
                Err(_) => {
                    verdicts.resize(batch.len(), Verdict::Unknown);
                    break;
                }
            }
        }
        Delivery::Judged(verdicts)
    }

    fn examine(&self, schema: &'static Schema, body: &mut Vec<u8>) -> Result<(), Unfit> {
        if is_module(schema) { module::examine(body).map_err(Unfit::Broken) } else { Ok(()) }
    }

    async fn inquire(&self, schema: &'static Schema, asked: &[Asked]) -> Result<Vec<Finding>, Failure> {
        if !is_module(schema) {
            return Ok(vec![Finding::Unclear; asked.len()]);
        }
        let mut findings = Vec::with_capacity(asked.len());
        for one in asked {
            match evaluation::inquire(&self.wire, one).await {
                Ok(finding) => findings.push(finding),
                Err(failure) if findings.is_empty() => return Err(failure),
                Err(_) => {
                    findings.resize(asked.len(), Finding::NotAsked);
                    break;
                }
            }
        }
        Ok(findings)
    }

    async fn remove(&self, schema: &'static Schema, key: &Key) -> Delivery {
        if !is_module(schema) {
            return Delivery::Judged(vec![result::irremovable()]);
        }
        match module::withdraw(&self.wire, &key.to_string()).await {
            Ok(verdict) => Delivery::Judged(vec![verdict]),
            Err(failure) => Delivery::Failed(failure),
        }
    }
}
