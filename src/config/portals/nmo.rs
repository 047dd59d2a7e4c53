//! What only the portal of continuous medical education has: two accounts in one, and our own side as an educational platform.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::{FUSE_KEYS, Fuse, Key, Pace, Scalar, Shape, feed, inquire_every};
use crate::config::names;

/// Settings of the portal.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NmoConfig {
    /// The client's login for the REST API.
    pub client_id: SecretString,
    /// Its password.
    pub client_secret: SecretString,
    /// The user that the portal has for the platform.
    pub username: SecretString,
    /// Its password.
    pub password: SecretString,
    /// How much may be deactivated at once.
    pub fuse: Fuse,
    /// Pause between two questions for the technical evaluation of a module.
    #[serde(with = "humantime_serde")]
    pub inquire_every: Duration,
    /// Whether the portal is asked first if it expects the beginning of a module.
    pub check_plan: PlanCheck,
    /// What the portal may call here; nothing without it.
    pub platform: Option<PlatformConfig>,
}

/// Whether the portal is asked if a module is in a specialist's plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanCheck {
    /// Before it is told that the specialist began: that spares refusals.
    BeforeStart,
    /// Never: one request less.
    Never,
}

/// The services of the platform, which the portal calls.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformConfig {
    /// Name under which the portal signs in here.
    pub portal_id: String,
    /// Its secret, with which redirects are signed too.
    pub portal_secret: SecretString,
    /// SNILS under which the portal's reviewer comes.
    pub reviewer_snils: Option<SecretString>,
    /// The reviewer's PIN for learning like a student.
    pub reviewer_test_pin: Option<SecretString>,
    /// The reviewer's PIN for access to everything.
    pub reviewer_full_pin: Option<SecretString>,
    /// Where a learner is sent on to: an address with the places `{module_id}`, `{snils}`, `{pin}`, `{portal_id}`,
    /// `{reviewer}`, which is `test` or `full` for the reviewer and empty for everybody else, `{expires}` and `{signature}`.
    pub redirect_template: String,
    /// The secret that `{signature}` is made with; the learning system has it too.
    pub handover_secret: Option<SecretString>,
    /// The token with which the learning system asks about plans and evaluations; without one it cannot.
    pub api_token: Option<SecretString>,
}

/// How it is sent to: one record a request.
pub(super) const PACE: [Key; 5] =
    Pace { batch: "1", max_batch_bytes: "1048576", in_flight: "4", requests_per_second: "5", timeout: "30s" }.keys();

/// Its own keys.
pub(super) const KEYS: &[Key] = &[
    Key::must("client_id", Shape::Secret),
    Key::must("client_secret", Shape::Secret),
    Key::must("username", Shape::Secret),
    Key::must("password", Shape::Secret),
    Key::filled("fuse", FUSE_KEYS),
    inquire_every(),
    Key::or("check_plan", "before_start", Scalar::Word(&["before_start", "never"])),
    Key::may("platform", Shape::Table(PLATFORM_KEYS)),
    Key::may("feeds", Shape::Table(FEEDS)),
];

/// Keys of the platform.
pub(in crate::config) const PLATFORM_KEYS: &[Key] = &[
    Key::must("portal_id", Shape::text(names::any)),
    Key::must("portal_secret", Shape::Secret),
    Key::may("reviewer_snils", Shape::Secret),
    Key::may("reviewer_test_pin", Shape::Secret),
    Key::may("reviewer_full_pin", Shape::Secret),
    Key::must("redirect_template", Shape::text(template)),
    Key::may("handover_secret", Shape::Secret),
    Key::may("api_token", Shape::Secret),
];

/// Its feeds, parents before children.
pub(super) const FEEDS: &[Key] = &[feed("module"), feed("result")];

/// What a redirect's address can be filled with.
const PLACES: [&str; 7] = ["module_id", "snils", "pin", "portal_id", "reviewer", "expires", "signature"];

/// Checks the address of a redirect: with known places, and the same host for everybody.
fn template(text: &str) -> Result<(), String> {
    let filled = |with: &str| {
        let fill = |text: String, place: &&str| text.replace(&format!("{{{place}}}"), with);
        PLACES.iter().fold(text.to_owned(), fill)
    };
    if filled("x").contains(['{', '}']) {
        let places = PLACES.map(|place| format!("{{{place}}}"));
        return Err(format!("has a place that is none of {}", places.join(", ")));
    }
    match (Url::parse(&filled("x")), Url::parse(&filled("y"))) {
        (Ok(url), Ok(other)) if matches!(url.scheme(), "http" | "https") && url.scheme() == other.scheme() => {
            let same = url.authority() == other.authority();
            if same { Ok(()) } else { Err("must not have a place before the path".into()) }
        }
        _ => Err("must be an address that begins with http:// or https://".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_an_address_with_known_places() {
        assert_eq!(template("https://edu.hospital.ru/course/{module_id}?user={snils}&pin={pin}"), Ok(()));
        for bad in ["/course/{module_id}", "https://h/{modul}", "https://h/{module_id", "ftp://h/", "https://{pin}.ru/"]
        {
            assert!(template(bad).is_err(), "{bad}");
        }
    }
}
