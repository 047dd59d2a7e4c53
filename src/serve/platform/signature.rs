//! The signature under a redirect («Получение URL перехода»): HMAC-SHA1 over the query as it stands, without the signature itself, in
//! base64 with `-` and `_` for `+` and `/`.
//!
//! What was signed is taken byte for byte as it came. To decode it first would make different queries one.

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

/// True when this signature is the key's under what was signed. Takes the same time for every wrong one.
pub(super) fn is_genuine(key: &hmac::Key, signed: &str, signature: &str) -> bool {
    decode(signature).is_some_and(|tag| hmac::verify(key, signed.as_bytes(), &tag).is_ok())
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

    #[test]
    fn the_signature_of_another_program_is_genuine_in_every_form() {
        let forms = [
            SIGNATURE,
            SIGNATURE.trim_end_matches('='),
            "84l4StbBKGaTEy/2Ql8qFcFP+u0=",
            "84l4StbBKGaTEy%2f2Ql8qFcFP%2Bu0%3D",
        ];
        for form in forms {
            assert!(is_genuine(&key(SECRET), SIGNED, form), "{form}");
        }
    }

    #[test]
    fn another_text_secret_or_signature_is_not() {
        assert!(!is_genuine(&key("another"), SIGNED, SIGNATURE));
        assert!(!is_genuine(&key(SECRET), &SIGNED.replace("ABC", "ABD"), SIGNATURE));
        assert!(!is_genuine(&key(SECRET), &SIGNED.replace("ABC", "%41BC"), SIGNATURE));
        let cut = SIGNATURE.get(..SIGNATURE.len() - 4).unwrap();
        for other in ["", "=", "%", cut, &"A".repeat(28), &SIGNATURE.repeat(10)] {
            assert!(!is_genuine(&key(SECRET), SIGNED, other), "{other}");
        }
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
