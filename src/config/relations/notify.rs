//! What the keys of notices say about each other.

use url::Url;

use crate::config::notify::{SmtpSecurity, SmtpUrl, is_loopback};
use crate::config::problem::Problems;
use crate::config::tree::{Look, Table};

/// Checks the section, if it is there.
pub(super) fn check(tree: &Table, problems: &mut Problems) {
    let Some(section) = tree.table("notify") else { return };
    if !["smtp", "webhook", "command"].iter().any(|key| section.contains_key(*key)) {
        problems.error("notify", "names no way to deliver; set smtp (with from and to), webhook or command");
    }
    check_mail(section, problems);
    if let Some(Err(text)) = section.text("webhook").map(check_webhook) {
        problems.error("notify.webhook", text);
    }
    let program = section.texts("command").and_then(|command| command.first().copied());
    if program.is_some_and(|program| !program.starts_with('/')) {
        let text = "the program must be given with its whole path: a service has no PATH of yours";
        problems.error("notify.command", text);
    }
    if section.get("always").and_then(serde_json::Value::as_bool) == Some(true) && !section.contains_key("digest") {
        problems
            .warning("notify.always", "has no effect without digest, the time at which each morning's state is told");
    }
}

fn check_mail(section: &Table, problems: &mut Problems) {
    let has = |key: &str| section.contains_key(key);
    if !has("smtp") {
        for key in ["from", "to", "username", "password", "ca_file"] {
            if has(key) {
                problems.error(format!("notify.{key}"), "is used by mail alone; set smtp too");
            }
        }
        return;
    }
    for key in ["from", "to"] {
        if !has(key) {
            problems.error(format!("notify.{key}"), "is missing: mail needs both from and to");
        }
    }
    match (has("username"), has("password")) {
        (true, false) => problems.error("notify.password", "is missing; give password_file beside username"),
        (false, true) => problems.error("notify.username", "is missing: a password is of no use without it"),
        _ => {}
    }
    let Some(smtp) = section.text("smtp").and_then(|text| SmtpUrl::parse(text).ok()) else { return };
    if smtp.security == SmtpSecurity::None && has("password") && !smtp.is_loopback() {
        let text =
            "smtp:// carries the password in the clear; use smtp+starttls:// or smtps:// where the server has it";
        problems.warning("notify.smtp", text);
    }
    if smtp.security == SmtpSecurity::None && has("ca_file") {
        problems.error("notify.ca_file", "has no effect: smtp:// uses no TLS");
    }
}

/// The address may carry a key: the error does not repeat it.
fn check_webhook(text: &str) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_| "is no address; write it as https://chat.hospital.lan/hooks/vitrina")?;
    match (url.scheme(), url.host_str()) {
        ("https", Some(_)) => Ok(()),
        ("http", Some(host)) if is_loopback(host) => Ok(()),
        ("http", Some(_)) => Err("must begin with https://; http:// is for an address on this machine alone"),
        _ => Err("must begin with https:// and name a host"),
    }
}
