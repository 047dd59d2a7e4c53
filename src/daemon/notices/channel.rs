//! Channels: the three ways in which a notice can leave, behind one type.

use std::time::Duration;

use tokio::time::timeout;

use super::command::Command;
use super::mail::Mail;
use super::message::Notice;
use super::webhook::Webhook;
use crate::config::NotifyConfig;

/// Longest time for one notice.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a notice did not leave, as a sentence that holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoticeError(pub(super) String);

/// A way in which notices leave.
pub(super) enum Channel {
    Mail(Box<Mail>),
    Webhook(Webhook),
    Command(Command),
}

impl Channel {
    /// Every way that a section names.
    pub(super) fn all(notify: &NotifyConfig) -> Result<Vec<Self>, NoticeError> {
        let mail = notify.smtp.as_ref().map(|smtp| Mail::new(smtp, notify).map(|mail| Channel::Mail(Box::new(mail))));
        let webhook = notify.webhook.as_ref().map(|url| Webhook::new(url).map(Channel::Webhook));
        let command = notify.command.as_ref().map(|command| Ok(Channel::Command(Command::new(command))));
        [mail, webhook, command].into_iter().flatten().collect()
    }

    /// Its name in metrics, status and the ledger.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Channel::Mail(_) => "mail",
            Channel::Webhook(_) => "webhook",
            Channel::Command(_) => "command",
        }
    }

    /// The configuration's key that names it.
    pub(super) fn key(&self) -> &'static str {
        match self {
            Channel::Mail(_) => "notify.smtp",
            Channel::Webhook(_) => "notify.webhook",
            Channel::Command(_) => "notify.command",
        }
    }

    /// Sends one notice.
    pub(super) async fn deliver(&self, notice: &Notice) -> Result<(), NoticeError> {
        let delivered = async {
            match self {
                Channel::Mail(mail) => mail.send(notice).await,
                Channel::Webhook(webhook) => webhook.post(notice).await,
                Channel::Command(command) => command.run(notice).await,
            }
        };
        in_time(delivered).await
    }

    /// Looks whether it is there.
    pub(super) async fn check(&self) -> Result<(), NoticeError> {
        match self {
            Channel::Mail(mail) => in_time(mail.greet()).await,
            // A webhook that were called would tell people something.
            Channel::Webhook(_) => Ok(()),
            Channel::Command(command) => command.check(),
        }
    }
}

async fn in_time(done: impl Future<Output = Result<(), NoticeError>>) -> Result<(), NoticeError> {
    match timeout(PATIENCE, done).await {
        Ok(done) => done,
        Err(_) => Err(NoticeError(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}
