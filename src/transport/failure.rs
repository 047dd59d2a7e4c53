//! Failures: what a request that was not judged record by record came to, and the one table that says what follows from it.
//!
//! A [`Mishap`] is what happened, as the HTTP stack and the reader of answers saw it; a [`Failure`] is what it means. The way from one
//! to the other is pure and exhaustive, and no failure is made in any other way; when to try again is another matter
//! ([`super::RetryTiming`]).

use std::time::Duration;

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
    /// No connection, a cut or unreadable answer, 429, 5xx: the same batch again, later. A portal that names a delay is believed.
    Transient {
        /// Not before this long.
        retry_after: Option<Duration>,
    },
    /// No whole answer in time, or a 408 or 504 that says so for the portal: the same batch again, later, and a smaller one when it
    /// keeps happening.
    TimedOut,
    /// 413: smaller pieces, at once.
    TooLarge,
    /// The portal's own refusal without a record's id: bisect to the culprit.
    Unattributed,
    /// 400, 409 or 422 in a page or with nothing, so not in the portal's own words: the portal or a proxy before it is in trouble, and no
    /// record is to blame. The portal pauses.
    Foreign {
        /// Not before this long.
        retry_after: Option<Duration>,
    },
    /// 405: the portal has blocked the unit.
    UnitBlocked,
    /// 503: maintenance, the whole portal pauses.
    Maintenance {
        /// Not before this long.
        retry_after: Option<Duration>,
    },
    /// 403, a web server's 404, a redirect: a person must act for this one feed; the portal's other feeds go on.
    FeedParked,
    /// What the records of a request travel in is at fault (its signature, its archive), and none of them is: a person must act before the feed
    /// sends anything more; it goes on asking.
    BatchAtFault,
    /// 401 after renewal, refused credentials, a request that cannot be built: a person must act before anything goes to the portal.
    Parked,
}

/// What the HTTP stack saw of a request that came to no verdict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mishap {
    /// An answer whose status says it all: what the portal says in its own words of the records is [`Mishap::Unnamed`].
    #[error("HTTP {code}{}", said_of(*.code))]
    Status {
        /// The status code.
        code: u16,
        /// The wait that the portal asks for.
        retry_after: Option<Duration>,
    },
    /// A refusal that would say much of a unit, had the portal said it, in a page of a web server or a proxy.
    #[error(
        "HTTP {code} with a page that is not the portal's own: the portal, or a proxy before it, is in trouble; nothing is held against the records, and all is tried again by itself"
    )]
    Page {
        /// The status code.
        code: u16,
    },
    /// A refusal in the portal's own words, `isSuccess` false under HTTP 200 among them, that names none of the records sent.
    #[error("HTTP {code} without the id of a refused record")]
    Unnamed {
        /// The status code, the envelope's where HTTP itself says success.
        code: u16,
    },
    /// The portal refused the account in its own words.
    #[error(
        "the portal refuses the credentials; set the account and password that its owner gave you, or ask for new ones"
    )]
    Credentials,
    /// The portal refused the key that stands in the request instead of an account.
    #[error(
        "the portal does not accept the api_key; copy the key from the profile of the account at the portal anew, and set api_key"
    )]
    KeyRefused,
    /// What is sent must be signed outside, and was not: nothing was sent.
    #[error("the records could not be signed: {reason}; check sign_command by running it by hand")]
    Unsigned {
        /// What became of the signing.
        reason: String,
    },
    /// The portal refused what the records travel in, in its own words: a signature, a certificate, an archive. No record is to blame.
    #[error("{reason}")]
    BatchAtFault {
        /// What is at fault, and whom to ask.
        reason: &'static str,
        /// The portal may have kept it all the same.
        maybe_applied: bool,
    },
    /// 401 for a token that the portal has issued a moment ago: another one would fare no better.
    #[error("HTTP 401: the portal does not accept the token it has just issued; ask its support about this account")]
    TokenRefused,
    /// The portal refused a refresh token: nobody but its owner can give another pair.
    #[error(
        "{}the portal does not take the refresh token; ask its owner for a new pair, set access_token and refresh_token, and restart",
        if *.lost { "an answer with a new pair of tokens may have been lost, and " } else { "" }
    )]
    RefreshTokenRefused {
        /// An answer with a new pair may have been lost before, so that the pair that is held may be spent.
        lost: bool,
    },
    /// A secret that must outlive the process cannot be kept or read.
    #[error("{reason}; check the ledger's disk")]
    SecretStore {
        /// What went wrong, without the secret.
        reason: String,
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
    /// An answer above the cap, as it came or inflated.
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
    #[error("the request cannot be built: {reason}; check the portal's url and credentials with `vitrina check`")]
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
            Mishap::Unnamed { .. } => Trouble::Unattributed,
            Mishap::Page { .. } => Trouble::Foreign { retry_after: None },
            Mishap::AnswerTimeout => Trouble::TimedOut,
            // A certificate may be renewed at the portal at any hour, so TLS is tried again like any lost connection.
            Mishap::Connect { .. }
            | Mishap::ConnectTimeout
            | Mishap::Tls { .. }
            | Mishap::Cut
            | Mishap::Oversized { .. }
            | Mishap::Unreadable { .. }
            | Mishap::SecretStore { .. } => Trouble::Transient { retry_after: None },
            Mishap::Credentials
            | Mishap::KeyRefused
            | Mishap::TokenRefused
            | Mishap::RefreshTokenRefused { .. }
            | Mishap::Unsendable { .. } => Trouble::Parked,
            // A signing device counts wrong attempts: it is not asked again and again.
            Mishap::Unsigned { .. } | Mishap::BatchAtFault { .. } => Trouble::BatchAtFault,
        }
    }

    /// True when the portal may have applied the request. When in doubt it may.
    pub fn maybe_applied(&self) -> bool {
        match self {
            Mishap::Status { code, .. } => status_may_have_applied(*code),
            // A 400 is a request that was not understood; every other refusal may speak of a part.
            Mishap::Unnamed { code } => *code != 400,
            Mishap::BatchAtFault { maybe_applied, .. } => *maybe_applied,
            Mishap::Page { .. }
            | Mishap::Connect { .. }
            | Mishap::ConnectTimeout
            | Mishap::Tls { .. }
            | Mishap::Credentials
            | Mishap::KeyRefused
            | Mishap::Unsigned { .. }
            | Mishap::TokenRefused
            | Mishap::RefreshTokenRefused { .. }
            | Mishap::SecretStore { .. }
            | Mishap::Unsendable { .. } => false,
            Mishap::AnswerTimeout | Mishap::Cut | Mishap::Oversized { .. } | Mishap::Unreadable { .. } => true,
        }
    }
}

fn trouble_of_status(code: u16, retry_after: Option<Duration>) -> Trouble {
    match (code, retry_after) {
        // A success that nobody could judge: it is asked again, not believed.
        (200..=299, _) => Trouble::Transient { retry_after: None },
        (400 | 409 | 422, _) => Trouble::Foreign { retry_after },
        (405, _) => Trouble::UnitBlocked,
        (413, _) => Trouble::TooLarge,
        (503, _) => Trouble::Maintenance { retry_after },
        (408 | 504, None) => Trouble::TimedOut,
        (408 | 425 | 429 | 500..=599, _) => Trouble::Transient { retry_after },
        // Who is refused as an account, by a proxy or for the way of speaking is refused at every address.
        (401 | 402 | 407 | 421 | 426 | 431, _) => Trouble::Parked,
        // Redirects are not followed. What one address refuses says nothing about the others.
        _ => Trouble::FeedParked,
    }
}

fn status_may_have_applied(code: u16) -> bool {
    match code {
        // 422 is the FER gateway's partial success; 408 and 5xx may come from a proxy in front of a portal that went on.
        200..=299 | 408 | 422 => true,
        503 => false,
        500..=599 => true,
        300..=499 => false,
        // No status of HTTP: nobody knows who spoke.
        _ => true,
    }
}

/// What a status means, and, where a person must act, what to do and whom to ask.
fn said_of(code: u16) -> &'static str {
    match code {
        300..=399 => ": the portal has moved this address; ask its owner for the new one and set the portal's url",
        401 => ": the portal does not accept the credentials; set the account and password that its owner gave you",
        402 => ": the portal wants to be paid; ask its owner about this account",
        403 => {
            ": the portal denies this account the right to this; ask its owner to grant the account this kind of record"
        }
        400 | 409 | 422 => {
            ", and not in the portal's own words: the portal, or a proxy before it, is in trouble; nothing is held against the records, and all is tried again by itself"
        }
        404 | 410 => {
            ": there is no such address; check the portal's url, then ask the portal's support which address takes these records"
        }
        405 => ": the portal has blocked updates of this unit; ask its support to lift the block",
        406 => {
            ": the portal does not speak this version of the protocol; ask its support which one it does, and update vitrina"
        }
        407 => ": a proxy on the way wants a login; ask your network's administrator for a direct way to the portal",
        408 | 504 => ": the portal did not finish in time",
        413 => ": the request is too large for the portal",
        415 => {
            ": the portal does not take compressed JSON here; ask its support, and the administrator of a proxy on the way"
        }
        421 => {
            ": the server does not answer for this address; check the portal's url and the tunnel or proxy on the way"
        }
        426 => ": the portal wants another protocol; check that the portal's url begins with https:// where it must",
        429 => ": the portal finds our requests too many",
        431 => ": the portal finds the request's headers too large; ask its support about the length of the token",
        451 => ": the portal may not take this by law; ask its owner",
        503 => ": the portal is under maintenance",
        400..=499 => ": the portal refuses requests to this address; ask its support why, and name the status",
        200..=299 | 500..=599 => "",
        _ => ": this is no status of HTTP; check that the portal's url leads to the portal",
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

    /// The same failure of a portal that knows neither units nor partial successes: its 405 speaks of an address and not of a block, and its
    /// 422 took nothing.
    pub fn without_units(self) -> Self {
        match self.trouble {
            Trouble::UnitBlocked => Failure {
                trouble: Trouble::FeedParked,
                maybe_applied: self.maybe_applied,
                text: "HTTP 405: this address does not take requests of this kind; check the portal's url and paths"
                    .into(),
            },
            Trouble::Foreign { .. } => Failure { maybe_applied: false, ..self },
            _ => self,
        }
    }

    /// The same failure where other records, or the records one by one, fare no better: the portal itself is in trouble.
    pub fn of_portal(self) -> Self {
        match self.trouble {
            Trouble::TooLarge | Trouble::Unattributed => {
                let text = format!("{}; so it is with every record alone, and no record is to blame", self.text);
                Failure { trouble: Trouble::Foreign { retry_after: None }, text, ..self }
            }
            _ => self,
        }
    }

    /// The same failure of a request for a token. The caller's own request was never sent. Every refusal is for a person to mend,
    /// and nothing goes to the portal before; what is only busy or down is asked again.
    pub fn of_authentication(self) -> Self {
        let trouble = match self.trouble {
            Trouble::Transient { .. } | Trouble::Maintenance { .. } | Trouble::Foreign { .. } => self.trouble,
            // How long a token takes says nothing about the size of batches.
            Trouble::TimedOut => Trouble::Transient { retry_after: None },
            // No account is too large: whoever says so has not looked at it.
            Trouble::TooLarge => Trouble::Foreign { retry_after: None },
            Trouble::Unattributed
            | Trouble::UnitBlocked
            | Trouble::FeedParked
            | Trouble::BatchAtFault
            | Trouble::Parked => Trouble::Parked,
        };
        Failure { trouble, maybe_applied: false, text: format!("authentication failed: {}", self.text) }
    }

    /// What a caller gets who comes before a failed authentication is tried again: nothing was sent for it.
    pub fn still_standing(&self, left: Duration) -> Self {
        let trouble = match self.trouble {
            Trouble::Transient { .. } | Trouble::TimedOut => Trouble::Transient { retry_after: Some(left) },
            Trouble::Maintenance { .. } => Trouble::Maintenance { retry_after: Some(left) },
            Trouble::Foreign { .. } => Trouble::Foreign { retry_after: Some(left) },
            Trouble::TooLarge
            | Trouble::Unattributed
            | Trouble::UnitBlocked
            | Trouble::FeedParked
            | Trouble::BatchAtFault
            | Trouble::Parked => self.trouble,
        };
        let text = format!("{}; authentication is not tried again for {} s", self.text, left.as_secs() + 1);
        Failure { trouble, maybe_applied: false, text }
    }
}

#[cfg(test)]
mod tests;
