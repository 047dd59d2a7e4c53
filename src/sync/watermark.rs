//! The watermark: from which change time on the next read must look, so that no late commit is missed.

use std::time::Duration;

use chrono_tz::Tz;

use super::cycle::CycleError;
use crate::record::{Cell, RowChunk, Written, Zone, parse_time};
use crate::source::Stamp;

/// Follows the change times of a read. All times are microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug)]
pub(super) struct Watermark {
    column: Option<String>,
    position: Option<usize>,
    zone: Zone,
    before: Option<i64>,
    database_now: i64,
    largest: Option<i64>,
}

impl Watermark {
    /// For feeds that are always read whole.
    pub(super) fn none() -> Self {
        Watermark::new_with(None, Tz::UTC, None, 0)
    }

    /// For a feed with a change column; `before` is where the last read came to.
    pub(super) fn new(column: &str, zone: Tz, before: Option<i64>, database_now: i64) -> Self {
        Watermark::new_with(Some(column.to_owned()), zone, before, database_now)
    }

    fn new_with(column: Option<String>, zone: Tz, before: Option<i64>, database_now: i64) -> Self {
        Watermark { column, position: None, zone: Zone::new(zone), before, database_now, largest: None }
    }

    /// Where a read by change time starts. None before the first full scan.
    pub(super) fn since(&self, overlap: Duration) -> Option<Stamp> {
        let overlap = i64::try_from(overlap.as_micros()).unwrap_or(i64::MAX);
        self.before.map(|before| Stamp::Instant(before.min(self.database_now).saturating_sub(overlap)))
    }

    /// Finds the change column among a read's columns.
    pub(super) fn bind(&mut self, feed: &'static str, columns: &[&str]) -> Result<(), CycleError> {
        let Some(column) = &self.column else { return Ok(()) };
        self.position = columns.iter().position(|name| name.eq_ignore_ascii_case(column));
        match self.position {
            Some(_) => Ok(()),
            None => Err(CycleError::NoChangeColumn { feed, column: column.clone() }),
        }
    }

    /// Notes the change times of some rows. Empty and unreadable ones move nothing.
    pub(super) fn take(&mut self, chunk: &RowChunk) {
        let Some(position) = self.position else { return };
        for row in chunk.rows() {
            let moment = self.moment(row.cell(position));
            self.largest = self.largest.max(moment);
        }
    }

    fn moment(&mut self, cell: Cell<'_>) -> Option<i64> {
        const MICROS: i64 = 1_000_000;
        match cell {
            Cell::Instant(micros) => Some(micros),
            Cell::LocalTime(micros) => Some(
                self.zone
                    .utc(micros.div_euclid(MICROS))
                    .saturating_mul(MICROS)
                    .saturating_add(micros.rem_euclid(MICROS)),
            ),
            Cell::Date(days) => Some(self.zone.utc(i64::from(days) * 86_400).saturating_mul(MICROS)),
            Cell::Int(seconds) => Some(seconds.saturating_mul(MICROS)),
            Cell::Text(text) => match parse_time(text)? {
                Written::Day(seconds) | Written::Local(seconds) => Some(self.zone.utc(seconds).saturating_mul(MICROS)),
                Written::Instant(seconds) => Some(seconds.saturating_mul(MICROS)),
            },
            Cell::Null
            | Cell::Undecodable
            | Cell::Bytes(_)
            | Cell::Guid(_)
            | Cell::Float(_)
            | Cell::Decimal(_)
            | Cell::Bool(_) => None,
        }
    }

    /// Where this read came to: the largest change time seen, but never ahead of the database's own clock.
    pub(super) fn reached(&self) -> Option<i64> {
        let largest = self.largest.max(self.before)?;
        Some(largest.min(self.database_now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000_000;

    fn after(cells: &[Cell<'_>], before: Option<i64>) -> Watermark {
        let mut watermark = Watermark::new("updated_at", Tz::UTC, before, NOW);
        assert!(watermark.bind("slot", &["id", "UPDATED_AT"]).is_ok());
        let mut chunk = RowChunk::default();
        chunk.reset(2);
        for cell in cells {
            chunk.push(Cell::Int(1));
            chunk.push(*cell);
        }
        watermark.take(&chunk);
        watermark
    }

    #[test]
    fn the_next_read_starts_an_overlap_before_the_largest_time_seen() {
        let reached = after(&[Cell::Instant(NOW - 5), Cell::Null, Cell::Instant(NOW - 9)], None).reached();
        assert_eq!(reached, Some(NOW - 5));
        let next = Watermark::new("updated_at", Tz::UTC, reached, NOW);
        assert_eq!(next.since(Duration::from_micros(10)), Some(Stamp::Instant(NOW - 15)));
    }

    #[test]
    fn a_stamp_in_the_future_does_not_blind_the_next_read() {
        assert_eq!(after(&[Cell::Instant(NOW + 1_000_000)], None).reached(), Some(NOW));
    }

    #[test]
    fn a_database_clock_that_stepped_back_is_believed_more_than_the_mark() {
        let watermark = Watermark::new("updated_at", Tz::UTC, Some(NOW + 3_600_000_000), NOW);
        assert_eq!(watermark.since(Duration::from_micros(10)), Some(Stamp::Instant(NOW - 10)));
    }

    #[test]
    fn a_read_without_rows_leaves_the_mark_where_it_was() {
        assert_eq!(after(&[], Some(NOW - 7)).reached(), Some(NOW - 7));
    }

    #[test]
    fn wall_clocks_are_read_in_the_sources_zone() {
        let mut watermark = Watermark::new("c", chrono_tz::Asia::Yekaterinburg, None, NOW);
        assert_eq!(watermark.moment(Cell::LocalTime(5 * 3_600_000_000)), Some(0));
        assert_eq!(watermark.moment(Cell::Text("1970-01-01 05:00:00")), Some(0));
    }

    #[test]
    fn a_query_without_the_change_column_is_an_error_that_names_it() {
        let error = Watermark::new("updated_at", Tz::UTC, None, NOW).bind("slot", &["id"]).unwrap_err();
        assert!(error.to_string().contains("updated_at"), "{error}");
    }
}
