//! What the keys of booking say about each other and about the sources.

use crate::config::booking::{BUILTIN, STATEMENTS};
use crate::config::database_url::{DatabaseUrl, Engine};
use crate::config::network::Network;
use crate::config::problem::Problems;
use crate::config::suggest::did_you_mean;
use crate::config::tree::{Look, Table};
use crate::source::Script;
use url::Url;

/// Checks the section, and fills in the one source that there is.
pub(super) fn check(tree: &mut Table, sources: &[String], problems: &mut Problems) {
    if let Some(section) = tree.get_mut("booking").and_then(|section| section.as_object_mut()) {
        name_source(section, sources, problems);
    }
    let Some(section) = tree.table("booking") else { return };
    check_tls(section, problems);
    check_callers(section, problems);
    let source = section.text("source").and_then(|source| tree.table("sources")?.table(source));
    let Some(url) = source.and_then(|source| DatabaseUrl::parse(source.text("url")?).ok()) else { return };
    for (name, parameters) in STATEMENTS {
        let Some(texts) = section.texts(name) else { continue };
        let key = format!("booking.{name}");
        if texts == [BUILTIN] {
            if url.engine() != Engine::Sqlite {
                problems.error(key, "builtin is for the demo hospital's SQLite tables; write a statement for yours");
            }
        } else if let Err(error) = Script::parse(url.engine().into(), &texts, parameters) {
            problems.error(key, error.to_string());
        }
    }
    if !section.contains_key("lookup") && section.texts("book").is_some_and(|texts| texts != [BUILTIN]) {
        let text = "is missing: a booking whose COMMIT was not answered stays unknown until a person looks";
        problems.warning("booking.lookup", text);
    }
}

fn name_source(section: &mut Table, sources: &[String], problems: &mut Problems) {
    match (section.text("source"), sources) {
        (Some(source), _) if !sources.iter().any(|known| known == source) => {
            let suggestion = did_you_mean(source, sources.iter().map(String::as_str));
            problems.error("booking.source", format!("there is no source {source:?}{suggestion}"));
        }
        (None, [only]) if !section.contains_key("source") => _ = section.insert("source".into(), only.as_str().into()),
        (None, _) if !section.contains_key("source") => {
            let text = format!("is missing: there are several sources, name one of {}", sources.join(", "));
            problems.error("booking.source", text);
        }
        _ => {}
    }
}

/// A network of everybody makes the list of callers say nothing.
fn check_callers(section: &Table, problems: &mut Problems) {
    let is_everybody = |text: &str| text.parse::<Network>().is_ok_and(|network| network.is_everybody());
    for (name, text) in [
        ("allow", "lets everybody book and cancel; name the gateway's addresses"),
        ("proxies", "believes everybody's X-Forwarded-For; name the proxies' own addresses"),
    ] {
        if section.texts(name).is_some_and(|networks| networks.into_iter().any(is_everybody)) {
            problems.warning(format!("booking.{name}"), text);
        }
    }
}

fn check_tls(section: &Table, problems: &mut Problems) {
    for (given, missing) in [("tls_cert_file", "tls_key_file"), ("tls_key_file", "tls_cert_file")] {
        if section.contains_key(given) && !section.contains_key(missing) {
            problems.error(format!("booking.{missing}"), format!("is missing: {given} is given, and TLS needs both"));
        }
    }
    let is_https = section.text("public_url").is_some_and(|url| url.starts_with("https:"));
    let has_path = |url: Url| !matches!(url.path(), "" | "/");
    if section.text("public_url").and_then(|url| Url::parse(url).ok()).is_some_and(has_path) {
        let text =
            "has a path, and the listener answers at /booking alone: what stands before it must take the path off";
        problems.warning("booking.public_url", text);
    }
    if section.contains_key("tls_cert_file") && section.contains_key("public_url") && !is_https {
        problems.warning("booking.public_url", "begins with http:, but the listener speaks TLS only");
    }
}
