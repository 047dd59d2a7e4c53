//! Write-back: what a portal gave back for a record returns to the hospital's database, by the site's own statement. What is due stands in
//! the register from the transaction that brought it, and stays there until the statement has run: it runs at least once.

use std::collections::BTreeMap;
use std::fmt;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::exchange::later;
use super::inquiry::FollowUp;
use super::line::{FeedLine, Line};
use crate::ledger::{Exchange, ExchangeState, Ledger, LedgerError, Settlement, WriteBackDue};
use crate::portal::Portal;
use crate::record::{Key, Receipt, Stage};
use crate::source::Source;

/// Rows that are written back before the register hears of it.
const GROUP: usize = 20;
/// Failures in a row after which the source is left alone for a while.
const MOST_FAILURES: usize = 3;

/// Runs the site's statement for one record. It may run more than once for the same.
pub trait WriteBack: Send + Sync + 'static {
    /// Runs it with these parameters: `key`, `status` (the register's word), `portal_status` and `reason` (the portal's own words),
    /// `remote_id`, `base_no`, `registered_at`, `set_id`, `url`.
    fn write<'a>(
        &'a self,
        parameters: BTreeMap<&'static str, Option<&'a str>>,
    ) -> BoxFuture<'a, Result<(), WriteBackError>>;
}

impl fmt::Debug for dyn WriteBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WriteBack")
    }
}

/// The statement failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct WriteBackError {
    /// What went wrong, without values of the row.
    pub reason: String,
}

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// True when something is to be written back now.
    pub(super) fn has_write_backs(&self, feed: &FeedLine<S>) -> bool {
        let (now, longest) = (self.clock.now(), self.settings.longest_wait());
        feed.register().is_some_and(|register| register.to_write_back(now, longest).next().is_some())
    }

    /// Writes back what is due, until the time is over.
    pub(super) async fn write_back(
        &self,
        feed: &FeedLine<S>,
        until: Option<Instant>,
        follow_up: &mut FollowUp,
    ) -> Result<(), LedgerError> {
        let Some(statement) = feed.plan.write_back.clone() else { return Ok(()) };
        while !self.stopping.is_cancelled() {
            let keys = self.to_write_back(feed);
            if keys.is_empty() {
                break;
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                follow_up.more = true;
                break;
            }
            self.write_group(feed, &*statement, keys, follow_up).await?;
        }
        feed.count_exchanges(&*self.ledger).await
    }

    fn to_write_back(&self, feed: &FeedLine<S>) -> Vec<Key> {
        let (now, longest) = (self.clock.now(), self.settings.longest_wait());
        let Some(register) = feed.register() else { return Vec::new() };
        register.to_write_back(now, longest).take(GROUP).map(|open| open.row.key.clone()).collect()
    }

    async fn write_group(
        &self,
        feed: &FeedLine<S>,
        statement: &dyn WriteBack,
        keys: Vec<Key>,
        follow_up: &mut FollowUp,
    ) -> Result<(), LedgerError> {
        let _one_at_a_time = feed.exchanging.lock().await;
        let mut rows = Vec::with_capacity(keys.len());
        let mut failures = 0;
        for key in keys {
            if failures >= MOST_FAILURES || self.stopping.is_cancelled() {
                break;
            }
            // The whole row is in the ledger alone.
            let Some(mut row) = self.ledger.exchange(feed.id, &key).await? else {
                if let Some(mut register) = feed.register() {
                    register.close(key.id());
                }
                continue;
            };
            match statement.write(parameters(&row, &key.to_string())).await {
                Ok(()) => {
                    failures = 0;
                    follow_up.written_back += 1;
                    row.write_back = None;
                }
                Err(error) => {
                    failures += 1;
                    row.write_back = Some(self.try_later(row.write_back.unwrap_or_default()));
                    tracing::warn!(
                        portal = %self.name,
                        feed = feed.plan.schema.feed,
                        key = %row.key,
                        "what the portal gave back could not be written back, and is tried again: {error}"
                    );
                }
            }
            rows.push(row);
        }
        self.note_written(feed, &rows, failures >= MOST_FAILURES);
        self.ledger.settle(feed.id, Settlement { exchanged: rows, ..Settlement::default() }).await
    }

    fn note_written(&self, feed: &FeedLine<S>, rows: &[Exchange], failed: bool) {
        let now = self.clock.now();
        let Some(mut register) = feed.register() else { return };
        if failed {
            let mut rng = self.rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            register.write_backs.fail(self.settings.retry, now, &mut rng);
        } else {
            register.write_backs.well();
        }
        for row in rows {
            let inquire_at = register.open(row.key.id()).map_or(now, |open| open.inquire_at);
            register.put(row.clone(), inquire_at);
        }
    }

    fn try_later(&self, due: WriteBackDue) -> WriteBackDue {
        let mut rng = self.rng.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let next_attempt = later(self.settings.retry, due.attempts, self.clock.now(), &mut rng);
        WriteBackDue { attempts: due.attempts.saturating_add(1), next_attempt }
    }
}

/// The register's word for where a record stands. A draft has one of its own: without a person it never gets further.
fn status(row: &Exchange) -> &'static str {
    match (row.state, row.receipt.as_ref().map(|receipt| receipt.stage)) {
        (ExchangeState::Sent, Some(Stage::Draft)) => "draft",
        (state, _) => state.name(),
    }
}

/// What the statement can name.
fn parameters<'a>(row: &'a Exchange, key: &'a str) -> BTreeMap<&'static str, Option<&'a str>> {
    let of_receipt = |field: fn(&Receipt) -> &Option<String>| row.receipt.as_ref().and_then(|it| field(it).as_deref());
    BTreeMap::from([
        ("key", Some(key)),
        ("status", Some(status(row))),
        ("remote_id", of_receipt(|receipt| &receipt.remote_id)),
        ("base_no", of_receipt(|receipt| &receipt.base_no)),
        ("registered_at", of_receipt(|receipt| &receipt.registered_at)),
        ("set_id", of_receipt(|receipt| &receipt.set_id)),
        ("url", of_receipt(|receipt| &receipt.url)),
        ("portal_status", of_receipt(|receipt| &receipt.status)),
        ("reason", of_receipt(|receipt| &receipt.reason)),
    ])
}
