//! Names that operators give, and checks of short texts that several sections share.

use std::net::SocketAddr;

use chrono_tz::Tz;
use serde::{Deserialize, Deserializer};

/// Longest name of a source or portal: default view names must stay within the 63 bytes of a PostgreSQL name.
const NAME_LIMIT: usize = 32;
/// Longest statement.
const QUERY_LIMIT: usize = 64 * 1024;

/// Checks the name of a source or portal.
pub(super) fn name(text: &str) -> Result<(), String> {
    let plain = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !plain {
        return Err("a name is lower-case letters, digits and underscores, and starts with a letter".into());
    }
    if text.contains("__") {
        return Err("a name cannot contain two underscores in a row: they separate keys in the environment".into());
    }
    if text.len() > NAME_LIMIT {
        return Err(format!("a name has at most {NAME_LIMIT} characters"));
    }
    Ok(())
}

/// Any text.
pub(super) fn any(_: &str) -> Result<(), String> {
    Ok(())
}

/// Checks an id that the portal wants as a GUID.
pub(super) fn guid(text: &str) -> Result<(), String> {
    match crate::record::guid::parse(text.trim()) {
        Some(_) => Ok(()),
        None => {
            Err("is no GUID; expected 32 hexadecimal digits with hyphens, as 00000000-0000-0000-0000-000000000000"
                .into())
        }
    }
}

/// Checks a column's name.
pub(super) fn column(text: &str) -> Result<(), String> {
    let plain = text.chars().all(|c| c.is_alphanumeric() || c == '_') && text.len() <= 63;
    match plain {
        true => Ok(()),
        false => Err("expected the name of one column: letters, digits and underscores".into()),
    }
}

/// Checks a query as far as that goes without a database.
pub(super) fn query(text: &str) -> Result<(), String> {
    if text.len() > QUERY_LIMIT {
        return Err(format!("is longer than {QUERY_LIMIT} bytes; make a view of it"));
    }
    if text.trim_end().ends_with(';') {
        return Err("must not end with a semicolon: it is used inside other statements".into());
    }
    Ok(())
}

/// Checks a statement that writes as far as that goes without its parameters.
pub(super) fn statement(text: &str) -> Result<(), String> {
    match text.len() {
        0..=QUERY_LIMIT => Ok(()),
        _ => Err(format!("is longer than {QUERY_LIMIT} bytes; make a function or procedure of it")),
    }
}

/// Checks an address to listen on.
pub(super) fn listen(text: &str) -> Result<(), String> {
    match text.parse::<SocketAddr>() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("{text:?} is not an address and a port, like 127.0.0.1:9464 or [::1]:9464")),
    }
}

/// Checks a time zone.
pub(super) fn zone(text: &str) -> Result<(), String> {
    match text.parse::<Tz>() {
        Ok(_) => Ok(()),
        Err(_) => {
            Err(format!("{text:?} is not a time zone of the tz database, like Europe/Moscow or Asia/Yekaterinburg"))
        }
    }
}

/// Reads a checked time zone.
pub(super) fn read_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tz, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_so_that_views_and_variables_can_carry_them() {
        for good in ["fer", "fer2", "north_clinic"] {
            assert_eq!(name(good), Ok(()), "{good}");
        }
        for bad in ["", "Fer", "2fer", "_fer", "fer-test", "a__b", "больница", &"a".repeat(33)] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_query_must_fit_inside_another() {
        assert_eq!(query("SELECT 1"), Ok(()));
        assert!(query("SELECT 1;\n").is_err());
    }

    #[test]
    fn an_id_that_is_no_guid_is_an_error_that_shows_one() {
        assert_eq!(guid("7B0C8F6E-2E68-40D2-881B-6F957B044818"), Ok(()));
        for wrong in ["", "0", "none", "7b0c8f6e-2e68-40d2-881b-6f957b04481"] {
            assert!(guid(wrong).unwrap_err().contains("00000000-0000"), "{wrong}");
        }
    }
}
