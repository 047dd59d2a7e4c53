//! Sending: what the plan has ready goes out as soon as there is a place in flight, and what came of it is counted.

use std::sync::{Arc, PoisonError};

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::cycle::{CycleError, Run};
use super::line::Written;
use super::outgoing::Outgoing;
use super::plan::Plan;
use super::report::{Live, Stop};
use super::settle::Settled;
use crate::ledger::{Counts, Ledger, Refusal, Settlement};
use crate::portal::Portal;
use crate::source::Source;

/// Notes are written down when this many have gathered.
const NOTES: usize = 1000;

impl<S: Source, P: Portal, L: Ledger> Run<'_, S, P, L> {
    /// Sends the requests that are full and writes the notes that have gathered.
    pub(super) async fn flush(&mut self, planned: &mut Plan, last: bool) -> Result<(), CycleError> {
        for outgoing in std::mem::take(&mut planned.full) {
            self.dispatch(outgoing).await?;
        }
        if planned.notes.entries.len() >= NOTES || (last && !planned.notes.entries.is_empty()) {
            let mut notes = std::mem::take(&mut planned.notes);
            {
                let index = self.feed.index();
                index.bring_up_to_date(&mut notes.entries);
                notes.counts = Some(index.counts());
            }
            self.write(notes).await?;
        }
        Ok(())
    }

    pub(super) async fn write(&mut self, settlement: Settlement) -> Result<(), CycleError> {
        if self.order.dry_run {
            self.report.refusals.extend(settlement.refused);
            self.report.refusals.extend(settlement.findings.into_iter().flatten());
            return Ok(());
        }
        self.line.ledger.settle(self.feed.id, settlement).await?;
        Ok(())
    }

    /// Writes the end of a cycle, unless the ledger has just that already: most cycles find nothing new.
    pub(super) async fn write_if_new(&mut self, settlement: Settlement, counts: Counts) -> Result<(), CycleError> {
        let name = |finding: &Refusal| (finding.key.clone(), finding.code.clone());
        let same = {
            let mut written = self.feed.written.lock().unwrap_or_else(PoisonError::into_inner);
            let before = written.take();
            let findings = match &settlement.findings {
                Some(findings) => findings.iter().map(name).collect(),
                None => before.as_ref().map(|before| before.findings.clone()).unwrap_or_default(),
            };
            let now = Written { counts, findings };
            let same = before.as_ref() == Some(&now)
                && settlement.entries.is_empty()
                && settlement.cleared.is_empty()
                && settlement.remarked.is_empty();
            *written = Some(now);
            same
        };
        if same && !self.order.dry_run { Ok(()) } else { self.write(settlement).await }
    }

    /// Starts one request as soon as there is a place for it; settles others meanwhile.
    pub(super) async fn dispatch(&mut self, outgoing: Outgoing) -> Result<(), CycleError> {
        Live::add(&self.feed.live.sent, outgoing.len() as u64);
        if self.order.dry_run {
            self.pretend(outgoing);
            return Ok(());
        }
        match self.place().await? {
            Some(place) => {
                let (line, name) = (Arc::clone(self.line), self.feed.plan.schema.feed);
                self.deliveries.spawn(async move {
                    let settled = match line.feeds.get(name) {
                        Some(feed) => line.deliver(feed, outgoing).await,
                        None => Ok(Settled::default()),
                    };
                    drop(place);
                    settled
                });
            }
            None => {
                self.put_back += outgoing.len() as u64;
                outgoing.put_back(&mut self.feed.index());
            }
        }
        Ok(())
    }

    /// Waits for a place in flight and counts what is settled meanwhile. None when the cycle is to end instead.
    pub(super) async fn place(&mut self) -> Result<Option<OwnedSemaphorePermit>, CycleError> {
        let (line, urgent) = (self.line, self.urgent);
        let place = async {
            tokio::select! {
                biased;
                () = line.stopping.cancelled() => Err(Stop::Stopping),
                place = timeout(line.settings.scan_stall, line.place_in_flight(urgent)) => place.map_err(|_| Stop::Stalled),
            }
        };
        tokio::pin!(place);
        while self.report.stop.is_none() {
            if let Some(stop) = line.standstill(self.feed) {
                self.report.stop = Some(stop);
                break;
            }
            tokio::select! {
                biased;
                Some(settled) = self.deliveries.join_next(), if !self.deliveries.is_empty() => {
                    self.count(settled??);
                }
                place = &mut place => match place {
                    Ok(place) => return Ok(place),
                    Err(stop) => self.report.stop = Some(stop),
                },
            }
        }
        Ok(None)
    }

    /// A dry run takes every record for accepted, so that children are judged as they would be.
    fn pretend(&mut self, outgoing: Outgoing) {
        self.report.accepted += outgoing.len() as u64;
        let mut index = self.feed.index();
        for (entry, at) in outgoing.entries.into_iter().zip(outgoing.at) {
            if let Some(entry) = entry.acknowledge() {
                index.put_at(at, &entry, 0);
            }
        }
    }

    pub(super) fn count(&mut self, settled: Settled) {
        self.report.accepted += settled.accepted.len() as u64;
        self.report.refused += settled.refused;
        self.report.postponed += settled.postponed;
        self.report.unknown += settled.unknown;
        self.report.released.extend(settled.released);
        self.contested.extend(settled.contested);
        if settled.put_back > 0 {
            self.put_back += settled.put_back;
            let stop = self.line.standstill(self.feed).unwrap_or(Stop::PortalFailed);
            self.report.stop.get_or_insert(stop);
        }
        if let Some(failure) = settled.failure {
            self.report.failures += 1;
            self.report.failure = Some(failure.text);
            self.report.stop = self.report.stop.take().or_else(|| self.line.standstill(self.feed));
        }
    }
}
