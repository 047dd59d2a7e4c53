//! POS («Платформа обратной связи»), the subsystem of public voting: its tables, its tokens, its answers.
//!
//! One record is one request: POST for what POS does not know, PUT with POS's own id for what has changed. A repeated POST makes a second
//! activity, and nothing can be asked about or taken away: an answer that was lost leaves a record that a person must decide about.

mod answer;
mod refresh;
mod remedy;
mod schema;
mod tokens;
mod wire_words;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing {
    //! What must hold of the reading of answers of POS.
    pub(crate) use super::answer::fuzzing::pos_answer as answer;
    pub(crate) use super::refresh::fuzzing::pos_refresh as refresh;
}

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use reqwest::Method;
use reqwest::header::AUTHORIZATION;
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

pub use schema::SCHEMAS;

use super::{Abilities, Batch, Cure, Delivery, Inquiry, Kind, Portal, Removal, Sent, Verdict, lenient};
use crate::record::{Key, Schema};
use crate::transport::{
    Answer, Bearer, Body, ClientError, ClientSettings, Failure, HostName, HttpClient, Mishap, Pauses, Rate,
    SecretStore, Tape, TokenHolder, TokenOutlook, Witness,
};
use answer::Errand;
use tokens::{Desk, Pair, Tokens};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What the client of POS needs to know.
#[derive(Debug, Clone)]
pub struct PosSettings {
    /// Address up to but without `/polls`, `/voting`, `/votingObjects`.
    pub url: Url,
    /// The access token that the owner of POS gave.
    pub access_token: SecretString,
    /// The refresh token that came with it.
    pub refresh_token: SecretString,
    /// When that access token ends: seconds since 1970-01-01T00:00:00Z; none when nobody said.
    pub expires_at: Option<i64>,
    /// The name of this system at POS, which a refresh must state.
    pub name: SecretString,
    /// Where a pair is refreshed, under the address: `refresh-token`.
    pub refresh_path: String,
    /// Longest wait for a whole answer.
    pub timeout: Duration,
    /// Most requests in any second, refreshes included.
    pub requests_per_second: NonZeroU32,
    /// PEM file with root certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// How long nobody asks again after a failed refresh.
    pub pauses: Pauses,
}

/// What is known of every POS.
pub(super) static KIND: Kind = Kind {
    name: "pos",
    schemas: SCHEMAS,
    remedies: remedy::CASES,
    unnamed: &["NO_ID", "HTTP-409", "NOT_FOUND"],
    wire_words: &wire_words::WORDS,
};

/// What is to be said of a row that goes out as it is: its region may not be that of its municipality.
pub(super) fn advice(_schema: &Schema, body: &[u8]) -> Option<&'static str> {
    let body = lenient::parse(body)?;
    let code = |name| lenient::member(&body, name).and_then(Value::as_str);
    let (region, municipality) = (code("reg_oktmo")?, code("mun_oktmo")?);
    (!municipality.starts_with(region)).then_some(
        "mun_oktmo does not begin with reg_oktmo, so that the municipality lies in another region; the row is sent as it is",
    )
}

/// The subsystem of public voting.
pub struct PosPortal {
    client: HttpClient,
    rate: Arc<Rate>,
    tokens: TokenHolder<Tokens>,
}

impl PosPortal {
    /// A client of POS. Connects to nothing and reads nothing of the store before the first request. `witness` is told of every request.
    pub fn new(
        settings: PosSettings,
        store: Arc<dyn SecretStore>,
        witness: Option<Witness>,
    ) -> Result<Self, ClientError> {
        let client_settings = ClientSettings {
            url: &settings.url,
            connect_timeout: CONNECT_TIMEOUT.min(settings.timeout / 2),
            timeout: settings.timeout,
            ca_file: settings.ca_file.as_deref(),
        };
        let client = HttpClient::new(&client_settings, witness)?;
        let rate = Arc::new(Rate::new(settings.requests_per_second));
        let path = settings.refresh_path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let desk = Desk { client: client.clone(), rate: Arc::clone(&rate), path, name: settings.name };
        let configured = Pair { access: settings.access_token, refresh: settings.refresh_token };
        let tokens = Tokens::new(desk, configured, settings.expires_at, store);
        let tokens = TokenHolder::new(tokens, settings.pauses);
        Ok(PosPortal { client, rate, tokens })
    }

    /// Has every request say this in its `Host` header: see [`HttpClient::name_host`].
    pub fn name_host(&self, host: HostName) {
        self.client.name_host(host);
    }

    /// Has every exchange taken by a tape: see [`HttpClient::record_to`].
    pub fn record_to(&self, tape: Arc<dyn Tape>) {
        self.client.record_to(tape);
    }

    /// Makes sure of a token. A token that is not known to have ended is not proven by this: POS has no request that changes nothing.
    pub async fn authenticate(&self) -> Result<(), Failure> {
        self.tokens.bearer().await.map(|_: Bearer| ())
    }

    /// How the token does.
    pub fn token_outlook(&self) -> TokenOutlook {
        self.tokens.outlook()
    }

    /// How far the portal's clock was ahead of ours at its last answer, to the second; none before the first answer.
    pub fn clock_skew(&self) -> Option<TimeDelta> {
        self.client.clock_skew()
    }

    async fn send(&self, schema: &Schema, sent: &Sent, body: &[u8]) -> Result<Verdict, Failure> {
        let errand = match sent.remote_id.as_deref() {
            Some(id) => Errand::Change(id),
            // Creating it anew would make a second activity.
            None if sent.known => return Ok(without_id()),
            None => Errand::Creation,
        };
        let (method, json) = match errand {
            Errand::Creation => (Method::POST, body.to_vec()),
            Errand::Change(id) => (Method::PUT, with_id(id, body)?),
        };
        let attempt = |bearer| self.attempt(method.clone(), schema, &json, bearer);
        let answer = self.tokens.authorized(attempt, |answer: &Answer| answer.status == 401).await?;
        answer::judge(errand, &answer, body)
    }

    async fn attempt(&self, method: Method, schema: &Schema, json: &[u8], bearer: Bearer) -> Result<Answer, Failure> {
        let request = self.client.request(method, &[path(schema)]).header(AUTHORIZATION, bearer.header("Bearer")?);
        self.rate.turn().await;
        self.client.send(request, Body::Json(json)).await
    }
}

/// Where a feed's records go.
fn path(schema: &Schema) -> &'static str {
    match schema.feed {
        "poll" => "polls",
        "voting" => "voting",
        _ => "votingObjects",
    }
}

/// The body of a change: the id before everything else, as a number where it is one, as in the document's samples.
fn with_id(id: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
    let Some(Value::Object(record)) = lenient::parse(body) else {
        return Err(Mishap::Unsendable { reason: "the record is no JSON object".into() }.into());
    };
    let number = id.parse::<u64>().ok().filter(|number| number.to_string() == id);
    let mut changed = serde_json::Map::new();
    changed.insert("id".into(), number.map_or_else(|| Value::from(id), Value::from));
    changed.extend(record);
    Ok(Value::Object(changed).to_string().into_bytes())
}

fn without_id() -> Verdict {
    let text = "the portal holds an earlier version under an id that is not known".to_owned();
    Verdict::Rejected { code: "NO_ID".into(), text, cure: Cure::Row, holder: None }
}

impl Portal for PosPortal {
    fn schemas(&self) -> &'static [&'static Schema] {
        SCHEMAS
    }

    fn abilities(&self, _schema: &Schema) -> Abilities {
        Abilities {
            idempotent: false,
            update: true,
            removal: Removal::Unsupported,
            inquiry: Inquiry::Never,
            registered: true,
            examines: false,
        }
    }

    fn lacks_id(&self, code: &str) -> bool {
        KIND.unnamed.contains(&code)
    }

    fn most_records(&self, _schema: &Schema) -> usize {
        1
    }

    async fn deliver(&self, schema: &'static Schema, batch: &Batch) -> Delivery {
        let mut verdicts = Vec::with_capacity(batch.len());
        for (at, sent) in batch.records().iter().enumerate() {
            match self.send(schema, sent, batch.body(at)).await {
                Ok(verdict) => verdicts.push(verdict),
                Err(failure) if verdicts.is_empty() => return Delivery::Failed(failure),
                Err(_) => {
                    // What was judged before stays judged; nothing follows a failure.
                    verdicts.resize(batch.len(), Verdict::Unknown);
                    break;
                }
            }
        }
        Delivery::Judged(verdicts)
    }

    /// Never called: [`Removal::Unsupported`].
    async fn remove(&self, _schema: &'static Schema, _key: &Key) -> Delivery {
        let reason = "POS has no request that takes a record away".to_owned();
        Delivery::Failed(Mishap::Unsendable { reason }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_begins_with_the_portals_own_id() {
        for (id, wanted) in [
            ("35", r#"{"id":35,"title":"x","is_winner":true}"#),
            ("035", r#"{"id":"035","title":"x","is_winner":true}"#),
            ("a-7", r#"{"id":"a-7","title":"x","is_winner":true}"#),
        ] {
            let body = with_id(id, br#"{"title":"x","is_winner":true}"#).unwrap();
            assert_eq!(String::from_utf8(body).unwrap(), wanted);
        }
    }

    #[test]
    fn a_municipality_of_another_region_is_spoken_of() {
        let said = |body: &str| advice(SCHEMAS[0], body.as_bytes()).is_some();
        assert!(said(r#"{"reg_oktmo":"12","mun_oktmo":"78701000"}"#));
        assert!(!said(r#"{"reg_oktmo":"78","mun_oktmo":"78701000"}"#) && !said(r#"{"reg_oktmo":"78"}"#));
    }

    #[test]
    fn every_feed_has_an_address() {
        let paths: Vec<_> = SCHEMAS.iter().map(|schema| path(schema)).collect();
        assert_eq!(paths, ["polls", "voting", "votingObjects"]);
    }
}
