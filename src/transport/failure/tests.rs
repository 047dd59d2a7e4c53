//! The table, row by row: every status of the document and of HTTP at large, and everything that is no status.

use super::*;

const AGAIN: Trouble = Trouble::Transient { retry_after: None };

/// What a person must mend, and what nobody can.
fn needs_a_person(trouble: Trouble) -> bool {
    match trouble {
        Trouble::FeedParked | Trouble::BatchAtFault | Trouble::Parked | Trouble::UnitBlocked => true,
        Trouble::Transient { .. }
        | Trouble::TimedOut
        | Trouble::TooLarge
        | Trouble::Unattributed
        | Trouble::Foreign { .. }
        | Trouble::Maintenance { .. } => false,
    }
}

#[test]
fn every_status_has_its_row() {
    let table = [
        (200, AGAIN, true),
        (204, AGAIN, true),
        (301, Trouble::FeedParked, false),
        (302, Trouble::FeedParked, false),
        (307, Trouble::FeedParked, false),
        (308, Trouble::FeedParked, false),
        (400, Trouble::Foreign { retry_after: None }, false),
        (401, Trouble::Parked, false),
        (402, Trouble::Parked, false),
        (403, Trouble::FeedParked, false),
        (404, Trouble::FeedParked, false),
        (405, Trouble::UnitBlocked, false),
        (406, Trouble::FeedParked, false),
        (407, Trouble::Parked, false),
        (408, Trouble::TimedOut, true),
        (409, Trouble::Foreign { retry_after: None }, false),
        (410, Trouble::FeedParked, false),
        (411, Trouble::FeedParked, false),
        (413, Trouble::TooLarge, false),
        (414, Trouble::FeedParked, false),
        (415, Trouble::FeedParked, false),
        (418, Trouble::FeedParked, false),
        (421, Trouble::Parked, false),
        (422, Trouble::Foreign { retry_after: None }, true),
        (425, AGAIN, false),
        (426, Trouble::Parked, false),
        (429, AGAIN, false),
        (431, Trouble::Parked, false),
        (451, Trouble::FeedParked, false),
        (499, Trouble::FeedParked, false),
        (500, AGAIN, true),
        (501, AGAIN, true),
        (502, AGAIN, true),
        (503, Trouble::Maintenance { retry_after: None }, false),
        (504, Trouble::TimedOut, true),
        (511, AGAIN, true),
        (599, AGAIN, true),
        (600, Trouble::FeedParked, true),
        (999, Trouble::FeedParked, true),
    ];
    for (code, trouble, maybe_applied) in table {
        let failure = Failure::from(Mishap::Status { code, retry_after: None });
        assert_eq!((failure.trouble, failure.maybe_applied), (trouble, maybe_applied), "{code}");
        assert!(failure.text.starts_with(&format!("HTTP {code}")), "{}", failure.text);
    }
}

#[test]
fn every_other_mishap_has_its_row() {
    let reason = || "reason".to_owned();
    let table = [
        (Mishap::Page { code: 405 }, Trouble::Foreign { retry_after: None }, false),
        (Mishap::Unnamed { code: 200 }, Trouble::Unattributed, true),
        (Mishap::Unnamed { code: 400 }, Trouble::Unattributed, false),
        (Mishap::Unnamed { code: 404 }, Trouble::Unattributed, true),
        (Mishap::Unnamed { code: 422 }, Trouble::Unattributed, true),
        (Mishap::Credentials, Trouble::Parked, false),
        (Mishap::KeyRefused, Trouble::Parked, false),
        (Mishap::Unsigned { reason: reason() }, Trouble::BatchAtFault, false),
        (Mishap::BatchAtFault { reason: "x", maybe_applied: false }, Trouble::BatchAtFault, false),
        (Mishap::BatchAtFault { reason: "x", maybe_applied: true }, Trouble::BatchAtFault, true),
        (Mishap::TokenRefused, Trouble::Parked, false),
        (Mishap::Connect { reason: reason() }, AGAIN, false),
        (Mishap::ConnectTimeout, AGAIN, false),
        (Mishap::Tls { reason: reason() }, AGAIN, false),
        (Mishap::AnswerTimeout, Trouble::TimedOut, true),
        (Mishap::Cut, AGAIN, true),
        (Mishap::Oversized { limit: 1 }, AGAIN, true),
        (Mishap::Unreadable { reason: reason() }, AGAIN, true),
        (Mishap::Unsendable { reason: reason() }, Trouble::Parked, false),
        (Mishap::RefreshTokenRefused { lost: false }, Trouble::Parked, false),
        (Mishap::RefreshTokenRefused { lost: true }, Trouble::Parked, false),
        (Mishap::SecretStore { reason: reason() }, AGAIN, false),
    ];
    for (mishap, trouble, maybe_applied) in table {
        let failure = Failure::from(mishap.clone());
        assert_eq!((failure.trouble, failure.maybe_applied), (trouble, maybe_applied), "{mishap:?}");
    }
}

#[test]
fn what_waits_for_a_person_says_what_to_do_and_whom_to_ask() {
    let statuses = (100..1000).map(|code| Mishap::Status { code, retry_after: None });
    let reason = || "r".to_owned();
    let others = [
        Mishap::Credentials,
        Mishap::KeyRefused,
        Mishap::Unsigned { reason: reason() },
        Mishap::TokenRefused,
        Mishap::RefreshTokenRefused { lost: true },
        Mishap::Unsendable { reason: reason() },
    ];
    let parked = statuses.chain(others).filter(|mishap| needs_a_person(mishap.trouble()));
    for mishap in parked {
        let text = mishap.to_string();
        assert!(["ask ", "set ", "check "].iter().any(|verb| text.contains(verb)), "{text}");
    }
}

#[test]
fn where_there_are_no_units_a_405_speaks_of_an_address() {
    let failure = |code| Failure::from(Mishap::Status { code, retry_after: None }).without_units();
    assert_eq!((failure(405).trouble, failure(405).maybe_applied), (Trouble::FeedParked, false));
    assert!(!failure(405).text.contains("unit"));
    assert_eq!(failure(403), Failure::from(Mishap::Status { code: 403, retry_after: None }));
}

#[test]
fn the_wait_that_a_portal_asks_for_is_kept_where_it_means_something() {
    let asked = Some(Duration::from_secs(7));
    let kept = |code| Mishap::Status { code, retry_after: asked }.trouble();
    assert_eq!(kept(503), Trouble::Maintenance { retry_after: asked });
    for code in [408, 425, 429, 500, 502, 504] {
        assert_eq!(kept(code), Trouble::Transient { retry_after: asked }, "{code}");
    }
    assert_eq!(kept(200), AGAIN);
    assert_eq!(kept(301), Trouble::FeedParked);
    assert_eq!(kept(405), Trouble::UnitBlocked);
    assert_eq!(kept(413), Trouble::TooLarge);
}

#[test]
fn a_failed_authentication_concerns_the_whole_portal_and_sent_nothing() {
    let asked = Some(Duration::from_secs(7));
    let table = [
        (Trouble::Transient { retry_after: asked }, Trouble::Transient { retry_after: asked }),
        (Trouble::Maintenance { retry_after: asked }, Trouble::Maintenance { retry_after: asked }),
        (Trouble::TimedOut, AGAIN),
        (Trouble::Foreign { retry_after: asked }, Trouble::Foreign { retry_after: asked }),
        (Trouble::TooLarge, Trouble::Foreign { retry_after: None }),
        (Trouble::Unattributed, Trouble::Parked),
        (Trouble::UnitBlocked, Trouble::Parked),
        (Trouble::FeedParked, Trouble::Parked),
        (Trouble::Parked, Trouble::Parked),
    ];
    for (trouble, expected) in table {
        let failure = Failure { trouble, maybe_applied: true, text: "x".into() }.of_authentication();
        assert_eq!((failure.trouble, failure.maybe_applied), (expected, false), "{trouble:?}");
        assert_eq!(failure.text, "authentication failed: x");
    }
}

#[test]
fn a_failure_that_stands_tells_how_long_it_still_does() {
    let left = Some(Duration::from_secs(7));
    let table = [
        (AGAIN, Trouble::Transient { retry_after: left }),
        (Trouble::Maintenance { retry_after: None }, Trouble::Maintenance { retry_after: left }),
        (Trouble::Parked, Trouble::Parked),
    ];
    for (trouble, expected) in table {
        let failure = Failure { trouble, maybe_applied: true, text: "x".into() };
        let standing = failure.still_standing(Duration::from_secs(7));
        assert_eq!((standing.trouble, standing.maybe_applied), (expected, false));
        assert_eq!(standing.text, "x; authentication is not tried again for 8 s");
    }
}

#[test]
fn what_the_portal_said_follows_what_happened() {
    let failure = Failure::from(Mishap::Status { code: 500, retry_after: None });
    assert_eq!(failure.clone().saying("").text, "HTTP 500");
    assert_eq!(failure.saying("R-100 сбой").text, "HTTP 500: R-100 сбой");
}
