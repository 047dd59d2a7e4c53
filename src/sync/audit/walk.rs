//! Reading a feed back: everything at once, parent by parent, or record by record, and comparing as it comes.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::mend::Finding;
use super::progress::{MOST_LISTED, named};
use super::rows::{Row, Rows};
use super::{AuditError, Auditor, Kind, Stage};
use crate::ledger::{Ledger, State};
use crate::portal::{Ask, Held, Portal, Reading};
use crate::record::{Fingerprint, Hold, Key, Schema, VisitTimeZone, Zone};
use crate::source::Source;
use crate::sync::line::FeedLine;
use crate::sync::mart::{Mart, Version};

/// Seconds of a day.
const DAY: i64 = 86_400;
/// Days of one request.
const WINDOW: i64 = 60;
/// Spans of days that are read whatever the source has there: what only the portal has is found within them.
const HORIZON: i64 = 3;
/// Most spans of days that are read of one parent; what is later is looked at by its key.
const MOST_WINDOWS: usize = 24;
/// Rows that are read again by key at a time.
const PAGE: usize = 500;

/// Which records of a feed the portal lists children under.
#[derive(Clone, Copy)]
struct Listing {
    /// Only those of this status.
    status: Option<u8>,
}

/// A feed while it is read back.
struct Reader<'f, S> {
    feed: &'f FeedLine<S>,
    rows: &'f Rows,
    mart: Mart,
    listing: Option<Listing>,
    /// Records that children are to be listed under.
    walked: BTreeSet<Key>,
    /// What the ledger is to hear.
    findings: Vec<Finding>,
}

impl<S> Reader<'_, S> {
    fn walk(&mut self, key: &Key, status: Option<u8>) {
        if self.listing.is_some_and(|listing| listing.status.is_none_or(|wanted| status == Some(wanted))) {
            self.walked.insert(key.clone());
        }
    }
}

impl<S: Source, P: Portal, L: Ledger> Auditor<'_, S, P, L> {
    /// Reads a feed back and notes what seems to differ. `after` is where an interrupted audit got to.
    pub(super) async fn read_back(&mut self, feed: &FeedLine<S>, after: Option<&str>) -> Result<(), AuditError> {
        let schema = feed.plan.schema;
        let reading = self.line.portal.reading(schema);
        if let Reading::Register(likeness) = reading {
            return self.read_register(feed, likeness).await;
        }
        let rows = self.all_rows(feed, listing_edge(schema, reading)).await?;
        let mart = Mart::new(schema, &feed.plan.encode)?;
        let listing = self.listing(schema);
        let walked = BTreeSet::new();
        let mut reader = Reader { feed, rows: &rows, mart, listing, walked, findings: Vec::new() };
        for row in rows.iter().filter(|row| row.version().is_some() && !self.is_past(row.expires())) {
            reader.walk(&row.key, row.status);
        }
        let after = after.map(named);
        let read = match reading {
            Reading::Unsupported | Reading::Register(_) => Ok(()),
            Reading::Whole => self.read_whole(&mut reader).await,
            Reading::ByKey => self.read_each(&mut reader, after.as_ref()).await,
            Reading::OfParent { feed: parent, dated } => {
                self.read_children(&mut reader, parent, dated, after.as_ref()).await
            }
        };
        let denied = match read {
            Ok(()) => None,
            // Its children can be listed all the same, under the records that the source has.
            Err(denied @ AuditError::Denied { .. }) => Some(denied),
            Err(error) => return Err(error),
        };
        self.tell(&mut reader).await?;
        if listing.is_some() && (after.is_none() || denied.is_some()) {
            self.walked.insert(schema.feed, reader.walked);
        }
        if let Some(denied) = denied {
            return Err(denied);
        }
        self.feed().stage = Stage::Confirming;
        self.save().await
    }

    async fn read_whole(&mut self, reader: &mut Reader<'_, S>) -> Result<(), AuditError> {
        let held = self.ask(reader.feed.plan.schema, Ask::Whole).await?;
        let all: Vec<&Row> = reader.rows.iter().collect();
        self.compare(reader, &all, &held);
        Ok(())
    }

    async fn read_each(&mut self, reader: &mut Reader<'_, S>, after: Option<&Key>) -> Result<(), AuditError> {
        let rows = reader.rows;
        self.feed().steps = (0, rows.iter().len() as u64);
        for row in rows.iter() {
            self.feed().steps.0 += 1;
            if after.is_some_and(|after| row.key <= *after) || self.is_past(row.expires()) {
                continue;
            }
            let held = self.ask(reader.feed.plan.schema, Ask::Record(&row.key)).await?;
            self.compare(reader, &[row], &held);
            self.done_with(reader, &row.key).await?;
        }
        Ok(())
    }

    async fn read_children(
        &mut self,
        reader: &mut Reader<'_, S>,
        parent: &'static str,
        dated: bool,
        after: Option<&Key>,
    ) -> Result<(), AuditError> {
        let parents = self.known(parent).await?;
        let mut groups = reader.rows.by_parent();
        let windows = self.windows(reader.feed, reader.rows, dated);
        self.feed().steps = (0, parents.len() as u64);
        for parent in &parents {
            self.feed().steps.0 += 1;
            let group = groups.remove(&Some(parent)).unwrap_or_default();
            if after.is_some_and(|after| parent <= after) {
                continue;
            }
            let held = self.children(reader.feed.plan.schema, parent, &windows).await?;
            self.compare(reader, &group, &held);
            self.done_with(reader, parent).await?;
        }
        let rest: Vec<&Row> = groups.into_values().flatten().filter(|row| !self.is_past(row.expires())).collect();
        self.compare_unlisted(reader, parent, &rest).await
    }

    /// A step is done: what it found is written before it is not looked at again.
    async fn done_with(&mut self, reader: &mut Reader<'_, S>, key: &Key) -> Result<(), AuditError> {
        self.tell(reader).await?;
        self.feed().stage = Stage::Reading { after: Some(key.to_string()) };
        self.save_at_times().await
    }

    async fn tell(&mut self, reader: &mut Reader<'_, S>) -> Result<(), AuditError> {
        let findings = std::mem::take(&mut reader.findings);
        self.restate(reader.feed, findings).await
    }

    /// Rows whose parent is neither at the portal nor a sound row of the source, or is none that children are listed under.
    async fn compare_unlisted(
        &mut self,
        reader: &mut Reader<'_, S>,
        parent: &str,
        rest: &[&Row],
    ) -> Result<(), AuditError> {
        let parent = self.line.feeds.get(parent).and_then(|parent| self.listing(parent.plan.schema));
        if parent.is_some_and(|listing| listing.status.is_some()) {
            self.feed().tally.unchecked += rest.len() as u64;
            return Ok(());
        }
        for page in rest.chunks(PAGE) {
            let keys: Vec<Key> = page.iter().map(|row| row.key.clone()).collect();
            let rows = self.rows_again(reader.feed, &keys).await?;
            let fits = self.fits(reader.feed, &rows).await?;
            let may_be_missing: Vec<&Row> =
                page.iter().copied().filter(|row| fits.get(&row.key).is_some_and(|fit| fit.is_sendable())).collect();
            let unsendable = fits.values().filter(|fit| fit.is_unsendable()).count();
            self.feed().tally.unsendable += unsendable as u64;
            self.compare(reader, &may_be_missing, &[]);
        }
        Ok(())
    }

    /// Compares rows with what the portal holds of them.
    fn compare(&mut self, reader: &mut Reader<'_, S>, group: &[&Row], held: &[Held]) {
        let mut seen = BTreeSet::new();
        for record in held.iter().filter(|record| seen.insert(&record.key)) {
            let version = reader.mart.read(record);
            let carried = version.record.as_ref();
            let (expires, status) = (carried.and_then(|held| held.expires), carried.and_then(|held| held.status));
            if !self.is_past(expires) {
                reader.walk(&record.key, status);
            }
            match reader.rows.find(&record.key) {
                Some(row) if self.is_past(row.expires()) => {}
                Some(row) if row.version() == Some(version.fingerprint) => self.equal(reader, &record.key, version),
                Some(row) => self.suspect(reader, &record.key, Kind::Stale, row.version(), Some(version)),
                None if self.is_past(expires) => {}
                None => self.suspect(reader, &record.key, Kind::Foreign, None, Some(version)),
            }
        }
        for row in group.iter().filter(|row| !seen.contains(&row.key)) {
            match row.version() {
                _ if self.is_past(row.expires()) => {}
                Some(version) if !is_refused(reader.feed, &row.key, version) => {
                    self.suspect(reader, &row.key, Kind::Missing, Some(version), None);
                }
                Some(_) | None => self.feed().tally.unsendable += 1,
            }
        }
    }

    fn equal(&mut self, reader: &mut Reader<'_, S>, key: &Key, version: Version) {
        let repair = self.progress.order.repair;
        let tally = &mut self.feed().tally;
        tally.equal += 1;
        let wanted = version.fingerprint;
        if let Some(finding) = Finding::new(reader.feed, key, Some(version), Some(wanted)) {
            tally.unknown += 1;
            if repair {
                tally.adopted += 1;
                reader.findings.push(finding);
            }
        }
    }

    /// Lists a record to be looked at again. When the list is full it is only counted, and the ledger hears of it at once: cycles decide.
    fn suspect(
        &mut self,
        reader: &mut Reader<'_, S>,
        key: &Key,
        kind: Kind,
        wanted: Option<Fingerprint>,
        held: Option<Version>,
    ) {
        if self.progress.listed() < MOST_LISTED {
            self.feed().suspects.insert(key.to_string(), kind);
            return;
        }
        self.feed().tally.unlisted[kind as usize] += 1;
        if self.mends(kind) {
            reader.findings.extend(Finding::new(reader.feed, key, held, wanted));
        }
    }

    /// The records of a feed that children are to be listed under: those that the source or the portal has.
    fn known<'k>(
        &'k mut self,
        feed: &'static str,
    ) -> futures_util::future::BoxFuture<'k, Result<BTreeSet<Key>, AuditError>> {
        Box::pin(async move {
            if let Some(walked) = self.walked.remove(feed) {
                return Ok(walked);
            }
            let line = self.line;
            let schema = line.portal.schemas().iter().copied().find(|schema| schema.feed == feed);
            let (Some(schema), Some(feed)) = (schema, line.feeds.get(feed)) else { return Ok(BTreeSet::new()) };
            let reading = line.portal.reading(schema);
            let rows = self.all_rows(feed, listing_edge(schema, reading)).await?;
            let mart = Mart::new(schema, &feed.plan.encode)?;
            let listing = self.listing(schema);
            let walked = BTreeSet::new();
            let mut reader = Reader { feed, rows: &rows, mart, listing, walked, findings: Vec::new() };
            for row in rows.iter().filter(|row| row.version().is_some() && !self.is_past(row.expires())) {
                reader.walk(&row.key, row.status);
            }
            match self.meet_all(&mut reader, reading).await {
                // What the source has is known all the same.
                Ok(()) | Err(AuditError::Denied { .. }) => Ok(reader.walked),
                Err(error) => Err(error),
            }
        })
    }

    async fn meet_all(&mut self, reader: &mut Reader<'_, S>, reading: Reading) -> Result<(), AuditError> {
        let schema = reader.feed.plan.schema;
        match reading {
            Reading::Unsupported | Reading::ByKey | Reading::Register(_) => {}
            Reading::Whole => {
                let held = self.ask(schema, Ask::Whole).await?;
                self.meet(reader, &held);
            }
            Reading::OfParent { feed: parent, dated } => {
                let windows = self.windows(reader.feed, reader.rows, dated);
                for parent in &self.known(parent).await? {
                    let held = self.children(schema, parent, &windows).await?;
                    self.meet(reader, &held);
                    self.save_at_times().await?;
                }
            }
        }
        Ok(())
    }

    fn meet(&self, reader: &mut Reader<'_, S>, held: &[Held]) {
        for record in held {
            if let Some(carried) = reader.mart.read(record).record.filter(|carried| !self.is_past(carried.expires)) {
                reader.walk(&record.key, carried.status);
            }
        }
    }

    /// Reads the children of a record, span by span where days are asked for.
    async fn children(
        &mut self,
        schema: &'static Schema,
        parent: &Key,
        windows: &[Option<(NaiveDate, NaiveDate)>],
    ) -> Result<Vec<Held>, AuditError> {
        let mut held = Vec::new();
        for days in windows {
            held.append(&mut self.ask(schema, Ask::ChildrenOf { parent, days: *days }).await?);
        }
        Ok(held)
    }

    /// The spans of days to ask for: those from today to the horizon, and those later ones in which the source has visits.
    fn windows(&self, feed: &FeedLine<S>, rows: &Rows, dated: bool) -> Vec<Option<(NaiveDate, NaiveDate)>> {
        if !dated {
            return vec![None];
        }
        let settings = &feed.plan.encode;
        // Days are those of the clock on which visits are written.
        let mut clock = match settings.visit_time_zone {
            VisitTimeZone::Source | VisitTimeZone::Offset => Zone::new(settings.zone),
            VisitTimeZone::Utc => Zone::new(Tz::UTC),
        };
        let mut day = |moment: i64| clock.local(moment).div_euclid(DAY);
        let today = day(self.line.clock.now());
        let ahead = rows.iter().filter_map(Row::expires).map(|visit| day(visit) - today).filter(|days| *days >= 0);
        let windows: BTreeSet<i64> = ahead.map(|days| days / WINDOW).chain(0..HORIZON).collect();
        let span = |window: i64| {
            let first = today + window * WINDOW;
            Some(Some((date(first)?, date(first + WINDOW - 1)?)))
        };
        windows.into_iter().take(MOST_WINDOWS).filter_map(span).collect()
    }

    /// Under which records of a feed another feed is listed; none when no feed is, or none that is still to be audited.
    fn listing(&self, schema: &'static Schema) -> Option<Listing> {
        let portal = &self.line.portal;
        let lists = |child: &&&Schema| listed_by(portal.reading(child)) == Some(schema.feed);
        let child = portal.schemas().iter().find(lists)?;
        let edge = child.holding_edges().find(|edge| edge.feed == schema.feed)?;
        let status = match edge.hold {
            Hold::AcceptedAs { status, .. } if !self.progress.order.deep => schema.status_number(status),
            Hold::AcceptedAs { .. } | Hold::Accepted | Hold::AcceptedIfOurs | Hold::OrderOnly => None,
        };
        Some(Listing { status })
    }

    /// True when a difference of this kind is to be mended.
    pub(super) fn mends(&self, kind: Kind) -> bool {
        let order = &self.progress.order;
        order.repair && (kind != Kind::Foreign || !order.keep_foreign)
    }
}

fn listed_by(reading: Reading) -> Option<&'static str> {
    match reading {
        Reading::OfParent { feed, .. } => Some(feed),
        Reading::Unsupported | Reading::ByKey | Reading::Whole | Reading::Register(_) => None,
    }
}

/// The holding edge whose parent the portal lists records of a feed under.
fn listing_edge(schema: &'static Schema, reading: Reading) -> Option<usize> {
    let parent = listed_by(reading)?;
    schema.holding_edges().position(|edge| edge.feed == parent)
}

/// True when the portal, or a check, has refused this very version.
pub(super) fn is_refused<S: Source>(feed: &FeedLine<S>, key: &Key, version: Fingerprint) -> bool {
    let index = feed.index();
    index.find(key.id()).is_some_and(|at| {
        let wanted = index.detail(at).and_then(|detail| detail.wanted);
        // What gives way is not to be there either.
        index.state(at) == State::Yielded || (index.state(at) == State::Rejected && wanted == Some(version))
    })
}

/// The date of a day since 1970-01-01.
fn date(day: i64) -> Option<NaiveDate> {
    chrono::DateTime::from_timestamp(day.checked_mul(DAY)?, 0).map(|midnight| midnight.date_naive())
}
