//! Putting what is of today in the place of what was recorded: the account, the token, the ids that the portal at hand gave out.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{NaiveDate, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::form_urlencoded;

use super::compare::Learned;
use crate::portal::{Handling, Kind};
use crate::recording::{Body, Cassette, Part, Request, stand_in_for, xml};

/// Credentials by the keys of a portal's section.
pub type Account = BTreeMap<&'static str, SecretString>;

pub(super) struct Puts<'a> {
    pub kind: &'static Kind,
    pub account: &'a Account,
    pub learned: &'a Learned,
    pub token: Option<&'a str>,
}

impl Puts<'_> {
    /// The request as it is to be sent.
    pub fn request(&self, cassette: &Cassette) -> Request {
        let days = cassette.at.map_or(0, |at| (Utc::now().date_naive() - at.date_naive()).num_days());
        let recorded = &cassette.request;
        let headers = recorded.headers.iter().map(|(name, value)| (name.clone(), self.header(name, value))).collect();
        Request {
            method: recorded.method.clone(),
            path: self.path(&recorded.path, days),
            headers,
            body: self.body(&recorded.body, days),
        }
    }

    fn path(&self, path: &str, days: i64) -> String {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let segment = |segment: &str| self.learned.get(segment).cloned().unwrap_or_else(|| segment.to_owned());
        let path: Vec<String> = path.split('/').map(segment).collect();
        let path = path.join("/");
        let Some(query) = query else { return path };
        let mut made = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            made.append_pair(&name, &self.value(&name, &value, days));
        }
        format!("{path}?{}", made.finish())
    }

    fn header(&self, name: &str, value: &str) -> String {
        if name != "authorization" {
            return self.secret(value);
        }
        match value.split_once(' ') {
            Some((scheme, account)) if scheme.eq_ignore_ascii_case("basic") => {
                let decoded = STANDARD.decode(account).ok().and_then(|account| String::from_utf8(account).ok());
                let decoded = decoded.unwrap_or_default();
                let (user, password) = decoded.split_once(':').unwrap_or((&decoded, ""));
                let account = format!("{}:{}", self.secret(user), self.secret(password));
                format!("{scheme} {}", STANDARD.encode(account))
            }
            Some((scheme, token)) => format!("{scheme} {}", self.secret(token)),
            None => self.secret(value),
        }
    }

    /// What a stand-in of a credential or a token stands for today.
    fn secret(&self, stand_in: &str) -> String {
        let own = self.account.iter().find(|(key, _)| stand_in_for(key) == stand_in);
        if let Some(learned) = self.learned.get(stand_in) {
            return learned.clone();
        }
        match (own, self.token) {
            (Some((_, secret)), _) => secret.expose_secret().to_owned(),
            // A token of before the recording's beginning.
            (None, Some(token)) if stand_in.starts_with("stand-in-token-") => token.to_owned(),
            _ => stand_in.to_owned(),
        }
    }

    fn value(&self, name: &str, value: &str, days: i64) -> String {
        if self.kind.moves(name)
            && let Ok(date) = NaiveDate::parse_from_str(value, "%Y-%m-%d")
        {
            return (date + chrono::TimeDelta::days(days)).to_string();
        }
        match self.kind.handling(name, false) {
            Handling::Secret => self.secret(value),
            Handling::Incidental => self.learned.get(value).cloned().unwrap_or_else(|| value.to_owned()),
            Handling::Shown | Handling::Message | Handling::Hidden => self.secret_only(value),
        }
    }

    /// A credential may stand under a name that says nothing of it.
    fn secret_only(&self, value: &str) -> String {
        if value.starts_with("stand-in-") { self.secret(value) } else { value.to_owned() }
    }

    fn body(&self, body: &Body, days: i64) -> Body {
        match body {
            Body::Json(json) => {
                let mut json = json.clone();
                self.json("", &mut json, days);
                Body::Json(json)
            }
            Body::Xml(text) => {
                let made = xml::mapped(text, &mut |name, value| self.value(name, value, days));
                Body::Xml(made.unwrap_or_else(|| text.clone()))
            }
            Body::Form(fields) => {
                let value = |(name, value): &(String, String)| (name.clone(), self.value(name, value, days));
                Body::Form(fields.iter().map(value).collect())
            }
            Body::Parts(parts) => Body::Parts(
                parts
                    .iter()
                    .map(|part| {
                        let body = match &part.body {
                            Body::Text(text) => Body::Text(self.value(&part.name, text, days)),
                            other => self.body(other, days),
                        };
                        Part { body, ..part.clone() }
                    })
                    .collect(),
            ),
            // What was signed, and what is a file, goes as it is.
            Body::Empty | Body::Text(_) | Body::Archive(_) | Body::Base64(_) | Body::Omitted(_) => body.clone(),
        }
    }

    fn json(&self, name: &str, value: &mut Value, days: i64) {
        match value {
            Value::Object(members) => members.iter_mut().for_each(|(name, value)| self.json(name, value, days)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.json(name, item, days)),
            Value::String(text) => *text = self.value(name, text, days),
            Value::Number(number) if self.kind.handling(name, false) == Handling::Incidental => {
                if let Some(learned) = self.learned.get(&number.to_string()) {
                    *value = serde_json::from_str(learned).unwrap_or_else(|_| learned.as_str().into());
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}
