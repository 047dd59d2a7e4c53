//! What must hold of the reading of answers to an authentication.

use chrono::DateTime;

use super::{LONGEST_LIFE, SHORT_LIFE, lifetime, token};
use crate::fuzzing::{Input, SECRET, assert_hidden};
use crate::transport::{Answer, Trouble};

/// A token comes only with a success and lives within bounds on any clock; a failure parks or is asked again, and shows no password.
pub fn auth(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let status = input.pick([200_u16, 201, 400, 401, 403, 404, 422, 500, 503]);
    let date = DateTime::from_timestamp(input.number(), 0);
    let body = input.rest();
    let life = lifetime(std::str::from_utf8(body).ok(), "", date.unwrap_or_default());
    assert!(!life.is_zero() && life <= LONGEST_LIFE && SHORT_LIFE <= LONGEST_LIFE, "{life:?}");
    match token(Answer { status, retry_after: None, date, body: body.to_vec() }, SECRET) {
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
