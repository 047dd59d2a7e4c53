//! What must hold of the reading of answers about webhooks.

use super::{Reachability, Reply, SHOWN, is_same, reached, registered, shown_address};
use crate::fuzzing::Input;
use crate::transport::Answer;

const OID: &str = "1.2.643.5.1.13";

/// An address comes only with a success, can be shown on one line, and is the same as itself; nobody is called reached without a success.
pub fn webhook(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let status = input.pick([200_u16, 204, 400, 401, 403, 404, 405, 422, 500, 502, 503]);
    let department = input.pick([None, Some(OID)]);
    let body = input.rest();
    let reply = || Reply::of(Answer { status, retry_after: None, date: None, body: body.to_vec() });
    match registered(reply(), department) {
        Ok(None) => assert!(matches!(status, 200 | 204 | 404)),
        Ok(Some(address)) => {
            assert!(status == 200 && is_same(&address, &address));
            let shown = shown_address(&address);
            assert!(shown.chars().count() <= SHOWN && !shown.contains(char::is_control), "{shown:?}");
        }
        Err(failure) => assert!(failure.text.chars().count() < 800, "{}", failure.text),
    }
    match reached(&reply()) {
        Ok(Reachability::Reachable) => assert!((200..300).contains(&status)),
        Ok(Reachability::Unreachable(why)) => assert!(why.chars().count() < 800, "{why}"),
        Err(failure) => assert!(!matches!(status, 200 | 204) || failure.text.contains("HTTP"), "{}", failure.text),
    }
}
