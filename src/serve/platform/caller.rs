//! Who calls: a portal by its name and secret, by a token that it was given, or by the signature under a redirect.

use aws_lc_rs::hmac;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::ExposeSecret;

use super::handover::Handover;
use super::learner::{Learner, parameter};
use super::{PlatformSettings, signature};
use crate::serve::secret::is_same;

/// Base64 as it comes, with its padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Longest header that is looked at.
const LONGEST_HEADER: usize = 1024;

/// A portal that may call.
pub(super) struct Known {
    settings: PlatformSettings,
    key: hmac::Key,
    handover: Option<Handover>,
}

/// All portals that may call.
pub(super) struct Portals(Vec<Known>);

impl Known {
    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.settings.portal
    }

    pub fn is_called(&self, id: &str) -> bool {
        self.settings.portal_id == id
    }

    /// A new token; none when the system has no random numbers.
    pub fn issue(&self) -> Option<String> {
        self.settings.granted.issue()
    }

    /// Where a specialist goes. None for who calls himself the reviewer and does not have the pin.
    pub fn target_of(&self, learner: &Learner) -> Option<String> {
        let reviewer = self.settings.reviewer.as_ref();
        self.settings.target.of(learner, &self.settings.portal_id, reviewer, self.handover.as_ref())
    }

    /// True for the technical reviewer, of whom the portal is not asked.
    pub fn is_reviewer(&self, snils: &str) -> bool {
        self.settings.reviewer.as_ref().is_some_and(|reviewer| reviewer.is(snils))
    }

    fn has_secret(&self, secret: &[u8]) -> bool {
        is_same(&self.settings.portal_secret, secret)
    }

    fn has_issued(&self, token: &str) -> bool {
        self.settings.granted.is_good(token)
    }
}

impl Portals {
    pub fn new(portals: Vec<PlatformSettings>) -> Self {
        let known = |settings: PlatformSettings| Known {
            key: signature::key(settings.portal_secret.expose_secret()),
            handover: settings.handover_secret.as_ref().map(Handover::new),
            settings,
        };
        Portals(portals.into_iter().map(known).collect())
    }

    /// The portal that calls with its password or with a token.
    pub fn caller(&self, headers: &HeaderMap) -> Option<&Known> {
        match credentials(headers)? {
            ("basic", _) => self.by_password(headers),
            ("bearer", token) => self.0.iter().find(|portal| portal.has_issued(token)),
            _ => None,
        }
    }

    /// The portal that calls with its password.
    pub fn by_password(&self, headers: &HeaderMap) -> Option<&Known> {
        let ("basic", encoded) = credentials(headers)? else { return None };
        let decoded = BASE64.decode(encoded).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        let (id, secret) = (decoded.get(..colon)?, decoded.get(colon + 1..)?);
        self.0
            .iter()
            .find(|portal| portal.settings.portal_id.as_bytes() == id)
            .filter(|portal| portal.has_secret(secret))
    }

    /// The portal of this name, for a learning system that shows the token of its section.
    pub fn learning(&self, name: &str, headers: &HeaderMap) -> Option<&Known> {
        let ("bearer", token) = credentials(headers)? else { return None };
        let portal = self.0.iter().find(|portal| portal.name() == name)?;
        portal.settings.api_token.as_ref().is_some_and(|known| is_same(known, token.as_bytes())).then_some(portal)
    }

    /// The portal that signed a query, and the specialist whom it sends.
    pub fn signed(&self, query: &str) -> Option<(&Known, Learner)> {
        let (query, signature) = signature::split(query)?;
        self.0.iter().find_map(|portal| {
            let signed = signature::genuine(&portal.key, &query, signature)?;
            let id = parameter(signed, "portalId").filter(|id| portal.is_called(id));
            id.and_then(|_| Some((portal, Learner::of_query(signed)?)))
        })
    }
}

/// The scheme of the `Authorization` header, in lower case, and what follows it.
fn credentials(headers: &HeaderMap) -> Option<(&'static str, &str)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok().filter(|value| value.len() <= LONGEST_HEADER)?;
    let (scheme, rest) = value.trim().split_once(' ')?;
    let scheme = ["basic", "bearer"].into_iter().find(|known| known.eq_ignore_ascii_case(scheme))?;
    Some((scheme, rest.trim()))
}
