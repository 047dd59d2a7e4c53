//! Exchanges: what is remembered, while the process runs, of the register of a feed whose writes are exchanges of documents. Only what
//! something is still to happen to is kept here; the whole register is in the ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;

use super::deliver::Outcome;
use super::inability::NO_REMOVAL;
use super::inquiry::TURNED_DOWN;
use super::line::{FeedLine, Line};
use super::outgoing::Outgoing;
use super::stray::NOT_FED;
use super::unknown::OUTCOME_UNKNOWN;
use crate::ledger::{Entry, Exchange, ExchangeCounts, ExchangeState, FeedId, Ledger, LedgerError, State, WriteBackDue};
use crate::portal::{Abilities, Inquiry, Portal};
use crate::record::{KeyId, Receipt, Stage};
use crate::source::Source;
use crate::transport::{RetryTiming, is_due};

/// The longest that the portal is not asked about a record that gets no further.
pub(super) const SLOWEST_INQUIRY: Duration = Duration::from_secs(6 * 3600);
/// Rows of the register that are read at a time.
const PAGE: usize = 1000;

/// What holds for portals whose writes are exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExchangeSettings {
    /// How often a portal is asked what became of a record that it has not confirmed yet; ever more rarely while its answer stays the same.
    pub inquire_every: Duration,
    /// What is done with a record of which nobody knows whether the portal took it.
    pub on_unknown: OnUnknown,
}

/// What is done with a record of which nobody knows whether the portal took it, and which the portal cannot tell of either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnUnknown {
    /// It waits for an operator's word.
    Ask,
    /// It is sent again, at the risk that the portal then holds it twice.
    Resend,
}

impl Default for ExchangeSettings {
    fn default() -> Self {
        ExchangeSettings { inquire_every: Duration::from_secs(300), on_unknown: OnUnknown::Ask }
    }
}

/// The part of a feed's register to which something is still to happen.
#[derive(Debug, Default)]
pub(super) struct Register {
    open: BTreeMap<KeyId, Open>,
    /// Records whose rows are gone and which the portal cannot remove.
    pub(super) gone: BTreeSet<KeyId>,
    /// How many rows stand where, as of the last look.
    pub(super) counts: ExchangeCounts,
    /// True when rows were stated since that look.
    stale: bool,
    /// Until when the portal is not asked, because it could not answer.
    pub(super) inquiries: Rest,
    /// Until when nothing is written back, because the source failed.
    pub(super) write_backs: Rest,
    until_confirmed: bool,
    /// True when the portal keeps what it turned down, and may yet think better of it.
    keeps_turned_down: bool,
    writes_back: bool,
    /// The time of the last request whose answer was lost.
    lost_last: i64,
}

/// A row to which something is still to happen.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) row: Exchange,
    /// When the portal is asked about it next, if it is sent and not confirmed.
    pub(super) inquire_at: i64,
    /// So many times in a row the portal had nothing new to say about it.
    unchanged: u16,
}

/// A pause that grows with each failure.
#[derive(Debug, Default)]
pub(super) struct Rest {
    until: i64,
    failures: u16,
}

impl Rest {
    /// It failed.
    pub(super) fn fail(&mut self, timing: RetryTiming, now: i64, rng: &mut StdRng) {
        self.until = later(timing, self.failures, now, rng);
        self.failures = self.failures.saturating_add(1);
    }

    /// It went well.
    pub(super) fn well(&mut self) {
        *self = Rest::default();
    }

    /// True when the pause is over.
    pub(super) fn is_over(&self, now: i64, longest: Duration) -> bool {
        is_due(self.until, now, longest)
    }
}

/// The time of an attempt after so many that failed.
pub(super) fn later(timing: RetryTiming, attempts: u16, now: i64, rng: &mut StdRng) -> i64 {
    now.saturating_add(timing.delay(attempts, rng).as_secs().cast_signed().max(1))
}

/// The pause before an inquiry after so many that told nothing new.
pub(super) fn growing(every: Duration, unchanged: u16) -> Duration {
    let factor = 1_u32.checked_shl(unchanged.into()).unwrap_or(u32::MAX);
    every.saturating_mul(factor).min(SLOWEST_INQUIRY.max(every))
}

/// What the register is told of one record.
#[derive(Debug)]
pub(super) struct Told {
    /// What the portal gave back; none where it said nothing.
    pub(super) receipt: Option<Receipt>,
    /// Why the record is not simply well.
    pub(super) code: Option<String>,
    /// True when this goes back to the source.
    pub(super) is_news: bool,
    /// When the record was sent, if it was just now.
    pub(super) sent: Option<i64>,
}

impl Told {
    /// What an outcome says. Of one that may yet prove to be another, its code comes later.
    pub(super) fn of(outcome: &Outcome, now: i64) -> Self {
        let told = Told { receipt: None, code: None, is_news: false, sent: Some(now) };
        match outcome {
            Outcome::Accepted { receipt } => Told { receipt: receipt.as_deref().cloned(), is_news: true, ..told },
            Outcome::Begun { remote_id } => {
                let receipt = Receipt { stage: Stage::Sent, remote_id: Some(remote_id.clone()), ..Receipt::default() };
                Told { receipt: Some(receipt), ..told }
            }
            Outcome::Rejected { code, .. } => Told { code: Some(code.clone()), ..told },
            Outcome::Open { maybe_applied: true, .. } => told,
            // It never went out.
            Outcome::Open { maybe_applied: false, .. } => Told { sent: None, ..told },
        }
    }
}

impl Register {
    fn new(abilities: Abilities, writes_back: bool) -> Self {
        let until_confirmed = abilities.inquiry == Inquiry::UntilConfirmed;
        let keeps_turned_down = until_confirmed && abilities.update;
        Register { until_confirmed, keeps_turned_down, writes_back, ..Register::default() }
    }

    /// When a request was lost whose answer is known to be missing now. No two have one time: by it a portal that takes or refuses what comes in
    /// one request as a whole is asked about each of them.
    pub(super) fn lost_at(&mut self, now: i64) -> i64 {
        self.lost_last = now.max(self.lost_last.saturating_add(1));
        self.lost_last
    }

    /// True for a row of which the portal has more to say.
    fn is_followed(&self, row: &Exchange) -> bool {
        match row.state {
            ExchangeState::Sent => self.until_confirmed && row.code.as_deref() != Some(NOT_FED),
            ExchangeState::Refused => self.keeps_turned_down && row.code.as_deref() == Some(TURNED_DOWN),
            ExchangeState::Ready | ExchangeState::Confirmed | ExchangeState::Unknown => false,
        }
    }

    /// States the row of a record as it stands in the index.
    pub(super) fn state(&mut self, entry: &Entry, told: Told, inquire_at: i64, now: i64) -> Exchange {
        let state = match (entry.state, &told.receipt) {
            (State::Unknown, _) => ExchangeState::Unknown,
            (_, Some(receipt)) if told.is_news => of_stage(receipt.stage),
            (State::Rejected, _) => ExchangeState::Refused,
            (State::Accepted, _) => ExchangeState::Confirmed,
            (_, None) if told.is_news => ExchangeState::Confirmed,
            (State::Pending | State::Held | State::Past | State::Gone | State::Yielded, _) => ExchangeState::Ready,
        };
        let due = self.open.get(&entry.key.id()).and_then(|open| open.row.write_back);
        let write_back = if told.is_news && self.writes_back { Some(WriteBackDue::default()) } else { due };
        let version = if told.is_news { entry.accepted.or(entry.wanted) } else { entry.wanted.or(entry.accepted) };
        let Told { mut receipt, code, sent, .. } = told;
        if let Some(receipt) = receipt.as_mut().filter(|receipt| told.is_news && receipt.remote_id.is_none()) {
            receipt.remote_id = entry.remote_id.as_deref().map(str::to_owned);
        }
        let row = Exchange { key: entry.key.clone(), version, state, receipt, sent, changed: now, code, write_back };
        self.put(row.clone(), inquire_at);
        row
    }

    /// Takes a row as it was written.
    pub(super) fn put(&mut self, row: Exchange, inquire_at: i64) {
        self.stale = true;
        let id = row.key.id();
        if row.code.as_deref() != Some(NO_REMOVAL) {
            self.gone.remove(&id);
        }
        let earlier = self.open.remove(&id);
        let (before, unchanged) = earlier.map(|open| (open.row, open.unchanged)).unzip();
        let (known, sent) = before.as_ref().map(|row| (row.receipt.clone(), row.sent)).unwrap_or_default();
        let row = row.over(before);
        // What the portal gave back is news, and so is another sending.
        let unchanged = unchanged.filter(|_| (&known, sent) == (&row.receipt, row.sent)).unwrap_or_default();
        if row.state == ExchangeState::Unknown {
            self.lost_last = self.lost_last.max(row.sent.unwrap_or_default());
        }
        if row.state == ExchangeState::Unknown || row.write_back.is_some() || self.is_followed(&row) {
            self.open.insert(id, Open { row, inquire_at, unchanged });
        }
    }

    /// Records that lie at the portal as drafts.
    pub(super) fn drafts(&self) -> Drafts {
        self.open.values().map(|open| &open.row).fold(Drafts::default(), Drafts::with)
    }

    /// The open row of a record.
    pub(super) fn open(&self, id: KeyId) -> Option<&Open> {
        self.open.get(&id)
    }

    /// Nothing more is to happen to the row of a record.
    pub(super) fn close(&mut self, id: KeyId) {
        self.open.remove(&id);
    }

    /// The portal had nothing new to say about a record: it is asked again after a growing pause.
    pub(super) fn ask_again(&mut self, id: KeyId, now: i64, every: Duration) {
        if let Some(open) = self.open.get_mut(&id) {
            open.inquire_at = now.saturating_add(growing(every, open.unchanged).as_secs().cast_signed());
            open.unchanged = open.unchanged.saturating_add(1);
        }
    }

    /// An operator wants to know: the portal is asked about everything at once.
    pub(super) fn ask_now(&mut self, now: i64) {
        for open in self.open.values_mut() {
            (open.inquire_at, open.unchanged) = (open.inquire_at.min(now), 0);
        }
    }

    /// Rows of which the portal has yet to say what becomes of them, and is to be asked now: those first whose turn came first.
    pub(super) fn to_inquire(&self, now: i64, longest: Duration) -> Vec<&Open> {
        let is_due = |open: &&Open| self.is_followed(&open.row) && is_due(open.inquire_at, now, longest);
        let mut due: Vec<&Open> = self.open.values().filter(is_due).collect();
        due.sort_by_key(|open| open.inquire_at);
        due
    }

    /// Rows that are to be written back now.
    pub(super) fn to_write_back(&self, now: i64, longest: Duration) -> impl Iterator<Item = &Open> {
        let is_due = move |open: &&Open| open.row.write_back.is_some_and(|due| is_due(due.next_attempt, now, longest));
        let may = self.writes_back && self.write_backs.is_over(now, longest);
        self.open.values().filter(is_due).filter(move |_| may)
    }
}

/// Records that lie at the portal as drafts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drafts {
    /// How many went out signed and were kept as drafts all the same: a person must see to them.
    pub count: u64,
    /// When the oldest of these was sent: seconds since 1970-01-01T00:00:00Z.
    pub oldest: Option<i64>,
    /// How many went out unsigned, as the site has it, and wait for a person to sign them at the portal.
    pub unsigned: u64,
    /// When the oldest of these was sent.
    pub oldest_unsigned: Option<i64>,
}

impl Drafts {
    /// With a row of the register, if it is such a record.
    #[must_use]
    pub fn with(mut self, row: &Exchange) -> Self {
        let Some(receipt) = row.receipt.as_ref().filter(|receipt| receipt.stage == Stage::Draft) else { return self };
        if row.state != ExchangeState::Sent {
            return self;
        }
        let since = row.sent.unwrap_or(row.changed);
        let (count, oldest) = match receipt.signed {
            Some(true) => (&mut self.count, &mut self.oldest),
            Some(false) | None => (&mut self.unsigned, &mut self.oldest_unsigned),
        };
        *count += 1;
        *oldest = Some(oldest.map_or(since, |oldest| oldest.min(since)));
        self
    }
}

/// The register's word for how far the portal says that a record got.
pub(super) fn of_stage(stage: Stage) -> ExchangeState {
    match stage {
        Stage::Sent | Stage::Draft => ExchangeState::Sent,
        Stage::Confirmed => ExchangeState::Confirmed,
        Stage::TurnedDown => ExchangeState::Refused,
    }
}

impl<S: Source> FeedLine<S> {
    /// The feed's register, if it has one.
    pub(super) fn register(&self) -> Option<MutexGuard<'_, Register>> {
        self.register.as_ref().map(|register| register.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Records that lie at the portal as drafts.
    pub fn drafts(&self) -> Drafts {
        self.register().map(|register| register.drafts()).unwrap_or_default()
    }

    /// How many rows of the feed's register stand where; none where it has none.
    pub fn exchanges(&self) -> Option<ExchangeCounts> {
        self.register().map(|register| register.counts)
    }

    /// Counts the register's rows anew, if any were stated since the last count.
    pub(super) async fn count_exchanges(&self, ledger: &impl Ledger) -> Result<(), LedgerError> {
        let stale = self.register().is_some_and(|mut register| std::mem::take(&mut register.stale));
        if !stale {
            return Ok(());
        }
        let counts = ledger.exchange_counts(self.id).await?;
        if let Some(mut register) = self.register() {
            register.counts = counts;
        }
        Ok(())
    }
}

impl<S: Source, P: Portal, L: Ledger> Line<S, P, L> {
    /// What the portal gave back for records that it has just taken, over what it gave for their versions before: an answer to a change may
    /// name nothing but what is new.
    pub(super) async fn over_earlier_receipts(
        &self,
        feed: &FeedLine<S>,
        outgoing: &Outgoing,
        mut outcomes: Vec<Outcome>,
    ) -> Result<Vec<Outcome>, LedgerError> {
        if feed.register.is_none() {
            return Ok(outcomes);
        }
        let changed = |entry: &Entry| entry.accepted.is_some();
        for (entry, outcome) in outgoing.entries.iter().zip(&mut outcomes).filter(|(entry, _)| changed(entry)) {
            let Outcome::Accepted { receipt: Some(receipt) } = outcome else { continue };
            let earlier = self.ledger.exchange(feed.id, &entry.key).await?.and_then(|row| row.receipt);
            **receipt = std::mem::take(&mut **receipt).over(earlier.unwrap_or_default());
        }
        Ok(outcomes)
    }
}

/// Reads what is open of a feed's register.
pub(super) async fn load(
    ledger: &impl Ledger,
    feed: FeedId,
    abilities: Abilities,
    writes_back: bool,
) -> Result<Register, LedgerError> {
    let mut register = Register::new(abilities, writes_back);
    let mut after = None;
    loop {
        let page = ledger.exchanges(feed, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        for row in page {
            if row.code.as_deref() == Some(NO_REMOVAL) {
                register.gone.insert(row.key.id());
            }
            register.put(row, 0);
        }
    }
    register.counts = ledger.exchange_counts(feed).await?;
    register.stale = false;
    Ok(register)
}

/// The code under which the register lists a record in this state, where no refusal says more.
pub(super) fn code_of(state: State) -> Option<String> {
    (state == State::Unknown).then(|| OUTCOME_UNKNOWN.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Key;

    const CONFIRMING: Abilities = Abilities { inquiry: Inquiry::UntilConfirmed, registered: true, ..Abilities::KEYED };

    fn sent(id: u128) -> Exchange {
        let receipt = Some(Receipt { stage: Stage::Sent, set_id: Some("s".into()), ..Receipt::default() });
        let (state, key) = (ExchangeState::Sent, Key::Guid(id));
        Exchange { key, version: None, state, receipt, sent: Some(0), changed: 0, code: None, write_back: None }
    }

    fn due(register: &Register, now: i64) -> Vec<Key> {
        register.to_inquire(now, SLOWEST_INQUIRY).into_iter().map(|open| open.row.key.clone()).collect()
    }

    #[test]
    fn the_portal_is_asked_first_about_what_waits_longest() {
        let mut register = Register::new(CONFIRMING, false);
        for (id, at) in [(1, 30), (2, 10), (3, 20), (4, 99)] {
            register.put(sent(id), at);
        }
        assert_eq!(due(&register, 50), [2, 3, 1].map(Key::Guid));
    }

    #[test]
    fn what_gets_no_further_is_asked_about_ever_more_rarely_until_there_is_news() {
        let (mut register, every) = (Register::new(CONFIRMING, false), Duration::from_secs(300));
        register.put(sent(1), 0);
        let id = Key::Guid(1).id();
        let pause = |register: &Register| register.open(id).map(|open| open.inquire_at);
        for seconds in [300, 600, 1200, 2400, 4800, 9600, 19_200, 21_600, 21_600] {
            register.ask_again(id, 0, every);
            assert_eq!(pause(&register), Some(seconds));
        }
        register.put(sent(1), 300);
        register.ask_again(id, 0, every);
        assert_eq!(pause(&register), Some(21_600), "the same was written once more");
        register.put(
            Exchange { receipt: Some(Receipt { status: Some("x".into()), ..Receipt::default() }), ..sent(1) },
            300,
        );
        register.ask_again(id, 0, every);
        assert_eq!(pause(&register), Some(300));
        (0..9).for_each(|_| register.ask_again(id, 0, every));
        register.ask_now(5);
        assert_eq!((pause(&register), due(&register, 5).len()), (Some(5), 1));
        assert_eq!(growing(Duration::from_secs(86_400), 3), Duration::from_secs(86_400));
    }
}
