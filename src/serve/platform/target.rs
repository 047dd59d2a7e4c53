//! Where specialists go: the site's own address, with places that are filled with what the portal says of them.

use std::fmt::Write as _;

use chrono::Utc;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::handover::Handover;
use super::learner::Learner;
use crate::serve::secret::is_same;

/// The account of the portal's technical reviewer, who sees a module as a learner does, or whole.
#[derive(Debug, Clone)]
pub struct Reviewer {
    /// The SNILS under which the reviewer comes.
    pub snils: SecretString,
    /// The pin for learning like everybody else.
    pub test_pin: SecretString,
    /// The pin for everything.
    pub full_pin: SecretString,
}

impl Reviewer {
    /// True for the reviewer's SNILS in any form.
    pub(super) fn is(&self, snils: &str) -> bool {
        digits(self.snils.expose_secret()) == digits(snils)
    }
}

/// An address with places.
#[derive(Debug, Clone)]
pub struct Target(Vec<Piece>);

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Place(Place),
}

#[derive(Debug, Clone, Copy)]
enum Place {
    ModuleId,
    Snils,
    Pin,
    PortalId,
    Reviewer,
    Expires,
    Signature,
}

/// What is wrong with an address with places.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A place that nobody can fill.
    #[error(
        "has a place that is none of {{module_id}}, {{snils}}, {{pin}}, {{portal_id}}, {{reviewer}}, {{expires}}, {{signature}}"
    )]
    Place,
    /// No address of the web.
    #[error("must be an address that begins with http:// or https://")]
    Address,
    /// A place where it decides whom the browser speaks to.
    #[error("must not have a place before the path: the host is the same for everybody")]
    Host,
}

impl Target {
    /// Reads a template such as `https://edu.example.org/{module_id}?user={snils}`.
    pub fn parse(template: &str) -> Result<Target, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = template;
        while let Some((text, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(TemplateError::Place)?;
            pieces
                .extend([Piece::Text(text.to_owned()), Piece::Place(Place::named(name).ok_or(TemplateError::Place)?)]);
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        if pieces.iter().any(|piece| matches!(piece, Piece::Text(text) if text.contains('}'))) {
            return Err(TemplateError::Place);
        }
        let target = Target(pieces);
        let [one, other] = ["x", "y"].map(|value| Url::parse(&target.filled(|_| value)));
        match (one, other) {
            (Ok(one), Ok(other)) if !matches!(one.scheme(), "http" | "https") || one.scheme() != other.scheme() => {
                Err(TemplateError::Address)
            }
            (Ok(one), Ok(other)) if one.authority() != other.authority() => Err(TemplateError::Host),
            (Ok(_), Ok(_)) => Ok(target),
            _ => Err(TemplateError::Address),
        }
    }

    /// The address of a specialist. None for who has the reviewer's SNILS and neither of the reviewer's pins.
    pub(super) fn of(
        &self,
        learner: &Learner,
        portal_id: &str,
        reviewer: Option<&Reviewer>,
        handover: Option<&Handover>,
    ) -> Option<String> {
        let role = match reviewer.filter(|reviewer| reviewer.is(&learner.snils)) {
            None => "",
            Some(reviewer) if is_same(&reviewer.test_pin, learner.pin.as_bytes()) => "test",
            Some(reviewer) if is_same(&reviewer.full_pin, learner.pin.as_bytes()) => "full",
            Some(_) => return None,
        };
        let now = Utc::now().timestamp();
        let stamp = handover.map(|handover| handover.stamp(&learner.module_id, &learner.snils, role, now));
        let stamp = stamp.unwrap_or_default();
        Some(self.filled(|place| match place {
            Place::ModuleId => &learner.module_id,
            Place::Snils => &learner.snils,
            Place::Pin => &learner.pin,
            Place::PortalId => portal_id,
            Place::Reviewer => role,
            Place::Expires => &stamp.expires,
            Place::Signature => &stamp.signature,
        }))
    }

    fn filled<'a>(&self, value: impl Fn(Place) -> &'a str) -> String {
        let mut address = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => address.push_str(text),
                Piece::Place(place) => encode(value(*place), &mut address),
            }
        }
        address
    }
}

impl Place {
    fn named(name: &str) -> Option<Place> {
        match name {
            "module_id" => Some(Place::ModuleId),
            "snils" => Some(Place::Snils),
            "pin" => Some(Place::Pin),
            "portal_id" => Some(Place::PortalId),
            "reviewer" => Some(Place::Reviewer),
            "expires" => Some(Place::Expires),
            "signature" => Some(Place::Signature),
            _ => None,
        }
    }
}

pub(super) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Percent-encodes all but what is the same in every part of an address.
fn encode(value: &str, out: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            // Writing to a text does not fail.
            byte => drop(write!(out, "%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learner(snils: &str, pin: &str) -> Learner {
        Learner { snils: snils.into(), module_id: "А&b/../c".into(), pin: pin.into() }
    }

    fn reviewer() -> Reviewer {
        Reviewer { snils: "112-233-445 95".into(), test_pin: "TEST1".into(), full_pin: "FULL1".into() }
    }

    #[test]
    fn values_cannot_change_the_address_around_them() {
        let target = Target::parse("https://edu.hospital.ru/m/{module_id}?s={snils}&p={pin}&from={portal_id}").unwrap();
        assert_eq!(
            target.of(&learner("1 2", "a#b"), "Edu Portal", None, None).unwrap(),
            "https://edu.hospital.ru/m/%D0%90%26b%2F..%2Fc?s=1%202&p=a%23b&from=Edu%20Portal"
        );
    }

    #[test]
    fn the_reviewer_is_told_by_the_pin_and_nobody_else_may_use_that_name() {
        let target = Target::parse("https://h/?r={reviewer}").unwrap();
        let of = |snils, pin| target.of(&learner(snils, pin), "P", Some(&reviewer()), None);
        assert_eq!(of("11223344595", "TEST1").as_deref(), Some("https://h/?r=test"));
        assert_eq!(of("11223344595", "FULL1").as_deref(), Some("https://h/?r=full"));
        assert_eq!(of("11223344595", "OTHER"), None);
        assert_eq!(of("1234554645", "TEST1").as_deref(), Some("https://h/?r="));
    }

    #[test]
    fn a_template_is_an_address_whose_host_is_fixed() {
        let error = |template| Target::parse(template).map(|_| ()).unwrap_err();
        for template in ["https://h/{modul}", "https://h/{module_id", "https://h/}"] {
            assert_eq!(error(template), TemplateError::Place, "{template}");
        }
        for template in ["/course/{module_id}", "ftp://h/{pin}", "javascript:{pin}", "{pin}"] {
            assert_eq!(error(template), TemplateError::Address, "{template}");
        }
        for template in ["https://{portal_id}.ru/", "https://h{pin}/x", "https://{pin}@h/"] {
            assert_eq!(error(template), TemplateError::Host, "{template}");
        }
    }
}
