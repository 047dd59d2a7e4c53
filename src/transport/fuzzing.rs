//! What must hold of inflating, dates and redaction.

use std::time::Duration;

use chrono::DateTime;

use super::dates::{RETRY_AFTER, http_date, retry_after};
use super::{InflateError, Level, Packed, inflate, redact};
use crate::fuzzing::{Input, assert_hidden};

/// Nothing grows past the cap, a higher cap changes nothing but the refusal, and what we pack ourselves comes back.
pub(crate) fn gzip(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (cap, level) = (usize::from(input.byte()) * 64, input.byte() % 12 + 1);
    let body = input.rest();
    let higher = inflate(body, cap + 4096);
    match inflate(body, cap) {
        Ok(plain) => {
            assert!(plain.len() <= cap);
            assert_eq!(higher, Ok(plain));
        }
        Err(InflateError::TooLarge { limit }) => {
            assert_eq!(limit, cap);
            assert!(higher.is_err() || higher.is_ok_and(|plain| plain.len() > cap));
        }
        Err(InflateError::Damaged) => assert!(higher.is_err()),
    }
    let Some(level) = Level::new(level) else { panic!("levels go from 1 to 12") };
    let packed = Packed::of(body, level);
    assert_eq!(packed.raw_len, body.len());
    assert_eq!(inflate(&packed.bytes, body.len()), Ok(body.to_vec()));
    if let Some(too_small) = body.len().checked_sub(1) {
        assert_eq!(inflate(&packed.bytes, too_small), Err(InflateError::TooLarge { limit: too_small }));
    }
}

/// A wait is within its bounds whatever the clock shows, and a date that was read reads the same in its usual form.
pub(crate) fn http_dates(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let now = DateTime::from_timestamp(input.number(), 0).unwrap_or_default();
    let Ok(value) = std::str::from_utf8(input.rest()) else { return };
    let wait = retry_after(value, now);
    assert!(wait.is_none_or(|wait| (RETRY_AFTER.0..=RETRY_AFTER.1).contains(&wait)), "{wait:?}");
    let Some(date) = http_date(value) else { return };
    assert!(wait.is_some(), "a date is one of the two forms");
    assert_eq!(http_date(&date.format("%a, %d %b %Y %H:%M:%S GMT").to_string()), Some(date));
    if now < date && date - now < chrono::TimeDelta::minutes(59) {
        assert!(wait.is_some_and(|wait| wait <= Duration::from_secs(59 * 60)));
    }
}

/// What is shown is short, holds no digit outside a GUID, no address, no token, and nothing of a quoted value.
pub(crate) fn redaction(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let planted = input.pick([
        " «Щукин-Ёлкин Феофан» ",
        " \"Щукин-Ёлкин Феофан\" ",
        " Щукин-Ёлкин Феофан Ильич ",
        " 112-233-445 95 ",
        " eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJNTyJ9.TQD86ZL4oUvJWEGF1SJWFirN9bvIgT ",
        " feofan@example.org ",
        "",
    ]);
    let split = usize::from(input.byte());
    let text = String::from_utf8_lossy(input.rest()).into_owned();
    let at = text.char_indices().nth(split).map_or(text.len(), |(at, _)| at);
    let (before, after) = text.split_at(at);
    let shown = redact(&format!("{before}{planted}{after}"));
    assert!(shown.chars().count() <= 501, "{}", shown.len());
    if !text.contains(['Щ', 'щ', 'Ф', 'ф', 'Ё', 'ё']) {
        assert_hidden(&shown, &["щукин", "ёлкин", "феофан"]);
    }
    assert!(!shown.contains('@'), "{shown}");
    // The cut at the end may go through a GUID.
    let rest = match shown.strip_suffix('…') {
        Some(cut) => {
            without_guids(cut).trim_end_matches(|sign: char| sign == '-' || sign.is_ascii_hexdigit()).to_owned()
        }
        None => without_guids(&shown),
    };
    assert!(!rest.contains(char::is_numeric), "{shown}");
}

/// A text less what has the form of a GUID.
fn without_guids(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let is_guid = |part: &[char]| {
        let groups: Vec<usize> = part.split(|sign| *sign == '-').map(<[char]>::len).collect();
        groups == [8, 4, 4, 4, 12] && part.iter().all(|sign| *sign == '-' || sign.is_ascii_hexdigit())
    };
    let (mut kept, mut at) = (String::new(), 0);
    while let Some(sign) = chars.get(at) {
        if chars.get(at..at + 36).is_some_and(is_guid) {
            at += 36;
        } else {
            kept.push(*sign);
            at += 1;
        }
    }
    kept
}
