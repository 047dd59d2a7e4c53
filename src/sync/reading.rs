//! Reading: what a cycle asks the source for, how its rows come to the plan, and what a read says of rows that did not come.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use super::contest::{self, Contest, Wants};
use super::cycle::{CycleError, Run, Wanted};
use super::examination::{Examination, Look};
use super::index::{At, Detail, Standing};
use super::line::FeedLine;
use super::plan::Plan;
use super::report::{Live, Stop};
use super::units::Gate;
use super::watermark::Watermark;
use crate::ledger::{Ledger, Refusal, State};
use crate::portal::Portal;
use crate::record::{Encoder, Hold, Key, KeyId, KeyReader, RowChunk, Unit};
use crate::source::{Query, Read, RowStream, Source, Stamp};
use crate::transport::is_due;

/// Shortest time between two attempts at a full scan where changes can be read alone, in seconds.
const FULL_SCAN_PAUSE: i64 = 300;
/// Most records that are read again by their keys in one cycle.
pub(super) const MOST_KEYS: usize = 10_000;

impl<S: Source, P: Portal, L: Ledger> Run<'_, S, P, L> {
    /// What this cycle reads: everything, or what is due by key and what has changed.
    pub(super) async fn reads(&self) -> Result<(Vec<Wanted>, Watermark), CycleError> {
        let plan = &self.feed.plan;
        let progress = self.feed.progress();
        let now = self.line.clock.now();
        let is_over = |last: i64| is_due(last + plan.full_every.as_secs().cast_signed(), now, plan.full_every);
        let full_due = progress.last_full_scan.is_none_or(is_over);
        let Some(column) = &plan.changed_at else {
            return Ok((vec![Wanted::All], Watermark::none()));
        };
        let database_now = plan.source.now().await?;
        let watermark = Watermark::new(column, plan.encode.zone, progress.watermark, database_now);
        let full_due = full_due || self.feed.sweeps().need_full_scan;
        let full = self.order.full || (full_due && self.may_begin_full_scan(now));
        match watermark.since(plan.overlap) {
            Some(since) if !full => {
                let keys = self.due_keys(now);
                let mut reads = Vec::new();
                if !keys.is_empty() && !plan.schema.derived_key.is_empty() {
                    // No query can name keys that its rows may not bring.
                    return Ok((vec![Wanted::All], watermark));
                }
                if !keys.is_empty() {
                    reads.push(Wanted::Keys(keys));
                }
                reads.push(self.changed_since(since, now));
                Ok((reads, watermark))
            }
            _ => Ok((vec![Wanted::All], watermark)),
        }
    }

    /// What has changed is read with all keys when these are due.
    fn changed_since(&self, since: Stamp, now: i64) -> Wanted {
        let mut sweeps = self.feed.sweeps();
        if !self.order.sweep && !sweeps.is_due(now, self.feed.plan.sweep_every) {
            return Wanted::Changed(since);
        }
        sweeps.begin(now);
        Wanted::Swept(since)
    }

    /// A full scan that broke off is not begun again at once: changes are read meanwhile.
    fn may_begin_full_scan(&self, now: i64) -> bool {
        let mut begun = self.feed.full_begun.lock().unwrap_or_else(PoisonError::into_inner);
        let may = begun.is_none_or(|begun| begun + FULL_SCAN_PAUSE <= now || begun > now);
        if may {
            *begun = Some(now);
        }
        may
    }

    /// Records that no read by change time would bring back: released, to be tried again, or put off.
    fn due_keys(&self, now: i64) -> Vec<Key> {
        let parents = self.line.parents_of(self.feed);
        let index = self.feed.index();
        let longest_wait = self.line.settings.longest_wait();
        let has_come = |next: i64| is_due(next, now, longest_wait);
        let rests = |at: At| index.unit_of(at).is_some_and(|unit| self.line.units.rests(unit, now));
        let is_due = |state: State, detail: &Detail| match state {
            State::Rejected => detail.due || detail.next_attempt.is_some_and(has_come),
            State::Pending => detail.due || detail.next_attempt.is_none_or(has_come),
            State::Held | State::Yielded => detail.due,
            State::Accepted | State::Unknown | State::Past | State::Gone => false,
        };
        let mut keys: Vec<Key> = index
            .detailed()
            .filter(|(at, state, detail)| is_due(*state, detail) && !rests(*at))
            .map(|(at, ..)| index.key(at))
            .take(MOST_KEYS)
            .collect();
        let edges: Vec<_> = self.feed.plan.schema.holding_edges().collect();
        let held: Vec<_> = index
            .detailed()
            .filter(|(at, state, detail)| {
                // One that is to be taken away first is read after that.
                let rests = *state == State::Yielded && !index.may_be_at_portal(*at);
                (*state == State::Held || rests) && !detail.due && !index.waits_for_place(*at)
            })
            .map(|(at, ..)| at)
            .collect();
        for at in held.into_iter().take(MOST_KEYS - keys.len()) {
            let named = index.parents(at);
            let ready = edges.iter().zip(&named).all(|(edge, parent)| {
                let feed = parents.iter().find(|feed| feed.plan.schema.feed == edge.feed);
                let Some((feed, parent)) = feed.zip(parent.as_ref()) else { return true };
                match feed.index().standing(parent.id()) {
                    Standing::Accepted(_) => true,
                    Standing::Absent => edge.hold == Hold::AcceptedIfOurs && feed.is_read(),
                    Standing::NotAccepted => false,
                }
            });
            if ready {
                keys.push(index.key(at));
            }
        }
        keys
    }

    pub(super) async fn read(
        &mut self,
        wanted: Wanted,
        watermark: &mut Watermark,
        findings: &mut Vec<Refusal>,
    ) -> Result<(), CycleError> {
        let plan = &self.feed.plan;
        let schema = plan.schema;
        let query = Query { label: schema.feed, sql: &plan.query };
        let key_columns = KeyReader::columns(schema);
        let read = match (&wanted, &plan.changed_at) {
            (Wanted::Keys(keys) | Wanted::Contested(keys) | Wanted::Named(keys), _) => {
                Read::Keys { column: schema.key, keys }
            }
            (Wanted::Changed(since), Some(column)) => Read::Changed { column, since: *since },
            (Wanted::Swept(since), Some(column)) => Read::Swept { column, since: *since, keys: &key_columns },
            _ => Read::All,
        };
        // Before the database's state is fixed: what becomes known from here on is not missed for having no row in it.
        self.feed.index().begin_read();
        let mut rows = plan.source.read(query, read).await?;
        let columns: Vec<&str> = rows.columns().iter().map(|column| column.name.as_str()).collect();
        let encoder = Encoder::bind(schema, &columns, &plan.encode)?;
        watermark.bind(schema.feed, &columns)?;
        let (line, longest_wait) = (self.line, self.line.settings.longest_wait());
        let gate = Gate::new(&line.units, schema.feed, line.clock, self.order.dry_run, longest_wait);
        let mut planned = Plan::new(encoder, self.feed.batch_now(), plan.max_batch_bytes, gate, line.clock.now());
        planned.tells_all = self.order.dry_run;
        planned.wants = matches!(wanted, Wanted::Contested(_)).then(Wants::new);
        planned.abilities = self.feed.abilities;
        planned.counted = std::mem::take(&mut self.by_key);
        if matches!(schema.unit, Unit::FieldIfOurs(_)) {
            planned.own_units = line.own_units();
        }
        let examination = if self.feed.abilities.examines {
            let line = Arc::clone(self.line);
            let look: Look = Arc::new(move |body| line.portal.examine(schema, body));
            Some(Examination::new(Encoder::bind(schema, &columns, &plan.encode)?, look))
        } else {
            None
        };
        let swept = if matches!(wanted, Wanted::Swept(_)) { self.sweep(&mut rows).await? } else { None };
        let scanned = self.scan(&mut rows, watermark, &mut planned, examination).await;
        drop(rows);
        if scanned.is_ok() {
            planned.close_filling();
        } else {
            planned.give_back(&mut self.feed.index());
        }
        // Whatever ended the scan: what is noted in the index is also written down.
        self.flush(&mut planned, true).await?;
        if scanned.is_ok() && self.report.stop.is_none() {
            self.note_gone(&wanted, planned.report.rows);
            if let Some(swept) = swept {
                self.take_swept(swept);
            }
            self.look_again_at_faults(&mut planned);
        }
        if matches!(wanted, Wanted::Contested(_)) {
            // They were counted when they were read first.
            (planned.report.rows, planned.report.unchanged) = (0, 0);
        }
        self.add(&planned.report);
        findings.append(&mut planned.findings);
        self.contested.append(&mut planned.contested);
        self.wants = planned.wants.take().unwrap_or_default();
        scanned
    }

    /// Where only a version of unknown outcome may hold a place that two rows claimed, or the row of the one that holds it claims another by
    /// now and waits for that, both rows are asked again.
    fn look_again_at_faults(&self, planned: &mut Plan) {
        let index = self.feed.index();
        let faults = std::mem::take(&mut planned.faults);
        let waits: BTreeSet<&Key> = planned.contested.iter().map(|contest| &contest.key).collect();
        let is_again = |fault: &Contest| waits.contains(&fault.holder) || contest::may_be_over(fault, &index);
        let again: Vec<_> = faults.into_iter().filter(is_again).collect();
        let gives_way =
            |fault: &&Contest| index.find(fault.key.id()).is_some_and(|at| index.state(at) == State::Yielded);
        let yielded = again.iter().filter(gives_way).count() as u64;
        // Some of them may be counted by another read.
        planned.report.yielded = planned.report.yielded.saturating_sub(yielded);
        planned.report.invalid = planned.report.invalid.saturating_sub(again.len() as u64 - yielded);
        planned.report.held += again.len() as u64;
        planned.contested.extend(again);
    }

    /// Notes which records a read should have seen and did not. Keys of which no row at all comes back say nothing: a view that has lost
    /// its rows looks like that.
    fn note_gone(&mut self, wanted: &Wanted, rows: u64) {
        let index = self.feed.index();
        self.gone.retain(|id| index.find(*id).is_some_and(|at| index.is_unseen(at)));
        // A row that was read again is decided on anew.
        self.giving_way.retain(|id, _| index.find(*id).is_some_and(|at| index.is_unseen(at)));
        match wanted {
            Wanted::All => self.gone = index.unseen(),
            Wanted::Keys(keys) if rows > 0 => {
                let unseen = |id: &KeyId| index.find(*id).is_some_and(|at| index.is_unseen(at));
                let (gone, seen): (Vec<_>, Vec<_>) = keys.iter().map(Key::id).partition(unseen);
                self.gone.extend(gone);
                self.by_key.extend(seen);
            }
            Wanted::Keys(_) | Wanted::Changed(_) | Wanted::Swept(_) | Wanted::Contested(_) | Wanted::Named(_) => {}
        }
    }

    /// Reads to the end, or until the cycle is to stop.
    async fn scan(
        &mut self,
        rows: &mut S::Rows,
        watermark: &mut Watermark,
        planned: &mut Plan,
        mut examination: Option<Examination>,
    ) -> Result<(), CycleError> {
        let parents = self.line.parents_of(self.feed);
        let mut chunk = RowChunk::default();
        while self.report.stop.is_none() {
            let more = tokio::select! {
                biased;
                () = self.line.stopping.cancelled() => {
                    self.report.stop = Some(Stop::Stopping);
                    break;
                }
                more = rows.next(&mut chunk) => more?,
            };
            if !more {
                planned.take_late(self.feed, &parents);
                break;
            }
            watermark.take(&chunk);
            match examination.take() {
                None => planned.take_chunk(self.feed, &parents, &chunk),
                Some(begun) => examination = self.take_examined(begun, planned, &parents, &mut chunk).await?,
            }
            Live::add(&self.feed.live.rows, chunk.len() as u64);
            self.flush(planned, false).await?;
        }
        Ok(())
    }

    /// Plans the rows of a chunk as they are examined; gives the examination back unless the cycle is to stop.
    async fn take_examined(
        &mut self,
        mut examination: Examination,
        planned: &mut Plan,
        parents: &[&FeedLine<S>],
        chunk: &mut RowChunk,
    ) -> Result<Option<Examination>, CycleError> {
        let mut next = 0;
        while next < chunk.len() {
            let (back, rows, examined) = tokio::select! {
                biased;
                // A look that hangs on a dead disk is left behind.
                () = self.line.stopping.cancelled() => {
                    self.report.stop = Some(Stop::Stopping);
                    return Ok(None);
                }
                done = examination.rows(std::mem::take(chunk), next) => done.map_err(CycleError::Examination)?,
            };
            (examination, *chunk) = (back, rows);
            let done = next..next + examined.len();
            next = done.end;
            planned.take_rows(self.feed, parents, chunk, done, examined);
        }
        Ok(Some(examination))
    }
}
