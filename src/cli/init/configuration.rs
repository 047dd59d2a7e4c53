//! The configuration that `init` prints: short, valid as it stands, with every line to be changed marked.

use super::Dialect;

const TEMPLATE: &str = r#"# Configuration of vitrina. Change what is marked with <--, then run: vitrina check --config THIS_FILE
# What is left out has its default; config.example.toml names every key. This file may hold passwords: chmod 640.

[sources.mis]
{url}
timezone = "Europe/Moscow"                     # <-- the hospital's time zone

[ledger]
url = "sqlite:/var/lib/vitrina/ledger.db"      # on a local disk, writable for the service

[serve]
listen = "127.0.0.1:9464"                      # status, metrics, health

[portals.fer]
kind = "fer"
url = "http://127.0.0.1:2100"                  # <-- the region's gateway
username = "change-me"                         # <-- the organisation's OID
password = "change-me"                         # <-- better: password_file = "fer-password", a file beside this one

# Each feed reads the view vitrina_fer_<feed> of the source; `vitrina init --views --source {dialect}` prints the views to fill in.
# A feed whose view does not exist is off. A section is needed only where something differs:
#
# [portals.fer.feeds.slot]
# query = "SELECT … FROM …"                    # instead of the view; columns named as in the portal's document
# changed_at = "updated_at"                    # read only what changed; a full scan still comes every hour
"#;

const POSTGRES: &str = r#"url = "postgres://vitrina@localhost/mis"       # <-- host and database; an account that may only read
# password_file = "mis-password"               # <-- a file beside this one, if the account needs a password"#;

const MYSQL: &str = r#"url = "mysql://vitrina@localhost/mis"          # <-- host and database; an account that may only read
# password_file = "mis-password"               # <-- a file beside this one, if the account needs a password"#;

const SQLITE: &str = r#"url = "sqlite:/var/lib/mis/mis.db"             # <-- the database file; it is only read"#;

/// The configuration for a source of this kind.
pub(super) fn text(dialect: Dialect) -> String {
    let (name, url) = match dialect {
        Dialect::Postgres => ("postgres", POSTGRES),
        Dialect::Mysql => ("mysql", MYSQL),
        Dialect::Sqlite => ("sqlite", SQLITE),
    };
    TEMPLATE.replace("{url}", url).replace("{dialect}", name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_to_be_replaced_but_by_the_operator() {
        for dialect in [Dialect::Postgres, Dialect::Mysql, Dialect::Sqlite] {
            let text = text(dialect);
            assert!(!text.contains('{'), "{text}");
            assert!(text.contains("# <-- "), "{text}");
        }
    }
}
