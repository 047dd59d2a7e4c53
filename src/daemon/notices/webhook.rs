//! Webhook: each notice is posted as JSON. The address may carry a key, so no error repeats it.

use std::time::Duration;

use reqwest::redirect::Policy;
use secrecy::{ExposeSecret, SecretString};

use super::channel::NoticeError;
use super::message::Notice;

/// Longest time until it is connected.
const CONNECT: Duration = Duration::from_secs(10);

/// An address that is posted to.
pub(super) struct Webhook {
    client: reqwest::Client,
    url: SecretString,
}

impl Webhook {
    /// The address. Connects to nothing yet.
    pub(super) fn new(url: &SecretString) -> Result<Self, NoticeError> {
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT)
            .user_agent(concat!("vitrina/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| NoticeError(format!("the webhook's client cannot be made: {error}")))?;
        Ok(Webhook { client, url: url.clone() })
    }

    /// Posts a notice. Any 2xx means that it has arrived.
    pub(super) async fn post(&self, notice: &Notice) -> Result<(), NoticeError> {
        let answer = self.client.post(self.url.expose_secret()).json(notice).send().await;
        let answer = answer.map_err(|error| NoticeError(told(error)))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(NoticeError(format!("the webhook answers {status}"))),
        }
    }
}

/// What went wrong, without the address.
fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
