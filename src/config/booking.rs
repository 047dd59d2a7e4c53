//! Booking: where the gateway calls, who may, and the statements that answer it.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use url::Url;

use super::names;
use super::network::Network;
use super::shape::{Key, Scalar, Shape, Texts};

/// The answering service of the gateway (FER document, section «Ответный сервис»).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BookingConfig {
    /// Address at which the gateway calls.
    pub listen: SocketAddr,
    /// The same place as the gateway reaches it: what is registered there. No `/booking` behind it.
    pub public_url: Option<String>,
    /// Addresses and networks that may call.
    #[serde(default = "allowed")]
    pub allow: Vec<Network>,
    /// Proxies whose `X-Forwarded-For` is believed.
    #[serde(default)]
    pub proxies: Vec<Network>,
    /// Name of the source whose database is booked in.
    pub source: String,
    /// Statements that book.
    pub book: Vec<String>,
    /// Statements that cancel.
    pub cancel: Vec<String>,
    /// Statements that find a booking whose outcome was lost.
    pub lookup: Option<Vec<String>>,
    /// Certificate chain of the listener, PEM.
    pub tls_cert_file: Option<PathBuf>,
    /// Its private key, PEM.
    pub tls_key_file: Option<PathBuf>,
    /// Most bytes of a request's body.
    pub max_body: usize,
    /// Most connections at one time.
    pub connections: usize,
}

/// What stands for the statements of the demo hospital's own tables.
pub const BUILTIN: &str = "builtin";

/// Parameters of `book`: every field of the request.
pub const BOOK_PARAMETERS: &[&str] = &[
    "slot_id",
    "patient_id",
    "booking_type",
    "case_number",
    "preliminary_reservation",
    "referral_id",
    "cards_id",
    "email",
    "mobile_phone",
    "service_id",
    "dictionary_nsi_code",
    "rrp_id",
    "united_guids",
    "firstname",
    "lastname",
    "middlename",
    "snils",
    "oms_number",
    "birthdate",
    "gender",
    "rrp_phone",
    "rrp_email",
];

/// Parameters of `cancel`.
pub const CANCEL_PARAMETERS: &[&str] = &["book_ext_id", "patient_id", "united_guids"];

/// Parameters of `lookup`. It is asked by slot, patient and case number for a booking that stands, and by the booking's id for its visit.
pub const LOOKUP_PARAMETERS: &[&str] = &["slot_id", "patient_id", "case_number", "united_guids", "book_ext_id"];

/// The statements of the section with the parameters of each.
pub(super) const STATEMENTS: [(&str, &[&str]); 3] =
    [("book", BOOK_PARAMETERS), ("cancel", CANCEL_PARAMETERS), ("lookup", LOOKUP_PARAMETERS)];

/// The two addresses of the gateway that the document names.
const GATEWAY: [&str; 2] = ["10.86.6.189", "10.86.6.237"];

/// Most networks of a list, and most statements.
const MOST: usize = 64;

/// Keys of booking.
pub(super) const KEYS: &[Key] = &[
    Key::or("listen", "0.0.0.0:8090", Scalar::Text(names::listen)),
    Key::may("public_url", Shape::text(public_url)),
    Key::may("allow", Shape::Texts(Texts { check: network, alone: true, most: MOST })),
    Key::may("proxies", Shape::Texts(Texts { check: network, alone: true, most: MOST })),
    Key::may("source", Shape::text(names::any)),
    Key::must("book", Shape::Texts(SCRIPT)),
    Key::must("cancel", Shape::Texts(SCRIPT)),
    Key::may("lookup", Shape::Texts(SCRIPT)),
    Key::may("tls_cert_file", Shape::File),
    Key::may("tls_key_file", Shape::File),
    Key::or("max_body", "65536", Scalar::Integer { min: 4096, max: 16 << 20 }),
    Key::or("connections", "2048", Scalar::Integer { min: 8, max: 65_536 }),
];

/// One statement, or several that run in one transaction.
const SCRIPT: Texts = Texts { check: names::statement, alone: true, most: MOST };

/// Who may call unless the configuration says otherwise.
fn allowed() -> Vec<Network> {
    GATEWAY.iter().filter_map(|address| address.parse().ok()).collect()
}

fn network(text: &str) -> Result<(), String> {
    text.parse::<Network>().map(|_| ()).map_err(|error| error.to_string())
}

/// Checks the address that is registered: the gateway puts `/booking/book` behind it.
fn public_url(text: &str) -> Result<(), String> {
    let Ok(url) = Url::parse(text) else {
        return Err(format!("{text:?} is no address; write it as http://10.0.0.5:8090"));
    };
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err("must begin with http:// or https:// and name a host".into());
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("must be a plain address: no account, no question mark, no hash".into());
    }
    match url.path().trim_end_matches('/').ends_with("/booking") {
        true => Err("must end before /booking, which the gateway puts behind it".into()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateways_two_addresses_may_call_by_default() {
        let shown: Vec<String> = allowed().iter().map(ToString::to_string).collect();
        assert_eq!(shown, GATEWAY);
    }

    #[test]
    fn what_is_registered_ends_before_the_gateways_own_path() {
        for good in ["http://10.0.0.5:8090", "https://mis.hospital.ru/vitrina/"] {
            assert_eq!(public_url(good), Ok(()), "{good}");
        }
        for bad in ["10.0.0.5:8090", "ftp://h/", "http://h/booking/", "http://u:p@h/", "http://h/?a=b"] {
            assert!(public_url(bad).is_err(), "{bad}");
        }
    }
}
