//! Mail: one message a notice, over SMTP.

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use secrecy::ExposeSecret;

use super::channel::NoticeError;
use super::message::Notice;
use crate::config::{NotifyConfig, SmtpSecurity, SmtpUrl};
use crate::transport::redact;

/// A mail server, and who mails go to.
pub(super) struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mail {
    /// The server of a section. Connects to nothing yet.
    pub(super) fn new(smtp: &SmtpUrl, notify: &NotifyConfig) -> Result<Self, NoticeError> {
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host).port(smtp.port);
        builder = builder.hello_name(ClientId::Domain(super::host()));
        builder = builder.tls(match smtp.security {
            SmtpSecurity::None => Tls::None,
            SmtpSecurity::StartTls => Tls::Required(tls(smtp, notify)?),
            SmtpSecurity::Tls => Tls::Wrapper(tls(smtp, notify)?),
        });
        if let (Some(name), Some(password)) = (&notify.username, &notify.password) {
            builder = builder.credentials(Credentials::new(name.clone(), password.expose_secret().to_owned()));
        }
        let mailbox = |text: &String| text.parse().map_err(|_| NoticeError("an address of mail cannot be read".into()));
        let from = notify.from.as_ref().ok_or_else(|| NoticeError("notify.from is missing".into()))?;
        let to = notify.to.iter().map(mailbox).collect::<Result<_, _>>()?;
        Ok(Mail { transport: builder.build(), from: mailbox(from)?, to })
    }

    /// Connects, greets, signs in, and takes its leave.
    pub(super) async fn greet(&self) -> Result<(), NoticeError> {
        match self.transport.test_connection().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(NoticeError("the mail server does not do what it is asked to".into())),
            Err(error) => Err(told(&error)),
        }
    }

    /// Sends a notice to everyone at once.
    pub(super) async fn send(&self, notice: &Notice) -> Result<(), NoticeError> {
        let mut message = Message::builder().from(self.from.clone()).subject(notice.subject.clone());
        for to in &self.to {
            message = message.to(to.clone());
        }
        // No answer of an absent person shall come back, and none shall be set going.
        let message = message.header(ContentType::TEXT_PLAIN).body(notice.text.clone());
        let message = message.map_err(|error| NoticeError(format!("the mail cannot be made: {error}")))?;
        self.transport.send(message).await.map(drop).map_err(|error| told(&error))
    }
}

fn tls(smtp: &SmtpUrl, notify: &NotifyConfig) -> Result<TlsParameters, NoticeError> {
    let mut builder = TlsParameters::builder(smtp.host.clone());
    if let Some(path) = &notify.ca_file {
        let refused = |why: String| NoticeError(format!("notify.ca_file: {}: {why}", path.display()));
        let pem = std::fs::read(path).map_err(|error| refused(error.to_string()))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| refused(error.to_string()))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build().map_err(|error| NoticeError(format!("TLS cannot be set up: {error}")))
}

/// What went wrong, with all that caused it.
fn told(error: &lettre::transport::smtp::Error) -> NoticeError {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let text = causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    });
    NoticeError(redact(&text))
}
