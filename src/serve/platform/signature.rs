//! The signature under a redirect («Получение URL перехода»): HMAC-SHA1 over the query as it stands, without the signature itself, in
//! base64 with `-` and `_` for `+` and `/`.
//!
//! What was signed is taken byte for byte as it came, whole or from `snils=` on, because the site's own address may have parameters before the
//! portal's; then once more with its values decoded, because the portal may sign before it encodes. Where a decoded text could be split in
//! another way than the query, it proves nothing and is not looked at.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::form_urlencoded;

const NAME: &str = "signature=";
/// Characters of a signature in base64, with some to spare for its encoding in a query.
const LONGEST: usize = 100;

/// The key of a portal's secret.
pub(super) fn key(secret: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes())
}

/// What was signed, and the signature. None when there is not exactly one.
pub(super) fn split(query: &str) -> Option<(String, &str)> {
    let (signatures, signed): (Vec<&str>, Vec<&str>) = query.split('&').partition(|pair| pair.starts_with(NAME));
    let [signature] = signatures[..] else { return None };
    Some((signed.join("&"), signature.strip_prefix(NAME)?))
}

/// The part of a query that this signature of the key stands under; none where it stands under none. Nothing outside that part is signed.
pub(super) fn genuine<'a>(key: &hmac::Key, query: &'a str, signature: &str) -> Option<&'a str> {
    let tag = decode(signature)?;
    let is_under = |text: &str| hmac::verify(key, text.as_bytes(), &tag).is_ok();
    let tail = match query.find("&snils=") {
        Some(at) if !query.starts_with("snils=") => query.get(at + 1..),
        _ => None,
    };
    [Some(query), tail]
        .into_iter()
        .flatten()
        .find(|part| is_under(part) || decoded(part).is_some_and(|it| is_under(&it)))
}

/// A query with its names and values decoded; none where that could be split into other names and values.
fn decoded(query: &str) -> Option<String> {
    let mut text = String::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name.contains(['&', '=']) || value.contains('&') {
            return None;
        }
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(&name);
        text.push('=');
        text.push_str(&value);
    }
    Some(text)
}

/// Both alphabets of base64, with padding or without, percent-encoded or not.
fn decode(signature: &str) -> Option<Vec<u8>> {
    if signature.len() > LONGEST {
        return None;
    }
    let (plain, _) = form_urlencoded::parse(signature.as_bytes()).next()?;
    let plain: String = plain
        .chars()
        .map(|sign| match sign {
            // A plus sign that nobody encoded is read as a space.
            '+' | ' ' => '-',
            '/' => '_',
            other => other,
        })
        .collect();
    URL_SAFE_NO_PAD.decode(plain.trim_end_matches('=')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: &str = "snils=1234554645&moduleId=ABC123&pin=DASJ23&portalId=EduPortal";
    /// Made by another program.
    const SECRET: &str = "portalSecret9";
    const SIGNATURE: &str = "84l4StbBKGaTEy_2Ql8qFcFP-u0=";

    fn is_genuine(secret: &str, query: &str, signature: &str) -> bool {
        genuine(&key(secret), query, signature) == Some(query)
    }

    fn signed(text: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&key(SECRET), text.as_bytes()))
    }

    #[test]
    fn the_signature_of_another_program_is_genuine_in_every_form() {
        let forms = [
            SIGNATURE,
            SIGNATURE.trim_end_matches('='),
            "84l4StbBKGaTEy/2Ql8qFcFP+u0=",
            "84l4StbBKGaTEy%2f2Ql8qFcFP%2Bu0%3D",
        ];
        for form in forms {
            assert!(is_genuine(SECRET, SIGNED, form), "{form}");
        }
    }

    #[test]
    fn another_text_secret_or_signature_is_not() {
        assert!(!is_genuine("another", SIGNED, SIGNATURE));
        assert!(!is_genuine(SECRET, &SIGNED.replace("ABC", "ABD"), SIGNATURE));
        let cut = SIGNATURE.get(..SIGNATURE.len() - 4).unwrap();
        for other in ["", "=", "%", cut, &"A".repeat(28), &SIGNATURE.repeat(10)] {
            assert!(!is_genuine(SECRET, SIGNED, other), "{other}");
        }
    }

    #[test]
    fn a_signature_may_stand_under_the_part_that_begins_with_the_snils() {
        let query = format!("course=7&snilsx=1&{SIGNED}");
        assert_eq!(genuine(&key(SECRET), &query, SIGNATURE), Some(SIGNED));
        let whole = signed(&query);
        assert_eq!(genuine(&key(SECRET), &query, &whole), Some(query.as_str()));
        assert_eq!(genuine(&key(SECRET), &format!("{query}&more=1"), SIGNATURE), None);
        assert_eq!(genuine(&key(SECRET), &format!("snils=2&{SIGNED}"), SIGNATURE), None, "which one is meant?");
    }

    #[test]
    fn a_signature_may_stand_under_decoded_values_that_cannot_be_read_in_two_ways() {
        let query = "snils=1234554645&moduleId=%D0%9A%D0%A0+7%2F2&pin=a%3Db&portalId=Edu%20Portal";
        let signature = signed("snils=1234554645&moduleId=КР 7/2&pin=a=b&portalId=Edu Portal");
        assert_eq!(genuine(&key(SECRET), query, &signature), Some(query));
        assert_eq!(genuine(&key(SECRET), &format!("course=7&{query}"), &signature), Some(query));
        // Decoded, this reads as the query that was signed, and its pin is another one.
        let forged = SIGNED.replace("ABC123&pin=DASJ23", "ABC123%26pin=DASJ23");
        assert_eq!(genuine(&key(SECRET), &forged, SIGNATURE), None);
        assert_eq!(genuine(&key(SECRET), &SIGNED.replace("&pin=", "%26pin%3D"), SIGNATURE), None);
    }

    #[test]
    fn the_signature_may_stand_anywhere_but_only_once() {
        for query in ["a=1&signature=x&b=2", "signature=x&a=1&b=2", "a=1&b=2&signature=x"] {
            assert_eq!(split(query), Some(("a=1&b=2".to_owned(), "x")));
        }
        assert_eq!(split("a=1&b=2"), None);
        assert_eq!(split("signature=x&a=1&signature=y"), None);
    }
}
