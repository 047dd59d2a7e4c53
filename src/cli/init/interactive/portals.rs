//! Portals: their addresses and accounts, asked for and tried at once.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use super::talk::Talk;
use super::text::{Secrets, Section, toml};
use super::words;
use crate::cli::CliError;
use crate::cli::check::{Reality, World};
use crate::config::{Environment, PortalKind, load_text};
use crate::record::Phrase;

/// Longest time for a portal to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A key that a portal needs.
struct Question {
    key: &'static str,
    prompt: Phrase,
    secret: bool,
    default: &'static str,
}

const fn plain(key: &'static str, en: &'static str, ru: &'static str, default: &'static str) -> Question {
    Question { key, prompt: Phrase { en, ru }, secret: false, default }
}

const fn secret(key: &'static str, en: &'static str, ru: &'static str) -> Question {
    Question { key, prompt: Phrase { en, ru }, secret: true, default: "" }
}

const FER: &[Question] = &[
    plain(
        "url",
        "Address of the region's gateway, like http://10.86.6.237:2100",
        "Адрес шлюза региона, например http://10.86.6.237:2100",
        "",
    ),
    plain("username", "Account: the organisation's OID", "Учётная запись: OID организации", ""),
    secret("password", "Password", "Пароль"),
];
const SOUT: &[Question] = &[
    plain("url", "Address", "Адрес", "https://edu.rosmintrud.ru"),
    secret("api_key", "Key of the organisation", "Ключ организации"),
];
const NMO: &[Question] = &[
    plain("url", "Address, without /rest", "Адрес, без /rest", ""),
    plain("client_id", "Login for the REST API", "Логин для REST API", ""),
    secret("client_secret", "Password for the REST API", "Пароль для REST API"),
    plain("username", "The platform's user at the portal", "Пользователь платформы на портале", ""),
    secret("password", "Password of that user", "Пароль этого пользователя"),
];
const POS: &[Question] = &[
    plain("url", "Address, without /polls", "Адрес, без /polls", "https://pos.gosuslugi.ru/og/rgis/analytics"),
    secret("access_token", "Access token", "Токен доступа"),
    secret("refresh_token", "Token for renewal", "Токен обновления"),
    plain("name", "Name of the external resource", "Имя внешнего ресурса", ""),
];
const EKDO: &[Question] = &[
    plain("url", "Address of the API", "Адрес API", ""),
    plain("username", "Login", "Логин", ""),
    secret("password", "Password", "Пароль"),
    plain("user_id", "The user's identifier", "Идентификатор пользователя", ""),
    plain(
        "files_root",
        "Folder under which all documents and signatures lie",
        "Каталог, под которым лежат все документы и подписи",
        "",
    ),
];

fn questions(kind: PortalKind) -> &'static [Question] {
    match kind {
        PortalKind::Fer => FER,
        PortalKind::Sout => SOUT,
        PortalKind::Nmo => NMO,
        PortalKind::Pos => POS,
        PortalKind::Ekdo => EKDO,
    }
}

/// Asks which kinds are to be fed.
pub(super) fn kinds(talk: &Talk) -> Result<Vec<PortalKind>, CliError> {
    let titles: Vec<String> = PortalKind::ALL.iter().map(|kind| talk.words(&words::title(*kind), &[])).collect();
    let chosen = talk.several(&words::PORTALS, &titles)?;
    Ok(chosen.into_iter().filter_map(|at| PortalKind::ALL.get(at).copied()).collect())
}

/// Asks for one portal until it lets us in, or is to be left as it is. None: the person stops.
pub(super) async fn ask(
    talk: &Talk,
    kind: PortalKind,
    source: &Section,
    path: &Path,
) -> Result<Option<Section>, CliError> {
    talk.say(&words::PORTAL, &[&talk.words(&words::title(kind), &[])]);
    let mut last: Vec<String> = questions(kind).iter().map(|question| question.default.to_owned()).collect();
    loop {
        let section = answers(talk, kind, &mut last)?;
        talk.say(&words::TRYING, &[&last.first().map_or("", |url| url.as_str())]);
        match sign_in(talk, kind, source, &section, path).await {
            Ok(said) => {
                talk.say(&said, &[]);
                return Ok(Some(section));
            }
            Err(text) => talk.say(&words::FAILED, &[&text]),
        }
        match talk.decide(&words::AND_NOW, &[&words::ANSWER_AGAIN, &words::KEEP_ON, &words::STOP])? {
            0 => {}
            1 => return Ok(Some(section)),
            _ => return Ok(None),
        }
    }
}

fn answers(talk: &Talk, kind: PortalKind, last: &mut [String]) -> Result<Section, CliError> {
    let name = kind.name();
    let mut section = Section::new(format!("portals.{name}")).text("kind", name);
    let filled = |text: &str| if text.is_empty() { Err(talk.words(&words::EMPTY, &[])) } else { Ok(()) };
    for (question, last) in questions(kind).iter().zip(last) {
        section = match question.secret {
            true => {
                let prompt = talk.words(&words::HIDDEN, &[&talk.words(&question.prompt, &[])]);
                let file = format!("{name}-{}", question.key.replace('_', "-"));
                section.secret(question.key, file, talk.secret(&prompt)?)
            }
            false => {
                *last = talk.line(&question.prompt, last, filled)?;
                section.text(question.key, last.clone())
            }
        };
    }
    Ok(section)
}

/// Signs in with what was answered, as the daemon would. The error is a sentence without secrets.
async fn sign_in(
    talk: &Talk,
    kind: PortalKind,
    source: &Section,
    section: &Section,
    path: &Path,
) -> Result<Phrase, String> {
    let text = toml(&[source.clone(), section.clone()], Secrets::Inside);
    let loaded = load_text(path, &text, &Environment::default()).map_err(|problems| problems.to_string())?;
    let portal = loaded.config.portals.get(kind.name()).ok_or_else(|| kind.name().to_owned())?;
    match timeout(PATIENCE, Reality.sign_in(kind.name(), portal)).await {
        Ok(signed_in) => signed_in.map(|_| if kind == PortalKind::Pos { words::CANNOT_BE_TRIED } else { words::WORKS }),
        Err(_) => Err(talk.words(&words::NO_ANSWER, &[])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_that_a_kind_must_have_is_asked_for() {
        for kind in PortalKind::ALL {
            let folder = tempfile::tempdir().expect("a folder");
            let mut section = Section::new(format!("portals.{}", kind.name())).text("kind", kind.name());
            for question in questions(kind) {
                let value = match question.key {
                    "url" => "https://127.0.0.1",
                    "files_root" => folder.path().to_str().expect("a path"),
                    "username" if kind == PortalKind::Fer => "1.2.643.5.1.13.13.12.2.86.8902",
                    _ => "a-long-enough-value",
                };
                section = match question.secret {
                    true => section.secret(question.key, "file".into(), value.into()),
                    false => section.text(question.key, value),
                };
            }
            let source = Section::new("sources.mis").text("url", "sqlite:/mis.db");
            let text = toml(&[source, section], Secrets::Inside);
            let loaded = load_text(&folder.path().join("vitrina.toml"), &text, &Environment::default());
            assert!(loaded.is_ok(), "{}: {loaded:?}", kind.name());
        }
    }
}
