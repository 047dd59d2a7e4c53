//! What must hold of the reading of answers to a refresh.

use std::time::Duration;

use secrecy::ExposeSecret;

use super::{Refusal, read};
use crate::fuzzing::{Input, SECRET, assert_hidden};
use crate::portal::expiry::LONGEST_LIFE;
use crate::transport::Answer;

/// A pair comes only with a success, fits into a header and lives within bounds on any clock; what is said shows no secret.
pub fn pos_refresh(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let status = input.pick([200_u16, 201, 400, 401, 403, 404, 405, 422, 500, 503]);
    let date = chrono::DateTime::from_timestamp(input.number(), 0);
    let answer = Answer { status, retry_after: None, date, body: input.rest().to_vec() };
    match read(&answer, &[SECRET.to_owned()]) {
        Ok(pair) => {
            assert!((200..300).contains(&status));
            let texts = [Some(&pair.access), pair.refresh.as_ref()];
            assert!(
                texts
                    .into_iter()
                    .flatten()
                    .all(|text| text.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()))
            );
            assert!(pair.life.is_none_or(|life| life > Duration::ZERO && life <= LONGEST_LIFE));
        }
        Err(Refusal::Token(said)) => assert_hidden(&said, &[SECRET]),
        Err(Refusal::Other(failure)) => {
            assert_hidden(&failure.text, &[SECRET]);
            assert!(failure.text.chars().count() < 800, "{}", failure.text);
        }
    }
}
