//! What must hold of the reading of answers to a login.

use super::token;
use crate::fuzzing::{Input, SECRET, assert_hidden};
use crate::transport::Answer;

/// A token comes only with a success; a failure shows no password.
pub fn ekdo_login(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let status = input.pick([200_u16, 201, 400, 401, 403, 404, 422, 500, 503]);
    let date = chrono::DateTime::from_timestamp(input.number(), 0);
    let answer = Answer { status, retry_after: None, date, body: input.rest().to_vec() };
    match token(&answer, "key", &[SECRET.to_owned()]) {
        Ok(_) => assert!((200..300).contains(&status)),
        Err(failure) => {
            assert_hidden(&failure.text, &[SECRET]);
            assert!(failure.text.chars().count() < 800, "{}", failure.text);
        }
    }
}
