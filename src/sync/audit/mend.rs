//! Mending: the ledger is made to say what the portal holds; then ordinary full cycles, with all their protections, do the rest.

use std::collections::BTreeSet;

use super::{AuditError, Auditor, FeedAudit, Kind, SAVE_EVERY, Stage};
use crate::ledger::{Entry, Ledger, Settlement, State};
use crate::portal::Portal;
use crate::record::{Expiry, Fingerprint, Key, KeyId, Receipt, Record, Unit};
use crate::source::Source;
use crate::sync::cycle::Order;
use crate::sync::exchange::Told;
use crate::sync::index::Index;
use crate::sync::line::FeedLine;
use crate::sync::mart::Version;
use crate::sync::report::Stop;

/// Most rounds of cycles: what is left then, ordinary cycles go on with.
const MOST_ROUNDS: usize = 100;

/// What the portal holds of a record and what the source wants it to hold, where the ledger says otherwise.
pub(super) struct Finding {
    key: Key,
    held: Option<Version>,
    wanted: Option<Fingerprint>,
    /// What the ledger took for accepted when this was found.
    before: Option<Fingerprint>,
    /// What the portal gives back for it, where it keeps a register.
    receipt: Option<Receipt>,
}

impl Finding {
    /// None when the ledger says just that, or the record is on its way at this moment.
    pub(super) fn new<S: Source>(
        feed: &FeedLine<S>,
        key: &Key,
        held: Option<Version>,
        wanted: Option<Fingerprint>,
    ) -> Option<Self> {
        let index = feed.index();
        let known = index.find(key.id());
        let version = held.as_ref().map(|held| held.fingerprint);
        let before = known.and_then(|at| index.accepted(at));
        let settled = match (known, version) {
            (Some(at), _) if index.in_flight(at) => true,
            (Some(at), Some(version)) if wanted == Some(version) => index.holds(at, version),
            // A record that is to go stays what it is: held in this version, or already on its way out.
            (Some(_), Some(version)) => wanted.is_none() && before == Some(version),
            (_, None) | (None, Some(_)) => false,
        };
        (!settled).then(|| Finding { key: key.clone(), held, wanted, before, receipt: None })
    }

    /// The same with what the portal gives back for the record.
    pub(super) fn with(self, receipt: Receipt) -> Self {
        Finding { receipt: Some(receipt), ..self }
    }

    /// The record as the ledger is to have it.
    fn entry(&self, index: &Index, unit: Option<Key>, expires: Option<i64>) -> Entry {
        let known = index.find(self.key.id());
        let mut entry = known.map_or_else(|| Entry::new(self.key.clone()), |at| index.entry(at));
        let refused = entry.state == State::Rejected && entry.wanted.is_some() && entry.wanted == self.wanted;
        entry.accepted = self.held.as_ref().map(|held| held.fingerprint);
        entry.mark = None;
        let carried = self.held.as_ref().and_then(|held| held.record.as_ref());
        entry.status = carried.and_then(|record| record.status);
        entry.place = carried.and_then(|record| record.place);
        if let Some(record) = carried {
            entry.parents = record.parents.clone();
            entry.unit = unit;
            entry.expires = expires;
        }
        let as_wanted = self.wanted.is_none() || self.wanted == entry.accepted;
        let rests = refused || (entry.state == State::Yielded && entry.accepted.is_none());
        if as_wanted || !rests {
            entry.state = if as_wanted { State::Accepted } else { State::Pending };
            entry.wanted = self.wanted.filter(|_| !as_wanted);
            entry.attempts = 0;
            entry.next_attempt = None;
        }
        entry
    }
}

impl<S: Source, P: Portal, L: Ledger> Auditor<'_, S, P, L> {
    /// Makes the ledger say what was found. No cycle of the feed runs meanwhile; what one has changed since is left to it.
    pub(super) async fn restate(&self, feed: &FeedLine<S>, findings: Vec<Finding>) -> Result<(), AuditError> {
        if findings.is_empty() {
            return Ok(());
        }
        let _no_cycle = feed.cycle.lock().await;
        let now = self.line.clock.now();
        let mut settlement = Settlement::default();
        for finding in findings {
            // Parents first: an index is locked before those of its parents, never after.
            let carried = finding.held.as_ref().and_then(|held| held.record.as_ref());
            let (unit, expires) = (self.unit_of(feed, carried), self.expiry_of(feed, carried));
            let mut index = feed.index();
            let known = index.find(finding.key.id());
            let moved = known.is_some_and(|at| index.in_flight(at) || index.accepted(at) != finding.before);
            if moved {
                continue;
            }
            let entry = finding.entry(&index, unit, expires);
            let at = index.put(&entry, now);
            if entry.state == State::Pending {
                index.make_due(at);
            }
            if entry.state != State::Rejected {
                settlement.cleared.push(entry.key.clone());
            }
            if let (Some(receipt), Some(mut register)) = (finding.receipt, feed.register()) {
                let told = Told { receipt: Some(receipt), code: None, is_news: true, sent: None };
                settlement.exchanged.push(register.state(&entry, told, now, now));
            }
            settlement.entries.push(entry);
        }
        settlement.counts = Some(feed.counts());
        Ok(self.line.ledger.settle(feed.id, settlement).await?)
    }

    fn unit_of(&self, feed: &FeedLine<S>, record: Option<&Record>) -> Option<Key> {
        match feed.plan.schema.unit {
            Unit::OfParent(field) => self.of_parent(feed, record?, field, |index, id| index.unit(index.find(id)?)),
            Unit::FieldIfOurs(_) => record?.unit.clone().filter(|unit| self.line.is_own_unit(unit)),
            Unit::Itself | Unit::Field(_) | Unit::None => record?.unit.clone(),
        }
    }

    fn expiry_of(&self, feed: &FeedLine<S>, record: Option<&Record>) -> Option<i64> {
        match feed.plan.schema.expires {
            Expiry::WithParent(field) => self.of_parent(feed, record?, field, Index::expires),
            Expiry::At(_) | Expiry::Never => record?.expires,
        }
    }

    fn of_parent<T>(
        &self,
        feed: &FeedLine<S>,
        record: &Record,
        field: &str,
        ask: impl Fn(&Index, KeyId) -> Option<T>,
    ) -> Option<T> {
        let (edge, key) =
            feed.plan.schema.holding_edges().zip(&record.parents).find(|(edge, _)| edge.field == field)?;
        ask(&self.line.feeds.get(edge.feed)?.index(), key.as_ref()?.id())
    }

    /// Runs a full cycle of each feed that differs, parents first, then those that these ask for, and sees what came of it.
    pub(super) async fn mend(&mut self) -> Result<(), AuditError> {
        let line = self.line;
        // Where a second request makes a second record, an audit sends nothing: what is missing, ordinary cycles send.
        let repeatable = |name: &str| line.feeds.get(name).is_some_and(|feed| feed.abilities.idempotent);
        let differs = |feed: &&FeedAudit| feed.stage == Stage::Compared && feed.left() > 0 && repeatable(&feed.feed);
        let feeds = self.progress.feeds.iter().filter(differs).map(|feed| feed.feed.clone());
        let mut todo: BTreeSet<String> = feeds.collect();
        for round in 0..MOST_ROUNDS {
            let mut next = BTreeSet::new();
            for feed in line.feeds().into_iter().map(|feed| feed.plan.schema.feed) {
                if todo.contains(feed) {
                    let released = self.cycle(feed, round == 0).await?;
                    next.extend(released.into_iter().map(str::to_owned));
                }
            }
            todo = next;
            if todo.is_empty() {
                break;
            }
        }
        for at in 0..self.progress.feeds.len() {
            self.at = at;
            let name = self.feed().feed.clone();
            if let Some(feed) = line.feeds.get(name.as_str()).filter(|_| repeatable(&name)) {
                self.see_what_is_mended(feed);
            }
        }
        self.save().await
    }

    /// Runs a cycle; gives the feeds that have work after it. Where the daemon runs others meanwhile, long removals go slice by slice.
    async fn cycle(&mut self, feed: &'static str, full: bool) -> Result<BTreeSet<&'static str>, AuditError> {
        self.wait_for_portal().await?;
        let line = self.line;
        let order = Order { full, whole: !self.progress.order.by_daemon, ..Order::default() };
        let mut cycle = Box::pin(line.cycle(feed, order));
        let report = loop {
            // Whoever follows the audit sees that it lives.
            match tokio::time::timeout(SAVE_EVERY, &mut cycle).await {
                Ok(report) => break report?,
                Err(_) => self.save().await?,
            }
        };
        if report.stop == Some(Stop::Stopping) { Err(AuditError::Stopped) } else { Ok(report.released) }
    }

    fn see_what_is_mended(&mut self, feed: &FeedLine<S>) {
        let index = feed.index();
        let pending = index.counts().pending;
        let keep_foreign = self.progress.order.keep_foreign;
        let audit = self.feed();
        for difference in &mut audit.differences {
            let known = index.find(Key::parse(&difference.key).id());
            difference.repaired = match difference.kind {
                Kind::Foreign => known.is_none() && !keep_foreign,
                Kind::Missing | Kind::Stale => known.is_some_and(|at| {
                    index.state(at) == State::Accepted && index.detail(at).is_none_or(|detail| detail.mark.is_none())
                }),
            };
        }
        let unlisted = audit.tally.unlisted.iter().sum::<u64>();
        audit.tally.mended = unlisted.saturating_sub(pending);
    }
}
