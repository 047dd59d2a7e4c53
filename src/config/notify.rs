//! Notices: who is told when a person must act, in which language, and how often.

use std::path::PathBuf;
use std::time::Duration;

use chrono::NaiveTime;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use url::Url;

use super::names;
use super::shape::{Key, Scalar, Shape, Texts};
use crate::record::Language;

/// Who is told of troubles. At least one of `smtp`, `webhook` and `command` is there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifyConfig {
    /// The language that people are told in.
    #[serde(deserialize_with = "read_language")]
    pub language: Language,
    /// The mail server.
    pub smtp: Option<SmtpUrl>,
    /// The account at the mail server, where it wants one.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<SecretString>,
    /// Certificate authorities of the mail server, PEM, beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Who mails are from.
    pub from: Option<String>,
    /// Who mails go to.
    #[serde(default)]
    pub to: Vec<String>,
    /// The address that gets each notice as JSON. A secret: such addresses often carry a key.
    pub webhook: Option<SecretString>,
    /// The program that gets each notice as JSON on standard input, with its arguments.
    pub command: Option<Vec<String>>,
    /// When the state of each morning is told, on the source's clock.
    #[serde(default, deserialize_with = "read_time")]
    pub digest: Option<NaiveTime>,
    /// True when the morning is told of even where all is well.
    pub always: bool,
    /// The same trouble is not told again before this.
    #[serde(with = "humantime_serde")]
    pub quiet: Duration,
}

/// How mails reach their server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// In the clear.
    None,
    /// TLS after STARTTLS, or not at all.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// The address of a mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpUrl {
    /// How mails reach it.
    pub security: SmtpSecurity,
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Keys of notices.
pub(super) const KEYS: &[Key] = &[
    Key::or("language", "ru", Scalar::Word(&["ru", "en"])),
    Key::may("smtp", Shape::text(smtp)),
    Key::may("username", Shape::text(names::any)),
    Key::may("password", Shape::Secret),
    Key::may("ca_file", Shape::File),
    Key::may("from", Shape::text(mailbox)),
    Key::may("to", Shape::Texts(Texts { check: mailbox, alone: true, most: 50 })),
    Key::may("webhook", Shape::Secret),
    Key::may("command", Shape::Texts(Texts { check: names::any, alone: true, most: 64 })),
    Key::may("digest", Shape::text(time)),
    Key::or("always", "false", Scalar::Boolean),
    Key::or("quiet", "1h", Scalar::seconds(60, 7 * 86_400)),
];

impl SmtpUrl {
    /// Reads an address. The error never repeats it: it may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| "is no address; write it as smtp://mail.hospital.lan:25")?;
        let (security, usual) = match url.scheme() {
            "smtp" => (SmtpSecurity::None, 25),
            "smtp+starttls" => (SmtpSecurity::StartTls, 587),
            "smtps" => (SmtpSecurity::Tls, 465),
            _ => return Err("must begin with smtp://, smtp+starttls:// or smtps://".into()),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold an account; give username and password_file beside it".into());
        }
        let is_bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        let host = url.host_str().filter(|host| is_bare && !host.is_empty());
        let host = host.ok_or("must be a host and a port, with nothing behind them")?.trim_matches(['[', ']']);
        Ok(SmtpUrl { security, host: host.to_owned(), port: url.port().unwrap_or(usual) })
    }

    /// True when it is this machine.
    pub(super) fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

impl<'de> Deserialize<'de> for SmtpUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        SmtpUrl::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// True for a host that is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn smtp(text: &str) -> Result<(), String> {
    SmtpUrl::parse(text).map(drop)
}

/// Checks an address of mail, with or without a name before it.
fn mailbox(text: &str) -> Result<(), String> {
    match text.parse::<lettre::message::Mailbox>() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("{text:?} is no address of mail, like it@hospital.lan")),
    }
}

/// Checks a time of day.
fn time(text: &str) -> Result<(), String> {
    match NaiveTime::parse_from_str(text, "%H:%M") {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("{text:?} is no time of day, like \"08:00\"")),
    }
}

fn read_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NaiveTime>, D::Error> {
    let text = String::deserialize(deserializer)?;
    NaiveTime::parse_from_str(&text, "%H:%M").map(Some).map_err(serde::de::Error::custom)
}

fn read_language<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Language, D::Error> {
    Ok(match String::deserialize(deserializer)?.as_str() {
        "en" => Language::English,
        _ => Language::Russian,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_mail_server_says_how_mails_reach_it() {
        let read = |text| SmtpUrl::parse(text).map(|url| (url.security, url.host, url.port));
        assert_eq!(read("smtp://mail.lan"), Ok((SmtpSecurity::None, "mail.lan".into(), 25)));
        assert_eq!(read("smtp+starttls://10.0.0.5:2525"), Ok((SmtpSecurity::StartTls, "10.0.0.5".into(), 2525)));
        assert_eq!(read("smtps://[::1]/"), Ok((SmtpSecurity::Tls, "::1".into(), 465)));
    }

    #[test]
    fn a_wrong_address_is_told_without_its_password() {
        for wrong in
            ["smtp://it:hunter2@mail.lan", "mail.lan:25", "http://mail.lan", "smtp://mail.lan/hunter2", "smtp:"]
        {
            let error = SmtpUrl::parse(wrong).unwrap_err();
            assert!(!error.contains("hunter2"), "{wrong}: {error}");
        }
    }

    #[test]
    fn addresses_of_mail_may_carry_a_name() {
        for good in ["it@hospital.lan", "Дежурный <duty@hospital.lan>"] {
            assert_eq!(mailbox(good), Ok(()), "{good}");
        }
        for bad in ["it", "@hospital.lan", "it@hospital.lan, boss@hospital.lan"] {
            assert!(mailbox(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_time_of_day_has_hours_and_minutes() {
        assert_eq!(time("08:00"), Ok(()));
        for bad in ["24:00", "8", "08:00:00", "morning"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
