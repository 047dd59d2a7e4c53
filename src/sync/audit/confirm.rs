//! The second look: what seemed to differ is read once more, from the source by its key and from the portal by its id, before it counts.

use std::time::Duration;

use super::fit::Fit;
use super::mend::Finding;
use super::progress::named;
use super::rows::Again;
use super::{AuditError, Auditor, Difference, Kind};
use crate::ledger::Ledger;
use crate::portal::{Ask, Portal, Reading};
use crate::record::{Key, Schema};
use crate::source::Source;
use crate::sync::line::FeedLine;
use crate::sync::mart::{Mart, Version};

/// How long the portal may take to show what it was sent: its core commits at most once a second.
const COMMIT: Duration = Duration::from_secs(2);
/// Records that are looked at between two writes of the progress.
const PAGE: usize = 100;

/// What the second look says.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Both sides are the same.
    Equal,
    /// There is nothing to be told.
    Nothing,
    /// Nothing is there, and nothing could be sent.
    Unsendable,
    /// They differ, in these fields.
    Differs(Kind, Vec<String>),
}

/// A record as the portal holds it at the second look.
struct Seen {
    version: Version,
    fields: Vec<Option<Box<[u8]>>>,
}

impl<S: Source, P: Portal, L: Ledger> Auditor<'_, S, P, L> {
    /// Looks at all suspects of the feed at hand again.
    pub(super) async fn confirm(&mut self, feed: &FeedLine<S>) -> Result<(), AuditError> {
        if !self.feed().suspects.is_empty() {
            self.rest(COMMIT).await?;
        }
        self.feed().steps = (0, self.feed().suspects.len() as u64);
        let mut mart = Mart::new(feed.plan.schema, &feed.plan.encode)?;
        loop {
            let page: Vec<(String, Kind)> =
                self.feed().suspects.iter().take(PAGE).map(|(key, kind)| (key.clone(), *kind)).collect();
            if page.is_empty() {
                return Ok(());
            }
            self.confirm_page(feed, &mut mart, page).await?;
            self.save_at_times().await?;
        }
    }

    async fn confirm_page(
        &mut self,
        feed: &FeedLine<S>,
        mart: &mut Mart,
        page: Vec<(String, Kind)>,
    ) -> Result<(), AuditError> {
        let keys: Vec<Key> = page.iter().map(|(key, _)| named(key)).collect();
        let rows = self.rows_again(feed, &keys).await?;
        let fits = self.fits(feed, &rows).await?;
        let mut findings = Vec::new();
        let mut differences = Vec::new();
        for ((name, kind), key) in page.iter().zip(&keys) {
            let (row, fit) = (rows.get(key), fits.get(key));
            // What cannot be sent is not asked about: a resource with a bad row may have a thousand slots.
            let ask = *kind != Kind::Missing || fit.is_some_and(Fit::is_sendable);
            let seen = if ask { self.look(feed.plan.schema, mart, key).await? } else { None };
            let verdict = self.judge(feed.plan.schema, row, fit, seen.as_ref());
            findings.extend(self.take(feed, key, name, verdict, row, seen, &mut differences));
            self.feed().steps.0 += 1;
            self.save_at_times().await?;
        }
        self.restate(feed, findings).await?;
        let audit = self.feed();
        audit.differences.append(&mut differences);
        for (name, _) in &page {
            audit.suspects.remove(name);
        }
        Ok(())
    }

    async fn look(&mut self, schema: &'static Schema, mart: &mut Mart, key: &Key) -> Result<Option<Seen>, AuditError> {
        let held = self.ask(schema, Ask::Record(key)).await?;
        Ok(held.iter().find(|held| held.key == *key).map(|held| {
            let version = mart.read(held);
            Seen { version, fields: mart.fields() }
        }))
    }

    fn judge(&self, schema: &Schema, row: Option<&Again>, fit: Option<&Fit>, seen: Option<&Seen>) -> Verdict {
        let expires = seen.and_then(|seen| seen.version.record.as_ref()).and_then(|held| held.expires);
        let version = row.and_then(|row| row.record.as_ref()).map(|record| record.fingerprint);
        match (row, seen) {
            (None, None) => Verdict::Nothing,
            (None, Some(_)) if self.is_past(expires) => Verdict::Nothing,
            // The row has gone since, or never was this feed's to list: a cycle sees to it.
            (None, Some(_)) if self.line.portal.reading(schema) == Reading::ByKey => Verdict::Nothing,
            (None, Some(_)) => Verdict::Differs(Kind::Foreign, Vec::new()),
            (Some(_), _) if fit.is_some_and(Fit::is_past) => Verdict::Nothing,
            (Some(_), None) if fit.is_some_and(Fit::is_sendable) => Verdict::Differs(Kind::Missing, Vec::new()),
            (Some(_), None) => Verdict::Unsendable,
            (Some(_), Some(seen)) if version == Some(seen.version.fingerprint) => Verdict::Equal,
            (Some(row), Some(seen)) => Verdict::Differs(Kind::Stale, differing(schema, row, seen)),
        }
    }

    /// Counts a verdict; gives what the ledger is to hear of it.
    #[expect(clippy::too_many_arguments, reason = "all that is known of one record, once")]
    fn take(
        &mut self,
        feed: &FeedLine<S>,
        key: &Key,
        name: &str,
        verdict: Verdict,
        row: Option<&Again>,
        seen: Option<Seen>,
        differences: &mut Vec<Difference>,
    ) -> Option<Finding> {
        let wanted = row.and_then(|row| row.record.as_ref()).map(|record| record.fingerprint);
        let held = seen.map(|seen| seen.version);
        let repair = self.progress.order.repair;
        match verdict {
            Verdict::Nothing => None,
            Verdict::Unsendable => {
                self.feed().tally.unsendable += 1;
                None
            }
            Verdict::Equal => {
                let finding = Finding::new(feed, key, held, wanted);
                let tally = &mut self.feed().tally;
                tally.equal += 1;
                tally.unknown += u64::from(finding.is_some());
                tally.adopted += u64::from(finding.is_some() && repair);
                finding.filter(|_| repair)
            }
            Verdict::Differs(kind, fields) => {
                differences.push(Difference { key: name.to_owned(), kind, fields, repaired: false });
                if self.mends(kind) { Finding::new(feed, key, held, wanted) } else { None }
            }
        }
    }
}

/// Names of the fields in which a row and a record differ.
fn differing(schema: &Schema, row: &Again, seen: &Seen) -> Vec<String> {
    let sides = row.fields.iter().zip(&seen.fields);
    let fields = schema.fields.iter().zip(sides).filter(|(_, (row, held))| row != held);
    fields.map(|(field, _)| field.name.to_owned()).collect()
}
