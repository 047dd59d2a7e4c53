//! Failures: what a request that was not judged record by record came to, and the one table that says what follows from it.
//!
//! A [`Mishap`] is what happened, as the HTTP stack saw it; a [`Failure`] is what it means. The way from one to the other is
//! pure and exhaustive; when to try again is another matter ([`super::RetryTiming`]).

use std::time::Duration;

use chrono::{DateTime, Utc};

/// Shortest and longest wait that a portal's `Retry-After` is believed.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60 * 60));

/// A request without a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What happened.
    pub trouble: Trouble,
    /// True when the portal may have applied the request all the same.
    pub maybe_applied: bool,
    /// What an operator reads: no body, no secret, no personal data.
    pub text: String,
}

/// What happened to a request, as far as it matters for what is done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No connection, a time-out, a cut or unreadable answer, 408, 429, 5xx: the same batch again, later. A portal that names a delay is
    /// believed.
    Transient {
        /// Not before this long.
        retry_after: Option<Duration>,
    },
    /// 413, or a refusal that names no record: smaller pieces, at once.
    TooLarge,
    /// 400 or 422 without a record's id: bisect to the culprit.
    Unattributed,
    /// 405: the portal has blocked the unit.
    UnitBlocked,
    /// 503: maintenance, the whole portal pauses.
    Maintenance {
        /// Not before this long.
        retry_after: Option<Duration>,
    },
    /// 401 after renewal, 403, 404, a redirect: a person must act.
    Parked,
}

/// What the HTTP stack saw of a request that came to no verdict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mishap {
    /// An answer whose status says it all.
    #[error("HTTP {code}{}", hint(*.code))]
    Status {
        /// The status code.
        code: u16,
        /// The wait that the portal asks for.
        retry_after: Option<Duration>,
    },
    /// No connection: nothing was sent.
    #[error("cannot connect: {reason}")]
    Connect {
        /// The operating system's word for it.
        reason: String,
    },
    /// No connection within the connect time-out: nothing was sent.
    #[error("cannot connect: no answer within the connect time-out")]
    ConnectTimeout,
    /// TLS could not be agreed upon: nothing was sent.
    #[error("TLS failed: {reason}")]
    Tls {
        /// What is wrong with the certificate or the handshake, and which setting helps.
        reason: String,
    },
    /// No whole answer within the time-out.
    #[error("no whole answer within the timeout")]
    AnswerTimeout,
    /// The connection broke while the request was sent or its answer read.
    #[error("the connection broke before the answer was whole")]
    Cut,
    /// An answer above the cap.
    #[error("the answer is larger than {limit} bytes")]
    Oversized {
        /// The cap, in bytes.
        limit: usize,
    },
    /// An answer that is not what the portal's document describes.
    #[error("the answer cannot be read: {reason}")]
    Unreadable {
        /// What it is instead: a media type or a shape, nothing of its content.
        reason: String,
    },
    /// The request could not even be built: a value of the configuration does not fit into one.
    #[error("the request cannot be built: {reason}")]
    Unsendable {
        /// Which part of it.
        reason: String,
    },
}

impl Mishap {
    /// What the engine must do about it.
    pub fn trouble(&self) -> Trouble {
        match self {
            Mishap::Status { code, retry_after } => trouble_of_status(*code, *retry_after),
            // A certificate may be renewed at the portal at any hour, so TLS is tried again like any lost connection.
            Mishap::Connect { .. }
            | Mishap::ConnectTimeout
            | Mishap::Tls { .. }
            | Mishap::AnswerTimeout
            | Mishap::Cut
            | Mishap::Oversized { .. }
            | Mishap::Unreadable { .. } => Trouble::Transient { retry_after: None },
            Mishap::Unsendable { .. } => Trouble::Parked,
        }
    }

    /// True when the portal may have applied the request. When in doubt it may.
    pub fn maybe_applied(&self) -> bool {
        match self {
            Mishap::Status { code, .. } => status_may_have_applied(*code),
            Mishap::Connect { .. } | Mishap::ConnectTimeout | Mishap::Tls { .. } | Mishap::Unsendable { .. } => false,
            Mishap::AnswerTimeout | Mishap::Cut | Mishap::Oversized { .. } | Mishap::Unreadable { .. } => true,
        }
    }
}

fn trouble_of_status(code: u16, retry_after: Option<Duration>) -> Trouble {
    match code {
        400 | 409 | 422 => Trouble::Unattributed,
        405 => Trouble::UnitBlocked,
        413 => Trouble::TooLarge,
        408 | 425 | 429 => Trouble::Transient { retry_after },
        503 => Trouble::Maintenance { retry_after },
        500..=599 => Trouble::Transient { retry_after },
        // A success that nobody could judge: it is asked again, not believed.
        200..=299 => Trouble::Transient { retry_after: None },
        // Redirects are not followed: a portal that moved is a matter for a person, and so is every other refusal.
        _ => Trouble::Parked,
    }
}

fn status_may_have_applied(code: u16) -> bool {
    match code {
        // 422 is the FER gateway's partial success; 408 and 5xx may come from a proxy in front of a portal that went on.
        200..=299 | 408 | 422 => true,
        503 => false,
        500..=599 => true,
        _ => false,
    }
}

/// What an operator can do about a status.
fn hint(code: u16) -> &'static str {
    match code {
        300..=399 => ": the portal redirects; set the portal's url to its new address",
        401 => ": the portal does not accept the credentials",
        403 => ": the portal denies access to this account",
        404 => ": no such address; check the portal's url",
        405 => ": the portal has blocked updates of this unit; ask its support",
        503 => ": the portal is under maintenance",
        _ => "",
    }
}

impl From<Mishap> for Failure {
    fn from(mishap: Mishap) -> Self {
        Failure { trouble: mishap.trouble(), maybe_applied: mishap.maybe_applied(), text: mishap.to_string() }
    }
}

impl Failure {
    /// Adds what the portal said, which must be redacted already.
    pub fn saying(mut self, redacted: &str) -> Self {
        if !redacted.is_empty() {
            self.text = format!("{}: {redacted}", self.text);
        }
        self
    }
}

/// Reads a `Retry-After` header in either form, seconds or an HTTP date, against the portal's own clock. Clamped to one second
/// and one hour; none when it is neither form.
pub fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    let asked = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        value.parse().map_or(Duration::MAX, Duration::from_secs)
    } else {
        let at = DateTime::parse_from_rfc2822(value).ok()?;
        (at.to_utc() - now).to_std().unwrap_or(Duration::ZERO)
    };
    Some(asked.clamp(RETRY_AFTER.0, RETRY_AFTER.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGAIN: Trouble = Trouble::Transient { retry_after: None };

    #[test]
    fn every_status_has_its_row() {
        let table = [
            (200, AGAIN, true),
            (204, AGAIN, true),
            (301, Trouble::Parked, false),
            (307, Trouble::Parked, false),
            (400, Trouble::Unattributed, false),
            (401, Trouble::Parked, false),
            (402, Trouble::Parked, false),
            (403, Trouble::Parked, false),
            (404, Trouble::Parked, false),
            (405, Trouble::UnitBlocked, false),
            (406, Trouble::Parked, false),
            (408, AGAIN, true),
            (409, Trouble::Unattributed, false),
            (410, Trouble::Parked, false),
            (413, Trouble::TooLarge, false),
            (415, Trouble::Parked, false),
            (422, Trouble::Unattributed, true),
            (425, AGAIN, false),
            (429, AGAIN, false),
            (451, Trouble::Parked, false),
            (500, AGAIN, true),
            (501, AGAIN, true),
            (502, AGAIN, true),
            (503, Trouble::Maintenance { retry_after: None }, false),
            (504, AGAIN, true),
            (599, AGAIN, true),
            (999, Trouble::Parked, false),
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
            (Mishap::Connect { reason: reason() }, AGAIN, false),
            (Mishap::ConnectTimeout, AGAIN, false),
            (Mishap::Tls { reason: reason() }, AGAIN, false),
            (Mishap::AnswerTimeout, AGAIN, true),
            (Mishap::Cut, AGAIN, true),
            (Mishap::Oversized { limit: 1 }, AGAIN, true),
            (Mishap::Unreadable { reason: reason() }, AGAIN, true),
            (Mishap::Unsendable { reason: reason() }, Trouble::Parked, false),
        ];
        for (mishap, trouble, maybe_applied) in table {
            let failure = Failure::from(mishap.clone());
            assert_eq!((failure.trouble, failure.maybe_applied), (trouble, maybe_applied), "{mishap:?}");
        }
    }

    #[test]
    fn the_wait_that_a_portal_asks_for_is_kept_where_it_means_something() {
        let asked = Some(Duration::from_secs(7));
        let kept = |code| Mishap::Status { code, retry_after: asked }.trouble();
        assert_eq!(kept(503), Trouble::Maintenance { retry_after: asked });
        assert_eq!(kept(429), Trouble::Transient { retry_after: asked });
        assert_eq!(kept(500), Trouble::Transient { retry_after: asked });
        assert_eq!(kept(405), Trouble::UnitBlocked);
    }

    #[test]
    fn retry_after_is_read_in_both_forms_and_clamped() {
        let now: DateTime<Utc> = "2026-03-02T10:00:00Z".parse().unwrap();
        let seconds = |value| retry_after(value, now).map(|wait| wait.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds(" 0 "), Some(1));
        assert_eq!(seconds("999999999999999999999999"), Some(3600));
        assert_eq!(seconds("Mon, 02 Mar 2026 10:00:30 GMT"), Some(30));
        assert_eq!(seconds("Mon, 02 Mar 2026 09:00:00 GMT"), Some(1));
        assert_eq!(seconds("Tue, 03 Mar 2026 10:00:00 GMT"), Some(3600));
        for nonsense in ["", "soon", "-5", "1.5"] {
            assert_eq!(seconds(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn what_the_portal_said_follows_what_happened() {
        let failure = Failure::from(Mishap::Status { code: 500, retry_after: None });
        assert_eq!(failure.clone().saying("").text, "HTTP 500");
        assert_eq!(failure.saying("R-100 сбой").text, "HTTP 500: R-100 сбой");
    }
}
