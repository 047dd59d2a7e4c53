//! What must hold of the reading of whatever calls the platform's services.

use aws_lc_rs::hmac;
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE};
use url::Url;

use super::caller::Portals;
use super::learner::{Learner, MODULE, parameter};
use super::{Granted, PlatformSettings, Target, signature, told};
use crate::fuzzing::{Input, SECRET};
use crate::portal::nmo::Evaluation;

const NAME: &str = "EduPortal";

/// Nobody is let in without the secret; a specialist goes nowhere but to the site's own address; what is told of a module is an evaluation on
/// one line.
pub(crate) fn platform(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (authorization, query) = (input.line(), String::from_utf8_lossy(input.line()));
    let body = input.rest();
    let Ok(target) = Target::parse("https://edu.example.org/{module_id}?user={snils}&pin={pin}&from={portal_id}")
    else {
        panic!("the template is sound");
    };
    let settings = PlatformSettings {
        portal: "nmo".into(),
        portal_id: NAME.into(),
        portal_secret: SECRET.into(),
        reviewer: None,
        handover_secret: None,
        api_token: None,
        target,
        granted: Granted::default(),
    };
    let portals = Portals::new(vec![settings]);
    password(&portals, authorization);
    redirect(&portals, &query);
    Learner::of_query(&query).iter().chain(&Learner::of_json(body)).for_each(check);
    if let Some((_, Evaluation::NotApproved { reason })) = told(body) {
        assert!(reason.len() <= body.len() * 3 && !reason.contains(char::is_control), "{reason}");
    }
}

fn password(portals: &Portals, authorization: &[u8]) {
    let mut headers = HeaderMap::new();
    headers.extend(HeaderValue::from_bytes(authorization).ok().map(|value| (header::AUTHORIZATION, value)));
    if portals.caller(&headers).is_some() {
        let shown = String::from_utf8_lossy(authorization);
        let encoded = shown.split_ascii_whitespace().next_back().unwrap_or_default();
        let decoded = STANDARD_NO_PAD.decode(encoded.trim_end_matches('=')).unwrap_or_default();
        assert_eq!(decoded, format!("{NAME}:{SECRET}").into_bytes());
    }
}

fn redirect(portals: &Portals, query: &str) {
    let signed_by = |secret: &str| {
        let tag = hmac::sign(&signature::key(secret), query.as_bytes());
        format!("{query}&signature={}", URL_SAFE.encode(tag))
    };
    let genuine = signed_by(SECRET);
    let is_let_in = |query: &str| portals.signed(query).is_some();
    assert!(!is_let_in(&signed_by("another")) && !is_let_in(&format!("{genuine}&more=1")), "{query}");
    let is_called = parameter(query, "portalId").is_some_and(|id| id == NAME);
    let signed_once = !query.split('&').any(|pair| pair.starts_with("signature="));
    let sound = signed_once && is_called && Learner::of_query(query).is_some();
    assert_eq!(is_let_in(&genuine), sound, "{query}");
    for query in [query, &genuine] {
        let Some((portal, learner)) = portals.signed(query) else { continue };
        check(&learner);
        let address = portal.target_of(&learner).unwrap_or_default();
        assert!(address.bytes().all(|byte| byte.is_ascii_graphic()), "{address:?}");
        assert!(Url::parse(&address).is_ok_and(|url| url.host_str() == Some("edu.example.org")), "{address}");
    }
}

fn check(learner: &Learner) {
    let fits = |text: &str, most: usize| (1..=most).contains(&text.chars().count());
    let plain = |text: &str| !text.chars().any(char::is_control);
    assert!(fits(&learner.snils, 14) && learner.snils.is_ascii());
    assert!(fits(&learner.module_id, MODULE) && plain(&learner.module_id));
    assert!(fits(&learner.pin, 64) && plain(&learner.pin));
}
