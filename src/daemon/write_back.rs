//! Write-back in the real process: the statements of a feed's `write_back`, run in its source.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::config::{ActiveFeed, PortalConfig, SourceConfig, write_back_parameters};
use crate::source::{Run, Script, ScriptError, SourceError, SourceSettings, Writer, Written};
use crate::sync::{WriteBack, WriteBackError};

/// Longest time for the statements of one record.
const LIMIT: Duration = Duration::from_secs(30);

/// The statements of one feed.
#[derive(Debug)]
pub(super) struct SiteStatements {
    writer: Writer,
    script: Script,
    /// The configuration's key, for errors.
    key: String,
    limit: Duration,
}

/// Opens a source for writing, by the account that may write. Connects to nothing yet.
pub fn open_writer(name: &str, source: &SourceConfig) -> Result<Writer, SourceError> {
    let (url, password) = match &source.write_url {
        Some(url) if url.has_password() => (url, None),
        Some(url) => (url, source.write_password.clone().or_else(|| source.password.clone())),
        None => (&source.url, source.password.clone()),
    };
    let mut settings = SourceSettings::new(name, url.expose(), source.timezone);
    settings.password = password;
    settings.statement_timeout = source.statement_timeout;
    settings.connect_timeout = source.connect_timeout;
    let opened = Writer::open(settings);
    opened.map_err(|error| match error {
        SourceError::Settings { source_name, key: "url", reason } if source.write_url.is_some() => {
            SourceError::Settings { source_name, key: "write_url", reason }
        }
        other => other,
    })
}

impl SiteStatements {
    /// The configuration's key of a feed's statements.
    pub(super) fn key(feed: &ActiveFeed) -> String {
        format!("portals.{}.feeds.{}.write_back", feed.portal, feed.feed)
    }

    /// Those of this feed; none where it has none.
    pub(super) fn of(
        portal: &PortalConfig,
        feed: &ActiveFeed,
        source: &SourceConfig,
        writer: &Writer,
    ) -> Result<Option<Self>, ScriptError> {
        let Some(texts) = &feed.config.write_back else { return Ok(None) };
        let script = Script::parse(source.url.engine().into(), texts, write_back_parameters(portal.kind()))?;
        Ok(Some(SiteStatements {
            writer: writer.clone(),
            script,
            key: SiteStatements::key(feed),
            limit: LIMIT.min(source.statement_timeout),
        }))
    }
}

impl WriteBack for SiteStatements {
    fn write<'a>(
        &'a self,
        parameters: BTreeMap<&'static str, Option<&'a str>>,
    ) -> BoxFuture<'a, Result<(), WriteBackError>> {
        Box::pin(async move {
            let values: Vec<(&'static str, Option<&str>)> = parameters.into_iter().collect();
            let run = Run { key: &self.key, script: &self.script, values: &values, limit: self.limit };
            match self.writer.run(run).await {
                Written::Done(_) => Ok(()),
                // It runs at least once: where nobody knows whether it did, it runs again.
                Written::RolledBack(error) | Written::Uncertain(error) => {
                    Err(WriteBackError { reason: error.to_string() })
                }
            }
        })
    }
}
