//! Values of MySQL's binary protocol as cells. They are taken raw: the driver reads a zero date as NULL, and a portal would then
//! get a record with a field left out instead of our refusal.

use std::fmt::Write as _;

use chrono::NaiveDate;
use sqlx::mysql::{MySqlRow, MySqlTypeInfo};
use sqlx::{Decode, MySql, Row as _, Type, TypeInfo};

use super::super::float::{push_float, widen};
use super::super::stamp;
use super::clock::Clock;
use crate::record::{Cell, RowChunk};

const DAY_MICROS: i64 = 86_400_000_000;

/// How a column is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    /// Little-endian integer, as long as its value.
    Int {
        unsigned: bool,
    },
    /// Big-endian bits.
    Bits,
    Float,
    Double,
    Decimal,
    Text,
    Bytes,
    Date,
    DateTime,
    Timestamp,
    Time,
}

/// The bytes do not follow the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

impl Kind {
    /// By the driver's name of the type; none for a type that no cell can hold.
    pub(super) fn of(info: &MySqlTypeInfo) -> Option<Self> {
        Some(match info.name() {
            "NULL" => Kind::Null,
            "FLOAT" => Kind::Float,
            "DOUBLE" => Kind::Double,
            "DECIMAL" => Kind::Decimal,
            "DATE" => Kind::Date,
            "DATETIME" => Kind::DateTime,
            "TIMESTAMP" => Kind::Timestamp,
            "TIME" => Kind::Time,
            "BIT" => Kind::Bits,
            "JSON" | "SET" => Kind::Text,
            "GEOMETRY" => return None,
            "BOOLEAN" | "YEAR" => Kind::int(info),
            name if name.contains("INT") => Kind::int(info),
            // The driver's name says BINARY for texts of a `_bin` collation too; only the character set tells.
            _ if <str as Type<MySql>>::compatible(info) => Kind::Text,
            _ => Kind::Bytes,
        })
    }

    fn int(info: &MySqlTypeInfo) -> Self {
        Kind::Int { unsigned: <u64 as Type<MySql>>::compatible(info) }
    }
}

/// Appends the value of one column. `clock` is the session's.
pub(super) fn push(
    row: &MySqlRow,
    index: usize,
    kind: Kind,
    clock: Clock,
    chunk: &mut RowChunk,
) -> Result<(), Malformed> {
    let value = row.try_get_raw(index).map_err(|_| Malformed)?;
    match <&[u8] as Decode<MySql>>::decode(value) {
        Ok(bytes) => push_value(bytes, kind, clock, chunk),
        // The driver's only reason: there is no value.
        Err(_) => {
            chunk.push(Cell::Null);
            Ok(())
        }
    }
}

fn push_value(bytes: &[u8], kind: Kind, clock: Clock, chunk: &mut RowChunk) -> Result<(), Malformed> {
    match kind {
        Kind::Null => chunk.push(Cell::Null),
        Kind::Text => chunk.push(std::str::from_utf8(bytes).map_or(Cell::Undecodable, Cell::Text)),
        Kind::Bytes => chunk.push(Cell::Bytes(bytes)),
        Kind::Decimal => chunk.push(Cell::Decimal(std::str::from_utf8(bytes).map_err(|_| Malformed)?)),
        Kind::Int { unsigned } => push_int(bytes, unsigned, chunk)?,
        Kind::Bits => push_unsigned(bytes.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte)), chunk),
        Kind::Float => push_float(widen(f32::from_le_bytes(bytes.try_into().map_err(|_| Malformed)?)), chunk),
        Kind::Double => push_float(f64::from_le_bytes(bytes.try_into().map_err(|_| Malformed)?), chunk),
        Kind::Date => Calendar::read(bytes)?.push(chunk, |micros| Cell::Date((micros / DAY_MICROS) as i32)),
        Kind::DateTime => Calendar::read(bytes)?.push(chunk, Cell::LocalTime),
        Kind::Timestamp => Calendar::read(bytes)?.push(chunk, |micros| Cell::Instant(clock.instant(micros))),
        Kind::Time => push_time_of_day(bytes, chunk)?,
    }
    Ok(())
}

fn push_int(bytes: &[u8], unsigned: bool, chunk: &mut RowChunk) -> Result<(), Malformed> {
    let negative = !unsigned && bytes.last().is_some_and(|top| top & 0x80 != 0);
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    wide.get_mut(..bytes.len()).ok_or(Malformed)?.copy_from_slice(bytes);
    if unsigned {
        push_unsigned(u64::from_le_bytes(wide), chunk)
    } else {
        chunk.push(Cell::Int(i64::from_le_bytes(wide)))
    }
    Ok(())
}

fn push_unsigned(value: u64, chunk: &mut RowChunk) {
    match i64::try_from(value) {
        Ok(value) => chunk.push(Cell::Int(value)),
        Err(_) => chunk.push(Cell::Decimal(&value.to_string())),
    }
}

/// A date and time as sent: the value may be a day that no calendar has.
#[derive(Default)]
struct Calendar {
    year: u16,
    month: u8,
    day: u8,
    clock: [u8; 3],
    micros: u32,
}

impl Calendar {
    /// A length byte, then as much of year, month, day, hour, minute, second, microseconds as is not zero.
    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let (length, rest) = bytes.split_first().ok_or(Malformed)?;
        if usize::from(*length) != rest.len() {
            return Err(Malformed);
        }
        let mut calendar = Calendar::default();
        match *rest {
            [] => {}
            [y0, y1, month, day, ref clock @ ..] => {
                (calendar.year, calendar.month, calendar.day) = (u16::from_le_bytes([y0, y1]), month, day);
                calendar.read_clock(clock)?;
            }
            _ => return Err(Malformed),
        }
        Ok(calendar)
    }

    fn read_clock(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let (clock, micros) = match *bytes {
            [] => ([0; 3], 0),
            [hour, minute, second] => ([hour, minute, second], 0),
            [hour, minute, second, m0, m1, m2, m3] => ([hour, minute, second], u32::from_le_bytes([m0, m1, m2, m3])),
            _ => return Err(Malformed),
        };
        (self.clock, self.micros) = (clock, micros);
        Ok(())
    }

    /// Microseconds since 1970-01-01T00:00:00; none for a day that no calendar has.
    fn micros(&self) -> Option<i64> {
        let date = NaiveDate::from_ymd_opt(self.year.into(), self.month.into(), self.day.into())?;
        let [hour, minute, second] = self.clock.map(i64::from);
        let seconds = (hour * 60 + minute) * 60 + second;
        Some(i64::from(stamp::days(date)) * DAY_MICROS + seconds * 1_000_000 + i64::from(self.micros))
    }

    /// `0000-00-00` and the like are handed on as text, so that a check refuses them.
    fn push(&self, chunk: &mut RowChunk, cell: impl Fn(i64) -> Cell<'static>) {
        match self.micros() {
            Some(micros) => chunk.push(cell(micros)),
            None => chunk.push(Cell::Text(&format!("{:04}-{:02}-{:02}", self.year, self.month, self.day))),
        }
    }
}

/// A TIME as text, `-27:30:00`: no cell is a time of day.
fn push_time_of_day(bytes: &[u8], chunk: &mut RowChunk) -> Result<(), Malformed> {
    let (sign, days, clock, micros) = match *bytes {
        [0] => (0, 0, [0; 3], 0),
        [8, sign, d0, d1, d2, d3, h, m, s] => (sign, u32::from_le_bytes([d0, d1, d2, d3]), [h, m, s], 0),
        [12, sign, d0, d1, d2, d3, h, m, s, m0, m1, m2, m3] => {
            (sign, u32::from_le_bytes([d0, d1, d2, d3]), [h, m, s], u32::from_le_bytes([m0, m1, m2, m3]))
        }
        _ => return Err(Malformed),
    };
    let [hour, minute, second] = clock;
    let hours = u64::from(days) * 24 + u64::from(hour);
    let mut text = format!("{}{hours:02}:{minute:02}:{second:02}", if sign == 0 { "" } else { "-" });
    if micros > 0 {
        // Writing to a string cannot fail.
        let _ = write!(text, ".{micros:06}");
    }
    chunk.push(Cell::Text(&text));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(bytes: &[u8], kind: Kind, check: impl Fn(Cell<'_>)) {
        let mut chunk = RowChunk::default();
        chunk.reset(1);
        push_value(bytes, kind, Clock::Offset(5 * 3600), &mut chunk).unwrap();
        check(chunk.rows().next().unwrap().cell(0));
    }

    #[test]
    fn integers_of_every_length_keep_their_sign() {
        let signed = Kind::Int { unsigned: false };
        let unsigned = Kind::Int { unsigned: true };
        cell(&[0xfb], signed, |cell| assert_eq!(cell, Cell::Int(-5)));
        cell(&[0xfb], unsigned, |cell| assert_eq!(cell, Cell::Int(251)));
        cell(&(-70_000i32).to_le_bytes(), signed, |cell| assert_eq!(cell, Cell::Int(-70_000)));
        cell(&u64::MAX.to_le_bytes(), unsigned, |cell| assert_eq!(cell, Cell::Decimal("18446744073709551615")));
        cell(&[1, 0], Kind::Bits, |cell| assert_eq!(cell, Cell::Int(256)));
    }

    #[test]
    fn a_day_that_no_calendar_has_is_text() {
        cell(&[0], Kind::DateTime, |cell| assert_eq!(cell, Cell::Text("0000-00-00")));
        cell(&[4, 0xea, 0x07, 7, 0], Kind::Date, |cell| assert_eq!(cell, Cell::Text("2026-07-00")));
    }

    #[test]
    fn a_timestamp_is_brought_back_from_the_sessions_clock() {
        let bytes = [11, 0xb2, 0x07, 1, 1, 5, 0, 1, 7, 0, 0, 0];
        cell(&bytes, Kind::Timestamp, |cell| assert_eq!(cell, Cell::Instant(1_000_007)));
        cell(&bytes, Kind::DateTime, |cell| assert_eq!(cell, Cell::LocalTime(18_001_000_007)));
        cell(&bytes[..0], Kind::Null, |cell| assert_eq!(cell, Cell::Null));
    }

    #[test]
    fn a_time_of_day_is_text() {
        cell(&[8, 1, 1, 0, 0, 0, 3, 30, 0], Kind::Time, |cell| assert_eq!(cell, Cell::Text("-27:30:00")));
    }

    #[test]
    fn bytes_of_a_wrong_length_are_refused() {
        let mut chunk = RowChunk::default();
        chunk.reset(1);
        for (bytes, kind) in [
            (&[0; 9][..], Kind::Int { unsigned: true }),
            (&[4, 1], Kind::Date),
            (&[1, 1], Kind::Date),
            (&[1], Kind::Float),
            (&[3], Kind::Time),
        ] {
            assert_eq!(push_value(bytes, kind, Clock::Offset(0), &mut chunk), Err(Malformed));
        }
    }
}
