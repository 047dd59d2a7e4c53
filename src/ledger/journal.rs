//! What every implementation's journal is made of: rows of steps, and how a row's standing bears on its replay.

use std::borrow::Borrow;

use super::codec::{self, Body, Damaged, Encoder};
use super::{Entry, LedgerError, Replay, Settlement};
use crate::record::Key;

/// Steps that a row written by a settlement or a rewrite holds at most: large rows load fast, and a bounded row keeps the memory
/// of a load bounded. A mark is one row whatever its size.
pub(super) const ROW_STEPS: usize = 1024;
/// Records that one mark holds at most: four times what the largest set of any portal holds.
const MARK_ENTRIES: usize = 20_000;
/// Overruled steps that are tolerated beside twice the live ones.
const SPARE_STEPS: u64 = 10_000;
/// Rows that are tolerated beside twice those that the live records need: two days of small cycles.
const SPARE_ROWS: u64 = 10_000;

/// How a journal row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// A mark that was not closed: its entries stand as they were marked. Set by marking.
    Open,
    /// A mark whose batch was acknowledged. Set by settling.
    Acknowledged,
    /// Entries as they were stated. Set by settling and rewriting.
    Stated,
}

impl Standing {
    /// The stored number. Never renumber.
    pub(super) fn number(self) -> i64 {
        match self {
            Standing::Open => 0,
            Standing::Acknowledged => 1,
            Standing::Stated => 2,
        }
    }

    /// The standing of a stored number.
    pub(super) fn of(number: i64) -> Option<Self> {
        [Standing::Open, Standing::Acknowledged, Standing::Stated].into_iter().find(|it| it.number() == number)
    }
}

/// Replays one row.
pub(super) fn replay(standing: Standing, body: &[u8], visit: &mut (dyn FnMut(Replay) + Send)) -> Result<(), Damaged> {
    let acknowledged = standing == Standing::Acknowledged;
    codec::decode(body, |mut step| {
        if let (true, Replay::Put(entry)) = (acknowledged, &mut step)
            && !entry.close_mark()
        {
            let key = entry.key.clone();
            step = Replay::Drop(key);
        }
        visit(step);
    })
}

/// The row of a batch about to be sent.
pub(super) fn marked(entries: &[Entry]) -> Result<Body, LedgerError> {
    if entries.len() > MARK_ENTRIES {
        let reason = format!("a batch of {} records is over the limit of {MARK_ENTRIES}", entries.len());
        return Err(LedgerError::Storage { action: "marking a batch", reason });
    }
    let mut encoder = Encoder::with_capacity(entries.len());
    entries.iter().for_each(|entry| encoder.put(entry));
    Ok(encoder.finish())
}

/// The rows of a settlement: first what is stated anew, then what is forgotten.
pub(super) fn stated(settlement: &Settlement) -> Vec<Body> {
    let put = settlement.entries.iter().map(Step::Put);
    rows(put.chain(settlement.dropped.iter().map(Step::Forget))).collect()
}

/// The rows of a rewritten journal.
pub(super) fn snapshot(entries: &mut (dyn Iterator<Item = Entry> + Send)) -> impl Iterator<Item = Body> + Send {
    rows(entries.map(Step::Put))
}

/// True when a rewrite pays: `rows` and `steps` are the journal's, `live` is the number of records.
pub(super) fn is_long(rows: u64, steps: u64, live: u64) -> bool {
    let needed_rows = live.div_ceil(ROW_STEPS as u64);
    steps > live.saturating_mul(2).saturating_add(SPARE_STEPS)
        || rows > needed_rows.saturating_mul(2).saturating_add(SPARE_ROWS)
}

/// Something to write.
enum Step<'a, E> {
    Put(E),
    Forget(&'a Key),
}

fn rows<'a, E: Borrow<Entry> + Send>(
    steps: impl Iterator<Item = Step<'a, E>> + Send,
) -> impl Iterator<Item = Body> + Send {
    let mut steps = steps.peekable();
    std::iter::from_fn(move || {
        steps.peek()?;
        let mut encoder = Encoder::with_capacity(steps.size_hint().0.clamp(1, ROW_STEPS));
        while encoder.len() < ROW_STEPS {
            match steps.next() {
                Some(Step::Put(entry)) => encoder.put(entry.borrow()),
                Some(Step::Forget(key)) => encoder.forget(key),
                None => break,
            }
        }
        Some(encoder.finish())
    })
}

/// Refuses what no settlement may hold.
pub(super) fn check(settlement: &Settlement) -> Result<(), LedgerError> {
    if settlement.refused.iter().any(|refusal| refusal.key.is_none()) {
        return Err(settling("a refusal without a key belongs to the findings".to_owned()));
    }
    Ok(())
}

/// A failed settlement.
pub(super) fn settling(reason: String) -> LedgerError {
    LedgerError::Storage { action: "settling a batch", reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_long_when_most_of_it_is_overruled_or_cut_too_small() {
        assert!(!is_long(1_000, 1_000_000, 1_000_000));
        assert!(!is_long(3_000, 2_010_000, 1_000_000));
        assert!(is_long(3_000, 2_010_001, 1_000_000));
        assert!(!is_long(10_000, 10_000, 0));
        assert!(is_long(10_001, 10_000, 0));
    }

    #[test]
    fn a_settlement_is_cut_into_rows_of_bounded_size() {
        let entries = (0..ROW_STEPS as u128 + 1).map(|key| Entry::new(Key::Guid(key))).collect();
        let settlement = Settlement { entries, dropped: vec![Key::Guid(0)], ..Settlement::default() };
        let sizes: Vec<_> = stated(&settlement).iter().map(|body| body.entries as usize).collect();
        assert_eq!(sizes, [ROW_STEPS, 2]);
    }

    #[test]
    fn an_empty_settlement_has_no_rows() {
        assert!(stated(&Settlement::default()).is_empty());
    }

    #[test]
    fn a_batch_over_the_limit_is_refused() {
        let entries: Vec<_> = (0..MARK_ENTRIES as u128 + 1).map(|key| Entry::new(Key::Guid(key))).collect();
        let refused = marked(&entries).unwrap_err().to_string();
        assert!(refused.contains("20001 records"), "{refused}");
    }
}
