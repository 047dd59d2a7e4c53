//! Fitness: whether the engine would send a row at all. What waits for a parent that cannot come is not missing at the portal.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::BoxFuture;

use super::rows::Again;
use super::walk::is_refused;
use super::{AuditError, Auditor};
use crate::ledger::Ledger;
use crate::portal::Portal;
use crate::record::{Edge, Expiry, Hold, Key, Record, Schema};
use crate::source::Source;
use crate::sync::index::Standing;
use crate::sync::line::FeedLine;

/// Rows that are read again by key at a time.
const PAGE: usize = 1000;

/// Whether a row would be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// As soon as its parents are there.
    Sendable,
    /// Nobody asks for it any more.
    Past,
    /// Not before something else is mended.
    Unsendable,
}

/// What is known of a row that may have to be sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fit {
    how: How,
    expires: Option<i64>,
    status: Option<u8>,
}

/// Rows of the parents' feeds, by feed.
type Parents = BTreeMap<&'static str, BTreeMap<Key, Fit>>;

impl Fit {
    pub(super) fn is_sendable(&self) -> bool {
        self.how == How::Sendable
    }

    pub(super) fn is_unsendable(&self) -> bool {
        self.how == How::Unsendable
    }

    pub(super) fn is_past(&self) -> bool {
        self.how == How::Past
    }
}

impl<S: Source, P: Portal, L: Ledger> Auditor<'_, S, P, L> {
    /// Judges rows that were read again. Parents that the ledger does not know as accepted are looked up in their own source.
    pub(super) fn fits<'f>(
        &'f self,
        feed: &'f FeedLine<S>,
        rows: &'f BTreeMap<Key, Again>,
    ) -> BoxFuture<'f, Result<BTreeMap<Key, Fit>, AuditError>> {
        Box::pin(async move {
            let schema = feed.plan.schema;
            let mut parents = Parents::new();
            for (name, keys) in self.unsettled_parents(schema, rows) {
                let Some(parent) = self.line.feeds.get(name) else { continue };
                let keys: Vec<Key> = keys.into_iter().collect();
                for page in keys.chunks(PAGE) {
                    let again = self.rows_again(parent, page).await?;
                    let fits = self.fits(parent, &again).await?;
                    parents.entry(name).or_default().extend(fits);
                }
            }
            let fit = |(key, again): (&Key, &Again)| {
                let fit = match &again.record {
                    Some(record) => self.fit(feed, record, &parents),
                    None => Fit { how: How::Unsendable, expires: None, status: None },
                };
                (key.clone(), fit)
            };
            Ok(rows.iter().map(fit).collect())
        })
    }

    /// Parents of these rows that the ledger does not know as accepted, by feed.
    fn unsettled_parents(
        &self,
        schema: &'static Schema,
        rows: &BTreeMap<Key, Again>,
    ) -> BTreeMap<&'static str, BTreeSet<Key>> {
        let mut unsettled: BTreeMap<&'static str, BTreeSet<Key>> = BTreeMap::new();
        for record in rows.values().filter_map(|again| again.record.as_ref()) {
            for (edge, key) in schema.holding_edges().zip(&record.parents) {
                let (Some(parent), Some(key)) = (self.line.feeds.get(edge.feed), key) else { continue };
                if !matches!(parent.index().standing(key.id()), Standing::Accepted(_)) {
                    unsettled.entry(edge.feed).or_default().insert(key.clone());
                }
            }
        }
        unsettled
    }

    fn fit(&self, feed: &FeedLine<S>, record: &Record, parents: &Parents) -> Fit {
        let schema = feed.plan.schema;
        let mut fit = Fit { how: How::Sendable, expires: record.expires, status: record.status };
        for (at, edge) in schema.holding_edges().enumerate() {
            let Some(key) = record.parents.get(at).and_then(Option::as_ref) else { continue };
            let Some(parent) = self.line.feeds.get(edge.feed) else { continue };
            let of_parent = parents.get(edge.feed).and_then(|rows| rows.get(key));
            if matches!(schema.expires, Expiry::WithParent(field) if field == edge.field) {
                fit.expires = of_parent.and_then(|row| row.expires).or_else(|| parent.index().expires(key.id()));
            }
            let needs_status = record.needs_status.get(at) == Some(&true);
            if !self.parent_serves(parent, edge, key, needs_status, of_parent) {
                fit.how = How::Unsendable;
            }
        }
        if is_refused(feed, &record.key, record.fingerprint) {
            fit.how = How::Unsendable;
        }
        if self.is_past(fit.expires) {
            fit.how = How::Past;
        }
        fit
    }

    fn parent_serves(
        &self,
        parent: &FeedLine<S>,
        edge: &Edge,
        key: &Key,
        needs_status: bool,
        row: Option<&Fit>,
    ) -> bool {
        let wanted = match edge.hold {
            Hold::AcceptedAs { status, .. } if needs_status => parent.plan.schema.status_number(status),
            Hold::AcceptedAs { .. } | Hold::Accepted | Hold::AcceptedIfOurs | Hold::OrderOnly => None,
        };
        let has = |status: Option<u8>| wanted.is_none() || status == wanted;
        let standing = parent.index().standing(key.id());
        match (standing, row) {
            (Standing::Accepted(status), _) => has(status),
            (Standing::Absent, _) if edge.hold == Hold::AcceptedIfOurs => true,
            (Standing::Absent | Standing::NotAccepted, None) => false,
            (Standing::Absent | Standing::NotAccepted, Some(row)) => row.is_sendable() && has(row.status),
        }
    }
}
