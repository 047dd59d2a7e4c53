//! What must hold of the reading of answers to a request for a token.

use super::{LONGEST_LIFE, SHORTEST_LIFE, granted, lifetime};
use crate::fuzzing::{Input, SECRET, assert_hidden};
use crate::transport::{Answer, Trouble};

/// A token comes only with a success and lives within bounds; a failure parks or is asked again, and shows no password.
pub fn auth(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let status = input.pick([200_u16, 201, 400, 401, 403, 404, 429, 500, 503]);
    let body = input.rest();
    let life = lifetime(serde_json::from_slice(body).ok().as_ref());
    assert!((SHORTEST_LIFE..=LONGEST_LIFE).contains(&life), "{life:?}");
    match granted(Answer { status, retry_after: None, date: None, body: body.to_vec() }, &[SECRET.to_owned()]) {
        Ok(_) => assert!((200..300).contains(&status)),
        Err(failure) => {
            let failure = failure.of_authentication();
            assert_hidden(&failure.text, &[SECRET]);
            assert!(failure.text.chars().count() < 800, "{}", failure.text);
            assert!(!failure.maybe_applied);
            assert!(
                matches!(
                    failure.trouble,
                    Trouble::Parked | Trouble::Transient { .. } | Trouble::Maintenance { .. } | Trouble::Foreign { .. }
                ),
                "{failure:?}"
            );
        }
    }
}
