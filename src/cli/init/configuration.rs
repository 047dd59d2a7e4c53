//! The configuration that `init` prints: short, valid as it stands, with every line to be changed marked.

use super::Dialect;
use crate::config::PortalKind;

const TEMPLATE: &str = r#"# Configuration of vitrina. Change what is marked with <--, then run: vitrina check --config THIS_FILE
# What is left out has its default; config.example.toml names every key. This file may hold passwords: chmod 640.

[sources.mis]
{url}
timezone = "Europe/Moscow"                     # <-- the hospital's time zone

[ledger]
url = "sqlite:/var/lib/vitrina/ledger.db"      # on a local disk, writable for the service

[serve]
listen = "127.0.0.1:9464"                      # status, metrics, health

{portals}
# Each feed reads the view vitrina_<portal>_<feed> of the source; `vitrina init --views --source {dialect}` prints the views to fill in.
# A feed whose view does not exist is off. A section is needed only where something differs:
#
# [portals.fer.feeds.slot]
# query = "SELECT … FROM …"                    # instead of the view; columns named as in the portal's document
# changed_at = "updated_at"                    # read only what changed; a full scan still comes every hour
#
# Who is told when a person must act; `vitrina notify test` tries it:
#
# [notify]
# smtp = "smtp://mail.hospital.lan:25"
# from = "vitrina@hospital.lan"
# to = ["it@hospital.lan"]
#
# Exchanges can be recorded without persons and secrets, to be played again or to go with a report of a fault (docs/replay.md):
#
# [record]
# dir = "/var/lib/vitrina/exchanges"
"#;

const FER: &str = r#"[portals.fer]
kind = "fer"
url = "http://127.0.0.1:2100"                  # <-- the region's gateway
username = "change-me"                         # <-- the organisation's OID
password = "change-me"                         # <-- better: password_file = "fer-password", a file beside this one
"#;

const SOUT: &str = r#"[portals.sout]
kind = "sout"
url = "https://edu.rosmintrud.ru"
api_key = "change-me"                          # <-- better: api_key_file = "sout-api-key", a file beside this one
# sign_command = ["/usr/local/bin/sign-set"]   # <-- what signs a set; without it sets arrive as drafts

[portals.sout.feeds.training]                  # registry numbers come back to your table:
# write_back = "UPDATE … SET register_no = :base_no, state = :status WHERE outer_id = :key"
"#;

const NMO: &str = r#"[portals.nmo]
kind = "nmo"
url = "https://127.0.0.1"                      # <-- the portal's address, without /rest
client_id = "change-me"                        # <-- login for the REST API
client_secret = "change-me"                    # <-- its password; better: client_secret_file = "nmo-client-secret"
username = "change-me"                         # <-- the platform's user at the portal
password = "change-me"                         # <-- its password; better: password_file = "nmo-password"
"#;

const POS: &str = r#"[portals.pos]
kind = "pos"
url = "https://pos.gosuslugi.ru/og/rgis/analytics"
# host = "pos.gosuslugi.ru"                    # <-- where url names a tunnel on this machine
access_token = "change-me"                     # <-- the first pair; better: access_token_file = "pos-access-token"
refresh_token = "change-me"                    # <-- and refresh_token_file = "pos-refresh-token"
name = "change-me"                             # <-- the name of the resource that access was granted for
"#;

const EKDO: &str = r#"[portals.ekdo]
kind = "ekdo"
url = "https://127.0.0.1"                      # <-- the API's address
username = "change-me"                         # <-- as the portal's support sent it
password = "change-me"                         # <-- better: password_file = "ekdo-password", a file beside this one
user_id = "change-me"                          # <-- the user's identifier
files_root = "."                               # <-- the folder under which all documents and signatures lie
# groups = { "Приказ" = "…" }                  # <-- the portal's group of documents for each subtype
"#;

const POSTGRES: &str = r#"url = "postgres://vitrina@localhost/mis"       # <-- host and database; an account that may only read
# password_file = "mis-password"               # <-- a file beside this one, if the account needs a password"#;

const MYSQL: &str = r#"url = "mysql://vitrina@localhost/mis"          # <-- host and database; an account that may only read
# password_file = "mis-password"               # <-- a file beside this one, if the account needs a password"#;

const SQLITE: &str = r#"url = "sqlite:/var/lib/mis/mis.db"             # <-- the database file; it is only read"#;

/// The configuration for a source of this kind and such portals.
pub(super) fn text(dialect: Dialect, kinds: &[PortalKind]) -> String {
    let (name, url) = match dialect {
        Dialect::Postgres => ("postgres", POSTGRES),
        Dialect::Mysql => ("mysql", MYSQL),
        Dialect::Sqlite => ("sqlite", SQLITE),
    };
    let portals: Vec<&str> = kinds.iter().copied().map(section).collect();
    TEMPLATE.replace("{url}", url).replace("{portals}", &portals.join("\n")).replace("{dialect}", name)
}

fn section(kind: PortalKind) -> &'static str {
    match kind {
        PortalKind::Fer => FER,
        PortalKind::Sout => SOUT,
        PortalKind::Nmo => NMO,
        PortalKind::Pos => POS,
        PortalKind::Ekdo => EKDO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_to_be_replaced_but_by_the_operator() {
        for dialect in [Dialect::Postgres, Dialect::Mysql, Dialect::Sqlite] {
            let text = text(dialect, &PortalKind::ALL);
            for place in ["{url}", "{portals}", "{dialect}"] {
                assert!(!text.contains(place), "{text}");
            }
            assert!(text.contains("# <-- "), "{text}");
        }
    }
}
