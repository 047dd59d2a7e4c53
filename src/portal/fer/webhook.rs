//! The webhook: where the gateway calls when a citizen books or cancels (section «Ответный сервис»).
//!
//! One address is registered for the organisation and, if need be, one for a department. The document does not say in what form an address
//! is sent: as JSON here, as everything else that is sent to the gateway. It prints GET for two methods that change something; what a
//! region's gateway takes is a setting.

use std::fmt;

use reqwest::Method;
use serde_json::{Map, Value};
use url::Url;

use super::FerPortal;
use super::answer::{Reply, member};
use super::wire::Call;
use crate::transport::{Body, Failure, Mishap, redact};

const PATH: &[&str] = &["api", "callback"];
const CHECK_PATH: &[&str] = &["api", "callback", "check"];
const ADDRESS: &str = "address";
const DEPARTMENT: &str = "depart_oid";
/// Most characters of an address that are shown.
const SHOWN: usize = 300;

/// The methods of two requests that the document prints wrongly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookMethods {
    /// Changes a registered address.
    pub update: Method,
    /// Removes it.
    pub remove: Method,
}

impl Default for WebhookMethods {
    fn default() -> Self {
        WebhookMethods { update: Method::PUT, remove: Method::DELETE }
    }
}

/// What a registration did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// The address was registered already.
    Unchanged,
    /// None was registered before.
    Created,
    /// Another address was registered before: this one, as it may be shown.
    Replaced(String),
}

/// What the gateway says of an address that it has called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reachability {
    /// It got an answer.
    Reachable,
    /// It did not; why, redacted, as far as it says.
    Unreachable(String),
}

/// What is registered, held against what should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookStanding {
    /// The wanted address.
    Registered,
    /// None: bookings of citizens do not reach the hospital.
    Missing,
    /// Another one, as it may be shown.
    Other(String),
}

impl fmt::Display for WebhookStanding {
    /// A sentence for the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WebhookStanding::Registered => f.write_str("the gateway calls the public_url of booking"),
            WebhookStanding::Missing => f.write_str(
                "no webhook is registered for the organisation: bookings reach only departments that have one of their own \
                 (`vitrina webhook check --department OID`); run `vitrina webhook register`",
            ),
            WebhookStanding::Other(address) => write!(
                f,
                "the gateway calls {address} and not the public_url of booking; run `vitrina webhook register`, or correct public_url"
            ),
        }
    }
}

impl FerPortal {
    /// The registered address, of the organisation or of the department with this OID. None if there is none.
    pub async fn webhook(&self, department: Option<&str>) -> Result<Option<String>, Failure> {
        let query: Vec<(&str, &str)> = department.map(|oid| (DEPARTMENT, oid)).into_iter().collect();
        let call = Call { method: Method::GET, path: PATH, query: &query, body: Body::AsBuilt };
        registered(self.wire.call(&call).await?, department)
    }

    /// Registers an address. The gateway takes one at a time, so that what is registered is read first and then, if need be, changed. It
    /// calls the address before it answers.
    pub async fn register_webhook(&self, address: &Url, department: Option<&str>) -> Result<Registration, Failure> {
        let address = written(address);
        match self.webhook(department).await? {
            Some(registered) if is_same(&registered, &address) => Ok(Registration::Unchanged),
            Some(registered) => {
                let update = self.webhook_methods.update.clone();
                self.send_webhook(update, &address, department).await?;
                Ok(Registration::Replaced(shown_address(&registered)))
            }
            None => {
                self.send_webhook(Method::POST, &address, department).await?;
                Ok(Registration::Created)
            }
        }
    }

    /// Removes what is registered. False when nothing was.
    pub async fn remove_webhook(&self, department: Option<&str>) -> Result<bool, Failure> {
        if self.webhook(department).await?.is_none() {
            return Ok(false);
        }
        let query: Vec<(&str, &str)> = department.map(|oid| (DEPARTMENT, oid)).into_iter().collect();
        let call = Call { method: self.webhook_methods.remove.clone(), path: PATH, query: &query, body: Body::AsBuilt };
        let reply = self.wire.call(&call).await?;
        match (reply.status(), reply.envelope()) {
            (404, Some(_)) => Ok(true),
            _ => accepted(reply).map(|_| true),
        }
    }

    /// Has the gateway call an address, registered or not.
    pub async fn check_webhook(&self, address: &Url) -> Result<Reachability, Failure> {
        let address = written(address);
        let query = [(ADDRESS, address.as_str())];
        let call = Call { method: Method::GET, path: CHECK_PATH, query: &query, body: Body::AsBuilt };
        reached(&self.wire.call(&call).await?)
    }

    /// Holds what is registered against the address that should be.
    pub async fn webhook_standing(&self, wanted: &Url, department: Option<&str>) -> Result<WebhookStanding, Failure> {
        Ok(match self.webhook(department).await? {
            None => WebhookStanding::Missing,
            Some(registered) if is_same(&registered, &written(wanted)) => WebhookStanding::Registered,
            Some(registered) => WebhookStanding::Other(shown_address(&registered)),
        })
    }

    async fn send_webhook(&self, method: Method, address: &str, department: Option<&str>) -> Result<(), Failure> {
        let fields = [Some((ADDRESS, address)), department.map(|oid| (DEPARTMENT, oid))];
        let fields: Vec<(&str, &str)> = fields.into_iter().flatten().collect();
        if method == Method::GET {
            let call = Call { method, path: PATH, query: &fields, body: Body::AsBuilt };
            return accepted(self.wire.call(&call).await?).map(drop);
        }
        let body: Map<String, Value> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let body = Value::Object(body).to_string();
        let call = Call { method, path: PATH, query: &[], body: Body::Json(body.as_bytes()) };
        accepted(self.wire.call(&call).await?).map(drop)
    }
}

/// An address as it may be shown: without an account, without what a terminal would obey, and not endless.
pub fn shown_address(address: &str) -> String {
    match Url::parse(address) {
        Ok(mut url) if url.has_host() => {
            // An address that cannot have an account has none.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            written(&url).chars().take(SHOWN).collect()
        }
        Ok(_) | Err(_) => redact(address).chars().filter(|sign| !sign.is_control()).take(SHOWN).collect(),
    }
}

/// The base behind which the gateway puts `/booking/book`: without a slash at its end.
fn written(address: &Url) -> String {
    address.as_str().trim_end_matches('/').to_owned()
}

/// True when both lead to the same place.
fn is_same(registered: &str, wanted: &str) -> bool {
    let normal = |text: &str| Url::parse(text.trim()).map_or_else(|_| text.trim().to_owned(), |url| written(&url));
    normal(registered) == normal(wanted)
}

/// The address in the answer to a question for it.
fn registered(reply: Reply, department: Option<&str>) -> Result<Option<String>, Failure> {
    match (reply.status(), reply.envelope()) {
        (404, Some(_)) | (204, _) => Ok(None),
        (200..=299, _) => addresses(&accepted(reply)?, department),
        _ => Err(refused(&reply)),
    }
}

/// Whether the gateway has reached an address that it was to call.
fn reached(reply: &Reply) -> Result<Reachability, Failure> {
    let said = reply.envelope().map(|envelope| (envelope.succeeded(), envelope.said(&[])));
    match (reply.status(), said) {
        (200..=299, None | Some((true, _))) if is_no(reply.payload()) => {
            Ok(Reachability::Unreachable("it got no answer".into()))
        }
        (200..=299, None | Some((true, _))) => Ok(Reachability::Reachable),
        // The answering service's own status may be passed on, in the gateway's words.
        (200..=299 | 400 | 404 | 422 | 500 | 502 | 504, Some((_, said))) => Ok(Reachability::Unreachable(said)),
        _ => Err(refused(reply)),
    }
}

/// A success in the status and in the gateway's words.
fn accepted(reply: Reply) -> Result<Reply, Failure> {
    match (reply.status(), reply.envelope()) {
        (200..=299, Some(envelope)) if !envelope.succeeded() => {
            Err(Failure::from(Mishap::Unnamed { code: reply.status() }).saying(&envelope.said(&[])))
        }
        (200..=299, _) => Ok(reply),
        _ => Err(refused(&reply)),
    }
}

/// What a refusal comes to. A 405 speaks of the method here, and of no unit.
fn refused(reply: &Reply) -> Failure {
    reply.failure(&[]).without_units()
}

/// The address out of an answer: a text, an object, or a list of objects of which one is of the department.
fn addresses(reply: &Reply, department: Option<&str>) -> Result<Option<String>, Failure> {
    let records = match reply.payload() {
        Value::String(address) => return Ok(Some(address.clone()).filter(|address| !address.trim().is_empty())),
        Value::Object(_) => std::slice::from_ref(reply.payload()),
        Value::Array(records) => records,
        Value::Null => return Ok(None),
        Value::Bool(_) | Value::Number(_) => return Err(reply.unreadable()),
    };
    let text = |record: &Value, name: &str| {
        let text = member(record, name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        text.map(str::to_owned)
    };
    let of = |wanted: Option<&str>| {
        let mut found = records.iter().filter(|record| text(record, DEPARTMENT).as_deref() == wanted);
        found.find_map(|record| text(record, ADDRESS))
    };
    // Who asked for a department may get its record without the name.
    Ok(of(department).or_else(|| department.and_then(|_| of(None))))
}

/// True for a payload that says no: the document does not print one.
fn is_no(payload: &Value) -> bool {
    const NAMES: [&str; 5] = ["available", "isAvailable", "success", "isSuccess", "status"];
    match payload {
        Value::Bool(said) => !said,
        Value::String(said) => said.eq_ignore_ascii_case("false"),
        Value::Object(_) => {
            NAMES.iter().any(|name| member(payload, name).is_some_and(|said| *said == Value::Bool(false)))
        }
        Value::Null | Value::Number(_) | Value::Array(_) => false,
    }
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::transport::Answer;

    const OID: &str = "1.2.643.5.1.13.13.12.2.86.8964.0.163227";

    fn reply(body: &Value) -> Reply {
        Reply::of(Answer { status: 200, retry_after: None, date: None, body: body.to_string().into_bytes() })
    }

    #[test]
    fn an_address_is_found_in_every_shape_of_an_answer() {
        let own = json!({"address": "http://h:1"});
        let departments =
            json!([{"address": "http://d:2", "depart_oid": OID}, {"Address": "http://h:1", "depart_oid": null}]);
        for (body, department, expected) in [
            (own.clone(), None, Some("http://h:1")),
            (json!([own]), None, Some("http://h:1")),
            (json!({"result": own, "isSuccess": true}), None, Some("http://h:1")),
            (json!({"result": "http://h:1", "isSuccess": true}), None, Some("http://h:1")),
            (json!({"result": [own], "isSuccess": true}), Some(OID), Some("http://h:1")),
            (departments.clone(), Some(OID), Some("http://d:2")),
            (departments, None, Some("http://h:1")),
            (json!([{"address": "http://d:2", "depart_oid": OID}]), None, None),
            (json!({"result": null, "isSuccess": true}), None, None),
            (json!({"result": {"address": ""}, "isSuccess": true}), None, None),
        ] {
            assert_eq!(addresses(&reply(&body), department).unwrap().as_deref(), expected, "{body}");
        }
        assert!(addresses(&reply(&json!(17)), None).is_err());
    }

    #[test]
    fn one_place_may_be_written_in_several_ways() {
        assert!(is_same("HTTP://Hospital.ru:80/ ", "http://hospital.ru"));
        assert!(!is_same("http://hospital.ru/mis", "http://hospital.ru"));
    }

    #[test]
    fn what_is_shown_holds_no_account() {
        assert_eq!(shown_address("http://user:secret@10.0.0.5:8090/?token=1"), "http://10.0.0.5:8090");
        assert!(!shown_address("user:secret9@host nowhere").contains("secret9"));
        assert_eq!(shown_address(&format!("http://h/{}", "x".repeat(1000))).len(), SHOWN);
    }
}
